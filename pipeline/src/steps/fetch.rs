//! `fetch NAME`: fetches a source. The key is its pin, or the content of a folder. The result is the source; it is
//! fetched, and its archive is hashed, once per run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use el7rpm::spec::{Origin, Source};

use super::{Context, Draft, Prerequisite, Step};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    key::Key,
    workspace::Workspace,
};
use sources::Fetched;

/// Fetches a source.
#[derive(Debug)]
pub struct Fetch {
    /// The source.
    pub source: Source,
}

impl Fetch {
    pub(crate) fn draft(source: &Source, workspace: &Workspace) -> Result<Draft<Self>> {
        let name = format!("fetch {}", source.name);
        let identity = sources::identity(source).map_err(|f| f.in_step(&name, None))?;
        let relative = |path: &PathBuf| workspace.relative(path).display().to_string();
        let inputs = source.patches.iter().map(relative).collect();
        Ok(Draft { inputs, ..Draft::new(name, identity, Self { source: source.clone() }) })
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        self.get(&step.key, &step.name, context).map(drop)
    }

    fn get(&self, key: &Key, step: &str, context: &Context<'_>) -> Result<Fetched, Trouble> {
        context.fetched.get(key, || context.fetcher.fetch(&self.source, step))
    }

    /// Fails if a folder or a patch has changed since the key was taken, since it is read again for the copy.
    fn check_copy(&self, key: &Key, tree: &Path) -> Result<()> {
        let (origin, what) = match &self.source.origin {
            Origin::Folder(path) => (Origin::Folder(tree.to_owned()), path.display().to_string()),
            _ if self.source.patches.is_empty() => return Ok(()),
            other => (other.clone(), format!("a patch of `{}`", self.source.name)),
        };
        let copy = Source { origin, ..self.source.clone() };
        match *key == sources::identity(&copy)?.key {
            true => Ok(()),
            false => Err(Failure::new(
                Class::Source,
                format!("{what} was changed while it was being built from"),
            )
            .help("run again; nothing was kept of this step")),
        }
    }
}

impl Prerequisite<Fetch> {
    /// Unpacks the source below `scratch` and applies its patches, unless the tree is there already. This needs no
    /// network: the run has the source, even if the plan was made again after the fetch.
    pub(super) fn unpack(&self, scratch: &Path, context: &Context<'_>) -> Result<PathBuf, Trouble> {
        let tree = scratch.join(&self.work.source.name);
        if !tree.exists() {
            fs_err::create_dir(&tree).class(Class::Output)?;
            let fetched = self.work.get(&self.identity.key, &self.name, context)?;
            fetched.lay_down(&tree, context.reporter)?;
            self.work.check_copy(&self.identity.key, &tree)?;
            fetched.patch(&tree)?;
        }
        Ok(tree)
    }
}

/// The sources of a run, by their keys, which stay the same if the plan is made again.
#[derive(Default)]
pub struct FetchedSources(Mutex<BTreeMap<Key, Slot>>);

/// Locked while the source is fetched: builds that want the same source wait, other builds do not.
type Slot = Arc<Mutex<Option<Fetched>>>;

impl FetchedSources {
    /// The source with this key, which is fetched unless the run has it. A failure is not kept.
    pub(super) fn get(
        &self,
        identity: &Key,
        fetch: impl FnOnce() -> Result<Fetched, Trouble>,
    ) -> Result<Fetched, Trouble> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(all.entry(identity.clone()).or_default());
        drop(all);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetched) = &*slot {
            return Ok(fetched.clone());
        }
        let fetched = fetch()?;
        *slot = Some(fetched.clone());
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sources::{Fetcher, Store};

    use super::*;
    use crate::fixture::{SILENT, TempCheckout};

    #[test]
    fn a_source_is_fetched_once_and_a_failure_is_not_kept() {
        let checkout = TempCheckout::new();
        let workspace = &checkout.workspace;
        checkout.write("src/file", "text");
        let origin = Origin::Folder(workspace.root.join("src"));
        let source =
            Source { name: "x".into(), origin, patches: Vec::new(), links_out: BTreeSet::new() };
        let identity = sources::identity(&source).unwrap().key;
        let store = Store::at(workspace.root.join("store")).unwrap();
        let fetcher = Fetcher::new(&store, workspace, &SILENT);
        let all = FetchedSources::default();
        let fail = || Err(Trouble::Failed(Failure::new(Class::Source, "no")));
        assert!(all.get(&identity, fail).is_err());
        all.get(&identity, || fetcher.fetch(&source, "fetch x")).unwrap();
        let again = all.get(&identity, || unreachable!()).unwrap();
        again.lay_down(&workspace.root.join("tree"), &SILENT).unwrap();
        assert!(workspace.root.join("tree/file").exists());
    }
}
