//! `storage_list`: definition and use of the storages of one cluster or of all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::NAME_MAX_CHARS;
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::resource::{Resource, Sort};
use crate::gate::mark::Mark;
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::order::{Order, SORT};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, NAME_BYTES, ROW_BYTES, Row, flag, gib};
use crate::tool::{Marks, Run, Subject, Tool};
use crate::tools::fleet::{Gaps, cut, in_order, percent, unseen};

const SOURCE_MAX_CHARS: usize = 200;

const COLUMNS: &[&str] = &[
    "cluster",
    "storage",
    "type",
    "status",
    "disabled",
    "shared",
    "nodes",
    "unreachable_from",
    "content",
    "total_gib",
    "used_gib",
    "used_percent",
    "source",
];

pub(super) const LIST: Tool = Tool {
    name: "storage_list",
    title: "List storages",
    about: "Lists the storages of one cluster or `all`: type, content, nodes, size and use.",
    marks: Marks::Always(Mark::READ),
    subject: Subject::List,
    params: &[SORT, FIELDS, LIMIT, CURSOR],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: Run::Fleet(list),
};

struct Storages {
    rows: Vec<Row>,
    /// Nodes that are not online, whose storages are as they were last heard of.
    offline: Vec<String>,
    unseen: Vec<String>,
}

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    rows::check(args, COLUMNS)?;
    let mut found = Vec::new();
    let mut offline = Vec::new();
    let mut gaps = Gaps::default();
    for (cluster, storages) in reach.ask(storages)? {
        found.extend(storages.rows);
        let nodes = storages.offline.iter();
        offline.extend(nodes.map(|node| format!("{cluster}/{node}")));
        gaps.add(cluster, storages.unseen);
    }
    if let Some(order) = Order::of(args) {
        found.sort_by_cached_key(|row| order.rank(row));
    }
    let mut answer = rows::page(found, COLUMNS, COLUMNS, args)?;
    if !offline.is_empty() {
        answer.insert("nodes_offline".into(), cut(offline).into());
    }
    gaps.name_in(&mut answer);
    Ok(answer)
}

/// Two requests: the use from the resource list, where disabled storages do not stand, and the
/// definitions.
fn storages(reach: &Reach) -> Result<Storages, Error> {
    let mut uses: BTreeMap<(String, String), Use> = BTreeMap::new();
    let mut offline: Vec<String> = Vec::new();
    reach.resources(&mut |resource| {
        if resource.sort() == Sort::Node && !resource.is_up() {
            offline.push(printable(resource.name(), NAME_MAX_CHARS));
        }
        if resource.sort() == Sort::Storage {
            let node = printable(&resource.node, NAME_MAX_CHARS);
            let name = printable(resource.name(), NAME_MAX_CHARS);
            // A shared storage is one, whichever node tells of it.
            let place = if resource.is_shared() { "" } else { &node };
            let key = (name, place.to_string());
            let used = uses.entry(key).or_default();
            room::note(if used.nodes.is_empty() {
                ROW_BYTES
            } else {
                NAME_BYTES
            });
            used.add(node, resource);
        }
    })?;
    // The storages of a lost node are unknown with it.
    for used in uses.values_mut() {
        used.silent.retain(|node| !offline.contains(node));
        used.silent.sort();
    }
    let mut unseen = unseen(reach, |sort| sort == Sort::Storage)?;
    let definitions = match reach.rows_at("/storage", &[], "storage") {
        Ok(definitions) => definitions,
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => {
            unseen.push(format!("definitions and disabled storages: {error}"));
            Charged::default()
        }
    };
    let mut rows: Vec<Row> = Vec::new();
    for ((name, _), used) in &uses {
        let is_it = |one: &&Value| one.get("storage").and_then(Value::as_str) == Some(name);
        let definition = definitions.iter().find(is_it);
        rows.push(row(reach.cluster_name(), name, Some(used), definition));
    }
    let names: BTreeSet<&str> = uses.keys().map(|(name, _)| name.as_str()).collect();
    for definition in &definitions {
        let name = definition.get("storage").and_then(Value::as_str);
        let Some(name) = name.map(|name| printable(name, NAME_MAX_CHARS)) else {
            continue;
        };
        if !names.contains(name.as_str()) {
            room::note(ROW_BYTES);
            rows.push(row(reach.cluster_name(), &name, None, Some(definition)));
        }
    }
    offline.sort();
    Ok(Storages {
        rows,
        offline,
        unseen,
    })
}

/// What the nodes that have a storage tell of it.
#[derive(Default)]
struct Use {
    nodes: Vec<String>,
    /// Those of them that do not reach it.
    silent: Vec<String>,
    up: bool,
    status: String,
    kind: String,
    content: String,
    shared: bool,
    total: u64,
    used: u64,
    percent: Option<f64>,
}

impl Use {
    /// A node where it is up tells more than one that is lost.
    fn add(&mut self, node: String, resource: &Resource) {
        if !resource.is_up() {
            self.silent.push(node.clone());
        }
        self.nodes.push(node);
        self.nodes.sort();
        if self.up {
            return;
        }
        self.up = resource.is_up();
        self.status = printable(&resource.status, NAME_MAX_CHARS);
        self.kind = printable(&resource.plugintype, NAME_MAX_CHARS);
        self.content = in_order(&printable(&resource.content, SOURCE_MAX_CHARS));
        self.shared = resource.is_shared();
        self.total = resource.maxdisk.whole();
        self.used = resource.disk.whole();
        self.percent = resource.disk_percent();
    }
}

fn row(cluster: &str, name: &str, used: Option<&Use>, definition: Option<&Value>) -> Row {
    let defined = |key: &str| {
        let value = definition.and_then(|definition| definition.get(key));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let set = |key: &str| flag(definition.and_then(|definition| definition.get(key)));
    let from_definition = Use {
        nodes: defined("nodes")
            .split(',')
            .filter(|node| !node.is_empty())
            .map(|node| printable(node, NAME_MAX_CHARS))
            .collect(),
        kind: printable(defined("type"), NAME_MAX_CHARS),
        content: in_order(&printable(defined("content"), SOURCE_MAX_CHARS)),
        shared: set("shared"),
        ..Use::default()
    };
    let used = used.unwrap_or(&from_definition);
    Row::from([
        ("cluster", cluster.into()),
        ("storage", name.into()),
        ("type", used.kind.clone().into()),
        ("status", used.status.clone().into()),
        ("disabled", set("disable").into()),
        ("shared", used.shared.into()),
        ("nodes", used.nodes.clone().into()),
        ("unreachable_from", used.silent.clone().into()),
        ("content", used.content.clone().into()),
        ("total_gib", json!(gib(used.total))),
        ("used_gib", json!(gib(used.used))),
        ("used_percent", percent(used.percent)),
        ("source", source(&defined).into()),
    ])
}

/// Where the space comes from: a folder, a server's export, a volume group, a pool.
fn source<'d>(defined: &impl Fn(&str) -> &'d str) -> String {
    let server = defined("server");
    let parts = ["export", "share", "datastore", "volume", "target"];
    let remote = parts.iter().map(|key| defined(key));
    let remote = remote.into_iter().find(|part| !part.is_empty());
    let local = match (defined("vgname"), defined("thinpool")) {
        ("", _) => ["pool", "path", "monhost", "portal"]
            .iter()
            .map(|key| defined(key))
            .find(|part| !part.is_empty())
            .unwrap_or_default()
            .to_string(),
        (group, "") => group.to_string(),
        (group, thin) => format!("{group}/{thin}"),
    };
    let source = match (server, remote) {
        ("", Some(remote)) => remote.to_string(),
        ("", None) => local,
        (server, remote) => format!("{server}:{}", remote.unwrap_or_default()),
    };
    printable(&source, SOURCE_MAX_CHARS)
}
