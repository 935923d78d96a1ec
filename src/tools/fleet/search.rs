//! `fleet_search`: guests, nodes, storages and pools of all clusters by any property.
//!
//! One request a cluster. Only the rows that the page can show are kept, of a cluster and of all of
//! them, so that memory follows neither.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::group::{self, Groups};
use super::row::{self, COLUMNS};
use super::{VisibilityGaps, cut, unseen};
use crate::api::methods::sending;
use crate::error::{Code, Error};
use crate::fleet::query::Query;
use crate::fleet::query::grammar;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::first_rows::FirstRows;
use crate::tool::order::{SORT, SortKey, SortOrder};
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, NAME_BYTES, ROW_BYTES, Row};
use crate::tool::{Actions, RunFn, Subject, Tool};

const QUERY_MAX_CHARS: usize = 1000;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const NODE_STATUS: &str = "node_status";

const USUAL: &[&str] = &[
    "cluster",
    "type",
    "vmid",
    "name",
    "node",
    "status",
    NODE_STATUS,
    "lock",
    "tags",
    "template",
    "cpu_percent",
    "memory_percent",
    "disk_percent",
];

pub(super) const SEARCH: Tool = Tool {
    name: "fleet_search",
    title: "Search all clusters",
    about: "Finds guests, nodes, storages and pools on all clusters. Terms: a bare word, \
            `type:guest|vm|container|node|storage|pool`, `name:`, `id:100-199`, `status:`, \
            `cluster:`, `node:`, `tag:`, `pool:`, `template:yes`, `cpu>80%`, `mem>90%`, \
            `memory>=8G`, `disk>85%`, `uptime<1h`; `*` is a wildcard, `-` negates.",
    actions: Actions::one(&[&[sending::get("/cluster/resources").seeing(super::SEES_ALL)]]),
    subject: Subject::Fleet,
    params: &[
        Param::new(
            "query",
            ParamKind::Text(QUERY_MAX_CHARS),
            "terms that all hold: `web type:vm mem>90%`; else everything",
        )
        .optional(),
        Param::new(
            "group_by",
            ParamKind::OneOf(group::BY),
            "counts and sums for each, no rows",
        )
        .optional(),
        SORT,
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(search),
};

/// What one cluster has to say.
struct FoundInCluster {
    /// How many rows were found.
    total: usize,
    groups: Groups,
    nodes_offline: Vec<String>,
    unseen: Vec<String>,
}

/// What a search is to find, and how much of it is shown.
struct FleetSearch<'a> {
    query: Query,
    group_by: Option<&'a str>,
    order: Option<SortOrder<'a>>,
    /// No page can show more rows.
    keep: usize,
    /// Where the clusters stand among each other.
    places: BTreeMap<&'a str, usize>,
    /// The first rows of all clusters that have answered.
    first_rows: Mutex<FirstRows<RowKey>>,
}

/// Where a row stands: as it was asked for, else by cluster, then by itself.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    asked: Option<SortKey>,
    cluster: usize,
    place_in_cluster: PlaceInCluster,
}

/// Where a row stands in its cluster: guests together by VMID, then nodes, storages and pools by name
/// and node.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PlaceInCluster {
    kind: ResourceKind,
    vmid: Option<u32>,
    name: String,
    node: String,
}

impl PlaceInCluster {
    fn of(resource: &Resource) -> PlaceInCluster {
        let (kind, name, node) = match resource.kind() {
            // A VMID tells them apart; there are too many for more.
            ResourceKind::Vm | ResourceKind::Container => (ResourceKind::Vm, "", ""),
            kind => (kind, resource.name(), &*resource.node),
        };
        PlaceInCluster {
            kind,
            vmid: resource.vmid(),
            name: name.to_string(),
            node: node.to_string(),
        }
    }

    /// That of a storage which its nodes share.
    fn of_shared(storage: &str) -> PlaceInCluster {
        PlaceInCluster {
            kind: ResourceKind::Storage,
            vmid: None,
            name: storage.to_string(),
            node: String::new(),
        }
    }
}

fn search(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    let group_by = args.text("group_by");
    let columns = if group_by.is_some() {
        group::COLUMNS
    } else {
        COLUMNS
    };
    let query = checked(args, columns)?;
    let (start, limit) = rows::window(args)?;
    let clusters = reach.clusters().map(|cluster| cluster.name.as_str());
    let keep = start.saturating_add(limit);
    let search = FleetSearch {
        query,
        group_by,
        order: SortOrder::of(args),
        keep,
        places: clusters.zip(0..).collect(),
        first_rows: Mutex::new(FirstRows::new(keep)),
    };
    let answered = reach.ask_where(
        |cluster| search.query.may_be_on(cluster),
        |reach| on_cluster(reach, &search),
    )?;
    let mut total = 0;
    let mut groups = Groups::default();
    let mut nodes_offline = Vec::new();
    let mut gaps = VisibilityGaps::default();
    for (cluster, one) in answered {
        total += one.total;
        groups.add(one.groups);
        nodes_offline.extend(one.nodes_offline);
        gaps.add(cluster, one.unseen);
    }
    let mut answer = if group_by.is_some() {
        let mut rows = groups.rows();
        if let Some(order) = &search.order {
            rows.sort_by_cached_key(|row| order.rank(row));
        }
        rows::page(rows, group::COLUMNS, group::COLUMNS, args)?
    } else {
        let first_rows = search.first_rows.into_inner();
        let first_rows = first_rows.unwrap_or_else(PoisonError::into_inner);
        let rows = first_rows.into_rows().into_iter().map(|(_, row)| row);
        rows::page_of(rows.collect(), total, COLUMNS, USUAL, args)?
    };
    if !nodes_offline.is_empty() {
        answer.insert("nodes_offline".into(), cut(nodes_offline).into());
    }
    gaps.name_in(&mut answer);
    if total == 0 && search.query.names_without_wildcard() {
        let note = "`name:` means the whole name: a part of it is a bare word, or `name:*part*`";
        answer.insert("note".into(), note.into());
    }
    Ok(answer)
}

/// The query, or everything that is wrong with the call.
fn checked(args: &Args, columns: &[&str]) -> Result<Query, Error> {
    let query = grammar::parse(args.text("query").unwrap_or_default());
    let listed = rows::check(args, columns);
    match (query, listed) {
        (Ok(query), Ok(())) => Ok(query),
        (Err(mut problems), Err(error)) if error.code == Code::BadArguments => {
            problems.extend(error.problems.iter().cloned());
            Err(Error::bad_arguments(problems))
        }
        (Err(problems), _) => Err(Error::bad_arguments(problems)),
        (_, Err(error)) => Err(error),
    }
}

/// One cluster, in one request.
fn on_cluster(reach: &Reach, search: &FleetSearch) -> Result<FoundInCluster, Error> {
    let cluster = reach.cluster_name();
    let mut found = Collector::new(cluster, search);
    reach.resources(&mut |resource| found.look_at(resource))?;
    let unseen = unseen(reach, |kind| search.query.may_be(kind))?;
    Ok(found.finish(unseen))
}

/// What is gathered while the rows of a cluster pass by.
struct Collector<'a, 's> {
    cluster: &'a str,
    place: usize,
    search: &'a FleetSearch<'s>,
    total: usize,
    rows: FirstRows<RowKey>,
    /// Shared storages, which the cluster lists once for each node.
    shared: BTreeMap<String, SharedStorage>,
    groups: Groups,
    nodes_offline: Vec<String>,
}

struct SharedStorage {
    row: Row,
    nodes: Vec<String>,
    up: bool,
}

impl<'a, 's> Collector<'a, 's> {
    fn new(cluster: &'a str, search: &'a FleetSearch<'s>) -> Collector<'a, 's> {
        // What is known at the end only cannot tell before which rows come first.
        let is_late = search.order.as_ref().map(SortOrder::column) == Some(NODE_STATUS);
        let keep = if is_late { usize::MAX } else { search.keep };
        Collector {
            cluster,
            place: search.places.get(cluster).copied().unwrap_or(usize::MAX),
            search,
            total: 0,
            rows: FirstRows::new(keep),
            shared: BTreeMap::new(),
            groups: Groups::default(),
            nodes_offline: Vec::new(),
        }
    }

    fn look_at(&mut self, resource: &Resource) {
        let kind = resource.kind();
        if kind == ResourceKind::Node && !resource.is_up() {
            let node = printable(resource.name(), NAME_MAX_CHARS);
            room::note(NAME_BYTES);
            self.nodes_offline.push(node);
        }
        if kind == ResourceKind::Other || !self.search.query.finds(self.cluster, resource) {
            return;
        }
        if kind == ResourceKind::Storage && resource.is_shared() && !self.is_first(resource) {
            return;
        }
        self.total += 1;
        if let Some(by) = self.search.group_by {
            self.groups.count(by, self.cluster, resource);
        } else if !(kind == ResourceKind::Storage && resource.is_shared()) {
            let key = self.key(PlaceInCluster::of(resource), |order| {
                order.rank_of(Some(&row::value(self.cluster, resource, order.column())))
            });
            let cluster = self.cluster;
            self.rows.push(key, || row::row(cluster, resource));
        }
    }

    fn key(
        &self,
        place_in_cluster: PlaceInCluster,
        rank: impl Fn(&SortOrder) -> SortKey,
    ) -> RowKey {
        RowKey {
            asked: self.search.order.as_ref().map(rank),
            cluster: self.place,
            place_in_cluster,
        }
    }

    /// Whether a shared storage is seen for the first time. Of its rows the one of a node where it is
    /// up counts.
    fn is_first(&mut self, resource: &Resource) -> bool {
        let node = printable(&resource.node, NAME_MAX_CHARS);
        let up = resource.is_up();
        if let Some(shared) = self.shared.get_mut(resource.storage()) {
            room::note(NAME_BYTES);
            shared.nodes.push(node);
            if up && !shared.up {
                shared.row = row::row(self.cluster, resource);
                shared.up = true;
            }
            return false;
        }
        room::note(ROW_BYTES);
        let shared = SharedStorage {
            row: row::row(self.cluster, resource),
            nodes: vec![node],
            up,
        };
        self.shared.insert(resource.storage().to_string(), shared);
        true
    }

    fn finish(mut self, unseen: Vec<String>) -> FoundInCluster {
        if self.search.group_by.is_none() {
            for (storage, mut shared) in std::mem::take(&mut self.shared) {
                shared.nodes.sort();
                shared.row.remove("node");
                shared.row.insert("nodes", shared.nodes.into());
                let key = self.key(PlaceInCluster::of_shared(&storage), |order| {
                    order.rank(&shared.row)
                });
                self.rows.push(key, || shared.row);
            }
        }
        let mut rows = self.rows.into_rows();
        // What a lost node's rows say is what was last heard.
        for (key, row) in &mut rows {
            let node = row.get("node").and_then(Value::as_str);
            if node.is_some_and(|node| self.nodes_offline.iter().any(|lost| lost == node)) {
                row.insert(NODE_STATUS, "offline".into());
                let order = self.search.order.as_ref();
                key.asked = order.map(|order| order.rank(row));
            }
        }
        let first_rows = self.search.first_rows.lock();
        first_rows
            .unwrap_or_else(PoisonError::into_inner)
            .extend(rows);
        self.nodes_offline.sort();
        let cluster = self.cluster;
        let offline = self.nodes_offline.iter();
        FoundInCluster {
            total: self.total,
            groups: self.groups,
            nodes_offline: offline.map(|node| format!("{cluster}/{node}")).collect(),
            unseen,
        }
    }
}
