//! A call of `ENGINE run`: the circumstances of every command of a build, the same each time.

use std::ffi::OsString;

use rustix::process::{Resource, getrlimit};

use super::{
    engine::{Engine, EngineKind},
    user::User,
};
use base::failure::Result;

/// The search path inside: first the images' own folder, with links to ccache under the names of
/// the compilers and with a `date` that knows no clock.
pub(super) const PATH: &str = "/usr/libexec/builder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:\
     /usr/bin:/sbin:/bin";

/// Home of the user inside.
pub(super) const HOME: &str = "/tmp/home";

/// Sets what engines differ in, and then starts afresh: they and images add variables of their
/// own. It stays, as the first process of the container, since that one cannot be killed from
/// inside and has orphans to bury: no part for a build's own shell.
const ENTRY: &str = "umask 022; mkdir -p /tmp/home; env -i \"$@\"; exit $?";

/// Most that a build may want; machines that allow less set the limit themselves.
const LIMITS: [(&str, Resource, u64); 2] =
    [("nofile", Resource::Nofile, 65_536), ("nproc", Resource::Nproc, 16_384)];
/// What every machine grants, where it is another one than this.
const ELSEWHERE: u64 = 4096;

/// What is the same for all commands of a build.
pub(super) struct Invocation<'a> {
    pub(super) engine: &'a Engine,
    pub(super) image: &'a str,
    /// Name of the container.
    pub(super) container: &'a str,
    pub(super) user: User,
    /// The engine's options for what it sees of this machine.
    pub(super) mounts: &'a [OsString],
    /// The folder to start in.
    pub(super) dir: &'a str,
    pub(super) env: &'a [(String, String)],
    /// Whether it sees the network, for a farm.
    pub(super) network: bool,
}

impl Invocation<'_> {
    /// The engine's arguments to run `command`.
    pub(super) fn args(&self, command: &[&str], terminal: bool) -> Result<Vec<OsString>> {
        let mut args: Vec<OsString> = basic(self.engine, self.network);
        args.extend(["--name".into(), self.container.into()]);
        args.push(format!("--user={}:{}", self.user.uid, self.user.gid).into());
        if self.engine.kind == EngineKind::Podman
            && self.engine.rootless
            && self.engine.shares_folders
        {
            args.push("--userns=keep-id".into());
        }
        args.extend(["--workdir".into(), self.dir.into()]);
        if terminal {
            args.extend(["--interactive".into(), "--tty".into()]);
        }
        args.extend_from_slice(self.mounts);
        args.push(self.image.into());
        args.extend(["/bin/sh", "-c", ENTRY, "builder"].map(OsString::from));
        args.extend(self.env.iter().map(|(name, value)| format!("{name}={value}").into()));
        if terminal && let Ok(term) = std::env::var("TERM") {
            args.push(format!("TERM={term}").into());
        }
        args.extend(command.iter().map(OsString::from));
        Ok(args)
    }
}

/// `run`, and what holds for every container that we start.
pub(super) fn basic(engine: &Engine, network: bool) -> Vec<OsString> {
    let network = if network { "--network=host" } else { "--network=none" };
    let always = [
        "run",
        "--rm",
        network,
        // What is not here is not looked for elsewhere: images are built by a step of their own.
        "--pull=never",
        "--hostname=builder",
        "--read-only",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        // The client shows the output; the engine need not keep a second copy.
        "--log-driver=none",
        // What is removed is removed at once.
        "--stop-timeout=0",
    ];
    let mut args = always.map(OsString::from).to_vec();
    if engine.kind == EngineKind::Podman {
        // Only /tmp, as docker has it; and no proxy of the machine.
        args.extend(["--read-only-tmpfs=false", "--http-proxy=false"].map(OsString::from));
    }
    args.extend(limits(engine));
    args
}

/// Limits that can be had: of themselves engines ask for more than some machines grant, nested
/// ones above all.
pub(super) fn limits(engine: &Engine) -> Vec<OsString> {
    let limit = |(name, resource, most): (&str, Resource, u64)| {
        let here = getrlimit(resource).maximum.unwrap_or(u64::MAX).min(most);
        let limit = if engine.shares_folders { here } else { ELSEWHERE };
        format!("--ulimit={name}={limit}:{limit}").into()
    };
    LIMITS.map(limit).to_vec()
}
