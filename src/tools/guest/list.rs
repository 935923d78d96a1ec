//! `guest_list`: the guests of one cluster or of all, a row each.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::NAME_MAX_CHARS;
use crate::api::methods::permissions::SEES_GUESTS;
use crate::api::methods::sending;
use crate::error::Error;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::first_rows::FirstRows;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, NAME_BYTES, Row, gib, mib};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::fleet::{VisibilityGaps, count, cut, percent, unseen};

/// The longest list of tags that is shown, in characters.
const TAGS_MAX_CHARS: usize = 200;

const COLUMNS: &[&str] = &[
    "cluster",
    "vmid",
    "name",
    "type",
    "node",
    "status",
    "tags",
    "cpus",
    "cpu_percent",
    "memory_mib",
    "memory_used_mib",
    "disk_gib",
    "uptime_s",
    "template",
    "pool",
    "lock",
    "ha",
];
const USUAL: &[&str] = &[
    "cluster", "vmid", "name", "type", "node", "status", "tags", "template", "lock",
];

pub(super) const LIST: Tool = Tool {
    name: "guest_list",
    title: "List guests",
    about: "Lists the guests of one cluster or `all`. fleet_search finds them by any property.",
    actions: Actions::one(&[&[sending::get("/cluster/resources").seeing(&[SEES_GUESTS])]]),
    subject: Subject::List,
    params: &[
        Param::new("type", ParamKind::OneOf(&["vm", "container"]), "").optional(),
        Param::new(
            "status",
            ParamKind::OneOf(&["running", "stopped", "paused", "unknown"]),
            "",
        )
        .optional(),
        Param::new("node", ParamKind::Word(Word::Node), "on this one only").optional(),
        Param::new("tag", ParamKind::Word(Word::Tag), "with this one only").optional(),
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

/// What one cluster has to say beside its rows.
#[derive(Default)]
struct ListedGuests {
    total: usize,
    nodes_offline: Vec<String>,
    unseen: Vec<String>,
}

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    rows::check(args, COLUMNS)?;
    let (start, limit) = rows::window(args)?;
    let keep = start.saturating_add(limit);
    let first_rows = Mutex::new(FirstRows::new(keep));
    let mut clusters: Vec<&str> = reach.clusters().map(|one| one.name.as_str()).collect();
    clusters.sort_unstable();
    let answered = reach.ask(|reach| {
        let mut rows = FirstRows::new(keep);
        let guests = guests(reach, args, &clusters, &mut rows)?;
        let first_rows = first_rows.lock();
        let mut first_rows = first_rows.unwrap_or_else(PoisonError::into_inner);
        first_rows.extend(rows.into_rows());
        Ok(guests)
    })?;
    let mut total = 0;
    let mut nodes_offline: Vec<String> = Vec::new();
    let mut gaps = VisibilityGaps::default();
    for (cluster, guests) in answered {
        total += guests.total;
        let offline = guests.nodes_offline.iter();
        nodes_offline.extend(offline.map(|node| format!("{cluster}/{node}")));
        gaps.add(cluster, guests.unseen);
    }
    let first_rows = first_rows.into_inner();
    let first_rows = first_rows.unwrap_or_else(PoisonError::into_inner);
    let found = first_rows.into_rows().into_iter().map(|(_, row)| row);
    let mut answer = rows::page_of(found.collect(), total, COLUMNS, USUAL, args)?;
    if !nodes_offline.is_empty() {
        answer.insert("nodes_offline".into(), cut(nodes_offline).into());
    }
    gaps.name_in(&mut answer);
    Ok(answer)
}

/// Where a guest stands in the list: by its cluster's name, there by its VMID.
type GuestOrder = (usize, Option<u32>);

/// The rows that are wanted. Those of a lost node stay as they were last heard, for minutes: the
/// node is named.
fn guests(
    reach: &Reach,
    args: &Args,
    clusters: &[&str],
    rows: &mut FirstRows<GuestOrder>,
) -> Result<ListedGuests, Error> {
    let mut guests = ListedGuests::default();
    let cluster = reach.cluster_name();
    let place = clusters.partition_point(|one| *one < cluster);
    reach.resources(&mut |resource| {
        let kind = resource.kind();
        if kind == ResourceKind::Node && !resource.is_up() {
            let node = printable(resource.name(), NAME_MAX_CHARS);
            room::note(NAME_BYTES);
            guests.nodes_offline.push(node);
        } else if kind.is_guest() && is_wanted(resource, args) {
            guests.total += 1;
            rows.push((place, resource.vmid()), || {
                let mut row = row(resource);
                if clusters.len() > 1 {
                    row.insert("cluster", cluster.into());
                }
                row
            });
        }
    })?;
    guests.nodes_offline.sort();
    guests.unseen = unseen(reach, ResourceKind::is_guest)?;
    Ok(guests)
}

fn row(resource: &Resource) -> Row {
    let name = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    let tags: Vec<&str> = resource.tags().collect();
    Row::from([
        ("vmid", resource.vmid().into()),
        ("name", name(resource.name())),
        ("type", resource.kind().name().into()),
        ("node", name(&resource.node)),
        ("status", name(&resource.status)),
        ("pool", name(&resource.pool)),
        ("lock", name(&resource.lock)),
        ("tags", printable(&tags.join(";"), TAGS_MAX_CHARS).into()),
        ("ha", name(&resource.hastate)),
        ("cpus", count(resource.maxcpu)),
        ("cpu_percent", percent(resource.cpu_percent())),
        ("memory_mib", mib(resource.maxmem.whole()).into()),
        ("memory_used_mib", mib(resource.mem.whole()).into()),
        ("disk_gib", gib(resource.maxdisk.whole()).into()),
        ("uptime_s", resource.uptime.whole().into()),
        ("template", resource.is_template().into()),
    ])
}

fn is_wanted(resource: &Resource, args: &Args) -> bool {
    let is = |column: &str, value: &str| args.text(column).is_none_or(|wanted| wanted == value);
    let tagged = |tag: &str| resource.tags().any(|one| one == tag);
    is("type", resource.kind().name())
        && is("status", &resource.status)
        && is("node", &resource.node)
        && args.text("tag").is_none_or(tagged)
}
