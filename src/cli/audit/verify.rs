//! `audit verify`: what is broken, what has no end, and whether noted lines are there.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::terminal::{Terminal, Tone, WIDTH, wrapped};
use crate::cli::{EXIT_NOT_STARTED, EXIT_WRONG, EarlyExit, Start};
use crate::gate::audit::{self, AuditProblem, AuditReport, AuditRun, HeadFound, UnknownWrite};
use crate::log;
use crate::text::printable;

/// How many of one sort are shown to people; `--json` has all.
const SHOWN_MAX: usize = 20;
/// How many heads are shown: those of the latest runs.
const HEADS_MAX: usize = 5;
const TEXT_MAX_CHARS: usize = 200;

pub(super) fn run(start: &Start, files: &[String]) -> Result<ExitCode, EarlyExit> {
    let mut heads = Vec::new();
    for text in start.options.values("--head") {
        heads.push(audit::head(text).ok_or_else(|| {
            EarlyExit::Usage("`--head` needs RUN=HASH, as `audit verify` prints them".to_owned())
        })?);
    }
    let paths: Vec<&Path> = files.iter().map(Path::new).collect();
    let report = audit::verify(&paths, &heads).map_err(|problem| {
        log::error(&problem);
        EarlyExit::Said(ExitCode::from(EXIT_NOT_STARTED))
    })?;
    let text = match start.options.has("--json") {
        true => format!("{}\n", json(&report)),
        false => text(&report, start.terminal),
    };
    start.print(&text)?;
    Ok(match report.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EXIT_WRONG),
    })
}

fn text(report: &AuditReport, terminal: Terminal) -> String {
    let mut text = String::new();
    let problems: Vec<String> = report.problems.iter().map(problem).collect();
    let more = usize::try_from(report.problems_more).unwrap_or(usize::MAX);
    part("broken:", &problems, more, &mut text);

    let wrong = report.heads.iter().filter(|head| head.seq.is_none());
    let wrong: Vec<String> = wrong
        .map(|head| {
            format!(
                "run {}: the noted line {} is not there: it was removed, or is in another file",
                head.run,
                short(&head.hash)
            )
        })
        .collect();
    part("not found:", &wrong, 0, &mut text);
    let found: Vec<String> = report.heads.iter().filter_map(found).collect();
    part("found:", &found, 0, &mut text);

    let unknown: Vec<String> = report.unknown.iter().map(unknown).collect();
    part(
        "whether it took effect is unknown; look at the cluster:",
        &unknown,
        0,
        &mut text,
    );
    let begun = report.runs.iter().filter(|run| run.first_seq > 1);
    let begun: Vec<String> = begun
        .map(|run| {
            format!(
                "run {} begins at its line {}: what was before is in an earlier file",
                run.run, run.first_seq
            )
        })
        .collect();
    part("begun elsewhere:", &begun, 0, &mut text);
    let endless = report.runs.iter().rev().filter(|run| !run.ended);
    let endless: Vec<String> = endless
        .map(|run| format!("run {}, last at {}", run.run, shown(&run.last_time)))
        .collect();
    part(
        "no end: killed, still running, or the end was removed:",
        &endless,
        0,
        &mut text,
    );
    let heads: Vec<String> = report.runs.iter().rev().map(head).collect();
    let heads = heads.get(..HEADS_MAX).unwrap_or(&heads);
    part(
        "heads of the latest runs, to be noted elsewhere for `--head`:",
        heads,
        0,
        &mut text,
    );
    let (lines, runs) = (report.lines, report.runs.len());
    let counted = format!("{lines} lines, {runs} runs");
    let soundness = match report.is_sound() {
        true => terminal.toned("sound", Tone::Good),
        false => terminal.toned("broken", Tone::Bad),
    };
    text.push_str(&format!("{counted}: {soundness}\n"));
    text
}

/// A heading and its entries, where there are any; `more` were not told at all.
fn part(heading: &str, entries: &[String], more: usize, text: &mut String) {
    if entries.is_empty() {
        return;
    }
    text.push_str(&format!("{heading}\n"));
    for entry in entries.iter().take(SHOWN_MAX) {
        let lines = wrapped(entry, WIDTH - 4).join("\n    ");
        text.push_str(&format!("  {lines}\n"));
    }
    let more = more.saturating_add(entries.len().saturating_sub(SHOWN_MAX));
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text.push('\n');
}

fn problem(problem: &AuditProblem) -> String {
    let run = problem.run.iter().map(|run| format!(" of run {run}"));
    format!(
        "{} line {}{} {}",
        shown(&problem.file),
        problem.line,
        run.collect::<String>(),
        problem.what
    )
}

fn found(head: &HeadFound) -> Option<String> {
    let seq = head.seq?;
    let after = match head.after {
        0 => "nothing follows it".to_owned(),
        1 => "1 line follows it".to_owned(),
        after => format!("{after} lines follow it"),
    };
    Some(format!(
        "run {}: the noted line {} is number {seq}, and {after}",
        head.run,
        short(&head.hash)
    ))
}

fn unknown(unknown: &UnknownWrite) -> String {
    format!(
        "{} line {} of run {} at {}: {} on {}: {}",
        shown(&unknown.file),
        unknown.line,
        unknown.run,
        shown(&unknown.time),
        shown(&unknown.tool),
        shown(&unknown.cluster),
        shown(&unknown.request)
    )
}

/// As `--head` takes it.
fn head(run: &AuditRun) -> String {
    format!("{}={}", run.run, run.head)
}

fn shown(text: &str) -> String {
    printable(text, TEXT_MAX_CHARS)
}

/// Enough of a hash to tell it from others.
fn short(hash: &str) -> String {
    printable(hash, 12)
}

fn json(report: &AuditReport) -> Value {
    let problems = report.problems.iter().map(|problem| {
        json!({
            "file": problem.file,
            "line": problem.line,
            "run": problem.run,
            "problem": problem.what,
        })
    });
    let heads = report.heads.iter().map(|head| {
        json!({
            "run": head.run,
            "hash": head.hash,
            "found": head.seq.is_some(),
            "seq": head.seq,
            "lines_after": head.seq.map(|_| head.after),
        })
    });
    let unknown = report.unknown.iter().map(|unknown| {
        json!({
            "file": unknown.file,
            "line": unknown.line,
            "run": unknown.run,
            "seq": unknown.seq,
            "time": unknown.time,
            "tool": unknown.tool,
            "cluster": unknown.cluster,
            "request": unknown.request,
        })
    });
    let runs = report.runs.iter().map(|run| {
        json!({
            "run": run.run,
            "first_seq": run.first_seq,
            "last_seq": run.last_seq,
            "last_time": run.last_time,
            "ended": run.ended,
            "head": head(run),
        })
    });
    json!({
        "sound": report.is_sound(),
        "lines": report.lines,
        "problems": problems.collect::<Value>(),
        "problems_more": report.problems_more,
        "heads": heads.collect::<Value>(),
        "unknown": unknown.collect::<Value>(),
        "runs": runs.collect::<Value>(),
    })
}
