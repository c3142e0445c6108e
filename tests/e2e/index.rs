//! `index` of folders that others have filled: their packages, and their metadata.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use crate::{checkout::Checkout, keys::GpgHome, support};

/// A checkout whose packages lie in a folder `folder`, with an index by createrepo_c.
fn foreign() -> Option<Checkout> {
    if !support::have("folders that others have indexed", &["createrepo_c", "modifyrepo_c"]) {
        return None;
    }
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    fs_err::create_dir(checkout.path("folder")).unwrap();
    for file in crate::checkout::walk(&checkout.path("dist/el7")) {
        if file.ends_with(".rpm") {
            let path = checkout.path("dist/el7").join(&file);
            fs_err::copy(path, checkout.path("folder").join(&file)).unwrap();
        }
    }
    support::ok(Command::new("createrepo_c").arg(checkout.path("folder")));
    Some(checkout)
}

fn add(checkout: &Checkout, kind: &str, name: &str, text: &str) {
    checkout.write(name, text);
    let mut modify = Command::new("modifyrepo_c");
    modify.args(["--mdtype", kind]).arg(checkout.path(name)).arg(checkout.path("folder/repodata"));
    support::ok(&mut modify);
}

/// The files of this kind in `folder/repodata`.
fn files(checkout: &Checkout, kind: &str) -> Vec<PathBuf> {
    let all = fs_err::read_dir(checkout.path("folder/repodata")).unwrap();
    let is_it = |path: &PathBuf| path.to_str().unwrap().contains(kind);
    all.map(|entry| entry.unwrap().path()).filter(is_it).collect()
}

const COMPS: &str = "<?xml version=\"1.0\"?><comps><group><id>mesos</id><name>Mesos</name>\
    <uservisible>true</uservisible><packagelist><packagereq type=\"mandatory\">notes</packagereq>\
    </packagelist></group></comps>\n";

#[test]
fn metadata_of_others_is_kept_and_signed() {
    let Some(checkout) = foreign() else { return };
    add(&checkout, "group", "comps.xml", COMPS);
    add(&checkout, "updateinfo", "updateinfo.xml", "<updates/>\n");
    add(&checkout, "productid", "productid", "-----BEGIN CERTIFICATE-----\n");
    let before: Vec<_> =
        files(&checkout, "comps").iter().map(|path| fs_err::read(path).unwrap()).collect();
    assert_eq!(before.len(), 1);
    for _ in 0..2 {
        let said = checkout.ok(&["index", "folder"]);
        let kept =
            "kept of what lay in repodata, and signed with it: group, productid, updateinfo\n";
        assert!(said.contains(kept), "{said}");
        let after: Vec<_> =
            files(&checkout, "comps").iter().map(|path| fs_err::read(path).unwrap()).collect();
        assert_eq!(before, after);
        let public = support::public_key_file("a");
        let key = ["--public-key", public.to_str().unwrap()];
        let said = checkout.ok(&[&["verify", "--indexed", "folder"][..], &key].concat());
        assert!(!said.contains("no signature covers"), "{said}");
    }
    let json: Value =
        serde_json::from_str(checkout.ok(&["index", "folder", "--json"]).lines().last().unwrap())
            .unwrap();
    assert_eq!(json["kept"].as_array().unwrap().len(), 3, "{json}");
    if support::have("groups that were kept", &["dnf"]) {
        let url = format!("--repofrompath=own,file://{}", checkout.path("folder").display());
        let mut dnf = Command::new("dnf");
        dnf.args(["-q", "--disablerepo=*", "--nogpgcheck", "--setopt=reposdir=/nonexistent"]);
        dnf.arg(format!("--setopt=cachedir={}", checkout.path("dnf").display()));
        dnf.args([&url, "--enablerepo=own", "group", "list"]);
        assert!(support::ok(&mut dnf).contains("Mesos"));
    }
}

#[test]
fn metadata_that_would_be_lost_is_an_error_and_stays() {
    let Some(checkout) = foreign() else { return };
    add(&checkout, "group", "comps.xml", COMPS);
    let path = files(&checkout, "comps").remove(0);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = fs_err::read(&path).unwrap();
    let refused = |says: &str| {
        let repomd = fs_err::read(checkout.path("folder/repodata/repomd.xml")).unwrap();
        let (code, message) = checkout.fails(&["index", "folder"]);
        assert!(code == 7 && message.contains(says), "{code} {message}");
        assert_eq!(repomd, fs_err::read(checkout.path("folder/repodata/repomd.xml")).unwrap());
    };
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    fs_err::write(&path, damaged).unwrap();
    refused(&format!("repodata/{name}: is not what repomd.xml says that it is"));
    fs_err::remove_file(&path).unwrap();
    refused(&format!("repodata/{name}: is listed in repomd.xml and missing"));
    support::ok(Command::new("mkfifo").arg(&path));
    refused("is not a regular file");
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, &whole).unwrap();
    checkout.write("folder/repodata/notes.txt", "by hand");
    refused("repodata/notes.txt: is listed in no repomd.xml");
    fs_err::remove_file(checkout.path("folder/repodata/notes.txt")).unwrap();
    // What an index is made of is made again, listed or not.
    checkout.write("folder/repodata/00-primary.sqlite.bz2", "old");
    checkout.ok(&["index", "folder"]);
    assert!(files(&checkout, "00-primary").is_empty());
}

#[test]
fn two_files_that_hold_one_package_are_refused() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let rpms = crate::checkout::walk(&checkout.path("dist/el7"));
    let rpm = rpms.iter().find(|file| file.ends_with(".rpm")).unwrap();
    for name in ["a.rpm", "b.rpm"] {
        fs_err::create_dir_all(checkout.path("folder")).unwrap();
        fs_err::copy(checkout.path("dist/el7").join(rpm), checkout.path("folder").join(name))
            .unwrap();
    }
    let (code, message) = checkout.fails(&["index", "folder"]);
    assert_eq!(code, 9, "{message}");
    let nevra = rpm.trim_end_matches(".rpm");
    let said =
        format!("b.rpm: this is {nevra}, and so is a.rpm: a repository holds a package once");
    assert!(message.contains(&said), "{message}");
    assert!(!checkout.path("folder/repodata").exists());
}

#[test]
fn packages_with_features_that_centos_7_lacks_are_refused_by_their_names() {
    if !support::have("newer packages", &["rpmbuild", "rpmsign", "gpg"]) {
        return;
    }
    let (checkout, gpg) = (Checkout::new(), GpgHome::new());
    gpg.make("newer", "rsa2048", "sign,cert", "");
    let mut export = gpg.command();
    export.args(["--passphrase", "", "--armor", "--export-secret-keys", "newer"]);
    checkout.write("key.asc", support::ok(&mut export));
    let spec = "%define _binary_payload w3.zstdio\nName: newer\nVersion: 1\nRelease: 1\nSummary: S\n\
                License: MIT\nBuildArch: noarch\nRequires: (bash if sh)\n%description\nd\n%files\n";
    checkout.write("newer.spec", spec);
    let mut build = Command::new("rpmbuild");
    build.arg("--define").arg(format!("_topdir {}", checkout.path("top").display()));
    build.args(["--define", "_rpmdir %{_topdir}", "--define", "_rpmfilename newer.rpm", "-bb"]);
    support::ok(build.arg(checkout.path("newer.spec")));
    fs_err::create_dir(checkout.path("folder")).unwrap();
    fs_err::rename(checkout.path("top/newer.rpm"), checkout.path("folder/newer.rpm")).unwrap();
    let mut sign = Command::new("rpmsign");
    sign.env("GNUPGHOME", gpg.home.path()).args(["--define", "_gpg_name newer", "--rpmv3"]);
    sign.args(["--define", "__gpg /usr/bin/gpg"]);
    support::ok(sign.arg("--addsign").arg(checkout.path("folder/newer.rpm")));
    let (code, message) = checkout.fails(&["index", "folder", "--key", "key.asc"]);
    assert_eq!(code, 9, "{message}");
    for fault in [
        "CentOS 7 could not install from this repository",
        "newer-1-1.noarch: requires rpmlib(RichDependencies), which rpm 4.11.3 does not have",
        "newer-1-1.noarch: requires rpmlib(PayloadIsZstd), which rpm 4.11.3 does not have",
    ] {
        assert!(message.contains(fault), "{message}");
    }
    assert!(!checkout.path("folder/repodata").exists());
}
