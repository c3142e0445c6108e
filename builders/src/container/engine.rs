//! podman or docker: which of them is here, whether it may be used, and what it can do.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    key::Key,
    process::{self, Program, on_path},
};

/// The engines that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// podman, with or without root.
    Podman,
    /// docker, or podman under its name.
    Docker,
}

/// A container engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Which engine it is.
    pub kind: EngineKind,
    /// Its client.
    pub program: PathBuf,
    /// Whether containers can see folders of this machine, under ids that make sense here. Not so
    /// behind an address, and not in docker's own user namespaces.
    pub shares_folders: bool,
    /// Whether it runs in a user namespace of the invoker.
    pub rootless: bool,
    /// Cores of the machine that it runs on.
    pub cores: usize,
    /// Memory of that machine, in bytes.
    pub memory: u64,
}

/// An engine that runs on this machine answers in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// A container may have to wait for a copy of its whole image.
const PATIENCE_TO_RUN: Duration = Duration::from_secs(600);

/// An image that is there.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// What the engine knows it by.
    pub reference: String,
    /// Identity of the image's description.
    pub key: Key,
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
    /// The engine that was asked for, else the first that is there and answers.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], with what to do about it.
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

    /// An engine of which nothing is known but where it is, to clean up with.
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
        let version = own.says(["--version"]).map_err(|f| own.unusable(f))?;
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
            // Without its service `info` complains of the format, and names no address.
            let version = ["version", "--format", "{{.Server.Version}}"];
            own.says(version).map_err(|f| own.unusable(f))?;
        }
        let info = own.says(["info", "--format", format]).map_err(|f| own.unusable(f))?;
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

    /// Docker is always asked through a socket; only one of this machine's own kind leads to this
    /// machine for sure.
    fn docker_is_local(&self) -> bool {
        let format = "{{.Endpoints.docker.Host}}";
        let host = self.says(["context", "inspect", "--format", format]);
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

    /// What it prints when called with `args`; for commands that answer at once.
    pub fn says<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String> {
        self.answer(self.command(args), PATIENCE, &|_| ())
    }

    /// What a command prints that is run in a container; `reporter` is told if that takes long.
    pub(super) fn says_inside(
        &self,
        args: Vec<OsString>,
        step: &str,
        reporter: &dyn Reporter,
    ) -> Result<String> {
        let name = format!("{} run", self.kind.name());
        self.answer(self.command(args), PATIENCE_TO_RUN, &|time| {
            process::report_silence(reporter, step, &name, time, Some(&self.probe()));
        })
    }

    /// Whether it still answers, for people who wait for it.
    pub(super) fn probe(&self) -> String {
        let name = self.kind.name();
        match self.says(["info", "--format", "{{.}}"]) {
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
        let silent = format!("it ended with {} and without a word", output.status);
        let mut failure = failed(lines.next().map_or(silent, str::to_owned));
        failure.status = Some(output.status.to_string());
        failure.last_lines = lines.by_ref().take(8).map(str::to_owned).collect();
        Err(failure)
    }

    /// A call of it.
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

/// The variable that says which service an engine's client asks, with its value: what the client says seldom names
/// the variable, and not always the address.
fn address(kind: EngineKind, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let names: &[&str] = match kind {
        EngineKind::Docker => &["DOCKER_HOST", "DOCKER_CONTEXT"],
        EngineKind::Podman => &["CONTAINER_HOST", "CONTAINER_CONNECTION"],
    };
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let (name, value) = names.iter().find_map(|name| Some((*name, set(name)?)))?;
    // A user's password is nobody's business.
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

/// Words of docker's client when it does not reach its service; without one it may complain of the format alone.
const UNREACHED: &[&str] = &[
    "cannot connect",
    "error during connect",
    "refused",
    "no such file",
    "no answer",
    "nil pointer",
];

/// What to do when an engine refuses its services; `said` are its words in lower case.
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
