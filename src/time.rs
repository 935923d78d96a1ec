//! Times: Unix seconds as ISO 8601 in UTC, and what people write for a time as Unix seconds.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days of the 400 years after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// The last second of the year 9999: nothing later has four digits for its year.
const LAST_S: u64 = 253_402_300_799;

/// `epoch` as `2026-02-03T04:05:06Z`.
pub fn iso(epoch: u64) -> String {
    let epoch = epoch.min(LAST_S);
    let (year, month, day) = date(i64::try_from(epoch / DAY_S).unwrap_or_default());
    let second = epoch % DAY_S;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `epoch_ms` as `2026-02-03T04:05:06.789Z`.
pub fn iso_ms(epoch_ms: u64) -> String {
    let second = iso(epoch_ms / 1000);
    let second = second.trim_end_matches('Z');
    format!("{second}.{:03}Z", epoch_ms % 1000)
}

/// Seconds since 1970 of this machine's clock.
pub fn now() -> u64 {
    now_ms() / 1000
}

/// Milliseconds since 1970 of this machine's clock.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map(|since| since.as_millis()).unwrap_or_default();
    u64::try_from(since).unwrap_or(u64::MAX)
}

/// Seconds as people say them, in the largest unit that fits twice: `45s`, `90min`, `30h`, `12d`.
pub fn span(seconds: u64) -> String {
    let units = [(DAY_S, "d"), (3600, "h"), (60, "min")];
    for (length, unit) in units {
        if seconds >= 2 * length {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

/// What [`parse`] takes, for whoever wrote something else.
pub const FORMS: &str = "a span back as `2d` (s, m, h, d, w), a date, or a date and time as \
     `2026-02-03T04:05Z`";

/// Reads a moment: ISO 8601 (`2026-02-03`, `2026-02-03T04:05`, with seconds, `Z` or `+01:00`; UTC
/// where no zone is said), Unix seconds, or a span back from `now` (`90s`, `30m`, `2h`, `7d`, `1w`).
pub fn parse(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    if let Some(back) = parse_span(text) {
        return Some(now.saturating_sub(back));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|epoch| *epoch <= LAST_S);
    }
    parse_iso(text)
}

/// Reads the moment of an HTTP header: `Tue, 03 Feb 2026 04:05:06 GMT`.
pub fn parse_http(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, clock, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|known| known == month)? + 1;
    parse_iso(&format!("{year}-{month:02}-{day}T{clock}Z"))
}

fn parse_span(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(at)?;
    let length = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => DAY_S,
        "w" => 7 * DAY_S,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(length)
}

fn parse_iso(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, ""));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let (clock, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at_checked(at)?,
        None => (time, ""),
    };
    let second_of_day = if clock.is_empty() && zone.is_empty() && !text.contains(['T', 't', ' ']) {
        0
    } else {
        // Parts of a second are dropped.
        let clock = clock.split('.').next().unwrap_or_default();
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])
            .or_else(|| numbers(&format!("{clock}:00"), ':', [2; 3]))?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        hour * 3600 + minute * 60 + second
    };
    let seconds = days(year, month, day) * i64::try_from(DAY_S).ok()? + second_of_day;
    u64::try_from(seconds - offset(zone)?).ok()
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') if zone.len() <= 1 => return Some(0),
        Some('+') => 1,
        Some('-') => -1,
        _ => return None,
    };
    let zone = zone.get(1..)?;
    let [hour, minute] = numbers(zone, ':', [2, 2]).or_else(|| {
        numbers(
            &format!("{}:{}", zone.get(..2)?, zone.get(2..)?),
            ':',
            [2, 2],
        )
    })?;
    (hour <= 14 && minute <= 59).then_some(sign * (hour * 3600 + minute * 60))
}

/// Exactly `N` numbers of these many digits, with `between` between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for (slot, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that a leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

/// The date of a day after 1970-01-01: the way back of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
