//! The containers and volumes of a build. They are removed when the build ends or when a signal ends the run; after a
//! run that was killed, the next run removes them.

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

/// Names of containers, volumes and images that are in use.
#[derive(Debug, Serialize, Deserialize)]
struct Names {
    program: PathBuf,
    container: String,
    volumes: Vec<String>,
    /// Ids of images that nothing needs if the work ends before its end.
    #[serde(default)]
    images: Vec<String>,
}

/// The container and the volumes of one build. Dropping it removes them from the engine.
pub(super) struct Lease {
    /// The name of the container; a build has one at a time.
    pub(super) container: String,
    held: Arc<Held>,
    _cleanup: Cleanup,
}

struct Held {
    engine: Engine,
    /// The file with the names, for the next run if this one is killed.
    note: PathBuf,
    names: Mutex<Names>,
}

impl Lease {
    /// Writes down the names for the build `what` of this checkout, and removes containers and volumes that already
    /// have them.
    pub(super) fn take(engine: &Engine, workspace: &Workspace, what: &str) -> Result<Self> {
        let dir = notes(workspace);
        fs_err::create_dir_all(&dir).class(Class::Output)?;
        let container = format!("mesos-calico-{}-{what}", checkout(workspace)?);
        let names = Names {
            program: engine.program.clone(),
            container: container.clone(),
            volumes: Vec::new(),
            images: Vec::new(),
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
        held.engine.output_of(["volume", "create", &name])?;
        Ok(name)
    }

    /// Notes an image, which is removed unless [`Lease::keep_images`] is called.
    pub(super) fn add_image(&mut self, id: &str) -> Result<()> {
        let held = &self.held;
        held.names.lock().unwrap_or_else(PoisonError::into_inner).images.push(id.to_owned());
        held.write()
    }

    /// Keeps the images.
    pub(super) fn keep_images(&mut self) {
        self.held.names.lock().unwrap_or_else(PoisonError::into_inner).images.clear();
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
        for image in &names.images {
            self.quietly(&["rmi", "--force", image]);
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

/// Removing a container takes a fraction of this time; an engine that hangs must not keep the run from ending.
const PATIENCE: Duration = Duration::from_secs(20);

/// It is fine if the container is gone already.
fn quietly(engine: &Engine, args: &[&str]) {
    let mut command = engine.command(args);
    let _ = command.cleans_up().output_within(PATIENCE, &|_| ());
}

fn notes(workspace: &Workspace) -> PathBuf {
    workspace.state.join("containers")
}

/// An id of this checkout among all checkouts on all machines that use the same engine: paths may be the same on
/// several machines. It is made once.
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

/// Ends the programs that a killed run of this checkout has left running, and removes its containers and volumes.
/// Call it before using any folder that they may still write to.
pub fn sweep(workspace: &Workspace) {
    // The engine's clients first: they could start the containers again.
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
        for image in &names.images {
            quietly(&engine, &["rmi", "--force", image]);
        }
    }
    let _ = fs_err::remove_file(note);
}
