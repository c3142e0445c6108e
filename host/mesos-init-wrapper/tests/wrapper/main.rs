//! Runs the real program against made-up hosts: a folder with /etc and with
//! daemons that write down how they were started.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

mod flags;
mod host;
mod interface;
mod limits;
mod process;
mod show;
mod variables;
mod zookeeper;
