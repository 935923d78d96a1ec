//! One node: status, version, time, names, the rest that tools ask for.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, list, scalar};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/status", status),
    ("POST", "/nodes/{node}/status", power),
    ("GET", "/nodes/{node}/version", version),
    ("GET", "/nodes/{node}/time", time),
    ("GET", "/nodes/{node}/dns", |_| {
        Ok(json!({"search": "lab.test", "dns1": "127.0.0.1"}))
    }),
    ("GET", "/nodes/{node}/config", config),
    ("PUT", "/nodes/{node}/config", set_config),
    ("GET", "/nodes/{node}/replication", |_| Ok(json!([]))),
    ("GET", "/nodes/{node}/services", |_| Ok(json!([]))),
    ("GET", "/nodes/{node}/scan/cifs", |_| Ok(json!([]))),
    ("GET", "/nodes/{node}/scan/lvm", |_| Ok(json!([]))),
    ("GET", "/nodes/{node}/disks/list", |_| Ok(json!([]))),
    ("GET", "/nodes/{node}/subscription", |_| {
        Ok(json!({"status": "notfound", "message": "There is no subscription key"}))
    }),
    ("GET", "/nodes/{node}/certificates/info", certificates),
    ("POST", "/nodes/{node}/startall", |call| {
        bulk(call, "startall")
    }),
    ("POST", "/nodes/{node}/stopall", |call| {
        bulk(call, "stopall")
    }),
];

fn status(call: &mut Call) -> Answer {
    let Some(node) = call.state.nodes.get(&call.node) else {
        return Err(Refusal::die("no such node"));
    };
    let release = "6.17.2-1-pve";
    let version = "#1 SMP PREEMPT_DYNAMIC PMX 6.17.2-1";
    Ok(json!({
        "uptime": node.uptime, "cpu": node.cpu, "wait": 0, "idle": 0, "loadavg": ["0.09", "0.19", "0.82"],
        "kversion": format!("Linux {release} {version}"),
        "current-kernel": {"sysname": "Linux", "release": release, "version": version, "machine": "x86_64"},
        "pveversion": format!("pve-manager/{}/14a22df3c5f0a1b2", node.version),
        "boot-info": {"mode": "legacy-bios"},
        "cpuinfo": {
            "cpus": node.cpus, "cores": node.cpus, "sockets": 1, "model": "Virtual CPU", "vendor": "GenuineIntel", "family": "25",
            "mhz": "2400.000", "hvm": "1", "user_hz": 100, "flags": "fpu vme de pse tsc msr pae",
        },
        "memory": {"total": node.memory, "used": node.memory_used, "free": node.memory - node.memory_used, "available": node.memory - node.memory_used},
        "swap": {"total": 0, "used": 0, "free": 0},
        "ksm": {"shared": 0},
        "rootfs": {"total": node.disk, "used": node.disk_used, "free": node.disk - node.disk_used, "avail": node.disk - node.disk_used},
    }))
}

/// Reboot and shutdown are accepted; nothing goes down by itself here (that is a fault's business).
fn power(_call: &mut Call) -> Answer {
    NULL
}

fn version(call: &mut Call) -> Answer {
    let version = call
        .state
        .nodes
        .get(&call.node)
        .map_or(String::new(), |node| node.version.clone());
    let release: Vec<&str> = version.split('.').take(2).collect();
    Ok(json!({"version": version, "release": release.join("."), "repoid": "14a22df3c5f0a1b2"}))
}

fn time(call: &mut Call) -> Answer {
    let now = call.state.now();
    Ok(json!({"timezone": "UTC", "time": now, "localtime": now}))
}

fn config(call: &mut Call) -> Answer {
    let Some(node) = call.state.nodes.get(&call.node) else {
        return NULL;
    };
    let mut all = node.config.clone();
    if !all.is_empty() {
        all.insert(
            "digest".into(),
            sha1(Value::from(node.config.clone()).to_string().as_bytes()).into(),
        );
    }
    Ok(all.into())
}

fn set_config(call: &mut Call) -> Answer {
    if !call.state.has_quorum() {
        return Err(Refusal::die(format!(
            "unable to open file '/etc/pve/nodes/{}/config.tmp.88' - Permission denied",
            call.node
        )));
    }
    let params = call.params.clone();
    let Some(node) = call.state.nodes.get_mut(&call.node) else {
        return NULL;
    };
    for name in list(&params.get("delete").map(scalar).unwrap_or_default()) {
        node.config.remove(&name);
    }
    let kept = params
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "delete" | "node" | "digest"));
    node.config.extend(kept);
    NULL
}

fn certificates(call: &mut Call) -> Answer {
    let Some(node) = call.state.nodes.get(&call.node) else {
        return NULL;
    };
    let now = call.state.now();
    Ok(json!([{
        "filename": "pve-ssl.pem", "fingerprint": node.fingerprint, "notbefore": now - 86_400, "notafter": now + 63_072_000,
        "subject": format!("/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN={}", call.node), "issuer": "/CN=Proxmox Virtual Environment",
        "san": ["127.0.0.1", "localhost", call.node], "public-key-type": "rsaEncryption", "public-key-bits": 2048,
        "pem": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    }]))
}

/// All guests of the node (or those named) that start on boot (or run).
fn bulk(call: &mut Call, kind: &'static str) -> Answer {
    let (node, who) = (call.node.clone(), call.who.clone());
    let named = list(&call.text("vms"));
    let forced = super::super::answer::flag(&call.params, "force");
    Ok(call.state.spawn(
        &who,
        super::super::task::Plan::new(&node, kind, "").length(2),
        move |state, log| {
            let wanted = |guest: &&super::super::guest::Guest| {
                guest.node == node && (named.is_empty() || named.contains(&guest.vmid.to_string()))
            };
            let start = kind == "startall";
            let due = |guest: &&super::super::guest::Guest| {
                if start {
                    !guest.running()
                        && !guest.template()
                        && (forced || guest.get("onboot") == Some("1"))
                } else {
                    guest.running()
                }
            };
            let all: Vec<u32> = state
                .guests
                .values()
                .filter(wanted)
                .filter(due)
                .map(|guest| guest.vmid)
                .collect();
            for vmid in all {
                log.push(format!(
                    "{} {vmid}",
                    if start { "Starting VM" } else { "Stopping VM" }
                ));
                if start {
                    state.power_on(vmid)
                } else {
                    state.power_off(vmid)
                }
            }
            Ok(())
        },
    ))
}
