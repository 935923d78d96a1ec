//! What `check` found, for people: a row an endpoint, then what is wrong and what mends it, then what
//! each token may do.

use super::judge::{EndpointCheck, Severity};
use super::privileges::PrivilegeReport;
use super::{CheckedCluster, Probe};
use crate::cli::terminal::{self, Terminal, Tone, WIDTH};
use crate::time;
use crate::tools::fleet::Quorum;

const HEADING: [&str; 9] = [
    "ENDPOINT", "TRUST", "CERT", "CLOCK", "TOKEN", "PVE", "QUORUM", "NODES", "MS",
];
const GAP: usize = 2;
/// A certificate that holds longer is told in years, in days.
const LONG_DAYS: i64 = 1000;
const YEAR_DAYS: i64 = 365;

type Cell = (String, Tone);

pub(super) fn text(checked: &[CheckedCluster], terminal: Terminal) -> String {
    let mut text = table(checked, terminal);
    for checked in checked {
        findings(checked, terminal, &mut text);
    }
    for checked in checked {
        privileges(checked, &mut text);
    }
    let able = checked.iter().filter(|checked| may_everything(checked));
    let able: Vec<&str> = able.map(|checked| checked.cluster.name.as_str()).collect();
    if !able.is_empty() {
        let line = format!(
            "{}: the token may do everything that the tools can",
            able.join(", ")
        );
        text.push_str(&format!(
            "\n{}\n",
            terminal::wrapped(&line, WIDTH).join("\n")
        ));
    }
    let wrong = checked.iter().filter(|checked| !checked.is_good()).count();
    let (word, tone) = match wrong {
        0 => ("everything is as it should be".to_string(), Tone::Good),
        wrong => {
            let line = format!("something is wrong with {wrong} of {}", checked.len());
            (line, Tone::Bad)
        }
    };
    text.push_str(&format!("\n{}\n", terminal.toned(&word, tone)));
    text
}

/// The rows of all endpoints below their clusters.
fn table(checked: &[CheckedCluster], terminal: Terminal) -> String {
    let rows: Vec<(String, Vec<Cell>)> = checked
        .iter()
        .flat_map(|checked| {
            let endpoints = checked.cluster.settings.endpoints.iter();
            let rows = endpoints.zip(&checked.endpoints);
            rows.map(|(endpoint, (probe, check))| (endpoint.to_string(), cells(probe, check)))
        })
        .collect();
    // The last cell of a row may reach into the columns behind it.
    let mut widths: Vec<usize> = HEADING
        .iter()
        .skip(1)
        .map(|cell| cell.chars().count())
        .collect();
    for (_, cells) in &rows {
        let padded = cells.len().saturating_sub(1);
        for (width, (cell, _)) in widths.iter_mut().zip(cells.iter().take(padded)) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rest: usize = widths.iter().map(|width| width + GAP).sum();
    let longest = rows
        .iter()
        .map(|(endpoint, _)| endpoint.chars().count() + GAP)
        .max();
    let first = longest
        .unwrap_or_default()
        .max(10)
        .min(WIDTH.saturating_sub(rest));
    let mut text = String::new();
    let heading = HEADING.iter().skip(1);
    let heading: Vec<Cell> = heading
        .map(|cell| ((*cell).to_string(), Tone::Plain))
        .collect();
    line("ENDPOINT", &heading, first, &widths, terminal, &mut text);
    let mut rows = rows.iter();
    for checked in checked {
        text.push_str(&format!("{}\n", checked.cluster.name));
        for (endpoint, cells) in rows.by_ref().take(checked.endpoints.len()) {
            line(
                &format!("  {endpoint}"),
                cells,
                first,
                &widths,
                terminal,
                &mut text,
            );
        }
    }
    text
}

/// An endpoint and its cells; where it is too long, they stand below it.
fn line(
    endpoint: &str,
    cells: &[Cell],
    first: usize,
    widths: &[usize],
    terminal: Terminal,
    text: &mut String,
) {
    let mut line = endpoint.to_string();
    let mut width = endpoint.chars().count();
    if width > first {
        text.push_str(&line);
        text.push('\n');
        (line, width) = (String::new(), 0);
    }
    line.push_str(&" ".repeat(first - width));
    for ((cell, tone), width) in cells.iter().zip(widths) {
        line.push_str(&" ".repeat(GAP));
        line.push_str(&terminal.toned(cell, *tone));
        line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count())));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// What is known of one endpoint, up to where it stopped.
fn cells(probe: &Probe, check: &EndpointCheck) -> Vec<Cell> {
    let found = |step: &str| {
        let found = check.findings.iter().any(|finding| finding.step == step);
        if found { Tone::Bad } else { Tone::Plain }
    };
    let mut cells: Vec<Cell> = Vec::new();
    let stopped = check.stopped.map(|word| (word.to_string(), Tone::Bad));
    let Some(trusted_by) = check.trusted_by else {
        cells.extend(stopped);
        return cells;
    };
    let days = check.certificate.as_ref().and_then(|(_, _, days)| *days);
    cells.push((trusted_by.to_string(), found("certificate")));
    cells.push((days.map_or("?".into(), span), found("certificate")));
    cells.push((check.clock_s.map_or("?".into(), clock), found("clock")));
    let Some(version) = &check.version else {
        cells.extend(stopped);
        return cells;
    };
    cells.push(("ok".into(), Tone::Good));
    cells.push((version.clone(), Tone::Plain));
    let quorum = match &check.quorum {
        Some(Quorum::Standalone) => "single",
        Some(quorum) => quorum.name(),
        None => "?",
    };
    cells.push((quorum.into(), found("quorum")));
    let nodes = check.nodes.map(|(online, all)| format!("{online}/{all}"));
    cells.push((nodes.unwrap_or("?".into()), found("nodes")));
    let latency = probe
        .latency
        .map(|latency| latency.as_millis().max(1).to_string());
    cells.push((latency.unwrap_or("?".into()), Tone::Plain));
    cells
}

fn span(days: i64) -> String {
    if days >= LONG_DAYS {
        format!("{}y", days / YEAR_DAYS)
    } else {
        format!("{days}d")
    }
}

fn clock(ahead: i64) -> String {
    let sign = match ahead {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", time::span(ahead.unsigned_abs()))
}

fn findings(checked: &CheckedCluster, terminal: Terminal, text: &mut String) {
    for finding in &checked.findings {
        let (word, tone) = match finding.severity {
            Severity::Error => ("wrong", Tone::Bad),
            Severity::Warning => ("warning", Tone::Bad),
            Severity::Note => ("note", Tone::Plain),
        };
        let mut place = checked.cluster.name.clone();
        if !finding.endpoints.is_empty() {
            place.push_str(&format!(" {}", finding.endpoints.join(" ")));
        }
        let lines = terminal::wrapped(&format!("{word}: {place}: {}", finding.what), WIDTH);
        text.push('\n');
        for (number, line) in lines.iter().enumerate() {
            text.push_str(&match number {
                0 => line.replacen(word, &terminal.toned(word, tone), 1),
                _ => line.clone(),
            });
            text.push('\n');
        }
        for line in terminal::wrapped(&finding.cure, WIDTH - 2 * GAP) {
            text.push_str(&format!("    {line}\n"));
        }
        // Not broken, to be copied.
        for command in &finding.commands {
            text.push_str(&format!("    {command}\n"));
        }
    }
}

fn may_everything(checked: &CheckedCluster) -> bool {
    let privileges = checked.privileges.as_ref();
    privileges.is_some_and(PrivilegeReport::suffice)
}

/// What each set of tools may do, where it is not everything.
fn privileges(checked: &CheckedCluster, text: &mut String) {
    let Some(privileges) = &checked.privileges else {
        return;
    };
    if may_everything(checked) {
        return;
    }
    let token = &checked.cluster.settings.token_id;
    text.push_str(&format!(
        "\n{}: what `{token}` may do\n",
        checked.cluster.name
    ));
    let rows: Vec<Vec<Cell>> = privileges
        .sets
        .iter()
        .map(|set| {
            let may = if set.may.is_empty() {
                "nothing".to_string()
            } else {
                set.may.join(", ")
            };
            let cells = [format!("  {}", set.name), may, set.lacks.join("; ")];
            cells.map(|cell| (cell, Tone::Plain)).to_vec()
        })
        .collect();
    let plain = Terminal {
        colour: false,
        progress: false,
    };
    text.push_str(&plain.table(&["  TOOLSET", "MAY", "LACKS"], &rows));
}
