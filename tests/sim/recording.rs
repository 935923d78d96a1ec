//! The recorded exchanges: reading them, and who asked.

use serde_json::Value;

/// One line of `recordings.jsonl` or `recordings-later.jsonl`.
pub struct Exchange {
    pub id: String,
    /// `A`, `B` or `C`
    pub cluster: String,
    pub entry: String,
    pub role: String,
    pub lab: bool,
    pub request: Value,
    pub response: Value,
    pub ms: i64,
}

/// Of the first look at a real cluster.
pub fn recordings() -> Vec<Exchange> {
    exchanges(include_str!("recordings.jsonl"))
}

/// Of the later ones, without the headers that nothing is held against.
pub fn later_recordings() -> Vec<Exchange> {
    exchanges(include_str!("recordings-later.jsonl"))
}

fn exchanges(text: &str) -> Vec<Exchange> {
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_string();
    lines
        .map(|row| Exchange {
            id: word(&row, "id"),
            cluster: word(&row, "cluster"),
            entry: word(&row, "entry"),
            role: word(&row, "as"),
            lab: row.get("lab").is_some(),
            request: row["request"].clone(),
            response: row["response"].clone(),
            ms: row["ms"].as_i64().unwrap_or(0),
        })
        .collect()
}

/// Method and path template of an exchange.
pub fn family(exchange: &Exchange) -> Option<String> {
    let path = super::http::decode(exchange.request["path"].as_str()?, false);
    family_of(exchange.request["method"].as_str()?, &path)
}

/// Method and path template of a request to a decoded path.
pub fn family_of(method: &str, path: &str) -> Option<String> {
    if path.starts_with("/pve-docs") {
        return Some(format!("{method} {path}"));
    }
    let found = super::schema::find(method, path)?;
    Some(format!("{method} {}", found.0.path))
}

/// The token of a role, as it was recorded.
pub fn token(cluster: &str, role: &str) -> Option<String> {
    let n = match cluster {
        "A" => 1,
        "B" => 2,
        _ => 3,
    };
    let (id, letter) = match role {
        "root" => ("root@pam!full", 'd'),
        "full" => ("mcp@pve!full", 'b'),
        "priv" => ("mcp@pve!priv", 'c'),
        "ro" => ("aud@pve!ro", 'a'),
        "rsrc" => ("rmig@pve!out", 'e'),
        "rin" => ("rmig@pve!in", 'f'),
        _ => return None,
    };
    let eight: String = std::iter::repeat_n(letter, 8).collect();
    Some(format!("{id}={eight}-0000-0000-0000-00000000000{n}"))
}

/// Seconds since 1970 of an HTTP date.
pub fn seconds(date: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, _] = parts[..] else {
        return None;
    };
    let number = |text: &str| text.parse::<i64>().ok();
    let (month, year) = (MONTHS.find(month)? as i64 / 3 + 1, number(year)?);
    let (shifted_year, shifted) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100
        + shifted_year / 400
        + (153 * shifted + 2) / 5
        + number(day)?
        - 719_469;
    Some(days * 86_400 + number(hour)? * 3600 + number(minute)? * 60 + number(second)?)
}
