//! Writes down what would be executed, for people and for `--print`.

use std::fmt::Write;

use crate::flags::{Flag, Origin};
use crate::plan::Plan;
use crate::report::Note;
use crate::secret;

/// Variables that the daemon or its modules read.
const PREFIXES: &[&str] = &["MESOS_", "ETCD_", "CALICO_", "LIBPROCESS_"];

/// All of the plan, with secrets hidden.
pub(crate) fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    section(&mut text, "Command:", [command(plan)]);
    section(
        &mut text,
        "Flags, and where each comes from:",
        plan.flags.iter().map(|flag| format!("{}\n      {}", argument(flag), flag.origin)),
    );
    section(
        &mut text,
        "Variables that the daemon and its modules read, and where each comes from:",
        daemon_variables(plan).map(|(name, value, origin)| {
            let value = quoted(&secret::shown(name, &value));
            format!("{name}={value}\n      {origin}")
        }),
    );
    section(&mut text, "Limits that ULIMIT sets:", plan.limits.iter().map(ToString::to_string));
    section(
        &mut text,
        "Files of defaults, in the order in which they were read:",
        plan.read.iter().map(|path| path.display().to_string()),
    );
    section(
        &mut text,
        "Notes:",
        plan.notes.iter().map(|note| match note {
            Note::Warning(text) | Note::Notice(text) | Note::Detail(text) => text.clone(),
        }),
    );
    text
}

/// One line for the log: names without values, for a value may be a secret.
pub(crate) fn summary(plan: &Plan) -> String {
    let flags = plan.flags.iter().map(|flag| format!("--{}", flag.name));
    let variables = daemon_variables(plan).map(|(name, ..)| name.to_owned());
    let mut names: Vec<String> = flags.chain(variables).collect();
    if names.is_empty() {
        names.push("nothing".to_owned());
    }
    format!(
        "starting {} with {} (values: mesos-init-wrapper --print {})",
        plan.program.display(),
        names.join(" "),
        plan.role.word()
    )
}

fn section(text: &mut String, title: &str, items: impl IntoIterator<Item = String>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{title}");
    for item in items {
        let _ = writeln!(text, "  {item}");
    }
}

fn daemon_variables(plan: &Plan) -> impl Iterator<Item = (&str, String, Origin)> {
    plan.variables.iter().filter_map(|(name, variable)| {
        let name = name.to_str()?;
        PREFIXES.iter().find(|prefix| name.starts_with(**prefix))?;
        let value = variable.value.to_string_lossy().into_owned();
        let origin = Origin::variable(name, variable);
        Some((name, value, origin))
    })
}

/// The command as one could type it.
fn command(plan: &Plan) -> String {
    let mut command = quoted(&plan.program.to_string_lossy());
    for flag in &plan.flags {
        command.push(' ');
        command.push_str(&argument(flag));
    }
    command
}

fn argument(flag: &Flag) -> String {
    match &flag.value {
        None => format!("--{}", flag.name),
        Some(value) => {
            let shown = secret::shown(&flag.name, &value.to_string_lossy());
            quoted(&format!("--{}={shown}", flag.name))
        }
    }
}

/// Quotes for a shell, where that is needed.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/=@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        for (text, expected) in [
            ("--zk=zk://u@a:1,b:2/m", "--zk=zk://u@a:1,b:2/m"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$HOME", "'$HOME'"),
            ("it's", r"'it'\''s'"),
            ("ports(*):[1-2]", "'ports(*):[1-2]'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
