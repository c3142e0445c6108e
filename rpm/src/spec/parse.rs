//! Parses TOML. Errors show the position, and suggest the key that was probably meant.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::SpecError;

/// Parses `text`. The error has the file, the line, and a suggestion.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, SpecError> {
    toml::from_str(text).map_err(|e| explain(&e, text, path))
}

/// The folder of the description `path`. Its relative paths start there.
pub(super) fn dir_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn explain(error: &toml::de::Error, text: &str, path: &Path) -> SpecError {
    let place = error.span().map(|span| position(text, span.start));
    let line = place.and_then(|(line, _)| text.lines().nth(line - 1)).map(printable);
    let (message, help) = match unknown_key(error.message()) {
        Some((key, known)) => (format!("unknown key `{}`", printable(key)), suggest(key, &known)),
        None => (printable(error.message()), None),
    };
    SpecError { path: path.to_owned(), place, line, message, help }
}

/// Line and column of a byte offset, both counted from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// Parses serde's message about an unknown field, which has the key and then the known keys, each
/// in backticks.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once('`')?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

/// A suggestion: the known word that was probably meant, or all known words.
pub(super) fn suggest(key: &str, known: &[&str]) -> Option<String> {
    let best = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)))?;
    if strsim::jaro_winkler(best, key) > 0.8 {
        return Some(format!("did you mean `{best}`?"));
    }
    let mut known = known.to_vec();
    known.sort_unstable();
    Some(format!("keys that are known here: {}", known.join(", ")))
}

/// Replaces control characters. A description may be hostile, and must not control the terminal that shows its texts.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_get_a_suggestion() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Two {
            summary: Option<String>,
            license: Option<String>,
        }
        let error = from_str::<Two>("\n  sumary = 1\n", Path::new("p.toml")).unwrap_err();
        assert_eq!(error.message, "unknown key `sumary`");
        assert_eq!(error.help.as_deref(), Some("did you mean `summary`?"));
        assert_eq!(error.place, Some((2, 3)));
        let error = from_str::<Two>("zzz = 1", Path::new("p.toml")).unwrap_err();
        assert_eq!(error.help.as_deref(), Some("keys that are known here: license, summary"));
    }

    #[test]
    fn control_characters_are_replaced_in_messages() {
        assert_eq!(printable("a\u{1b}[31mb\r"), "a\u{fffd}[31mb\u{fffd}");
    }
}
