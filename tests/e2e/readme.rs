//! README's commands for hosts do what it says of them, typed as they stand there.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use crate::{
    checkout::{Checkout, repository},
    support,
};

/// The lines of README.md that hold this.
fn lines(with: &str) -> String {
    let readme = fs_err::read_to_string(repository().join("README.md")).unwrap();
    let lines: Vec<_> =
        readme.lines().filter(|l| l.starts_with("    ") && l.contains(with)).collect();
    assert_eq!(lines.len(), 1, "{with}: {lines:?}");
    lines[0].trim().to_owned()
}

#[test]
fn the_commands_before_installing_in_the_readme_work() {
    if !support::have("README's commands", &["gpg", "rpm", "sha256sum", "mktemp"]) {
        return;
    }
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let dist = checkout.path("dist/el7");
    // A machine of its own: another rpm database, another keyring, and nobody to ask for a password.
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs_err::write(home.path().join(name), text).unwrap();
    put(".rpmmacros", &format!("%_dbpath {}/db\n", home.path().display()));
    put("sudo", "#!/bin/sh\nexec \"$@\"\n");
    let sudo = home.path().join("sudo");
    fs_err::set_permissions(&sudo, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    let shell = |script: &str| -> Output {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(&dist).env("HOME", home.path()).env("PATH", &path);
        support::run(sh.env_remove("GNUPGHOME").env("LC_ALL", "C"))
    };
    let ok = |script: &str| {
        let output = shell(script);
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = ok(&format!("{}; echo \"left: $GNUPGHOME\"", lines("gpg --import")));
    let release: serde_json::Value =
        serde_json::from_slice(&fs_err::read(dist.join("release.json")).unwrap()).unwrap();
    let fingerprint = release["signed_by"].as_str().unwrap();
    let plain: String = shown.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(plain.to_lowercase().contains(fingerprint), "{shown}");
    assert!(shown.ends_with("left: \n"), "the reader's shell has another keyring now: {shown}");

    ok(&lines("rpm --import"));
    let check = lines("sha256sum -c");
    ok(&check);
    // The last byte is the payload's.
    let rpm = fs_err::read_dir(&dist).unwrap().map(|e| e.unwrap().path());
    let rpm = rpm.into_iter().find(|p| p.extension().is_some_and(|e| e == "rpm")).unwrap();
    let mut bytes = fs_err::read(&rpm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&rpm, bytes).unwrap();
    assert!(!shell(&check).status.success());
}
