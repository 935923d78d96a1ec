//! The tool names of the Python package `proxmox-mcp`: a call by one of them is answered with the
//! tool here that does it, and with its arguments ready to be sent.

mod table;

use serde_json::{Map, Value, json};

use crate::text::repeated;
use crate::tool::args::{self, WAIT_MAX_S};
use crate::tool::param::ParamKind;
use crate::tool::{Subject, Tool};
use table::{OldTool, TABLE};

/// What its tool names begin with; the methods behind them do not.
const PREFIX: &str = "proxmox-";
/// What needs no counterpart: here a node is found, a dry run is the first call of what asks, and
/// waiting has its own limit.
const SILENT: &[&str] = &[
    "cluster",
    "cluster_name",
    "confirm",
    "dry_run",
    "node",
    "poll_interval",
    "timeout",
    "wait",
];
/// How a guest was meant there; a VMID went before the name.
const GUEST: &[(&str, &str)] = &[("guest", "{vmid}"), ("guest", "{name}")];
/// The argument whose text is a search, with terms that may need quotation marks.
const SEARCH: &str = "query";

type Object = Map<String, Value>;

/// What to say to a call by a tool name of the Python package. `None` for any other name. Hyphens and
/// underscores are the same, as are its methods without the prefix.
pub fn sentence(name: &str, arguments: &Object) -> Option<String> {
    let method = name.replace('_', "-");
    let method = method.strip_prefix(PREFIX).unwrap_or(&method);
    let rows = || {
        TABLE.iter().filter(|old| {
            let fits = |when| given(arguments, when).is_some();
            old.names.contains(&method) && old.when.is_none_or(fits)
        })
    };
    // The first of those that can be called in this version, else the first.
    let built = rows().find(|old| super::find(old.tool).is_some());
    let old = built.or_else(|| rows().next())?;
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
    let names = TABLE.iter().flat_map(|old| old.names);
    names.map(|method| format!("{PREFIX}{method}"))
}

fn here(method: &str, old: &OldTool, tool: &Tool, arguments: &Object) -> String {
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
    if tool.asks() && given(arguments, "confirm").is_some() {
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
fn translated(old: &OldTool, tool: &Tool, arguments: &Object) -> (Object, Vec<String>) {
    let guest = match tool.subject {
        Subject::Guest | Subject::GuestNodeOrCluster => GUEST,
        _ => &[],
    };
    let texts = || guest.iter().chain(old.given).copied();
    let is_used = |name: &str| texts().any(|(_, text)| text.contains(&format!("{{{name}}}")));
    // `timeout` was how long a call waits, unless a row uses it.
    let is_same = |name: &str| {
        tool.params.iter().any(|param| param.name == name)
            && !texts().any(|(to, _)| to == name)
            && !is_used(name)
            && name != "timeout"
    };
    let mut ready = Object::new();
    for (to, text) in texts() {
        if let Some(value) = made(tool, to, text, arguments) {
            ready.entry(to).or_insert(value);
        }
    }
    for (name, value) in arguments {
        if is_same(name) && given(arguments, name).is_some() {
            ready.insert(name.clone(), value.clone());
        }
    }
    for name in ["cluster", "cluster_name"] {
        if let Some(cluster) = arguments.get(name).filter(|value| value.is_string()) {
            ready.insert("cluster".into(), cluster.clone());
        }
    }
    if tool.task
        && let Some(wait) = given(arguments, "wait")
    {
        let seconds = if *wait == json!(true) { WAIT_MAX_S } else { 0 };
        ready.insert("wait".into(), json!(seconds));
    }
    let left = arguments.iter().filter(|(name, value)| {
        !value.is_null() && !SILENT.contains(&name.as_str()) && !is_used(name) && !is_same(name)
    });
    let left = left.map(|(name, _)| format!("`{}`", repeated(name)));
    (ready, left.collect())
}

/// The argument of this name, where it says something: 0 as a VMID meant none.
fn given<'a>(arguments: &'a Object, name: &str) -> Option<&'a Value> {
    let value = arguments.get(name)?;
    let is_none =
        value.is_null() || value.as_str() == Some("") || (name == "vmid" && *value == json!(0));
    (!is_none).then_some(value)
}

/// What a row's text comes to: the value itself where it is one argument alone, and where settings are
/// made of several, each by its own name.
fn made(tool: &Tool, to: &str, text: &str, arguments: &Object) -> Option<Value> {
    if let Some(name) = alone(text) {
        return given(arguments, name).cloned();
    }
    let param = tool.params.iter().find(|param| param.name == to);
    let kind = param.map(|param| param.kind);
    let words = text.split(' ');
    if matches!(kind, Some(ParamKind::Settings)) {
        let names = words.filter_map(alone);
        let set = names.filter_map(|name| Some((name.to_owned(), given(arguments, name)?.clone())));
        let set = Object::from_iter(set);
        return (!set.is_empty()).then_some(Value::Object(set));
    }
    let words = words.filter_map(|word| filled(word, to == SEARCH, arguments));
    let text = words.collect::<Vec<_>>().join(" ");
    match kind {
        _ if text.is_empty() => None,
        Some(ParamKind::Bool) => Some(json!(text == "true")),
        Some(ParamKind::SomeOf(_)) => Some(json!([text])),
        _ => Some(json!(text)),
    }
}

/// The argument that a text is made of alone.
fn alone(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    (!name.contains('}')).then_some(name)
}

/// A word with the arguments in it; `None` where one of them is not given.
fn filled(word: &str, is_search: bool, arguments: &Object) -> Option<String> {
    let mut parts = word.split('{');
    let mut filled = parts.next()?.to_owned();
    for part in parts {
        let (name, behind) = part.split_once('}')?;
        let value = given(arguments, name)?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        filled.push_str(&if is_search { quoted(&text) } else { text });
        filled.push_str(behind);
    }
    Some(filled)
}

/// A term of a search, with what would end it in quotation marks.
fn quoted(text: &str) -> String {
    let text = text.replace('"', "");
    if text.contains([' ', ':', '<', '>', '=', '-']) {
        format!("\"{text}\"")
    } else {
        text
    }
}
