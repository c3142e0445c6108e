//! Sources that a run has got, for the builds that unpack them: each is fetched, and its archive hashed, once a run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use base::{failure::Trouble, key::Key};
use sources::Fetched;

/// Sources by their identity, so that they outlive a plan that is made anew.
#[derive(Default)]
pub struct FetchedSources(Mutex<BTreeMap<Key, Slot>>);

/// Held while the source is fetched: another build that wants it waits, and one that wants another source does not.
type Slot = Arc<Mutex<Option<Fetched>>>;

impl FetchedSources {
    /// The source with this identity, fetched unless the run has it. A failure is not kept.
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
    use base::failure::{Class, Failure};
    use el7rpm::spec::{Origin, Source};
    use sources::{Fetcher, Store};

    use super::*;
    use crate::fixture::{Checkout, SILENT};

    #[test]
    fn a_source_is_fetched_once_and_a_failure_is_not_kept() {
        let checkout = Checkout::new();
        let workspace = &checkout.workspace;
        checkout.write("src/file", "text");
        let origin = Origin::Folder(workspace.root.join("src"));
        let source = Source { name: "x".into(), origin, patches: Vec::new() };
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
