#![no_main]
//! A package.toml from anywhere.

use el7rpm::spec::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Spec::parse(text, "/nonexistent/package.toml".as_ref(), "/nonexistent".as_ref());
});
