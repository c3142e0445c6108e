//! What all other crates of the program use.
//!
//! | module | what it has |
//! |---|---|
//! | [`workspace`] | the checkout and its folders |
//! | [`process`] | programs: the only way to run one is [`process::Program`] |
//! | [`events`], [`report`] | what happens during a run, and its outcome; the command line shows both |
//! | [`failure`] | why something failed; the class of a failure is the exit code |
//! | [`key`], [`why`], [`step`] | keys of steps, which of their inputs have changed, and the kinds and states of steps |
//! | [`disk`] | syncing files to the disk |
//! | [`interrupt`], [`stopping`] | signals: they stop the programs and containers of a run |
//!
//! This crate knows nothing about packages.

pub mod disk;
pub mod events;
pub mod failure;
pub mod interrupt;
pub mod key;
pub mod process;
pub mod report;
pub mod step;
pub mod stopping;
pub mod why;
pub mod workspace;
