//! Nodes: all of them with their use, and one of them in detail.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fleet::{Gathered, ListedRows, cut, percent, unseen};
use crate::api::loose;
use crate::api::loose::number;
use crate::api::methods::permissions::SEES_NODES;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::{Code, Error};
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::{LONG_NAME_MAX_CHARS, printable, visible};
use crate::time;
use crate::tool::args::Args;
use crate::tool::order::SORT;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{CURSOR, FIELDS, LIMIT, NAME_BYTES, ROW_BYTES, Row, gib, says_something};
use crate::tool::{Actions, RunFn, Subject, Tool};

pub static TOOLS: &[Tool] = &[LIST, GET];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const TEXT_MAX_CHARS: usize = 200;

const COLUMNS: &[&str] = &[
    "cluster",
    "node",
    "status",
    "ha",
    "cpus",
    "cpu_percent",
    "memory_gib",
    "memory_percent",
    "disk_gib",
    "disk_percent",
    "uptime_s",
    "guests",
    "running",
];

const LIST: Tool = Tool {
    name: "node_list",
    title: "List nodes",
    about: "Lists the nodes of one cluster or `all`: status, CPU, memory, uptime, guests.",
    actions: Actions::one(&[&[sending::get("/cluster/resources").seeing(&[SEES_NODES])]]),
    subject: Subject::List,
    params: &[SORT, FIELDS, LIMIT, CURSOR],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

const GET: Tool = Tool {
    name: "node_get",
    title: "Show a node",
    about: "Shows a node: status, version, CPU, load, memory; by `include` what is on it.",
    actions: Actions::one(&[&[
        sending::get("/cluster/resources").seeing(&[SEES_NODES]),
        sending::get("/nodes/{node}/status"),
        sending::get("/nodes/{node}/network"),
        sending::get("/nodes/{node}/tasks"),
    ]]),
    subject: Subject::Node,
    params: &[
        Param::new("node", ParamKind::Word(Word::Node), "its name"),
        Param::new(
            "include",
            ParamKind::SomeOf(&["guests", "storages", "bridges", "tasks"]),
            "",
        )
        .optional(),
    ],
    answer: &[("node", "string"), ("status", "string")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(get),
};

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    Gathered::of(reach, args, COLUMNS, nodes)?.page(COLUMNS, args)
}

fn nodes(reach: &Reach) -> Result<ListedRows, Error> {
    let mut nodes: Vec<Row> = Vec::new();
    // Of each node, how many it has, and how many of them run.
    let mut guests: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    reach.resources(&mut |resource| match resource.kind() {
        ResourceKind::Node => {
            room::note(ROW_BYTES);
            nodes.push(node(reach.cluster_name(), resource));
        }
        ResourceKind::Vm | ResourceKind::Container => {
            let node = visible(&resource.node, NAME_MAX_CHARS);
            let (here, running) = match guests.get_mut(&*node) {
                Some(counts) => counts,
                None => {
                    room::note(NAME_BYTES);
                    guests.entry(node.into_owned()).or_default()
                }
            };
            *here += 1;
            *running += u64::from(resource.is_up());
        }
        _ => {}
    })?;
    for row in &mut nodes {
        let (here, running) = guests.get(row.text("node")).copied().unwrap_or_default();
        row.insert("guests", here.into());
        row.insert("running", running.into());
    }
    nodes.sort_by(|one, other| one.text("node").cmp(other.text("node")));
    let guests_too = |kind: ResourceKind| kind == ResourceKind::Node || kind.is_guest();
    Ok(ListedRows {
        rows: nodes,
        unseen: unseen(reach, guests_too)?,
        ..ListedRows::default()
    })
}

fn node(cluster: &str, node: &Resource) -> Row {
    Row::from([
        ("cluster", cluster.into()),
        ("node", printable(node.name(), NAME_MAX_CHARS).into()),
        ("status", printable(&node.status, NAME_MAX_CHARS).into()),
        ("ha", ha(node)),
        ("cpus", node.maxcpu.whole().into()),
        ("cpu_percent", percent(node.cpu_percent())),
        ("memory_gib", json!(gib(node.maxmem.whole()))),
        ("memory_percent", percent(node.memory_percent())),
        ("disk_gib", json!(gib(node.maxdisk.whole()))),
        ("disk_percent", percent(node.disk_percent())),
        ("uptime_s", node.uptime.whole().into()),
    ])
}

/// What the high-availability manager makes of a node where it does not simply use it, as
/// `maintenance`.
fn ha(node: &Resource) -> Value {
    match &*node.hastate {
        "" | "online" => Value::Null,
        state => printable(state, NAME_MAX_CHARS).into(),
    }
}

/// What the cluster's own list says of one node, without asking the node.
#[derive(Default)]
struct ListedNode {
    /// `None` where the cluster has no such node.
    status: Option<String>,
    row: Row,
    others: Vec<String>,
    guests: Vec<Value>,
    storages: Vec<Value>,
}

fn get(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let name = args.need("node")?;
    let include = args.texts("include");
    let seen = look(reach, name)?;
    let Some(status) = seen.status else {
        return Err(Error::bad(format!(
            "{}: there is no node `{name}`; there are: {}",
            reach.cluster_name(),
            cut(seen.others).join(", ")
        )));
    };
    let mut answer = seen.row.into_object();
    let online = status == "online";
    let mut not_read = Map::new();
    if online {
        match part(reach.get("/nodes/{node}/status", &[name]))? {
            Ok(status) => answer.extend(details(&status)),
            Err(why) => {
                not_read.insert("status".into(), why.into());
            }
        }
    } else {
        let note = "the node does not answer: what is shown of its guests was last heard";
        answer.insert("note".into(), note.into());
    }
    for wanted in include {
        let read = match wanted {
            "guests" => Ok(seen.guests.clone().into()),
            "storages" => Ok(seen.storages.clone().into()),
            _ if !online => Err(format!("the node is {status}")),
            "bridges" => part(bridges(reach, name))?,
            _ => part(tasks(reach, name))?,
        };
        match read {
            Ok(value) => answer.insert(wanted.into(), value),
            Err(why) => not_read.insert(wanted.into(), why.into()),
        };
    }
    if !not_read.is_empty() {
        answer.insert("not_read".into(), Value::Object(not_read));
    }
    Ok(answer)
}

/// A part that the token may not read, or that the node did not give, is named and not fatal.
fn part<T>(read: Result<T, Error>) -> Result<Result<T, String>, Error> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) if matches!(error.code, Code::Permission | Code::Proxmox | Code::Reply) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// One request, which the node that is asked answers from memory: a node that is lost is known as
/// such without waiting for it.
fn look(reach: &Reach, name: &str) -> Result<ListedNode, Error> {
    let mut seen = ListedNode::default();
    reach.resources(&mut |resource| {
        let kind = resource.kind();
        if kind == ResourceKind::Node && resource.name() == name {
            seen.status = Some(printable(&resource.status, NAME_MAX_CHARS));
            let mut row = node("", resource);
            row.remove("cluster");
            seen.row = row;
        } else if kind == ResourceKind::Node {
            seen.others.push(printable(resource.name(), NAME_MAX_CHARS));
        }
        if *resource.node != *name {
            return;
        }
        if kind.is_guest() {
            seen.guests.push(guest(resource));
        } else if kind == ResourceKind::Storage {
            seen.storages.push(storage(resource));
        }
    })?;
    seen.others.sort();
    let vmid = |guest: &Value| number(guest.get("vmid"));
    seen.guests.sort_by_key(vmid);
    Ok(seen)
}

fn guest(guest: &Resource) -> Value {
    let entries = [
        ("vmid", guest.vmid().into()),
        ("name", printable(guest.name(), NAME_MAX_CHARS).into()),
        ("type", guest.kind().name().into()),
        ("status", printable(&guest.status, NAME_MAX_CHARS).into()),
        ("template", guest.is_template().into()),
        ("lock", printable(&guest.lock, NAME_MAX_CHARS).into()),
        ("cpu_percent", percent(guest.cpu_percent())),
        ("memory_gib", json!(gib(guest.maxmem.whole()))),
    ];
    telling(&entries)
}

fn storage(storage: &Resource) -> Value {
    let entries = [
        ("storage", printable(storage.name(), NAME_MAX_CHARS).into()),
        (
            "type",
            printable(&storage.plugintype, NAME_MAX_CHARS).into(),
        ),
        ("status", printable(&storage.status, NAME_MAX_CHARS).into()),
        ("shared", storage.is_shared().into()),
        ("total_gib", json!(gib(storage.maxdisk.whole()))),
        ("used_percent", percent(storage.disk_percent())),
    ];
    telling(&entries)
}

/// The entries that say something, as an object.
fn telling(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().filter(|(_, value)| says_something(value));
    let entries = entries.map(|(key, value)| ((*key).to_string(), value.clone()));
    Value::Object(entries.collect())
}

/// What the node says of itself.
fn details(status: &Value) -> Map<String, Value> {
    let at = |path: &str| status.pointer(path);
    let text = |path: &str| {
        let text = at(path).and_then(Value::as_str).unwrap_or_default();
        Value::from(printable(text, TEXT_MAX_CHARS))
    };
    let sized = |path: &str| json!(gib(number(at(path))));
    let load = at("/loadavg").and_then(Value::as_array);
    let load: Vec<&str> = load
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let share = |path: &str| percent(at(path).and_then(Value::as_f64).map(|share| share * 100.0));
    let entries = [
        ("version", version(at("/pveversion")).into()),
        ("kernel", text("/current-kernel/release")),
        ("boot", text("/boot-info/mode")),
        ("cpu_model", text("/cpuinfo/model")),
        ("cpus", number(at("/cpuinfo/cpus")).into()),
        ("cpu_percent", share("/cpu")),
        ("io_wait_percent", share("/wait")),
        ("load", printable(&load.join(" "), TEXT_MAX_CHARS).into()),
        ("memory_gib", sized("/memory/total")),
        ("memory_used_gib", sized("/memory/used")),
        ("swap_gib", sized("/swap/total")),
        ("swap_used_gib", sized("/swap/used")),
        ("disk_gib", sized("/rootfs/total")),
        ("disk_used_gib", sized("/rootfs/used")),
        ("uptime_s", number(at("/uptime")).into()),
    ];
    let entries = entries.into_iter();
    let told = entries.filter(|(_, value)| says_something(value));
    told.map(|(key, value)| (key.to_string(), value)).collect()
}

/// `9.2.11` of `pve-manager/9.2.11/14a22df3c5f0a1b2`.
fn version(text: Option<&Value>) -> String {
    let text = text.and_then(Value::as_str).unwrap_or_default();
    let version = text.split('/').nth(1).unwrap_or(text);
    printable(version, NAME_MAX_CHARS)
}

/// What a guest's network card can be put on.
fn bridges(reach: &Reach, node: &str) -> Result<Value, Error> {
    let request = Request::new(Verb::Get, "/nodes/{node}/network", &[node])?;
    let rows = reach.rows(&request.with("type", "any_bridge"), "iface")?;
    let mut bridges: Vec<Value> = rows.iter().map(bridge).collect();
    bridges.sort_by_key(|bridge| bridge.get("bridge").map(Value::to_string));
    Ok(bridges.into())
}

fn bridge(row: &Value) -> Value {
    let text = |key: &str| {
        let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
        Value::from(printable(text, TEXT_MAX_CHARS))
    };
    let active = loose::flag(row.get("active"));
    let entries = [
        ("bridge", text("iface")),
        ("type", text("type")),
        ("state", if active { "active" } else { "not active" }.into()),
        ("cidr", text("cidr")),
        ("cidr6", text("cidr6")),
        ("ports", text("bridge_ports")),
        (
            "vlan_aware",
            loose::flag(row.get("bridge_vlan_aware")).into(),
        ),
    ];
    telling(&entries)
}

/// The tasks that run now.
fn tasks(reach: &Reach, node: &str) -> Result<Value, Error> {
    let request = Request::new(Verb::Get, "/nodes/{node}/tasks", &[node])?;
    let rows = reach.rows(&request.with("source", "active"), "upid")?;
    let cluster = reach.cluster_name();
    let task = |row: &Value| {
        let text = |key: &str| {
            let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
            printable(text, LONG_NAME_MAX_CHARS)
        };
        let entries = [
            ("task", format!("{cluster}!{}", text("upid")).into()),
            ("type", text("type").into()),
            ("id", text("id").into()),
            ("user", text("user").into()),
            ("started", time::iso(number(row.get("starttime"))).into()),
        ];
        telling(&entries)
    };
    Ok(rows.iter().map(task).collect())
}
