//! podman or docker: which one is installed, whether it answers, and what it can do.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use crate::root::Root;
use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    key::Key,
    process::{self, Program, on_path},
};

/// The kinds of engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// podman, with or without root.
    Podman,
    /// docker, or podman installed as `docker`.
    Docker,
}

/// A container engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Which engine it is.
    pub kind: EngineKind,
    /// The path of its client program.
    pub program: PathBuf,
    /// Whether containers can see folders of this machine with the same user ids. They cannot if the engine is
    /// remote, or if docker uses user namespaces.
    pub shares_folders: bool,
    /// Whether it is rootless: it runs in a user namespace of the user.
    pub rootless: bool,
    /// Cores of the machine that it runs on.
    pub cores: usize,
    /// Memory of that machine, in bytes.
    pub memory: u64,
}

/// A local engine answers in a fraction of this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// The engine may have to copy the whole image before a container starts.
const PATIENCE_TO_RUN: Duration = Duration::from_secs(600);

/// An image that the engine has.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The image's name in the engine.
    pub reference: String,
    /// Identity of what it is made from.
    pub key: Key,
    /// The root that it was imported from.
    pub root: Root,
}

impl EngineKind {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Podman, Self::Docker];

    /// The name of its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

impl Engine {
    /// Finds the engine `choice`, or else the first one that is installed and answers.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], with a hint.
    pub fn find(choice: Option<EngineKind>) -> Result<Self, Trouble> {
        let kinds = choice.map_or(EngineKind::ALL.to_vec(), |kind| vec![kind]);
        let there = kinds.iter().filter_map(|kind| Some((*kind, on_path(kind.name())?)));
        let mut trouble = None;
        for (kind, program) in there {
            match Self::ask(kind, program) {
                Ok(engine) => return Ok(engine),
                Err(failure) => drop(trouble.get_or_insert(failure)),
            }
        }
        Err(Trouble::Unavailable(trouble.unwrap_or_else(|| missing(choice))))
    }

    /// An engine of which only the path is known, for cleaning up.
    pub(super) fn at(program: &Path) -> Self {
        Self {
            kind: EngineKind::Podman,
            program: program.to_owned(),
            shares_folders: true,
            rootless: false,
            cores: 1,
            memory: 0,
        }
    }

    fn ask(kind: EngineKind, program: PathBuf) -> Result<Self> {
        let mut own = Self { kind, ..Self::at(&program) };
        // Debian and EL have a package that calls podman docker.
        let version = own.output_of(["--version"]).map_err(|f| own.unusable(f))?;
        if version.starts_with("podman") {
            own.kind = EngineKind::Podman;
        }
        let format = match own.kind {
            EngineKind::Podman => {
                "{{.Host.CPUs}} {{.Host.MemTotal}} {{.Host.ServiceIsRemote}} \
                 {{.Host.Security.Rootless}}"
            }
            EngineKind::Docker => "{{.NCPU}} {{.MemTotal}} {{.SecurityOptions}}",
        };
        if own.kind == EngineKind::Docker {
            // If the service does not run, `info` complains about the format and names no address.
            let version = ["version", "--format", "{{.Server.Version}}"];
            own.output_of(version).map_err(|f| own.unusable(f))?;
        }
        let info = own.output_of(["info", "--format", format]).map_err(|f| own.unusable(f))?;
        let mut words = info.split_whitespace();
        let mut number = || words.next().and_then(|w| w.parse::<u64>().ok()).unwrap_or(0);
        (own.cores, own.memory) = (number() as usize, number());
        if own.cores == 0 {
            let failure = Failure::new(Class::Tool, "no answer from its service");
            return Err(own.unusable(failure));
        }
        match own.kind {
            EngineKind::Podman => {
                own.shares_folders = words.next() != Some("true");
                own.rootless = words.next() == Some("true");
            }
            EngineKind::Docker => {
                own.rootless = info.contains("name=rootless");
                let mapped = own.rootless || info.contains("name=userns");
                own.shares_folders = !mapped && own.docker_is_local();
            }
        }
        Ok(own)
    }

    /// Whether docker's address is certainly this machine: only a Unix socket is.
    fn docker_is_local(&self) -> bool {
        let format = "{{.Endpoints.docker.Host}}";
        let host = self.output_of(["context", "inspect", "--format", format]);
        host.is_ok_and(|host| host.trim().is_empty() || host.starts_with("unix://"))
    }

    /// One line for people.
    pub fn description(&self) -> String {
        let (name, program) = (self.kind.name(), self.program.display());
        let rootless = if self.rootless { ", rootless" } else { "" };
        let far = if self.shares_folders { "" } else { ", files are copied to it" };
        let memory = self.memory >> 30;
        format!("{name} ({program}; {} cores, {memory} GiB{rootless}{far})", self.cores)
    }

    /// The output of a command that ends at once.
    pub fn output_of<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String> {
        self.answer(self.command(args), PATIENCE, &|_| ())
    }

    /// Whether it has the image.
    pub fn has_image(&self, reference: &str) -> bool {
        self.output_of(["image", "inspect", "--format", "{{.Id}}", reference]).is_ok()
    }

    /// The output of a command that may take minutes; `reporter` gets an event if it takes long.
    pub(super) fn output_inside(
        &self,
        args: Vec<OsString>,
        step: &str,
        reporter: &dyn Reporter,
    ) -> Result<String> {
        let name = self.kind.name();
        self.answer(self.command(args), PATIENCE_TO_RUN, &|time| {
            process::report_silence(reporter, step, name, time, Some(&self.probe()));
        })
    }

    /// Whether the engine still answers, as a text for a user who waits.
    pub(super) fn probe(&self) -> String {
        let name = self.kind.name();
        match self.output_of(["info", "--format", "{{.}}"]) {
            Ok(_) => format!("`{name} info` answers"),
            Err(failure) => format!("`{name} info` does not answer either: {}", failure.message),
        }
    }

    fn answer(
        &self,
        command: Program,
        patience: Duration,
        late: &dyn Fn(Duration),
    ) -> Result<String> {
        let failed = |message: String| {
            let mut failure = Failure::new(Class::Tool, message);
            failure.command = Some(command.shown());
            failure
        };
        let output = command.output_within(patience, late);
        let output = output.map_err(|e| failed(format!("cannot be started: {e}")))?;
        let Some(output) = output else {
            return Err(failed(format!("no answer within {} seconds", patience.as_secs())));
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines = said.lines().map(str::trim).filter(|l| !l.is_empty());
        let silent = format!("it ended with {} and printed nothing", output.status);
        let mut failure = failed(lines.next().map_or(silent, str::to_owned));
        failure.status = Some(output.status.to_string());
        failure.last_lines = lines.by_ref().take(8).map(str::to_owned).collect();
        Err(failure)
    }

    /// A call of the client with these arguments.
    pub fn command(&self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        let mut command = Program::new(&self.program);
        command.args(args);
        command
    }

    fn unusable(&self, failure: Failure) -> Failure {
        let name = self.kind.name();
        let said = std::iter::once(&failure.message).chain(&failure.last_lines);
        let said = said.map(|l| l.to_lowercase()).collect::<Vec<_>>().join("\n");
        let help = remedy(self.kind, &said);
        let mut own = failure;
        let set = address(self.kind, |name| std::env::var(name).ok());
        let set = set.map(|set| format!(" ({set})")).unwrap_or_default();
        own.message = format!("{name} is installed, but cannot be used{set}: {}", own.message);
        own.help(help)
    }
}

/// The failure of a call that has ended with this output.
pub(super) fn failed(program: &Program, output: &Output, message: String) -> Failure {
    let mut failure = Failure::new(Class::Tool, message);
    failure.command = Some(program.shown());
    failure.status = Some(output.status.to_string());
    let said = String::from_utf8_lossy(&output.stderr);
    failure.last_lines = said.lines().take(8).map(str::to_owned).collect();
    failure
}

/// The variable with the address of the engine's service, and its value: messages of the client rarely name the
/// variable, and not always the address.
fn address(kind: EngineKind, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let names: &[&str] = match kind {
        EngineKind::Docker => &["DOCKER_HOST", "DOCKER_CONTEXT"],
        EngineKind::Podman => &["CONTAINER_HOST", "CONTAINER_CONNECTION"],
    };
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let (name, value) = names.iter().find_map(|name| Some((*name, set(name)?)))?;
    // The password in the address must not be shown.
    let value = match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => value,
    };
    Some(format!("{name}={value}"))
}

fn missing(choice: Option<EngineKind>) -> Failure {
    let help = "install podman (Debian: apt-get install podman; EL: dnf install podman) or docker";
    let message = match choice {
        Some(kind) => format!("{} is not on PATH", kind.name()),
        None => "there is neither podman nor docker to compile in".to_owned(),
    };
    Failure::new(Class::Tool, message).help(help)
}

/// Parts of the messages of docker's client if it cannot reach its service; some versions complain only about the
/// format.
const UNREACHED: &[&str] = &[
    "cannot connect",
    "error during connect",
    "refused",
    "no such file",
    "no answer",
    "nil pointer",
];

/// A hint for an engine that refuses to work; `said` is its message in lower case.
fn remedy(kind: EngineKind, said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    match kind {
        EngineKind::Docker if has(&["permission denied"]) => {
            "join the group docker (sudo usermod -aG docker $USER, then log in again), or install \
             podman, which needs no permission"
        }
        EngineKind::Docker if has(UNREACHED) => {
            "start its service (sudo systemctl start docker), or mend DOCKER_HOST and \
             `docker context`"
        }
        EngineKind::Podman if has(&["subuid", "subgid", "newuidmap", "newgidmap"]) => {
            "give yourself subordinate ids (sudo usermod --add-subuids 100000-165535 \
             --add-subgids 100000-165535 $USER), then run `podman system migrate`"
        }
        EngineKind::Podman if has(&["refused", "unable to connect", "cannot connect"]) => {
            "start the service that CONTAINER_HOST names, or unset it"
        }
        EngineKind::Docker => "`docker info` must work first",
        EngineKind::Podman => "`podman info` must work first",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_remedy() {
        let docker = |said: &str| remedy(EngineKind::Docker, said);
        assert!(docker("permission denied while trying to connect").contains("group docker"));
        assert!(docker("cannot connect to the docker daemon").contains("systemctl start docker"));
        let podman = |said: &str| remedy(EngineKind::Podman, said);
        assert!(podman("no subuid ranges found for user").contains("--add-subuids"));
        assert!(podman("dial tcp: connection refused").contains("CONTAINER_HOST"));
        let format = "template: :1:2: executing \"\" at <.memtotal>: nil pointer evaluating";
        assert!(docker(format).contains("DOCKER_HOST"));
        // Of docker 20 and podman 4.
        assert!(docker("cannot connect to the docker daemon at tcp://127.0.0.1:1. is the docker daemon running?").contains("DOCKER_HOST"));
    }

    #[test]
    fn the_variable_that_names_a_service_is_told_without_a_password() {
        let set = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.to_owned())
        };
        let told = |kind, name, value| address(kind, set(name, value));
        let docker = told(EngineKind::Docker, "DOCKER_HOST", "tcp://127.0.0.1:1");
        assert_eq!(docker.unwrap(), "DOCKER_HOST=tcp://127.0.0.1:1");
        let podman =
            told(EngineKind::Podman, "CONTAINER_HOST", "ssh://me:geheim@h/run/podman.sock");
        assert_eq!(podman.unwrap(), "CONTAINER_HOST=ssh://h/run/podman.sock");
        let docker = told(EngineKind::Docker, "DOCKER_CONTEXT", "far");
        assert_eq!(docker.unwrap(), "DOCKER_CONTEXT=far");
        assert_eq!(told(EngineKind::Docker, "DOCKER_HOST", ""), None);
        assert_eq!(told(EngineKind::Docker, "CONTAINER_HOST", "tcp://h"), None);
    }
}
