use crate::{
    failure::Result, host_builder::Site, key::Key, schedule::Trouble, workspace::Workspace,
};
use el7rpm::spec::ContainerBuild;
use std::path::{Path, PathBuf};
pub(crate) const BUILD: &str = "build";
pub(crate) const STAGE: &str = "stage";
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum EngineKind {
    Podman,
    Docker,
}
#[derive(Clone)]
pub(crate) struct Engine;
impl Engine {
    pub(crate) fn find(_: Option<EngineKind>) -> Result<Self, Trouble> {
        Ok(Self)
    }
}
#[derive(Clone)]
pub(crate) struct BuiltImage;
#[derive(Clone, Debug)]
pub(crate) struct Image {
    key: Key,
}
impl Image {
    pub(crate) fn load(_: &Workspace, _: &str) -> Result<Self> {
        todo!()
    }
    pub(crate) fn name(&self) -> &str {
        ""
    }
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
    pub(crate) fn lock(&self) -> Option<&str> {
        None
    }
    pub(crate) fn abi(&self) -> Option<PathBuf> {
        None
    }
    pub(crate) fn ensure(
        &self,
        _: &Engine,
        _: &[(String, String)],
        _: &Site<'_>,
        _: &str,
    ) -> Result<BuiltImage, Trouble> {
        todo!()
    }
}
#[derive(Clone, Debug, Default)]
pub(crate) struct CompileOptions {
    pub(crate) jobs: Option<u16>,
    pub(crate) distcc: Option<String>,
    pub(crate) shell_on_failure: bool,
}
pub(crate) struct Need {
    pub(crate) name: String,
    pub(crate) build: PathBuf,
    pub(crate) sources: Vec<(String, PathBuf)>,
}
pub(crate) struct Compile<'a> {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sources: Vec<(String, PathBuf)>,
    pub(crate) needs: Vec<Need>,
    pub(crate) build: &'a ContainerBuild,
    pub(crate) source_date: u32,
    pub(crate) options: &'a CompileOptions,
}
impl Compile<'_> {
    pub(crate) fn run(
        &self,
        _: &Engine,
        _: &BuiltImage,
        _: &Site<'_>,
        _: &str,
        _: &Path,
    ) -> Result<(), Trouble> {
        Ok(())
    }
}
