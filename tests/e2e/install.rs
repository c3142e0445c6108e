//! Real dnf installs from the written .repo file, with signatures required everywhere, into a root
//! that offers what CentOS 7 offers and nothing more.

use std::{
    collections::BTreeSet,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use el7rpm::{
    package::{Prepared, WriteOptions},
    repodata, signature,
    spec::Spec,
    stage::{Roots, StagedRoot},
};

use crate::{checkout::walk, host_program::real_packages, support};

/// A root with a repository of ours, and a stand-in for CentOS 7's own.
struct Scratch {
    dir: tempfile::TempDir,
}

const TOOLS: &[&str] = &["dnf", "rpm", "busybox", "python3"];

impl Scratch {
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

    /// A package that provides what the ABI table says CentOS 7 has, with a shell for scriptlets.
    /// It stands in for glibc, bash and coreutils, which cannot be had here.
    fn write_base(&self) {
        let base = self.path("base");
        let table: toml::Table = toml::from_str(
            &fs_err::read_to_string(crate::checkout::repository().join("rpm/data/el7-abi.toml"))
                .unwrap(),
        )
        .unwrap();
        let mut provides = BTreeSet::from(["rtld(GNU_HASH)".to_owned(), "/sbin/ldconfig".into()]);
        for (library, families) in table["libraries"].as_table().unwrap() {
            provides.insert(format!("{library}()(64bit)"));
            for family in families.as_array().unwrap() {
                let family = family.as_str().unwrap();
                for version in table["versions"][family].as_array().unwrap() {
                    provides.insert(format!(
                        "{library}({family}_{})(64bit)",
                        version.as_str().unwrap()
                    ));
                }
            }
        }
        let provides: Vec<_> = provides.iter().map(|p| format!("\"{p}\" = \"*\"")).collect();
        let busybox = support::on_path("busybox").unwrap();
        fs_err::copy(busybox, base.join("busybox")).unwrap();
        let links = ["sh", "env", "cat", "test"].map(|n| {
            let dir = if n == "env" { "/usr/bin" } else { "/bin" };
            format!("{{ dest = \"{dir}/{n}\", link = \"/bin/busybox\" }}")
        });
        let toml = format!(
            "[package.stand-in-for-centos-7]\nversion = \"7\"\narch = \"x86_64\"\nsummary = \"Stand-in\"\nlicense = \"GPL\"\n\
             auto-req = \"no\"\nprovides = {{ {} }}\nassets = [{{ source = \"busybox\", dest = \"/bin/busybox\", mode = \"755\" }}, {}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n",
            provides.join(", "),
            links.join(", ")
        );
        let spec = Spec::parse(&toml, &base.join("package.toml"), &base).unwrap();
        let package = &spec.packages[0];
        let roots = Roots { spec: base.clone(), crate_dir: None, build: None };
        let root = StagedRoot::collect(package, &roots).unwrap();
        let options = WriteOptions::default();
        let unsigned =
            Prepared::new(package, &root, &options).unwrap().write(&base.join("unsigned")).unwrap();
        let key = support::key("a");
        let signed =
            signature::sign(&unsigned, &key, &base.join(format!("{}.rpm", package.nvra())))
                .unwrap();
        repodata::write(&base, &[signed], &key).unwrap();
        let base = base.display();
        fs_err::write(
            self.path("repos/base.repo"),
            format!("[base]\nname=stand-in\nbaseurl=file://{base}\ngpgcheck=0\nrepo_gpgcheck=0\n"),
        )
        .unwrap();
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
    let scratch = Scratch::new();
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
    let scratch = Scratch::new();
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

#[test]
fn a_repository_that_another_key_signed_is_refused() {
    if !support::have_as_root("dnf refuses", TOOLS) {
        return;
    }
    let scratch = Scratch::new();
    let out = scratch.publish();
    // The metadata is signed again by somebody else; the key that hosts trust stays what it was.
    let rpms: Vec<_> = walk(&out).into_iter().filter(|f| f.ends_with(".rpm")).collect();
    let indexed: Vec<_> =
        rpms.iter().map(|f| repodata::IndexedRpm::read(&out.join(f)).unwrap()).collect();
    fs_err::remove_dir_all(out.join("repodata")).unwrap();
    repodata::write_indexed(&out, indexed, 0, &support::key("b")).unwrap();
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
    let scratch = Scratch::new();
    let out = scratch.publish();
    let rpm = walk(&out).into_iter().find(|f| f.starts_with("mesos-calico-firewalld")).unwrap();
    let path = out.join(&rpm);
    let again = scratch.path("again.rpm");
    let size = fs_err::metadata(&path).unwrap().len();
    let unsigned = el7rpm::package::UnsignedRpm { path: path.clone(), size };
    signature::sign(&unsigned, &support::key("b"), &again).unwrap();
    fs_err::rename(&again, &path).unwrap();
    // The metadata is right and signed by the trusted key: only the package is not.
    let rpms: Vec<_> = walk(&out).into_iter().filter(|f| f.ends_with(".rpm")).collect();
    let indexed: Vec<_> =
        rpms.iter().map(|f| repodata::IndexedRpm::read(&out.join(f)).unwrap()).collect();
    fs_err::remove_dir_all(out.join("repodata")).unwrap();
    repodata::write_indexed(&out, indexed, 0, &support::key("a")).unwrap();
    scratch.dnf_ok(&["install", "stand-in-for-centos-7"]);
    let output = scratch.dnf(&["install", "mesos-calico-firewalld"]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!scratch.root("/usr/lib/firewalld").exists());
}
