//! `doctor`: checks everything that a run needs of this machine, and says how to install what is missing.

mod line;
mod room;

use std::{collections::BTreeSet, path::Path};

use el7rpm::spec::{Build, Origin, Source, Spec};

use line::check;

use crate::{
    output::{CheckObject, CheckState as State, Output},
    terminal,
};
use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    process::on_path,
    workspace::Workspace,
};
use builders::{
    container::{Engine, Image},
    pinned_rust,
    root::LOCK,
    rust::{self, Rust},
    sandbox::Sandbox,
    target::Target,
    toolchain,
    tools::{Zig, pip_version},
};
use pipeline::keys;

pub(super) fn run(workspace: &Workspace, reporter: &dyn Reporter, json: bool) -> Result<()> {
    let mut checks = vec![
        rust(workspace),
        target(workspace),
        release_rust(workspace),
        python(workspace),
        zig(workspace),
        descriptions(workspace),
        key(workspace),
        gpg(),
        git(workspace),
    ];
    let specs = workspace.specs(&BTreeSet::new()).unwrap_or_default();
    checks.extend(builder(workspace, &specs));
    checks.extend(room::checks(workspace, &specs, reporter));
    let all = checks.len();
    let missing = checks.iter().filter(|c| c.state == State::Missing).count();
    if json {
        terminal::json(&Output::Doctor { checks });
    } else {
        let line = |c: &CheckObject| {
            let state = match c.state {
                State::Ok => "ok",
                State::Note => "note",
                State::Missing => "MISSING",
            };
            format!("  {state:<8}{:<26}{}\n", c.what, c.detail)
        };
        terminal::text(&checks.iter().map(line).collect::<String>());
    }
    match missing {
        0 => Ok(()),
        n => Err(Failure::new(Class::Tool, format!("{n} of {all} things are missing"))
            .help("the list says how to get each")),
    }
}

fn rust(workspace: &Workspace) -> CheckObject {
    match Rust::ask(&workspace.root, &toolchain::PRESENT) {
        Ok(rust) => check("Rust", State::Ok, rust.identity.lines().next().unwrap_or_default()),
        Err(failure) => check("Rust", State::Missing, failure.message.as_str()),
    }
}

fn target(workspace: &Workspace) -> CheckObject {
    let what = "Rust's target";
    let (musl, glibc) = (Target::Musl.triple(), Target::Glibc.with_version());
    // Without a compiler, another line says so.
    let rust = Rust::ask(&workspace.root, &toolchain::PRESENT).ok();
    let has = |target| rust.as_ref().is_some_and(|rust| rust.has(target));
    let add = toolchain::PRESENT.how_to_add(Target::Musl);
    match (has(Target::Musl), has(Target::Glibc)) {
        (true, _) => check(what, State::Ok, musl),
        (_, true) if rust::has_rustup() => check(what, State::Note, format!("a run will: {add}")),
        (_, true) => check(what, State::Note, format!("{glibc}; better: {add}")),
        _ => check(what, State::Missing, add),
    }
}

fn release_rust(workspace: &Workspace) -> CheckObject {
    const WHAT: &str = "Rust of releases";
    match pinned_rust::of_release(workspace) {
        Ok(_) => check(WHAT, State::Ok, "installed, by rustup"),
        Err(failure) => {
            let help = failure.help.as_deref().unwrap_or_default();
            let detail = format!("only --release needs it. {}: {help}", failure.message);
            check(WHAT, State::Note, detail)
        }
    }
}

fn python(workspace: &Workspace) -> CheckObject {
    match pip_version(Path::new("python3")) {
        Some(version) => check("Python's pip", State::Ok, version),
        None if Zig::locate(workspace, false).is_there() => {
            check("Python's pip", State::Note, "not there; zig is, so it is not needed")
        }
        None => check(
            "Python's pip",
            State::Missing,
            "apt-get install python3-pip, to install zig with",
        ),
    }
}

fn zig(workspace: &Workspace) -> CheckObject {
    let zig = Zig::locate(workspace, false);
    match zig.is_there() {
        true => check("zig and cargo-zigbuild", State::Ok, zig.zig.display().to_string()),
        false => check(
            "zig and cargo-zigbuild",
            State::Note,
            "will be installed under target/ when needed",
        ),
    }
}

fn descriptions(workspace: &Workspace) -> CheckObject {
    match workspace.specs(&BTreeSet::new()) {
        Ok(specs) => {
            let packages = specs.iter().map(|s| s.packages.len()).sum::<usize>();
            check(
                "descriptions",
                State::Ok,
                format!("{packages} packages in {} files", specs.len()),
            )
        }
        Err(failure) => check("descriptions", State::Missing, failure.message.as_str()),
    }
}

fn key(workspace: &Workspace) -> CheckObject {
    const KEY: &str = "development key";
    match keys::development_fingerprint(workspace) {
        Ok(Some(_)) => {
            check(KEY, State::Ok, keys::development_path(workspace).display().to_string())
        }
        Ok(None) => {
            check(KEY, State::Note, "will be made when needed; releases need --key or --gpg-key")
        }
        Err(failure) => {
            let help = failure.help.as_deref().unwrap_or_default();
            check(KEY, State::Missing, format!("{}: {help}", failure.message))
        }
    }
}

fn gpg() -> CheckObject {
    match on_path("gpg") {
        Some(path) => check("gpg", State::Ok, path.display().to_string()),
        None => check("gpg", State::Note, "not there; only --gpg-key needs it"),
    }
}

/// What can compile C and C++, and the images that the descriptions name.
fn builder(workspace: &Workspace, specs: &[Spec]) -> Vec<CheckObject> {
    let images: BTreeSet<_> = specs.iter().filter_map(image_of).collect();
    let sandbox = Sandbox::find();
    let engine = engine(sandbox.is_ok() || images.is_empty());
    let sandbox = match sandbox {
        Ok(_) => {
            check("sandbox", State::Ok, "this machine allows it; C and C++ are compiled in it")
        }
        Err(failure) => {
            let help = failure.help.as_deref().unwrap_or_default();
            check("sandbox", State::Note, format!("{}: {help}", failure.message))
        }
    };
    let images = images.into_iter().map(|name| image(workspace, name));
    [sandbox, engine].into_iter().chain(images).collect()
}

/// The container engine; `optional` if there is another builder, or nothing to compile.
fn engine(optional: bool) -> CheckObject {
    const ENGINE: &str = "container engine";
    match Engine::find(None) {
        Ok(engine) => check(ENGINE, State::Ok, engine.description()),
        Err(Trouble::Unavailable(failure) | Trouble::Failed(failure)) => {
            let state = if optional { State::Note } else { State::Missing };
            let help = failure.help.as_deref().unwrap_or_default();
            check(ENGINE, state, format!("{}: {help}", failure.message))
        }
    }
}

fn image_of(spec: &Spec) -> Option<&str> {
    match &spec.build {
        Some(Build::Container(build)) => Some(&build.image),
        _ => None,
    }
}

fn image(workspace: &Workspace, name: &str) -> CheckObject {
    let what = format!("builder image {name}");
    match Image::load(workspace, name, &[]) {
        Err(failure) => check(what, State::Missing, failure.message.as_str()),
        Ok(image) if image.is_locked() => {
            check(what, State::Ok, format!("containers/{name}/{LOCK} pins its packages"))
        }
        Ok(_) => {
            let detail = format!(
                "containers/{name}/{LOCK} is not there; a run that reaches the repositories writes it"
            );
            check(what, State::Note, detail)
        }
    }
}

fn git(workspace: &Workspace) -> CheckObject {
    let is_git = |source: &Source| matches!(source.origin, Origin::Git { .. });
    let needed = |specs: Vec<Spec>| specs.iter().flat_map(|s| &s.sources).any(is_git);
    match on_path("git") {
        Some(path) => check("git", State::Ok, path.display().to_string()),
        None if workspace.specs(&BTreeSet::new()).is_ok_and(needed) => {
            check("git", State::Missing, "apt-get install git: sources are git repositories")
        }
        None => check("git", State::Note, "not there; no source needs it"),
    }
}
