//! The program git, as it is run here: the user's proxies, credentials and rewritten addresses are
//! followed; what could run something else, ask somebody or change a byte is switched off.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use base::{
    failure::{Class, Failure, Result},
    process::{Program, on_path},
};

/// Settings above all others.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    // Files are written as they come, not taken into memory: those in a pack as well as large ones.
    "core.bigFileThreshold=16m",
    "fetch.unpackLimit=1",
    "core.deltaBaseCacheLimit=64m",
    // Each object's bytes are compared with its id in any case. These checks are about old
    // repositories' small faults; paths that climb out are refused when a tree is unpacked.
    "fetch.fsckObjects=false",
    "transfer.fsckObjects=false",
    "protocol.version=2",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "advice.detachedHead=false",
    // What is fetched into is bare, and our own.
    "safe.bareRepository=all",
];

/// Of one object that git has to take into memory: a folder, or a file that is kept as differences
/// from another. A few bytes can ask for any amount.
const MEMORY: &str = "256m";

/// Variables that would make git work on another repository, or tell all it does.
fn misleads(name: &str) -> bool {
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

/// The program.
pub(super) struct Git {
    program: PathBuf,
    /// Variables that it does not get.
    without: fn(&str) -> bool,
}

impl Git {
    /// The one on PATH.
    pub(super) fn find() -> Result<Self> {
        let program = on_path("git").ok_or_else(|| {
            Failure::new(Class::Tool, "there is no git on PATH, and a source wants it")
                .help("install git (Debian: apt-get install git)")
        })?;
        Ok(Self { program, without: misleads })
    }

    /// A command in the folder `dir`, whose words on failure are kept.
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
            // Empty: no window asks either, whatever SSH_ASKPASS or the user's settings say.
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

    /// What a command prints, if it succeeds.
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

/// The paths in a list that ends each with a zero byte.
fn zero_ended(list: &[u8]) -> impl Iterator<Item = &Path> {
    list.split(|b| *b == 0).filter(|p| !p.is_empty()).map(|p| Path::new(OsStr::from_bytes(p)))
}

/// What belongs to the git work tree `dir`: files that are tracked, and new ones that are not
/// ignored.
pub(super) fn work_tree(dir: &Path) -> Result<Vec<PathBuf>> {
    // It asks nobody, so it needs no more of the environment than to find its settings.
    let without = |name: &str| !["PATH", "HOME", "XDG_CONFIG_HOME"].contains(&name);
    let git = Git { without, ..Git::find()? };
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = git.read(dir, arguments)?;
    // A repository inside of it has a slash at its end.
    Ok(zero_ended(&list).map(|p| p.components().collect()).collect())
}
