//! Real dnf installs from the written .repo file, with signatures required everywhere, into a root
//! that offers what CentOS 7 offers and nothing more.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use el7rpm::{openpgp::Signer, repodata, signature::SignedRpm};

use crate::{
    checkout::walk,
    host_program::{real_packages, real_packages_signed_by},
    stand_in, support,
};

/// A root with a repository of ours, and a stand-in for CentOS 7's own.
struct InstallRoot {
    dir: tempfile::TempDir,
}

const TOOLS: &[&str] = &["dnf", "rpm", "busybox", "python3"];

impl InstallRoot {
    fn new() -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["root", "repos", "base"] {
            fs_err::create_dir(own.path(dir)).unwrap();
        }
        own.write_base();
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn root(&self, name: &str) -> PathBuf {
        self.path("root").join(name.trim_start_matches('/'))
    }

    /// CentOS 7's libraries by name, with a shell for scriptlets.
    fn write_base(&self) {
        let base = self.path("base");
        let busybox = support::on_path("busybox").unwrap();
        fs_err::copy(busybox, base.join("busybox")).unwrap();
        let links = ["sh", "env", "cat", "test"].map(|n| {
            let dir = if n == "env" { "/usr/bin" } else { "/bin" };
            format!("{{ dest = \"{dir}/{n}\", link = \"/bin/busybox\" }}")
        });
        let shell = "{ source = \"busybox\", dest = \"/bin/busybox\", mode = \"755\" }";
        let table = crate::checkout::repository().join("rpm/data/el7-abi.toml");
        let assets = format!("{shell}, {}", links.join(", "));
        stand_in::write(&base, &table, &[], &assets);
        stand_in::write_repo(&base, &self.path("repos"));
    }

    /// Our repository, with the .repo file as it was written.
    fn publish(&self) -> PathBuf {
        let out = self.path("el7");
        real_packages(&format!("file://{}", out.display()), &out);
        fs_err::copy(out.join("mesos-calico.repo"), self.path("repos/mesos-calico.repo")).unwrap();
        out
    }

    fn dnf(&self, args: &[&str]) -> Output {
        let option = |name: &str, dir: PathBuf| format!("--setopt={name}={}", dir.display());
        let mut command = Command::new("dnf");
        command.env("LC_ALL", "C").args([
            "-y",
            "--releasever=7",
            "--forcearch=x86_64",
            "--disableplugin=*",
        ]);
        command.arg(format!("--installroot={}", self.path("root").display()));
        command
            .arg(option("reposdir", self.path("repos")))
            .arg(option("cachedir", self.path("cache")));
        support::run(command.args(args))
    }

    fn dnf_ok(&self, args: &[&str]) {
        let output = self.dnf(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "dnf {args:?}\n{text}");
        assert!(!text.contains("scriptlet failed"), "{text}");
    }

    fn rpm(&self, args: &[&str]) -> Output {
        support::run(Command::new("rpm").arg("--root").arg(self.path("root")).args(args))
    }
}

fn names(out: &Path) -> Vec<String> {
    let release: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(out.join("release.json")).unwrap()).unwrap();
    release["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn everything_installs_together_with_signatures_required_and_erases_without_trace() {
    if !support::have_as_root("dnf install", TOOLS) {
        return;
    }
    let scratch = InstallRoot::new();
    let out = scratch.publish();
    scratch.dnf_ok(&["install", "stand-in-for-centos-7"]);
    let packages = names(&out);
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let everything = || {
        let usr = scratch.path("root/usr");
        (walk(&usr), crate::checkout::folders(&usr))
    };
    let before = everything();
    scratch.dnf_ok(&[&["install"][..], &packages].concat());

    for (path, mode) in [
        ("/usr/bin/mesos-init-wrapper", 0o100_755),
        ("/usr/lib/firewalld/services/mesos-calico-etcd.xml", 0o100_644),
        ("/usr/lib/firewalld/services", 0o040_755),
    ] {
        let meta = fs_err::symlink_metadata(scratch.root(path)).unwrap();
        assert_eq!((meta.permissions().mode(), meta.uid(), meta.gid()), (mode, 0, 0), "{path}");
    }
    let verify = scratch.rpm(&[&["-V"][..], &packages].concat());
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    let config = scratch.rpm(&["-qc", "calico-mesos"]);
    let config = String::from_utf8_lossy(&config.stdout).into_owned();
    let expected = [
        "/calico/modules.json",
        "/etc/default/mesos-slave.d/50-calico",
        "/etc/logrotate.d/calico-mesos",
    ];
    assert_eq!(config.lines().collect::<Vec<_>>(), expected);
    let json = fs_err::read(scratch.root("/calico/modules.json")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&json).unwrap();

    let help = support::ok(Command::new("chroot").arg(scratch.path("root")).args([
        "/bin/sh",
        "-c",
        "test -x /usr/bin/mesos-init-wrapper && echo there",
    ]));
    assert_eq!(help.trim(), "there");

    scratch.dnf_ok(&[&["remove"][..], &packages].concat());
    let (files, folders) = everything();
    assert_eq!(files, before.0, "what the packages brought is gone");
    // CentOS 7's package filesystem, which owns these, has no stand-in here.
    let system = |f: &String| {
        !["lib", "share", "share/doc", "share/man", "share/man/man8", "share/licenses"]
            .contains(&f.as_str())
    };
    let left: Vec<_> = folders.iter().filter(|f| !before.1.contains(f) && system(f)).collect();
    assert!(left.is_empty(), "{left:?}");
    for gone in ["/usr/lib/firewalld", "/calico", "/etc/default/mesos-slave.d", "/var/log/calico"] {
        assert!(!scratch.root(gone).exists(), "{gone}");
    }
}

#[test]
fn the_files_of_the_folder_install_by_name_as_the_guide_says() {
    if !support::have_as_root("dnf install ./*.rpm", TOOLS) {
        return;
    }
    let scratch = InstallRoot::new();
    let out = scratch.publish();
    fs_err::remove_file(scratch.path("repos/mesos-calico.repo")).unwrap();
    let key = out.join("RPM-GPG-KEY-mesos-calico");
    scratch.dnf_ok(&["install", "stand-in-for-centos-7"]);
    assert!(scratch.rpm(&["--import", key.to_str().unwrap()]).status.success());
    let files = walk(&out).into_iter().filter(|f| f.ends_with(".rpm"));
    let files: Vec<_> = files.map(|f| out.join(f).to_str().unwrap().to_owned()).collect();
    let mut args = vec!["install", "--setopt=localpkg_gpgcheck=1"];
    args.extend(files.iter().map(String::as_str));
    scratch.dnf_ok(&args);
}

/// Writes the metadata of a repository again, signed by the key `by`; each package has been signed by `of` it.
fn index_again(out: &Path, by: &str, of: impl Fn(&str) -> &'static str) {
    let rpms = walk(out).into_iter().filter(|f| f.ends_with(".rpm"));
    let open = |f: String| SignedRpm::open(&out.join(&f), support::key(of(&f)).certificate());
    let rpms: Vec<_> = rpms.map(|f| open(f).unwrap()).collect();
    fs_err::remove_dir_all(out.join("repodata")).unwrap();
    repodata::write(out, &rpms, 0, &support::key(by)).unwrap();
}

#[test]
fn a_repository_that_another_key_signed_is_refused() {
    if !support::have_as_root("dnf refuses", TOOLS) {
        return;
    }
    let scratch = InstallRoot::new();
    let out = scratch.publish();
    // The metadata is signed again by somebody else; the key that hosts trust stays what it was.
    index_again(&out, "b", |_| "a");
    let output = scratch.dnf(&["install", "mesos-calico-firewalld"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("GPG") || text.contains("signature"), "{text}");
    assert!(!scratch.root("/usr/lib/firewalld").exists());
}

#[test]
fn a_package_that_another_key_signed_is_refused() {
    if !support::have_as_root("dnf refuses a package", TOOLS) {
        return;
    }
    let scratch = InstallRoot::new();
    let out = scratch.publish();
    let rpm = walk(&out).into_iter().find(|f| f.starts_with("mesos-calico-firewalld")).unwrap();
    let strangers = scratch.path("strangers");
    real_packages_signed_by("b", "file:///srv/x", &strangers);
    fs_err::copy(strangers.join(&rpm), out.join(&rpm)).unwrap();
    // The metadata is right and signed by the trusted key: only the package is not.
    index_again(&out, "a", |file| if file == rpm { "b" } else { "a" });
    scratch.dnf_ok(&["install", "stand-in-for-centos-7"]);
    let output = scratch.dnf(&["install", "mesos-calico-firewalld"]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!scratch.root("/usr/lib/firewalld").exists());
}
