//! A compile: the phases of a build, each in a container of its own with the same folders.
//!
//! The results of a phase are in the folders, never in the container. So the next phase, and the shell after a
//! failure, see them.

use std::{
    collections::BTreeSet,
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Instant,
};

use el7rpm::spec::{ContainerBuild, Phase};

use super::{
    ABI, BUILD_ROOT, Builder, Farm, NEEDS_ROOT, ROOT, SOURCE_ROOT, STAGE_ROOT, ccache,
    ccache::{Counts, Trust},
    diagnosis::{self, PhaseEnd, Signs},
    invocation::{HOME, PATH},
    needs,
    runner::{Runner, Surroundings},
    user::{self, User},
};
use crate::{mount::Mount, site::Site};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
    process::{Decision, Process},
};

/// A build, with its sources unpacked.
pub struct Compile<'a> {
    /// The description's folder under specs/.
    pub name: &'a str,
    /// Version of its first package.
    pub version: &'a str,
    /// Whether a source is not the pinned one (`--local`).
    pub local: bool,
    /// Its sources, unpacked: the name of each and its folder.
    pub sources: Vec<(String, PathBuf)>,
    /// Other builds, whose sources, build trees and staged roots it reads.
    pub needs: Vec<Need>,
    /// Its phases, variables and switches.
    pub build: &'a ContainerBuild,
    /// SOURCE_DATE_EPOCH.
    pub source_date: u32,
    /// Options of the run.
    pub options: &'a Options,
}

/// A build that another build reads.
#[derive(Clone, Debug)]
pub struct Need {
    /// Name of its description.
    pub name: String,
    /// Its build tree.
    pub build: PathBuf,
    /// Its staged root.
    pub stage: PathBuf,
    /// Its sources, unpacked: the name of each and its folder.
    pub sources: Vec<(String, PathBuf)>,
}

/// Options of the run. Only `farm` can change the result, so it is part of the step's key.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many compilers run at once; if it is `None`, the machine's cores and memory decide.
    pub jobs: Option<u16>,
    /// Machines that take part in the compile.
    pub farm: Option<Farm>,
    /// Whether to open a shell in the container's folders after a phase has failed.
    pub shell_on_failure: bool,
    /// Whether to begin with an empty ccache: objects that were compiled before would prove nothing about
    /// reproducibility.
    pub own_ccache: bool,
}

impl Compile<'_> {
    /// Runs all phases; leaves the build tree in `out/build`, the staged root in `out/stage` and what its system's libraries
    /// define in `out/abi.toml`. It takes all cores,
    /// and all the memory that compilers on them need: the caller runs one compile at a time.
    pub fn run(
        &self,
        builder: &Builder,
        site: &Site<'_>,
        step: &str,
        out: &Path,
    ) -> Result<(), Trouble> {
        let user = builder.user();
        let scratch = tempfile::tempdir_in(site.workspace.tmp()).class(Class::Output)?;
        let (build, stage) = (out.join("build"), out.join("stage"));
        for dir in [&build, &stage] {
            fs_err::create_dir_all(dir).class(Class::Output)?;
            user::give_to(dir, user)?;
        }
        let _closed = user::PrivateFolder::to_others(out)?;
        let mut mounts = self.mounts(&build, &stage)?;
        for need in &self.needs {
            let copy = scratch.path().join(NEEDS_ROOT.trim_start_matches('/')).join(&need.name);
            let outside = needs::readable_by_all(&need.stage, &copy)?;
            let inside = format!("{NEEDS_ROOT}/{}", need.name);
            mounts.push(Mount { inside, outside, writable: false });
        }
        let offline = self.options.farm.is_none();
        mounts.extend(builder.user_inside().accounts(scratch.path(), offline)?);
        let cache = (self.cache(builder, site, user)?, self.trust());
        let requests = tempfile::tempdir_in(site.workspace.tmp()).class(Class::Output)?;
        let runner =
            Runner::prepare(builder, self.name, site.workspace, mounts, cache, requests.path())?;
        let jobs = self.jobs(builder);
        let env = self.env(jobs);
        let dir = format!("{BUILD_ROOT}/{}", self.name);
        let around = Surroundings { dir: &dir, env: &env, network: !offline };
        let log = site.workspace.logs().join(self.log());
        let _ = fs_err::remove_file(&log);
        let run = Run { compile: self, builder, site, step, runner: &runner, around, jobs, log };
        run.phases(&[&build, &stage]).inspect_err(|_| {
            // If this fails, files of another owner remain, and the next run reports them.
            let _ = user::take_back(out, true);
        })?;
        runner.collect()?;
        user::take_back(&stage, false)?;
        user::take_back(&build, true)?;
        fs_err::copy(&builder.root().abi, out.join(ABI)).class(Class::Output)?;
        fs_err::write(out.join(ROOT), &builder.root().summary.digest).class(Class::Output)?;
        Ok(())
    }

    fn mounts(&self, build: &Path, stage: &Path) -> Result<Vec<Mount>> {
        let mount = |inside: String, outside: &Path, writable| Mount {
            inside,
            outside: outside.to_owned(),
            writable,
        };
        let mut mounts = vec![
            mount(format!("{BUILD_ROOT}/{}", self.name), build, true),
            mount(STAGE_ROOT.into(), stage, true),
        ];
        let needed = self.needs.iter().flat_map(|need| &need.sources);
        for (name, dir) in self.sources.iter().chain(needed) {
            mounts.push(mount(format!("{SOURCE_ROOT}/{name}"), dir, false));
        }
        for need in &self.needs {
            mounts.push(mount(format!("{BUILD_ROOT}/{}", need.name), &need.build, false));
        }
        let mut seen = BTreeSet::new();
        match mounts.iter().find(|p| !seen.insert(&p.inside)) {
            None => Ok(mounts),
            Some(twice) => Err(Failure::new(
                Class::Spec,
                format!("two things want to be {} while {} is built", twice.inside, self.name),
            )
            .help("give sources names that differ from those of the builds it needs")),
        }
    }

    /// Which other builds may use this build's ccache: a build can write any object into it.
    fn trust(&self) -> Trust {
        match self.options.own_ccache {
            true => Trust::Own,
            false if self.local || self.options.farm.is_some() => Trust::Unpinned,
            false => Trust::Pinned,
        }
    }

    fn log(&self) -> String {
        format!("compile-{}.log", self.name)
    }

    fn cache(&self, builder: &Builder, site: &Site<'_>, user: User) -> Result<Mount> {
        let mut cache =
            Mount { inside: ccache::INSIDE.into(), outside: PathBuf::new(), writable: true };
        if builder.shares_folders() {
            cache.outside = ccache::folder(site.workspace, builder.key(), self.trust())?;
            user::give_to(&cache.outside, user)?;
        }
        Ok(cache)
    }

    fn jobs(&self, builder: &Builder) -> usize {
        let farm = self.options.farm.as_ref().map_or(0, Farm::jobs);
        self.options.jobs.map_or_else(|| builder.jobs().max(farm), usize::from)
    }

    /// All variables of the build. It gets no others.
    fn env(&self, jobs: usize) -> Vec<(String, String)> {
        let name = self.name;
        let own = [
            ("BUILD", format!("{BUILD_ROOT}/{name}")),
            ("HOME", HOME.into()),
            ("JOBS", jobs.to_string()),
            ("LC_ALL", "C".into()),
            ("LOGNAME", "builder".into()),
            ("NAME", name.into()),
            ("PATH", PATH.into()),
            ("SOURCE_DATE_EPOCH", self.source_date.to_string()),
            ("SRC", format!("{SOURCE_ROOT}/{}", self.build.main)),
            ("STAGE", STAGE_ROOT.into()),
            ("SWITCHES", self.build.options()),
            ("TZ", "UTC".into()),
            ("USER", "builder".into()),
            ("VERSION", self.version.into()),
        ];
        let mut env: Vec<_> = own.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let fixed = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        env.extend(ccache::SETTINGS.map(fixed));
        if let Some(farm) = &self.options.farm {
            env.extend([("CCACHE_PREFIX", "distcc"), ("DISTCC_HOSTS", farm.hosts())].map(fixed));
        }
        env.extend(self.build.env.clone());
        env
    }
}

/// A running compile.
struct Run<'a> {
    compile: &'a Compile<'a>,
    builder: &'a Builder,
    site: &'a Site<'a>,
    step: &'a str,
    runner: &'a Runner<'a>,
    around: Surroundings<'a>,
    jobs: usize,
    log: PathBuf,
}

impl Run<'_> {
    fn phases(&self, folders: &[&Path]) -> Result<()> {
        let before = self.counts();
        for phase in &self.compile.build.phases {
            if let Err(failure) = self.phase(phase, folders) {
                if self.compile.options.shell_on_failure {
                    self.shell(phase, &failure);
                }
                return Err(failure);
            }
        }
        if let (Some(before), Some(after)) = (before, self.counts())
            && let Some(rate) = after.since(before)
        {
            self.note(&format!("{}: {rate}", self.step));
        }
        Ok(())
    }

    fn phase(&self, phase: &Phase, folders: &[&Path]) -> Result<()> {
        let (step, name, reporter) = (self.step, phase.name.as_str(), self.site.reporter);
        reporter.event(&Event::Phase { step, phase: name });
        let start = Instant::now();
        let command = ["/bin/sh", "-eu", "-c", &phase.script, name];
        let mut program = self.runner.program(&self.around, &command, false)?;
        program.current_dir(&self.site.workspace.root);
        let probe = self.runner.engine().map(|engine| || engine.probe());
        let log = self.compile.log();
        let process = Process {
            probe: probe.as_ref().map(|probe| probe as _),
            ..self.site.process(program, log, Class::Tool, step)
        };
        let mut signs = Signs::default();
        let ended = process.watch(|line| {
            signs.read_line(line);
            Decision::Continue
        });
        let ended = ended.inspect_err(|_| self.runner.clear())?;
        let (warnings, time) = (signs.warnings, start.elapsed());
        reporter.event(&Event::PhaseEnded { step, phase: name, warnings, time });
        if ended.status.success() {
            return Ok(());
        }
        self.runner.clear();
        let end = PhaseEnd {
            phase: name,
            system: self.runner.system(),
            builder: self.builder.name(),
            jobs: self.jobs,
            code: ended.status.code(),
            status: ended.status.to_string(),
            log: self.log.clone(),
            folders,
        };
        Err(diagnosis::explain(&end, &signs, ended.lines))
    }

    /// ccache's counts; `None` if the image's ccache does not print them in a known form.
    fn counts(&self) -> Option<Counts> {
        let reporter = (self.step, self.site.reporter);
        let text = self.runner.output(&self.around, &ccache::COUNTS, reporter);
        text.ok().and_then(|text| Counts::parse(&text))
    }

    /// Opens a shell with the same image, folders and variables as the phase had.
    fn shell(&self, phase: &Phase, failure: &Failure) {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            self.note("--shell-on-failure needs a terminal; there is none");
            return;
        }
        let shown: Vec<_> = failure.last_lines.iter().take(4).map(String::as_str).collect();
        self.note(&format!("{}\n  {}", failure.message, shown.join("\n  ")));
        self.note(
            "a shell in the builder: sh -eu -c \"$PHASE\" runs the phase again, `exit` ends the run",
        );
        let script = format!("PHASE={}", phase.script);
        let start = "[ -x /bin/bash ] && exec /bin/bash --norc -i; exec /bin/sh -i";
        let command = ["env", &script, "/bin/sh", "-c", start];
        self.site.reporter.with_terminal(&mut || {
            if let Ok(program) = self.runner.program(&self.around, &command, true) {
                let _ = program.on_terminal();
            }
        });
    }

    fn note(&self, message: &str) {
        self.site.reporter.event(&Event::Note { message });
    }
}
