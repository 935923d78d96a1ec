//! The real `tools/list`, all sets on, as a client of each revision is given it: the golden file
//! `tools_list.txt` beside this one. `UPDATE=1` rewrites it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proxmox_mcp::mcp::{about, revision};
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::golden;
use crate::session::{Manner, Session, app};
use crate::sim::World;

/// Bytes of compact JSON that a model is shown with all sets on: name, description, input schema.
const SHOWN_MAX_BYTES: usize = 80_000;
/// Bytes of the whole `tools/list` with all sets on.
const LIST_MAX_BYTES: usize = 95_000;
const TOOLS_MAX: usize = 110;

#[test]
fn the_list_is_as_it_was_in_every_revision() {
    let world = World::three();
    let mut written = String::new();
    let mut newest = Vec::new();
    for revision in revision::ALL.map(revision::Revision::date) {
        let held = app(&world, "PROXMOX_TOOLSETS=all");
        let mut session = Session::held(held, Manner::asking(revision));
        let result = session.request("tools/list", &json!({}));
        let tools = result["tools"].as_array().expect("tools").clone();
        let (list, shown) = (result["tools"].to_string().len(), shown_bytes(&tools));
        let count = tools.len();
        assert!(count <= TOOLS_MAX, "{revision}: {count} tools");
        assert!(shown <= SHOWN_MAX_BYTES, "{revision}: {shown} bytes shown");
        assert!(list <= LIST_MAX_BYTES, "{revision}: {list} bytes");
        let budget = format!("{revision}: {count} tools, {list} bytes, {shown} shown to a model");
        println!("{budget}");
        if newest.is_empty() {
            writeln!(written, "{budget}").unwrap();
            for tool in &tools {
                let whole = serde_json::to_string_pretty(tool).expect("JSON");
                writeln!(written, "{whole}").unwrap();
            }
            newest = tools;
        } else {
            writeln!(written, "{budget}; {}", beside(&newest, &tools)).unwrap();
        }
    }
    golden::compare("tests/it/mcp/tools_list.txt", &written);
}

/// A legacy client is told that another set is listed; in the modern era no list depends on a call before.
#[test]
fn a_set_is_listed_once_it_was_enabled() {
    let world = World::three();
    for revision in revision::ALL.map(revision::Revision::date) {
        let manner = Manner::asking(revision);
        let is_modern = manner.is_modern();
        let mut session = Session::held(app(&world, ""), manner);
        let names = |session: &mut Session| -> Vec<String> {
            let result = session.request("tools/list", &json!({}));
            let tools = result["tools"].as_array().expect("tools");
            let names = tools.iter().map(|tool| tool["name"].as_str());
            names.map(|name| name.expect("a name").to_owned()).collect()
        };
        let first = names(&mut session);
        assert!(first.iter().all(|name| !name.starts_with("pool_")));
        let call = json!({"name": "toolset_enable", "arguments": {"toolset": "pool"}});
        let result = session.request("tools/call", &call);
        let text = result["content"][0]["text"].as_str().expect("a text");
        let enabled: Value = serde_json::from_str(text).expect("JSON");
        let tools = enabled["tools"].as_array().expect("tools");
        let given: Vec<&str> = tools
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(given, ["pool_list", "pool_set", "pool_delete"]);
        if is_modern {
            assert_eq!(names(&mut session), first);
        } else {
            let told = session.receive().expect("a notification");
            assert_eq!(told["method"], json!("notifications/tools/list_changed"));
            let now = names(&mut session);
            assert_eq!(now.len(), first.len() + 3);
            assert!(
                given
                    .iter()
                    .all(|name| now.iter().any(|listed| listed == name))
            );
        }
    }
}

/// Hosts cut them at 2 KB, and the sets that are off stand at their end.
#[test]
fn the_instructions_name_the_sets_that_are_off_and_are_not_cut() {
    let off: Vec<&str> = TOOLSETS
        .iter()
        .filter(|set| !set.is_default)
        .map(|set| set.name)
        .collect();
    let world = World::three();
    let held = app(&world, "");
    assert_eq!(held.unlisted(), off);
    let said = about::instructions(&off);
    assert!(said.len() < 2048, "{} bytes", said.len());
    assert!(said.ends_with(&format!("{}.", off.join(", "))), "{said}");
}

/// What is denied, or beyond every cluster's level, is not enabled with its set.
#[test]
fn a_set_that_is_enabled_has_only_what_may_be_called() {
    let world = World::three();
    let enabled = |env: &str, set: &str| {
        let mut session = Session::held(app(&world, env), Manner::asking("2025-06-18"));
        let answer = session.call("toolset_enable", &json!({"toolset": set}));
        answer.ok()["tools"].to_string()
    };
    let read = enabled("PROXMOX_ACCESS=read", "pool");
    assert!(read.contains("pool_list") && !read.contains("pool_set"));
    let denied = enabled("PROXMOX_TOOLS_DENY=pool_set", "pool");
    assert!(denied.contains("pool_delete") && !denied.contains("pool_set"));
}

fn shown_bytes(tools: &[Value]) -> usize {
    let shown = |tool: &Value| {
        let mut shown = Map::new();
        for key in ["name", "description", "inputSchema"] {
            shown.insert(key.to_owned(), tool[key].clone());
        }
        Value::from(shown).to_string().len() + 1
    };
    tools.iter().map(shown).sum()
}

/// In what a list differs from the newest revision's: each difference with how many tools have it.
fn beside(newest: &[Value], tools: &[Value]) -> String {
    let mut differences = BTreeMap::<String, usize>::new();
    let names =
        |tools: &[Value]| -> Vec<Value> { tools.iter().map(|t| t["name"].clone()).collect() };
    assert_eq!(
        names(newest),
        names(tools),
        "the same tools in the same order"
    );
    for (new, old) in newest.iter().zip(tools) {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        leaves("", new, &mut before);
        leaves("", old, &mut after);
        for (path, value) in &before {
            match after.get(path) {
                None => *differences.entry(format!("no {path}")).or_default() += 1,
                Some(other) if other != value => {
                    *differences.entry(format!("{path} {other}")).or_default() += 1;
                }
                Some(_) => {}
            }
        }
        for (path, value) in after {
            if !before.contains_key(&path) {
                // The one that moves with the revision is said as such.
                let what = if value == new["title"] {
                    "the title".to_owned()
                } else {
                    value.to_string()
                };
                *differences.entry(format!("{path}: {what}")).or_default() += 1;
            }
        }
    }
    if differences.is_empty() {
        return "nothing else".to_owned();
    }
    let said = differences
        .iter()
        .map(|(what, count)| format!("{what} ({count})"));
    said.collect::<Vec<_>>().join(", ")
}

fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves(&format!("{path}/{key}"), value, found);
            }
        }
        other => {
            found.insert(path.to_owned(), other.clone());
        }
    }
}
