//! Puts together what will be started, from everything that can be configured.
//!
//! Nothing is executed and nothing is printed here: the result is either executed
//! or shown, so that `--print` cannot differ from what would run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::environment::Variables;
use crate::files::{self, Entry};
use crate::flags::{self, Flag, Origin, Settings};
use crate::folder;
use crate::limits::{self, Limit};
use crate::report::{Exit, Failure, Note, Problem};
use crate::role::{Layout, Role};
use crate::{shell, values, zk};

/// Everything about a start.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Which daemon.
    pub role: Role,
    /// Its program.
    pub program: PathBuf,
    /// Its command line.
    pub flags: Vec<Flag>,
    /// Its environment.
    pub variables: Variables,
    /// Its limits, to be set before the start.
    pub limits: Vec<Limit>,
    /// The files of defaults that were read, in order.
    pub read: Vec<PathBuf>,
    /// What should be known about all that.
    pub notes: Vec<Note>,
}

/// Reads the configuration; `hear` gets each line that a file of defaults prints.
pub(crate) fn make(
    role: Role,
    layout: &Layout,
    inherited: Variables,
    hear: &mut dyn FnMut(&Path, &str),
) -> Result<Plan, Failure> {
    let mut plan = Plan {
        role,
        program: layout.program(role),
        flags: Vec::new(),
        variables: inherited,
        limits: Vec::new(),
        read: Vec::new(),
        notes: Vec::new(),
    };
    plan.read_defaults(layout, hear).map_err(|mut failure| {
        failure.notes.append(&mut plan.notes);
        failure
    })?;

    let mut problems = plan.collect_flags(layout);
    problems.extend(plan.check_variables());
    problems.extend(plan.read_limits());
    let settings = Settings::new(&plan.flags, &plan.variables);
    problems.extend(settings.duplicates());
    // A wrong URL is one problem. That there is then no URL is not a second one.
    if problems.is_empty() {
        let (notes, found) = check_masters(role, layout, &settings);
        plan.notes.extend(notes);
        problems.extend(found);
    }
    if problems.is_empty() {
        Ok(plan)
    } else {
        Err(Failure { exit: Exit::Config, notes: plan.notes, problems })
    }
}

impl Plan {
    /// Lets the shell read the files of defaults: common, of packages, and the
    /// administrator's, so that the last has the last word.
    fn read_defaults(
        &mut self,
        layout: &Layout,
        hear: &mut dyn FnMut(&Path, &str),
    ) -> Result<(), Failure> {
        let mut files = vec![layout.common_defaults()];
        let mut problems = Vec::new();
        let folder = layout.package_defaults(self.role);
        for entry in files::list(&folder).unwrap_or_else(|problem| vec![Err(problem)]) {
            match entry {
                Ok(Entry::File(_, path)) => files.push(path),
                Ok(Entry::Folder(_, path)) => self.skip(&path, "it is a folder"),
                Ok(Entry::Skipped(path, why)) => self.skip(&path, why),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(Failure { exit: Exit::Config, notes: Vec::new(), problems });
        }
        files.push(layout.defaults(self.role));
        let started_with = self.variables.clone();
        for file in files {
            let Some((mut variables, notes)) = shell::read(&file, &self.variables, hear)? else {
                continue;
            };
            self.notes.extend(notes);
            // What the administrator wrote into the unit is not a package's to change.
            if layout.is_of_packages(self.role, &file) {
                let path = file.display();
                let kept = variables.restore(&started_with, self.role).into_iter();
                self.notes.extend(kept.map(|name| {
                    let text = "is not used: it was set where mesos-init-wrapper was started";
                    Note::Notice(format!("{name} (set in {path}) {text}"))
                }));
            }
            self.variables = variables;
            self.read.push(file);
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path, why: &str) {
        let text = format!("{} is skipped: {why}", path.display());
        self.notes.push(Note::Warning(text));
    }

    /// Collects the flags: of variables, of /etc/mesos/zk, of the folder of flags.
    fn collect_flags(&mut self, layout: &Layout) -> Vec<Problem> {
        let mut found = folder::read(&layout.flags(self.role), self.role);
        self.notes.append(&mut found.notes);
        self.flags = flags::from_variables(self.role, &self.variables);
        self.flags.append(&mut found.flags);
        self.let_packages_yield(layout);
        let from_variables =
            self.flags.iter().filter(|flag| matches!(flag.origin, Origin::Variable(..))).count();

        let path = layout.zookeeper();
        let flag = self.role.zookeeper_flag();
        match self.zookeeper_default(flag, &path) {
            Ok(None) => {}
            Ok(Some(url)) => self.flags.insert(
                from_variables,
                Flag { name: flag.to_owned(), value: Some(url.into()), origin: Origin::Path(path) },
            ),
            Err(problem) => found.problems.push(problem),
        }
        found.problems
    }

    /// Drops what packages set and the administrator sets otherwise, by another name or in a file.
    fn let_packages_yield(&mut self, layout: &Layout) {
        let is_of_packages = |origin: &Origin| {
            matches!(origin, Origin::Variable(_, Some(file))
                if layout.is_of_packages(self.role, file))
        };
        let settings = Settings::new(&self.flags, &self.variables);
        let dropped: Vec<(Origin, String)> = settings
            .yielding(is_of_packages)
            .into_iter()
            .map(|(origin, own)| (origin.clone(), format!("{origin} is not used: {own} says it")))
            .collect();
        for (origin, text) in dropped {
            self.flags.retain(|flag| flag.origin != origin);
            if let Origin::Variable(name, _) = &origin
                && name.starts_with("MESOS_")
            {
                self.variables.remove(name);
            }
            self.notes.push(Note::Notice(text));
        }
    }

    /// Holds what variables say to the checks that files undergo.
    fn check_variables(&mut self) -> Vec<Problem> {
        let short = self.flags.iter().filter_map(|flag| match (&flag.origin, &flag.value) {
            (Origin::Variable(..), Some(value)) => {
                Some((format!("--{}", flag.name), value, flag.origin.to_string()))
            }
            _ => None,
        });
        let long = self.variables.mesos_flags().map(|(_, name, variable)| {
            (name.to_owned(), &variable.value, Origin::variable(name, variable).to_string())
        });
        let mut problems = Vec::new();
        for (_, name, variable) in self.variables.mesos_flags() {
            if variable.value.is_empty() {
                let origin = Origin::variable(name, variable);
                self.notes.push(Note::Warning(format!(
                    "{origin} is empty, which Mesos takes for a value: 'unset {name}' takes it away"
                )));
            }
        }
        for (name, value, origin) in short.chain(long) {
            match values::check(&name, value, &origin) {
                Ok(note) => self.notes.extend(note),
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }

    /// The packaged default is not even read if anything else says where ZooKeeper is.
    fn zookeeper_default(&mut self, flag: &str, path: &Path) -> Result<Option<String>, Problem> {
        match Settings::new(&self.flags, &self.variables).get(flag) {
            None => zk::read(path),
            Some(setting) => {
                let (path, origin) = (path.display(), &setting.origin);
                let text = format!("{path} is not used: {origin} says it");
                self.notes.push(Note::Detail(text));
                Ok(None)
            }
        }
    }

    fn read_limits(&mut self) -> Option<Problem> {
        let variable = self.variables.get("ULIMIT")?;
        let origin = Origin::variable("ULIMIT", variable);
        match limits::parse(&variable.value.to_string_lossy()) {
            Ok(limits) => {
                self.limits = limits;
                None
            }
            Err(why) => Some(Problem::new(format!("{origin}: {why}")).hint(
                "write it as for the command ulimit, for example ULIMIT=\"-n 8192 -Sc unlimited\"",
            )),
        }
    }
}

/// Checks that the daemon will find its masters, as far as can be known here.
fn check_masters(
    role: Role,
    layout: &Layout,
    settings: &Settings,
) -> (Option<Note>, Option<Problem>) {
    let path = layout.zookeeper();
    let path = path.display();
    if let Some(setting) = settings.get(role.zookeeper_flag()) {
        let value = setting.value.as_deref().unwrap_or(OsStr::new(""));
        let checked = zk::check(role, &value.to_string_lossy(), &setting.origin.to_string());
        return (None, checked.err());
    }
    match role {
        Role::Slave => {
            let what = format!("nothing says where the master is, and {path} holds no URL");
            let hint = format!("write the ZooKeeper URL into {path}: zk://HOST:PORT/mesos");
            (None, Some(Problem::new(what).hint(hint)))
        }
        Role::Master => match quorum_above_one(settings) {
            // One of several masters that has lost its URL must not found a cluster.
            Some(origin) => {
                let what = format!(
                    "{origin} asks for several masters, but {path} holds no URL, \
                     and without ZooKeeper a master is alone"
                );
                let hint = format!(
                    "write the ZooKeeper URL into {path}: zk://HOST:PORT/mesos; \
                     or, for a single master, set quorum to 1"
                );
                (None, Some(Problem::new(what).hint(hint)))
            }
            None => {
                let text = format!("{path} holds no URL: the master runs alone, without ZooKeeper");
                (Some(Note::Notice(text)), None)
            }
        },
    }
}

fn quorum_above_one(settings: &Settings) -> Option<&Origin> {
    let setting = settings.get("quorum")?;
    let value = setting.value.as_deref()?.to_str()?;
    // Anything but a number is for the daemon to complain about.
    let quorum: u32 = value.trim().parse().ok()?;
    (quorum > 1).then_some(&setting.origin)
}
