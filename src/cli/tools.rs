//! `proxmox-mcp tools`: what can be called, for people or as clients are told it.

use std::process::ExitCode;

use serde_json::Value;

use super::terminal::Tone;
use super::{Command, EarlyExit, Start};
use crate::mcp::listing;
use crate::mcp::revision::OFFERED;
use crate::tool::Tool;
use crate::tool::offer::Offered;
use crate::tools;

pub(super) const TOOLS: Command = Command {
    name: "tools",
    usage: "[--json]",
    about: "Lists the tools; with --json as clients are told of them",
    flags: &["--json"],
    valued: &[],
    run,
};

pub(super) fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    start.takes(0)?;
    if start.options.has("--json") {
        let all = tools::all().map(Offered::whole);
        let entries = all.map(|tool| listing::entry(&tool, OFFERED));
        return start.print(&format!("{}\n", entries.collect::<Value>()));
    }
    let rows: Vec<Vec<(String, Tone)>> = tools::all().map(row).collect();
    start.print(
        &start
            .terminal
            .table(&["tool", "mark", "what it does"], &rows),
    )
}

fn row(tool: &Tool) -> Vec<(String, Tone)> {
    let mut marks: Vec<String> = Vec::new();
    for mark in tool.possible() {
        let mark = mark.to_string();
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    let cells = [
        tool.name.to_owned(),
        marks.join(" "),
        tool.sentence().to_owned(),
    ];
    cells.map(|cell| (cell, Tone::Plain)).to_vec()
}
