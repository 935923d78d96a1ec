//! What a cluster has and uses, counted while its rows pass by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::cut;
use super::row::{count, percent};
use crate::api::loose::LooseNumber;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::room;
use crate::text::printable;
use crate::tool::rows::{NAME_BYTES, gib};

/// A storage is full beyond this, in percent.
pub(super) const FULL_PERCENT: f64 = 85.0;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

#[derive(Default)]
pub(super) struct Tally {
    nodes: BTreeMap<String, u64>,
    guests: BTreeMap<String, u64>,
    templates: u64,
    cpus: f64,
    cpus_used: f64,
    memory: u64,
    memory_used: u64,
    storages: u64,
    space: u64,
    space_used: u64,
    /// Shared storages that were counted: the cluster lists them once for each node.
    shared: BTreeSet<String>,
    /// Each with its status.
    nodes_not_online: BTreeMap<String, String>,
    storages_full: BTreeSet<String>,
    /// Storages that a node says nothing of, with the node: either of them may be down.
    storages_unknown: BTreeSet<(String, String)>,
    guests_locked: Vec<String>,
    guests_unknown: Vec<String>,
    ha_errors: Vec<String>,
}

fn count_state(states: &mut BTreeMap<String, u64>, state: String) {
    *states.entry(state).or_insert_with(|| {
        room::note(NAME_BYTES);
        0
    }) += 1;
}

impl Tally {
    pub(super) fn count(&mut self, resource: &Resource) {
        match resource.kind() {
            ResourceKind::Node => self.count_node(resource),
            ResourceKind::Vm | ResourceKind::Container => self.count_guest(resource),
            ResourceKind::Storage => self.count_storage(resource),
            ResourceKind::Pool | ResourceKind::Other => {}
        }
    }

    fn count_node(&mut self, node: &Resource) {
        let status = shown(&node.status);
        if !node.is_up() {
            let name = shown(node.name());
            room::note(NAME_BYTES);
            self.nodes_not_online.insert(name, status.clone());
        }
        count_state(&mut self.nodes, status);
        // What a lost node had is listed for a while, and nobody can use it.
        if !node.is_up() {
            return;
        }
        self.cpus += node.maxcpu.0;
        self.cpus_used += node.cpu.0 * node.maxcpu.0;
        self.memory += node.maxmem.whole();
        self.memory_used += node.mem.whole();
    }

    fn count_guest(&mut self, guest: &Resource) {
        if guest.is_template() {
            self.templates += 1;
            return;
        }
        let name = || {
            let vmid = guest.vmid().unwrap_or_default();
            format!("{vmid} {}", shown(guest.name())).trim().to_string()
        };
        count_state(&mut self.guests, shown(&guest.status));
        if !guest.lock.is_empty() {
            let lock = shown(&guest.lock);
            room::note(NAME_BYTES);
            self.guests_locked.push(format!("{} ({lock})", name()));
        }
        if &*guest.status == "unknown" {
            let node = shown(&guest.node);
            room::note(NAME_BYTES);
            self.guests_unknown.push(format!("{} on {node}", name()));
        }
        if matches!(&*guest.hastate, "error" | "fence" | "recovery") {
            let state = shown(&guest.hastate);
            room::note(NAME_BYTES);
            self.ha_errors.push(format!("{} ({state})", name()));
        }
    }

    fn count_storage(&mut self, storage: &Resource) {
        let name = match storage.is_shared() {
            true => shown(storage.name()),
            false => format!("{} on {}", shown(storage.name()), shown(&storage.node)),
        };
        if !storage.is_up() {
            room::note(NAME_BYTES);
            let place = (shown(storage.name()), shown(&storage.node));
            self.storages_unknown.insert(place);
            return;
        }
        if let Some(full) = storage.disk_percent().filter(|full| *full > FULL_PERCENT) {
            room::note(NAME_BYTES);
            self.storages_full.insert(format!("{name} {full:.0} %"));
        }
        if storage.is_shared() {
            if !self.shared.insert(name) {
                return;
            }
            room::note(NAME_BYTES);
        }
        self.storages += 1;
        self.space += storage.maxdisk.whole();
        self.space_used += storage.disk.whole();
    }

    /// Adds another cluster, for what all have together: without names.
    pub(super) fn add(&mut self, other: &Tally) {
        for (status, count) in &other.nodes {
            *self.nodes.entry(status.clone()).or_default() += count;
        }
        for (status, count) in &other.guests {
            *self.guests.entry(status.clone()).or_default() += count;
        }
        self.templates += other.templates;
        self.cpus += other.cpus;
        self.cpus_used += other.cpus_used;
        self.memory += other.memory;
        self.memory_used += other.memory_used;
        self.storages += other.storages;
        self.space += other.space;
        self.space_used += other.space_used;
    }

    /// Counts, capacity and use.
    pub(super) fn facts(&self) -> [(&'static str, Value); 9] {
        let mut guests = states(&self.guests);
        if self.templates > 0 {
            guests.insert("templates".into(), self.templates.into());
        }
        [
            ("nodes", Value::Object(states(&self.nodes))),
            ("guests", Value::Object(guests)),
            ("cpus", count(LooseNumber(self.cpus))),
            ("cpu_percent", percent(share(self.cpus_used, self.cpus))),
            ("memory_gib", json!(gib(self.memory))),
            (
                "memory_percent",
                percent(share_of(self.memory_used, self.memory)),
            ),
            ("storages", self.storages.into()),
            ("storage_gib", json!(gib(self.space))),
            (
                "storage_percent",
                percent(share_of(self.space_used, self.space)),
            ),
        ]
    }

    /// The storages that a node which is online does not reach: those of a lost node are unknown
    /// with it.
    fn storages_down(&self) -> Vec<String> {
        let unknown = self.storages_unknown.iter();
        unknown
            .filter(|(_, node)| !self.nodes_not_online.contains_key(node))
            .map(|(storage, node)| format!("{storage} on {node}"))
            .collect()
    }

    /// What somebody should look at, by kind.
    pub(super) fn attention(&self) -> Map<String, Value> {
        let set = |names: &BTreeSet<String>| names.iter().cloned().collect();
        let nodes = self.nodes_not_online.iter();
        let nodes = nodes.map(|(name, status)| format!("{name} {status}"));
        let lists: [(&str, Vec<String>); 6] = [
            ("nodes_not_online", nodes.collect()),
            ("ha_errors", self.ha_errors.clone()),
            ("storages_full", set(&self.storages_full)),
            ("storages_down", self.storages_down()),
            ("guests_unknown", self.guests_unknown.clone()),
            ("guests_locked", self.guests_locked.clone()),
        ];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        lists
            .map(|(key, mut names)| {
                names.sort();
                (key.to_string(), cut(names).into())
            })
            .collect()
    }
}

fn shown(name: &str) -> String {
    printable(name, NAME_MAX_CHARS)
}

fn states(counts: &BTreeMap<String, u64>) -> Map<String, Value> {
    let counts = counts.iter();
    counts
        .map(|(state, count)| (state.clone(), (*count).into()))
        .collect()
}

fn share(used: f64, all: f64) -> Option<f64> {
    (all > 0.0).then(|| used / all * 100.0)
}

#[allow(clippy::cast_precision_loss)] // A percentage has one digit behind the point.
fn share_of(used: u64, all: u64) -> Option<f64> {
    share(used as f64, all as f64)
}
