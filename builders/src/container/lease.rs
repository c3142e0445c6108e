//! What a build has going in the engine: a container, and volumes of a remote one. They go when
//! the build ends, when a signal ends the run, and, should the run be killed outright, before the
//! next one begins.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use base::{
    disk::sync,
    failure::{Class, Classify, Result},
    interrupt::Cleanup,
    key::KeyBuilder,
    process, stopping,
    workspace::Workspace,
};

/// Names in the engine that are in use.
#[derive(Debug, Serialize, Deserialize)]
struct Names {
    program: PathBuf,
    container: String,
    volumes: Vec<String>,
}

/// Holds names in the engine; frees them at its end.
pub(super) struct Lease {
    /// The name for containers, one at a time.
    pub(super) container: String,
    held: Arc<Held>,
    _cleanup: Cleanup,
}

struct Held {
    engine: Engine,
    /// Where the names are noted, for a run that comes after a killed one.
    note: PathBuf,
    names: Mutex<Names>,
}

impl Lease {
    /// Takes the names for the build called `what` in this checkout, and removes what bears them.
    pub(super) fn take(engine: &Engine, workspace: &Workspace, what: &str) -> Result<Self> {
        let dir = notes(workspace);
        fs_err::create_dir_all(&dir).class(Class::Output)?;
        let container = format!("mesos-calico-{}-{what}", checkout(workspace)?);
        let names = Names {
            program: engine.program.clone(),
            container: container.clone(),
            volumes: Vec::new(),
        };
        let held = Arc::new(Held {
            engine: engine.clone(),
            note: dir.join(what),
            names: Mutex::new(names),
        });
        held.write()?;
        held.remove_container();
        let going = Arc::clone(&held);
        Ok(Self { container, held, _cleanup: Cleanup::register(move || going.free()) })
    }

    /// A new, empty volume.
    pub(super) fn add_volume(&mut self, index: usize) -> Result<String> {
        let name = format!("{}-{index}", self.container);
        let held = &self.held;
        held.names.lock().unwrap_or_else(PoisonError::into_inner).volumes.push(name.clone());
        held.write()?;
        held.quietly(&["volume", "rm", "--force", &name]);
        held.engine.says(["volume", "create", &name])?;
        Ok(name)
    }

    pub(super) fn remove_container(&self) {
        self.held.remove_container();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.free();
    }
}

impl Held {
    fn free(&self) {
        self.remove_container();
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for volume in &names.volumes {
            self.quietly(&["volume", "rm", "--force", volume]);
        }
        let _ = fs_err::remove_file(&self.note);
    }

    fn remove_container(&self) {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        self.quietly(&["rm", "--force", &names.container]);
    }

    fn quietly(&self, args: &[&str]) {
        quietly(&self.engine, args);
    }

    fn write(&self) -> Result<()> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_string(&*names).unwrap_or_default();
        fs_err::write(&self.note, text).class(Class::Output)?;
        sync(&self.note)
    }
}

/// An engine that removes a container at all does so in a fraction of it; one that hangs must not keep a run from
/// ending.
const PATIENCE: Duration = Duration::from_secs(20);

/// That it is gone already is no reason to complain.
fn quietly(engine: &Engine, args: &[&str]) {
    let mut command = engine.command(args);
    let _ = command.cleans_up().output_within(PATIENCE, &|_| ());
}

fn notes(workspace: &Workspace) -> PathBuf {
    workspace.state.join("containers")
}

/// What tells this checkout from all others that use the same engine, on whatever machine: paths
/// are the same on many. Made once.
fn checkout(workspace: &Workspace) -> Result<String> {
    let path = workspace.state.join("id");
    if let Ok(id) = fs_err::read_to_string(&path)
        && id.len() == 12
    {
        return Ok(id);
    }
    let uuid = fs_err::read_to_string("/proc/sys/kernel/random/uuid").class(Class::Output)?;
    let id = KeyBuilder::new("checkout", 1).text("uuid", &uuid).finish().short().to_owned();
    fs_err::write(path, &id).class(Class::Output)?;
    Ok(id)
}

/// Ends what a killed run of this checkout has left running, and removes what it left in the engine. To be called
/// before anything that they may still write to is touched.
pub fn sweep(workspace: &Workspace) {
    // The clients first: they would go on to start what is removed here.
    process::end_left_programs(workspace);
    let entries = fs_err::read_dir(notes(workspace)).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        stopping::wait_if_stopping();
        sweep_one(&path);
    }
}

fn sweep_one(note: &Path) {
    let text = fs_err::read_to_string(note).unwrap_or_default();
    if let Ok(names) = serde_json::from_str::<Names>(&text) {
        let engine = Engine::at(&names.program);
        quietly(&engine, &["rm", "--force", &names.container]);
        for volume in &names.volumes {
            quietly(&engine, &["volume", "rm", "--force", volume]);
        }
    }
    let _ = fs_err::remove_file(note);
}
