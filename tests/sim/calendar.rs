//! Calendar events, as the schedules of jobs are: `daily`, `mon..fri 22:00`, `*/15`.

use super::http::civil;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_S: i64 = 86_400;
/// 1970 began on a Thursday.
const FIRST_DAY: i64 = 3;

const NAMED: &[(&str, &str)] = &[
    ("minutely", "*:*"),
    ("hourly", "*:00"),
    ("daily", "0:00"),
    ("weekly", "mon 0:00"),
    ("monthly", "*-*-1 0:00"),
    ("yearly", "*-1-1 0:00"),
];

/// What is allowed of days of the week, months, days, hours and minutes.
pub struct Event {
    days: Vec<i64>,
    months: Vec<i64>,
    month_days: Vec<i64>,
    hours: Vec<i64>,
    minutes: Vec<i64>,
}

/// # Errors
/// It is no event; the text is the schema's.
pub fn parse(text: &str) -> Result<Event, String> {
    let fails = |why: String| format!("invalid calendar event '{text}' - {why}\n");
    let spelled = NAMED.iter().find(|(name, _)| *name == text);
    let spelled = spelled.map_or(text, |(_, spelled)| spelled);
    let mut words = spelled.split_whitespace().peekable();
    let mut event = Event {
        days: (0..7).collect(),
        months: (1..=12).collect(),
        month_days: (1..=31).collect(),
        hours: (0..24).collect(),
        minutes: vec![0],
    };
    if let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_alphabetic())) {
        event.days = week_days(word)
            .ok_or_else(|| fails(format!("unable to parse calendar event '{word}'")))?;
    }
    if let Some(word) = words.next_if(|word| word.contains('-')) {
        let parts: Vec<&str> = word.split('-').collect();
        let [_, month, day, ..] = parts.as_slice() else {
            return Err(fails(format!("unable to parse calendar event '{word}'")));
        };
        event.months = field(month, 1, 12).map_err(fails)?;
        event.month_days = field(day, 1, 31).map_err(fails)?;
    }
    if let Some(word) = words.next() {
        let (hours, minutes) = word.split_once(':').unwrap_or(("*", word));
        event.hours = field(hours, 0, 23).map_err(fails)?;
        event.minutes = field(minutes, 0, 59).map_err(fails)?;
    } else {
        event.hours = vec![0];
    }
    Ok(event)
}

fn week_days(word: &str) -> Option<Vec<i64>> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut all = Vec::new();
    for part in word.split(',') {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        all.extend((day(first)?..=day(last)?).map(|day| day as i64));
    }
    Some(all)
}

/// `*`, `8`, `8..17`, `0/20`, `*/15`, and several of them.
fn field(text: &str, least: i64, most: i64) -> Result<Vec<i64>, String> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, ""));
        let number = |text: &str| {
            let number = text.parse::<i64>();
            number.map_err(|_| format!("unable to parse calendar event '{text}'"))
        };
        let (first, last) = match range.split_once("..") {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step.is_empty() => (number(range)?, number(range)?),
            None => (number(range)?, most),
        };
        let step = if step.is_empty() { 1 } else { number(step)? };
        if first < least || last > most || step < 1 {
            return Err("value out of range".into());
        }
        all.extend((first..=last).step_by(step as usize));
    }
    Ok(all)
}

impl Event {
    /// The first one after this time, in the year that follows it.
    pub fn after(&self, now: i64) -> Option<i64> {
        let today = now.div_euclid(DAY_S);
        let days = (today..today + 366).filter(|day| {
            let [_, month, month_day, ..] = civil(day * DAY_S);
            self.days.contains(&(day + FIRST_DAY).rem_euclid(7))
                && self.months.contains(&month)
                && self.month_days.contains(&month_day)
        });
        let mut times = days.flat_map(|day| {
            let hours = self.hours.iter();
            hours.flat_map(move |hour| {
                let minutes = self.minutes.iter();
                minutes.map(move |minute| day * DAY_S + hour * 3600 + minute * 60)
            })
        });
        times.find(|time| *time > now)
    }
}
