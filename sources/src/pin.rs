//! Writes the `sha256` of a source into its package.toml: as one line after the `url`. No other
//! byte of the file is changed.

use std::{io::Write, path::Path};

use el7rpm::spec::{Origin, Spec};
use toml_edit::{Document, Item, TableLike};

use base::failure::{Class, Classify, Failure, Result};

/// Pins the source `name` in the description `path`. The file is replaced in one step.
pub fn write(path: &Path, name: &str, sha256: &str) -> Result<()> {
    // If the file is a link, its target is replaced.
    let real = fs_err::canonicalize(path).class(Class::Spec)?;
    let text = fs_err::read_to_string(&real).class(Class::Spec)?;
    let pinned = insert(&text, name, sha256).filter(|new| is_pinned(new, path, name, sha256));
    let pinned = pinned.ok_or_else(|| {
        let file = path.display();
        Failure::new(Class::Spec, format!("{file}: the sha256 of `{name}` could not be written"))
            .help(format!("write it there yourself: sha256 = \"{sha256}\""))
    })?;
    let dir = real.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).class(Class::Output)?;
    file.write_all(pinned.as_bytes()).class(Class::Output)?;
    let permissions = fs_err::metadata(&real).class(Class::Output)?.permissions();
    fs_err::set_permissions(file.path(), permissions).class(Class::Output)?;
    file.as_file().sync_all().class(Class::Output)?;
    file.persist(&real).map_err(|e| e.error).class(Class::Output)?;
    Ok(())
}

/// Whether the new text is a description in which the source is pinned. The description is not checked as
/// a whole, since it may refer to others. Apart from the pin it was checked before.
fn is_pinned(text: &str, path: &Path, name: &str, sha256: &str) -> bool {
    let Ok(Some(source)) = Spec::source(text, path, name) else { return false };
    matches!(source.origin, Origin::Archive { sha256: Some(pin), .. } if pin == sha256)
}

/// The text with `sha256` after the `url` of `[source.NAME]`.
fn insert(text: &str, name: &str, sha256: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let source = document.as_table().get("source")?.as_table_like()?.get(name)?;
    let table = source.as_table_like()?;
    let (key, url) = table.get_key_value("url")?;
    let end = url.span()?.end;
    if is_inline(source, table) {
        return Some(format!("{}, sha256 = \"{sha256}\"{}", &text[..end], &text[end..]));
    }
    // The new line begins with the same text before its key: spaces, or `source.NAME.`.
    let start = text[..key.span()?.start].rfind('\n').map_or(0, |n| n + 1);
    let before = &text[start..key.span()?.start];
    let line_end = text[end..].find('\n').map_or(text.len(), |n| end + n + 1);
    let ending = if text[..line_end].ends_with("\r\n") { "\r\n" } else { "\n" };
    let gap = if text[..line_end].ends_with('\n') { "" } else { ending };
    let (head, tail) = text.split_at(line_end);
    Some(format!("{head}{gap}{before}sha256 = \"{sha256}\"{ending}{tail}"))
}

fn is_inline(source: &Item, table: &dyn TableLike) -> bool {
    source.is_inline_table() && !table.is_dotted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_written_after_the_url() {
        let cases = [
            "# head\n\n[source.x]   # why\n  url = \"https://h/x\" # where\n\n  # after\n",
            "[source.x]\nurl = [\n  \"https://h/x\", # one\n  \"https://i/x\",\n]\nsignature = 's'\n",
            "[source]\nx = { url = \"https://h/x\", signature = \"s\" } # all\n",
            "[source]\nx.url = \"https://h/x\"\nx.signature = \"s\"\n",
            "source.x.\"url\" = 'https://h/x'",
            "[source.y]\nurl = \"https://h/y\"\r\n[source.x]\r\nurl = \"https://h/x\"\r\n",
        ];
        let digest = "ab".repeat(32);
        let pinned = cases.map(|text| {
            let new = insert(text, "x", &digest).unwrap();
            let value: toml::Table = toml::from_str(&new).unwrap();
            assert_eq!(value["source"]["x"]["sha256"].as_str(), Some(digest.as_str()), "{new}");
            new.replace(&digest, "DIGEST").replace('\r', "CR")
        });
        insta::assert_snapshot!(pinned.join("\n----\n"));
    }

    #[test]
    fn sources_without_a_url_are_not_pinned() {
        assert_eq!(insert("[source.x]\ngit = \"https://h/x\"\n", "x", ""), None);
        assert_eq!(insert("[package.x]\n", "x", ""), None);
        assert_eq!(insert("= nonsense", "x", ""), None);
    }
}
