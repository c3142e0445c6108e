//! A checkout of its own for each test: data packages only, so that nothing is compiled.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support;

/// An ordinary user and its group.
const USER: &str = "65534";

/// The real checkout.
pub fn repository() -> PathBuf {
    fs_err::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

pub struct Checkout {
    pub dir: tempfile::TempDir,
}

impl Checkout {
    /// With the real firewalld package and one more.
    pub fn new() -> Self {
        let own = Self::empty();
        let from = repository().join("specs/mesos-calico-firewalld");
        for file in walk(&from) {
            own.write(
                &format!("specs/mesos-calico-firewalld/{file}"),
                fs_err::read(from.join(&file)).unwrap(),
            );
        }
        own.write("specs/notes/package.toml", NOTES);
        own.write("specs/notes/README", "Notes\n");
        own
    }

    /// Without any description.
    pub fn empty() -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        let key = fs_err::read(support::key_file("a")).unwrap();
        own.write("target/xtask/keys/development.asc", key);
        own
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// Copies a folder into it.
    pub fn copy(&self, from: &Path, to: &str) {
        for file in walk(from) {
            let path = self.path(&format!("{to}/{file}"));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::copy(from.join(&file), path).unwrap();
        }
    }

    pub fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("--root").arg(self.dir.path()).args(args).current_dir(self.dir.path());
        command.env("MESOS_CALICO_CACHE", self.path("cache"));
        for name in ["CARGO_TARGET_DIR", "SOURCE_DATE_EPOCH"] {
            command.env_remove(name);
        }
        command
    }

    /// Gives everything to an ordinary user, as [`Checkout::as_user`] has it.
    pub fn for_everybody(&self) {
        support::ok(Command::new("chown").args(["-R", USER]).arg(self.dir.path()));
    }

    /// As [`Checkout::xtask`], as an ordinary user: root may read and write everything.
    pub fn as_user(&self, args: &[&str]) -> Command {
        let xtask = self.xtask(args);
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
        // Its folders may be closed to the user; an open program is not.
        let program = self.path("xtask");
        if !program.exists() {
            support::copy_program(xtask.get_program(), &program);
        }
        command.arg(program).args(xtask.get_args()).current_dir(self.dir.path());
        for (name, value) in xtask.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        support::ok(&mut self.xtask(args))
    }

    /// Runs `rpm --json` and returns its events.
    pub fn events(&self, args: &[&str]) -> Vec<Value> {
        let text = support::ok(self.xtask(args).args(["rpm", "--json"]));
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The exit code, and the message with the folder's name taken out.
    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        self.code_and_text(&support::run(&mut self.xtask(args)))
    }

    pub fn code_and_text(&self, output: &Output) -> (i32, String) {
        let real = fs_err::canonicalize(self.dir.path()).unwrap();
        let text =
            String::from_utf8_lossy(&output.stderr).replace(real.to_str().unwrap(), "[ROOT]");
        (output.status.code().unwrap_or(-1), text.trim_end().to_owned())
    }
}

/// Names of the steps that were carried out.
pub fn built(events: &[Value]) -> Vec<String> {
    let is_built = |e: &&Value| e["event"] == "step-finished" && e["outcome"] == "built";
    let mut names: Vec<_> =
        events.iter().filter(is_built).map(|e| e["step"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Paths of all directories below `dir`, relative to it.
pub fn folders(dir: &Path) -> Vec<String> {
    let inside = |e: std::io::Result<fs_err::DirEntry>| {
        let path = e.unwrap().path();
        (path.is_dir() && !path.is_symlink()).then_some(path)
    };
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        todo.extend(fs_err::read_dir(&next).unwrap().filter_map(inside));
        out.push(next.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
    }
    out.sort();
    out
}

/// Paths of all files below `dir`, relative to it.
pub fn walk(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            } else {
                out.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    out.sort();
    out
}

pub const NOTES: &str = r#"
[package.notes]
version = "1"
arch = "noarch"
summary = "Notes"
license = "ASL 2.0"
assets = [{ source = "README", dest = "/usr/share/doc/notes/README", doc = true }]

[[changelog]]
date = 2026-11-22
author = "A <a@localhost> - 1-1"
text = ["First"]
"#;
