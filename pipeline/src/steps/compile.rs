//! Steps that make the files: on the host, and in a container.

use std::path::{Path, PathBuf};

use el7rpm::spec::{Origin, Source};

use super::Context;
use crate::plan::{ContainerWork, Step, Wanted};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    step::Kind,
};
use builders::{
    container::{self, Compile},
    host_builder::HostBuild,
    site::Site,
    tools::Zig,
};

impl Context<'_> {
    pub(super) fn compile_on_host(
        &self,
        step: &Step,
        build: &HostBuild,
        site: &Site<'_>,
    ) -> Result<(), Trouble> {
        let zig = Zig::locate(self.workspace, self.release);
        build.fetch(site, &zig, &step.name)?;
        self.cache.make(Kind::Compile, &step.key, |out| {
            build.run(site, &zig, &step.name, out)?;
            step.stamps.check()
        })?;
        Ok(())
    }

    pub(super) fn compile_in_container(
        &self,
        step: &Step,
        work: &ContainerWork,
        site: &Site<'_>,
    ) -> Result<(), Trouble> {
        let (engine, image) = self.images.get(&work.image, site, &step.name)?;
        let scratch = self.cache.scratch()?;
        let unpacked = |sources: &[Wanted]| -> Result<Vec<(String, PathBuf)>, Trouble> {
            let unpack = |w: &Wanted| Ok((w.source.name.clone(), self.unpack(w, scratch.path())?));
            sources.iter().map(unpack).collect()
        };
        let mut needs = Vec::new();
        for need in &work.needs {
            let build = self.result(need.step)?.join(container::BUILD);
            let sources = unpacked(&need.sources)?;
            needs.push(container::Need { name: need.name.clone(), build, sources });
        }
        let sources = unpacked(&work.sources)?;
        let compile = Compile {
            name: &work.spec,
            version: &work.version,
            local: work.local,
            sources,
            needs,
            build: &work.build,
            source_date: work.source_date,
            options: self.compile_options,
        };
        self.cache.make(Kind::Compile, &step.key, |out| {
            compile.run(&engine, &image, site, &step.name, out)
        })?;
        Ok(())
    }

    /// Fails if a folder or a patch is not what it was when the keys were taken: it is read again to be
    /// copied.
    fn check_copy(&self, wanted: &Wanted, tree: &Path) -> Result<()> {
        let Wanted { source, fetch } = wanted;
        let (origin, what) = match &source.origin {
            Origin::Folder(path) => (Origin::Folder(tree.to_owned()), path.display().to_string()),
            _ if source.patches.is_empty() => return Ok(()),
            other => (other.clone(), format!("a patch of `{}`", source.name)),
        };
        let copy = Source { origin, ..source.clone() };
        match self.plan.steps[*fetch].key == sources::identity(&copy)?.key {
            true => Ok(()),
            false => Err(Failure::new(
                Class::Source,
                format!("{what} was changed while it was being built from"),
            )
            .help("run again; nothing was kept of this step")),
        }
    }

    /// The tree of a source below `scratch`. It has been fetched, so this asks no network.
    fn unpack(&self, wanted: &Wanted, scratch: &Path) -> Result<PathBuf, Trouble> {
        let tree = scratch.join(&wanted.source.name);
        if !tree.exists() {
            fs_err::create_dir(&tree).class(Class::Output)?;
            let fetched = self.fetch(&self.plan.steps[wanted.fetch], &wanted.source)?;
            fetched.lay_down(&tree, self.reporter)?;
            self.check_copy(wanted, &tree)?;
            fetched.patch(&tree)?;
        }
        Ok(tree)
    }
}
