//! `agent_get`: what a virtual machine tells of itself.

use serde_json::{Map, Value, json};

use super::{GUEST, asked};
use crate::api::loose::{items, number, plain};
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::{Code, Error};
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{ROW_BYTES, Row, gib};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::fleet::percent;
use crate::tools::guest::answer_for;

const TEXT_MAX_CHARS: usize = 200;
/// Entries of a list that a guest tells; it may tell any number.
const ENTRIES_MAX: usize = 100;
const NANOSECONDS: u64 = 1_000_000_000;

/// What can be told, and the commands that tell it.
const PARTS: &[(&str, &[&str])] = &[
    ("os", &["get-osinfo"]),
    ("host", &["get-host-name"]),
    ("users", &["get-users"]),
    ("addresses", &["network-get-interfaces"]),
    ("filesystems", &["get-fsinfo"]),
    ("time", &["get-time", "get-timezone"]),
];
/// Where the call does not say.
const USUAL: &[&str] = &["os", "host"];

pub(super) const GET: Tool = Tool {
    name: "agent_get",
    title: "Ask a VM's guest agent",
    about: "Tells what a VM's guest agent knows: operating system and kernel, host name; by `include` also who is \
            logged in, addresses, file systems and their use, time.",
    actions: Actions::one(&[&[
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-osinfo"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-host-name"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-users"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-fsinfo"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-time"),
        sending::get("/nodes/{node}/qemu/{vmid}/agent/get-timezone"),
    ]]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new(
            "include",
            ParamKind::SomeOf(&["os", "host", "users", "addresses", "filesystems", "time"]),
            "os and host at first",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(get),
};

fn get(reach: &Reach, args: &Args) -> HandlerResult {
    let wanted = args.texts("include");
    let wanted = if wanted.is_empty() {
        USUAL.to_vec()
    } else {
        wanted
    };
    let mut answer = answer_for(reach)?;
    let (mut told, mut not_read) = (Map::new(), Map::new());
    for (part, commands) in PARTS.iter().filter(|(part, _)| wanted.contains(part)) {
        match part_of(reach, part, commands) {
            Ok(value) => {
                told.insert((*part).into(), value);
            }
            // One command that the agent does not know, or Proxmox does not let pass, is no reason to keep the rest.
            Err(error) if error.code == Code::Proxmox && wanted.len() > 1 && !is_silent(&error) => {
                not_read.insert((*part).into(), error.to_string().into());
            }
            Err(error) => return Err(error),
        }
    }
    answer.insert("untrusted_text".into(), told.into());
    if !not_read.is_empty() {
        answer.insert("not_read".into(), not_read.into());
    }
    Ok(answer)
}

/// Whether the agent tells nothing at all.
fn is_silent(error: &Error) -> bool {
    [
        "guest agent configured",
        "agent is not running",
        "is not running",
    ]
    .iter()
    .any(|words| error.cause.trim_end().ends_with(words))
}

fn part_of(reach: &Reach, part: &str, commands: &[&str]) -> Result<Value, Error> {
    let mut said = Vec::new();
    for command in commands {
        said.push(asked(reach, Verb::Get, command)?);
    }
    let told = match (part, said.as_slice()) {
        ("os", [os]) if is_flat(os) => Some(system(os)),
        ("host", [host]) if is_flat(host) => Some(text(host, "host-name")),
        ("users", [users]) => listed(users, "user", user),
        ("addresses", [cards]) => listed(cards, "name", card),
        ("filesystems", [systems]) => listed(systems, "mountpoint", filesystem),
        ("time", [time, zone]) if is_plain(time) && is_flat(zone) => {
            let seconds = number(Some(time)) / NANOSECONDS;
            Some(json!({"time": time::iso(seconds), "zone": text(zone, "zone")}))
        }
        _ => None,
    };
    told.ok_or_else(|| {
        let commands = commands.join("` and `");
        let cause = "it is not of the form that the agent has it".to_string();
        Error::no_answer(reach.cluster_name(), &commands, cause)
    })
}

/// Whether it is a text or a number.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// Whether it is an object of those.
fn is_flat(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.values().all(is_plain))
}

fn text(of: &Value, key: &str) -> Value {
    let text = of.get(key).map(plain).unwrap_or_default();
    printable(&text, TEXT_MAX_CHARS).into()
}

fn system(os: &Value) -> Value {
    let facts = [
        ("name", "pretty-name"),
        ("id", "id"),
        ("version", "version-id"),
        ("kernel", "kernel-release"),
        ("machine", "machine"),
    ];
    let facts = facts.into_iter().map(|(key, from)| (key, text(os, from)));
    let mut row = Row::new();
    row.extend(facts);
    row.into_object().into()
}

/// Each entry of a list as a row; nothing where it is no list of what has a `key`.
fn listed(entries: &Value, key: &str, row: fn(&Value) -> Row) -> Option<Value> {
    // What has nothing to tell may answer with an empty object.
    let none = Vec::new();
    let entries = match entries {
        Value::Array(entries) => entries,
        Value::Object(fields) if fields.is_empty() => &none,
        _ => return None,
    };
    if !entries
        .iter()
        .all(|entry| entry.get(key).is_some_and(is_plain))
    {
        return None;
    }
    room::note(entries.len().min(ENTRIES_MAX) * ROW_BYTES);
    let rows = entries.iter().take(ENTRIES_MAX);
    let mut rows: Vec<Value> = rows.map(|entry| row(entry).into_object().into()).collect();
    if let Some(more) = entries
        .len()
        .checked_sub(ENTRIES_MAX)
        .filter(|more| *more > 0)
    {
        rows.push(format!("and {more} more").into());
    }
    Some(rows.into())
}

fn user(entry: &Value) -> Row {
    // With a fraction, as a number or a text.
    let since = entry.get("login-time").map(plain).unwrap_or_default();
    let since = since
        .split('.')
        .next()
        .and_then(|seconds| seconds.parse::<u64>().ok());
    let since = since.filter(|seconds| *seconds > 0);
    Row::from([
        ("user", text(entry, "user")),
        ("domain", text(entry, "domain")),
        ("since", since.map(time::iso).into()),
    ])
}

fn card(entry: &Value) -> Row {
    let addresses = entry.get("ip-addresses").and_then(Value::as_array);
    let addresses = addresses.map(Vec::as_slice).unwrap_or_default().iter();
    let addresses = addresses.take(ENTRIES_MAX).map(|one| {
        let address = one.get("ip-address").map(plain).unwrap_or_default();
        Value::from(printable(
            &format!("{address}/{}", number(one.get("prefix"))),
            TEXT_MAX_CHARS,
        ))
    });
    Row::from([
        ("interface", text(entry, "name")),
        ("mac", text(entry, "hardware-address")),
        ("addresses", addresses.collect()),
    ])
}

fn filesystem(entry: &Value) -> Row {
    let (total, used) = (
        number(entry.get("total-bytes")),
        number(entry.get("used-bytes")),
    );
    let disks = entry.get("disk").map(|disks| match disks.as_array() {
        Some(disks) => disks
            .iter()
            .filter_map(|disk| disk.get("dev").map(plain))
            .collect(),
        None => items(disks),
    });
    Row::from([
        ("mountpoint", text(entry, "mountpoint")),
        ("type", text(entry, "type")),
        (
            "device",
            printable(&disks.unwrap_or_default().join(", "), TEXT_MAX_CHARS).into(),
        ),
        ("size_gib", json!(gib(total))),
        ("used_gib", json!(gib(used))),
        ("used_percent", percent(share(used, total))),
    ])
}

#[allow(clippy::cast_precision_loss)] // One digit is all that is kept.
fn share(used: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| used as f64 / total as f64 * 100.0)
}
