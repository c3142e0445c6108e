//! A root to install into: a static shell, accounts, and programs that only write down how they
//! were called.

use std::{
    collections::HashMap,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::case::TIME;
use crate::support;

/// The tools that tests with a scratch root need.
pub const TOOLS: &[&str] = &["rpmbuild", "rpm", "gcc", "pkg-config", "busybox", "getcap"];

const DATABASE: &str = "/var/lib/rpm";
const LOG: &str = "calls";

pub struct Scratch {
    dir: tempfile::TempDir,
}

/// Memory, where programs can be run from there: rpm syncs its database at every step.
fn fast() -> PathBuf {
    static DIR: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let runs_programs = |dir: &Path| {
        let Ok(dir) = tempfile::tempdir_in(dir) else { return false };
        let copy = dir.path().join("busybox");
        let copied = fs_err::copy(support::on_path("busybox").unwrap(), &copy);
        copied.is_ok() && Command::new(copy).arg("true").status().is_ok_and(|s| s.success())
    };
    let choose = || match Path::new("/dev/shm") {
        shm if runs_programs(shm) => shm.to_owned(),
        _ => std::env::temp_dir(),
    };
    DIR.get_or_init(choose).clone()
}

impl Scratch {
    pub fn new() -> Self {
        let own = Self { dir: tempfile::tempdir_in(fast()).unwrap() };
        for dir in ["bin", "sbin", "usr/bin", "usr/sbin", "etc", "dev", "tmp"] {
            fs_err::create_dir_all(own.path(dir)).unwrap();
        }
        let busybox = support::on_path("busybox").unwrap();
        fs_err::copy(busybox, own.path("bin/busybox")).unwrap();
        symlink("busybox", own.path("bin/sh")).unwrap();
        fs_err::write(
            own.path("etc/passwd"),
            "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nnobody:x:99:99::/:/bin/sh\n",
        )
        .unwrap();
        fs_err::write(
            own.path("etc/group"),
            "root:x:0:\ndaemon:x:1:\nbin:x:2:\nmail:x:8:\nnobody:x:99:\n",
        )
        .unwrap();
        own.program("usr/bin/systemctl", "");
        own.program("usr/bin/firewall-cmd", "");
        own.program("usr/sbin/groupadd", "");
        own.program("usr/sbin/useradd", "");
        own.program("sbin/ldconfig", "");
        own.program("usr/bin/python", "");
        // No account is there yet.
        own.program("usr/bin/getent", "exit 2");
        own
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below.trim_start_matches('/'))
    }

    /// A program that writes down its name and arguments, and then does `more`.
    fn program(&self, path: &str, more: &str) {
        let name = path.rsplit('/').next().unwrap();
        let text = format!("#!/bin/sh\necho \"{name}${{*:+ $*}}\" >> /{LOG}\n{more}\n");
        fs_err::write(self.path(path), text).unwrap();
        fs_err::set_permissions(self.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What was called since this was last asked.
    pub fn calls(&self) -> Vec<String> {
        let path = self.path(LOG);
        let text = fs_err::read_to_string(&path).unwrap_or_default();
        drop(fs_err::remove_file(&path));
        // A scriptlet for a program other than the shell is handed over in a file.
        let plain = |word: &str| match word.split_once("rpm-tmp.") {
            Some((folder, _)) => format!("{folder}rpm-tmp"),
            None => word.to_owned(),
        };
        let line = |l: &str| l.split(' ').map(plain).collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect()
    }

    fn rpm(&self, arguments: &[&str], file: Option<&Path>) -> Output {
        let mut rpm = Command::new("rpm");
        rpm.env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TZ", "UTC");
        rpm.arg("--root").arg(self.dir.path()).args(["--dbpath", DATABASE]).args(arguments);
        support::run(rpm.args(file))
    }

    /// Changes what is installed; what rpm says of it, without the names of the files it was given.
    pub fn change(&self, arguments: &[&str], file: Option<&Path>) -> String {
        let output = self.rpm(arguments, file);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "rpm {arguments:?} {file:?}: {text}");
        text
    }

    /// A change that rpm refuses; what it says of it.
    pub fn refused(&self, arguments: &[&str], file: Option<&Path>) -> String {
        let output = self.rpm(arguments, file);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "rpm {arguments:?} {file:?}: {text}");
        text
    }

    /// What rpm answers, and how it ends.
    pub fn ask(&self, arguments: &[&str], file: Option<&Path>) -> String {
        let output = self.rpm(arguments, file);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        format!("{text}{}\n", output.status)
    }

    /// Everything in the root but rpm's own files: kind, mode, owner, names of one file, content.
    pub fn snapshot(&self) -> Vec<String> {
        let mut first_names = HashMap::new();
        let mut out = Vec::new();
        let root = self.dir.path();
        for item in WalkDir::new(root).min_depth(1).sort_by_file_name() {
            let item = item.unwrap();
            let path = item.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if ["var/lib/rpm", "dev", "tmp", LOG].iter().any(|p| path.starts_with(p)) {
                continue;
            }
            let meta = item.path().symlink_metadata().unwrap();
            let first = first_names.entry(meta.ino()).or_insert_with(|| path.clone()).clone();
            let content = if meta.is_symlink() {
                fs_err::read_link(item.path()).unwrap().display().to_string()
            } else if meta.is_file() {
                let digest = Sha256::digest(fs_err::read(item.path()).unwrap());
                let packaged = meta.mtime() == i64::from(TIME);
                format!("{digest:?} packaged time: {packaged}, {} names", meta.nlink())
            } else {
                String::new()
            };
            out.push(format!(
                "{path} {:o} {}:{} first {first} {content}",
                meta.mode(),
                meta.uid(),
                meta.gid()
            ));
        }
        out.push(support::ok(Command::new("getcap").current_dir(root).args(["-r", "."])));
        out
    }
}
