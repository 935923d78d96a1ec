//! The arguments of a call by name, as clients and models send them: which parameter each stands
//! for, what a host adds of its own, and what to say of the rest.

use serde_json::{Map, Value};

use super::Tool;
use crate::meant;
use crate::text::repeated;

/// Keys that hosts put beside the arguments of every call, with the host that does it and why. They
/// are dropped where the tool has no such parameter.
const OF_HOSTS: &[(&str, &str)] = &[
    ("toolCallId", "n8n: the id of the model's call"),
    ("sessionId", "n8n: the chat's memory"),
    ("chatInput", "n8n: what the user wrote"),
    ("action", "n8n: `sendMessage`, how the chat was entered"),
    ("tool", "n8n: its own name of the tool"),
    (
        "random_string",
        "Cursor: a stand-in for tools that take nothing",
    ),
    (
        "_meta",
        "LangChain and others: meant for the request, not for its arguments",
    ),
];

/// The parameter of each argument, with what was given for it: not null. What is wrong goes to
/// `problems`: names that the tool does not know, and one parameter given in two spellings.
pub(super) fn given<'g>(
    tool: &Tool,
    arguments: &'g Map<String, Value>,
    problems: &mut Vec<String>,
) -> Vec<(&'static str, &'g Value)> {
    let mut found: Vec<(&'static str, &'g Value)> = Vec::new();
    for (key, value) in arguments {
        let Some(name) = names(tool).find(|name| is_spelling(name, key)) else {
            if !OF_HOSTS.iter().any(|(host, _)| host == key) {
                problems.push(unknown(tool, key));
            }
            continue;
        };
        if found.iter().any(|(other, _)| *other == name) {
            problems.push(format!(
                "`{name}` is given twice, once as `{}`",
                repeated(key)
            ));
            continue;
        }
        found.push((name, value));
    }
    found.retain(|(_, value)| !value.is_null());
    found
}

/// All that a tool takes, injected arguments included.
fn names(tool: &Tool) -> impl Iterator<Item = &'static str> {
    let own = tool.params.iter().map(|param| param.name);
    let cluster = std::iter::once("cluster");
    // Whether it asks is worked out only where a name is none of those before.
    let confirm = std::iter::once_with(|| tool.takes_confirm().then_some("confirm"));
    let wait = tool.task.then_some("wait");
    own.chain(cluster).chain(confirm.flatten()).chain(wait)
}

/// Whether a key is this name, `-` and `_` being the same.
fn is_spelling(name: &str, key: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    name.bytes().map(plain).eq(key.bytes().map(plain))
}

fn unknown(tool: &Tool, key: &str) -> String {
    let known = Vec::from_iter(names(tool));
    let meant = meant::hint(key, &known).map_or(String::new(), |hint| format!("; {hint}"));
    format!(
        "`{}` is no argument of `{}`, which takes: {}{meant}",
        repeated(key),
        tool.name,
        known.join(", ")
    )
}
