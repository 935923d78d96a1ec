//! The clock of a cluster, as the `Date` of its answers tells it.

/// Days from 0000-03-01 to 1970-01-01.
pub const EPOCH_DAYS: i64 = 719_468;
/// Days of the 400 years after which the calendar repeats.
pub const ERA_DAYS: i64 = 146_097;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads the moment of an HTTP header, `Tue, 03 Feb 2026 04:05:06 GMT`, as Unix seconds.
pub fn parse_http(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, clock, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|known| known == month)?;
    let month = i64::try_from(month).ok()? + 1;
    let clock: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = clock.as_slice() else {
        return None;
    };
    let (year, day) = (number(year, 4, 9999)?, number(day, 2, 31)?);
    if day > days_of(year, month) {
        return None;
    }
    let hours = days(year, month, day) * 24 + number(hour, 2, 23)?;
    let seconds = (hours * 60 + number(minute, 2, 59)?) * 60 + number(second, 2, 60)?;
    u64::try_from(seconds).ok()
}

/// A number of exactly so many digits, at most `most`.
fn number(text: &str, digits: usize, most: i64) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain)?;
    (number <= most).then_some(number)
}

/// How many days a month has.
pub fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that a leap day comes last.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}
