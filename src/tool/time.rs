//! Times: Unix seconds as ISO 8601 in UTC, and what people write for a time as Unix seconds.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::proxmox::clock::{EPOCH_DAYS, ERA_DAYS, days, days_of};

const DAY_S: u64 = 86_400;
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

/// Seconds since 1970 of this machine's clock.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
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
