//! The variables that the daemon will see, and which file set each of them.
//!
//! The files under /etc/default are shell: only a shell can say what they mean.
//! Each is read by a /bin/sh of its own that starts with the variables so far;
//! what changed in between is what that file set.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::role::Role;

/// What a shell sets for itself. The daemon gets what the wrapper was started with.
const SHELLS_OWN: &[&str] = &["PWD", "OLDPWD", "SHLVL", "_"];

/// The value of a variable and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its value.
    pub value: OsString,
    /// The file that set it; none if the wrapper was started with it.
    pub set_in: Option<PathBuf>,
}

/// All variables, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables(BTreeMap<OsString, Variable>);

impl Variables {
    /// The variables that the wrapper was started with.
    pub(crate) fn inherited() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable that has a value; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(OsStr::new(name)).filter(|variable| !variable.value.is_empty())
    }

    /// All variables, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsStr, &Variable)> {
        self.0.iter().map(|(name, variable)| (name.as_os_str(), variable))
    }

    /// All variables with names that can be a flag, as that flag would be called.
    pub(crate) fn mesos_flags(&self) -> impl Iterator<Item = (String, &str, &Variable)> {
        self.0.iter().filter_map(|(name, variable)| {
            let name = name.to_str()?;
            let flag = name.strip_prefix("MESOS_")?.to_ascii_lowercase();
            Some((flag, name, variable))
        })
    }

    /// Takes a variable away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// Puts the settings of `role` back to what they were in `before`; gives the names of those
    /// that had changed.
    pub(crate) fn restore(&mut self, before: &Self, role: Role) -> Vec<String> {
        let mut names = Vec::new();
        for (name, variable) in &before.0 {
            let Some(text) = name.to_str().filter(|name| role.is_setting(name)) else { continue };
            if self.0.get(name) != Some(variable) {
                self.0.insert(name.clone(), variable.clone());
                names.push(text.to_owned());
            }
        }
        names
    }

    /// The variables after `file` was read, given everything that the shell had then.
    pub(crate) fn updated(&self, file: &Path, shell: BTreeMap<OsString, OsString>) -> Self {
        // A name that a shell cannot write is none of its business: dash drops
        // these, and bash makes some of its own to export functions.
        let mut variables: BTreeMap<_, _> = self
            .0
            .iter()
            .filter(|(name, _)| !is_settable(name))
            .map(|(name, variable)| (name.clone(), variable.clone()))
            .collect();
        for (name, value) in shell {
            if !is_settable(&name) {
                continue;
            }
            let variable = match self.0.get(&name) {
                Some(before) if before.value == value => before.clone(),
                _ => Variable { value, set_in: Some(file.to_owned()) },
            };
            variables.insert(name, variable);
        }
        Self(variables)
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(pairs: T) -> Self {
        let inherited = |value| Variable { value, set_in: None };
        Self(pairs.into_iter().map(|(name, value)| (name, inherited(value))).collect())
    }
}

/// Splits what `env -0` prints.
pub(crate) fn split(printed: &[u8]) -> BTreeMap<OsString, OsString> {
    printed
        .split(|&byte| byte == 0)
        .filter_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (&pair[..equals], &pair[equals + 1..]);
            Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
        })
        .collect()
}

/// Whether a sourced file can set a variable of this name.
fn is_settable(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|&first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.iter().all(|&byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !SHELLS_OWN.iter().any(|own| name == *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    fn updated(before: &[(&str, &str)], shell: &[(&str, &str)]) -> Vec<(String, String, bool)> {
        let before: Variables = pairs(before).into_iter().collect();
        before
            .updated(Path::new("/f"), pairs(shell))
            .iter()
            .map(|(name, variable)| {
                (
                    name.to_string_lossy().into_owned(),
                    variable.value.to_string_lossy().into_owned(),
                    variable.set_in.is_some(),
                )
            })
            .collect()
    }

    fn row(name: &str, value: &str, set_here: bool) -> (String, String, bool) {
        (name.to_owned(), value.to_owned(), set_here)
    }

    #[test]
    fn what_a_file_sets_changes_and_unsets_is_taken_over() {
        let before = [("KEPT", "1"), ("CHANGED", "1"), ("UNSET", "1")];
        let shell = [("KEPT", "1"), ("CHANGED", "2"), ("NEW", "3")];
        let expected = [row("CHANGED", "2", true), row("KEPT", "1", false), row("NEW", "3", true)];
        assert_eq!(updated(&before, &shell), expected);
    }

    #[test]
    fn what_the_shell_sets_for_itself_is_not() {
        let before = [("PWD", "/"), ("dotted.name", "1")];
        let shell = [
            ("PWD", "/tmp"),
            ("SHLVL", "2"),
            ("_", "/usr/bin/env"),
            ("BASH_FUNC_f%%", "() { :; }"),
        ];
        let expected = [row("PWD", "/", false), row("dotted.name", "1", false)];
        assert_eq!(updated(&before, &shell), expected);
    }

    #[test]
    fn values_may_hold_anything_but_nul() {
        let printed = b"A=1\0B=a=b\nc\0EMPTY=\0LATIN=\xe9\0";
        let variables = split(printed);
        assert_eq!(variables.len(), 4);
        assert_eq!(variables[OsStr::new("B")], "a=b\nc");
        assert_eq!(variables[OsStr::new("EMPTY")], "");
        assert_eq!(variables[OsStr::new("LATIN")].as_bytes(), b"\xe9");
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let variables: Variables = pairs(&[("IP", "")]).into_iter().collect();
        assert_eq!(variables.get("IP"), None);
    }

    #[test]
    fn mesos_variables_are_flags_in_small_letters() {
        let variables: Variables =
            pairs(&[("MESOS_LOG_DIR", "/x"), ("LOGS", "/y")]).into_iter().collect();
        let flags: Vec<_> = variables.mesos_flags().map(|(flag, ..)| flag).collect();
        assert_eq!(flags, ["log_dir"]);
    }
}
