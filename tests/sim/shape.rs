//! How the shape of an answer differs from a recorded one: keys, types, rows of lists.

use serde_json::{Map, Value};

/// What rows of a list are told apart by.
const KEYS: &[&str] = &[
    "volid", "id", "key", "vmid", "iface", "subdir", "poolid", "roleid", "storage", "userid",
    "rule", "sid", "name", "tokenid", "cmd",
];

/// How the shape of a value differs from the recorded one: keys, types, rows of lists. `whole`: nothing was trimmed.
pub fn differences(at: &str, recorded: &Value, ours: &Value, whole: bool, out: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                match ours.get(key) {
                    Some(other) => differences(&format!("{at}.{key}"), value, other, whole, out),
                    None => out.push(format!("{at}.{key} is missing")),
                }
            }
            out.extend(
                ours.keys()
                    .filter(|key| !recorded.contains_key(*key))
                    .map(|key| format!("{at}.{key} is not in the recording")),
            );
        }
        (Value::Array(recorded), Value::Array(ours)) => rows(at, recorded, ours, whole, out),
        _ if kind(recorded) == kind(ours) => {}
        _ => out.push(format!(
            "{at} is {} instead of {}",
            kind(ours),
            kind(recorded)
        )),
    }
}

fn rows(at: &str, recorded: &[Value], ours: &[Value], whole: bool, out: &mut Vec<String>) {
    let tasks = recorded
        .iter()
        .chain(ours)
        .any(|row| row.get("upid").is_some());
    let key = KEYS.iter().find(|key| {
        !tasks && !recorded.is_empty() && recorded.iter().all(|row| row.get(**key).is_some())
    });
    if recorded.is_empty() != ours.is_empty() {
        out.push(format!(
            "{at} has {} rows instead of {}",
            ours.len(),
            recorded.len()
        ));
        return;
    }
    let Some(key) = key else {
        // Of a history the first rows were kept.
        let is_history = recorded.iter().all(|row| row.get("time").is_some());
        let first = ours.get(..recorded.len()).filter(|_| is_history);
        let ours = first.unwrap_or(ours);
        return differences(
            &format!("{at}[]"),
            &union(recorded),
            &union(ours),
            whole,
            out,
        );
    };
    for row in recorded {
        match ours.iter().find(|other| other.get(*key) == row.get(*key)) {
            Some(other) => differences(&format!("{at}[{}]", row[*key]), row, other, whole, out),
            None => out.push(format!("{at}[{}] is missing", row[*key])),
        }
    }
    if whole {
        let extra = ours
            .iter()
            .filter(|other| !recorded.iter().any(|row| row.get(*key) == other.get(*key)));
        out.extend(extra.map(|other| format!("{at}[{}] is not in the recording", other[*key])));
    }
}

/// All keys of all rows, each with one of its values.
fn union(rows: &[Value]) -> Value {
    let mut all = Map::new();
    for row in rows {
        match row {
            Value::Object(row) => all.extend(row.clone()),
            other => return other.clone(),
        }
    }
    all.into()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
