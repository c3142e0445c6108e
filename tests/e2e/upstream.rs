//! Sources from elsewhere to installed RPMs: the real descriptions of Mesos and net-modules with
//! stand-ins for what they compile, and a C++ library that nobody here wrote. CentOS 7's builder
//! image has a stand-in too: Debian 12.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    checkout::{Checkout, repository},
    container::yard::{self, Yard, podman},
    host_program::real_packages,
    stand_in, support,
};

const MORE: [&str; 6] = ["git", "dnf", "rpm", "unshare", "ip", "tar"];

/// Requirements of the packages that are not libraries; all but the plug-in are in the image.
const SYSTEM: [&str; 9] = [
    "cyrus-sasl-md5",
    "shadow-utils",
    "systemd",
    "/bin/sh",
    "/usr/bin/env",
    "/usr/bin/getent",
    "/usr/bin/pkg-config",
    "/usr/sbin/groupadd",
    "/usr/sbin/useradd",
];

/// A copy of the builder image as a root that RPMs are installed into: it has the libraries that
/// the programs were linked with.
struct ImageRoot {
    dir: tempfile::TempDir,
}

impl ImageRoot {
    fn new(image: &str, more: &[&str]) -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["root", "repos", "base"] {
            fs_err::create_dir(own.path(dir)).unwrap();
        }
        let container = support::ok(&mut podman(&["create", image, "true"]));
        let archive = own.path("root.tar");
        let export = ["export", "--output", archive.to_str().unwrap(), container.trim()];
        support::ok(&mut podman(&export));
        support::ok(&mut podman(&["rm", container.trim()]));
        support::ok(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(own.path("root")));
        // Debian has nothing in there; CentOS 7's linker looks there by itself.
        fs_err::write(own.path("root/etc/ld.so.conf.d/lib64.conf"), "/usr/lib64\n").unwrap();
        let table = repository().join("containers/test/abi.toml");
        stand_in::write(&own.path("base"), &table, more, "");
        stand_in::write_repo(&own.path("base"), &own.path("repos"));
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a repository of ours by the .repo file that it has.
    fn add(&self, out: &Path, name: &str) {
        let text = fs_err::read_to_string(out.join("mesos-calico.repo")).unwrap();
        let text = text.replace("[mesos-calico]", &format!("[{name}]"));
        fs_err::write(self.path(&format!("repos/{name}.repo")), text).unwrap();
    }

    fn install(&self, packages: &[&str]) {
        let option = |name: &str, dir: PathBuf| format!("--setopt={name}={}", dir.display());
        let mut command = Command::new("dnf");
        command.env("LC_ALL", "C").args(["-y", "--releasever=7", "--forcearch=x86_64"]);
        command.arg("--disableplugin=*").arg(format!("--installroot={}", self.root().display()));
        command.arg(option("reposdir", self.path("repos")));
        command.arg(option("cachedir", self.path("cache"))).arg("install").args(packages);
        let said = support::ok(&mut command);
        assert!(!said.contains("scriptlet failed"), "{said}");
    }

    fn root(&self) -> PathBuf {
        self.path("root")
    }

    fn rpm(&self, args: &[&str]) -> String {
        support::ok(Command::new("rpm").arg("--root").arg(self.root()).args(args))
    }

    /// Runs a script in the root, with a network of its own.
    fn bash(&self, script: &str) -> String {
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--mount", "sh", "-c"]);
        command.arg("ip link set lo up && mount -t proc proc \"$1/proc\" && exec chroot \"$@\"");
        command.arg("sh").arg(self.root()).args(["/bin/bash", "-euc", script]);
        support::ok(command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    }
}

/// The image that `spec` was compiled in, by the call of the engine in the log. Engines may have
/// others, of former contents.
fn image(yard: &Yard, spec: &str) -> String {
    let log = yard.checkout.path(&format!("target/xtask/logs/compile-{spec}.log"));
    let log = fs_err::read_to_string(log).unwrap();
    let is_image = |word: &&str| word.starts_with("localhost/mesos-calico-builder-el7:");
    log.split_whitespace().find(is_image).unwrap().to_owned()
}

/// Starts what the unit starts, asks it how it is, and ends it as systemd does.
fn serve(unit: &str, port: u16) -> String {
    format!(
        "daemon=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/{unit})
         $daemon > /tmp/{unit}.log 2>&1 &
         pid=$!
         tries=0
         until exec 3<>/dev/tcp/127.0.0.1/{port}; do
             [ $((tries += 1)) -lt 600 ] && kill -0 $pid || {{ cat /tmp/{unit}.log; exit 1; }}
             read -t 0.1 <> <(:) || :
         done 2>/dev/null
         printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3
         cat <&3
         kill -TERM $pid
         wait $pid || echo ended with $?
         cat /tmp/{unit}.log"
    )
}

#[test]
fn the_real_descriptions_of_mesos_and_net_modules_up_to_running_daemons() {
    if !yard::have("stand-in upstreams", &MORE) {
        return;
    }
    let specs = repository().join("specs");
    let yard = Yard::of(&[&specs.join("mesos"), &specs.join("net-modules")]);
    let git = tempfile::tempdir().unwrap();
    let script = repository().join("tests/upstream/make-git.sh");
    support::ok(Command::new("sh").arg(script).arg(git.path()));
    let local = |name: &str| format!("{name}={}", git.path().join(name).display());
    let (mesos, module) = (local("mesos"), local("net-modules"));
    let sources = ["--local", &mesos, "--local", &module];
    let out = yard.checkout.path("dist/el7");
    let base_url = format!("file://{}", out.display());
    yard.ok(&[&["rpm", "--base-url", &base_url][..], &sources].concat());

    // They cannot be mistaken for the real ones.
    let (code, said) = yard.fails(&[&["rpm", "--release"][..], &sources].concat());
    assert_eq!(code, 2, "{said}");
    let names: Vec<_> = crate::checkout::walk(&out);
    let rpms: Vec<_> = names.iter().filter(|n| n.ends_with(".rpm")).map(String::as_str).collect();
    let expected = [
        "mesos-0.25.0-2.el7~local.x86_64.rpm",
        "mesos-devel-0.25.0-2.el7~local.x86_64.rpm",
        "net-modules-0.25-2.el7~local.x86_64.rpm",
    ];
    assert_eq!(rpms, expected);

    let host = ImageRoot::new(&image(&yard, "mesos"), &SYSTEM);
    host.add(&out, "stand-ins");
    let ours = host.path("ours");
    real_packages(&format!("file://{}", ours.display()), &ours);
    host.add(&ours, "ours");
    host.install(&["mesos", "mesos-devel", "net-modules", "calico-mesos"]);
    let packages = ["mesos", "mesos-devel", "net-modules"];
    host.rpm(&[&["-V", "--nodeps"][..], &packages].concat());
    let owners = host.rpm(&[
        "-q",
        "--queryformat",
        "[%{=NAME} %{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]",
        "mesos",
        "mesos-devel",
        "net-modules",
    ]);
    insta::assert_snapshot!("files_of_mesos", owners);

    let master = host.bash(&serve("mesos-master.service", 5050));
    assert!(master.contains("200 OK") && master.contains("stand-in"), "{master}");
    assert!(!master.contains("ended with"), "{master}");
    // With calico-mesos' settings the agent loads the module.
    let agent = host.bash(&serve("mesos-slave.service", 5051));
    assert!(agent.contains("200 OK"), "{agent}");
    assert!(agent.contains("com_mesosphere_mesos_NetworkIsolator"), "{agent}");
    let again = yard.ok(&[&["rpm", "--base-url", &base_url][..], &sources].concat());
    assert!(again.contains("nothing to do"), "{again}");
}

#[test]
fn a_real_library_from_its_archive_to_its_own_tests_on_a_host() {
    if !yard::have("cppunit", &[&MORE[..], &["apt-get", "awk"]].concat()) {
        return;
    }
    let yard = Yard::of(&[&repository().join("tests/upstream/cppunit")]);
    let archive = yard.checkout.path("archive");
    support::ok(Command::new("sh").args(["-euc", DOWNLOAD, "sh"]).arg(&archive));
    let out = yard.checkout.path("dist/el7");
    let base_url = format!("file://{}", out.display());
    let source = format!("cppunit={}", archive.display());
    yard.ok(&["rpm", "--offline", "--base-url", &base_url, "--source", &source]);
    let host = ImageRoot::new(&image(&yard, "cppunit"), &SYSTEM);
    host.add(&out, "cppunit");
    host.install(&["cppunit", "cppunit-devel", "cppunit-tests"]);
    let said = host.bash("/usr/libexec/cppunit/cppunittestmain 2>&1");
    assert!(said.contains("OK ("), "{said}");
}

/// Upstream's own archive, as the distribution's source package has it.
const DOWNLOAD: &str = r#"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
/usr/lib/apt/apt-helper download-file "$mirror/pool/main/c/cppunit/cppunit_1.15.1.orig.tar.gz" "$1"
"#;

#[test]
fn without_network_and_engine_the_rest_is_built_and_a_release_is_refused() {
    let checkout = Checkout::new();
    for name in ["mesos", "net-modules"] {
        checkout.copy(&repository().join("specs").join(name), &format!("specs/{name}"));
        // No address is ever known for this host, also where there is a network.
        let path = format!("specs/{name}/package.toml");
        let text = fs_err::read_to_string(checkout.path(&path)).unwrap();
        let hosts = ["github.com", "gitbox.apache.org"];
        let text = hosts.iter().fold(text, |text, host| text.replace(host, "nowhere.invalid"));
        checkout.write(&path, text);
    }
    checkout.copy(&repository().join("containers/el7"), "containers/el7");
    let run = |args: &[&str]| {
        let mut command = checkout.xtask(&[&["rpm"], args].concat());
        // git is there, podman and docker are not.
        let bin = checkout.path("bin");
        fs_err::create_dir_all(&bin).unwrap();
        let git = bin.join("git");
        if !git.exists() {
            fs_err::os::unix::fs::symlink(support::on_path("git").unwrap(), git).unwrap();
        }
        support::run(command.env("PATH", bin).env("MESOS_CALICO_CACHE", checkout.path("shared")))
    };
    if !support::have("no network, no engine", &["git"]) {
        return;
    }
    let output = run(&[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("held back:  mesos, mesos-devel, net-modules: the source"), "{said}");
    assert!(said.contains("--source mesos=PATH"), "{said}");
    assert!(checkout.path("dist/el7/notes-1-1.el7.noarch.rpm").is_file());
    let again = run(&[]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("nothing to do"), "{again:?}");
    let key = support::key_file("b");
    let release = run(&["--release", "--key", key.to_str().unwrap()]);
    assert_eq!(release.status.code(), Some(11), "{release:?}");
    let said = String::from_utf8_lossy(&release.stderr).into_owned();
    assert!(said.contains("mesos-devel: the source `mesos` cannot be fetched"), "{said}");
}
