//! The demo on 80 columns.

use std::io::Write;

use serde_json::{Value, json};

use super::story::{Show, Step};
use crate::sim::Seen;

const WIDTH: usize = 80;

/// Prints a line, broken where it is too long; what is broken off is set in.
pub fn put(out: &mut dyn Write, text: &str) -> Result<(), String> {
    let broken: Vec<String> = text.split('\n').map(broken).collect();
    writeln!(out, "{}", broken.join("\n")).map_err(|cause| cause.to_string())
}

fn broken(text: &str) -> String {
    let mut lines = Vec::new();
    let mut rest = text.to_string();
    while rest.chars().count() > WIDTH {
        let limit = rest
            .char_indices()
            .nth(WIDTH)
            .map_or(rest.len(), |(at, _)| at);
        let blank = rest[..limit]
            .rfind(' ')
            .filter(|at| !rest[..*at].trim().is_empty());
        let comma = rest[..limit].rfind(',').map(|at| at + 1);
        let at = blank.or(comma).unwrap_or(limit);
        let tail = format!("    {}", rest[at..].trim_start());
        rest.truncate(at);
        lines.push(std::mem::replace(&mut rest, tail));
    }
    lines.push(rest);
    lines.join("\n")
}

/// A value as a person would write it.
pub fn line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) if entries.iter().all(Value::is_string) => {
            entries.iter().map(line).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Those requests, each as `cluster METHOD path`.
pub fn listed(seen: &[Seen], which: impl Fn(&Seen) -> bool) -> Vec<String> {
    let those = seen.iter().filter(|one| which(one));
    those
        .map(|one| format!("{} {} {}", one.cluster, one.method, one.path))
        .collect()
}

/// Every write with what it says; of the reads, who was asked.
pub fn reached(seen: &[Seen]) -> Vec<String> {
    let mut read: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for one in seen {
        if one.method == "GET" {
            if !read.contains(&one.cluster.as_str()) {
                read.push(&one.cluster);
            }
            continue;
        }
        let params = if one.params.is_empty() {
            String::new()
        } else {
            format!(" {}", json!(one.params))
        };
        lines.push(format!(
            "@ {} {} {}{params}",
            one.cluster, one.method, one.path
        ));
    }
    if !read.is_empty() {
        lines.insert(0, format!("@ {}: read only", read.join(", ")));
    }
    if lines.is_empty() {
        lines.push("@ nothing was sent".into());
    }
    lines
}

/// The answer in short.
pub fn answer(step: &Step, result: &Value) -> Vec<String> {
    let text = line(&result["content"][0]["text"]);
    if result["isError"] == json!(true) {
        return text.lines().map(|line| format!("< {line}")).collect();
    }
    let answer = &result["structuredContent"];
    let mut lines = Vec::new();
    if let Some(cluster) = answer.get("cluster") {
        lines.push(format!(
            "< cluster: {}, chosen_by: {}",
            line(cluster),
            line(&answer["chosen_by"])
        ));
    }
    match step.shows {
        Show::Keys(keys) => {
            let (large, small): (Vec<&&str>, Vec<&&str>) =
                keys.iter().partition(|key| answer[**key].is_object());
            for key in large {
                lines.push(format!("< {key}:"));
                let entries = answer[*key].as_object().into_iter().flatten();
                lines.extend(entries.map(|(key, value)| format!("<   {key}: {}", line(value))));
            }
            let small: Vec<String> = small
                .iter()
                .map(|key| format!("{key}: {}", line(&answer[**key])))
                .collect();
            if !small.is_empty() {
                lines.push(format!("< {}", small.join(", ")));
            }
        }
        Show::Rows(columns) => lines.extend(table(columns, &answer["items"])),
    }
    lines
}

fn table(columns: &[&str], items: &Value) -> Vec<String> {
    let rows: Vec<Vec<String>> = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            columns
                .iter()
                .map(|column| item.get(*column).map(line).unwrap_or_default())
                .collect()
        })
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let row = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("< {}", cells.join("  ").trim_end())
    };
    rows.iter().map(row).collect()
}
