//! `[[changelog]]`: dates to the times that rpm stores.

use super::{package::ChangelogEntry, printable, schema::RawChange};

const NOON: i64 = 12 * 3600;

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
    let days = days_since_1970(date.year.into(), date.month.into(), date.day.into());
    // RPM's times are unsigned 32 bit numbers.
    let time = u32::try_from(days * 86_400 + NOON)
        .map_err(|_| format!("[[changelog]]: {date} is not between 1970 and 2105"))?;
    if raw.text.is_empty() || raw.author.trim().is_empty() {
        return Err(format!("[[changelog]]: the entry of {date} needs an author and a text"));
    }
    let lines: Vec<_> = raw.text.iter().map(|l| format!("- {}", printable(l).trim())).collect();
    Ok(ChangelogEntry { time, author: printable(&raw.author), text: lines.join("\n") })
}

/// Days from the civil calendar, by counting years from March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + (day - 1)
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2015, 10, 21), 16_729),
            ((2026, 11, 22), 20_779),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days_since_1970(date.0, date.1, date.2), days, "{date:?}");
        }
    }
}
