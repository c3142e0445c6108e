//! The circumstances of a second build: as different from the first as this machine can arrange.

use std::{
    ffi::OsString,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::cli::RpmArgs;
use base::{
    failure::{Class, Classify, Failure, Result},
    process::{Program, on_path},
    workspace::Workspace,
};

/// The circumstances that are different on every machine.
const ALWAYS: &str =
    "path, umask, order and times of files, locale, time zone, user name, number of threads";

/// Paths of libfaketime in the usual distributions.
const FAKETIME: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// The user of the second build, in a user namespace.
const USER: &str = "--map-user=61234";
const GROUP: &str = "--map-group=61235";

/// The circumstances that can be different on this machine.
pub(super) struct Elsewhere {
    faketime: Option<PathBuf>,
    other_user: bool,
    /// Whether the compiler is run on this machine.
    crates: bool,
}

impl Elsewhere {
    /// Finds out which circumstances this machine can change, for builds that compile `crates`, or sources in
    /// `containers`. An engine does not work as a user that it does not know, so with containers the user stays the
    /// same.
    pub(super) fn find(crates: bool, containers: bool) -> Self {
        let faketime = FAKETIME.iter().map(PathBuf::from).find(|p| p.is_file());
        let mut probe = Program::new("unshare");
        probe.args(["--user", USER, GROUP, "true"]);
        let works = || probe.output().is_ok_and(|o| o.status.success());
        Self { faketime, other_user: !containers && works(), crates }
    }

    /// The list for the report.
    pub(super) fn varied(&self) -> String {
        let mut text = ALWAYS.to_owned();
        if self.other_user {
            text.push_str(", user id");
        }
        match &self.faketime {
            Some(_) => text.push_str(", date"),
            None => text.push_str(" (and the date, if libfaketime were installed)"),
        }
        text
    }

    /// The command that builds the same packages in `copy`. What has to be there for it is put
    /// beside the copy.
    pub(super) fn command(&self, copy: &Workspace, args: &RpmArgs) -> Result<Program> {
        let program = std::env::current_exe().class(Class::Tool)?;
        let mut command = Program::new("sh");
        command.args(["-c", "umask 077; exec \"$@\"", "sh"]);
        if self.other_user {
            command.args(["unshare", "--user", USER, GROUP, "--"]);
        }
        command.arg(program).arg("--root").arg(&copy.root);
        command
            .args(["rpm", "--jobs", "1", "--compile-jobs", "1", "--own-ccache", "--offline"])
            .args(&args.packages);
        hand_on(&mut command, args)?;
        command.without(|name| name == "CARGO_TARGET_DIR").current_dir(&copy.root);
        command.env("MESOS_CALICO_CACHE", copy.shared());
        command.envs([
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("USER", "somebody"),
            ("LOGNAME", "somebody"),
        ]);
        if let Some(library) = &self.faketime {
            if self.crates {
                command.env("PATH", spare_the_compiler(copy)?);
            }
            command.env("LD_PRELOAD", library);
            command.envs([
                ("FAKETIME", "+400d"),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ("DONT_FAKE_MONOTONIC", "1"),
                ("NO_FAKE_STAT", "1"),
            ]);
        }
        Ok(command)
    }
}

/// Options that say where sources, images and tools come from are the same for both builds.
fn hand_on(command: &mut Program, args: &RpmArgs) -> Result<()> {
    for (option, pairs) in [("--source", &args.sources.supplied), ("--local", &args.sources.local)]
    {
        for (name, path) in pairs {
            let path = fs_err::canonicalize(path).class(Class::Source)?;
            command.arg(option).arg(format!("{name}={}", path.display()));
        }
    }
    for (name, url) in &args.builder.mirrors {
        command.arg("--mirror").arg(format!("{name}={url}"));
    }
    if args.builder.no_check {
        command.arg("--no-check");
    }
    if let Some(builder) = args.builder.builder {
        command.arg("--builder").arg(builder.name());
    }
    Ok(())
}

/// libfaketime and the compiler's memory allocator wait for each other for ever; the compiler asks
/// no clock that could reach a program. So it is started without the library: by whoever looks for
/// it on the returned PATH, and by cargo, whose configuration is looked for in all folders above.
fn spare_the_compiler(copy: &Workspace) -> Result<OsString> {
    let beside = copy.root.parent().unwrap_or(Path::new("/"));
    let rustc = on_path("rustc").ok_or_else(|| {
        Failure::new(Class::Tool, "there is no rustc on PATH").help("install Rust with rustup")
    })?;
    let bin = beside.join("bin");
    fs_err::create_dir_all(&bin).class(Class::Output)?;
    let rustc = format!("'{}'", rustc.display().to_string().replace('\'', "'\\''"));
    script(&bin.join("rustc"), &format!("unset LD_PRELOAD\nexec {rustc} \"$@\"\n"))?;
    let wrapper = beside.join("without-faketime");
    script(&wrapper, "unset LD_PRELOAD\nexec \"$@\"\n")?;
    fs_err::create_dir_all(beside.join(".cargo")).class(Class::Output)?;
    let mut config = toml_edit::DocumentMut::new();
    config["build"]["rustc-wrapper"] = toml_edit::value(wrapper.display().to_string());
    fs_err::write(beside.join(".cargo/config.toml"), config.to_string()).class(Class::Output)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(bin).chain(std::env::split_paths(&path));
    std::env::join_paths(path).map_err(|e| Failure::new(Class::Output, e.to_string()))
}

fn script(path: &Path, text: &str) -> Result<()> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    options.options_mut().mode(0o700);
    let mut file = options.open(path).class(Class::Output)?;
    write!(file, "#!/bin/sh\n{text}").class(Class::Output)
}
