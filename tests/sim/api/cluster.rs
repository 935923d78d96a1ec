//! The cluster as such: version, status, next VMID, options, backup jobs.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, given, list, scalar};
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
    ("GET", "/cluster/backup", jobs),
    ("POST", "/cluster/backup", add_job),
    ("GET", "/cluster/backup/{id}", job),
    ("PUT", "/cluster/backup/{id}", set_job),
    ("DELETE", "/cluster/backup/{id}", remove_job),
    ("GET", "/cluster/backup-info/not-backed-up", not_backed_up),
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
    call.quorate()?;
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

fn log(call: &mut Call) -> Answer {
    let most = super::super::answer::number(&call.params, "max").unwrap_or(50) as usize;
    if !call.state.may(&call.who, "/", &["Sys.Syslog"]) {
        return Ok(json!([]));
    }
    let ended = call
        .state
        .tasks
        .iter()
        .rev()
        .filter(|task| task.end.is_some())
        .take(most);
    let rows = ended.enumerate().map(|(i, task)| {
        json!({
            "uid": (1000 - i).to_string(), "id": format!("{}:{}", 1000 - i, task.node), "time": task.end, "pri": 6, "tag": "pvedaemon", "pid": task.pid, "node": task.node, "user": task.who.id(),
            "msg": format!("end task {} {}", task.upid, task.exit.clone().unwrap_or_default()),
        })
    });
    Ok(rows.collect())
}

fn no_such(id: &str) -> Refusal {
    Refusal::param("id", format!("No such job '{id}'"))
}

fn shown(job: &Map<String, Value>) -> Value {
    let mut all = Map::new();
    for (key, value) in job {
        let number = matches!(
            key.as_str(),
            "enabled" | "all" | "mailnotification" | "repeat-missed"
        )
        .then(|| scalar(value).parse::<i64>().ok())
        .flatten();
        let shown = if key == "prune-backups" {
            parts(&Value::Null, &scalar(value))
        } else {
            value.clone()
        };
        all.insert(key.clone(), number.map_or(shown, Value::from));
    }
    all.into()
}

fn jobs(call: &mut Call) -> Answer {
    let next = call.state.now() / 86_400 * 86_400 + 95_400;
    let rows = call.state.backup_jobs.values().map(|job| {
        let mut row = shown(job);
        row["next-run"] = next.into();
        row
    });
    Ok(rows.collect())
}

fn add_job(call: &mut Call) -> Answer {
    call.quorate()?;
    let mut job: Params = call.params.clone();
    let id = given(&job, "id")
        .unwrap_or_else(|| format!("backup-{:08x}-0001", call.state.random() as u32));
    if call.state.backup_jobs.contains_key(&id) {
        return Err(Refusal::die(format!("Job '{id}' already exists")));
    }
    job.insert("id".into(), id.clone().into());
    job.insert("type".into(), "vzdump".into());
    job.entry("enabled").or_insert("1".into());
    call.state.backup_jobs.insert(id, job);
    NULL
}

fn job(call: &mut Call) -> Answer {
    let id = call.text("id");
    call.state
        .backup_jobs
        .get(&id)
        .map(shown)
        .ok_or_else(|| no_such(&id))
}

fn set_job(call: &mut Call) -> Answer {
    call.quorate()?;
    let id = call.text("id");
    let params = call.params.clone();
    let job = call
        .state
        .backup_jobs
        .get_mut(&id)
        .ok_or_else(|| no_such(&id))?;
    for name in list(&params.get("delete").map(scalar).unwrap_or_default()) {
        job.remove(&name);
    }
    job.extend(params.into_iter().filter(|(name, _)| name != "delete"));
    NULL
}

fn remove_job(call: &mut Call) -> Answer {
    call.quorate()?;
    let id = call.text("id");
    call.state
        .backup_jobs
        .remove(&id)
        .map(|_| Value::Null)
        .ok_or_else(|| no_such(&id))
}

fn not_backed_up(call: &mut Call) -> Answer {
    let (state, who) = (&*call.state, &call.who);
    let covered = |vmid: u32| {
        state.backup_jobs.values().any(|job| {
            let all = job.get("all").is_some_and(|all| scalar(all) == "1");
            let pool = job.get("pool").map(scalar);
            all || list(&job.get("vmid").map(scalar).unwrap_or_default())
                .contains(&vmid.to_string())
                || pool.is_some_and(|pool| state.pool_of(vmid) == Some(pool.as_str()))
        })
    };
    let rows = state.guests.values().filter(|guest| {
        !covered(guest.vmid) && state.may(who, &format!("/vms/{}", guest.vmid), &["VM.Audit"])
    });
    Ok(rows
        .map(|guest| json!({"vmid": guest.vmid, "type": guest.kind.word(), "name": guest.name()}))
        .collect())
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
