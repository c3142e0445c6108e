//! The end-to-end ring: the real command line, and real tools that install what it makes.

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

mod abi_table;
mod along;
mod bad_input;
mod checkout;
mod container;
mod debuginfo;
mod distribution;
mod early;
mod every_key;
mod failing;
mod firewalld;
mod host_program;
mod index;
mod install;
mod interrupted;
mod keys;
mod links_to_libraries;
mod lock;
mod odd_keys;
mod odd_paths;
mod patches;
mod programs;
mod publishing;
mod readme;
mod release_rust;
mod root;
mod runs;
mod sandbox;
mod schema;
mod silent;
mod sources;
mod stand_in;
mod states;
mod switches;
mod tools;
mod unpack;
mod unreadable;
mod upstream;
mod verify;
mod whereabouts;
mod why;
