//! The table of tools as a whole: names, sentences, slots, marks and budgets. Each test names the
//! offender.

use std::collections::{BTreeMap, BTreeSet};

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::api::methods::weigh;
use proxmox_mcp::mcp::listing;
use proxmox_mcp::mcp::revision::OFFERED;
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tool::{Run, Subject, Tool};
use proxmox_mcp::tools;
use regex::Regex;
use serde_json::{Value, json};

use crate::transcripts;

/// Bytes of compact JSON that a model is shown of the default set: name, description, input schema.
const SHOWN_MAX_BYTES: usize = 24_000;
/// Bytes of the whole `tools/list` of the default set.
const LIST_MAX_BYTES: usize = 29_000;
const TOOLS_MAX: usize = 36;
const ABOUT_MAX_BYTES: usize = 2048;

fn offenders(is_wrong: impl Fn(&'static Tool) -> bool) -> Vec<&'static str> {
    tools::all()
        .filter(|tool| is_wrong(tool))
        .map(|tool| tool.name)
        .collect()
}

#[test]
fn names_are_unique_and_plain() {
    let rule = Regex::new("^[a-z][a-z0-9_]{2,39}$").expect("a rule");
    assert_eq!(offenders(|tool| !rule.is_match(tool.name)), [""; 0]);
    let names: BTreeSet<&str> = tools::all().map(|tool| tool.name).collect();
    assert_eq!(names.len(), tools::all().count(), "a name stands twice");
}

#[test]
fn titles_have_no_full_stop_and_sentences_have_one() {
    assert_eq!(
        offenders(|tool| tool.title.ends_with('.') || tool.title.is_empty()),
        [""; 0]
    );
    assert_eq!(offenders(|tool| !tool.about.ends_with('.')), [""; 0]);
    assert_eq!(
        offenders(|tool| tool.about.contains("  ") || tool.about.len() > ABOUT_MAX_BYTES),
        [""; 0]
    );
}

#[test]
fn what_asks_has_a_plan_and_everything_full_asks() {
    assert_eq!(
        offenders(|tool| tool.asks() != tool.plan.is_some()),
        [""; 0]
    );
    let asks = |mark: &Mark| mark.effect < Effect::Full || mark.asks;
    assert_eq!(offenders(|tool| !tool.possible().iter().all(asks)), [""; 0]);
}

#[test]
fn reads_of_the_fleet_and_lists_are_run_as_such() {
    let wrong = |tool: &'static Tool| {
        let is_of_several = matches!(tool.subject, Subject::List | Subject::Fleet);
        match tool.run {
            Run::Steps(_) => is_of_several,
            Run::Fleet(_) => !is_of_several || tool.heaviest() != Mark::READ,
        }
    };
    assert_eq!(offenders(wrong), [""; 0]);
}

/// A tool's marks are what the rows of the methods say that it sends, by all transcripts: no call does
/// more than its tool says, and for each mark some call does that.
#[test]
fn marks_are_those_of_what_is_sent() {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (tool, writes) in transcripts::writes() {
        let Some(declared) = tools::find(&tool) else {
            continue;
        };
        let weights = writes.iter().map(|write| weigh(write).mark);
        let mark = weights.fold(Mark::READ, Mark::or);
        // A volume of another guest makes a call heavier while it runs, and asks then.
        let is_declared = declared.possible().iter().any(|one| one.covers(mark));
        if !is_declared && !declared.takes_confirm() {
            problems.push(format!("{tool} sends what weighs {mark}: {writes:?}"));
        }
        shown.entry(tool).or_default().insert(mark.to_string());
    }
    for tool in tools::all() {
        for mark in tool.possible() {
            let shown = shown.get(tool.name);
            if !shown.is_some_and(|shown| shown.contains(&mark.to_string())) {
                problems.push(format!("{} is {mark} in no transcript", tool.name));
            }
        }
    }
    assert_eq!(problems, [""; 0]);
}

#[test]
fn schemas_are_closed_and_flat_at_the_root() {
    let wrong = |tool: &'static Tool| {
        let input = listing::input_schema(&Offered::whole(tool));
        let combined = |schema: &Value| {
            ["oneOf", "anyOf", "allOf"]
                .iter()
                .any(|key| schema.get(key).is_some())
        };
        input["additionalProperties"] != json!(false)
            || combined(&input)
            || jsonschema::meta::validate(&input).is_err()
    };
    assert_eq!(offenders(wrong), [""; 0]);
}

#[test]
fn the_budgets_are_held() {
    let count = tools::all().count();
    assert!(count <= TOOLS_MAX, "{count} tools");
    let shown: usize = tools::all()
        .map(|tool| {
            let schema = listing::input_schema(&Offered::whole(tool));
            json!({"name": tool.name, "description": tool.about, "inputSchema": schema})
                .to_string()
                .len()
                + 1
        })
        .sum();
    let list: usize = tools::all()
        .map(|tool| {
            listing::entry(&Offered::whole(tool), OFFERED)
                .to_string()
                .len()
                + 1
        })
        .sum();
    println!("{count} tools, {shown} bytes shown to a model, {list} bytes in tools/list");
    assert!(
        shown <= SHOWN_MAX_BYTES,
        "{shown} bytes are shown to a model"
    );
    assert!(list <= LIST_MAX_BYTES, "{list} bytes are in tools/list");
}
