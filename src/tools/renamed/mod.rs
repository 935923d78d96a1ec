//! The tool names of the Python package `proxmox-mcp`: a call by one of them is answered with the
//! tool here that does it, and with its arguments ready to be sent.

mod guest;
mod how;
mod table;

use serde_json::{Map, Value, json};

use crate::text::repeated;
use crate::tool::args::{self, WAIT_MAX_S};
use crate::tool::{Subject, Tool};
use guest::GUESTS;
use how::{How, Old};
use table::TABLE;

/// What its tool names begin with; the methods behind them do not.
const PREFIX: &str = "proxmox-";
/// What every tool there took, and what has no counterpart: here a node is found, a dry run is the
/// first call of what asks, and waiting has its own limit.
const SILENT: &[&str] = &["dry_run", "poll_interval", "timeout", "node"];

/// What to say to a call by a tool name of the Python package. `None` for any other name. Hyphens and
/// underscores are the same, as are its methods without the prefix.
pub fn sentence(name: &str, arguments: &Map<String, Value>) -> Option<String> {
    let method = name.replace('_', "-");
    let method = method.strip_prefix(PREFIX).unwrap_or(&method);
    let rows = || all().filter(|old| old.names.contains(&method));
    let fits = |old: &&Old| old.when.is_none_or(|when| is_given(arguments, when));
    // The first of those that can be called in this version, else the first.
    let built = rows()
        .filter(fits)
        .find(|old| super::find(old.tool).is_some());
    let old = built.or_else(|| rows().find(fits))?;
    let Some(tool) = super::find(old.tool) else {
        return Some(format!(
            "`{PREFIX}{method}` will be `{}` here, which is not built yet in this version",
            old.tool
        ));
    };
    Some(here(method, old, tool, arguments))
}

/// All its tool names, for tests and documents.
pub fn names() -> impl Iterator<Item = String> {
    let names = all().flat_map(|old| old.names);
    names.map(|method| format!("{PREFIX}{method}"))
}

/// A name may stand in several rows: the first whose argument was given and whose tool is built is
/// taken.
fn all() -> impl Iterator<Item = &'static Old> {
    GUESTS.iter().chain(TABLE)
}

fn here(method: &str, old: &Old, tool: &Tool, arguments: &Map<String, Value>) -> String {
    let (ready, left) = translated(old, tool, arguments);
    let mut said = format!(
        "`{PREFIX}{method}` is `{}` here, with the arguments {}",
        old.tool,
        Value::Object(ready.clone())
    );
    // What is wrong with them is what the caller has to add or change.
    if let Err(error) = args::check(tool, &ready) {
        said.push_str(&format!(", save that {}", error.problems.join(", ")));
    }
    if !left.is_empty() {
        said.push_str(&format!("; without a counterpart: {}", left.join(", ")));
    }
    if tool.asks() && is_given(arguments, "confirm") {
        said.push_str(
            "; the first call shows a plan and its code, which the second bears in `confirm`",
        );
    }
    if let Some(note) = old.note {
        said.push_str(&format!("; {note}"));
    }
    said
}

/// The arguments as the tool here takes them, and the names of those that it does not.
fn translated(
    old: &Old,
    tool: &Tool,
    arguments: &Map<String, Value>,
) -> (Map<String, Value>, Vec<String>) {
    let mut ready = Map::new();
    let mut used: Vec<&str> = vec!["confirm", "wait", "cluster", "cluster_name"];
    for how in old.how {
        how.apply(arguments, &mut ready, &mut used);
    }
    for name in ["cluster", "cluster_name"] {
        if let Some(cluster) = arguments.get(name).filter(|value| value.is_string()) {
            ready.insert("cluster".into(), cluster.clone());
        }
    }
    if tool.task && is_given(arguments, "wait") {
        let waits = arguments.get("wait") == Some(&Value::Bool(true));
        ready.insert(
            "wait".into(),
            if waits { WAIT_MAX_S.into() } else { json!(0) },
        );
    }
    // A filter for a node that the tool here has too.
    let takes = |name: &str| tool.params.iter().any(|param| param.name == name);
    let is_filter = !matches!(tool.subject, Subject::Guest | Subject::Copied(_)) && takes("node");
    if let Some(node) = arguments
        .get("node")
        .filter(|node| is_filter && node.is_string())
    {
        ready.entry("node").or_insert_with(|| node.clone());
    }
    let left = arguments.iter().filter(|(name, value)| {
        let name = name.as_str();
        !value.is_null() && !used.contains(&name) && !SILENT.contains(&name)
    });
    let left = left.map(|(name, _)| format!("`{}`", repeated(name)));
    (ready, left.collect())
}

fn is_given(arguments: &Map<String, Value>, name: &str) -> bool {
    arguments
        .get(name)
        .is_some_and(|value| !matches!(value, Value::Null) && value.as_str() != Some(""))
}

impl How {
    fn apply(
        &self,
        given: &Map<String, Value>,
        ready: &mut Map<String, Value>,
        used: &mut Vec<&'static str>,
    ) {
        let mut take = |from: &'static str| {
            used.push(from);
            given.get(from).filter(|_| is_given(given, from)).cloned()
        };
        match *self {
            How::Guest => {
                // A VMID there went before the name, and 0 meant none.
                let vmid = take("vmid").filter(|vmid| *vmid != json!(0));
                let name = take("name");
                if let Some(guest) = vmid.or(name) {
                    ready.insert("guest".into(), guest);
                }
            }
            How::Same(name) => {
                if let Some(value) = take(name) {
                    ready.insert(name.into(), value);
                }
            }
            How::As(from, to) => {
                if let Some(value) = take(from) {
                    ready.insert(to.into(), value);
                }
            }
            How::Number(from, to, before, behind) => {
                if let Some(value) = take(from) {
                    let value = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_string);
                    ready.insert(to.into(), format!("{before}{value}{behind}").into());
                }
            }
            How::Setting(name) => {
                if let Some(value) = take(name) {
                    let settings = ready.entry("settings").or_insert_with(|| json!({}));
                    if let Some(settings) = settings.as_object_mut() {
                        settings.insert(name.into(), value);
                    }
                }
            }
            How::Set(name, value) => {
                ready.insert(name.into(), value.into());
            }
            How::Yes(name) => {
                ready.insert(name.into(), true.into());
            }
            How::List(name, value) => {
                ready.insert(name.into(), json!([value]));
            }
            How::Task => {
                let cluster = given.get("cluster").and_then(Value::as_str);
                if let Some(Value::String(upid)) = take("upid") {
                    let task = match cluster {
                        Some(cluster) => format!("{cluster}!{upid}"),
                        None => upid,
                    };
                    ready.insert("task".into(), task.into());
                }
            }
            How::Search(sort) => {
                let terms = [
                    take("search").map(|value| quoted("", &value)),
                    take("status").map(|value| quoted("status:", &value)),
                    take("node").map(|value| quoted("node:", &value)),
                ];
                let terms: Vec<String> = terms.into_iter().flatten().collect();
                ready.insert(
                    "query".into(),
                    format!("type:{sort} {}", terms.join(" ")).into(),
                );
            }
        }
    }
}

/// A term of a search, with what would end it in quotation marks.
fn quoted(key: &str, value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_string);
    let text = text.replace('"', "");
    if text.contains([' ', ':', '<', '>', '=', '-']) {
        format!("{key}\"{text}\"")
    } else {
        format!("{key}{text}")
    }
}
