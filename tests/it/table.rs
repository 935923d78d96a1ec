//! The table of tools as a whole: names, sentences, slots, marks and budgets. Each test names the
//! offender.

use std::collections::BTreeSet;

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::api::request::Verb;
use proxmox_mcp::mcp::listing;
use proxmox_mcp::mcp::revision::OFFERED;
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tool::{Run, Subject, Tool};
use proxmox_mcp::tools;
use regex::Regex;
use serde_json::{Value, json};

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
fn marks_are_those_of_the_plan_of_tools() {
    let marks = |tool: &Tool| {
        let marks: BTreeSet<String> = tool.possible().iter().map(Mark::to_string).collect();
        marks.into_iter().collect::<Vec<_>>().join(" ")
    };
    let listed: Vec<String> = tools::all()
        .map(|tool| format!("{} {}", tool.name, marks(tool)))
        .collect();
    let expected = include_str!("marks.txt");
    assert_eq!(listed.join("\n"), expected.trim_end());
}

#[test]
fn slots_are_filled_and_reads_get() {
    let wrong = |tool: &'static Tool| match tool.run {
        Run::Guest(verb, path) => {
            let slots = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let filled = |slot: &str| {
                tool.params
                    .iter()
                    .any(|param| param.name == slot && param.required)
            };
            let reads = tool.heaviest() == Mark::READ;
            !slots.into_iter().all(filled)
                || reads != (verb == Verb::Get)
                || tool.subject != Subject::Guest
        }
        Run::Steps(_) => matches!(tool.subject, Subject::List | Subject::Fleet),
        Run::Fleet(_) => {
            !matches!(tool.subject, Subject::List | Subject::Fleet) || tool.heaviest() != Mark::READ
        }
    };
    assert_eq!(offenders(wrong), [""; 0]);
}

#[test]
fn the_parameters_of_one_request_are_those_of_the_api() {
    let api: Value = serde_json::from_str(include_str!("../sim/api.json")).expect("api.json");
    let endpoints = api["endpoints"].as_array().expect("endpoints");
    let wrong = |tool: &'static Tool| {
        let Run::Guest(verb, path) = tool.run else {
            return false;
        };
        ["qemu", "lxc"].iter().any(|kind| {
            let path = format!("/nodes/{{node}}/{kind}/{{vmid}}{path}");
            let endpoint = endpoints
                .iter()
                .find(|one| one["path"] == json!(path) && one["method"] == json!(verb.name()));
            let known = |name: &str| {
                name == "guest" || endpoint.is_some_and(|one| one["params"].get(name).is_some())
            };
            !tool.params.iter().all(|param| known(param.name))
        })
    };
    assert_eq!(offenders(wrong), [""; 0]);
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
