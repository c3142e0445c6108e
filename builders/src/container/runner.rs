//! Runs the commands of one compile: in containers of an engine, or in the sandbox.

use std::{ffi::OsString, path::Path, time::Duration};

use super::{
    BuiltImage, Engine, EngineKind,
    ccache::Trust,
    invocation::{HOME, Invocation},
    jobs,
    lease::Lease,
    mounts::Mounts,
    user::User,
};
use crate::{
    mount::Mount,
    root::Root,
    sandbox::{As, Limits, Request, Sandbox},
};
use base::{
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    key::Key,
    process::{Program, report_silence},
    workspace::Workspace,
};

/// The builders that `--builder` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderKind {
    /// The sandbox of this program.
    Sandbox,
    /// A container engine.
    Engine(EngineKind),
}

impl BuilderKind {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self::Sandbox, Self::Engine(EngineKind::Podman), Self::Engine(EngineKind::Docker)];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Engine(kind) => kind.name(),
        }
    }
}

/// A builder that is ready: it has the system in which a build compiles.
#[derive(Clone, Debug)]
pub enum Builder {
    /// An engine with the image.
    Container(Engine, BuiltImage),
    /// The sandbox with the root.
    Sandbox(Sandbox, BuiltRoot),
}

/// A root folder for the sandbox.
#[derive(Clone, Debug)]
pub struct BuiltRoot {
    /// Its name, for messages.
    pub name: String,
    /// The folder, and what its packages are.
    pub root: Root,
    /// Identity of what it is made from.
    pub key: Key,
}

impl Builder {
    /// Its name, as `--builder` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Container(engine, _) => engine.kind.name(),
            Self::Sandbox(..) => "sandbox",
        }
    }

    /// The identity of the system in which it compiles.
    pub fn key(&self) -> &Key {
        match self {
            Self::Container(_, image) => &image.key,
            Self::Sandbox(_, root) => &root.key,
        }
    }

    /// The root of its system.
    pub(super) fn root(&self) -> &Root {
        match self {
            Self::Container(_, image) => &image.root,
            Self::Sandbox(_, root) => &root.root,
        }
    }

    /// The user who owns what a build makes, as this machine sees it.
    pub(super) fn user(&self) -> User {
        match self {
            Self::Container(engine, _) => User::of(engine),
            Self::Sandbox(sandbox, _) => User { uid: sandbox.ids.0, gid: sandbox.ids.1 },
        }
    }

    /// The same user, as the build sees it.
    pub(super) fn user_inside(&self) -> User {
        match self {
            Self::Container(..) => self.user(),
            Self::Sandbox(..) => User::BUILDER,
        }
    }

    /// Whether a build sees folders of this machine, and not copies.
    pub(super) fn shares_folders(&self) -> bool {
        match self {
            Self::Container(engine, _) => engine.shares_folders,
            Self::Sandbox(..) => true,
        }
    }

    /// How many compilers run at once.
    pub(super) fn jobs(&self) -> usize {
        match self {
            Self::Container(engine, _) => jobs::local(engine),
            Self::Sandbox(..) => jobs::here(),
        }
    }
}

/// What all commands of a build have in common.
pub(super) struct Surroundings<'a> {
    /// The folder to start in.
    pub(super) dir: &'a str,
    pub(super) env: &'a [(String, String)],
    /// Whether there is a network, which distcc needs.
    pub(super) network: bool,
}

/// Runs the commands of one compile.
pub(super) enum Runner<'a> {
    Containers(Containers<'a>),
    Sandbox(Sandboxes<'a>),
}

/// A container for each command.
pub(super) struct Containers<'a> {
    engine: &'a Engine,
    image: &'a BuiltImage,
    user: User,
    lease: Lease,
    mounts: Mounts,
    options: Vec<OsString>,
}

/// A sandbox for each command.
pub(super) struct Sandboxes<'a> {
    root: &'a BuiltRoot,
    mounts: Vec<Mount>,
    /// A folder of the compile: the requests are written to it.
    scratch: &'a Path,
}

/// A command that needs no time of its own; but an engine may have to copy the whole image first.
const PATIENCE: Duration = Duration::from_secs(600);

impl<'a> Runner<'a> {
    /// Makes the folders ready. `scratch` is an empty folder for as long as the runner is used.
    pub(super) fn prepare(
        builder: &'a Builder,
        name: &str,
        workspace: &Workspace,
        mounts: Vec<Mount>,
        (cache, trust): (Mount, Trust),
        scratch: &'a Path,
    ) -> Result<Self> {
        match builder {
            Builder::Container(engine, image) => {
                let user = builder.user();
                let mut lease = Lease::take(engine, workspace, name)?;
                let mounts =
                    Mounts::prepare(engine, image, &mut lease, mounts, (cache, trust), user)?;
                let options = mounts.options()?;
                Ok(Self::Containers(Containers { engine, image, user, lease, mounts, options }))
            }
            Builder::Sandbox(_, root) => {
                let mut mounts: Vec<_> = mounts.into_iter().chain([cache]).collect();
                for mount in &mut mounts {
                    mount.outside = fs_err::canonicalize(&mount.outside).class(Class::Output)?;
                }
                Ok(Self::Sandbox(Sandboxes { root, mounts, scratch }))
            }
        }
    }

    /// The program that runs a command.
    pub(super) fn program(
        &self,
        around: &Surroundings<'_>,
        command: &[&str],
        terminal: bool,
    ) -> Result<Program> {
        match self {
            Self::Containers(containers) => containers.program(around, command, terminal),
            Self::Sandbox(sandboxes) => sandboxes.program(around, command, terminal),
        }
    }

    /// The output of a command that ends soon.
    pub(super) fn output(
        &self,
        around: &Surroundings<'_>,
        command: &[&str],
        (step, reporter): (&str, &dyn Reporter),
    ) -> Result<String> {
        let program = self.program(around, command, false)?;
        let late = |time| report_silence(reporter, step, "the builder", time, None);
        let output = program.output_within(PATIENCE, &late).class(Class::Tool)?;
        match output.filter(|output| output.status.success()) {
            Some(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            None => Err(Failure::new(Class::Tool, format!("{} cannot be run", command.join(" ")))),
        }
    }

    /// Removes what a command has left that was ended. A sandbox leaves nothing.
    pub(super) fn clear(&self) {
        if let Self::Containers(containers) = self {
            // A killed client does not end its container.
            containers.lease.remove_container();
        }
    }

    /// The engine that can be asked whether it still answers, for a user who waits.
    pub(super) fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Containers(containers) => Some(containers.engine),
            Self::Sandbox(_) => None,
        }
    }

    /// What messages call the system in which commands run.
    pub(super) fn system(&self) -> &str {
        match self {
            Self::Containers(containers) => &containers.image.reference,
            Self::Sandbox(sandboxes) => &sandboxes.root.name,
        }
    }

    /// Fetches the results, if the commands wrote to copies.
    pub(super) fn collect(&self) -> Result<()> {
        match self {
            Self::Containers(Containers { engine, image, lease, mounts, .. }) => {
                mounts.collect(engine, image, lease)
            }
            Self::Sandbox(_) => Ok(()),
        }
    }
}

impl Containers<'_> {
    fn program(
        &self,
        around: &Surroundings<'_>,
        command: &[&str],
        terminal: bool,
    ) -> Result<Program> {
        let invocation = Invocation {
            engine: self.engine,
            image: &self.image.reference,
            container: &self.lease.container,
            user: self.user,
            mounts: &self.options,
            dir: around.dir,
            env: around.env,
            network: around.network,
        };
        Ok(self.engine.command(invocation.args(command, terminal)?))
    }
}

impl Sandboxes<'_> {
    fn program(
        &self,
        around: &Surroundings<'_>,
        command: &[&str],
        terminal: bool,
    ) -> Result<Program> {
        let place = self.scratch.join("root");
        fs_err::create_dir_all(&place).class(Class::Output)?;
        let mut env = around.env.to_vec();
        if terminal && let Ok(term) = std::env::var("TERM") {
            env.push(("TERM".into(), term));
        }
        let request = Request {
            root: fs_err::canonicalize(&self.root.root.tree).class(Class::Tool)?,
            place: fs_err::canonicalize(place).class(Class::Output)?,
            mounts: self.mounts.clone(),
            user: As::Builder,
            dir: around.dir.into(),
            home: HOME.into(),
            env,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            limits: Limits { memory: jobs::all_memory(), ..Limits::default() },
            terminal,
        };
        Sandbox::program(&request, self.scratch)
    }
}
