//! The pipeline: from descriptions to a signed repository.
//!
//! ```text
//! specs ─ plan::Plan ─ steps::Context ─ publish::Publication
//!             │              │                  │
//!         what to do     does a step      the folder, whole
//!         and its key    schedule: when   or not at all
//! ```
//!
//! [`plan`] resolves descriptions into steps with keys; [`schedule`] runs them as soon as what they need is there;
//! [`steps`] does each one, by the builders and the sources; [`cache`] keeps results by key. [`keys`] finds what signs,
//! [`publish`] puts a repository in its place. [`lock`] keeps runs of one checkout apart, [`durations`] remembers how
//! long steps took, and [`last`] what their results were made from.

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
