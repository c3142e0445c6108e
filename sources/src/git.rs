//! Runs git. The user's proxies, credentials and rewritten addresses are
//! used. Everything that could run other programs, ask the user, or change the content of files is switched off.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use base::{
    failure::{Class, Failure, Result},
    process::{Program, on_path},
};

/// Settings that replace all others.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    // Files are streamed and not read into memory, whether they are large or in a pack.
    "core.bigFileThreshold=16m",
    "fetch.unpackLimit=1",
    "core.deltaBaseCacheLimit=64m",
    // git always compares an object's bytes with its id. These checks are about small faults of old
    // repositories. Paths that lead out of the tree are refused when it is unpacked.
    "fetch.fsckObjects=false",
    "transfer.fsckObjects=false",
    "protocol.version=2",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "advice.detachedHead=false",
    // The repository that is fetched into is bare and our own.
    "safe.bareRepository=all",
];

/// Limit in bytes for an object that git reads into memory: a folder, or a file that is stored as a delta
/// of another one. A delta of a few bytes can have any size.
const MEMORY: &str = "256m";

/// Whether a variable would make git use another repository, or trace what it does.
fn is_harmful_variable(name: &str) -> bool {
    let repository = [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_TEMPLATE_DIR",
        "GIT_WORK_TREE",
    ];
    repository.contains(&name) || name.starts_with("GIT_TRACE") || name == "GIT_CURL_VERBOSE"
}

/// Path of the program.
pub(super) struct Git {
    program: PathBuf,
    /// Which variables it does not get.
    without: fn(&str) -> bool,
}

impl Git {
    /// Finds git in PATH.
    pub(super) fn find() -> Result<Self> {
        let program = on_path("git").ok_or_else(|| {
            Failure::new(Class::Tool, "there is no git on PATH, and a source wants it")
                .help("install git (Debian: apt-get install git)")
        })?;
        Ok(Self { program, without: is_harmful_variable })
    }

    /// A git command in the folder `dir`. Its messages are in English.
    pub(super) fn command<A: Into<OsString>>(
        &self,
        dir: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        let mut command = Program::new(&self.program);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        command.args(arguments).current_dir(dir).without(self.without);
        command.envs([
            ("GIT_TERMINAL_PROMPT", "0"),
            // Empty: no window asks for a password, even if SSH_ASKPASS or the user's settings name a program.
            ("GIT_ASKPASS", ""),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_ALLOC_LIMIT", MEMORY),
            ("GIT_DEFAULT_HASH", "sha1"),
            ("GIT_DEFAULT_REF_FORMAT", "files"),
            ("LC_ALL", "C"),
            ("LANGUAGE", ""),
        ]);
        command
    }

    /// Runs a command that must succeed, and returns its output.
    pub(super) fn read<A: Into<OsString>>(
        &self,
        dir: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Vec<u8>> {
        let command = self.command(dir, arguments);
        let output = command
            .output()
            .map_err(|e| Failure::new(Class::Tool, format!("git cannot be run: {e}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let mut failure = Failure::new(Class::Source, format!("git failed in {}", dir.display()));
        failure.command = Some(command.shown());
        failure.status = Some(output.status.to_string());
        let said = String::from_utf8_lossy(&output.stderr);
        failure.last_lines = said.lines().map(str::to_owned).collect();
        Err(failure)
    }
}

/// The paths in a list in which each ends with a zero byte.
fn zero_ended(list: &[u8]) -> impl Iterator<Item = &Path> {
    list.split(|b| *b == 0).filter(|p| !p.is_empty()).map(|p| Path::new(OsStr::from_bytes(p)))
}

/// The files of the git work tree `dir`: those that are tracked, and new ones that are not
/// ignored.
pub(super) fn work_tree(dir: &Path) -> Result<Vec<PathBuf>> {
    // It uses no network, so it needs only the variables with which it finds its settings.
    let without = |name: &str| !["PATH", "HOME", "XDG_CONFIG_HOME"].contains(&name);
    let git = Git { without, ..Git::find()? };
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = git.read(dir, arguments)?;
    // A repository inside of it is listed with a slash at the end.
    Ok(zero_ended(&list).map(|p| p.components().collect()).collect())
}
