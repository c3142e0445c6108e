//! A root with CentOS 7's own rpm 4.11.3, from genuine packages in the folder that the variable EL7_RPMS names.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{have_as_root, ok, run, scratch_root, skip};

/// Packages that rpm needs to run; filesystem makes the links that the others' paths go through.
const NEEDED: &[&str] = &[
    "filesystem",
    "setup",
    "glibc",
    "libgcc",
    "rpm",
    "rpm-libs",
    "audit-libs",
    "bzip2-libs",
    "elfutils-libelf",
    "libacl",
    "libattr",
    "libcap",
    "libcap-ng",
    "libdb",
    "libselinux",
    "lua",
    "ncurses-libs",
    "nspr",
    "nss",
    "nss-softokn",
    "nss-softokn-freebl",
    "nss-util",
    "pcre",
    "popt",
    "readline",
    "sqlite",
    "xz-libs",
    "zlib",
];

/// The folder with genuine packages. Only some machines have one.
pub fn packages(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("EL7_RPMS").map(PathBuf::from);
    if folder.is_none() {
        note(test);
    }
    folder
}

/// EL7_RPMS is nobody's duty, so this is no failure where tools are required.
fn note(test: &str) {
    if std::env::var_os("REQUIRE_TOOLS").is_none() {
        skip(test, "EL7_RPMS names no folder with CentOS 7's packages");
    }
}

/// A root in which `rpm` runs, with an empty database of its own.
pub struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    /// Unpacks one, where that can be done.
    pub fn new(test: &str) -> Option<Self> {
        let folder = packages(test)?;
        if !have_as_root(test, &["rpm2cpio", "cpio", "chroot", "mknod"]) {
            return None;
        }
        let own = Self { dir: tempfile::tempdir_in(scratch_root()).unwrap() };
        for name in NEEDED {
            own.unpack(&package(&folder, name));
        }
        // NSS wants random numbers.
        let device = own.path("dev/urandom");
        if !device.exists() {
            ok(Command::new("mknod").arg(device).args(["c", "1", "9"]));
        }
        ok(own.rpm().arg("--initdb"));
        Some(own)
    }

    fn unpack(&self, package: &Path) {
        let mut unpacked = Command::new("rpm2cpio")
            .arg(package)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("rpm2cpio: {e}"));
        let archive = unpacked.stdout.take().unwrap();
        let cpio = ["-idmu", "--quiet", "--no-absolute-filenames"];
        ok(Command::new("cpio").args(cpio).current_dir(self.dir.path()).stdin(archive));
        assert!(unpacked.wait().unwrap().success());
    }

    /// A path of the root, as seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside.trim_start_matches('/'))
    }

    /// Its rpm, which closes all descriptors that it could have: few are allowed.
    pub fn rpm(&self) -> Command {
        let mut command = Command::new("sh");
        command.env("LC_ALL", "C").args(["-c", "ulimit -n 256; exec chroot \"$@\"", "sh"]);
        command.arg(self.dir.path()).arg("/usr/bin/rpm");
        command
    }

    /// Imports an armored public key.
    pub fn import(&self, key: &Path) -> bool {
        fs_err::copy(key, self.path("key.asc")).unwrap();
        run(self.rpm().args(["--import", "/key.asc"])).status.success()
    }
}

/// The package of this name in a folder.
pub fn package(folder: &Path, name: &str) -> PathBuf {
    let is_it = |path: &PathBuf| {
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let parts: Vec<_> = file.rsplitn(3, '-').collect();
        file.ends_with(".rpm") && parts.get(2) == Some(&name)
    };
    let mut found = fs_err::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(is_it);
    found.next().unwrap_or_else(|| panic!("{} has no {name}", folder.display()))
}
