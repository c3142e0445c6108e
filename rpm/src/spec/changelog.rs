//! Checks `[[changelog]]`, and converts its dates to the times that rpm stores.

use time::Month;

use super::{package::ChangelogEntry, printable, schema::RawChange};

/// Checks the entries: there is at least one, the newest is first, and each has a text.
pub(super) fn resolve(raw: &[RawChange]) -> Result<Vec<ChangelogEntry>, String> {
    if raw.is_empty() {
        return Err("[[changelog]] is missing: its newest date is the packages' build time".into());
    }
    let entries: Vec<_> = raw.iter().map(entry).collect::<Result<_, _>>()?;
    if !entries.is_sorted_by(|a, b| a.time >= b.time) {
        return Err("[[changelog]]: the newest entry must come first".into());
    }
    Ok(entries)
}

fn entry(raw: &RawChange) -> Result<ChangelogEntry, String> {
    let (Some(date), None, None) = (raw.date.date, raw.date.time, raw.date.offset) else {
        return Err(format!("[[changelog]]: `{}` must be a date such as 2026-11-22", raw.date));
    };
    let time =
        noon(date).ok_or_else(|| format!("[[changelog]]: {date} is not between 1970 and 2105"))?;
    if raw.text.is_empty() || raw.author.trim().is_empty() {
        return Err(format!("[[changelog]]: the entry of {date} needs an author and a text"));
    }
    let lines: Vec<_> = raw.text.iter().map(|l| format!("- {}", printable(l).trim())).collect();
    Ok(ChangelogEntry { time, author: printable(&raw.author), text: lines.join("\n") })
}

/// Noon UTC of a day, as rpmbuild stores it; `None` if RPM's unsigned 32 bit number cannot hold it.
fn noon(date: toml::value::Date) -> Option<u32> {
    let month = Month::try_from(date.month).ok()?;
    let day = time::Date::from_calendar_date(date.year.into(), month, date.day).ok()?;
    day.with_hms(12, 0, 0).ok()?.assume_utc().unix_timestamp().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_noon_utc_within_rpms_range() {
        let noon = |text: &str| noon(text.parse::<toml::value::Datetime>().unwrap().date.unwrap());
        for (date, days) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-11-22", 20_779),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(noon(date), Some(days * 86_400 + 43_200), "{date}");
        }
        assert_eq!((noon("1969-12-31"), noon("2106-03-01")), (None, None));
    }

    #[test]
    fn changelog_entries_are_sorted_and_not_empty() {
        let read = |text: &str| {
            #[derive(serde::Deserialize)]
            struct Log {
                changelog: Vec<RawChange>,
            }
            resolve(&toml::from_str::<Log>(text).unwrap().changelog)
        };
        let entry = |date: &str, text: &str| {
            format!("[[changelog]]\ndate = {date}\nauthor = \"A\"\ntext = [{text}]\n")
        };
        let two = entry("2026-11-22", "\"b\", \" c \"") + &entry("2026-11-21", "\"a\"");
        let entries = read(&two).unwrap();
        assert_eq!((entries.len(), entries[0].text.as_str()), (2, "- b\n- c"));
        let error = |text: String| read(&text).unwrap_err();
        assert!(error("changelog = []".into()).contains("is missing"));
        let turned = entry("2026-11-21", "\"a\"") + &entry("2026-11-22", "\"b\"");
        assert!(error(turned).contains("newest entry must come first"));
        assert!(error(entry("2026-11-22", "")).contains("needs an author and a text"));
        assert!(error(entry("2026-11-22T10:00:00", "\"a\"")).contains("must be a date"));
    }
}
