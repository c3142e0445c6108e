//! The age of a repository's metadata. yum keeps the metadata that it has if a repository offers older metadata. It compares
//! the timestamps of the files that repomd.xml lists; other clients compare the revision.

use std::path::Path;

use quick_xml::{Reader, events::Event};

use super::repomd;
use crate::{Error, Result};

/// The newest of the revision and the timestamps in `dir/repodata/repomd.xml`, in seconds since 1970; `None` if there is
/// no such file. A repository that replaces this one must not be older.
///
/// # Errors
/// [`Error::Metadata`] if the file exists but cannot be read or parsed.
pub fn revision(dir: &Path) -> Result<Option<u32>> {
    let path = dir.join(repomd::REPOMD);
    let damaged = |message: String| Error::Metadata {
        message: format!("{}: {message}", path.display()),
        help: format!(
            "hosts refuse metadata that is older than what they have, and nothing says how old that is: fetch the \
             file again from where the repository was published, or remove {} and tell the hosts to run `yum clean metadata`",
            dir.join("repodata").display()
        ),
    };
    let bytes = match repomd::read(&path) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(e) => return Err(damaged(format!("cannot be read: {e}"))),
    };
    newest(&bytes).map(Some).map_err(|message| damaged(format!("is damaged: {message}")))
}

fn newest(repomd: &[u8]) -> std::result::Result<u32, String> {
    let xml = std::str::from_utf8(repomd).map_err(|e| e.to_string())?;
    let mut reader = Reader::from_str(xml);
    let mut newest = None;
    let (mut is_repomd, mut depth) = (false, 0_usize);
    // The name of the element whose text is read.
    let mut inside = String::new();
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(e) => {
                depth += 1;
                e.name().as_ref().clone_into(&mut inside);
                is_repomd |= depth == 1 && inside == "repomd";
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                inside.clear();
            }
            Event::Text(text) => newest = newest.max(moment(&inside, text.trim())?),
            Event::Eof if depth > 0 || !is_repomd => return Err("it is not whole".into()),
            Event::Eof => return newest.ok_or_else(|| "it states no time".into()),
            _ => {}
        }
    }
}

/// The seconds that an element states, if it is a revision or a timestamp.
fn moment(element: &str, text: &str) -> std::result::Result<Option<u32>, String> {
    if text.is_empty() || !["revision", "timestamp"].contains(&element) {
        return Ok(None);
    }
    // Old versions of createrepo wrote fractions of seconds.
    let seconds = text.split('.').next().unwrap_or_default().parse::<u64>();
    match seconds.map(|s| s + u64::from(text.contains('.'))).map(u32::try_from) {
        Ok(Ok(seconds)) => Ok(Some(seconds)),
        // `createrepo --revision` takes any word.
        _ if element == "revision" => Ok(None),
        _ => Err(format!("`{}` is no time", crate::spec::printable(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(repomd: &str) -> Result<Option<u32>> {
        let dir = tempfile::tempdir()?;
        fs_err::create_dir(dir.path().join("repodata"))?;
        fs_err::write(dir.path().join("repodata/repomd.xml"), repomd)?;
        revision(dir.path())
    }

    fn repomd(revision: &str, timestamp: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><repomd><revision>{revision}</revision><data type=\"primary\">\
             <timestamp>{timestamp}</timestamp></data></repomd>"
        )
    }

    #[test]
    fn the_newest_timestamp_is_the_revision() {
        for (revision, timestamp, newest) in [
            ("1795694400", "1795348800", 1_795_694_400),
            ("1", "1795348800", 1_795_348_800),
            ("1", "1325376000.45", 1_325_376_001),
            ("7.9.2009", "1604001756", 1_604_001_756),
            ("nightly", "5", 5),
        ] {
            assert_eq!(of(&repomd(revision, timestamp)).unwrap(), Some(newest));
        }
        assert_eq!(revision(tempfile::tempdir().unwrap().path()).unwrap(), None);
    }

    #[test]
    fn damaged_metadata_is_not_treated_as_missing() {
        let whole = repomd("1", "2");
        for damaged in [
            "",
            "<repomd/>",
            "junk",
            &whole[..whole.len() - 9],
            &repomd("1", "soon"),
            &repomd("1", "99999999999"),
            &repomd("1", "-5"),
        ] {
            let error = of(damaged).unwrap_err();
            assert!(error.to_string().contains("is damaged"), "{damaged}: {error}");
            assert!(error.help().unwrap().contains("yum clean metadata"));
        }
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("repodata/repomd.xml")).unwrap();
        assert!(revision(dir.path()).unwrap_err().to_string().contains("cannot be read"));
    }
}
