//! Keys as people have them: certified by others, with subkeys, and with user ids that are past.

use std::process::Command;

use el7rpm::openpgp::{Certificate, SecretKey, Signer};

use crate::support::{self, el7};

/// A gpg of our own, whose keys have no passphrase.
pub struct Gpg(tempfile::TempDir);

impl Gpg {
    pub fn new() -> Self {
        Self(support::gpg_home())
    }

    /// What it prints.
    pub fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.0.path());
        command.args(["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        support::ok(command.args(args))
    }

    fn fingerprint(&self, name: &str) -> String {
        let text = self.run(&["--with-colons", "--list-keys", name]);
        text.lines()
            .find_map(|l| l.strip_prefix("fpr:::::::::"))
            .unwrap()
            .trim_end_matches(':')
            .into()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let kill = ["--kill", "all"];
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.0.path()).args(kill).status();
    }
}

#[test]
fn certifications_by_others_are_not_published() {
    if !support::have("certified keys", &["gpg"]) {
        return;
    }
    let gpg = Gpg::new();
    gpg.run(&["--quick-generate-key", "release <r@localhost>", "rsa2048", "sign,cert"]);
    let release = gpg.fingerprint("release");
    for (name, kind) in [("other", "ed25519"), ("old", "dsa2048"), ("third", "rsa2048")] {
        gpg.run(&["--quick-generate-key", name, kind, "sign,cert"]);
        let by = gpg.fingerprint(name);
        gpg.run(&["--local-user", &by, "--quick-sign-key", &release]);
        gpg.run(&["--local-user", &by, "--quick-lsign-key", &release]);
    }
    for kind in ["cv25519", "nistp256", "rsa2048"] {
        gpg.run(&["--quick-add-key", &release, kind, "encr"]);
    }
    gpg.run(&["--quick-add-key", &release, "ed25519", "sign"]);
    gpg.run(&["--quick-add-uid", &release, "second <s@localhost>"]);
    gpg.run(&["--quick-add-uid", &release, "gone <g@localhost>"]);
    gpg.run(&["--quick-revoke-uid", &release, "gone <g@localhost>"]);
    let options = ["--armor", "--export-options", "export-local-sigs"];
    let public = gpg.run(&[&options[..], &["--export", &release]].concat());
    let secret = gpg.run(&[&options[..], &["--export-secret-keys", &release]].concat());

    let key = SecretKey::from_armored(&secret, || unreachable!()).unwrap();
    let certificate = Certificate::from_armored(&public).unwrap();
    assert_eq!(key.certificate().fingerprint(), release.to_lowercase());
    let mut ids = certificate.user_ids();
    ids.sort();
    assert_eq!(ids, ["release <r@localhost>", "second <s@localhost>"]);
    assert!(!certificate.relies_on_sha1());
    let packet = key.sign(&mut &b"data"[..], 0).unwrap();
    certificate.verify(&packet, &b"data"[..]).unwrap();

    let published = certificate.to_armored().unwrap();
    assert!(published.len() < public.len() / 3, "{} of {}", published.len(), public.len());
    if let Some(root) = el7::Root::new("rpm 4.11.3 imports keys that others have certified") {
        let dir = tempfile::tempdir().unwrap();
        let import = |text: &str| {
            fs_err::write(dir.path().join("key.asc"), text).unwrap();
            root.import(&dir.path().join("key.asc"))
        };
        assert!(!import(&public), "rpm 4.11 takes no key with a signature by EdDSA");
        assert!(import(&published), "what is published can be imported");
    }
}

/// A newer statement that only names a revoker says nothing of the key's time: gpg writes it without one.
#[test]
fn a_key_that_names_a_revoker_expires_all_the_same() {
    if !support::have("revokers and expiry", &["gpg", "sh"]) {
        return;
    }
    let gpg = Gpg::new();
    let on = |day: &str| format!("--faked-system-time=2020{day}T000000!");
    for name in ["release", "trustee"] {
        gpg.run(&[&on("0101"), "--quick-generate-key", name, "rsa2048", "sign,cert", "2020-03-01"]);
    }
    let script = "printf 'addrevoker\\ntrustee\\ny\\nsave\\n' | gpg --no-tty --command-fd 0 --passphrase '' \
                  --pinentry-mode loopback \"$1\" --edit-key release";
    let mut edit = Command::new("sh");
    edit.env("GNUPGHOME", gpg.0.path());
    support::ok(edit.args(["-c", script, "sh", &on("0201")]));
    let public = gpg.run(&["--armor", "--export", "release"]);
    let certificate = Certificate::from_armored(&public).unwrap();
    assert!(certificate.is_expired());
    assert!(!certificate.is_revoked());
    let published = certificate.to_armored().unwrap();
    assert!(Certificate::from_armored(&published).unwrap().is_expired());
    if let Some(root) = el7::Root::new("rpm 4.11.3 imports keys that name a revoker") {
        let key = gpg.0.path().join("key.asc");
        fs_err::write(&key, published).unwrap();
        assert!(root.import(&key));
    }
}

#[test]
fn a_revoked_key_does_not_sign_and_sha1_is_noticed() {
    if !support::have("revoked keys", &["gpg"]) {
        return;
    }
    let gpg = Gpg::new();
    let old =
        ["--cert-digest-algo", "SHA1", "--quick-generate-key", "sha1", "rsa2048", "sign,cert"];
    gpg.run(&old);
    let fingerprint = gpg.fingerprint("sha1");
    let secret = || gpg.run(&["--armor", "--export-secret-keys", &fingerprint]);
    let key = SecretKey::from_armored(&secret(), || unreachable!()).unwrap();
    assert!(key.certificate().relies_on_sha1());
    let revocation = gpg.0.path().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs_err::read_to_string(&revocation).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs_err::write(&revocation, text).unwrap();
    gpg.run(&["--import", revocation.to_str().unwrap()]);
    let error = SecretKey::from_armored(&secret(), || unreachable!()).unwrap_err().to_string();
    assert!(error.contains("the key is revoked"), "{error}");
}
