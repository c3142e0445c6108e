//! Steps that make the files: on the host, and in a container.

use std::path::{Path, PathBuf};

use el7rpm::spec::Source;

use super::Context;
use crate::{
    container::{self, Compile},
    failure::{Class, Classify, Result},
    host_builder::{HostBuild, Site},
    plan::{ContainerWork, Step},
    schedule::Trouble,
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
        self.cache.make("compile", &step.key, |out| {
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
        let unpacked = |sources: &[Source]| -> Result<Vec<(String, PathBuf)>, Trouble> {
            let unpack = |s: &Source| Ok((s.name.clone(), self.unpack(s, scratch.path(), step)?));
            sources.iter().map(unpack).collect()
        };
        let mut needs = Vec::new();
        for need in &work.needs {
            let build = self.result(need.step)?.join(container::BUILD);
            let sources = unpacked(&need.sources)?;
            needs.push(container::Need { name: need.name.clone(), build, sources });
        }
        let sources = unpacked(&work.sources)?;
        // A folder has been copied by now; it may change from here on.
        for index in &step.needs {
            self.plan.steps[*index].stamps.check()?;
        }
        let compile = Compile {
            name: &work.spec,
            version: &work.version,
            sources,
            needs,
            build: &work.build,
            source_date: work.source_date,
            options: self.compile_options,
        };
        self.cache.make("compile", &step.key, |out| {
            compile.run(&engine, &image, site, &step.name, out)
        })?;
        Ok(())
    }

    /// The tree of a source below `scratch`. It has been fetched, so this asks no network.
    fn unpack(&self, source: &Source, scratch: &Path, step: &Step) -> Result<PathBuf, Trouble> {
        let tree = scratch.join(&source.name);
        if !tree.exists() {
            fs_err::create_dir(&tree).class(Class::Output)?;
            self.fetcher.fetch(source, &step.name)?.unpack(&tree)?;
        }
        Ok(tree)
    }
}
