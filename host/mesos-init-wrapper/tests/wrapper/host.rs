//! A host in a temporary folder.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program under test.
pub const WRAPPER: &str = env!("CARGO_BIN_EXE_mesos-init-wrapper");

/// Stands in for both daemons: writes down how it was started, says so, and waits
/// for a line, which says with which status to end. SIGTERM ends it with 42.
const DAEMON: &str = r#"#!/bin/sh
record=${0%/usr/sbin/*}/record
trap 'exit 42' TERM
[ $# -eq 0 ] || printf '%s\0' "$@" > "$record/arguments"
cat /proc/$$/environ > "$record/environment"
cat /proc/self/status > "$record/signals"
echo $$ > "$record/pid"
cat /proc/$$/limits > "$record/limits"
echo "$0" > "$record/program"
echo ready
read -r status
exit ${status:-0}
"#;

/// A host with both daemons and nothing configured.
pub struct Host {
    folder: TempDir,
}

/// How a daemon was started.
pub struct Started {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub stderr: String,
}

impl Host {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let host = Self { folder };
        fs_err::create_dir(host.path("/record")).expect("folder");
        host.install("/usr/sbin/mesos-master", DAEMON);
        host.install("/usr/sbin/mesos-slave", DAEMON);
        host
    }

    /// A host on which both daemons start, for tests that are not about ZooKeeper.
    pub fn with_zk() -> Self {
        let host = Self::new();
        host.write("/etc/mesos/zk", "zk://zk.example:2181/mesos\n");
        host
    }

    /// Where a path of the host lies in truth.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().expect("a parent")).expect("folder");
        fs_err::write(path, content).expect("file");
    }

    /// Makes a program.
    pub fn install(&self, path: &str, content: impl AsRef<[u8]>) {
        let source = format!("{path}.source");
        self.write(&source, content);
        self.install_copy(path, &self.path(&source));
    }

    /// Makes a program out of another file.
    ///
    /// A process of its own writes it: a descriptor of ours that is open for writing
    /// might be inherited by what another test starts at this moment, and a file
    /// that anybody has open for writing cannot be executed.
    pub fn install_copy(&self, path: &str, source: &Path) {
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(source).arg(self.path(path));
        assert!(install.status().expect("install").success());
    }

    pub fn link(&self, path: &str, target: impl AsRef<Path>) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().expect("a parent")).expect("folder");
        fs_err::os::unix::fs::symlink(target, path).expect("link");
    }

    pub fn fifo(&self, path: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().expect("a parent")).expect("folder");
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo").success());
    }

    pub fn set_mode(&self, path: &str, mode: u32) {
        let mode = PermissionsExt::from_mode(mode);
        fs_err::set_permissions(self.path(path), mode).expect("mode");
    }

    /// The wrapper, with a small environment and nothing on stdin.
    pub fn wrapper(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(WRAPPER);
        command
            .arg("--root")
            .arg(self.folder.path())
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.wrapper(arguments).output().expect("the wrapper")
    }

    /// Starts a daemon that ends at once.
    pub fn start(&self, role: &str) -> Started {
        self.start_with(role, self.wrapper(&[role]))
    }

    /// The same, for a wrapper that has been prepared.
    pub fn start_with(&self, role: &str, mut wrapper: Command) -> Started {
        let output = wrapper.output().expect("the wrapper");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert_eq!(text(&output.stdout), "ready\n", "{stderr}");
        let program = self.record("program").expect("the daemon ran");
        assert!(program.ends_with(&format!("/usr/sbin/mesos-{role}\n")));
        Started {
            arguments: strings(&self.record("arguments").unwrap_or_default()),
            environment: strings(&self.record("environment").expect("its environment"))
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            stderr,
        }
    }

    /// Tries to start a daemon, which must be refused for its configuration.
    pub fn refused(&self, role: &str) -> String {
        let output = self.run(&[role]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert_eq!(self.record("program"), None, "{stderr}");
        assert!(stderr.contains("mesos-init-wrapper: error: "), "{stderr}");
        // With these tests, every path is known but for the temporary folder.
        stderr.replace(&self.folder.path().display().to_string(), "")
    }

    /// Something that the daemon has written down.
    pub fn record(&self, name: &str) -> Option<String> {
        let content = fs_err::read(self.path("/record").join(name)).ok()?;
        Some(text(&content))
    }
}

impl Started {
    /// Whether the log has a line with all of these.
    pub fn logged(&self, parts: &[&str]) -> bool {
        self.stderr.lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn strings(nul_separated: &str) -> Vec<String> {
    let mut strings: Vec<_> = nul_separated.split('\0').map(str::to_owned).collect();
    assert_eq!(strings.pop().as_deref(), Some(""));
    strings
}
