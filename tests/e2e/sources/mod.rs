//! `fetch`: sources from elsewhere, which are archives and commits; from servers that behave as
//! servers do, with pins, and from what users bring along.

use std::process::{Command, Output};

use sha2::{Digest, Sha256};

use crate::{checkout::Checkout, support};

mod archive;
mod git;
mod limits;
mod links_out;
mod pin;
mod tls;
pub mod web;

/// The part of a description that is the same in all tests.
pub const PACKAGE: &str = "
[package.p]
version = \"1\"
arch = \"noarch\"
summary = \"S\"
license = \"L\"

[[changelog]]
date = 2026-11-22
author = \"A <a@localhost> - 1-1\"
text = [\"First\"]
";

/// A checkout with these sources.
pub fn with(sources: &str) -> Checkout {
    let checkout = Checkout::empty();
    checkout.write("specs/p/package.toml", format!("{sources}{PACKAGE}"));
    checkout
}

/// `fetch` without a proxy: the servers of tests are on this machine.
pub fn command(checkout: &Checkout, args: &[&str]) -> Command {
    let mut command = checkout.xtask(&["fetch"]);
    let proxies = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].map(String::from);
    for name in proxies.iter().flat_map(|name| [name.clone(), name.to_uppercase()]) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// Runs `fetch`.
pub fn fetch(checkout: &Checkout, args: &[&str]) -> Output {
    support::run(&mut command(checkout, args))
}

pub fn fetch_ok(checkout: &Checkout, args: &[&str]) -> String {
    support::ok(&mut command(checkout, args))
}

/// Exit code and message of a `fetch` that fails; names of hosts and folders are taken out.
pub fn fetch_fails(checkout: &Checkout, args: &[&str], hosts: &[&str]) -> (i32, String) {
    let (code, mut text) = checkout.code_and_text(&fetch(checkout, args));
    for (n, host) in hosts.iter().enumerate() {
        text = text.replace(host, &format!("[HOST{n}]"));
    }
    assert!(!text.contains("panicked"), "{text}");
    let lines = text.lines().filter(|l| !l.starts_with("start") && !l.starts_with("done"));
    (code, lines.collect::<Vec<_>>().join("\n"))
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
