//! `guest_get`: one guest, with what `include` asks for.

use serde_json::{Map, Value, json};

use super::{GUEST, answer_for, encoded};
use crate::error::Error;
use crate::fleet::index::Kind as GuestKind;
use crate::gate::mark::Mark;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Kind, Param};
use crate::tool::rows::{flag, gib, mib, number, says_something};
use crate::tool::{Marks, Run, Subject, Tool};
use crate::tools::plan;

/// The longest value of an option that is shown, in characters.
const VALUE_MAX_CHARS: usize = 500;
/// The longest line of a value that has several.
const LINE_MAX_CHARS: usize = 8192;
/// The longest notes that are shown, in characters.
const NOTES_MAX_CHARS: usize = 4000;
/// The option that holds the notes, a stranger's text.
const NOTES: &str = "description";

pub(super) const GET: Tool = Tool {
    name: "guest_get",
    title: "Show a guest",
    about: "Shows a guest: state and configuration, or what `include` names.",
    marks: Marks::Always(Mark::READ),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new(
            "include",
            Kind::SomeOf(&["status", "config", "addresses", "snapshots", "pending"]),
            "status and config at first",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer"), ("type", "string"), ("node", "string")],
    task: false,
    plan: None,
    run: Run::Steps(get),
};

fn get(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let mut include = args.texts("include");
    if include.is_empty() {
        include = vec!["status", "config"];
    }
    let mut answer = answer_for(reach)?;
    for part in include {
        match part {
            "status" => answer.extend(status(&*reach.get_of_guest("/status/current")?)),
            "config" => {
                config(&*reach.get_of_guest("/config")?, &mut answer);
                marked(reach, &mut answer)?;
            }
            "addresses" => addresses(reach, &mut answer)?,
            "snapshots" => {
                let snapshots = reach.rows_of_guest("/snapshot", "name")?;
                let [whole, half] = plan::snapshots_shown(&snapshots);
                answer.insert(whole.0.into(), whole.1);
                if says_something(&half.1) {
                    answer.insert(half.0.into(), half.1);
                }
            }
            "pending" => {
                let pending = pending(&reach.rows_of_guest("/pending", "key")?);
                answer.insert("pending".into(), pending);
            }
            _ => {}
        }
    }
    Ok(answer)
}

fn status(current: &Value) -> Map<String, Value> {
    let text = |key: &str| current.get(key).and_then(Value::as_str).unwrap_or_default();
    let amount = |key: &str| number(current.get(key));
    // A paused VM is `running` for the one word and `paused` for the other.
    let state = match text("qmpstatus") {
        "" => text("status"),
        exact => exact,
    };
    let ha = current.get("ha");
    let ha_state = ha.filter(|ha| flag(ha.get("managed"))).map(|ha| {
        let state = ha.get("state").and_then(Value::as_str);
        printable(state.unwrap_or("managed"), VALUE_MAX_CHARS)
    });
    let cpu = match current.get("cpu") {
        Some(Value::String(number)) => number.parse().unwrap_or_default(),
        number => number.and_then(Value::as_f64).unwrap_or_default(),
    };
    let mut status = Map::new();
    status.insert("status".into(), printable(state, VALUE_MAX_CHARS).into());
    let facts = [
        ("lock", printable(text("lock"), VALUE_MAX_CHARS).into()),
        ("ha", ha_state.into()),
        ("uptime_s", amount("uptime").into()),
        ("cpus", amount("cpus").into()),
        ("cpu_percent", json!((cpu * 1000.0).round() / 10.0)),
        ("memory_mib", mib(amount("maxmem")).into()),
        ("memory_used_mib", mib(amount("mem")).into()),
        ("disk_gib", gib(amount("maxdisk")).into()),
    ];
    let facts = facts.into_iter().filter(|(_, value)| says_something(value));
    status.extend(facts.map(|(key, value)| (key.to_string(), value)));
    status
}

/// The options as Proxmox has them; the notes are a stranger's text and stand apart.
fn config(config: &Value, answer: &mut Map<String, Value>) {
    let mut options: Vec<(String, Value)> = Vec::new();
    for (key, value) in config.as_object().into_iter().flatten() {
        let shown = match encoded::decode(key, value).as_ref().unwrap_or(value) {
            Value::Array(lines) => lines.iter().map(line).collect(),
            Value::String(text) if key == NOTES => {
                let notes = printable(text, NOTES_MAX_CHARS);
                answer.insert("untrusted_text".into(), json!({ "notes": notes }));
                continue;
            }
            Value::String(text) => printable(text, VALUE_MAX_CHARS).into(),
            other => other.clone(),
        };
        options.push((printable(key, VALUE_MAX_CHARS), shown));
    }
    options.sort_by(|one, other| one.0.cmp(&other.0));
    answer.insert(
        "config".into(),
        Value::Object(options.into_iter().collect()),
    );
}

/// What of the configuration waits for a restart: it is read as it will be after one.
fn marked(reach: &Reach, answer: &mut Map<String, Value>) -> Result<(), Error> {
    if answer.contains_key("pending") {
        return Ok(());
    }
    match reach
        .rows_of_guest("/pending", "key")
        .map(|rows| pending(&rows))
    {
        Ok(pending) if says_something(&pending) => {
            answer.insert("pending".into(), pending);
        }
        Ok(_) => {}
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => {
            answer.insert("pending_unknown".into(), error.to_string().into());
        }
    }
    Ok(())
}

/// A guest whose agent is silent is shown all the same, with the reason.
fn addresses(reach: &Reach, answer: &mut Map<String, Value>) -> Result<(), Error> {
    let path = match reach.guest()?.kind {
        GuestKind::Qemu => "/agent/network-get-interfaces",
        GuestKind::Lxc => "/interfaces",
    };
    match reach.get_of_guest(path) {
        Ok(reply) => {
            let listed = reply.get("result").unwrap_or(&reply);
            let Some(interfaces) = listed.as_array() else {
                let why = "the reply is no list of interfaces";
                answer.insert("addresses_unknown".into(), why.into());
                return Ok(());
            };
            let interfaces: Vec<Value> = interfaces.iter().filter_map(interface).collect();
            answer.insert("addresses".into(), interfaces.into());
        }
        Err(error @ (Error::Refused { .. } | Error::Denied { .. })) => {
            answer.insert("addresses_unknown".into(), error.to_string().into());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// One interface with its addresses; the loopback says nothing.
fn interface(interface: &Value) -> Option<Value> {
    let text = |key: &str| interface.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| *name != "lo")?;
    let listed = interface.get("ip-addresses").and_then(Value::as_array);
    let mut addresses: Vec<String> = Vec::new();
    for address in listed.into_iter().flatten() {
        let ip = address.get("ip-address").and_then(Value::as_str)?;
        let prefix = number(address.get("prefix"));
        addresses.push(printable(&format!("{ip}/{prefix}"), VALUE_MAX_CHARS));
    }
    // Containers of releases before the list had one address of each family.
    if addresses.is_empty() {
        let single = ["inet", "inet6"].into_iter().filter_map(text);
        addresses.extend(single.map(|address| printable(address, VALUE_MAX_CHARS)));
    }
    let mac = text("hardware-address").or_else(|| text("hwaddr"));
    Some(json!({
        "interface": printable(name, VALUE_MAX_CHARS),
        "mac": printable(mac.unwrap_or_default(), VALUE_MAX_CHARS),
        "addresses": addresses,
    }))
}

/// What a restart, or a plugged change, would still have to bring.
fn pending(list: &[Value]) -> Value {
    let waiting = list
        .iter()
        .filter(|row| row.get("pending").is_some() || row.get("delete").is_some());
    let shown = |value: &Value| match value {
        Value::String(text) => Value::from(printable(text, VALUE_MAX_CHARS)),
        Value::Array(lines) => lines.iter().map(line).collect(),
        other => other.clone(),
    };
    waiting
        .map(|row| {
            let option = row.get("key").and_then(Value::as_str).unwrap_or_default();
            if option == NOTES {
                return json!({"key": NOTES, "pending": "(changed)"});
            }
            let entries = row.as_object().into_iter().flatten();
            Value::Object(
                entries
                    .map(|(name, value)| {
                        let meant = match name.as_str() {
                            "value" | "pending" => encoded::decode(option, value),
                            _ => None,
                        };
                        (name.clone(), shown(meant.as_ref().unwrap_or(value)))
                    })
                    .collect(),
            )
        })
        .collect()
}

/// A line of a value that has several, such as a key, which is longer than others.
fn line(line: &Value) -> Value {
    printable(line.as_str().unwrap_or_default(), LINE_MAX_CHARS).into()
}
