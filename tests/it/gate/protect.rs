//! Protection: no write harms a guest that a rule covers, confirmed or not, and what does no harm
//! passes.
//!
//! The requests are sent through the gate as a tool that may send anything would: what each weighs and
//! touches is allowed.

use std::rc::Rc;

use proxmox_mcp::api::methods::sending::{self, Sends};
use proxmox_mcp::api::methods::{Touch, weigh};
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::error::{Code, Error};
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::fleet::index::{Guest, GuestKind};
use proxmox_mcp::gate::confirm::Plan;
use proxmox_mcp::gate::reach::Reach;
use proxmox_mcp::gate::{Admission, CallOrigin, Caller, Entry};
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::session::configuration;
use crate::sim::World;
use crate::sim::state::Pool;

/// What stops, destroys or overwrites 101 (a container), 103 (a VM), or both, both on stg-pve2.
#[rustfmt::skip] // One row a line.
pub(crate) fn harms() -> Vec<(&'static str, Value)> {
    let vm = "/nodes/stg-pve2/qemu/103";
    let mut harms = vec![
        ("POST /nodes/stg-pve2/qemu", json!({"vmid": 103, "force": 1, "archive": "nas:backup/x"})),
        ("POST /nodes/stg-pve2/lxc/101/migrate", json!({"target": "stg-pve1", "restart": 1})),
        ("POST /nodes/stg-pve2/vzdump", json!({"vmid": "100,103", "remove": 0, "mode": "stop"})),
        ("POST /nodes/stg-pve2/vzdump", json!({"vmid": "103", "remove": 0})),
        ("POST /nodes/stg-pve2/vzdump", json!({"all": 1, "remove": 0, "mode": "suspend"})),
        ("POST /nodes/stg-pve2/vzdump", json!({"pool": "core", "remove": 0, "mode": "stop"})),
        ("POST /cluster/backup", json!({"id": "j", "vmid": "103", "mode": "stop", "schedule": "daily"})),
        ("PUT /cluster/backup/j", json!({"vmid": "103"})),
        ("DELETE /nodes/stg-pve2/storage/local-lvm/content/vm-103-disk-0", json!({})),
        ("DELETE /nodes/stg-pve2/storage/local-lvm/content/local-lvm:vm-103-disk-0", json!({})),
        ("DELETE /nodes/stg-pve2/storage/local-lvm/content/odd", json!({})),
        ("PUT /cluster/ha/resources/vm:103", json!({"state": "disabled"})),
        ("POST /cluster/ha/resources", json!({"sid": "ct:101", "state": "stopped"})),
        ("POST /cluster/ha/resources/ct:101/migrate", json!({"node": "stg-pve1"})),
        ("POST /cluster/bulk-action/guest/shutdown", json!({"vms": [100, 103]})),
        ("POST /cluster/bulk-action/guest/suspend", json!({})),
        ("POST /nodes/stg-pve2/stopall", json!({})),
        ("POST /nodes/stg-pve2/suspendall", json!({})),
        ("POST /nodes/stg-pve2/migrateall", json!({"target": "stg-pve1"})),
        ("POST /nodes/stg-pve2/status", json!({"command": "reboot"})),
        ("POST /nodes/stg-pve2/services/corosync/stop", json!({})),
        ("PUT /nodes/stg-pve2/disks/wipedisk", json!({"disk": "/dev/sdb"})),
        ("POST /nodes/stg-pve2/execute", json!({"commands": "[]"})),
        ("POST /of/a/later/version", json!({})),
    ];
    for (rest, params) in [
        ("POST {}/status/stop", json!({})),
        ("POST {}/status/shutdown", json!({})),
        ("POST {}/status/reboot", json!({})),
        ("POST {}/status/suspend", json!({})),
        ("POST {}/status/reset", json!({})),
        ("DELETE {}", json!({})),
        ("POST {}/snapshot/clean/rollback", json!({})),
        ("PUT {}/config", json!({"delete": "unused0"})),
        ("PUT {}/config", json!({"delete": "scsi0", "force": 1})),
        ("PUT {}/config", json!({"delete": "net0"})),
        ("POST {}/config", json!({"template": 1})),
        ("PUT {}/unlink", json!({"idlist": "unused0"})),
        ("POST {}/move_disk", json!({"disk": "scsi0", "target-vmid": 100})),
        ("POST {}/remote_migrate", json!({"target-endpoint": "x", "delete": 1})),
        ("POST {}/template", json!({})),
        ("POST {}/agent/shutdown", json!({})),
        ("POST {}/monitor", json!({"command": "quit"})),
        ("PUT {}/sendkey", json!({"key": "ctrl-alt-delete"})),
        ("DELETE {}/firewall/rules/0", json!({})),
    ] {
        let line: &'static str = Box::leak(rest.replace("{}", vm).into_boxed_str());
        harms.push((line, params));
    }
    harms
}

pub(crate) fn request(line: &str, params: &Value) -> Request {
    let (verb, path) = line.split_once(' ').expect("a method and a path");
    let verb = match verb {
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        _ => Verb::Delete,
    };
    // A volume is one part of the path, slashes and all.
    let (path, volume) = match path.split_once("/content/") {
        Some((path, volume)) => (path, vec!["content".to_string(), volume.to_string()]),
        None => (path, Vec::new()),
    };
    let parts = path.split('/').skip(1).map(str::to_string);
    Request {
        verb,
        path: parts.chain(volume).collect(),
        params: params.as_object().expect("an object").clone(),
    }
}

/// Staging with a pool of 101 and 103.
pub(crate) fn world() -> World {
    let world = World::three();
    world.cluster("staging").edit(|state| {
        for (id, vms) in [("core", vec![101, 103]), ("other", vec![])] {
            let vms = vms.into_iter().collect();
            state.pools.insert(
                id.into(),
                Pool {
                    vms,
                    ..Pool::default()
                },
            );
        }
    });
    world
}

pub(crate) fn app(world: &World, more: &str) -> AppState {
    let more = format!("PROXMOX_BULK_LIMIT=1000\n{more}");
    AppState::new(
        Fleet::new(configuration(world, &more)),
        TOOLSETS,
        CallOrigin::Mcp,
    )
}

/// Sends a request to staging by a call that declares what it weighs, confirmed by code where it asks.
/// What the answer would note comes back.
pub(crate) fn send(app: &AppState, request: &Request) -> Result<Vec<(&'static str, Value)>, Error> {
    let weight = weigh(request);
    let guest = match request.path.as_slice() {
        [nodes, node, kind, vmid, ..] if nodes == "nodes" && (kind == "qemu" || kind == "lxc") => {
            let kind = if kind == "qemu" {
                GuestKind::Qemu
            } else {
                GuestKind::Lxc
            };
            Some(Guest {
                vmid: vmid.parse().expect("a VMID"),
                kind,
                node: node.clone(),
                name: None,
                by_name: false,
                template: false,
                ha: false,
            })
        }
        _ => None,
    };
    let place = app.fleet.config.place("staging").expect("staging");
    let plan = |_: &Reach| {
        Ok(Plan {
            subject: json!(1),
            shown: Map::from_iter([("name".to_string(), json!("it"))]),
            objects: 1,
            ..Plan::default()
        })
    };
    let caller = Caller {
        client: ("it", "0"),
        can_be_asked: false,
        reply: None,
        asking: &Vec::new,
    };
    let call_audit = app.gate.call_audit("anything", &Map::new(), &caller);
    let path: &'static str = "/{part}".repeat(request.path.len()).leak();
    let sending = match request.verb {
        Verb::Get => sending::get(path),
        Verb::Post => sending::post(path),
        Verb::Put => sending::put(path),
        Verb::Delete => sending::delete(path),
    };
    let sends: Sends = vec![&*vec![sending].leak()].leak();
    let enter = |code: Option<&'static str>| {
        let entry = Entry {
            tool: "anything",
            mark: weight.mark,
            arguments: &String::new,
            caller,
            call_audit: &call_audit,
            code,
            place,
            cluster: app.fleet.cluster(place).expect("staging"),
            chosen_by: "cluster argument",
            guest: guest.clone().map(Rc::new),
            task: None,
            touches: weight.touches.clone(),
            sends,
            wait_s: 0,
        };
        app.gate.enter(&app.fleet, entry, &plan)
    };
    let admission = match enter(None)? {
        Admission::Planned(planned) => {
            let code = planned["confirm"].as_str().expect("a code");
            enter(Some(code.to_string().leak()))?
        }
        admission => admission,
    };
    let Admission::Go(admitted, _) = admission else {
        panic!("{}: it does not pass", request.line());
    };
    let reach = app.gate.lend(&app.fleet, &admitted, &call_audit);
    reach.send(request)?;
    Ok(reach.notes())
}

fn writes(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter().filter(|seen| seen.method != "GET");
    seen.map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

/// Each write must be refused by `rule`, and nothing sent.
pub(crate) fn refused(world: &World, app: &AppState, line: &str, params: &Value, said: &str) {
    match send(app, &request(line, params)) {
        Err(error) if error.code == Code::Protected => {
            let text = error.to_string();
            assert!(text.starts_with("staging: "), "{line} {params}: {text}");
            assert!(text.contains(said), "{line} {params}: {text} lacks {said}");
            assert!(text.contains("nothing was sent"), "{line} {params}: {text}");
        }
        other => panic!("{line} {params} under {said}: {other:?}"),
    }
    assert_eq!(writes(world), [""; 0], "{line} {params}");
}

/// Each write must pass the protection; what Proxmox makes of it is not asked.
pub(crate) fn passes(world: &World, app: &AppState, line: &str, params: &Value) -> Vec<String> {
    world.seen();
    let result = send(app, &request(line, params));
    assert!(
        !matches!(
            &result,
            Err(error) if matches!(error.code, Code::Protected | Code::NotAllowed)
        ),
        "{line} {params}: {result:?}"
    );
    let seen = world.seen();
    assert!(
        seen.iter().any(|seen| seen.method != "GET"),
        "{line} was not sent: {result:?}"
    );
    let reads = seen.into_iter().filter(|seen| seen.method == "GET");
    reads.map(|seen| seen.path).collect()
}

#[test]
fn no_rule_lets_a_covered_guest_be_harmed() {
    let world = world();
    for rule in ["101-103", "name:STG-*", "tag:stg", "pool:core"] {
        for variable in ["PROXMOX_PROTECT", "PROXMOX_CLUSTER_staging_PROTECT"] {
            for confirm in ["code", "off:staging"] {
                let more = format!("{variable}=7,{rule}\nPROXMOX_CONFIRM={confirm}");
                let app = app(&world, &more);
                for (line, params) in harms() {
                    // Where the request does not say which guests, the first rule is named.
                    let touches = weigh(&request(line, &params)).touches;
                    let untold = |touch: &Touch| {
                        matches!(touch, Touch::SomeGuests | Touch::Unlisted)
                            || *touch == Touch::Volume("local-lvm:odd".into())
                    };
                    let first = if touches.iter().any(untold) {
                        "7"
                    } else {
                        rule
                    };
                    refused(
                        &world,
                        &app,
                        line,
                        &params,
                        &format!("`{first}` ({variable})"),
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_let_whatever_the_guest_is_costs_no_question() {
    let world = world();
    let app = app(
        &world,
        "PROXMOX_PROTECT=101-103,name:stg-*,tag:stg,pool:core",
    );
    let vm = "/nodes/stg-pve2/qemu/103";
    for (rest, params) in [
        ("POST {}/status/resume", json!({})),
        ("POST {}/snapshot", json!({"snapname": "a"})),
        (
            "PUT {}/config",
            json!({"description": "x", "delete": "onboot"}),
        ),
        ("PUT {}/resize", json!({"disk": "scsi0", "size": "+1G"})),
        ("POST {}/agent/ping", json!({})),
    ] {
        let reads = passes(&world, &app, &rest.replace("{}", vm), &params);
        let asked = reads
            .iter()
            .filter(|path| path.ends_with("/pending") || path.contains("/pool"));
        assert_eq!(asked.count(), 0, "{rest} {params}: {reads:?}");
    }
    for (line, params) in [
        ("POST /nodes/stg-pve2/startall", json!({})),
        (
            "DELETE /nodes/stg-pve2/storage/nas/content/nas:iso/virtio-win-0.1.266.iso",
            json!({}),
        ),
    ] {
        let reads = passes(&world, &app, line, &params);
        let asked = reads.iter().filter(|path| path.ends_with("/pending"));
        assert_eq!(asked.count(), 0, "{line} {params}: {reads:?}");
    }
    // Another guest is nobody's.
    let other = "/nodes/stg-pve1/qemu/130";
    passes(
        &world,
        &app,
        &format!("POST {other}/status/shutdown"),
        &json!({}),
    );
    passes(
        &world,
        &app,
        &format!("PUT {other}/config"),
        &json!({"name": "x", "tags": "y", "cores": 1}),
    );
    passes(
        &world,
        &app,
        "PUT /pools/other",
        &json!({"vms": "130", "allow-move": 1}),
    );
    passes(&world, &app, &format!("DELETE {other}"), &json!({}));
}
