//! The oracle ring: what this crate writes, judged by the real rpm and createrepo_c.

#![allow(
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod debuginfo;
mod examples;
mod fixtures;
mod generate_rpm;
mod hostile;
mod keys;
mod large;
mod limits;
mod lint;
mod metadata;
mod others;
mod resolve;
mod rpmbuild;
mod signatures;
mod unpack;
mod verdicts;
