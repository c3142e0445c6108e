//! `fetch --pin`: what is written into package.toml, and whose signatures are believed.

use super::{
    PACKAGE, fetch, fetch_fails, fetch_ok, sha256,
    web::{Web, WebAnswer},
};
use crate::{
    checkout::{Checkout, walk},
    keys::GpgHome,
    support,
};

/// The files of an upstream release.
fn content() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(4);
    tar.append_data(&mut header, "mesos-1/file", &b"made"[..]).unwrap();
    tar.into_inner().unwrap()
}

fn served() -> Web {
    Web::serve(|request, _| match request.path.as_str() {
        "/m.tar" => WebAnswer::all(&content()),
        "/sorry" => WebAnswer::all(b"<html>We moved.</html>"),
        _ => WebAnswer::status(404),
    })
}

#[test]
fn one_line_is_added_and_nothing_else_is_touched() {
    let web = served();
    let checkout = Checkout::empty();
    let head = "# About Mesos\n\n[source.mesos]  # 0.25.0\n";
    let url = format!("url = [\n  \"{}\",   # upstream\n]\n", web.url("/m.tar"));
    let text = format!("{head}{url}\n# Spare\n{PACKAGE}");
    checkout.write("real.toml", &text);
    checkout.write("specs/p/README", "");
    fs_err::os::unix::fs::symlink("../../real.toml", checkout.path("specs/p/package.toml"))
        .unwrap();

    let (code, message) = fetch_fails(&checkout, &[], &[]);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("help: `cargo xtask fetch --pin`"), "{message}");
    let output = fetch(&checkout, &["--pin"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no signature vouches for it"), "{said}");
    let pinned = fs_err::read_to_string(checkout.path("real.toml")).unwrap();
    assert!(checkout.path("specs/p/package.toml").is_symlink());
    insta::assert_snapshot!("pinned", pinned.replace(&web.host, "[HOST]"));
    assert_eq!(pinned.lines().filter(|l| !text.lines().any(|t| t == *l)).count(), 1);

    // The pinned source is in the store, and its pin is not changed.
    fetch_ok(&checkout, &["--offline"]);
    fetch_ok(&checkout, &["--pin"]);
    assert_eq!(fs_err::read_to_string(checkout.path("real.toml")).unwrap(), pinned);
    assert_eq!(web.lines(), ["GET /m.tar"]);
}

#[test]
fn a_source_that_cannot_be_fetched_is_not_pinned() {
    let web = served();
    let text = format!("[source.mesos]\nurl = \"{}\"\n{PACKAGE}", web.url("/none"));
    let checkout = Checkout::empty();
    checkout.write("specs/p/package.toml", &text);
    assert_eq!(fetch(&checkout, &["--pin"]).status.code(), Some(4));
    assert_eq!(fetch(&checkout, &["--pin", "--offline"]).status.code(), Some(4));
    assert_eq!(fs_err::read_to_string(checkout.path("specs/p/package.toml")).unwrap(), text);
}

#[test]
fn a_file_that_is_not_an_archive_is_not_pinned() {
    let web = served();
    let text = format!("[source.mesos]\nurl = \"{}\"\n{PACKAGE}", web.url("/sorry"));
    let checkout = Checkout::empty();
    checkout.write("specs/p/package.toml", &text);
    let output = fetch(&checkout, &["--pin"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("the archive of `mesos`"), "{said}");
    assert_eq!(fs_err::read_to_string(checkout.path("specs/p/package.toml")).unwrap(), text);
    assert!(walk(&checkout.path("cache/sources/archives")).is_empty());
}

/// The output of `--pin` for the archive with this signature and these keys.
fn judged(signature: Option<&[u8]>, keys: &[u8]) -> String {
    let signature = signature.map(<[u8]>::to_vec);
    let web = Web::serve(move |request, _| match (request.path.as_str(), &signature) {
        ("/m.tar", _) => WebAnswer::all(&content()),
        ("/m.tar.asc", Some(signature)) => WebAnswer::all(signature),
        _ => WebAnswer::status(404),
    });
    let checkout = Checkout::empty();
    let (url, asc) = (web.url("/m.tar"), web.url("/m.tar.asc"));
    let names = format!("url = \"{url}\"\nsignature = \"{asc}\"\nsignature-key = \"KEYS\"\n");
    let text = format!("[source.mesos]\n{names}{PACKAGE}");
    checkout.write("specs/p/package.toml", &text);
    checkout.write("specs/p/KEYS", keys);
    let output = fetch(&checkout, &["--pin"]);
    let now = fs_err::read_to_string(checkout.path("specs/p/package.toml")).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).replace(&web.host, "[HOST]");
    if output.status.success() {
        assert!(now.contains(&sha256(&content())), "{now}");
        let note = said.lines().find(|l| l.starts_with("note: ")).unwrap();
        return note.replace(&sha256(&content()), "[SHA256]");
    }
    assert_eq!((output.status.code(), now), (Some(4), text), "{said}");
    let left = ["archives", "partial"].map(|d| walk(&checkout.path("cache/sources").join(d)).len());
    assert_eq!(left, [0, 0], "{said}");
    let message: Vec<_> = said.lines().skip_while(|l| !l.starts_with("error: ")).collect();
    message.join("\n").replace(checkout.dir.path().to_str().unwrap(), "[ROOT]")
}

/// A gpg that can sign the archive.
struct Upstream(GpgHome);

impl Upstream {
    fn new() -> Self {
        Self(GpgHome::new())
    }

    fn run(&self, args: &[&str]) -> Vec<u8> {
        let output = support::run(self.0.command().args(["--passphrase", ""]).args(args));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {args:?}: {errors}");
        output.stdout
    }

    fn sign(&self, user: &str, more: &[&str]) -> Vec<u8> {
        let file = self.0.home.path().join("content");
        fs_err::write(&file, content()).unwrap();
        let mut args = more.to_vec();
        args.extend(["--local-user", user, "--output", "-", "--detach-sign"]);
        args.push(file.to_str().unwrap());
        self.run(&args)
    }

    fn public(&self, more: &[&str]) -> Vec<u8> {
        self.run(&[more, &["--export"]].concat())
    }
}

/// Keys of every kind that people sign releases with.
#[test]
fn archives_with_valid_signatures_are_pinned() {
    if !support::have("signatures of sources", &["gpg"]) {
        return;
    }
    let upstream = Upstream::new();
    for kind in ["rsa2048", "dsa2048", "ed25519", "nistp256"] {
        upstream.0.make(&format!("by {kind} <u@localhost>"), kind, "sign", "");
    }
    // A primary key that only certifies, and a subkey that signs, as is the custom.
    upstream.0.make("by subkey <u@localhost>", "ed25519", "cert", "");
    let list = upstream.run(&["--with-colons", "--list-keys", "by subkey"]);
    let list = String::from_utf8(list).unwrap();
    let fingerprint =
        list.lines().find(|l| l.starts_with("fpr")).unwrap().split(':').nth(9).unwrap();
    upstream.run(&["--quick-add-key", fingerprint, "rsa2048", "sign"]);
    let (binary, armored) = (upstream.public(&[]), upstream.public(&["--armor"]));
    // As projects publish them: text, and one block after the other, some of them no keys at all.
    let blocks: Vec<_> = ["rsa2048", "dsa2048", "ed25519", "nistp256", "subkey"]
        .iter()
        .map(|kind| upstream.run(&["--armor", "--export", &format!("by {kind}")]))
        .collect();
    let broken = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nbm9uc2Vuc2U=\n-----END PGP PUBLIC KEY BLOCK-----\n";
    let keys = [
        b"pub  rsa2048\nuid  somebody\n\n".to_vec(),
        broken.to_vec(),
        blocks.join(&b"\ntext\n"[..]),
    ];
    let published = keys.concat();
    for kind in ["rsa2048", "dsa2048", "ed25519", "nistp256", "subkey"] {
        let user = format!("by {kind} <u@localhost>");
        let plain = upstream.sign(&user, &[]);
        let armor = upstream.sign(&user, &["--armor"]);
        for (signature, keys) in [(&plain, &binary), (&armor, &armored), (&armor, &published)] {
            let said = judged(Some(signature), keys);
            assert!(said.contains("`mesos` is pinned to [SHA256], signed by"), "{said}");
            assert!(said.contains(&user), "{said}");
        }
    }
}

#[test]
fn archives_with_invalid_signatures_are_refused() {
    if !support::have("bad signatures of sources", &["gpg"]) {
        return;
    }
    let upstream = Upstream::new();
    upstream.0.make("good", "ed25519", "sign", "");
    upstream.0.make("stranger", "ed25519", "sign", "");
    upstream.0.make("revoked", "ed25519", "sign", "");
    let in_2020 = ["--faked-system-time", "20200101T000000"];
    upstream.run(
        &[&in_2020[..], &["--quick-generate-key", "expired", "ed25519", "sign", "1d"]].concat(),
    );
    let good = upstream.sign("good", &["--armor"]);
    let revoked = upstream.sign("revoked", &[]);
    let fingerprints = |user: &str| {
        let list = upstream.run(&["--with-colons", "--list-keys", user]);
        let list = String::from_utf8(list).unwrap();
        let all = list.lines().filter(|l| l.starts_with("fpr"));
        all.map(|l| l.split(':').nth(9).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let fingerprint = |user: &str| fingerprints(user)[0].clone();
    let certificate = format!("openpgp-revocs.d/{}.rev", fingerprint("revoked"));
    let text = fs_err::read_to_string(upstream.0.home.path().join(certificate)).unwrap();
    let file = upstream.0.home.path().join("revocation");
    fs_err::write(&file, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
    upstream.run(&["--import", file.to_str().unwrap()]);
    upstream.0.make("subkey", "ed25519", "cert", "");
    let add = [
        "--ignore-time-conflict",
        "--quick-add-key",
        &fingerprint("subkey"),
        "ed25519",
        "sign",
        "1d",
    ];
    upstream.run(&[&in_2020[..], &add].concat());
    let by_subkey = upstream.sign(
        "subkey",
        &[&in_2020[..], &["--ignore-time-conflict", "--ignore-valid-from"]].concat(),
    );
    let keys = upstream.run(&["--armor", "--export", "good", "revoked", "expired", "subkey"]);

    let mut other = good.clone();
    let middle = other.len() / 2;
    other[middle] = if other[middle] == b'A' { b'B' } else { b'A' };
    let of_other = {
        let file = upstream.0.home.path().join("other");
        fs_err::write(&file, "something else").unwrap();
        upstream.run(&[
            "--local-user",
            "good",
            "--output",
            "-",
            "--detach-sign",
            file.to_str().unwrap(),
        ])
    };
    let whole =
        upstream.run(&["--local-user", "good", "--output", "-", "--sign", file.to_str().unwrap()]);
    let short = ["--default-sig-expire", "1d"];
    let old = upstream.sign(
        "good",
        &[&in_2020[..], &["--ignore-time-conflict", "--ignore-valid-from"], &short].concat(),
    );
    let weak = upstream.sign("good", &["--digest-algo", "MD5", "--allow-weak-digest-algos"]);
    let expired = upstream.sign("expired", &in_2020);
    type PinCase<'a> = (&'a str, Option<&'a [u8]>, &'a [u8]);
    let cases: &[PinCase<'_>] = &[
        ("missing", None, &keys),
        ("of something else", Some(&of_other), &keys),
        ("damaged", Some(&other), &keys),
        ("no signature", Some(b"<html>hello</html>"), &keys),
        ("empty", Some(b""), &keys),
        ("a signed message", Some(&whole), &keys),
        ("by a stranger", Some(&upstream.sign("stranger", &[])), &keys),
        ("by an expired key", Some(&expired), &keys),
        ("by an expired subkey", Some(&by_subkey), &keys),
        ("by a revoked key", Some(&revoked), &keys),
        ("over", Some(&old), &keys),
        ("MD5", Some(&weak), &keys),
        ("no keys", Some(&good), b"nothing"),
    ];
    let mut all = String::new();
    for (what, signature, keys) in cases {
        all += &format!("# {what}\n{}\n\n", judged(*signature, keys));
    }
    for user in ["good", "stranger", "revoked", "expired", "subkey"] {
        for fingerprint in fingerprints(user) {
            all = all.replace(&fingerprint.to_lowercase(), &format!("[{user}]"));
        }
    }
    insta::assert_snapshot!("signatures", all);
    assert!(judged(Some(&good), &keys).contains("signed by"));
}

/// A description is pinned as it stands, though it cannot be understood without those that it needs.
#[test]
fn a_description_that_needs_another_one_is_pinned() {
    let web = served();
    let checkout = Checkout::empty();
    let build = |more: &str| {
        format!(
            "[build]\nimage = \"test\"\n{more}[[build.phase]]\nname = \"make\"\nrun = \"make all\"\n"
        )
    };
    let text = format!("[source.base]\npath = \"src\"\n{}{PACKAGE}", build(""));
    checkout.write("specs/base/package.toml", text.replace("[package.p]", "[package.base]"));
    checkout.write("specs/base/src/file", "");
    let more = build("needs = [\"base\"]\n");
    let text = format!("[source.p]\nurl = \"{}\"\n{more}{PACKAGE}", web.url("/m.tar"));
    let text = text.replace("summary", "requires = { base = \"=\" }\nsummary");
    checkout.write("specs/p/package.toml", text);
    fetch_ok(&checkout, &["--pin"]);
    let pinned = fs_err::read_to_string(checkout.path("specs/p/package.toml")).unwrap();
    assert!(pinned.contains(&format!("\nsha256 = \"{}\"\n", sha256(&content()))), "{pinned}");
    fetch_ok(&checkout, &["--offline"]);
}
