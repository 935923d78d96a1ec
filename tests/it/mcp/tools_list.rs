//! The real `tools/list`, all sets on, as a client of each revision is given it: the golden file
//! `tools_list.txt` beside this one. `UPDATE=1` rewrites it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proxmox_mcp::mcp::revision;
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
