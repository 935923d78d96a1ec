//! The cluster as such: version, status, next VMID, options.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, given, list, scalar};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/version", version),
    ("GET", "/cluster/status", status),
    ("GET", "/cluster/nextid", next_id),
    ("GET", "/cluster/options", options),
    ("PUT", "/cluster/options", set_options),
    ("GET", "/cluster/log", log),
    ("GET", "/cluster/replication", |_| Ok(json!([]))),
    ("GET", "/cluster/sdn/zones", |_| Ok(json!([]))),
    ("GET", "/cluster/sdn/vnets", |_| Ok(json!([]))),
    ("GET", "/cluster/config/nodes", config_nodes),
    ("GET", "/cluster/config/join", join),
    ("GET", "/cluster/mapping/pci", |_| Ok(json!([]))),
    ("GET", "/cluster/mapping/usb", |_| Ok(json!([]))),
];

fn version(call: &mut Call) -> Answer {
    let version = call
        .state
        .nodes
        .get(&call.entry)
        .map_or("9.2.11".into(), |node| node.version.clone());
    let release: Vec<&str> = version.split('.').take(2).collect();
    Ok(json!({"version": version, "release": release.join("."), "repoid": "14a22df3c5f0a1b2"}))
}

fn status(call: &mut Call) -> Answer {
    let state = &*call.state;
    let mut rows: Vec<Value> = Vec::new();
    if !state.standalone {
        rows.push(json!({
            "type": "cluster", "id": "cluster", "name": state.name, "version": state.nodes.len(), "nodes": state.nodes.len(),
            "quorate": u8::from(state.has_quorum() || state.stale),
        }));
    }
    for (name, node) in &state.nodes {
        rows.push(json!({
            "type": "node", "id": format!("node/{name}"), "name": name, "nodeid": if state.standalone { 0 } else { node.id },
            "ip": node.ip, "online": u8::from(state.online(name)), "local": u8::from(*name == call.entry), "level": "",
        }));
    }
    Ok(rows.into())
}

fn next_id(call: &mut Call) -> Answer {
    match given(&call.params, "vmid") {
        Some(vmid) if call.state.guests.contains_key(&vmid.parse().unwrap_or(0)) => {
            Err(Refusal::param("vmid", format!("VM {vmid} already exists")))
        }
        Some(vmid) => Ok(vmid.into()),
        None => Ok(call.state.next_id().to_string().into()),
    }
}

fn options(call: &mut Call) -> Answer {
    let mut all = call.state.options.clone();
    let mut tags: Vec<String> = call
        .state
        .guests
        .values()
        .filter_map(|guest| guest.get("tags"))
        .flat_map(list)
        .collect();
    tags.sort();
    tags.dedup();
    all.insert("allowed-tags".into(), tags.into());
    all.entry("mac_prefix").or_insert("BC:24:11".into());
    all.entry("description").or_insert("".into());
    Ok(all.into())
}

fn set_options(call: &mut Call) -> Answer {
    if !call.state.has_quorum() {
        let refusal = Refusal::die("cfs-lock 'file-datacenter_cfg' error: no quorum!");
        return Err(refusal.waiting(call.lock_s()));
    }
    let params = std::mem::take(&mut call.params);
    let formats = &call.method.params;
    for name in list(&params.get("delete").map(scalar).unwrap_or_default()) {
        call.state.options.remove(&name);
    }
    for (name, value) in params.into_iter().filter(|(name, _)| name != "delete") {
        let format = formats
            .get(&name)
            .map(|schema| &schema["format"])
            .filter(|format| format.is_object());
        let value = match format {
            _ if name == "description" => format!("{}\n", scalar(&value).trim_end()).into(),
            Some(format) => parts(format, &scalar(&value)),
            None => value,
        };
        call.state.options.insert(name, value);
    }
    NULL
}

/// A property string as an object.
fn parts(format: &Value, text: &str) -> Value {
    let parts = super::super::format::parse(format, text).unwrap_or_default();
    parts
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect::<Map<_, _>>()
        .into()
}

/// An entry of the log.
struct LogEntry<'s> {
    /// By time, and within a second as it came.
    at: (i64, usize),
    node: &'s str,
    user: String,
    message: String,
    severity: u8,
}

/// An entry for the beginning of each task and one for its end, and those that are no task's.
fn log(call: &mut Call) -> Answer {
    const MAX: i64 = 50;
    const INFO: u8 = 6;
    const ERROR: u8 = 3;
    let max = super::super::answer::number(&call.params, "max").unwrap_or(MAX) as usize;
    if !call.state.may(&call.who, "/", &["Sys.Syslog"]) {
        return Ok(json!([]));
    }
    let mut entries = Vec::new();
    for (place, task) in call.state.tasks.iter().enumerate() {
        let (node, user) = (task.node.as_str(), task.who.id());
        entries.push(LogEntry {
            at: (task.start, 2 * place + 1),
            node,
            user: user.clone(),
            message: format!("starting task {}", task.upid),
            severity: INFO,
        });
        if let Some(end) = task.end {
            let exit = task.exit.clone().unwrap_or_default();
            entries.push(LogEntry {
                at: (end, 2 * place + 2),
                node,
                user,
                severity: if exit == "OK" { INFO } else { ERROR },
                message: format!("end task {} {exit}", task.upid),
            });
        }
    }
    entries.extend(call.state.done.iter().map(|done| LogEntry {
        at: (done.time, 2 * done.tasks_before),
        node: &done.node,
        user: done.user.clone(),
        message: done.message.clone(),
        severity: INFO,
    }));
    entries.sort_by_key(|entry| entry.at);
    let rows = entries.iter().enumerate().rev().take(max);
    let rows = rows.map(|(i, entry)| {
        json!({"uid": i.to_string(), "id": format!("{i}:{}", entry.node), "time": entry.at.0, "pri": entry.severity, "tag": "pvedaemon", "pid": 1, "node": entry.node, "user": entry.user, "msg": entry.message})
    });
    Ok(rows.collect())
}

fn config_nodes(call: &mut Call) -> Answer {
    let state = &*call.state;
    if state.standalone {
        return Ok(json!([]));
    }
    let rows = state.nodes.iter().map(|(name, node)| {
        json!({"name": name, "node": name, "nodeid": node.id.to_string(), "quorum_votes": "1", "ring0_addr": node.ip})
    });
    Ok(rows.collect())
}

fn join(call: &mut Call) -> Answer {
    let state = &*call.state;
    if state.standalone {
        return Err(Refusal::http(
            424,
            "node is not in a cluster, no join info available!",
        ));
    }
    let rows = state.nodes.iter().map(|(name, node)| {
        json!({"name": name, "nodeid": node.id.to_string(), "quorum_votes": "1", "ring0_addr": node.ip, "pve_addr": node.ip, "pve_fp": node.fingerprint})
    });
    let rows: Vec<Value> = rows.collect();
    let totem = json!({"cluster_name": state.name, "config_version": "2", "interface": {"0": {"linknumber": "0"}}, "ip_version": "ipv4-6", "link_mode": "passive", "secauth": "on", "version": "2"});
    Ok(
        json!({"nodelist": rows, "totem": totem, "preferred_node": call.entry, "config_digest": sha1(state.name.as_bytes())}),
    )
}
