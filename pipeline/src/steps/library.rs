//! `library`: adds Rust's library for musl, which rustup keeps. Programs are linked for another target if it is
//! missing, so it changes the keys of their compiles.

use super::{Context, Draft, Step};
use base::{
    failure::{Result, Trouble},
    key::KeyBuilder,
};
use builders::{
    rust::{self, Rust},
    target::Target,
    toolchain::Toolchain,
};

/// Adds Rust's library for musl.
#[derive(Debug)]
pub struct AddLibrary;

impl AddLibrary {
    pub(crate) fn draft(rust: &Rust, toolchain: &Toolchain) -> Draft<Self> {
        let key = KeyBuilder::new("library", 1).text("the compiler", &rust.identity);
        Draft::new(toolchain.how_to_add(Target::Musl), key.identify(), Self)
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        rust::add_library(&context.site(), &step.name)
    }
}
