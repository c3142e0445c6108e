//! A builder image as the sandbox has it: the root of its packages, in which setup.sh has run as the last step of making it.

use std::path::Path;

use super::{
    image::{INSIDE, Image, SETUP},
    invocation::{HOME, SETUP_ENV},
    runner::BuiltRoot,
};
use crate::{
    mount::Mount,
    root::{self, LastStep},
    sandbox::{As, Limits, Request, Sandbox},
    site::Site,
};
use base::{
    failure::{Class, Classify, Result, Trouble},
    process::Decision,
};
use sources::Fetcher;

impl Image {
    /// Makes the root, unless it is there.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if its packages cannot be reached.
    pub fn make_root(
        &self,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<BuiltRoot, Trouble> {
        let locked = self.locked(fetcher, site, step)?;
        let set_up = |tree: &Path| {
            self.set_up(tree, site, step)?;
            self.check_unchanged(site.workspace)
        };
        let last = LastStep { key: self.key(), run: &set_up };
        let roots = site.workspace.shared().join("roots");
        let (description, lock) = (&locked.description, &locked.lock);
        let root = root::make(description, lock, fetcher, &roots, step, Some(&last))?;
        let key = self.key_with(&locked.packages);
        Ok(BuiltRoot { name: format!("containers/{}", self.name), root, key })
    }

    /// Runs setup.sh in the root.
    fn set_up(&self, tree: &Path, site: &Site<'_>, step: &str) -> Result<()> {
        let scratch = tempfile::tempdir_in(site.workspace.tmp()).class(Class::Output)?;
        let files = scratch.path().join("image");
        if !self.copy_set_up(&files)? {
            return Ok(());
        }
        let place = scratch.path().join("root");
        fs_err::create_dir(&place).class(Class::Output)?;
        let absolute = |path: &Path| fs_err::canonicalize(path).class(Class::Output);
        let mounts =
            vec![Mount { inside: INSIDE.into(), outside: absolute(&files)?, writable: false }];
        let env = SETUP_ENV.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = Request {
            root: absolute(tree)?,
            place: absolute(&place)?,
            mounts,
            user: As::Owner,
            dir: "/".into(),
            home: HOME.into(),
            env: env.to_vec(),
            command: ["/bin/sh", "-eu", &format!("{INSIDE}/{SETUP}")].map(str::to_owned).to_vec(),
            limits: Limits::default(),
            terminal: false,
        };
        let program = Sandbox::program(&request, scratch.path())?;
        let process = site.process(program, format!("image-{}.log", self.name), Class::Tool, step);
        let ended = process.watch(|_| Decision::Continue)?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(self.of_set_up(process.failure(&ended.status.to_string(), ended.lines))),
        }
    }
}
