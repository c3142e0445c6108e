//! A builder image as the sandbox has it: the root of containers/NAME/root.lock, made ready by setup.sh.
//!
//! setup.sh runs in the root itself, as the last step of making it. It does what the packages' scriptlets would have done,
//! as far as a build needs it, and installs the commands of containers/NAME/builder.

use std::path::Path;

use el7rpm::input;

use super::{
    image::{Image, add_folder},
    runner::BuiltRoot,
};
use crate::{
    mount::Mount,
    root::{self, Description, LastStep},
    sandbox::{As, Limits, Request, Sandbox},
    site::Site,
};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    key::KeyBuilder,
    process::Decision,
    workspace::Workspace,
};
use sources::Fetcher;

const SETUP: &str = "setup.sh";
const TOOLS: &str = "builder";
/// Where setup.sh sees the folder containers/NAME.
const INSIDE: &str = "/src/image";
const HOME: &str = "/tmp/home";
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

impl Image {
    /// Reads containers/NAME for the sandbox. Its key is that of setup.sh and the commands; where root.lock exists, its
    /// packages are the image's lock.
    ///
    /// # Errors
    /// [`Class::Spec`] if there is no image.toml.
    pub fn of_root(workspace: &Workspace, name: &str) -> Result<Self> {
        let description =
            Description::load(workspace, name, &[]).map_err(|failure| match failure.help {
                None => failure.help("--builder podman takes the Containerfile"),
                Some(_) => failure,
            })?;
        let dir = description.dir.clone();
        let mut key = KeyBuilder::new("image of a root", 1);
        let setup = dir.join(SETUP);
        if input::is_there(&setup).class(Class::Source)? {
            key = key.file(SETUP, &setup)?;
        }
        let tools = dir.join(TOOLS);
        if input::is_there(&tools).class(Class::Source)? {
            key = add_folder(key, &tools, &dir, |_| true)?;
        }
        let lock = root::lock_of(&description)?;
        let lock = lock.map(|lock| root::key_of(&description, &lock)).transpose()?;
        let lock = lock.map(|key| key.to_string());
        let (name, identity) = (name.to_owned(), key.identify());
        Ok(Self { name, identity, lock, lock_file: root::LOCK, args: Vec::new(), dir })
    }

    /// Makes the root, unless it is there.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if there is no lock, or a package cannot be reached.
    pub fn make_root(
        &self,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<BuiltRoot, Trouble> {
        let description = Description::load(site.workspace, &self.name, &[])?;
        let lock =
            root::lock_of(&description)?.ok_or_else(|| Trouble::Unavailable(self.no_lock()))?;
        let packages = root::key_of(&description, &lock)?.to_string();
        // The compiles have the lock that was there when the run was planned in their keys.
        if self.lock.as_deref() != Some(packages.as_str()) {
            return Err(Trouble::Failed(self.was_changed(root::LOCK)));
        }
        let set_up = |tree: &Path| {
            self.set_up(tree, site, step)?;
            // So have they setup.sh and builder/, which packages that are fetched first give time to change.
            self.identity.stamps.check()?;
            match Self::of_root(site.workspace, &self.name)?.key() == self.key() {
                true => Ok(()),
                false => Err(self.was_changed(TOOLS)),
            }
        };
        let last = LastStep { key: self.key(), run: &set_up };
        let roots = site.workspace.shared().join("roots");
        let root = root::make(&description, &lock, fetcher, &roots, step, Some(&last))?;
        let key = KeyBuilder::new("root of the sandbox", 1).text("packages", &packages);
        let key = key.identity("image", self.identity()).finish();
        Ok(BuiltRoot { name: format!("containers/{}", self.name), tree: root.tree, key })
    }

    fn was_changed(&self, file: &str) -> Failure {
        let message =
            format!("containers/{}/{file} was changed while it was being built from", self.name);
        Failure::new(Class::Source, message).help("run again; nothing was kept of this step")
    }

    fn no_lock(&self) -> Failure {
        let name = &self.name;
        let message = format!("containers/{name}/{} is not there", root::LOCK);
        Failure::new(Class::Tool, message).help(format!(
            "`cargo xtask lock {name}` writes it: commit it; or --builder podman takes the Containerfile"
        ))
    }

    /// Runs setup.sh in the root.
    fn set_up(&self, tree: &Path, site: &Site<'_>, step: &str) -> Result<()> {
        if !input::is_there(&self.dir.join(SETUP)).class(Class::Source)? {
            return Ok(());
        }
        let scratch = tempfile::tempdir_in(site.workspace.tmp()).class(Class::Output)?;
        let place = scratch.path().join("root");
        fs_err::create_dir(&place).class(Class::Output)?;
        let absolute = |path: &Path| fs_err::canonicalize(path).class(Class::Output);
        // Nothing else of the folder is in the root's key.
        let mut mounts = Vec::new();
        for name in [SETUP, TOOLS] {
            let outside = self.dir.join(name);
            if input::is_there(&outside).class(Class::Source)? {
                let inside = format!("{INSIDE}/{name}");
                mounts.push(Mount { inside, outside: absolute(&outside)?, writable: false });
            }
        }
        let script = format!("{INSIDE}/{SETUP}");
        let request = Request {
            root: absolute(tree)?,
            place: absolute(&place)?,
            mounts,
            user: As::Owner,
            dir: "/".into(),
            home: HOME.into(),
            env: [("HOME", HOME), ("LC_ALL", "C"), ("PATH", PATH), ("TZ", "UTC")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            command: ["/bin/sh", "-eu", &script].map(str::to_owned).to_vec(),
            limits: Limits::default(),
            terminal: false,
        };
        let program = Sandbox::program(&request, scratch.path())?;
        let process = site.process(program, format!("image-{}.log", self.name), Class::Tool, step);
        let ended = process.watch(|_| Decision::Continue)?;
        if ended.status.success() {
            return Ok(());
        }
        let mut failure = process.failure(&ended.status.to_string(), ended.lines);
        failure.message = format!("containers/{}/{SETUP} failed in the new root", self.name);
        Err(failure.help("mend it; the log has all its output"))
    }
}
