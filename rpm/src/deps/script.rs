//! The interpreter of an executable script, as rpm's `script.req` finds it.

use super::FileFacts;

pub(super) fn dependencies(head: &[u8], facts: &mut FileFacts) {
    if let Some(interpreter) = interpreter(head) {
        facts.require(interpreter);
    }
    if let Some(program) = env_program(head) {
        facts.require(program);
    }
}

fn first_line(head: &[u8]) -> Option<&str> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    Some(std::str::from_utf8(line).ok()?.trim_start())
}

fn interpreter(head: &[u8]) -> Option<&str> {
    let word = first_line(head)?.split_whitespace().next()?;
    word.starts_with('/').then_some(word)
}

/// The program of `#!/usr/bin/env /absolute/program`. A program that env looks up in PATH gives no dependency, as in rpm:
/// its path on the host is not known here.
fn env_program(head: &[u8]) -> Option<&str> {
    let mut words = first_line(head)?.split_whitespace();
    let is_env = words.next()?.ends_with("/bin/env");
    words.next().filter(|program| is_env && program.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_of_scripts_are_found() {
        let requires = |head: &[u8]| {
            let mut facts = FileFacts::default();
            dependencies(head, &mut facts);
            facts.requires.into_iter().map(|d| d.name).collect::<Vec<_>>()
        };
        assert_eq!(requires(b"#!/bin/sh\n"), ["/bin/sh"]);
        assert_eq!(requires(b"#! /usr/bin/python2 -E\nx"), ["/usr/bin/python2"]);
        assert_eq!(requires(b"#!/usr/bin/env python\n"), ["/usr/bin/env"]);
        assert_eq!(requires(b"#!/usr/bin/env /opt/x/py\n"), ["/usr/bin/env", "/opt/x/py"]);
        assert!(requires(b"#!perl\n").is_empty());
        assert!(requires(b"#!\xff\xfe\n").is_empty());
        assert!(requires(b"").is_empty());
    }
}
