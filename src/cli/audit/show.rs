//! `audit show`: the records as a table, or as they stand in the file.

use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::terminal::Tone;
use crate::cli::{EXIT_NOT_STARTED, EarlyExit, Start};
use crate::gate::audit::{self, AuditLine, BrokenLine};
use crate::log;
use crate::text::printable;
use crate::time;

/// How many records are shown: the latest.
const SHOWN_MAX: usize = 1000;
/// The widest that cells are, so that a row has its 80 columns: all but the last.
const TIME_CHARS: usize = 10;
const CLIENT_CHARS: usize = 10;
const TOOL_CHARS: usize = 20;
const CLUSTER_CHARS: usize = 12;
/// The longest word in the last one; a comma may follow it.
const WORD_CHARS: usize = 19;
/// How many objects are named in a row.
const OBJECTS_MAX: usize = 3;

/// Which records are meant.
struct RecordFilter<'a> {
    cluster: Option<&'a str>,
    tool: Option<&'a str>,
    /// Seconds since 1970.
    since: Option<u64>,
}

pub(super) fn run(start: &Start, files: &[String]) -> Result<ExitCode, EarlyExit> {
    let now = time::now();
    let since =
        match start.options.value("--since") {
            None => None,
            Some(text) => Some(time::parse(text, now).ok_or_else(|| {
                EarlyExit::Usage(format!("`--since` needs a time: {}", time::FORMS))
            })?),
        };
    let wish = RecordFilter {
        cluster: start.options.value("--cluster"),
        tool: start.options.value("--tool"),
        since,
    };
    let mut shown: VecDeque<AuditLine> = VecDeque::new();
    let (mut left_out, mut unreadable) = (0_u64, 0_u64);
    for file in files {
        let result = audit::each_line(Path::new(file), &mut |_, bytes| {
            let line = match AuditLine::read(bytes) {
                Ok(line) => line,
                Err(BrokenLine::Changed(line)) => {
                    unreadable += 1;
                    *line
                }
                Err(BrokenLine::Unreadable) => {
                    unreadable += 1;
                    return;
                }
            };
            if wish.is_for(&line) {
                shown.push_back(line);
            }
            if shown.len() > SHOWN_MAX {
                shown.pop_front();
                left_out += 1;
            }
        });
        result.map_err(|problem| {
            log::error(&problem);
            EarlyExit::Said(ExitCode::from(EXIT_NOT_STARTED))
        })?;
    }
    if left_out > 0 {
        log::warn(&format!(
            "{left_out} earlier records are left out; `--since` chooses"
        ));
    }
    if unreadable > 0 {
        log::warn(&format!(
            "{unreadable} lines are not as they were written: see `proxmox-mcp audit verify`"
        ));
    }
    if start.options.has("--json") {
        let lines = shown.iter().map(|line| format!("{}\n", line.record));
        return start.print(&lines.collect::<String>());
    }
    let heading = ["time", "client", "tool", "cluster", "what"];
    start.print(&start.terminal.table(&heading, &rows(&shown)))
}

impl RecordFilter<'_> {
    fn is_for(&self, line: &AuditLine) -> bool {
        let matches = |wish: Option<&str>, key| wish.is_none_or(|wish| line.text(key) == wish);
        let is_later = self.since.is_none_or(|since| {
            // What cannot be told is shown.
            time::parse(line.text("time"), since).is_none_or(|time| time >= since)
        });
        matches(self.cluster, "cluster") && matches(self.tool, "tool") && is_later
    }
}

type Cells = Vec<(String, Tone)>;

/// A row a record, and one for each day.
fn rows(lines: &VecDeque<AuditLine>) -> Vec<Cells> {
    let mut rows = Vec::new();
    let mut today = "";
    for line in lines {
        let (day, clock) = line.text("time").split_once('T').unwrap_or_default();
        if day != today {
            today = day;
            let cells = [printable(day, TIME_CHARS), "UTC".to_owned()];
            let blanks = std::iter::repeat_n(String::new(), 3);
            rows.push(plain(cells.into_iter().chain(blanks)));
        }
        let client = line
            .record
            .get("client")
            .and_then(|client| client.get("name"));
        let client = client.and_then(Value::as_str);
        let clock = clock.split('.').next().unwrap_or_default();
        rows.push(plain([
            cell(clock, TIME_CHARS),
            cell(client.unwrap_or(line.text("how")), CLIENT_CHARS),
            cell(line.text("tool"), TOOL_CHARS),
            cell(line.text("cluster"), CLUSTER_CHARS),
            what(line),
        ]));
    }
    rows
}

fn plain(cells: impl IntoIterator<Item = String>) -> Cells {
    cells.into_iter().map(|cell| (cell, Tone::Plain)).collect()
}

/// `text` in at most `max_chars` characters, what shows that it was cut included.
fn cell(text: &str, max_chars: usize) -> String {
    let text = printable(text, max_chars);
    if text.chars().count() <= max_chars {
        return text;
    }
    let kept = text.chars().take(max_chars.saturating_sub(1));
    kept.chain(std::iter::once('…')).collect()
}

/// What the record says: the verdict, how it was confirmed, what came of it, and to what.
fn what(line: &AuditLine) -> String {
    let number = |key: &str| line.record.get(key).and_then(Value::as_u64);
    let words = |key: &str| {
        let words = line.text(key).split_whitespace();
        let words: Vec<String> = words.map(|word| cell(word, WORD_CHARS)).collect();
        words.join(" ")
    };
    let mut parts: Vec<String> = Vec::new();
    match line.kind.as_str() {
        "start" => parts.push(format!("start, pid {}", number("pid").unwrap_or_default())),
        "end" => parts.push("end".to_owned()),
        "intent" => {
            let request = line.text("request");
            let method = request.split(' ').next().unwrap_or_default();
            parts.push(format!("sends {}", cell(method, WORD_CHARS)));
        }
        _ => parts.push(words("verdict")),
    }
    match line.text("verdict") {
        "refused" => parts.push(words("rule")),
        _ if line.kind == "intent" => parts.push(words("confirmed")),
        _ => parts.push(words("outcome")),
    }
    let objects = line.record.get("objects").and_then(Value::as_array);
    let objects: Vec<&str> = objects
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let named = objects.iter().take(OBJECTS_MAX);
    parts.extend(named.map(|object| cell(object, WORD_CHARS)));
    if let more @ 1.. = objects.len().saturating_sub(OBJECTS_MAX) {
        parts.push(format!("{more} more"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}
