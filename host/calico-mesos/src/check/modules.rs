//! The modules that the agent loads, and whether it uses them: its flags against modules.json, modules.json against the
//! files that it names.

use std::{os::unix::fs::MetadataExt, path::Path};

use serde_json::Value;

use super::{
    agent::{Agent, Environment},
    report::{Finding, skipped},
};
use crate::files;

/// What the package has.
const PACKAGED: &str = "/calico/modules.json";

/// No module has more.
const LIBRARY_MAX: u64 = 256 << 20;

/// What net-modules demands of its isolator.
const COMMANDS: [&str; 2] = ["isolator_command", "ipam_command"];

const SHOW: &str = "correct it where mesos-init-wrapper --print slave says that it is set; 50-calico has what is needed";

const ISOLATION: &str = "isolation";
const HOOKS: &str = "hooks";

/// The isolators of Mesos 0.25 as it is packaged. Alone, `process` and `cgroups` stand for some of them, but
/// beside a module they are names like any other, which there are not.
const OF_MESOS: [&str; 10] = [
    "posix/cpu",
    "posix/mem",
    "posix/disk",
    "cgroups/cpu",
    "cgroups/mem",
    "cgroups/perf_event",
    "filesystem/posix",
    "filesystem/linux",
    "filesystem/shared",
    "namespaces/pid",
];

/// An isolator that Mesos has only if it was built `--with-network-isolator`.
const PORT_MAPPING: &str = "network/port_mapping";

/// A module that modules.json names.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    library: String,
    name: String,
    commands: Vec<(String, String)>,
}

impl Module {
    /// net-modules has an isolator, which calls programs, and a hook.
    fn is_isolator(&self) -> bool {
        !self.commands.is_empty()
    }

    fn has_each_command_once(&self) -> bool {
        let count = |name| self.commands.iter().filter(|(key, _)| key == name).count();
        COMMANDS.iter().all(|name| count(name) == 1)
    }
}

/// modules.json, isolation and hooks.
pub fn findings(environment: &Environment) -> Vec<Finding> {
    let (file, isolation, hooks) = ("modules", ISOLATION, HOOKS);
    let Some(agent) = environment.agent() else {
        let why = "the agent has to be able to start first";
        return [file, isolation, hooks].map(|name| skipped(name, why)).into();
    };
    let modules = match load(agent) {
        Ok(modules) => modules,
        Err(text) => {
            let why = "modules.json has to be correct first";
            let help = "install the package calico-mesos again, or correct the file";
            let skipped = [isolation, hooks].map(|name| skipped(name, why));
            return [Finding::fail(file, text, help)].into_iter().chain(skipped).collect();
        }
    };
    vec![
        files_named(file, &modules),
        used(isolation, agent, &modules, Module::is_isolator),
        used(hooks, agent, &modules, |module| !module.is_isolator()),
    ]
}

/// The modules that the agent is told of.
fn load(agent: &Agent) -> Result<Vec<Module>, String> {
    let Some(value) = agent.flag("modules") else {
        return Err(format!("the agent loads no modules: set MESOS_MODULES=file://{PACKAGED}"));
    };
    let path = value.strip_prefix("file://").unwrap_or(value);
    if path.starts_with('/') {
        let text = files::read(Path::new(path)).map_err(|error| error.to_string())?;
        parse(&text).map_err(|why| format!("{path}: {why}"))
    } else {
        parse(value.as_bytes()).map_err(|why| format!("the flag modules: {why}"))
    }
}

/// Mesos refuses to start with modules that are no strict JSON (facts 7, #649).
fn parse(text: &[u8]) -> Result<Vec<Module>, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for library in list(&value, "libraries") {
        let file = library["file"].as_str().unwrap_or_default();
        if !file.starts_with('/') {
            return Err("a library has no \"file\" with a whole path".to_owned());
        }
        for module in list(library, "modules") {
            let Some(name) = module["name"].as_str() else {
                return Err(format!("a module of {file} has no name"));
            };
            let commands = list(module, "parameters").iter().filter_map(|parameter| {
                let (key, value) = (parameter["key"].as_str()?, parameter["value"].as_str()?);
                COMMANDS.contains(&key).then(|| (key.to_owned(), value.to_owned()))
            });
            let (library, name) = (file.to_owned(), name.to_owned());
            found.push(Module { library, name, commands: commands.collect() });
        }
    }
    let mut isolators = found.iter().filter(|module| module.is_isolator()).peekable();
    if isolators.peek().is_none() {
        return Err(format!("no module has the parameters {}", COMMANDS.join(" and ")));
    }
    if let Some(module) = isolators.find(|module| !module.has_each_command_once()) {
        let (name, commands) = (&module.name, COMMANDS.join(" and "));
        return Err(format!("{name} needs the parameters {commands}, once each"));
    }
    Ok(found)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Whether the libraries have the modules, and the programs can be started.
fn files_named(name: &'static str, modules: &[Module]) -> Finding {
    let mut faults = Vec::new();
    for module in modules {
        faults.extend(in_library(module).err());
        let commands = module.commands.iter();
        faults.extend(commands.filter_map(|(_, path)| files::executable(Path::new(path)).err()));
    }
    faults.dedup();
    if !faults.is_empty() {
        return Finding::fail(name, faults.join("; "), "install net-modules and calico-mesos");
    }
    let mut commands = modules.iter().flat_map(|module| &module.commands);
    match commands.find(|(_, path)| !is_this_program(path)) {
        Some((key, path)) => {
            let text = format!("{key} is {path}, which is not the program that asks here");
            Finding::warn(name, text, "say PATH check with the path that the agent uses")
        }
        None => Finding::ok(name, "the libraries have all modules, and this program is called"),
    }
}

fn is_this_program(path: &str) -> bool {
    let number = |path: &str| fs_err::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    number(path).is_some_and(|other| number("/proc/self/exe") == Some(other))
}

/// Mesos looks for a symbol of the module's name. Its name stands in the library's table of strings.
fn in_library(module: &Module) -> Result<(), String> {
    let Module { library, name, .. } = module;
    let content = files::read_up_to(Path::new(library), LIBRARY_MAX).map_err(|e| e.to_string())?;
    // 64 bits, a shared object, x86-64.
    let is_library =
        content.starts_with(b"\x7fELF\x02") && content.get(16..20) == Some(&[3, 0, 62, 0]);
    if !is_library {
        return Err(format!("{library} is no library for x86-64"));
    }
    let symbol = [name.as_bytes(), b"\0"].concat();
    if name.is_empty() || !content.windows(symbol.len()).any(|part| part == symbol) {
        return Err(format!("{library} has no module {}", name.escape_debug()));
    }
    Ok(())
}

/// Whether a flag that lists modules names one of those that are `wanted`, and none that is not there.
fn used(
    flag: &'static str,
    agent: &Agent,
    modules: &[Module],
    wanted: impl Fn(&Module) -> bool,
) -> Finding {
    let wanted: Vec<_> = modules.iter().filter(|module| wanted(module)).map(|m| &*m.name).collect();
    if wanted.is_empty() {
        return Finding::fail(flag, "modules.json has no module for this flag", SHOW);
    }
    let value = agent.flag(flag).unwrap_or_default();
    // An empty name between commas is none in `isolation`, and one in `hooks`.
    let is_name = |name: &&str| !name.is_empty() || (flag == HOOKS && !value.is_empty());
    let named: Vec<_> = value.split(',').filter(is_name).collect();
    if !named.iter().any(|name| wanted.contains(name)) {
        let text = match value {
            "" => format!("the agent does not use {}: {flag} is not set", wanted.join(", ")),
            value => format!("the agent does not use {}: {flag} is {value}", wanted.join(", ")),
        };
        return Finding::fail(flag, text, SHOW);
    }
    let is_known =
        |name: &str| wanted.contains(&name) || (flag == ISOLATION && OF_MESOS.contains(&name));
    if let Some(unknown) = named.iter().find(|name| !is_known(name)) {
        let text = match *unknown {
            PORT_MAPPING => format!(
                "the agent does not start: {flag} names {PORT_MAPPING}, which Mesos is built without, and which would \
                 give containers another network than Calico's"
            ),
            _ => format!("the agent does not start: {flag} names {unknown:?}, which no module is"),
        };
        return Finding::fail(flag, text, SHOW);
    }
    Finding::ok(flag, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_modules_json_names_the_library_of_net_modules_and_the_plugin() {
        let modules = parse(include_bytes!("../../package/modules.json")).unwrap();
        let [isolator, hook] = &modules[..] else { panic!("{modules:?}") };
        let plugin = |name: &str| (name.to_owned(), "/calico/calico_mesos".to_owned());
        assert_eq!(isolator.commands, COMMANDS.map(plugin));
        assert!(!hook.is_isolator());
        // Where the package net-modules puts it.
        let package = include_str!("../../../../specs/net-modules/package.toml");
        assert!(package.contains(&format!("staged = \"{}\"", hook.library)));
        // What the package tells the agent.
        let settings = include_str!("../../package/50-calico");
        for (flag, module) in [("ISOLATION", isolator), ("HOOKS", hook)] {
            assert!(settings.contains(&format!("MESOS_{flag}={}\n", module.name)), "{flag}");
        }
    }

    #[test]
    fn what_net_modules_would_not_take() {
        let json =
            |module: &str| format!(r#"{{"libraries":[{{"file":"/l.so","modules":[{module}]}}]}}"#);
        let isolator = r#"{"key":"isolator_command","value":"/x"}"#;
        let ipam = r#"{"key":"ipam_command","value":"/x"}"#;
        let module = |parameters: &[&str]| {
            format!(r#"{{"name":"a","parameters":[{}]}}"#, parameters.join(","))
        };
        assert!(parse(json(&module(&[isolator, ipam])).as_bytes()).is_ok());
        let second = [module(&[isolator, ipam]), module(&[ipam])].join(",");
        for (text, word) in [
            ("{,}".to_owned(), "line 1"),
            ("{} # ours".to_owned(), "trailing"),
            ("{}".to_owned(), "no module has"),
            (json(r#"{"name":"a"}"#), "no module has"),
            (json(r#"{"parameters":[]}"#), "no name"),
            (json(&module(&[isolator])), "needs the parameters"),
            (json(&module(&[isolator, isolator])), "needs the parameters"),
            (json(&module(&[ipam, isolator, ipam])), "needs the parameters"),
            (json(&second), "needs the parameters"),
            (r#"{"libraries":[{"name":"l","modules":[]}]}"#.to_owned(), "whole path"),
        ] {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
