//! Results of steps, kept by key.
//!
//! A result is a folder. It is made under `tmp/`, synced, and renamed: a result with its final name is complete,
//! however the run ended. Results are never changed.

use std::path::{Path, PathBuf};

use base::{
    disk::{remove_folder, sync, sync_all},
    failure::{Class, Classify, Failure, Result},
    key::Key,
    step::Kind,
    workspace::Workspace,
};

/// The store of results.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    tmp: PathBuf,
}

impl Cache {
    /// Opens the store of a checkout. The caller must have the checkout's lock.
    pub fn open(workspace: &Workspace) -> Result<Self> {
        let own = Self { dir: workspace.cache(), tmp: workspace.tmp() };
        fs_err::create_dir_all(&own.dir).class(Class::Output)?;
        // Incomplete results of a killed run.
        remove_folder(&own.tmp)?;
        fs_err::create_dir_all(&own.tmp).class(Class::Output)?;
        Ok(own)
    }

    /// The store for reading only; nothing is created or removed.
    pub fn peek(workspace: &Workspace) -> Self {
        Self { dir: workspace.cache(), tmp: workspace.tmp() }
    }

    /// The result of a step of this kind under `key`, if it is there.
    pub fn get(&self, kind: Kind, key: &Key) -> Option<PathBuf> {
        let path = self.path(kind, key);
        path.is_dir().then_some(path)
    }

    /// An empty temporary folder, which is removed when the value is dropped.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        tempfile::tempdir_in(&self.tmp).class(Class::Output)
    }

    /// Makes a result: `fill` gets an empty folder, which becomes the result if it succeeds.
    pub fn make<E: From<Failure>>(
        &self,
        kind: Kind,
        key: &Key,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let tmp = self.tmp.join(format!("{}-{}", kind.name(), key.short()));
        fs_err::create_dir(&tmp).class(Class::Output)?;
        if let Err(failure) = fill(&tmp).and_then(|()| Ok(sync_all(&tmp)?)) {
            // The disk may be full, so remove it now; if that fails, the next run does it.
            let _ = fs_err::remove_dir_all(&tmp);
            return Err(failure);
        }
        let path = self.path(kind, key);
        fs_err::create_dir_all(self.dir.join(kind.name())).class(Class::Output)?;
        fs_err::rename(&tmp, &path).class(Class::Output)?;
        sync(&self.dir.join(kind.name()))?;
        Ok(path)
    }

    fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.dir.join(kind.name()).join(key.to_string())
    }

    /// All results as (kind, key, folder).
    pub fn list(&self) -> Result<Vec<(String, String, PathBuf)>> {
        let mut out = Vec::new();
        for kind in children(&self.dir)? {
            for result in children(&kind)? {
                out.push((name(&kind), name(&result), result));
            }
        }
        Ok(out)
    }
}

/// Adds a hint to a failure about a result that something else has changed.
pub fn changed(failure: Failure, result: &Path) -> Failure {
    let help = format!("something else has changed it: remove {}, and run again", result.display());
    failure.help(help)
}

fn children(dir: &Path) -> Result<Vec<PathBuf>> {
    match fs_err::read_dir(dir) {
        Ok(entries) => entries
            .map(|e| e.map(|e| e.path()))
            .collect::<std::io::Result<_>>()
            .class(Class::Output),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e).class(Class::Output),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{TempCheckout, key_of as key};

    fn put(text: &'static str) -> impl FnOnce(&Path) -> Result<()> {
        move |dir| fs_err::write(dir.join("file"), text).class(Class::Output)
    }

    fn leftovers(cache: &Cache) -> usize {
        fs_err::read_dir(&cache.tmp).unwrap().count()
    }

    #[test]
    fn a_result_is_found_by_its_kind_and_key_alone() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        assert_eq!(cache.get(Kind::Package, &key("a")), None);
        let made = cache.make(Kind::Package, &key("a"), put("text")).unwrap();
        assert_eq!(cache.get(Kind::Package, &key("a")).as_ref(), Some(&made));
        assert_eq!(fs_err::read_to_string(made.join("file")).unwrap(), "text");
        assert_eq!(cache.get(Kind::Sign, &key("a")), None);
        assert_eq!(cache.get(Kind::Package, &key("b")), None);
        assert_eq!(leftovers(&cache), 0);
    }

    #[test]
    fn a_failed_step_leaves_no_result_and_can_be_repeated() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        let half = |dir: &Path| {
            put("half")(dir)?;
            Err(Failure::new(Class::Compile, "no"))
        };
        let failure = cache.make(Kind::Compile, &key("a"), half).unwrap_err();
        assert_eq!((failure.class, failure.message.as_str()), (Class::Compile, "no"));
        assert_eq!((cache.get(Kind::Compile, &key("a")), leftovers(&cache)), (None, 0));
        cache.make(Kind::Compile, &key("a"), put("whole")).unwrap();
        assert!(cache.get(Kind::Compile, &key("a")).is_some());
    }

    #[test]
    fn a_killed_run_leaves_no_result_and_the_next_run_removes_its_files() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        // `make` begins like this; a killed run does not rename the folder.
        let half = cache.tmp.join(format!("compile-{}", key("a").short()));
        fs_err::create_dir(&half).unwrap();
        put("half")(&half).unwrap();
        assert_eq!(Cache::peek(&checkout.workspace).get(Kind::Compile, &key("a")), None);
        assert!(half.exists(), "a plan must remove nothing");
        let cache = Cache::open(&checkout.workspace).unwrap();
        assert_eq!(leftovers(&cache), 0);
        cache.make(Kind::Compile, &key("a"), put("whole")).unwrap();
    }

    #[test]
    fn an_opened_cache_keeps_the_results_of_former_runs() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        cache.make(Kind::Sign, &key("a"), put("text")).unwrap();
        let again = Cache::open(&checkout.workspace).unwrap();
        assert_eq!(again.get(Kind::Sign, &key("a")), cache.get(Kind::Sign, &key("a")));
    }

    #[test]
    fn a_file_with_the_name_of_a_result_is_no_result() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        fs_err::create_dir(cache.dir.join("sign")).unwrap();
        fs_err::write(cache.path(Kind::Sign, &key("a")), "").unwrap();
        assert_eq!(cache.get(Kind::Sign, &key("a")), None);
    }

    #[test]
    fn the_list_has_every_result_and_fails_if_a_folder_cannot_be_read() {
        let checkout = TempCheckout::new();
        let cache = Cache::peek(&checkout.workspace);
        assert!(cache.list().unwrap().is_empty());
        let cache = Cache::open(&checkout.workspace).unwrap();
        for kind in [Kind::Package, Kind::Sign] {
            cache.make(kind, &key("a"), put("text")).unwrap();
        }
        let mut list = cache.list().unwrap();
        list.sort();
        let of = |kind: Kind| {
            (kind.name().to_owned(), key("a").to_string(), cache.get(kind, &key("a")).unwrap())
        };
        assert_eq!(list, [of(Kind::Package), of(Kind::Sign)]);
        fs_err::write(cache.dir.join("stray"), "").unwrap();
        assert_eq!(cache.list().unwrap_err().class, Class::Output);
    }

    #[test]
    fn a_scratch_folder_goes_with_its_value() {
        let checkout = TempCheckout::new();
        let cache = Cache::open(&checkout.workspace).unwrap();
        let scratch = cache.scratch().unwrap();
        assert_eq!(leftovers(&cache), 1);
        drop(scratch);
        assert_eq!(leftovers(&cache), 0);
    }
}
