//! The flags of the command line, and a check that no flag is given twice.
//!
//! Mesos refuses a flag that stands twice on its command line, and prefers the
//! command line to a MESOS_ variable without a word. Neither tells where the two
//! come from, so that is settled here, where it is known.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::environment::{Variable, Variables};
use crate::report::Problem;
use crate::role::Role;

/// One flag of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    /// Its name without the dashes.
    pub name: String,
    /// Its value; a switch has none.
    pub value: Option<OsString>,
    /// Who gave it.
    pub origin: Origin,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file with its value, or a folder with its items.
    Path(PathBuf),
    /// A variable of this name, and the file that set it if any did.
    Variable(String, Option<PathBuf>),
}

impl Origin {
    /// The origin of what a variable says.
    pub(crate) fn variable(name: &str, variable: &Variable) -> Self {
        Self::Variable(name.to_owned(), variable.set_in.clone())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Path(path) => write!(f, "{}", path.display()),
            Origin::Variable(name, Some(file)) => write!(f, "{name} (set in {})", file.display()),
            Origin::Variable(name, None) => {
                write!(f, "{name} (set where mesos-init-wrapper was started)")
            }
        }
    }
}

impl Flag {
    /// The flag as one argument.
    pub(crate) fn argument(&self) -> OsString {
        let mut argument = OsString::from(format!("--{}", self.name));
        if let Some(value) = &self.value {
            argument.push("=");
            argument.push(value);
        }
        argument
    }
}

/// What a flag is about: `--foo`, `--no-foo` and `--FOO` are one to Mesos.
fn subject(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("no-") {
        Some(positive) => positive.to_owned(),
        None => name,
    }
}

/// The flags that stand in short variables such as LOGS.
pub(crate) fn from_variables(role: Role, variables: &Variables) -> Vec<Flag> {
    role.variables()
        .iter()
        .filter_map(|&(name, flag)| {
            let variable = variables.get(name)?;
            Some(Flag {
                name: flag.to_owned(),
                value: Some(variable.value.clone()),
                origin: Origin::variable(name, variable),
            })
        })
        .collect()
}

/// A setting as the daemon will see it, from a flag or a MESOS_ variable.
pub(crate) struct Setting {
    /// Its value; a switch has none.
    pub value: Option<OsString>,
    /// Who gave it.
    pub origin: Origin,
}

/// Every setting, by what it is about.
pub(crate) struct Settings(BTreeMap<String, Vec<Setting>>);

impl Settings {
    /// Collects what the daemon will find.
    pub(crate) fn new(flags: &[Flag], variables: &Variables) -> Self {
        let mut settings: BTreeMap<String, Vec<Setting>> = BTreeMap::new();
        for flag in flags {
            settings
                .entry(subject(&flag.name))
                .or_default()
                .push(Setting { value: flag.value.clone(), origin: flag.origin.clone() });
        }
        for (flag, name, variable) in variables.mesos_flags() {
            settings.entry(flag).or_default().push(Setting {
                value: Some(variable.value.clone()),
                origin: Origin::variable(name, variable),
            });
        }
        Self(settings)
    }

    /// The settings that yield to another one, each with the one that is used. What `is_of_packages`
    /// yields to what the administrator says, if that is one thing.
    pub(crate) fn yielding(
        &self,
        is_of_packages: impl Fn(&Origin) -> bool,
    ) -> Vec<(&Origin, &Origin)> {
        let mut found = Vec::new();
        for settings in self.0.values() {
            let origins = settings.iter().map(|setting| &setting.origin);
            let (packages, own): (Vec<_>, Vec<_>) = origins.partition(|it| is_of_packages(it));
            if let Some(own) = own.first() {
                found.extend(packages.into_iter().map(|origin| (origin, *own)));
            }
        }
        found
    }

    /// The first setting of a flag.
    pub(crate) fn get(&self, flag: &str) -> Option<&Setting> {
        self.0.get(flag)?.first()
    }

    /// One problem for every flag that is given more than once.
    pub(crate) fn duplicates(&self) -> impl Iterator<Item = Problem> {
        self.0.iter().filter(|(_, settings)| settings.len() > 1).map(|(flag, settings)| {
            let places: Vec<_> =
                settings.iter().map(|setting| setting.origin.to_string()).collect();
            Problem::new(format!(
                "the flag {flag} is set {} times: by {}",
                places.len(),
                places.join(" and by ")
            ))
            .hint(
                "remove all but one; to drop a variable that a package sets, \
                     write 'unset NAME' into the file that is yours",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str, value: Option<&str>, path: &str) -> Flag {
        Flag {
            name: name.to_owned(),
            value: value.map(OsString::from),
            origin: Origin::Path(path.into()),
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    fn duplicates(flags: &[Flag], pairs: &[(&str, &str)]) -> Vec<String> {
        Settings::new(flags, &variables(pairs))
            .duplicates()
            .map(|problem| problem.to_string())
            .collect()
    }

    #[test]
    fn arguments_are_written_as_mesos_reads_them() {
        assert_eq!(flag("quorum", Some("2"), "/f").argument(), "--quorum=2");
        assert_eq!(flag("no-strict", None, "/f").argument(), "--no-strict");
    }

    #[test]
    fn each_daemon_has_its_own_variables() {
        let all = variables(&[
            ("MASTER", "m"),
            ("ZK", "z"),
            ("IP", "i"),
            ("PORT", "p"),
            ("CLUSTER", "c"),
            ("LOGS", "l"),
            ("ISOLATION", "s"),
        ]);
        let arguments = |role| -> Vec<OsString> {
            from_variables(role, &all).iter().map(Flag::argument).collect()
        };
        assert_eq!(
            arguments(Role::Master),
            ["--zk=z", "--ip=i", "--port=p", "--cluster=c", "--log_dir=l"]
        );
        assert_eq!(
            arguments(Role::Slave),
            ["--master=m", "--ip=i", "--log_dir=l", "--isolation=s"]
        );
    }

    #[test]
    fn an_empty_variable_gives_no_flag() {
        assert_eq!(from_variables(Role::Slave, &variables(&[("IP", "")])), []);
    }

    #[test]
    fn different_flags_are_no_duplicates() {
        let flags = [
            flag("a_b", Some("1"), "/f/a_b"),
            flag("a-b", Some("1"), "/f/a-b"),
            flag("no", None, "/f/?no"),
        ];
        assert_eq!(duplicates(&flags, &[("MESOS_C", "1")]), [""; 0]);
    }

    #[test]
    fn a_switch_and_its_opposite_are_duplicates() {
        for (one, other) in [("strict", "no-strict"), ("Strict", "strict")] {
            let flags = [flag(one, None, "/f/one"), flag(other, None, "/f/other")];
            let found = duplicates(&flags, &[]);
            assert_eq!(found.len(), 1);
            assert!(found[0].contains("the flag strict"), "{found:?}");
            assert!(found[0].contains("/f/one and by /f/other"), "{found:?}");
        }
    }

    #[test]
    fn a_flag_and_a_variable_are_duplicates() {
        let flags = [flag("log_dir", Some("/x"), "/f/log_dir")];
        let found = duplicates(&flags, &[("MESOS_LOG_DIR", "/y"), ("MESOS_IP", "1")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("MESOS_LOG_DIR"), "{found:?}");
        assert!(found[0].contains("/f/log_dir"), "{found:?}");
    }
}
