//! Keys: which are taken, which are refused and why, and that no secret gets out.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{checkout::Checkout, support};

/// A gpg of our own, with a key of this kind.
pub struct GpgHome {
    pub home: tempfile::TempDir,
}

impl GpgHome {
    pub fn new() -> Self {
        Self { home: support::gpg_home() }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path()).args(["--batch", "--pinentry-mode", "loopback"]);
        command
    }

    pub fn make(&self, name: &str, kind: &str, usage: &str, passphrase: &str) {
        support::ok(self.command().args([
            "--passphrase",
            passphrase,
            "--quick-generate-key",
            name,
            kind,
            usage,
        ]));
    }

    fn export(&self, name: &str, passphrase: &str, to: &Path) -> PathBuf {
        let path = to.join(format!("{name}.secret.asc"));
        let text = support::ok(self.command().args([
            "--passphrase",
            passphrase,
            "--armor",
            "--export-secret-keys",
            name,
        ]));
        fs_err::write(&path, text).unwrap();
        path
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path())
            .args(["--kill", "all"])
            .status();
    }
}

/// A key with this passphrase, as a file in `dir`.
pub fn protected_key(dir: &Path, passphrase: &str) -> PathBuf {
    let gpg = GpgHome::new();
    gpg.make("protected", "rsa2048", "sign", passphrase);
    gpg.export("protected", passphrase, dir)
}

#[test]
fn a_passphrase_comes_from_a_variable_or_a_descriptor_and_a_wrong_one_is_an_error() {
    if !support::have("passphrases", &["gpg", "sh"]) {
        return;
    }
    let checkout = Checkout::new();
    let key = protected_key(checkout.dir.path(), "geheim");
    let key = key.to_str().unwrap();

    let (code, message) = checkout.code_and_text(&support::run(
        checkout.xtask(&["rpm", "--key", key, "--passphrase-env", "PASS"]).env("PASS", "falsch"),
    ));
    assert_eq!(
        message,
        "error: the passphrase does not open the secret key\n  help: check the passphrase; nothing was signed"
    );
    assert_eq!(code, 8);
    assert!(!checkout.path("dist").exists());
    let (code, message) = checkout
        .code_and_text(&support::run(checkout.xtask(&["rpm", "--key", key]).stdin(Stdio::null())));
    assert_eq!(
        message.replace("[ROOT]/protected.secret.asc", "KEY"),
        "error: the key KEY has a passphrase, and there is no terminal to ask for it\n  help: give it by --passphrase-fd N or --passphrase-env NAME, or run on a terminal"
    );
    assert_eq!(code, 8);

    support::ok(
        checkout.xtask(&["rpm", "--key", key, "--passphrase-env", "PASS"]).env("PASS", "geheim"),
    );
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let root = checkout.dir.path().display();
    let script =
        format!("echo geheim | {xtask} --root {root} rpm notes --key {key} --passphrase-fd 0");
    support::ok(Command::new("sh").args(["-c", &script]));
    checkout.ok(&["verify"]);
    for file in crate::checkout::walk(&checkout.path("target/xtask")) {
        let bytes = fs_err::read(checkout.path("target/xtask").join(&file)).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"geheim"), "the passphrase stands in {file}");
    }
}

#[test]
fn keys_that_centos_7_cannot_check_are_refused() {
    if !support::have("refused keys", &["gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    for (kind, usage, says) in [
        ("ed25519", "sign", "the key is EdDSA, whose signatures rpm 4.11"),
        ("nistp256", "sign", "the key is ECDSA, whose signatures rpm 4.11"),
        ("rsa1024", "sign", "the RSA key has 1024 bits"),
        ("rsa2048", "cert", "the primary key may not sign"),
    ] {
        let name = format!("{kind}-{usage}");
        gpg.make(&name, kind, usage, "");
        let key = gpg.export(&name, "", checkout.dir.path());
        let (code, message) = checkout.fails(&["rpm", "--key", key.to_str().unwrap()]);
        assert_eq!(code, 8, "{message}");
        assert!(message.contains(says), "{message}");
    }
    // Expired: valid for one second, years ago.
    let expired = gpg.home.path().join("expired.asc");
    let mut command = gpg.command();
    command.args(["--faked-system-time", "20200101T000000", "--passphrase", ""]);
    support::ok(command.args([
        "--quick-generate-key",
        "expired",
        "rsa2048",
        "sign",
        "seconds=86400",
    ]));
    fs_err::copy(gpg.export("expired", "", gpg.home.path()), &expired).unwrap();
    let (code, message) = checkout.fails(&["rpm", "--key", expired.to_str().unwrap()]);
    assert_eq!(code, 8, "{message}");
    assert!(message.contains("the key has expired"), "{message}");
    checkout.write("rubbish.asc", "no key");
    let (code, message) = checkout.fails(&["rpm", "--key", "rubbish.asc"]);
    assert_eq!(code, 8);
    assert!(message.contains("not an armored OpenPGP secret key"), "{message}");
    assert_eq!(checkout.fails(&["rpm", "--key", "none.asc"]).0, 8);
    assert!(!checkout.path("dist").exists());
}

#[test]
fn gpg_and_its_agent_sign_as_well() {
    if !support::have("--gpg-key", &["gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    gpg.make("release", "rsa4096", "sign", "");
    let run = |args: &[&str]| {
        let mut command = checkout.xtask(args);
        command.env("GNUPGHOME", gpg.home.path());
        command
    };
    support::ok(&mut run(&["rpm", "--release", "--gpg-key", "release"]));
    checkout.ok(&["verify"]);
    let (code, message) =
        checkout.code_and_text(&support::run(&mut run(&["rpm", "--gpg-key", "nobody"])));
    assert_eq!(code, 8);
    assert!(message.contains("gpg has no key nobody"), "{message}");
    // Of several keys none is taken at random: the first may be the one that was given up.
    gpg.make("release of old", "rsa2048", "sign", "");
    let (code, message) =
        checkout.code_and_text(&support::run(&mut run(&["rpm", "--gpg-key", "release"])));
    assert_eq!(code, 8, "{message}");
    assert!(
        message.contains("several of gpg's keys") && message.contains("fingerprint"),
        "{message}"
    );
}

#[test]
fn a_key_without_its_secret_part_is_refused_before_the_work() {
    if !support::have("keys without their secret part", &["gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    gpg.make("offline", "rsa2048", "sign,cert", "");
    let list = support::ok(gpg.command().args(["--with-colons", "--list-keys", "offline"]));
    let fingerprint = list.lines().find_map(|l| l.strip_prefix("fpr:::::::::")).unwrap();
    let fingerprint = fingerprint.trim_end_matches(':');
    let add = ["--passphrase", "", "--quick-add-key", fingerprint, "rsa2048", "sign"];
    support::ok(gpg.command().args(add));
    for what in ["--export", "--export-secret-subkeys"] {
        let text = support::ok(gpg.command().args(["--armor", what, "offline"]));
        checkout.write("key.asc", &text);
        let other = GpgHome::new();
        support::ok(other.command().arg("--import").arg(checkout.path("key.asc")));
        let mut run = checkout.xtask(&["rpm", "--gpg-key", "offline"]);
        let (code, message) =
            checkout.code_and_text(&support::run(run.env("GNUPGHOME", other.home.path())));
        assert_eq!(code, 8, "{message}");
        assert!(message.contains("gpg has no secret key for"), "{message}");
    }
    let (code, message) = checkout.fails(&["rpm", "--key", "key.asc"]);
    assert_eq!(code, 8, "{message}");
    assert!(message.contains("the file holds no secret part of the primary key"), "{message}");
    assert!(!checkout.path("target/xtask/cache").exists(), "nothing was made before");
}

#[test]
fn a_release_needs_a_real_key() {
    let checkout = Checkout::new();
    let (code, message) = checkout.fails(&["rpm", "--release"]);
    assert_eq!(
        message,
        "error: a release cannot be signed with the development key\n  help: give the release's key with --key FILE or --gpg-key ID"
    );
    assert_eq!(code, 8);
    checkout.ok(&["rpm", "--release", "--key", support::key_file("b").to_str().unwrap()]);
    // The development key stays one, also as a file.
    let own = Checkout::new();
    let key = own.path("target/xtask/keys/development.asc");
    fs_err::remove_file(&key).unwrap();
    own.ok(&["rpm"]);
    assert_eq!(own.fails(&["rpm", "--release", "--key", key.to_str().unwrap()]), (code, message));
}

#[test]
fn the_development_key_is_named_as_such_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let checkout = Checkout::new();
    let key = checkout.path("target/xtask/keys/development.asc");
    fs_err::remove_file(&key).unwrap();
    assert!(checkout.ok(&["rpm"]).contains("the development key, not for release"));
    assert_eq!(fs_err::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(checkout.ok(&["verify"]).contains("DEVELOPMENT KEY - not for release"));
}

#[test]
fn a_development_key_made_at_a_wrong_clock() {
    if !support::have("development keys and clocks", &["faketime"]) {
        return;
    }
    let checkout = Checkout::new();
    let key = checkout.path("target/xtask/keys/development.asc");
    let at = |time: &str| {
        let xtask = checkout.xtask(&["rpm", "notes"]);
        let mut command = Command::new("faketime");
        command.args(["-f", time]).arg(xtask.get_program()).args(xtask.get_args());
        command.env("TZ", "UTC");
        checkout.code_and_text(&support::run(&mut command))
    };
    // No key can bear these times.
    for time in ["@1960-01-01 00:00:00", "@2110-01-01 00:00:00"] {
        let _ = fs_err::remove_file(&key);
        let (code, message) = at(time);
        assert_eq!(code, 8, "{message}");
        assert!(message.contains("this machine's clock is before 1970 or after"), "{message}");
        assert!(message.contains("set the clock") && !key.exists(), "{message}");
    }
    // A key of the past is as good as any.
    let (code, message) = at("@1975-01-01 00:00:00");
    assert_eq!(code, 0, "{message}");
    checkout.ok(&["rpm", "notes"]);
    // With one of the future, yum would not accept the metadata's signature.
    fs_err::remove_file(&key).unwrap();
    let (code, message) = at("@2040-05-05 00:00:00");
    assert_eq!(code, 0, "{message}");
    let (code, message) = checkout.fails(&["rpm", "notes"]);
    assert_eq!(code, 8, "{message}");
    assert!(message.contains("made on 2040-05-05, in the future"), "{message}");
    assert!(message.contains("remove the file: the next run makes a new key"), "{message}");
    assert!(support::run(&mut checkout.xtask(&["doctor"])).status.code() != Some(0));
    fs_err::remove_file(&key).unwrap();
    checkout.ok(&["rpm", "notes"]);
}
