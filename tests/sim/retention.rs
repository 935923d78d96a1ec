//! Which backups of a guest a rule keeps: `keep-last=3,keep-daily=7`.

use super::format;
use super::http::civil;
use serde_json::Value;

const DAY_S: i64 = 86_400;
/// 1970 began on a Thursday.
const FIRST_DAY: i64 = 3;
/// In this order the periods are gone through.
const PERIODS: [&str; 6] = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];

pub struct Keeps(Vec<(String, usize)>);

impl Keeps {
    pub fn parse(text: &str) -> Keeps {
        let parts = format::parse(&Value::Null, text).unwrap_or_default();
        let parts = parts.into_iter();
        let parts = parts.map(|(key, value)| (key, value.parse().unwrap_or_default()));
        Keeps(parts.collect())
    }

    fn of(&self, period: &str) -> usize {
        let key = format!("keep-{period}");
        let found = self.0.iter().find(|(known, _)| *known == key);
        found.map_or(0, |(_, count)| *count)
    }

    /// Of backups of these times, the newest first, whether each is kept. A rule that names no number keeps
    /// all.
    pub fn kept(&self, times: &[i64]) -> Vec<bool> {
        let names_none = PERIODS.iter().all(|period| self.of(period) == 0);
        if names_none || self.of("all") > 0 {
            return vec![true; times.len()];
        }
        // Kept, to go, or not judged yet.
        let mut marks: Vec<Option<bool>> = vec![None; times.len()];
        for period in PERIODS {
            let ids: Vec<(usize, i64)> = times
                .iter()
                .enumerate()
                .map(|(at, time)| (at, id(period, at, *time)))
                .collect();
            let covered: Vec<i64> = ids
                .iter()
                .filter(|(at, _)| marks[*at] == Some(true))
                .map(|(_, id)| *id)
                .collect();
            let mut new: Vec<i64> = Vec::new();
            for (at, id) in ids {
                if marks[at].is_some() || covered.contains(&id) || self.of(period) == 0 {
                    continue;
                }
                if new.contains(&id) {
                    marks[at] = Some(false);
                } else if new.len() >= self.of(period) {
                    break;
                } else {
                    new.push(id);
                    marks[at] = Some(true);
                }
            }
        }
        marks.into_iter().map(|mark| mark == Some(true)).collect()
    }
}

/// The hour, day, ... that a time is in; each time is a period of its own for the last ones.
fn id(period: &str, at: usize, time: i64) -> i64 {
    let [year, month, day, hour, ..] = civil(time);
    match period {
        "hourly" => ((year * 100 + month) * 100 + day) * 100 + hour,
        "daily" => (year * 100 + month) * 100 + day,
        "weekly" => (time.div_euclid(DAY_S) + FIRST_DAY).div_euclid(7),
        "monthly" => year * 100 + month,
        "yearly" => year,
        _ => at as i64,
    }
}
