//! `[[changelog]]`: dates to the times that rpm stores.

use time::Month;

use super::{package::ChangelogEntry, printable, schema::RawChange};

/// Checks the entries: at least one, newest first, each with a text.
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

/// A day's noon, UTC, which is what rpmbuild takes; RPM's times are unsigned 32 bit numbers.
fn noon(date: toml::value::Date) -> Option<u32> {
    let month = Month::try_from(date.month).ok()?;
    let day = time::Date::from_calendar_date(date.year.into(), month, date.day).ok()?;
    day.with_hms(12, 0, 0).ok()?.assume_utc().unix_timestamp().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_rpm_can_store() {
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
}
