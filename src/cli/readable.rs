//! An answer for people: its keys in their order, lists as tables where they fit on 80 columns.

use serde_json::{Map, Value};

use super::terminal::{Terminal, Tone, WIDTH, wrapped};
use crate::text::printable;

/// A longer text is cut; `--json` has all of it.
const TEXT_MAX_CHARS: usize = 4000;
/// What the last column of a table needs at least.
const LAST_MIN: usize = 20;
const GAP: usize = 2;

/// The answer as text.
pub(super) fn text(terminal: Terminal, answer: &Map<String, Value>) -> String {
    let mut text = String::new();
    object(terminal, answer, 0, &mut text);
    text
}

fn object(terminal: Terminal, map: &Map<String, Value>, indent: usize, text: &mut String) {
    for (key, value) in map {
        let key = printable(key, TEXT_MAX_CHARS);
        let heading = format!("{}{key}:\n", " ".repeat(indent));
        match value {
            Value::Object(map) if !map.is_empty() => {
                text.push_str(&heading);
                object(terminal, map, indent + 2, text);
            }
            Value::Array(entries) if entries.iter().any(Value::is_object) => {
                text.push_str(&heading);
                rows(terminal, entries, indent, text);
            }
            value => paragraph(&format!("{key}: {}", cell(value)), indent, "", text),
        }
    }
}

fn rows(terminal: Terminal, entries: &[Value], indent: usize, text: &mut String) {
    if let Some(table) = table(terminal, entries).filter(|_| indent == 0) {
        text.push_str(&table);
        return;
    }
    for entry in entries {
        let line = match entry {
            Value::Object(map) => {
                let cells = map.iter();
                let cells = cells.map(|(key, value)| {
                    format!("{}: {}", printable(key, TEXT_MAX_CHARS), cell(value))
                });
                cells.collect::<Vec<_>>().join(", ")
            }
            value => cell(value),
        };
        paragraph(&line, indent + 2, "- ", text);
    }
}

/// A table of flat rows, where it fits.
fn table(terminal: Terminal, entries: &[Value]) -> Option<String> {
    let rows: Vec<&Map<String, Value>> = entries
        .iter()
        .map(|entry| entry.as_object().filter(|map| is_flat(map)))
        .collect::<Option<_>>()?;
    let mut keys: Vec<&String> = Vec::new();
    for row in &rows {
        for key in row.keys().filter(|key| is_said(&rows, key)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let cells: Vec<Vec<(String, Tone)>> = rows
        .iter()
        .map(|row| {
            let cells = keys
                .iter()
                .map(|key| row.get(*key).map_or(String::new(), cell));
            cells.map(|cell| (cell, Tone::Plain)).collect()
        })
        .collect();
    let heading: Vec<String> = keys
        .iter()
        .map(|key| printable(key, TEXT_MAX_CHARS))
        .collect();
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let width = |(column, title): (usize, &&str)| {
        let in_column = cells.iter().filter_map(|row| row.get(column));
        let widest = in_column.map(|(cell, _)| cell.chars().count()).max();
        widest.unwrap_or(0).max(title.chars().count()) + GAP
    };
    let widths: Vec<usize> = heading.iter().enumerate().map(width).collect();
    let (last, before) = widths.split_last()?;
    let fits = before.iter().sum::<usize>() + (*last - GAP).min(LAST_MIN) <= WIDTH;
    fits.then(|| terminal.table(&heading, &cells))
}

/// Whether some row says something under this key.
fn is_said(rows: &[&Map<String, Value>], key: &str) -> bool {
    rows.iter()
        .any(|row| row.get(key).is_some_and(|value| !value.is_null()))
}

fn is_flat(map: &Map<String, Value>) -> bool {
    map.values().all(|value| match value {
        Value::Object(_) => false,
        Value::Array(entries) => !entries.iter().any(|entry| entry.is_object()),
        _ => true,
    })
}

/// A value in one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => printable(text, TEXT_MAX_CHARS),
        Value::Array(entries) if entries.is_empty() => "none".to_owned(),
        Value::Array(entries) => entries.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        Value::Object(map) => {
            let cells = map.iter();
            let cells = cells
                .map(|(key, value)| format!("{} {}", printable(key, TEXT_MAX_CHARS), cell(value)));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Words in lines of at most 80 characters; those that follow are indented under the first.
fn paragraph(words: &str, indent: usize, mark: &str, text: &mut String) {
    let room = WIDTH.saturating_sub(indent + 2);
    for (number, line) in wrapped(words, room).iter().enumerate() {
        let start = match number {
            0 => format!("{}{mark}", " ".repeat(indent.saturating_sub(mark.len()))),
            _ if mark.is_empty() => " ".repeat(indent + 2),
            _ => " ".repeat(indent),
        };
        text.push_str(format!("{start}{line}").trim_end());
        text.push('\n');
    }
}
