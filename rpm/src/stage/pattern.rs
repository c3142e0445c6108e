//! Patterns of file names.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Limits for nested braces and for the length of a pattern. The parser of patterns is recursive,
/// and a deeply nested pattern would overflow the stack.
const MAX_DEPTH: usize = 16;
const MAX_BYTES: usize = 4096;

/// A matcher for any of `patterns`. `*` and `?` do not match a slash.
///
/// # Errors
/// A sentence that says what is wrong with a pattern.
pub(super) fn set(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        if pattern.len() > MAX_BYTES {
            return Err(format!("it has more than {MAX_BYTES} bytes"));
        }
        if depth(pattern) > MAX_DEPTH {
            return Err(format!("braces are nested more than {MAX_DEPTH} deep"));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(|e| e.kind().to_string())?);
    }
    set.build().map_err(|e| e.kind().to_string())
}

/// An upper bound for the nesting of braces: it counts escaped braces and those in brackets, too.
fn depth(pattern: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for c in pattern.chars() {
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeply_nested_braces_are_refused() {
        let nested = |n: usize| [&"{".repeat(n), "a,b", &"}".repeat(n)].concat();
        let build = |pattern: String| set(&[pattern]);
        assert!(build(nested(16)).unwrap().is_match("a"));
        for pattern in [nested(17), nested(250), nested(2000), "{".repeat(2000)] {
            assert!(build(pattern).unwrap_err().contains("braces"));
        }
        for pattern in [nested(100_000), "[".repeat(5000), "*a".repeat(50_000)] {
            assert!(build(pattern).unwrap_err().contains("bytes"));
        }
        assert!(build("{a,b}{c,d}".repeat(100)).is_ok());
        for wrong in ["[a", "{a", "a}", "[z-a]", "a\\"] {
            assert!(!build(wrong.into()).unwrap_err().is_empty(), "{wrong}");
        }
    }
}
