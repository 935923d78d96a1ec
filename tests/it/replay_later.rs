//! The later recordings, replayed. What the lab had and did without the API is read off them.

use serde_json::Value;

use crate::replay::Replay;
use crate::replay_later_data::EXCEPTIONS;
use crate::replay_later_scenes as scenes;
use crate::replay_tally::Tally;
use crate::replay_text::decode;
use crate::sim::guest::Kind;
use crate::sim::recording::{Exchange, later_recordings};
use crate::sim::replay::{later_world, place};
use crate::sim::state::State;

#[test]
fn later_recordings_are_replayed() {
    let all = later_recordings();
    let world = later_world();
    scenes::people(&world);
    let mut replay = Replay::new(&all, world);
    let mut lab = Lab {
        all: &all,
        made: Vec::new(),
    };
    let mut tally = Tally::default();
    for (at, exchange) in all.iter().enumerate() {
        let cluster = replay.world.cluster(&exchange.cluster);
        cluster.edit(|state| lab.before(at, state));
        scenes::before(&exchange.id, &replay.world);
        replay.count(exchange, &mut tally);
        lab.after(exchange);
    }
    // The simulator learns them family by family.
    println!("thin: {:#?}", tally.thin(EXCEPTIONS));
}

/// The lab: guests that no recorded request made, and their ends.
struct Lab<'a> {
    all: &'a [Exchange],
    /// Guests that a recorded request made or removed: their presence is the simulator's to know.
    made: Vec<(String, u32)>,
}

impl Lab<'_> {
    fn before(&self, at: usize, state: &mut State) {
        let exchange = &self.all[at];
        let list = exchange.request["path"] == "/cluster/resources";
        for (node, kind, vmid, row) in rows(exchange).into_iter().filter(|_| list) {
            if !self.knows(exchange, vmid) && !state.guests.contains_key(&vmid) {
                self.arrive(at, state, (&node, kind, vmid), &row);
            }
        }
        if list && exchange.response["trimmed"].is_null() {
            let listed: Vec<u32> = rows(exchange).iter().map(|row| row.2).collect();
            let gone = |vmid: &u32| !listed.contains(vmid) && !self.knows(exchange, *vmid);
            let gone: Vec<u32> = state.guests.keys().copied().filter(gone).collect();
            gone.iter().for_each(|vmid| {
                state.guests.remove(vmid);
            });
        }
        let Some((node, kind, vmid)) = addressed(exchange) else {
            return;
        };
        let refused = exchange.response["reason"].as_str().unwrap_or("");
        let absent = refused.contains("does not exist") || refused.contains("not found");
        if !absent && !self.knows(exchange, vmid) && state.guest(&node, kind, vmid).is_none() {
            self.arrive(at, state, (&node, kind, vmid), &Value::Null);
        }
    }

    fn knows(&self, exchange: &Exchange, vmid: u32) -> bool {
        self.made
            .iter()
            .any(|(cluster, made)| *cluster == exchange.cluster && *made == vmid)
    }

    fn after(&mut self, exchange: &Exchange) {
        let made = made_by(exchange);
        if exchange.response["status"] == 200 {
            self.made
                .extend(made.map(|vmid| (exchange.cluster.clone(), vmid)));
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
            if path.ends_with("/status/current") && running.is_none() {
                running = data["status"].as_str().map(|word| word == "running");
            }
        }
        let text = |value: &Value| value.as_str().map_or(value.to_string(), String::from);
        let lines = match (config, kind) {
            (Some(config), _) => config
                .iter()
                .filter(|(key, _)| !["digest", "parent", "lock"].contains(&key.as_str()))
                .map(|(key, value)| format!("{key}: {}\n", text(value)))
                .collect(),
            (None, _) => plain(kind, vmid, row),
        };
        place(state, vmid, kind, node, &lines);
        if running == Some(true) {
            state.power_on(vmid);
        }
        if let Some(guest) = state.guests.get_mut(&vmid) {
            guest.made = std::time::Instant::now()
                .checked_sub(std::time::Duration::from_secs(60))
                .unwrap_or_else(std::time::Instant::now);
        }
    }
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
             net0: virtio=BC:24:11:AD:00:01,bridge=vmbr0\nagent: 1\nmeta: creation-qemu=10.1.2,ctime=1790971976\n\
             scsihw: virtio-scsi-single\nsmbios1: uuid=a\nvmgenid: b\n{tags}"
        ),
        Kind::Lxc => format!(
            "hostname: {name}\narch: amd64\nmemory: 64\nswap: 512\nostype: debian\nunprivileged: 1\n\
             rootfs: data:{vmid}/vm-{vmid}-disk-0.raw,size=1G\n\
             net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:66:9F:DF,ip=dhcp,type=veth\n{tags}"
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

/// The guest that a request makes or removes.
fn made_by(exchange: &Exchange) -> Option<u32> {
    let path = exchange.request["path"].as_str()?;
    let body = &exchange.request["body"];
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    match exchange.request["method"].as_str()? {
        "POST" if path.ends_with("/qemu") || path.ends_with("/lxc") => number(&body["vmid"]),
        "POST" if path.ends_with("/clone") => number(&body["newid"]),
        "DELETE" => {
            let (_, _, vmid) = addressed(exchange)?;
            path.ends_with(&format!("/{vmid}")).then_some(vmid)
        }
        _ => None,
    }
}
