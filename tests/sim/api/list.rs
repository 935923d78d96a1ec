//! Lists of guests and one guest's present state.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, flag, text};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, Status, volume};
use super::super::state::State;
use super::Handler;
use super::resources::live;

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/qemu", guests),
    ("GET", "/nodes/{node}/lxc", guests),
    ("GET", "/nodes/{node}/qemu/{vmid}/status/current", current),
    ("GET", "/nodes/{node}/lxc/{vmid}/status/current", current),
    ("GET", "/nodes/{node}/qemu/{vmid}/feature", feature),
    ("GET", "/nodes/{node}/lxc/{vmid}/feature", feature),
    ("GET", "/nodes/{node}/lxc/{vmid}/interfaces", interfaces),
];

fn guests(call: &mut Call) -> Answer {
    let (kind, full) = (call.kind(), flag(&call.params, "full"));
    let (state, who) = (&*call.state, &call.who);
    let here = state
        .guests
        .values()
        .filter(|guest| guest.node == call.node && guest.kind == kind);
    let seen = here.filter(|guest| state.may(who, &format!("/vms/{}", guest.vmid), &["VM.Audit"]));
    Ok(seen.map(|guest| Value::Object(row(guest, full))).collect())
}

/// A row of the node's list, which is also the start of `status/current`.
fn row(guest: &Guest, full: bool) -> Map<String, Value> {
    let mut all = live(guest);
    all.insert("vmid".into(), guest.vmid.into());
    all.insert("name".into(), guest.name().into());
    all.insert("cpus".into(), guest.cpus().into());
    all.insert("maxmem".into(), guest.memory().into());
    all.insert("maxdisk".into(), guest.maxdisk().into());
    match guest.kind {
        Kind::Qemu => {
            all.insert("memhost".into(), all["mem"].clone());
            if !guest.running() {
                all.remove("diskread");
                all.remove("diskwrite");
            }
            if full {
                all.insert("qmpstatus".into(), qmp(guest).into());
            }
        }
        Kind::Lxc => {
            all.insert("type".into(), "lxc".into());
            all.insert("swap".into(), 0.into());
            let swap: u64 = guest
                .get("swap")
                .and_then(|swap| swap.parse().ok())
                .unwrap_or(512);
            all.insert("maxswap".into(), (swap << 20).into());
        }
    }
    if guest.running() {
        all.insert("pid".into(), guest.pid.into());
    }
    if guest.template() {
        all.insert("template".into(), 1.into());
    }
    for key in ["tags", "lock"] {
        if let Some(value) = guest.get(key) {
            all.insert(key.into(), value.into());
        }
    }
    all
}

fn qmp(guest: &Guest) -> &'static str {
    match guest.status {
        Status::Stopped => "stopped",
        Status::Running => "running",
        Status::Paused => "paused",
    }
}

fn current(call: &mut Call) -> Answer {
    let guest = call.guest()?;
    let mut all = row(guest, true);
    let managed = call.state.ha.get(&guest.sid());
    // One that is ignored is as one that is not there.
    let managed = managed.filter(|ha| ha.get("state").is_none_or(|state| state != "ignored"));
    all.insert(
        "ha".into(),
        match managed {
            Some(ha) => {
                json!({"managed": 1, "state": ha.get("state").cloned().unwrap_or("started".into())})
            }
            None => json!({"managed": 0}),
        },
    );
    if guest.kind == Kind::Qemu {
        if agent_on(guest) {
            all.insert("agent".into(), 1.into());
        }
        if guest.running() {
            running(guest, &mut all);
        }
    } else if guest.running() {
        // As texts, unlike those of a virtual machine.
        pressure(&mut all, &json!("0.00"));
    }
    Ok(all.into())
}

fn pressure(all: &mut Map<String, Value>, value: &Value) {
    for what in ["cpu", "io", "memory"] {
        for how in ["some", "full"] {
            all.insert(format!("pressure{what}{how}"), value.clone());
        }
    }
}

fn running(guest: &Guest, all: &mut Map<String, Value>) {
    let (memory, free) = (guest.memory(), guest.memory() / 2);
    pressure(all, &json!(0));
    let drives = guest.disks().into_iter().map(|(key, _)| {
        let row = json!({
            "rd_bytes": 1_000_000, "rd_operations": 100, "failed_rd_operations": 0, "wr_bytes": 0, "wr_operations": 0,
            "wr_highest_offset": 1_048_576, "flush_operations": 0,
        });
        (key, row)
    });
    all.insert("blockstat".into(), drives.collect::<Map<_, _>>().into());
    let more = json!({
        "balloon": memory, "freemem": free, "running-machine": "pc-i440fx-10.1", "running-qemu": "10.1.2",
        "ballooninfo": {
            "actual": memory, "max_mem": memory, "total_mem": memory, "free_mem": free, "last_update": 1791128662,
            "major_page_faults": 1, "minor_page_faults": 2, "mem_swapped_in": 0, "mem_swapped_out": 0,
        },
        "proxmox-support": {
            "pbs-library-version": "1.5.1", "backup-max-workers": true, "pbs-dirty-bitmap": true, "pbs-masterkey": true,
            "pbs-dirty-bitmap-migration": true, "backup-fleecing": true, "pbs-dirty-bitmap-savevm": true, "query-bitmap-info": true,
            "backup-access-api": false,
        },
    });
    all.extend(more.as_object().cloned().unwrap_or_default());
}

/// The agent option is on.
pub fn agent_on(guest: &Guest) -> bool {
    let value = guest.get("agent").unwrap_or("0");
    let first = value.split(',').next().unwrap_or("0");
    matches!(
        first.trim_start_matches("enabled="),
        "1" | "on" | "yes" | "true"
    )
}

impl State {
    /// Can every disk of the guest be snapshotted?
    pub fn can_snapshot(&self, guest: &Guest) -> bool {
        guest.disks().iter().all(|(_, value)| {
            let volid = volume(value);
            let files = volid
                .split_once(':')
                .and_then(|(id, _)| self.storage(id))
                .is_some_and(|storage| storage.files());
            !files || volid.ends_with(".qcow2")
        })
    }
}

fn feature(call: &mut Call) -> Answer {
    let guest = call.guest()?;
    let has = match text(&call.params, "feature").as_str() {
        "snapshot" => call.state.can_snapshot(guest),
        "clone" => guest.template(),
        _ => true,
    };
    let mut answer = json!({"hasFeature": u8::from(has)});
    if guest.kind == Kind::Qemu {
        let shared = guest.disks().iter().all(|(_, value)| {
            volume(value)
                .split_once(':')
                .and_then(|(id, _)| call.state.storage(id))
                .is_none_or(|storage| storage.shared)
        });
        let nodes: Vec<&String> = call
            .state
            .nodes
            .keys()
            .filter(|node| shared || **node == guest.node)
            .collect();
        answer["nodes"] = json!(nodes);
    }
    Ok(answer)
}

fn interfaces(call: &mut Call) -> Answer {
    let Ok(guest) = call.guest() else {
        return Ok(Value::Null);
    };
    if !guest.running() {
        return Ok(Value::Null);
    }
    let lo = json!({"name": "lo", "hwaddr": "00:00:00:00:00:00", "hardware-address": "00:00:00:00:00:00", "inet": "127.0.0.1/8", "inet6": "::1/128",
        "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": "8", "ip-address-type": "inet"}]});
    let own = guest.addresses.iter().map(|(name, address)| {
        let mac = guest
            .get("net0")
            .and_then(|net| super::super::guest::option(net, "hwaddr"))
            .unwrap_or("")
            .to_lowercase();
        let (ip, prefix) = address.split_once('/').unwrap_or((address, "24"));
        json!({"name": name, "hwaddr": mac, "hardware-address": mac, "inet": address,
            "ip-addresses": [{"ip-address": ip, "prefix": prefix, "ip-address-type": "inet"}]})
    });
    Ok(std::iter::once(lo).chain(own).collect())
}
