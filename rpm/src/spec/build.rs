//! `[build]`: how files are built that are not in the description's folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Source,
    check::{Checked, line, relative, script_text},
    hardening::add_flags,
    parse::suggest,
    printable,
    schema::{RawBuild, RawPhase},
    source::folder_name,
};

/// How files are built.
#[derive(Clone, Debug)]
pub enum Build {
    /// A crate of the workspace, which is compiled on this machine. The path is relative to the workspace.
    Crate(PathBuf),
    /// Sources that are compiled in a container.
    Container(ContainerBuild),
}

/// A build in a container, which installs its files into a staged root.
#[derive(Clone, Debug)]
pub struct ContainerBuild {
    /// The builder image: the name of a folder under containers/.
    pub image: String,
    /// Names of other descriptions. Their sources and build trees are mounted into the container.
    pub needs: Vec<String>,
    /// Environment variables of its scripts, CentOS 7's flags for compilers included.
    pub env: BTreeMap<String, String>,
    /// Features that are switched on or off ([`ContainerBuild::options`]).
    pub switches: BTreeMap<String, bool>,
    /// Patterns of staged files that are deliberately in no package.
    pub discard: Vec<String>,
    /// Name of the source whose folder is `$SRC` in its scripts.
    pub main: String,
    /// Its scripts, in order.
    pub phases: Vec<Phase>,
}

/// A part of a build. Its name is shown in progress and in errors.
#[derive(Clone, Debug)]
pub struct Phase {
    /// `configure`, `make`, ...
    pub name: String,
    /// The shell script.
    pub script: String,
}

impl ContainerBuild {
    /// Takes out the phases whose name says that they only check the result. Returns whether there were any.
    pub fn leave_out_checks(&mut self) -> bool {
        let all = self.phases.len();
        self.phases.retain(|phase| phase.name != CHECK);
        self.phases.len() < all
    }

    /// The switches as options of a configure script: `--disable-java --enable-optimize`.
    pub fn options(&self) -> String {
        let option = |(name, on): (&String, &bool)| match on {
            true => format!("--enable-{name}"),
            false => format!("--disable-{name}"),
        };
        self.switches.iter().map(option).collect::<Vec<_>>().join(" ")
    }
}

/// The name of phases that only check what the others have made.
const CHECK: &str = "check";

/// Checks `[build]`. `dir` is the description's folder, and `name` that folder's name.
pub(super) fn build(raw: RawBuild, sources: &[Source], dir: &Path, name: &str) -> Checked<Build> {
    match (raw.crate_dir, raw.image) {
        (Some(path), None) => {
            let alone = raw.phase.is_empty()
                && raw.needs.is_empty()
                && raw.env.is_empty()
                && raw.hardening.is_none()
                && raw.switches.is_empty()
                && raw.discard.is_empty();
            match alone && sources.is_empty() {
                true => Ok(Build::Crate(relative(&path, "build.crate")?)),
                false => {
                    Err("`build.crate` cannot be combined with sources, phases or other keys"
                        .into())
                }
            }
        }
        (None, Some(image)) => {
            folder_name(&image).map_err(|e| format!("build.image: {e}"))?;
            if sources.is_empty() {
                return Err("there is a [build], but no [source.NAME] to build from".into());
            }
            let main = main_source(sources, name)?;
            if raw.phase.is_empty() {
                return Err("there is a [build], but no [[build.phase]] in it".into());
            }
            raw.needs.iter().try_for_each(|n| folder_name(n))?;
            raw.switches.keys().try_for_each(|n| folder_name(n))?;
            raw.env.iter().try_for_each(|(name, value)| variable(name, value))?;
            raw.discard.iter().try_for_each(|p| staged_pattern("build.discard", p).map(|_| ()))?;
            let mut env = raw.env;
            if raw.hardening.unwrap_or(true) {
                add_flags(&mut env);
            }
            Ok(Build::Container(ContainerBuild {
                image,
                needs: raw.needs,
                env,
                switches: raw.switches,
                discard: raw.discard,
                main,
                phases: raw.phase.into_iter().map(|p| phase(p, dir)).collect::<Checked<_>>()?,
            }))
        }
        _ => Err("build: give exactly one of `crate`, `image`".into()),
    }
}

/// The source that is `$SRC`: the one with the name of the description's folder, or the only one.
fn main_source(sources: &[Source], folder: &str) -> Checked<String> {
    match sources {
        [only] => Ok(only.name.clone()),
        several if several.iter().any(|s| s.name == folder) => Ok(folder.to_owned()),
        several => {
            let names: Vec<_> = several.iter().map(|s| s.name.as_str()).collect();
            Err(format!(
                "of the sources {} none is named like the folder: call the one that is to be $SRC \
                 [source.{folder}]; the others are at /src/NAME",
                names.join(", ")
            ))
        }
    }
}

/// Variables that the builder sets itself. A description must not change them.
const OWN: &[&str] = &[
    "BUILD",
    "HOME",
    "JOBS",
    "LC_ALL",
    "LOGNAME",
    "NAME",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "SRC",
    "STAGE",
    "SWITCHES",
    "TZ",
    "USER",
    "VERSION",
];

fn variable(name: &str, value: &str) -> Checked<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(legal) {
        return Err(format!("build.env: `{}` is not the name of a variable", printable(name)));
    }
    if OWN.contains(&name) || ["CCACHE_", "DISTCC_"].iter().any(|p| name.starts_with(p)) {
        return Err(format!("build.env: {name} is set by the builder itself"));
    }
    line("build.env", value.to_owned()).map(|_| ())
}

fn phase(raw: RawPhase, dir: &Path) -> Checked<Phase> {
    folder_name(&raw.name).map_err(|e| format!("build.phase: {e}"))?;
    let name = raw.name;
    let script = match raw.run.contains('\n') {
        true => raw.run,
        false => {
            let found = script_text(&raw.run, dir).map_err(|e| format!("phase {name}: {e}"))?;
            // A misspelt file name must not be run as a command.
            if found == raw.run.trim_end() && raw.run.ends_with(".sh") {
                let there = scripts(dir);
                let there: Vec<_> = there.iter().map(String::as_str).collect();
                let guess = suggest(&raw.run, &there).unwrap_or_default();
                return Err(format!("phase {name}: there is no file `{}`; {guess}", raw.run));
            }
            found
        }
    };
    Ok(Phase { name, script })
}

fn scripts(dir: &Path) -> Vec<String> {
    let names = fs_err::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|e| e.file_name().into_string().ok());
    names.filter(|n| n.ends_with(".sh")).collect()
}

/// Checks a pattern for paths in the staged root, which is absolute, as on the host. Returns it without its first `/`.
pub(super) fn staged_pattern(key: &str, pattern: &str) -> Checked<String> {
    let Some(inner) = pattern.strip_prefix('/') else {
        return Err(format!(
            "{key}: `{}` must be an absolute path, as on the host",
            printable(pattern)
        ));
    };
    relative(inner, key)?;
    Ok(inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::source::source;

    fn parse(text: &str) -> Checked<Build> {
        let raw = toml::from_str("path = \"x\"").unwrap();
        let sources = [source("x", raw, Path::new("/nowhere")).unwrap()];
        build(toml::from_str(text).unwrap(), &sources, Path::new("/nowhere"), "x")
    }

    #[test]
    fn the_main_source_is_the_only_one_or_the_one_named_like_the_folder() {
        let of = |name: &str| {
            source(name, toml::from_str("path = \"x\"").unwrap(), Path::new("/nowhere")).unwrap()
        };
        assert_eq!(main_source(&[of("other")], "mesos"), Ok("other".into()));
        assert_eq!(main_source(&[of("a"), of("mesos")], "mesos"), Ok("mesos".into()));
        let error = main_source(&[of("a"), of("b")], "mesos").unwrap_err();
        assert!(error.contains("a, b") && error.contains("[source.mesos]"), "{error}");
    }

    #[test]
    fn switches_become_options() {
        let text = "image = \"el7\"\nswitches = { java = false, optimize = true }\n\
                    [[phase]]\nname = \"make\"\nrun = \"make\"";
        let Build::Container(build) = parse(text).unwrap() else { panic!() };
        assert_eq!(build.options(), "--disable-java --enable-optimize");
        assert_eq!(build.phases[0].script, "make");
    }

    #[test]
    fn hardening_is_the_default_and_can_be_turned_off() {
        let env = |more: &str| {
            let text =
                format!("image = \"el7\"\n{more}\n[[phase]]\nname = \"make\"\nrun = \"make\"");
            let Build::Container(build) = parse(&text).unwrap() else { panic!() };
            build.env
        };
        let of = |env: &BTreeMap<String, String>| env.get("LDFLAGS").cloned();
        let own = "env = { LDFLAGS = \"-s\" }";
        assert_eq!(of(&env(own)).unwrap(), "-Wl,-z,relro -s");
        assert_eq!(env("hardening = true"), env(""));
        assert_eq!(of(&env(&format!("hardening = false\n{own}"))).unwrap(), "-s");
        assert!(env("hardening = false").is_empty());
        let error = parse("crate = \"x\"\nhardening = false").unwrap_err();
        assert!(error.contains("cannot be combined"), "{error}");
    }

    #[test]
    fn only_the_phases_called_check_can_be_left_out() {
        let phase = |name: &str| format!("[[phase]]\nname = \"{name}\"\nrun = \"make\"\n");
        let phases = |names: &[&str]| {
            let text = names.iter().map(|name| phase(name)).collect::<String>();
            let Build::Container(mut build) = parse(&format!("image = \"el7\"\n{text}")).unwrap()
            else {
                panic!()
            };
            let any = build.leave_out_checks();
            (any, build.phases.into_iter().map(|phase| phase.name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(phases(&["make", "check", "install"]), (true, "make install".into()));
        assert_eq!(phases(&["make", "checks"]), (false, "make checks".into()));
    }

    #[test]
    fn contradicting_keys_of_a_build_are_refused() {
        let error = |text: &str| parse(text).unwrap_err();
        let with = |more: &str| error(&format!("image = \"el7\"\n{more}"));
        let phase = "\n[[phase]]\nname = \"make\"\nrun = \"make\"";
        assert!(error("").contains("exactly one"));
        assert!(with("").contains("no [[build.phase]]"));
        assert!(with("[[phase]]\nname = \"make\"\nrun = \"mak.sh\"").contains("no file `mak.sh`"));
        assert!(with(&format!("env = {{ PATH = \"/x\" }}{phase}")).contains("builder itself"));
        assert!(with(&format!("env = {{ \"A B\" = \"/x\" }}{phase}")).contains("not the name"));
        assert!(with(&format!("discard = [\"usr\"]{phase}")).contains("absolute"));
        assert!(with(&format!("discard = [\"/a/../b\"]{phase}")).contains("stays inside"));
    }
}
