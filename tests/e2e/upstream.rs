//! Sources from elsewhere to installed RPMs: the real descriptions of Mesos and net-modules with
//! stand-ins for what they compile, and a C++ library that nobody here wrote. CentOS 7 has a stand-in too: the distribution
//! of tests/e2e/distribution, in whose root the sandbox compiles.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    checkout::{Checkout, repository, walk},
    container::yard::{self, Yard},
    distribution::{Distribution, Site},
    host_program::real_packages,
    sandbox::{Who, users},
    stand_in, support,
};

/// What the tests need that install the results.
const INSTALL: [&str; 5] = ["git", "dnf", "rpm", "unshare", "ip"];

/// The packages of the stand-ins. They cannot be mistaken for the real ones.
const RPMS: [&str; 3] = [
    "mesos-0.25.0-2.el7~local.x86_64.rpm",
    "mesos-devel-0.25.0-2.el7~local.x86_64.rpm",
    "net-modules-0.25-2.el7~local.x86_64.rpm",
];

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

/// A copy of the builder's root that RPMs are installed into: it has the libraries that the programs were linked with.
struct ImageRoot {
    dir: tempfile::TempDir,
}

impl ImageRoot {
    fn new(site: &Site, more: &[&str]) -> Self {
        let own = Self { dir: tempfile::tempdir_in(support::scratch_root()).unwrap() };
        for dir in ["repos", "base", "root"] {
            fs_err::create_dir(own.path(dir)).unwrap();
        }
        for entry in fs_err::read_dir(site.root()).unwrap() {
            let path = entry.unwrap().path();
            // Installing adds files to /usr, and changes none there.
            let how = if path.ends_with("usr") { "-al" } else { "-a" };
            support::ok(Command::new("cp").arg(how).arg(path).arg(own.root()));
        }
        stand_in::write(&own.path("base"), &site.abi_table(), more, "");
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

/// The stand-ins as git repositories in the folder `git`, and the options that take them.
fn sources(git: &Path) -> Vec<String> {
    let script = repository().join("tests/upstream/make-git.sh");
    support::ok(Command::new("sh").arg(script).arg(git));
    let local = |name: &str| ["--local".into(), format!("{name}={}", git.join(name).display())];
    ["mesos", "net-modules"].map(local).concat()
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The option for a repository that is used where it is made.
fn here(site: &Site) -> Vec<String> {
    vec!["--base-url".into(), format!("file://{}", site.checkout.path("dist/el7").display())]
}

/// The stand-ins' packages, compiled in the sandbox.
struct Compiled {
    site: Site,
    /// The options that they were made with.
    options: Vec<String>,
}

impl Compiled {
    fn new(distribution: &Distribution, who: Who) -> Self {
        let specs = repository().join("specs");
        let site =
            Site::new(distribution, who, &[&specs.join("mesos"), &specs.join("net-modules")]);
        let options = [sources(&site.checkout.path("git")), here(&site)].concat();
        site.ok(&["lock"]);
        site.rpm(&strs(&options));
        Self { site, options }
    }

    /// Those of the user who runs the tests; compiled once for all tests of this process.
    fn own(distribution: &Distribution) -> &'static Self {
        static OWN: OnceLock<Compiled> = OnceLock::new();
        OWN.get_or_init(|| Self::new(distribution, Who::Same))
    }

    fn out(&self) -> PathBuf {
        self.site.checkout.path("dist/el7")
    }
}

/// Asserts that all files of two repositories are the same.
fn assert_same(out: &Path, other: &Path) {
    assert_eq!(walk(out), walk(other));
    for name in walk(out).iter().filter(|name| name.ends_with(".rpm")) {
        let content = [out, other].map(|dir| fs_err::read(dir.join(name)).unwrap());
        assert!(content[0] == content[1], "{name} differs");
    }
}

#[test]
fn root_and_an_ordinary_user_get_the_same_bytes_of_mesos_and_net_modules() {
    let test = "stand-in upstreams in the sandbox";
    let Some(distribution) = Distribution::get(test) else { return };
    let users = users(test);
    if users.is_empty() || !support::have(test, &["git"]) {
        return;
    }
    let own = Compiled::own(distribution);
    // An ordinary user who runs the tests cannot become another one.
    if users.contains(&Who::User) {
        let other = Compiled::new(distribution, Who::User);
        assert_same(&own.out(), &other.out());
        assert_eq!(own.site.root_digest(), other.site.root_digest());
    }
}

#[test]
fn podman_and_the_sandbox_give_the_same_bytes() {
    let test = "stand-in upstreams by podman";
    let Some(distribution) = Distribution::get(test) else { return };
    if !yard::have(test, &["git"]) || users(test).is_empty() {
        return;
    }
    let own = Compiled::own(distribution);
    let specs = repository().join("specs");
    let yard = Yard::of(&[&specs.join("mesos"), &specs.join("net-modules")]);
    yard.ok(&[&["rpm", "--builder", "podman"], &strs(&own.options)[..]].concat());
    assert_same(&own.out(), &yard.checkout.path("dist/el7"));
}

#[test]
fn the_real_descriptions_of_mesos_and_net_modules_up_to_running_daemons() {
    let test = "stand-in upstreams";
    let Some(distribution) = Distribution::get(test) else { return };
    if !support::have_as_root(test, &INSTALL) || users(test).is_empty() {
        return;
    }
    let own = Compiled::own(distribution);
    let rpm = [&["rpm", "--builder", "sandbox"], &strs(&own.options)[..]].concat();
    let (code, said) = own.site.fails(&[&rpm[..], &["--release"]].concat());
    assert_eq!(code, 2, "{said}");
    let mut rpms = walk(&own.out());
    rpms.retain(|name| name.ends_with(".rpm"));
    assert_eq!(rpms, RPMS);
    let release = fs_err::read(own.out().join("release.json")).unwrap();
    let release: serde_json::Value = serde_json::from_slice(&release).unwrap();
    assert_eq!(release["roots"]["el7"], own.site.root_digest());

    let host = ImageRoot::new(&own.site, &SYSTEM);
    host.add(&own.out(), "stand-ins");
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
    let again = own.site.ok(&rpm);
    assert!(again.contains("nothing to do"), "{again}");
}

#[test]
fn a_real_library_from_its_archive_to_its_own_tests_on_a_host() {
    let test = "cppunit";
    let Some(distribution) = Distribution::get(test) else { return };
    if !support::have_as_root(test, &INSTALL) || users(test).is_empty() {
        return;
    }
    let site = Site::new(distribution, Who::Same, &[&repository().join("tests/upstream/cppunit")]);
    let archive = site.checkout.path("archive");
    support::ok(Command::new("sh").args(["-euc", DOWNLOAD, "sh"]).arg(&archive));
    let out = site.checkout.path("dist/el7");
    let source = format!("cppunit={}", archive.display());
    site.ok(&["lock"]);
    site.rpm(&[&["--offline", "--source", &source], &strs(&here(&site))[..]].concat());
    let host = ImageRoot::new(&site, &SYSTEM);
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
