//! Measures the builder: making the root of an image from the store, against rpm; and what starting a phase in the sandbox costs,
//! against podman and against a plain shell.
//!
//! Both are measured through the command line, on a checkout of their own that has a copy of the image.

use std::{cell::Cell, os::unix::fs::symlink, path::PathBuf};

use super::{
    BenchFolder, Row,
    clock::{fastest, time, time_and_memory},
    copies::{copy_development_key, copy_folder},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    process::{Program, on_path},
    workspace::Workspace,
};
use builders::{
    container::{Engine, EngineKind},
    root::{Description, LOCK, Lock},
    sandbox::Sandbox,
};
use sources::Store;

/// How many phases a run has more than the run that it is compared with.
const PHASES: u32 = 20;

pub(super) fn measure(workspace: &Workspace, image: &str, runs: u16) -> Result<Vec<Row>> {
    let description = Description::load(workspace, image, &[])?;
    let lock = Lock::load(&description.dir)?.ok_or_else(|| no_lock(image))?;
    let bench = BuilderBench {
        workspace,
        image,
        scratch: BenchFolder::new(workspace)?,
        turn: Cell::new(0),
    };
    bench.prepare(&description)?;
    let mut rows = vec![bench.root(&lock, runs)?];
    rows.extend(bench.phases(runs)?);
    Ok(rows)
}

fn no_lock(image: &str) -> Failure {
    let message = format!("there is no containers/{image}/{LOCK}");
    Failure::new(Class::Source, message)
        .help(format!("`cargo xtask lock {image}` writes it; `cargo xtask root {image}` fetches"))
}

struct BuilderBench<'a> {
    workspace: &'a Workspace,
    image: &'a str,
    scratch: BenchFolder,
    /// Counts the compiles: a result of one builder would do for another one, too.
    turn: Cell<u32>,
}

impl BuilderBench<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.dir.join(name)
    }

    fn prepare(&self, description: &Description) -> Result<()> {
        copy_folder(&description.dir, &self.path("containers").join(self.image))?;
        copy_development_key(self.workspace, &self.scratch.dir)?;
        fs_err::create_dir_all(self.path("specs/bench/src")).class(Class::Output)?;
        fs_err::create_dir_all(self.path("cache")).class(Class::Output)?;
        let store = fs_err::canonicalize(self.workspace.shared().join("sources"));
        symlink(store.class(Class::Source)?, self.path("cache/sources")).class(Class::Output)
    }

    fn xtask(&self, args: &[&str]) -> Result<Program> {
        let mut command = Program::new(std::env::current_exe().class(Class::Tool)?);
        command.arg("--root").arg(&self.scratch.dir).args(args);
        command.env("MESOS_CALICO_CACHE", self.path("cache"));
        command.without(|name| name == "CARGO_TARGET_DIR");
        Ok(command)
    }

    /// Making the root, in turns with rpm, which installs the same packages without their scripts.
    fn root(&self, lock: &Lock, runs: u16) -> Result<Row> {
        let packages = lock.packages.len();
        let (mut own, mut peer, mut memory) = (f64::MAX, None, 0);
        for _ in 0..runs {
            let roots = self.path("cache/roots");
            if roots.exists() {
                base::disk::remove_folder(&roots)?;
            }
            let command = self.xtask(&["root", self.image, "--offline"])?;
            let (took, peak) = time_and_memory(&self.path("peak"), command)?;
            (own, memory) = (own.min(took.as_secs_f64()), peak);
            if on_path("rpm").is_some() && rustix::process::geteuid().is_root() {
                let took = self.install(lock)?;
                peer = Some(peer.map_or(took, |best: f64| best.min(took)));
            }
        }
        let note = format!("{packages} packages, {:.0} MB of memory", memory as f64 / 1e6);
        let peer = peer.map(|seconds| ("rpm --root, no scripts".to_owned(), seconds));
        let note = if peer.is_some() { note } else { format!("{note}; no peer: rpm, as root") };
        Ok(Row { what: "the root from the store".into(), seconds: own, peer, note })
    }

    fn install(&self, lock: &Lock) -> Result<f64> {
        let root = self.path("by-rpm");
        if root.exists() {
            base::disk::remove_folder(&root)?;
        }
        let store = Store::open(self.workspace)?;
        let mut command = Program::new("rpm");
        command.arg("--root").arg(&root).args(["--install", "--nodeps", "--noscripts"]);
        command.args(["--ignorearch", "--ignoreos", "--nosignature", "--dbpath", "/db"]);
        command.args(lock.packages.iter().map(|package| store.archive(&package.sha256)));
        fs_err::create_dir_all(&root).class(Class::Output)?;
        Ok(time(&mut command)?.as_secs_f64())
    }

    /// What one more phase costs.
    fn phases(&self, runs: u16) -> Result<Vec<Row>> {
        let shell = fastest(runs, || time(Program::new("sh").args(["-c", ":"])))?;
        if Sandbox::find().is_err() {
            return Ok(vec![Row::alone(
                "a phase without a sandbox",
                shell,
                "no sandbox here".into(),
            )]);
        }
        let sandbox = self.phase("sandbox", runs)?;
        let what = "a phase, started in the sandbox";
        let mut rows = vec![Row {
            what: what.into(),
            seconds: sandbox,
            peer: Some(("sh -c :".into(), shell)),
            note: String::new(),
        }];
        rows.push(match Engine::find(Some(EngineKind::Podman)) {
            Ok(_) => Row {
                what: what.into(),
                seconds: sandbox,
                peer: Some(("podman".into(), self.phase("podman", runs)?)),
                note: String::new(),
            },
            Err(_) => Row::missing(what, sandbox, "podman"),
        });
        Ok(rows)
    }

    /// The time of a phase: the difference between a run with many and a run with one.
    fn phase(&self, builder: &str, runs: u16) -> Result<f64> {
        let rpm = ["rpm", "--builder", builder, "--offline"];
        // The image is made, and the first compile done.
        self.spec(1)?;
        time(&mut self.xtask(&rpm)?)?;
        let of = |phases| {
            fastest(runs, || {
                self.spec(phases)?;
                time(&mut self.xtask(&rpm)?)
            })
        };
        let (one, many) = (of(1)?, of(1 + PHASES)?);
        Ok((many - one).max(0.0) / f64::from(PHASES))
    }

    /// A package whose compile has so many phases. The turn is in its key, so that each run compiles.
    fn spec(&self, phases: u32) -> Result<()> {
        let turn = self.turn.get() + 1;
        self.turn.set(turn);
        let phase = |n: u32| format!("[[build.phase]]\nname = \"p{n}\"\nrun = \": {turn}\"\n");
        let stage = "[[build.phase]]\nname = \"stage\"\n\
                     run = \"mkdir -p $STAGE/usr/share/bench; : > $STAGE/usr/share/bench/file\"\n";
        let phases: String = (0..phases).map(phase).collect();
        let text = format!(
            "[source.bench]\npath = \"src\"\n[build]\nimage = \"{}\"\n{phases}{stage}\
             [package.bench]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"Benchmark\"\nlicense = \"none\"\n\
             assets = [{{ staged = \"/usr/share/bench\" }}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n",
            self.image
        );
        fs_err::write(self.path("specs/bench/src/file"), "").class(Class::Output)?;
        fs_err::write(self.path("specs/bench/package.toml"), text).class(Class::Output)
    }
}
