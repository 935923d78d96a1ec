//! `/cluster/resources` and `/nodes`: rows of everything, filtered by what the caller may see.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, text};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, Status};
use super::super::state::{Node, State};
use super::super::storage::Storage;
use super::Handler;

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/cluster/resources", resources),
    ("GET", "/nodes", nodes),
];

type Row = Map<String, Value>;

fn row(value: Value) -> Row {
    value.as_object().cloned().unwrap_or_default()
}

fn resources(call: &mut Call) -> Answer {
    let only = text(&call.params, "type");
    let wants = |kind: &str| only.is_empty() || only == kind;
    let (state, who) = (&*call.state, &call.who);
    let mut rows: Vec<Value> = Vec::new();
    if only.is_empty() {
        for id in state
            .pools
            .keys()
            .filter(|id| state.may(who, &format!("/pool/{id}"), &["Pool.Audit"]))
        {
            rows.push(json!({"id": format!("/pool/{id}"), "type": "pool", "pool": id}));
        }
    }
    if wants("vm") {
        let seen = state
            .guests
            .values()
            .filter(|guest| state.may(who, &format!("/vms/{}", guest.vmid), &["VM.Audit"]));
        rows.extend(seen.map(|guest| state.guest_row(guest).into()));
    }
    if wants("node") {
        rows.extend(state.nodes.iter().map(|(name, node)| {
            let mut row = state.node_row(
                name,
                node,
                state.may(who, &format!("/nodes/{name}"), &["Sys.Audit"]),
            );
            row.insert("cgroup-mode".into(), 1.into());
            let mode = match state.maintenance.contains(name) {
                true => Some("maintenance"),
                false if state.ha.is_empty() => None,
                false => Some("online"),
            };
            if let Some(mode) = mode {
                row.insert("hastate".into(), mode.into());
            }
            Value::Object(row)
        }));
    }
    if wants("storage") {
        for storage in state.storages.iter().filter(|storage| !storage.disabled) {
            if state.may(
                who,
                &format!("/storage/{}", storage.id),
                &["Datastore.Audit", "Datastore.AllocateSpace"],
            ) {
                let nodes = state.nodes.keys().filter(|node| storage.on(node));
                rows.extend(nodes.map(|node| state.storage_row(storage, node).into()));
            }
        }
    }
    if only.is_empty() && state.may(who, "/sdn/zones/localnetwork", &["SDN.Audit", "SDN.Use"]) {
        for node in state.nodes.keys() {
            rows.push(json!({
                "network": "localnetwork", "type": "network", "id": format!("network/{node}/zone/localnetwork"),
                "node": node, "network-type": "zone", "status": if state.online(node) { "ok" } else { "unknown" },
            }));
        }
    }
    Ok(rows.into())
}

fn nodes(call: &mut Call) -> Answer {
    let (state, who) = (&*call.state, &call.who);
    let rows = state.nodes.iter().map(|(name, node)| {
        let mut row = state.node_row(
            name,
            node,
            state.may(who, &format!("/nodes/{name}"), &["Sys.Audit"]),
        );
        row.insert("ssl_fingerprint".into(), node.fingerprint.clone().into());
        Value::Object(row)
    });
    Ok(rows.collect())
}

impl State {
    /// More than half of the nodes are there.
    pub fn has_quorum(&self) -> bool {
        let online = self.nodes.values().filter(|node| node.online).count();
        self.standalone || (self.quorate && online * 2 > self.nodes.len())
    }

    pub fn node_row(&self, name: &str, node: &Node, audit: bool) -> Row {
        let online = node.online || self.stale;
        let status = if online { "online" } else { "offline" };
        let mut all = row(
            json!({"id": format!("node/{name}"), "node": name, "type": "node", "status": status}),
        );
        if online {
            all.insert("level".into(), "".into());
        }
        // A node that was just lost keeps what it has; what it used goes at once.
        if audit {
            all.extend(row(json!({
                "maxcpu": node.cpus, "maxmem": node.memory, "maxdisk": node.disk,
            })));
        }
        if online && audit {
            all.extend(row(json!({
                "cpu": node.cpu, "mem": node.memory_used, "disk": node.disk_used, "uptime": node.uptime,
            })));
        }
        all
    }

    /// What is in the cluster's file system is true at once; the rest is what the last round of
    /// statistics said of the VMID.
    pub fn guest_row(&self, guest: &Guest) -> Row {
        let kind = guest.kind.word();
        let mut all = row(json!({
            "id": format!("{kind}/{}", guest.vmid), "vmid": guest.vmid, "type": kind, "node": guest.node, "status": "unknown",
        }));
        if self.online(&guest.node) {
            all.extend(self.statistics.of(guest.vmid));
        }
        let tags = guest.get("tags").map(String::from);
        let ha = self
            .ha
            .get(&guest.sid())
            .map(|ha| ha.get("state").cloned().unwrap_or("started".into()));
        let more = [
            ("pool", self.pool_of(guest.vmid).map(Value::from)),
            ("tags", tags.map(Value::from)),
            ("lock", guest.lock().map(Value::from)),
            ("hastate", ha),
        ];
        all.extend(
            more.into_iter()
                .filter_map(|(key, value)| Some((key.to_string(), value?))),
        );
        all
    }

    pub fn storage_row(&self, storage: &Storage, node: &str) -> Row {
        // There is no third word: what a node does not reach has no statistics either.
        let online = self.online(node) && storage.active(node);
        let mut all = row(json!({
            "id": format!("storage/{node}/{}", storage.id), "storage": storage.id, "node": node, "type": "storage",
            "plugintype": storage.kind, "content": storage.content.join(","), "shared": u8::from(storage.shared),
            "status": if online { "available" } else { "unknown" },
        }));
        if online {
            all.insert("disk".into(), storage.used(node).into());
            all.insert("maxdisk".into(), storage.total.into());
        }
        all
    }
}

impl Guest {
    /// How high availability calls it.
    pub fn sid(&self) -> String {
        format!(
            "{}:{}",
            if self.kind == Kind::Qemu { "vm" } else { "ct" },
            self.vmid
        )
    }
}

/// What the statistics of a guest say. Deterministic: nothing of it moves by itself.
pub fn live(guest: &Guest) -> Row {
    let on = u64::from(guest.running());
    row(json!({
        "status": if guest.status == Status::Stopped { "stopped" } else { "running" },
        "cpu": if guest.running() { guest.cpu.into() } else { Value::from(0) },
        "mem": on * guest.memory() / 2,
        "disk": if guest.kind == Kind::Lxc { on * guest.maxdisk() / 4 } else { 0 },
        "uptime": on * guest.uptime,
        "netin": on * guest.uptime * 1200, "netout": on * guest.uptime * 900,
        "diskread": on * guest.uptime * 4096, "diskwrite": on * guest.uptime * 2048,
    }))
}
