//! `storage_list`: definition and use of the storages of one cluster or of all, each storage once: what
//! its nodes have in common is not said for each of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::NAME_MAX_CHARS;
use super::source::source;
use crate::api::loose::flag;
use crate::api::methods::permissions::SEES_STORAGES;
use crate::api::methods::sending;
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::order::SORT;
use crate::tool::rows::{CURSOR, FIELDS, LIMIT, NAME_BYTES, ROW_BYTES, Row, gib};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::fleet::{Gathered, ListedRows, in_order, percent, unseen};

const CONTENT_MAX_CHARS: usize = 200;
const NODES: &str = "nodes";
const BY_NODE: &str = "by_node";

const COLUMNS: &[&str] = &[
    "cluster",
    "storage",
    "type",
    "status",
    "disabled",
    "shared",
    NODES,
    "unreachable_from",
    "content",
    "total_gib",
    "used_gib",
    "used_percent",
    BY_NODE,
    "source",
];

pub(super) const LIST: Tool = Tool {
    name: "storage_list",
    title: "List storages",
    about: "Lists the storages of one cluster or `all`, each once: type, content, nodes, size, use, \
            source. Of one that is another on each node `by_node` has each one's [used %, total \
            GiB], `used_percent` is the fullest's, and the other sizes are sums.",
    actions: Actions::one(&[&[
        sending::get("/cluster/resources").seeing(&[SEES_STORAGES]),
        sending::get("/storage"),
    ]]),
    subject: Subject::List,
    params: &[SORT, FIELDS, LIMIT, CURSOR],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

/// What a further node of a storage takes: its name, and what is told of it.
const NODE_BYTES: usize = 2 * NAME_BYTES;

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    let mut gathered = Gathered::of(reach, args, COLUMNS, storages)?;
    if !args.has("fields") {
        // The keys there are the nodes.
        let has_both = |row: &&mut Row| row.get(BY_NODE).is_some_and(Value::is_object);
        let rows = gathered.rows.iter_mut().filter(has_both);
        rows.for_each(|row| row.remove(NODES));
    }
    gathered.page(COLUMNS, args)
}

/// Two requests: the use from the resource list, where disabled storages do not stand, and the
/// definitions.
fn storages(reach: &Reach) -> Result<ListedRows, Error> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    let mut offline: Vec<String> = Vec::new();
    reach.resources(&mut |resource| {
        if resource.kind() == ResourceKind::Node && !resource.is_up() {
            offline.push(printable(resource.name(), NAME_MAX_CHARS));
        }
        if resource.kind() == ResourceKind::Storage {
            let used = uses
                .entry(printable(resource.name(), NAME_MAX_CHARS))
                .or_default();
            room::note(match used.nodes.is_empty() {
                true => ROW_BYTES,
                false => NODE_BYTES,
            });
            used.add(printable(&resource.node, NAME_MAX_CHARS), resource);
        }
    })?;
    // The storages of a lost node are unknown with it.
    for used in uses.values_mut() {
        used.silent.retain(|node| !offline.contains(node));
    }
    let mut unseen = unseen(reach, |kind| kind == ResourceKind::Storage)?;
    let definitions = match reach.rows_at("/storage", &[], "storage") {
        Ok(definitions) => definitions,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            unseen.push(format!("definitions and disabled storages: {error}"));
            Charged::default()
        }
    };
    let mut rows: Vec<Row> = Vec::new();
    for (name, used) in &uses {
        let is_it = |one: &&Value| one.get("storage").and_then(Value::as_str) == Some(name);
        let definition = definitions.iter().find(is_it);
        rows.push(row(reach.cluster_name(), name, Some(used), definition));
    }
    for definition in &definitions {
        let name = definition.get("storage").and_then(Value::as_str);
        let Some(name) = name.map(|name| printable(name, NAME_MAX_CHARS)) else {
            continue;
        };
        if !uses.contains_key(&name) {
            room::note(ROW_BYTES);
            rows.push(row(reach.cluster_name(), &name, None, Some(definition)));
        }
    }
    offline.sort();
    Ok(ListedRows {
        rows,
        offline,
        unseen,
    })
}

/// What the nodes that have a storage tell of it.
#[derive(Default)]
struct Use {
    /// By node, how much of it is in use there; nothing where it is not up.
    nodes: BTreeMap<String, Option<Space>>,
    /// Those of them that do not reach it.
    silent: BTreeSet<String>,
    up: bool,
    status: String,
    /// What a node says where it is not up.
    down: String,
    kind: String,
    content: String,
    shared: bool,
    /// What was told first: of a shared one that is all, of another what is left to tell where it is up
    /// nowhere.
    first: Space,
}

#[derive(Clone, Copy, Default)]
struct Space {
    total: u64,
    used: u64,
    percent: Option<f64>,
}

impl Use {
    /// A node where it is up tells more than one that is lost.
    fn add(&mut self, node: String, resource: &Resource) {
        let space = Space {
            total: resource.maxdisk.whole(),
            used: resource.disk.whole(),
            percent: resource.disk_percent(),
        };
        let is_up = resource.is_up();
        if !is_up {
            self.silent.insert(node.clone());
            self.down = printable(&resource.status, NAME_MAX_CHARS);
        }
        self.nodes.insert(node, is_up.then_some(space));
        if self.up {
            return;
        }
        self.up = is_up;
        self.status = printable(&resource.status, NAME_MAX_CHARS);
        self.kind = printable(&resource.plugintype, NAME_MAX_CHARS);
        self.content = in_order(&printable(&resource.content, CONTENT_MAX_CHARS));
        self.shared = resource.is_shared();
        self.first = space;
    }

    /// As far as a definition tells, where no node does.
    fn defined(definition: Option<&Value>) -> Use {
        let nodes = text(definition, "nodes").split(',');
        let nodes = nodes.filter(|node| !node.is_empty());
        Use {
            nodes: nodes
                .map(|node| (printable(node, NAME_MAX_CHARS), None))
                .collect(),
            kind: printable(text(definition, "type"), NAME_MAX_CHARS),
            content: in_order(&printable(text(definition, "content"), CONTENT_MAX_CHARS)),
            shared: is_set(definition, "shared"),
            ..Use::default()
        }
    }

    /// Whether it is another storage on each of several nodes.
    fn is_several(&self) -> bool {
        !self.shared && self.nodes.len() > 1
    }

    /// All of it: the sums over the nodes, and how full the fullest of them is.
    fn whole(&self) -> Space {
        let mut told = self.nodes.values().flatten().peekable();
        if !self.is_several() || told.peek().is_none() {
            return self.first;
        }
        told.fold(Space::default(), |sum, one| Space {
            total: sum.total.saturating_add(one.total),
            used: sum.used.saturating_add(one.used),
            percent: sum.percent.into_iter().chain(one.percent).reduce(f64::max),
        })
    }

    /// That of the nodes; where it is up on some of them only, on how many it is not.
    fn status(&self) -> String {
        let down = self.nodes.values().filter(|space| space.is_none()).count();
        match self.is_several() && self.up && down > 0 {
            true => format!("{} on {down} of {}", self.down, self.nodes.len()),
            false => self.status.clone(),
        }
    }

    /// Percent in use and the size of each of several; null where it is not reached.
    fn by_node(&self) -> Value {
        if !self.is_several() || !self.up {
            return Value::Null;
        }
        let each = |space: &Space| json!([percent(space.percent), gib(space.total)]);
        let nodes = self.nodes.iter();
        let nodes = nodes.map(|(node, space)| (node.clone(), space.as_ref().map(each).into()));
        Value::Object(nodes.collect())
    }
}

fn text<'d>(definition: Option<&'d Value>, key: &str) -> &'d str {
    let value = definition.and_then(|definition| definition.get(key));
    value.and_then(Value::as_str).unwrap_or_default()
}

fn is_set(definition: Option<&Value>, key: &str) -> bool {
    flag(definition.and_then(|definition| definition.get(key)))
}

fn row(cluster: &str, name: &str, used: Option<&Use>, definition: Option<&Value>) -> Row {
    let from_definition = Use::defined(definition);
    let used = used.unwrap_or(&from_definition);
    let whole = used.whole();
    Row::from([
        ("cluster", cluster.into()),
        ("storage", name.into()),
        ("type", used.kind.clone().into()),
        ("status", used.status().into()),
        ("disabled", is_set(definition, "disable").into()),
        ("shared", used.shared.into()),
        (NODES, used.nodes.keys().cloned().collect()),
        ("unreachable_from", used.silent.iter().cloned().collect()),
        ("content", used.content.clone().into()),
        ("total_gib", json!(gib(whole.total))),
        ("used_gib", json!(gib(whole.used))),
        ("used_percent", percent(whole.percent)),
        (BY_NODE, used.by_node()),
        ("source", source(|key| text(definition, key)).into()),
    ])
}
