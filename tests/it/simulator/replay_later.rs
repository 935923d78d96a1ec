//! The later recordings, replayed. What the lab had and did without the API is read off them.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::sim::guest::Kind;
use crate::sim::recording::{Exchange, later_recordings, seconds};
use crate::sim::replay::{later_world, place};
use crate::sim::state::State;
use crate::sim::storage::Volume;
use crate::simulator::replay::Replay;
use crate::simulator::replay_later_data::EXCEPTIONS;
use crate::simulator::replay_later_scenes as scenes;
use crate::simulator::replay_tally::Tally;
use crate::simulator::replay_text::decode;

#[test]
fn later_recordings_are_replayed() {
    let all = later_recordings();
    let world = later_world();
    scenes::people(&world);
    let mut replay = Replay::new(&all, world);
    let mut lab = Lab {
        all: &all,
        made: HashSet::new(),
        ended: HashSet::new(),
        told: HashMap::new(),
    };
    let mut tally = Tally::default();
    for (at, exchange) in all.iter().enumerate() {
        scenes::clear(&exchange.id, &replay.world);
        let cluster = replay.world.cluster(&exchange.cluster);
        cluster.just_now(|state| lab.before(at, state));
        scenes::run(&exchange.id, &replay.world);
        scenes::before(&exchange.id, &replay.world);
        replay.count(exchange, &mut tally);
        let upid = exchange.response["body"]["data"].as_str().unwrap_or("");
        let exit = replay.outcomes.get(upid).map(|(exit, _)| exit.as_str());
        if exit.is_none_or(|exit| exit == "OK" || exit.starts_with("WARNINGS")) {
            lab.after(exchange);
        }
    }
    tally.judge(EXCEPTIONS);
}

/// The lab: guests that no recorded request made, and their ends.
struct Lab<'a> {
    all: &'a [Exchange],
    /// Guests that a recorded request made: that they are there is the simulator's to know.
    made: HashSet<(String, u32)>,
    /// Guests that a recorded request removed: that they are gone is.
    ended: HashSet<(String, u32)>,
    /// When a cluster's nodes told last how their guests are.
    told: HashMap<String, i64>,
}

/// Proxmox's own, in seconds.
const ROUND_S: i64 = 10;
/// A volume that a request makes is not older or younger than this.
const NEAR_S: i64 = 4;

impl Lab<'_> {
    fn before(&mut self, at: usize, state: &mut State) {
        let exchange = &self.all[at];
        let stamp = exchange.response["headers"]["Date"]
            .as_str()
            .and_then(seconds);
        let told = self.told.entry(exchange.cluster.clone()).or_default();
        if let Some(stamp) = stamp.filter(|stamp| *stamp - *told >= ROUND_S) {
            *told = stamp;
            state.round();
        }
        self.resources(at, state);
        self.volumes(exchange, state);
        let Some((node, kind, vmid)) = addressed(exchange).or_else(|| self.managed(at)) else {
            return;
        };
        let refused = exchange.response["reason"].as_str().unwrap_or("");
        let absent = refused.contains("does not exist") || refused.contains("not found");
        if !absent && !self.knows(exchange, vmid) && state.guest(&node, kind, vmid).is_none() {
            self.arrive(at, state, (&node, kind, vmid), &Value::Null);
        }
    }

    /// The guest that a request names by its `sid`.
    fn managed(&self, at: usize) -> Option<(String, Kind, u32)> {
        let exchange = &self.all[at];
        let (_, vmid) = exchange.request["body"]["sid"].as_str()?.split_once(':')?;
        let mut named = self.all[at..]
            .iter()
            .filter(|other| other.cluster == exchange.cluster)
            .filter_map(addressed);
        named.find(|guest| guest.2.to_string() == vmid)
    }

    fn knows(&self, exchange: &Exchange, vmid: u32) -> bool {
        let key = (exchange.cluster.clone(), vmid);
        self.made.contains(&key) || self.ended.contains(&key)
    }

    fn after(&mut self, exchange: &Exchange) {
        if exchange.response["status"] != 200 {
            return;
        }
        let key = |vmid| (exchange.cluster.clone(), vmid);
        match made_by(exchange) {
            Some((vmid, true)) => {
                self.ended.remove(&key(vmid));
                self.made.insert(key(vmid));
            }
            Some((vmid, false)) => {
                self.ended.insert(key(vmid));
            }
            None => {}
        }
    }

    /// A whole list of guests: who is not in it and was not removed by a request, the lab took away;
    /// who is in it and was not made by one, it brought.
    fn resources(&self, at: usize, state: &mut State) {
        let exchange = &self.all[at];
        let wide = matches!(
            exchange.request["query"]["type"].as_str(),
            None | Some("vm")
        );
        if exchange.request["path"] != "/cluster/resources" || !wide {
            return;
        }
        for (node, kind, vmid, row) in rows(exchange) {
            if !self.knows(exchange, vmid) && !state.guests.contains_key(&vmid) {
                self.arrive(at, state, (&node, kind, vmid), &row);
            }
            if let Some(pool) = row["pool"].as_str() {
                let pool = state.pools.entry(pool.into()).or_default();
                pool.vms.insert(vmid);
            }
            if let (Some(lock), Some(guest)) = (row["lock"].as_str(), state.guests.get_mut(&vmid))
                && !self.knows(exchange, vmid)
            {
                guest.set("lock", lock);
            }
        }
        if !exchange.response["trimmed"].is_null() {
            return;
        }
        let listed: Vec<u32> = rows(exchange).iter().map(|row| row.2).collect();
        let gone = |vmid: &u32| {
            !listed.contains(vmid) && !self.ended.contains(&(exchange.cluster.clone(), *vmid))
        };
        let gone: Vec<u32> = state.guests.keys().copied().filter(gone).collect();
        for vmid in gone {
            let Some(guest) = state.guests.remove(&vmid) else {
                continue;
            };
            for volume in guest.volumes() {
                state.free(&volume, &guest.node);
            }
        }
    }

    /// Volumes in a list that no request made: none was sent when they came to be.
    fn volumes(&self, exchange: &Exchange, state: &mut State) {
        let path = decode(exchange.request["path"].as_str().unwrap_or(""));
        let parts: Vec<&str> = path.split('/').collect();
        let ["", "nodes", node, "storage", id, "content"] = parts[..] else {
            return;
        };
        let writes = self
            .all
            .iter()
            .filter(|other| other.cluster == exchange.cluster && other.request["method"] != "GET");
        let sent: Vec<i64> = writes
            .filter_map(|write| seconds(write.response["headers"]["Date"].as_str()?))
            .collect();
        for row in exchange.response["body"]["data"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let (Some(volid), Some(ctime)) = (row["volid"].as_str(), row["ctime"].as_i64()) else {
                continue;
            };
            let of_a_request = sent
                .iter()
                .any(|sent| (sent - NEAR_S..=sent + NEAR_S).contains(&ctime));
            if of_a_request || state.volume(volid, node).is_some() {
                continue;
            }
            let Some(storage) = state.storage_mut(id) else {
                continue;
            };
            let shared = storage.shared;
            storage.volumes.push(Volume {
                volid: volid.into(),
                node: if shared { String::new() } else { node.into() },
                content: row["content"].as_str().unwrap_or("").into(),
                format: row["format"].as_str().unwrap_or("").into(),
                size: row["size"].as_u64().unwrap_or(0),
                ctime,
                vmid: row["vmid"].as_u64().and_then(|vmid| vmid.try_into().ok()),
                notes: row["notes"].as_str().map(String::from),
                protected: row["protected"] == 1,
                ..Volume::default()
            });
        }
    }

    /// A guest of the lab comes in, as the first answer that tells of it has it.
    fn arrive(&self, at: usize, state: &mut State, guest: (&str, Kind, u32), row: &Value) {
        let (node, kind, vmid) = guest;
        let cluster = &self.all[at].cluster;
        let later = self.all[at..]
            .iter()
            .filter(|exchange| exchange.cluster == *cluster && addressed(exchange).is_some())
            .filter(|exchange| addressed(exchange).is_some_and(|named| named.2 == vmid));
        let (mut config, mut running) =
            (None, row["status"].as_str().map(|word| word == "running"));
        for exchange in later {
            let path = exchange.request["path"].as_str().unwrap_or("");
            let data = &exchange.response["body"]["data"];
            if path.ends_with("/config") && data.is_object() && config.is_none() {
                config = data.as_object().cloned();
            }
            if path.ends_with("/pending") && config.is_none() {
                config = in_force(data);
            }
            if path.ends_with("/status/current") && running.is_none() {
                running = data["status"].as_str().map(|word| word == "running");
            }
        }
        // Any other may have been locked in between.
        let path = self.all[at].request["path"].as_str().unwrap_or("");
        let shows_lock = path.ends_with("/config");
        let parent = config
            .as_ref()
            .and_then(|config| config.get("parent")?.as_str().map(String::from));
        let text = |value: &Value| value.as_str().map_or(value.to_string(), String::from);
        let lines = match (config, kind) {
            (Some(config), _) => config
                .iter()
                .filter(|(key, _)| !["digest", "parent"].contains(&key.as_str()))
                .filter(|(key, _)| *key != "lock" || shows_lock)
                .map(|(key, value)| format!("{key}: {}\n", text(value)))
                .collect(),
            (None, _) => plain(kind, vmid, row),
        };
        place(state, vmid, kind, node, &lines);
        if running == Some(true) {
            state.power_on(vmid);
        }
        if let Some(parent) = parent {
            scenes::snapshot(state, vmid, &parent);
        }
        state.round();
    }
}

/// The configuration in force, out of the rows that show what is pending.
fn in_force(rows: &Value) -> Option<Map<String, Value>> {
    let rows = rows.as_array()?.iter();
    let held =
        rows.filter_map(|row| Some((row["key"].as_str()?.to_string(), row.get("value")?.clone())));
    Some(held.collect())
}

/// A guest of which no answer shows the configuration.
fn plain(kind: Kind, vmid: u32, row: &Value) -> String {
    let name = row["name"]
        .as_str()
        .map_or(format!("t3-{vmid}"), String::from);
    let tags = row["tags"]
        .as_str()
        .map_or(String::new(), |tags| format!("tags: {tags}\n"));
    match kind {
        Kind::Qemu => format!(
            "name: {name}\nmemory: 64\nscsi0: shared:{vmid}/vm-{vmid}-disk-0.qcow2,size=1G\nboot: order=scsi0;net0\n\
             net0: virtio=BC:24:11:AD:00:01,bridge=vmbr0\nmeta: creation-qemu=10.1.2,ctime=1790971976\n\
             scsihw: virtio-scsi-single\nsmbios1: uuid=a\nvmgenid: b\n{tags}"
        ),
        Kind::Lxc => format!(
            "hostname: {name}\narch: amd64\nmemory: 64\nswap: 512\nostype: debian\nunprivileged: 1\n\
             rootfs: {}:{vmid}/vm-{vmid}-disk-0.raw,size=1G\n\
             net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:66:9F:DF,ip=dhcp,type=veth\n{tags}",
            // What was tried without quorum lies on the shared storage.
            if vmid == 887 { "shared" } else { "data" }
        ),
    }
}

/// Node, kind and VMID of the guest in a request's path.
fn addressed(exchange: &Exchange) -> Option<(String, Kind, u32)> {
    let path = decode(exchange.request["path"].as_str()?);
    let mut parts = path.strip_prefix("/nodes/")?.split('/');
    let node = parts.next()?.to_string();
    let kind = match parts.next()? {
        "qemu" => Kind::Qemu,
        "lxc" => Kind::Lxc,
        _ => return None,
    };
    Some((node, kind, parts.next()?.parse().ok()?))
}

/// The guests that a list of resources shows.
fn rows(exchange: &Exchange) -> Vec<(String, Kind, u32, Value)> {
    let rows = exchange.response["body"]["data"].as_array();
    let found = rows.into_iter().flatten().filter_map(|row| {
        let kind = match row["type"].as_str()? {
            "qemu" => Kind::Qemu,
            "lxc" => Kind::Lxc,
            _ => return None,
        };
        let vmid = row["vmid"].as_u64()?.try_into().ok()?;
        Some((row["node"].as_str()?.to_string(), kind, vmid, row.clone()))
    });
    found.collect()
}

/// The guest that a request makes, or (`false`) removes.
fn made_by(exchange: &Exchange) -> Option<(u32, bool)> {
    let path = exchange.request["path"].as_str()?;
    let body = &exchange.request["body"];
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    match exchange.request["method"].as_str()? {
        "POST" if path.ends_with("/qemu") || path.ends_with("/lxc") => {
            Some((number(&body["vmid"])?, true))
        }
        "POST" if path.ends_with("/clone") => Some((number(&body["newid"])?, true)),
        "DELETE" => {
            let (_, _, vmid) = addressed(exchange)?;
            path.ends_with(&format!("/{vmid}")).then_some((vmid, false))
        }
        _ => None,
    }
}
