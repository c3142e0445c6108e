//! The environment that the agent gives the plugin. An administrator's shell does not have it, so where it
//! names no etcd, the agent's settings files are read as mesos-init-wrapper reads them: by /bin/sh,
//! in its order, every variable exported (facts/mesos.md 4.3), without what package managers and
//! editors leave behind.

use std::{collections::HashMap, process::Command};

use super::report::Finding;
use crate::settings::NAMES;

/// Prints the variables after sourcing, each ended by a zero byte. What the files print is thrown away.
const SCRIPT: &str = r#"
set -a
{
  for file in /etc/default/mesos /etc/default/mesos-slave.d/* /etc/default/mesos-slave; do
    case "${file##*/}" in
      *.rpmnew|*.rpmsave|*.rpmorig|*.orig|*.bak|*~|*.swp|*.dpkg-*|\#*\#) continue ;;
    esac
    if [ -f "$file" ] && [ -r "$file" ]; then . "$file"; fi
  done
} >/dev/null 2>&1
exec env -0
"#;

/// Settings and where they come from.
pub struct Environment {
    values: HashMap<String, String>,
    from_files: bool,
    /// Whether the files could be read to their end.
    complete: bool,
}

impl Environment {
    /// The process's own environment where it names etcd, else the agent's files.
    pub fn find() -> Self {
        let own = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        if own("ETCD_AUTHORITY").is_some() || own("ETCD_ENDPOINTS").is_some() {
            let values = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), own(name)?)));
            return Self { values: values.collect(), from_files: false, complete: true };
        }
        let read = from_files();
        let complete = read.is_some();
        Self { values: read.unwrap_or_default(), from_files: true, complete }
    }

    /// One setting.
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// Whether etcd's address is set, and where.
    pub fn finding(&self) -> Finding {
        let source = if self.from_files {
            "/etc/default/mesos-slave.d and /etc/default/mesos-slave"
        } else {
            "the environment"
        };
        if !self.complete {
            return Finding::fail(
                "settings",
                format!("/bin/sh cannot read {source} to the end"),
                "try each file with sh -n FILE; none may say exit",
            );
        }
        let set = |name| self.get(name).is_some_and(|value| !value.trim().is_empty());
        if set("ETCD_AUTHORITY") || set("ETCD_ENDPOINTS") {
            Finding::ok("settings", format!("etcd's address is set in {source}"))
        } else {
            Finding::fail(
                "settings",
                format!("ETCD_AUTHORITY is not set in {source}"),
                "set ETCD_AUTHORITY=HOST:4001 in /etc/default/mesos-slave.d/50-calico",
            )
        }
    }
}

fn from_files() -> Option<HashMap<String, String>> {
    let output = Command::new("/bin/sh").args(["-c", SCRIPT]).output().ok()?;
    // A syntax error, or an `exit` in a file, ends the shell before it prints anything.
    let printed = output.status.success() && !output.stdout.is_empty();
    printed.then_some(())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let known = pairs.filter(|(name, _)| NAMES.contains(name));
    Some(known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
