//! `root`: makes the root of a build system from its lock.

use super::lock::{failure, fetcher};
use crate::{cli::ImageArgs, output::Output, terminal};
use base::{
    events::Reporter,
    failure::{Class, Failure, Result},
    workspace::Workspace,
};
use builders::root::{self, Description, LOCK, Lock, Root};
use sources::Store;

pub(super) fn run(
    args: &ImageArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let description = Description::load(workspace, &args.image, &args.mirrors)?;
    let lock = lock_of(&description)?;
    let store = Store::open(workspace)?;
    let fetcher = fetcher(args, workspace, &store, reporter);
    let roots = workspace.shared().join("roots");
    let step = format!("root {}", description.name);
    let root = root::make(&description, &lock, &fetcher, &roots, &step, None).map_err(failure)?;
    show(&description.name, &root, json);
    Ok(())
}

fn lock_of(description: &Description) -> Result<Lock> {
    let name = &description.name;
    root::lock_of(description)?.ok_or_else(|| {
        let message = format!("there is no containers/{name}/{LOCK}");
        let help = format!("`cargo xtask lock {name}` writes it; commit it");
        Failure::new(Class::Source, message).help(help)
    })
}

fn show(image: &str, root: &Root, json: bool) {
    let summary = &root.summary;
    let folder = root.tree.display().to_string();
    if json {
        return terminal::json(&Output::Root {
            image: image.to_owned(),
            folder,
            was_there: root.was_there,
            packages: summary.packages,
            files: summary.files,
            bytes: summary.bytes,
            digest: summary.digest.clone(),
        });
    }
    let done = if root.was_there { "is there already" } else { "was made" };
    terminal::text(&format!(
        "the root of {image} {done}: {} packages, {} files ({:.1} MB) in {folder}\n\
         digest of the tree: {}\n\
         `cargo xtask rpm` compiles in a root of these packages\n",
        summary.packages,
        summary.files,
        summary.bytes as f64 / 1e6,
        summary.digest
    ));
}
