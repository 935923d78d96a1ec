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

/// What a call was given for the parameters of its tool.
pub(super) struct GivenArgs<'g> {
    found: Vec<(&'static str, &'g Value)>,
}

impl<'g> GivenArgs<'g> {
    /// Finds the parameter of each argument. What is wrong goes to `problems`: names that the tool
    /// does not know, and one parameter given in two spellings.
    pub(super) fn new(
        tool: &Tool,
        arguments: &'g Map<String, Value>,
        problems: &mut Vec<String>,
    ) -> GivenArgs<'g> {
        let known = names(tool);
        let mut found: Vec<(&'static str, &'g Value)> = Vec::new();
        for (key, value) in arguments {
            let Some(name) = known.iter().find(|name| is_spelling(name, key)) else {
                if !OF_HOSTS.iter().any(|(host, _)| host == key) {
                    problems.push(unknown(tool, &known, key));
                }
                continue;
            };
            if found.iter().any(|(other, _)| other == name) {
                problems.push(format!(
                    "`{name}` is given twice, once as `{}`",
                    repeated(key)
                ));
                continue;
            }
            found.push((name, value));
        }
        GivenArgs { found }
    }

    /// What was given for a parameter; nothing where it was left out or is null.
    pub(super) fn get(&self, name: &str) -> Option<&'g Value> {
        let found = self.found.iter().find(|(other, _)| *other == name);
        found
            .map(|(_, value)| *value)
            .filter(|value| !value.is_null())
    }
}

/// All that a tool takes, injected arguments included.
fn names(tool: &Tool) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = tool.params.iter().map(|param| param.name).collect();
    names.push("cluster");
    if tool.takes_confirm() {
        names.push("confirm");
    }
    if tool.task {
        names.push("wait");
    }
    names
}

/// Whether a key is this name, `-` and `_` being the same.
fn is_spelling(name: &str, key: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    name.bytes().map(plain).eq(key.bytes().map(plain))
}

fn unknown(tool: &Tool, known: &[&str], key: &str) -> String {
    let meant = meant::hint(key, known).map_or(String::new(), |hint| format!("; {hint}"));
    format!(
        "`{}` is no argument of `{}`, which takes: {}{meant}",
        repeated(key),
        tool.name,
        known.join(", ")
    )
}
