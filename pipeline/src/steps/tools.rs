//! `tools`: installs zig and cargo-zigbuild. The key is that of the pinned Python packages, or of the user's own
//! programs. They are not in the cache; [`Zig`] has their paths.

use super::{Context, Draft, Step};
use base::{
    failure::{Result, Trouble},
    key::KeyBuilder,
};
use builders::tools::{self, Zig};

/// Installs zig and cargo-zigbuild.
#[derive(Debug)]
pub struct InstallTools {
    zig: Zig,
}

impl InstallTools {
    pub(crate) fn draft(zig: Zig) -> Draft<Self> {
        let key = KeyBuilder::new("tools", 1).text("zig or cargo-zigbuild", &zig.identity);
        let inputs = vec!["builders/tools/requirements.txt".into()];
        Draft { inputs, ..Draft::new("tools".into(), key.identify(), Self { zig }) }
    }

    pub(super) fn is_there(&self) -> bool {
        self.zig.is_there()
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        tools::install(&context.site(), &step.name)
    }
}
