//! A row of the resource list as answers show it.

use serde_json::{Value, json};

use crate::api::loose::LooseNumber;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::text::printable;
use crate::tool::rows::{Row, gib, mib};

/// The longest name and the longest list of tags that are shown, in characters.
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const TAGS_MAX_CHARS: usize = 200;

/// What [`row`] can have, in the order in which it is shown; `nodes` is that of a shared storage,
/// `node_status` that of a node which is not online.
pub(super) const COLUMNS: &[&str] = &[
    "cluster",
    "type",
    "vmid",
    "name",
    "node",
    "nodes",
    "status",
    "node_status",
    "lock",
    "ha",
    "tags",
    "pool",
    "template",
    "cpus",
    "cpu_percent",
    "memory_mib",
    "memory_percent",
    "disk_gib",
    "disk_percent",
    "uptime_s",
    "shared",
    "content",
    "plugin",
];

/// What is known of one guest, node, storage or pool.
pub(super) fn row(cluster: &str, resource: &Resource) -> Row {
    let mut row = Row::new();
    for column in COLUMNS {
        row.insert(column, value(cluster, resource, column));
    }
    row
}

/// What is known of it in one column: null where that is nothing, or what another row says.
pub(super) fn value(cluster: &str, resource: &Resource, column: &str) -> Value {
    let name = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    let kind = resource.kind();
    match column {
        "cluster" => cluster.into(),
        "type" => kind.name().into(),
        "vmid" => resource.vmid().into(),
        "name" => name(resource.name()),
        // A node's or a pool's own name is not said twice.
        "node" if kind != ResourceKind::Node => name(&resource.node),
        "pool" if kind != ResourceKind::Pool => name(&resource.pool),
        "status" => name(&resource.status),
        "lock" => name(&resource.lock),
        "ha" => name(&resource.hastate),
        "tags" => {
            let tags: Vec<&str> = resource.tags().collect();
            printable(&tags.join(";"), TAGS_MAX_CHARS).into()
        }
        "template" => resource.is_template().into(),
        "cpus" => count(resource.maxcpu),
        "cpu_percent" => percent(resource.cpu_percent()),
        "memory_mib" => mib(resource.maxmem.whole()).into(),
        "memory_percent" => percent(resource.memory_percent()),
        "disk_gib" => json!(gib(resource.maxdisk.whole())),
        "disk_percent" => percent(resource.disk_percent()),
        "uptime_s" => resource.uptime.whole().into(),
        "shared" => resource.is_shared().into(),
        "content" => in_order(&printable(&resource.content, TAGS_MAX_CHARS)).into(),
        "plugin" => name(&resource.plugintype),
        _ => Value::Null,
    }
}

/// The words of a list that Proxmox gives in a different order each time.
pub fn in_order(list: &str) -> String {
    let mut words: Vec<&str> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words.join(",")
}

/// Percent with one digit behind the point.
pub fn percent(share: Option<f64>) -> Value {
    share.map_or(Value::Null, |share| json!((share * 10.0).round() / 10.0))
}

/// A number without a point where it is whole: a container may have half a CPU.
pub fn count(amount: LooseNumber) -> Value {
    let amount = amount.0;
    let whole = amount.fract() == 0.0;
    if whole {
        #[allow(clippy::cast_possible_truncation)] // A cast saturates.
        let amount = amount as i64;
        return amount.into();
    }
    json!((amount * 100.0).round() / 100.0)
}
