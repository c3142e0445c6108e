//! What the plugin needs of the machine: namespaces, interfaces, its log, and a modules.json that Mesos
//! can read.

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use super::{agent::Environment, report::Finding};
use crate::{
    error::{Error, Result},
    files, log,
    netns::{Namespace, rtnl::Rtnl},
};

const MODULES: &str = "/calico/modules.json";

/// Everything about the machine.
pub fn findings(environment: &Environment) -> Vec<Finding> {
    vec![namespaces(), log_file(environment), modules()]
}

fn namespaces() -> Finding {
    match try_namespace() {
        Ok(()) => Finding::ok("namespaces", "a namespace and a pair of interfaces can be made"),
        Err(error) => Finding::fail(
            "namespaces",
            error.to_string(),
            "run this as root, on a kernel with network namespaces and veth",
        ),
    }
}

/// Makes a namespace and in it a pair of interfaces. Both end with the thread: the host sees nothing.
fn try_namespace() -> Result<()> {
    let failed = |text: String| Error::Namespace(text);
    let inside = move || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| failed(format!("a new namespace: {e}")))?;
        let own = Namespace::of_thread()?;
        Rtnl::open()?.add_veth("cali-check", "eth0", &own)?;
        Ok(())
    };
    let thread = std::thread::Builder::new().spawn(inside).map_err(|e| failed(e.to_string()))?;
    thread.join().unwrap_or_else(|_| Err(failed("the check itself failed".to_owned())))
}

fn log_file(environment: &Environment) -> Finding {
    let path = log::path_from_setting(environment.get("CALICO_MESOS_LOG_FILE"));
    match log::open_file(&path) {
        Ok(_) => Finding::ok("log", path.display().to_string()),
        Err(error) => Finding::warn(
            "log",
            error.to_string(),
            "run this as root; the plugin works without its log, but nobody will know why it fails",
        ),
    }
}

/// Mesos refuses to start with a modules.json that is no strict JSON (facts 7, #649).
fn modules() -> Finding {
    let help = "install the package calico-mesos again, or correct the file";
    let text = match files::read(MODULES.as_ref()) {
        Ok(text) => text,
        Err(error) => return Finding::warn("modules", error.to_string(), help),
    };
    let value: Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(error) => return Finding::fail("modules", format!("{MODULES}: {error}"), help),
    };
    let missing: Vec<_> =
        files_named(&value).filter(|path| !fs_err::exists(path).unwrap_or(false)).collect();
    if missing.is_empty() {
        Finding::ok("modules", format!("{MODULES} is valid, and the files that it names exist"))
    } else {
        let text = format!("{MODULES} names {}, which does not exist", missing.join(" and "));
        Finding::fail("modules", text, "install net-modules and calico-mesos")
    }
}

/// The libraries and commands in a modules.json.
fn files_named(value: &Value) -> impl Iterator<Item = &str> {
    fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
        value[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }
    let libraries = list(value, "libraries").iter();
    libraries.flat_map(|library| {
        let modules = list(library, "modules").iter();
        let parameters = modules.flat_map(|module| list(module, "parameters"));
        let commands = parameters
            .filter(|p| p["key"].as_str().is_some_and(|key| key.ends_with("_command")))
            .filter_map(|p| p["value"].as_str());
        library["file"].as_str().into_iter().chain(commands)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_modules_json_names_the_library_of_net_modules_and_the_plugin() {
        let value: Value =
            serde_json::from_str(include_str!("../../package/modules.json")).unwrap();
        let files: Vec<_> = files_named(&value).collect();
        let [library, "/calico/calico_mesos", "/calico/calico_mesos"] = files[..] else {
            panic!("{files:?}")
        };
        // Where the package net-modules puts it.
        let package = include_str!("../../../../specs/net-modules/package.toml");
        assert!(package.contains(&format!("staged = \"{library}\"")), "{library}");
    }
}
