//! A root folder of busybox alone, and requests to run something in it.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support;

const USER: &str = "65534";

/// Who runs xtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The user of the tests, who may be root.
    Same,
    /// An ordinary user, if root runs the tests.
    User,
}

pub struct Room {
    pub dir: tempfile::TempDir,
    who: Who,
    pub request: Value,
}

/// A room for each user who can run the tests of this ring here.
pub fn rooms(test: &str) -> Vec<Room> {
    users(test).into_iter().map(Room::new).collect()
}

/// The users who can run the tests of this ring here; none if the tools are missing or the kernel gives no namespaces.
pub fn users(test: &str) -> Vec<Who> {
    if !support::have(test, &["busybox", "setpriv", "chown", "unshare"]) {
        return Vec::new();
    }
    let all = match support::is_root() {
        true => vec![Who::Same, Who::User],
        false => vec![Who::Same],
    };
    // A container often forbids it, and says nothing about the sandbox.
    let may = |who: &Who| {
        let mut try_it = match who {
            Who::Same => Command::new("unshare"),
            Who::User => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "unshare"]);
                command
            }
        };
        try_it.args(["--user", "--map-root-user", "--mount", "--pid", "--net", "--fork"]);
        support::run(try_it.args(["--mount-proc", "true"])).status.success()
    };
    if !all.iter().all(may) {
        support::skip(test, "this machine gives no namespaces");
        return Vec::new();
    }
    all
}

impl Room {
    pub fn new(who: Who) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["root/bin", "root/etc", "place", "build", "src", "scratch"] {
            fs_err::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let bin = dir.path().join("root/bin");
        let busybox = support::ok(Command::new("sh").args(["-c", "command -v busybox"]));
        support::copy_program(busybox.trim(), bin.join("busybox"));
        let applets = support::ok(Command::new("busybox").arg("--list"));
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        fs_err::write(dir.path().join("root/etc/passwd"), "builder:x:1000:1000::/:/bin/sh\n")
            .unwrap();
        fs_err::write(dir.path().join("src/file"), "source\n").unwrap();
        fs_err::write(dir.path().join("secret"), "secret\n").unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let mount = |inside: &str, outside: &str, writable: bool| json!({ "inside": inside, "outside": path(outside), "writable": writable });
        let request = json!({
            "root": path("root"),
            "place": path("place"),
            "mounts": [mount("/src/tiny", "src", false), mount("/build/tiny", "build", true)],
            "user": "builder",
            "dir": "/build/tiny",
            "home": "/tmp/home",
            "env": [["PATH", "/bin"], ["HOME", "/tmp/home"]],
            "command": [],
            "terminal": false,
            "limits": { "files": 1000, "processes": 200, "memory": 500_000_000_u64 },
        });
        support::copy_program(env!("CARGO_BIN_EXE_xtask"), dir.path().join("xtask"));
        let own = Self { dir, who, request };
        if who == Who::User {
            fs_err::set_permissions(own.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
            support::ok(
                Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(own.dir.path()),
            );
        } else if support::is_root() {
            // As a compile does for its user.
            support::ok(Command::new("chown").arg("1000").arg(own.path("build")));
        }
        own
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// The command that runs a script.
    pub fn command(&self, script: &str) -> Command {
        let mut request = self.request.clone();
        request["command"] = json!(["/bin/sh", "-c", script]);
        self.of(&request, std::process::id())
    }

    /// The command that carries out a request for this parent.
    pub fn of(&self, request: &Value, parent: u32) -> Command {
        let file = self.path("scratch").join("request.json");
        fs_err::write(&file, request.to_string()).unwrap();
        let mut command = match self.who {
            Who::Same => Command::new(self.path("xtask")),
            Who::User => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
                command.arg(self.path("xtask"));
                command
            }
        };
        command.args(["sandbox", "--parent", &parent.to_string()]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, script: &str) -> Output {
        support::run(&mut self.command(script))
    }

    /// What a script prints; it must succeed.
    pub fn ok(&self, script: &str) -> String {
        support::ok(&mut self.command(script))
    }

    /// The message of a sandbox that is refused.
    pub fn refused(&self, output: &Output) -> String {
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// Mounts of this machine below a folder.
pub fn mounts_below(dir: &Path) -> Vec<String> {
    let all = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    let dir = fs_err::canonicalize(dir).unwrap();
    all.lines().filter(|line| line.contains(dir.to_str().unwrap())).map(str::to_owned).collect()
}
