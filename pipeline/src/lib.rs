//! The pipeline: it turns descriptions into a signed repository.
//!
//! ```text
//! specs ─ plan::Plan ─ steps::Context ─ publish::Publication
//!             │              │                  │
//!         what to do     does a step      the folder, whole
//!         and its key    schedule: when   or not at all
//! ```
//!
//! [`plan`] makes steps with keys from the descriptions; [`schedule`] runs each step once the steps that it needs
//! have ended; [`steps`] has a file for each kind of step; [`cache`] keeps results by key. [`keys`] loads the signing
//! key, [`publish`] writes the repository. [`lock`] makes runs of one checkout wait for each other; [`durations`] and
//! [`last`] remember how long steps took and what their inputs were.

pub mod cache;
pub mod circumstances;
pub mod durations;
#[cfg(test)]
mod fixture;
pub mod keys;
pub mod last;
pub mod lock;
pub mod plan;
pub mod publish;
pub mod schedule;
pub mod steps;
