//! Extended headers of tar files (pax): what they say of an entry counts before what its own header says. The library
//! passes over records that it cannot read, and other tar programs do not; nothing is unpacked that has two meanings.

use std::io::Read;

use tar::Entry;

use super::limits::short;

/// What decides where an entry stands, what it leads to, and where the next one begins.
const DECIDING: [&[u8]; 3] = [b"path", b"linkpath", b"size"];

/// More than any list of records that is meant.
const LONGEST: u64 = 1 << 16;

/// What is wrong with the records of an entry, if anything is.
pub(super) fn fault(entry: &mut Entry<'_, impl Read>) -> Option<String> {
    let damaged = || Some("has a pax header that cannot be read".to_owned());
    let records = match entry.pax_extensions() {
        Ok(records) => records?,
        Err(_) => return damaged(),
    };
    let mut seen: Vec<&[u8]> = Vec::new();
    for record in records {
        let Ok(record) = record else { return damaged() };
        let Some(key) = DECIDING.into_iter().find(|key| *key == record.key_bytes()) else {
            continue;
        };
        let (name, value) = (String::from_utf8_lossy(key), record.value_bytes());
        let text = String::from_utf8_lossy(value);
        if seen.contains(&key) {
            return Some(format!("has two records `{name}` in its pax header"));
        }
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let is_good = match key {
            b"size" => is_number && text.parse::<u64>().is_ok(),
            _ => !value.is_empty(),
        };
        if !is_good {
            return Some(format!("has the {name} `{}` in its pax header", short(&text)));
        }
        seen.push(key);
    }
    None
}

/// What is wrong with a header for all entries that follow, if anything is: git puts a comment there.
pub(super) fn global_fault(entry: &mut Entry<'_, impl Read>) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    entry.by_ref().take(LONGEST).read_to_end(&mut bytes)?;
    let fault = |key: &&[u8]| {
        format!(
            "has a header for all that follow with the record `{}`",
            String::from_utf8_lossy(key)
        )
    };
    let records = bytes.split(|byte| *byte == b'\n');
    let keys = records.filter_map(|record| {
        let record = record.splitn(2, |byte| *byte == b' ').nth(1)?;
        record.split(|byte| *byte == b'=').next()
    });
    let counts = |key: &&[u8]| DECIDING.contains(key) || key.starts_with(b"GNU.sparse.");
    Ok(keys.into_iter().find(counts).as_ref().map(fault))
}
