//! Rows counted and summed by a property.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::row::count;
use crate::api::loose::LooseNumber;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::room;
use crate::text::printable;
use crate::tool::rows::{ROW_BYTES, Row, gib};

/// What rows can be grouped by.
pub(super) const BY: &[&str] = &["cluster", "node", "status", "type", "pool", "tag"];

/// What a group can show.
pub(super) const COLUMNS: &[&str] = &[
    "cluster",
    "node",
    "status",
    "type",
    "pool",
    "tag",
    "count",
    "cpus",
    "memory_gib",
    "memory_used_gib",
    "disk_gib",
    "disk_used_gib",
];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

/// The groups of one cluster, or of all.
#[derive(Default)]
pub(super) struct Groups {
    groups: BTreeMap<GroupKey, Sums>,
}

/// A group holds rows of one kind only: what a node has and what its guests were given is no sum.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    kind: &'static str,
    /// The column and its value; without a value where the rows have none.
    column: &'static str,
    value: String,
    /// Nodes of different clusters may have one name.
    cluster: String,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    cpus: f64,
    memory: u64,
    memory_used: u64,
    disk: u64,
    disk_used: u64,
}

impl Groups {
    /// Counts a row of `cluster`; one with several tags in each of their groups, one in a pool within
    /// others in each of theirs.
    pub(super) fn count(&mut self, by: &str, cluster: &str, resource: &Resource) {
        let Some(column) = BY.iter().copied().find(|column| *column == by) else {
            return;
        };
        let kind = match resource.kind() {
            ResourceKind::Vm | ResourceKind::Container if column != "type" => "guest",
            kind => kind.name(),
        };
        let shared = resource.kind() == ResourceKind::Storage && resource.is_shared();
        let values = match column {
            "cluster" => vec![cluster],
            "node" if shared => vec![""],
            "node" => vec![&*resource.node],
            "status" => vec![&*resource.status],
            // What is in a pool is in those that this one is within.
            "pool" => resource.pools().collect(),
            "tag" => resource.tags().collect(),
            _ => vec![kind],
        };
        let values = if values.is_empty() { vec![""] } else { values };
        let is_lost = matches!(resource.kind(), ResourceKind::Node | ResourceKind::Storage)
            && !resource.is_up();
        for value in values {
            let key = GroupKey {
                kind,
                column,
                value: printable(value, NAME_MAX_CHARS),
                cluster: match column {
                    "node" => cluster.to_string(),
                    _ => String::new(),
                },
            };
            let group = self.groups.entry(key).or_insert_with(|| {
                // It becomes a row.
                room::note(ROW_BYTES);
                Sums::default()
            });
            // What a lost node had is listed for a while, and nobody can use it.
            if is_lost {
                group.count += 1;
                continue;
            }
            group.add(Sums {
                count: 1,
                cpus: resource.maxcpu.0,
                memory: resource.maxmem.whole(),
                memory_used: resource.mem.whole(),
                disk: resource.maxdisk.whole(),
                // How full a VM's disks are is not known, so that a sum over guests says nothing.
                disk_used: match resource.kind().is_guest() {
                    true => 0,
                    false => resource.disk.whole(),
                },
            });
        }
    }

    pub(super) fn add(&mut self, other: Groups) {
        for (key, sums) in other.groups {
            self.groups.entry(key).or_default().add(sums);
        }
    }

    /// A row for each group, the largest first.
    pub(super) fn rows(self) -> Vec<Row> {
        let mut groups: Vec<(GroupKey, Sums)> = self.groups.into_iter().collect();
        groups.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.count));
        groups.iter().map(|(key, sums)| row(key, sums)).collect()
    }
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.count += other.count;
        self.cpus += other.cpus;
        self.memory = self.memory.saturating_add(other.memory);
        self.memory_used = self.memory_used.saturating_add(other.memory_used);
        self.disk = self.disk.saturating_add(other.disk);
        self.disk_used = self.disk_used.saturating_add(other.disk_used);
    }
}

fn row(key: &GroupKey, sums: &Sums) -> Row {
    let mut row = Row::new();
    let mut put = |column: &'static str, value: Value| row.insert(column, value);
    put("cluster", key.cluster.clone().into());
    put("type", key.kind.into());
    put(key.column, key.value.clone().into());
    put("count", sums.count.into());
    put("cpus", count(LooseNumber(sums.cpus)));
    put("memory_gib", json!(gib(sums.memory)));
    put("memory_used_gib", json!(gib(sums.memory_used)));
    put("disk_gib", json!(gib(sums.disk)));
    put("disk_used_gib", json!(gib(sums.disk_used)));
    row
}
