//! Whether this machine allows a sandbox; if not, which switch forbids it.

use std::path::{Path, PathBuf};

use super::{
    enter::THIS_PROGRAM,
    request::{As, Limits, Request},
    rights,
};
use base::{
    failure::{Class, Classify, Failure, Result},
    process::Program,
};

/// A sandbox that works on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    /// The user id and group id, outside, of what a build makes.
    pub(crate) ids: (u32, u32),
}

/// An empty sandbox is ready in a fraction of this time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

impl Sandbox {
    /// Tries an empty sandbox.
    ///
    /// # Errors
    /// [`Class::Tool`], with the switch that forbids it.
    pub fn find() -> Result<Self> {
        let scratch = tempfile::tempdir().class(Class::Tool)?;
        let (root, place) = (scratch.path().join("root"), scratch.path().join("place"));
        for folder in [&root, &place] {
            fs_err::create_dir(folder).class(Class::Tool)?;
        }
        let request = Request {
            root,
            place,
            mounts: Vec::new(),
            user: As::Builder,
            dir: "/".into(),
            home: "/tmp/home".into(),
            env: Vec::new(),
            command: Vec::new(),
            limits: Limits::default(),
            terminal: false,
        };
        let program = Self::program(&request, scratch.path())?;
        let output = program.output_within(PATIENCE, &|_| ()).class(Class::Tool)?;
        let output = output.ok_or_else(|| refused("an empty one does not end"))?;
        if output.status.success() {
            return Ok(Self { ids: ids() });
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("it says nothing");
        let said = said.strip_prefix("Error: ").unwrap_or(said);
        let read = |path: &str| fs_err::read_to_string(path).ok();
        let help = switch(said, &read);
        Err(refused(said).help(help))
    }

    /// The program that carries out a request. The request is written into the folder `scratch`, which must be there until
    /// the program has ended.
    pub fn program(request: &Request, scratch: &Path) -> Result<Program> {
        let file: PathBuf = scratch.join("request.json");
        let text =
            serde_json::to_vec(request).map_err(std::io::Error::from).class(Class::Output)?;
        fs_err::write(&file, text).class(Class::Output)?;
        let mut program = Program::new(THIS_PROGRAM);
        program.args(["sandbox", "--parent", &std::process::id().to_string()]).arg(file);
        Ok(program)
    }
}

/// The ids of what a build makes: root compiles as another user.
fn ids() -> (u32, u32) {
    let builder = As::Builder.id();
    match rights::can_become_builder() {
        true => (builder, builder),
        false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(Class::Tool, format!("this machine allows no sandbox: {why}"))
}

/// What to do about a machine that allows no sandbox. `said` is the sandbox' own error; `read` returns a file.
fn switch(said: &str, read: &dyn Fn(&str) -> Option<String>) -> String {
    let value = |path: &str| read(path).map(|text| text.trim().to_owned());
    let is = |path: &str, wanted: &str| value(path).as_deref() == Some(wanted);
    let set = |name: &str, to: &str| {
        format!("user namespaces are switched off: `sudo sysctl -w {name}={to}` allows them")
    };
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return set("user.max_user_namespaces", "15000");
    }
    // Root becomes an ordinary user before it makes the namespace of the build.
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return set("kernel.unprivileged_userns_clone", "1");
    }
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return set("kernel.apparmor_restrict_unprivileged_userns", "0");
    }
    let status = read("/proc/self/status").unwrap_or_default();
    let has_filter = status
        .lines()
        .any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"));
    if said.contains("proc cannot be mounted") {
        return "this machine is a container that hides parts of /proc: start it with \
                `--security-opt unmask=ALL` (podman) or `--security-opt systempaths=unconfined` \
                (docker)"
            .into();
    }
    if has_filter {
        return "this machine is a container whose seccomp filter forbids namespaces: start it with \
                `--security-opt seccomp=unconfined`"
            .into();
    }
    "no switch is known that forbids it; the kernel may be built without user namespaces".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_that_forbids_it_is_named() {
        let told = |path: &'static str, content: &'static str| {
            switch("x", &|asked| (asked == path).then(|| content.to_owned()))
        };
        let users = told("/proc/sys/user/max_user_namespaces", "0\n");
        assert!(users.contains("sysctl -w user.max_user_namespaces=15000"), "{users}");
        let debian = told("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
        assert!(debian.contains("kernel.unprivileged_userns_clone=1"), "{debian}");
        let ubuntu = told("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        assert!(ubuntu.contains("apparmor_restrict_unprivileged_userns=0"), "{ubuntu}");
        let none = told("/proc/sys/kernel/unprivileged_userns_clone", "1\n");
        assert!(none.contains("no switch is known"), "{none}");
        let filter = told("/proc/self/status", "Name: x\nSeccomp:\t2\n");
        assert!(filter.contains("seccomp=unconfined"), "{filter}");
        let masked = switch("proc cannot be mounted at /p: EPERM", &|_| None);
        assert!(masked.contains("unmask=ALL"), "{masked}");
    }
}
