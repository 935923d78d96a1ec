//! What nodes record of themselves, their guests and storages: `rrddata`. The numbers go up and down in a
//! way of their own, so that least, average and peak differ.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal};
use super::super::gate::Call;
use super::super::guest::Kind;
use super::Handler;

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/rrddata", of_node),
    ("GET", "/nodes/{node}/qemu/{vmid}/rrddata", of_guest),
    ("GET", "/nodes/{node}/lxc/{vmid}/rrddata", of_guest),
    ("GET", "/nodes/{node}/storage/{storage}/rrddata", of_storage),
];

/// Rows of a time frame, and seconds from one to the next (measured).
const TIMEFRAMES: &[(&str, i64, i64)] = &[
    ("hour", 60, 60),
    ("day", 1440, 60),
    ("week", 336, 1800),
    ("month", 1440, 1800),
    ("year", 1439, 21_600),
    ("decade", 569, 604_800),
];

/// One row each step, with what `recorded` says of one that is so old, in seconds: nothing in a gap.
fn rows(call: &Call, recorded: impl Fn(i64, f64) -> Option<Value>) -> Answer {
    let asked = call.text("timeframe");
    let known = TIMEFRAMES.iter().find(|(name, ..)| *name == asked);
    let (_, count, step) = known.copied().unwrap_or(("hour", 60, 60));
    let newest = call.state.now() / step * step;
    // A longer step averages; its highest minute is more.
    let is_high = call.text("cf") == "MAX" && step > 60;
    let rows = (0..count).rev().map(|back| {
        let age = back * step;
        let wave = 0.5 + (back % 11) as f64 / 10.0;
        let mut row = Map::from_iter([("time".to_string(), Value::from(newest - age))]);
        let at = (age < call.state.recorded_s)
            .then(|| recorded(age, if is_high { wave * 2.0 } else { wave }))
            .flatten();
        if let Some(Value::Object(numbers)) = at {
            row.extend(numbers);
        }
        Value::Object(row)
    });
    Ok(rows.collect())
}

fn unrecorded(what: &str) -> Refusal {
    Refusal::die(format!(
        "RRD error: rrdcached@unix:/var/run/rrdcached.sock: rrd_fetch_r failed: opening \
         '/var/lib/rrdcached/db/{what}': No such file or directory\n"
    ))
}

fn of_guest(call: &mut Call) -> Answer {
    let (vmid, kind) = (call.vmid(), call.kind());
    // Of a guest that is gone it has what it had.
    let Some(guest) = call.state.guests.get(&vmid).cloned() else {
        return rows(call, |_, _| None);
    };
    if call.state.statistics.of(vmid).is_empty() {
        return Err(unrecorded(&format!("pve-vm-9.0/{vmid}")));
    }
    let (memory, disk) = (guest.memory() as f64, guest.maxdisk() as f64);
    rows(call, move |_, wave| {
        let size = json!({"maxcpu": guest.cpus(), "maxmem": memory, "maxdisk": disk, "disk": 0});
        if !guest.running() {
            return Some(size);
        }
        let mut row = json!({
            "cpu": (guest.cpu * wave).min(1.0), "mem": memory / 4.0 * wave, "diskread": 4096.0 * wave, "diskwrite": 8192.0 * wave,
            "netin": 0, "netout": 2048.0 * wave, "pressurecpusome": 0.1, "pressurecpufull": 0, "pressureiosome": wave,
            "pressureiofull": 0, "pressurememorysome": 0, "pressurememoryfull": 0,
        });
        if let (Some(row), Some(size)) = (row.as_object_mut(), size.as_object()) {
            row.extend(size.clone());
            match kind {
                Kind::Qemu => row.insert("memhost".into(), (memory / 2.0).into()),
                Kind::Lxc => row.insert("disk".into(), (disk / 4.0).into()),
            };
        }
        Some(row)
    })
}

fn of_node(call: &mut Call) -> Answer {
    let Some(node) = call.state.nodes.get(&call.node).cloned() else {
        return rows(call, |_, _| None);
    };
    rows(call, move |age, wave| {
        if !node.online && age < 180 {
            return None;
        }
        let (memory, used) = (node.memory as f64, node.memory_used as f64);
        Some(json!({
            "cpu": (node.cpu * wave).min(1.0), "iowait": 0.001 * wave, "loadavg": 0.5 * wave, "maxcpu": node.cpus,
            "memtotal": memory, "memused": used, "memavailable": memory - used, "swaptotal": 0, "swapused": 0,
            "roottotal": node.disk, "rootused": node.disk_used, "arcsize": 0, "netin": 1024.0 * wave, "netout": 512.0 * wave,
            "pressurecpusome": wave, "pressureiosome": 0, "pressureiofull": 0, "pressurememorysome": 0, "pressurememoryfull": 0,
        }))
    })
}

fn of_storage(call: &mut Call) -> Answer {
    let (id, node) = (call.text("storage"), call.node.clone());
    let storage = call.state.storage(&id).filter(|one| one.on(&node));
    let Some(storage) = storage else {
        return Err(unrecorded(&format!("pve-storage-9.0/{node}/{id}")));
    };
    let row = Value::Object(call.state.storage_row(storage, &node));
    let number = |key: &str| row.get(key).and_then(Value::as_f64).unwrap_or_default();
    let (total, used) = (number("maxdisk"), number("disk"));
    rows(call, move |age, _| {
        // It has filled by a hundredth each day.
        let then = used * (1.0 - age as f64 / 8_640_000.0).max(0.0);
        Some(json!({"total": total, "used": then}))
    })
}
