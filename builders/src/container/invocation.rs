//! The arguments of `ENGINE run`: they are the same for every command of a build.

use std::ffi::OsString;

use rustix::process::{Resource, getrlimit};

use super::{
    engine::{Engine, EngineKind},
    user::User,
};
use base::failure::Result;

/// PATH in the container. Its first folder has links from the compilers' names to ccache, and a `date` that prints
/// SOURCE_DATE_EPOCH.
pub(super) const PATH: &str = "/usr/libexec/builder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:\
     /usr/bin:/sbin:/bin";

/// The home folder of the container's user.
pub(super) const HOME: &str = "/tmp/home";

/// All variables of setup.sh, the last step of making an image.
pub(super) const SETUP_ENV: [(&str, &str); 4] =
    [("HOME", HOME), ("LC_ALL", "C"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("TZ", "UTC")];

/// Sets the umask, which differs between engines, makes the home folder, and runs the command with the given
/// variables alone, since engines and images add others. It stays the first process of the container, which cannot be
/// killed from inside and has to reap orphans: a build's own shell is not made for that.
const ENTRY: &str = "umask 022; mkdir -p /tmp/home; env -i \"$@\"; exit $?";

/// Limits that are enough for a build; a machine that allows less has its own.
const LIMITS: [(&str, Resource, u64); 2] =
    [("nofile", Resource::Nofile, 65_536), ("nproc", Resource::Nproc, 16_384)];
/// Limits for remote engines, whose own limits are unknown.
const ELSEWHERE: u64 = 4096;

/// The arguments that are the same for all commands of a build.
pub(super) struct Invocation<'a> {
    pub(super) engine: &'a Engine,
    pub(super) image: &'a str,
    /// Name of the container.
    pub(super) container: &'a str,
    pub(super) user: User,
    /// The engine's options for the mounts.
    pub(super) mounts: &'a [OsString],
    /// The folder to start in.
    pub(super) dir: &'a str,
    pub(super) env: &'a [(String, String)],
    /// Whether the container has a network, which distcc needs.
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

/// `run` with the options that every container gets.
pub(super) fn basic(engine: &Engine, network: bool) -> Vec<OsString> {
    let network = if network { "--network=host" } else { "--network=none" };
    let always = [
        "run",
        "--rm",
        network,
        // Never pull an image: a step of its own builds it.
        "--pull=never",
        "--hostname=builder",
        "--read-only",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        // The client shows the output; the engine need not keep a second copy.
        "--log-driver=none",
        // Removing the container needs no grace period.
        "--stop-timeout=0",
    ];
    let mut args = always.map(OsString::from).to_vec();
    if engine.kind == EngineKind::Podman {
        // podman's `--read-only` adds more tmpfs mounts than /tmp, and passes on proxy variables; docker does
        // neither.
        args.extend(["--read-only-tmpfs=false", "--http-proxy=false"].map(OsString::from));
    }
    args.extend(limits(engine));
    args
}

/// Limits that this machine allows: an engine's defaults are higher than some machines allow, above all if they are
/// containers themselves.
pub(super) fn limits(engine: &Engine) -> Vec<OsString> {
    let limit = |(name, resource, most): (&str, Resource, u64)| {
        let here = getrlimit(resource).maximum.unwrap_or(u64::MAX).min(most);
        let limit = if engine.shares_folders { here } else { ELSEWHERE };
        format!("--ulimit={name}={limit}:{limit}").into()
    };
    LIMITS.map(limit).to_vec()
}
