//! Keys that are not as one would like them: with photographs and revokers, of other versions, expired, revoked,
//! or tied to their user ids with SHA-1.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{checkout::Checkout, keys::GpgHome, support};

/// Answers to what gpg asks, and what it prints.
fn edit(mut gpg: Command, args: &[&str], answers: &str) -> Vec<u8> {
    gpg.args(["--no-tty", "--no-batch", "--command-fd", "0", "--photo-viewer", "true"]).args(args);
    let mut running = gpg.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn now(gpg: &GpgHome) -> Command {
    let mut command = gpg.command();
    command.args(["--passphrase", ""]);
    command
}

fn export(gpg: &GpgHome, name: &str, to: &Path) -> (PathBuf, PathBuf) {
    let file = |what: &str, end: &str| {
        let mut command = gpg.command();
        command.args(["--passphrase", "", "--armor", what, name]);
        let path = to.join(format!("{name}.{end}"));
        fs_err::write(&path, support::ok(&mut command)).unwrap();
        path
    };
    (file("--export-secret-keys", "secret.asc"), file("--export", "public.asc"))
}

/// The smallest picture that gpg takes for one.
fn photograph(path: &Path) {
    let head = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\x01\x00\x48\x00\x48\x00\x00\xff\xd9";
    fs_err::write(path, head).unwrap();
}

fn fingerprint(gpg: &GpgHome, name: &str) -> String {
    let list = support::ok(gpg.command().args(["--with-colons", "--list-keys", name]));
    list.lines().find_map(|l| l.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').into()
}

#[test]
fn a_key_with_a_photograph_and_a_revoker_signs_and_is_published_without_the_photograph() {
    if !support::have("keys with photographs", &["gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    gpg.make("release", "rsa2048", "sign,cert", "");
    gpg.make("trustee", "rsa2048", "sign,cert", "");
    let picture = checkout.path("picture.jpg");
    photograph(&picture);
    let open = ["--edit-key", "release"];
    edit(now(&gpg), &open, &format!("addphoto\n{}\ny\nsave\n", picture.display()));
    edit(now(&gpg), &open, "addrevoker\ntrustee\ny\nsave\n");
    let (secret, public) = export(&gpg, "release", checkout.dir.path());
    let packets = |path: &Path| support::ok(gpg.command().arg("--list-packets").arg(path));
    let all = packets(&public);
    assert!(all.contains("attribute packet") && all.contains("revocation key"), "{all}");

    checkout.ok(&["rpm", "--release", "--key", secret.to_str().unwrap()]);
    let published = packets(&checkout.path("dist/el7/RPM-GPG-KEY-mesos-calico"));
    assert!(!published.contains("attribute packet"), "{published}");
    checkout.ok(&["verify", "--public-key", public.to_str().unwrap()]);

    // The trustee takes the key back.
    let revoke = ["--armor", "--local-user", "trustee", "--desig-revoke", "release"];
    checkout.write("revocation.asc", edit(now(&gpg), &revoke, "y\n0\n\ny\n"));
    support::ok(gpg.command().arg("--import").arg(checkout.path("revocation.asc")));
    let (secret, public) = export(&gpg, "release", checkout.dir.path());
    let (code, message) = checkout.fails(&["rpm", "--key", secret.to_str().unwrap()]);
    assert!(code == 8 && message.contains("the key is revoked"), "{message}");
    let (code, message) = checkout.fails(&["verify", "--public-key", public.to_str().unwrap()]);
    assert!(code == 8 && message.contains("is revoked"), "{message}");
}

/// A packet, with a length of five bytes.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc0 | tag, 255];
    packet.extend((body.len() as u32).to_be_bytes());
    packet.extend(body);
    packet
}

/// The body of the first packet, and what follows it. gpg writes lengths of two bytes here.
fn first(packets: &[u8]) -> (&[u8], &[u8]) {
    let width = [1, 2, 4][usize::from(packets[0] & 3)];
    let length = packets[1..=width].iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
    packets[1 + width..].split_at(length)
}

/// The RSA key of version 4 as one of another version would hold it; its signatures stay what they were.
fn of_version(version: u8, packets: &[u8]) -> Vec<u8> {
    let (body, rest) = first(packets);
    let number = |at: usize| {
        let bits = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        2 + bits.div_ceil(8)
    };
    let modulus = number(6);
    let end = 6 + modulus + number(6 + modulus);
    let (public, secret) = (&body[6..end], &body[end..]);
    let mut key = vec![version];
    key.extend(&body[1..5]);
    if version == 3 {
        // Days that it is valid.
        key.extend([0, 0]);
    }
    key.push(body[5]);
    if version == 5 {
        key.extend((public.len() as u32).to_be_bytes());
    }
    key.extend(public);
    match (version, secret) {
        (5, [plain, rest @ ..]) => {
            key.extend([*plain, 0]);
            key.extend((rest.len() as u32 - 2).to_be_bytes());
            key.extend(rest);
        }
        _ => key.extend(secret),
    }
    let tag = if secret.is_empty() { 6 } else { 5 };
    [packet(tag, &key), rest.to_vec()].concat()
}

#[test]
fn keys_of_versions_3_and_5_are_refused_by_their_version() {
    if !support::have("keys of other versions", &["gpg", "base64"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    gpg.make("odd", "rsa2048", "sign", "");
    checkout.ok(&["rpm"]);
    for (what, kind) in [("--export", "PUBLIC"), ("--export-secret-keys", "PRIVATE")] {
        let output = support::run(gpg.command().args(["--passphrase", "", what, "odd"]));
        for version in [3, 5] {
            checkout.write("key", of_version(version, &output.stdout));
            let mut base64 = Command::new("base64");
            let text = support::ok(base64.arg(checkout.path("key")));
            let block = format!("PGP {kind} KEY BLOCK-----");
            checkout.write("key.asc", format!("-----BEGIN {block}\n\n{text}-----END {block}\n"));
            let args = match kind {
                "PUBLIC" => ["verify", "--public-key", "key.asc"],
                _ => ["rpm", "--key", "key.asc"],
            };
            let (code, message) = checkout.fails(&args);
            let said = format!("the key is of version {version}; rpm 4.11 of CentOS 7 takes");
            assert!(code == 8 && message.contains(&said), "{message}");
        }
    }
}

/// gpg at this day of 2020.
fn on(gpg: &GpgHome, day: &str) -> Command {
    let mut command = gpg.command();
    command.args(["--faked-system-time", &format!("2020{day}T000000!"), "--passphrase", ""]);
    command
}

#[test]
fn verify_tells_of_keys_that_newer_systems_refuse() {
    if !support::have("keys that newer systems refuse", &["gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    let make = ["--cert-digest-algo", "SHA1", "--quick-generate-key", "old", "rsa2048"];
    support::ok(on(&gpg, "0101").args(make).args(["sign,cert", "0"]));
    let make = ["--quick-generate-key", "trustee", "rsa2048", "sign,cert", "0"];
    support::ok(on(&gpg, "0101").args(make));
    let (secret, public) = export(&gpg, "old", checkout.dir.path());
    let output =
        support::run(&mut checkout.xtask(&["rpm", "notes", "--key", secret.to_str().unwrap()]));
    let said = String::from_utf8_lossy(&output.stderr);
    let sha1 =
        "the key signed its own user id with SHA-1: CentOS 7 takes it, EL 9 and later do not";
    assert!(output.status.success() && said.contains(&format!("note: {sha1}")), "{said}");

    let print = fingerprint(&gpg, "old");
    let args = ["verify", "--public-key", public.to_str().unwrap()];
    let plain = |text: &str| text.replace(&print.to_lowercase(), "FINGERPRINT");
    insta::assert_snapshot!("verify_text", plain(&checkout.ok(&args)));
    let json = checkout.ok(&[&args[..], &["--json"]].concat());
    let value: Value = serde_json::from_str(&plain(&json)).unwrap();
    insta::assert_snapshot!("verify_json", serde_json::to_string_pretty(&value).unwrap());

    // What names a revoker afterwards says nothing of the key's time.
    support::ok(on(&gpg, "0201").args(["--quick-set-expire", &print, "2020-03-01"]));
    edit(on(&gpg, "0202"), &["--edit-key", "old"], "addrevoker\ntrustee\ny\nsave\n");
    export(&gpg, "old", checkout.dir.path());
    let note = "note: the key has expired: rpm of CentOS 7 does not look at that, EL 9 and later refuse it";
    assert!(checkout.ok(&args).contains(note), "{}", checkout.ok(&args));
    let value: Value =
        serde_json::from_str(&checkout.ok(&[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!(value["caveats"].as_array().unwrap().len(), 1, "{value}");
    let (code, message) = checkout.fails(&["rpm", "--key", secret.to_str().unwrap()]);
    assert!(code == 8 && message.contains("the key has expired"), "{message}");
}
