//! The whole API of a cluster, by its own description: finding a tool or method, what a method takes, and
//! reading and writing what no tool of its own does.

mod describe;
mod enable;
mod find;
mod read;
mod write;

use serde_json::Value;

use crate::api::request::Request;
use crate::config::variables::{TOOLS_ALLOW, TOOLS_DENY, TOOLSETS as TOOLSETS_VARIABLE};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::Tool;
use crate::tool::api_request;
use crate::tool::offer::{is_listed, is_switched_off};
use crate::tool::param::{Param, ParamKind};
use crate::tools::TOOLSETS;

pub static TOOLS: &[Tool] = &[
    find::FIND,
    enable::ENABLE,
    describe::DESCRIBE,
    read::READ,
    write::WRITE,
];

const PATH_MAX_CHARS: usize = 1_000;
const TEXT_MAX_CHARS: usize = 8_000;
const DEPTH_MAX: usize = 16;

/// A path of the API.
const PATH: Param = Param::new(
    api_request::PATH,
    ParamKind::Text(PATH_MAX_CHARS),
    "`/nodes/pve1/dns`",
);

/// Refuses what is done by tools of its own that are all switched off: a denial is of what is done, not of
/// a name.
///
/// # Errors
/// They are, with their names.
fn allowed(reach: &Reach, request: &Request) -> Result<(), Error> {
    let switches = &reach.config().safety.switches;
    let is_denied = |tool: &&Tool| {
        is_switched_off(switches, TOOLSETS, tool)
            || (!switches.allow.is_empty() && !is_listed(switches, TOOLSETS, tool))
    };
    let senders = describe::senders_of(request);
    if senders.is_empty() || !senders.iter().all(is_denied) {
        return Ok(());
    }
    let names: Vec<&str> = senders.iter().map(|tool| tool.name).collect();
    let sentence = format!(
        "`{}` is what {} would send, which is switched off",
        request.line(),
        names.join(", ")
    );
    let hint = format!(
        "whoever runs this server decides that, by {TOOLSETS_VARIABLE}, {TOOLS_ALLOW} and {TOOLS_DENY}"
    );
    Err(Error::not_allowed(reach.cluster_name(), sentence).hint(hint))
}

/// A value of a stranger, fit to be shown; of an object only the keys that are wanted, where some are.
fn fit(value: &Value, wanted: &[&str]) -> Value {
    shown(value, wanted, DEPTH_MAX)
}

fn shown(value: &Value, wanted: &[&str], depth: usize) -> Value {
    match value {
        Value::String(text) => printable(text, TEXT_MAX_CHARS).into(),
        Value::Array(_) | Value::Object(_) if depth == 0 => "(too deep)".into(),
        Value::Array(entries) => entries
            .iter()
            .map(|one| shown(one, &[], depth - 1))
            .collect(),
        Value::Object(map) => {
            let entries = map.iter();
            let entries = entries.filter(|(key, value)| {
                let is_wanted = wanted.is_empty() || wanted.contains(&key.as_str());
                is_wanted && !value.is_null()
            });
            let entries = entries.map(|(key, value)| {
                let key = printable(key, TEXT_MAX_CHARS);
                (key, shown(value, &[], depth - 1))
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}
