//! The ground floor: what every other part of the program stands on.
//!
//! A [`workspace::Workspace`] is the checkout and its folders. Work in it runs programs by [`process::Program`], the one
//! way to run any; tells what happens as [`events::Event`]s to a [`events::Reporter`], which the command line prints;
//! and ends well or with a [`failure::Failure`], whose class is the exit code. [`key::Key`]s name the results of steps
//! by all that went into them, [`why`] compares that with what went into the last one, [`step`] has the words for steps, [`disk`] makes files last, and [`report::Report`] is
//! what a run says at its end. [`interrupt`] ends all of it in order when a signal comes.
//!
//! Nothing here knows what a package is made of.

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
