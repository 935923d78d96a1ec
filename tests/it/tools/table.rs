//! The table of tools as a whole: names, sentences, slots, marks and budgets. Each test names the
//! offender.

use std::collections::{BTreeMap, BTreeSet};

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::api::methods::permissions::SEES_POOLS;
use proxmox_mcp::api::methods::{self, Sending, sending, weigh};
use proxmox_mcp::api::request::Verb;
use proxmox_mcp::mcp::listing;
use proxmox_mcp::mcp::revision::OFFERED;
use proxmox_mcp::tool::args;
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tool::param::ParamKind;
use proxmox_mcp::tool::{Action, RunFn, Subject, Tool, schema};
use proxmox_mcp::tools::needs::{self, Need};
use proxmox_mcp::tools::{self, TOOLSETS};
use regex::Regex;
use serde_json::{Value, json};

use crate::transcripts;

/// What a list of tools may take at most.
struct Budget {
    tools: usize,
    /// Compact JSON that a model is shown: name, description, input schema.
    shown_bytes: usize,
    /// The whole of `tools/list`.
    list_bytes: usize,
}

const DEFAULT: Budget = Budget {
    tools: 36,
    shown_bytes: 24_000,
    list_bytes: 29_000,
};
const ALL: Budget = Budget {
    tools: 110,
    shown_bytes: 80_000,
    list_bytes: 95_000,
};
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
    assert_eq!(
        offenders(|tool| !tool.possible().all(|mark| asks(&mark))),
        [""; 0]
    );
}

#[test]
fn reads_of_the_fleet_lists_and_writes_are_run_as_such() {
    let wrong = |tool: &'static Tool| {
        let is_of_several = matches!(tool.subject, Subject::List | Subject::Fleet);
        match tool.run {
            RunFn::AtOnce(_) | RunFn::Steps(_) => is_of_several,
            RunFn::Write(_) => is_of_several || tool.possible().any(|mark| mark == Mark::READ),
            RunFn::Fleet(_) => !is_of_several || tool.heaviest() != Mark::READ,
            RunFn::Here(_) => tool.subject != Subject::Session || tool.heaviest() != Mark::READ,
        }
    };
    assert_eq!(offenders(wrong), [""; 0]);
}

/// What a call waits where it does not say is told by the tool, and goes by the action.
#[test]
fn what_waits_reads_only_or_never_only_reads() {
    let is_mixed = |tool: &'static Tool| {
        let reads = tool.possible().any(|mark| mark == Mark::READ);
        tool.task && reads && tool.heaviest() != Mark::READ
    };
    assert_eq!(offenders(is_mixed), [""; 0]);
}

/// A tool's marks are what the rows of the methods say that it sends, by all transcripts: no call does
/// more than its tool says, and for each mark some call does that.
#[test]
fn marks_are_those_of_what_is_sent() {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    for call in transcripts::made() {
        let (tool, requests) = (call.tool, call.requests);
        let Some(declared) = tools::find(&tool) else {
            continue;
        };
        let weights = requests.iter().map(|request| weigh(request).mark);
        let mark = weights.fold(Mark::READ, Mark::or);
        // A volume of another guest makes a call heavier while it runs, and asks then.
        let is_declared = declared.possible().any(|one| one.covers(mark));
        if !is_declared && !declared.takes_confirm() {
            problems.push(format!("{tool} sends what weighs {mark}: {requests:?}"));
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

/// Every method that an action names is one of the API, a read where it reads; and what a write weighs is
/// known, by its row or by the entry.
#[test]
fn what_an_action_names_is_of_the_api() {
    let api: Value = serde_json::from_str(include_str!("../../sim/api.json")).expect("api.json");
    let endpoints = api["endpoints"].as_array().expect("endpoints");
    let text = |endpoint: &Value, key: &str| endpoint[key].as_str().expect("a text").to_string();
    let known: BTreeSet<String> = endpoints
        .iter()
        .map(|one| format!("{} {}", text(one, "method"), slots(&text(one, "path"))))
        .collect();
    let mut problems = Vec::new();
    for tool in tools::all() {
        for action in tool.actions() {
            let named = action.sends.iter().copied().flatten();
            for sending in named.filter(|sending| sending.path != sending::ANY) {
                let line = format!("{} {}", sending.verb.name(), sending.path);
                let kinds = ["qemu", "lxc"].map(|kind| line.replace("{kind}", kind));
                if !kinds.iter().all(|line| known.contains(&slots(line))) {
                    problems.push(format!("{} {}: no `{line}`", tool.name, action.word));
                }
                if sending.verb != Verb::Get && sending.known_mark().is_none() {
                    problems.push(format!(
                        "{} {}: `{line}` weighs anything",
                        tool.name, action.word
                    ));
                }
            }
        }
    }
    assert_eq!(problems, [""; 0]);
}

/// A path with its slots, whatever they are called.
fn slots(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true => "{}",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// By whom a method is named, and which: a write by this action, a read by any.
fn named(tool: &Tool, action: &Action, sending: &Sending) -> (String, String) {
    let by = match sending.verb {
        Verb::Get => "a read".to_string(),
        _ => format!("{} {}", tool.name, action.word),
    };
    (by, format!("{} {}", sending.verb.name(), sending.path))
}

/// What an action writes it writes in some session, and what is read by any, some session reads: a name
/// that nobody uses would let through what nobody meant.
#[test]
fn what_an_action_names_is_sent() {
    let mut shown: BTreeSet<(String, String)> = BTreeSet::new();
    for call in transcripts::made() {
        let Some(tool) = tools::find(&call.tool) else {
            continue;
        };
        // Where an argument is one of an earlier answer, the action is not known from here.
        let known = args::check(tool, &call.arguments).ok();
        let known = known.and_then(|(args, _)| tool.action(&args));
        for action in known.map_or_else(|| tool.actions().to_vec(), |action| vec![action]) {
            for sending in action.sends.iter().copied().flatten() {
                if call.requests.iter().any(|request| sending.takes(request)) {
                    shown.insert(named(tool, &action, sending));
                }
            }
        }
    }
    let mut problems = BTreeSet::new();
    for tool in tools::all() {
        for action in tool.actions() {
            let sends = action.sends.iter().copied().flatten();
            for sending in sends.filter(|sending| sending.path != sending::ANY) {
                let (by, line) = named(tool, action, sending);
                if !shown.contains(&(by.clone(), line.clone())) {
                    problems.insert(format!("{by}: `{line}` is in no transcript"));
                }
            }
        }
    }
    assert_eq!(Vec::from_iter(problems), [""; 0]);
}

/// What is granted for a method meets its own check, and is granted to a token of the action's level, for its
/// set; nothing else is.
#[test]
fn what_is_sent_is_granted_by_the_level() {
    let mut problems = Vec::new();
    for row in methods::all() {
        let Some(text) = row.permissions else {
            continue;
        };
        let asked: Value = serde_json::from_str(text).expect("JSON");
        let granted = |path: &str, privilege: &str| {
            let mut grants = row.grants.iter();
            grants.any(|one| path.starts_with(one.path) && one.privilege == privilege)
        };
        if !holds(&asked["check"], &granted) {
            problems.push(format!("{} {}: {text}", row.verb.name(), row.path));
        }
    }
    let needs = needs::needs();
    let mut used = BTreeSet::new();
    for set in TOOLSETS {
        for action in set.tools.iter().flat_map(Tool::actions) {
            for grant in action
                .sends
                .iter()
                .copied()
                .flatten()
                .flat_map(|one| one.grants)
            {
                let is_it = |need: &&Need| {
                    (need.path, need.privilege, need.set) == (grant.path, grant.privilege, set.name)
                };
                let found: Vec<&Need> = needs.iter().filter(is_it).collect();
                let [need] = found.as_slice() else {
                    panic!("{}: {grant:?} is needed {} times", set.name, found.len());
                };
                assert!(need.effect <= action.mark.effect, "{}: {need:?}", set.name);
                used.insert((set.name, need.path, need.privilege));
            }
        }
    }
    assert_eq!(problems, [""; 0]);
    assert_eq!(used.len(), needs.len());
    // Those of a person's everyday work are among them.
    for (set, path, privilege, effect) in [
        ("fleet", "/", "Sys.Audit", Effect::Read),
        ("task", "/nodes", "Sys.Audit", Effect::Read),
        ("guest", "/vms", "VM.Audit", Effect::Read),
        ("guest", "/vms", "VM.PowerMgmt", Effect::Operate),
        ("guest", "/vms", "VM.Allocate", Effect::Change),
        ("guest", "/sdn", "SDN.Use", Effect::Change),
        ("snapshot", "/vms", "VM.Snapshot.Rollback", Effect::Full),
        (
            "backup",
            "/storage",
            "Datastore.AllocateSpace",
            Effect::Operate,
        ),
        ("pool", "/pool", "Pool.Audit", Effect::Read),
        ("pool", "/pool", "Pool.Allocate", Effect::Change),
        ("pool", "/vms", "VM.Allocate", Effect::Change),
    ] {
        let need = Need {
            path,
            privilege,
            effect,
            set,
        };
        assert!(needs.contains(&need), "{need:?}");
    }
}

/// A token of a level is given no privilege for what an answer can do without, and of a list that shows to
/// each token what it may see only what is looked for in it.
#[test]
fn what_is_not_needed_is_not_granted() {
    let all = sending::get("/cluster/resources");
    assert_eq!(all.seeing(&[SEES_POOLS]).grants, [SEES_POOLS]);
    let needed = sending::get("/cluster/status");
    assert_ne!(needed.grants, []);
    assert_eq!(needed.beside().grants, []);
}

/// Whether a check of the API's description is met.
fn holds(check: &Value, granted: &dyn Fn(&str, &str) -> bool) -> bool {
    let parts = check.as_array().expect("a check");
    match parts[0].as_str() {
        Some("and") => parts[1..].iter().all(|part| holds(part, granted)),
        Some("or") => parts[1..]
            .iter()
            .any(|part| part.is_array() && holds(part, granted)),
        Some("perm") => {
            let path = parts[1].as_str().expect("a path");
            let mut named = parts[2].as_array().expect("privileges").iter();
            let held = |one: &Value| granted(path, one.as_str().expect("a privilege"));
            match parts.get(3).and_then(Value::as_str) {
                Some("any") => named.any(held),
                _ => named.all(held),
            }
        }
        _ => panic!("{check} is not known here"),
    }
}

/// What is done by word has a parameter for the word, and no other has.
#[test]
fn by_word_is_what_takes_an_action() {
    let wrong = |tool: &'static Tool| {
        let mut params = tool.params.iter();
        let takes = params.any(|param| matches!(param.kind, ParamKind::ActionWord));
        takes != tool.by_word().is_some()
    };
    assert_eq!(offenders(wrong), [""; 0]);
}

#[test]
fn schemas_are_closed_and_flat_at_the_root() {
    let wrong = |tool: &'static Tool| {
        let input = schema::input(&Offered::whole(tool));
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
    let defaults = TOOLSETS.iter().filter(|set| set.is_default);
    hold(defaults.flat_map(|set| set.tools).collect(), &DEFAULT);
    hold(tools::all().collect(), &ALL);
}

fn hold(tools: Vec<&'static Tool>, budget: &Budget) {
    let count = tools.len();
    assert!(count <= budget.tools, "{count} tools");
    let shown: usize = tools
        .iter()
        .map(|tool| {
            let schema = schema::input(&Offered::whole(tool));
            json!({"name": tool.name, "description": tool.about, "inputSchema": schema})
                .to_string()
                .len()
                + 1
        })
        .sum();
    let list: usize = tools
        .iter()
        .map(|tool| {
            listing::entry(&Offered::whole(tool), OFFERED)
                .to_string()
                .len()
                + 1
        })
        .sum();
    println!("{count} tools, {shown} bytes shown to a model, {list} bytes in tools/list");
    assert!(
        shown <= budget.shown_bytes,
        "{shown} bytes are shown to a model"
    );
    assert!(list <= budget.list_bytes, "{list} bytes are in tools/list");
}
