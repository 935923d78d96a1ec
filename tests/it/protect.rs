//! Protection: no write harms a guest that a rule covers, or takes one out of its rule, confirmed or
//! not; what cannot be checked is refused.
//!
//! The requests are sent through the gate as a tool that may send anything would: what each weighs and
//! touches is allowed.

use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::fleet::index::{Guest, Kind};
use proxmox_mcp::gate::confirm::Plan;
use proxmox_mcp::gate::reach::Reach;
use proxmox_mcp::gate::weigh::{Touch, weigh};
use proxmox_mcp::gate::{Caller, Entry, Origin, Verdict};
use proxmox_mcp::proxmox::request::{Request, Verb};
use proxmox_mcp::tool::call::Desk;
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::session::{Session, configuration};
use crate::sim::state::Pool;
use crate::sim::{Fault, World};

/// What stops, destroys or overwrites 101 (a container), 103 (a VM), or both, both on stg-pve2.
#[rustfmt::skip] // One row a line.
fn harms() -> Vec<(&'static str, Value)> {
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

fn request(line: &str, params: &Value) -> Request {
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
fn world() -> World {
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

fn desk(world: &World, more: &str) -> Desk {
    let more = format!("PROXMOX_BULK_LIMIT=1000\n{more}");
    Desk::new(Fleet::new(configuration(world, &more)), TOOLSETS)
}

/// Sends a request to staging by a call that declares what it weighs, confirmed by code where it asks.
/// What the answer would note comes back.
fn send(desk: &Desk, request: &Request) -> Result<Vec<(&'static str, Value)>, Error> {
    let weight = weigh(request);
    let guest = match request.path.as_slice() {
        [nodes, node, kind, vmid, ..] if nodes == "nodes" && (kind == "qemu" || kind == "lxc") => {
            let kind = if kind == "qemu" {
                Kind::Qemu
            } else {
                Kind::Lxc
            };
            Some(Guest {
                vmid: vmid.parse().expect("a VMID"),
                kind,
                node: node.clone(),
                name: None,
                template: false,
                ha: false,
            })
        }
        _ => None,
    };
    let mut clusters = desk.fleet.config.clusters.iter();
    let cluster = clusters.position(|cluster| cluster.name == "staging");
    let plan = |_: &Reach| {
        Ok(Plan {
            subject: json!(1),
            shown: Map::from_iter([("name".to_string(), json!("it"))]),
            objects: 1,
        })
    };
    let enter = |code: Option<&str>| {
        let entry = Entry {
            tool: "anything",
            mark: weight.mark,
            arguments: String::new(),
            caller: Caller {
                from: Origin::Mcp,
                client: ("it", "0"),
                can_be_asked: false,
                reply: None,
            },
            code,
            cluster: cluster.expect("staging"),
            guest: guest.clone(),
            task: None,
            touches: weight.touches.clone(),
            wait_s: 0,
        };
        desk.gate.enter(&desk.fleet, entry, &plan)
    };
    let verdict = match enter(None)? {
        Verdict::Planned(planned) => enter(planned["confirm"].as_str())?,
        verdict => verdict,
    };
    let Verdict::Go(reach) = verdict else {
        panic!("{}: it does not pass", request.line());
    };
    reach.send(request)?;
    Ok(reach.notes())
}

fn writes(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter().filter(|seen| seen.method != "GET");
    seen.map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

/// Each write must be refused by `rule`, and nothing sent.
fn refused(world: &World, desk: &Desk, line: &str, params: &Value, said: &str) {
    match send(desk, &request(line, params)) {
        Err(error @ Error::Protected { .. }) => {
            assert_eq!(error.code(), "ProtectedError");
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
fn passes(world: &World, desk: &Desk, line: &str, params: &Value) -> Vec<String> {
    world.seen();
    let result = send(desk, &request(line, params));
    assert!(
        !matches!(
            &result,
            Err(Error::Protected { .. } | Error::NotAllowed { .. })
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
                let desk = desk(&world, &more);
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
                        &desk,
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
fn what_does_no_harm_is_done_and_costs_no_question() {
    let world = world();
    let desk = desk(
        &world,
        "PROXMOX_PROTECT=101-103,name:stg-*,tag:stg,pool:core",
    );
    let vm = "/nodes/stg-pve2/qemu/103";
    for (rest, params) in [
        ("POST {}/status/resume", json!({})),
        ("POST {}/snapshot", json!({"snapname": "a"})),
        ("DELETE {}/snapshot/a", json!({})),
        (
            "PUT {}/config",
            json!({"cores": 3, "description": "x", "delete": "onboot"}),
        ),
        ("PUT {}/resize", json!({"disk": "scsi0", "size": "+1G"})),
        ("POST {}/clone", json!({"newid": 555})),
        (
            "POST {}/firewall/rules",
            json!({"type": "in", "action": "ACCEPT"}),
        ),
        ("POST {}/agent/ping", json!({})),
    ] {
        // A clone is of a guest that nobody claimed: it is refused before.
        if rest.ends_with("clone") {
            continue;
        }
        let reads = passes(&world, &desk, &rest.replace("{}", vm), &params);
        let asked = reads
            .iter()
            .filter(|path| path.ends_with("/pending") || path.contains("/pool"));
        assert_eq!(asked.count(), 0, "{rest} {params}: {reads:?}");
    }
    for (line, params) in [
        (
            "POST /nodes/stg-pve2/vzdump",
            json!({"vmid": "103", "remove": 0, "mode": "snapshot"}),
        ),
        (
            "POST /nodes/stg-pve2/vzdump",
            json!({"all": 1, "mode": "snapshot"}),
        ),
        ("POST /nodes/stg-pve2/startall", json!({})),
        (
            "POST /cluster/ha/resources",
            json!({"sid": "vm:103", "state": "started"}),
        ),
        ("PUT /pools/core", json!({"vms": "120"})),
        (
            "DELETE /nodes/stg-pve2/storage/nas/content/nas:iso/virtio-win-0.1.266.iso",
            json!({}),
        ),
    ] {
        let reads = passes(&world, &desk, line, &params);
        let asked = reads.iter().filter(|path| path.ends_with("/pending"));
        assert_eq!(asked.count(), 0, "{line} {params}: {reads:?}");
    }
    // Another guest is nobody's.
    let other = "/nodes/stg-pve1/qemu/130";
    passes(
        &world,
        &desk,
        &format!("POST {other}/status/shutdown"),
        &json!({}),
    );
    passes(
        &world,
        &desk,
        &format!("PUT {other}/config"),
        &json!({"name": "x", "tags": "y"}),
    );
    passes(
        &world,
        &desk,
        "PUT /pools/other",
        &json!({"vms": "130", "allow-move": 1}),
    );
    passes(&world, &desk, &format!("DELETE {other}"), &json!({}));
}

#[test]
fn nothing_takes_a_guest_out_of_its_rule() {
    let world = world();
    let vm = "PUT /nodes/stg-pve2/qemu/103/config";
    let later = "POST /nodes/stg-pve2/qemu/103/config";
    let container = "PUT /nodes/stg-pve2/lxc/101/config";
    let cases: [(&str, &[(&str, Value)], &[(&str, Value)]); 3] = [
        (
            "name:stg-*",
            &[
                (vm, json!({"name": "web"})),
                (later, json!({"name": "web", "cores": 2})),
                (vm, json!({"delete": "name"})),
                (vm, json!({"delete": "onboot;name"})),
                (container, json!({"hostname": "db"})),
                (container, json!({"delete": ["hostname"]})),
            ],
            &[
                (vm, json!({"name": "stg-web-09"})),
                (vm, json!({"delete": "tags"})),
                (vm, json!({"revert": "name"})),
                ("PUT /pools/core", json!({"vms": "103", "delete": 1})),
            ],
        ),
        (
            "tag:stg",
            &[
                (vm, json!({"tags": "web"})),
                (vm, json!({"tags": ""})),
                (vm, json!({"tags": "stg-web;staging"})),
                (later, json!({"delete": "tags"})),
                (container, json!({"delete": "tags"})),
            ],
            &[
                (vm, json!({"tags": "new,stg"})),
                (vm, json!({"name": "anything"})),
            ],
        ),
        (
            "pool:core",
            &[
                ("PUT /pools/core", json!({"vms": "103", "delete": 1})),
                ("PUT /pools/core", json!({"vms": "100,101", "delete": true})),
                (
                    "PUT /pools",
                    json!({"poolid": "core", "vms": "103", "delete": 1}),
                ),
                (
                    "PUT /pools/other",
                    json!({"vms": "100,103", "allow-move": 1}),
                ),
                ("DELETE /pools/core", json!({})),
                ("DELETE /pools", json!({"poolid": "core"})),
            ],
            &[
                ("PUT /pools/core", json!({"comment": "x"})),
                ("PUT /pools/other", json!({"vms": "100"})),
                (vm, json!({"name": "web", "delete": "tags"})),
            ],
        ),
    ];
    for (rule, refusals, others) in cases {
        let desk = desk(&world, &format!("PROXMOX_PROTECT={rule}"));
        for (line, params) in refusals {
            refused(
                &world,
                &desk,
                line,
                params,
                &format!("protected by `{rule}` (PROXMOX_PROTECT)"),
            );
        }
        for (line, params) in others {
            passes(&world, &desk, line, params);
        }
        // As it was, for the next rule.
        world.cluster("staging").edit(|state| {
            let vm = state.guests.get_mut(&103).expect("103");
            vm.set("name", "stg-web-02");
            vm.set("tags", "stg;web");
            let core = state.pools.get_mut("core").expect("core");
            core.vms = [101, 103].into_iter().collect();
        });
    }
}

/// Without any rule: the flag is the guest's own.
#[test]
fn the_flag_forbids_what_proxmox_lets_it_forbid_and_stays() {
    let world = world();
    world.cluster("staging").edit(|state| {
        state
            .guests
            .get_mut(&103)
            .expect("103")
            .set("protection", "1");
    });
    let desk = desk(&world, "");
    let flag = "Proxmox's own flag `protection`";
    for (line, params) in harms() {
        let weight = weigh(&request(line, &params));
        let touched: Vec<String> = weight.touches.iter().map(ToString::to_string).collect();
        let ours = touched
            .iter()
            .any(|touch| touch == "guest 103" || touch.contains("vm-103"));
        if weight.mark.destroys && ours {
            refused(&world, &desk, line, &params, flag);
        }
    }
    let config = "PUT /nodes/stg-pve2/qemu/103/config";
    refused(&world, &desk, config, &json!({"protection": 0}), flag);
    refused(&world, &desk, config, &json!({"protection": "off"}), flag);
    refused(
        &world,
        &desk,
        config,
        &json!({"delete": "protection"}),
        flag,
    );
    passes(&world, &desk, config, &json!({"protection": 1}));
    passes(
        &world,
        &desk,
        "POST /nodes/stg-pve2/qemu/103/status/shutdown",
        &json!({}),
    );
    passes(
        &world,
        &desk,
        "PUT /nodes/stg-pve1/qemu/130/config",
        &json!({"protection": 0}),
    );
}

#[test]
fn what_cannot_be_checked_protects() {
    let world = world();
    let staging = world.cluster("staging");
    let stop = "POST /nodes/stg-pve2/qemu/103/status/shutdown";
    let other = "POST /nodes/stg-pve1/qemu/130/status/shutdown";
    let unknown = "could not be found out, so it counts as protected";
    let none = json!({});
    // A token that may not read the pool does not know who is in it.
    let pool = desk(&world, "PROXMOX_PROTECT=pool:core");
    staging.fault(Fault::TokenLacks(vec!["Pool.Audit".into()]));
    refused(&world, &pool, stop, &none, unknown);
    refused(&world, &pool, other, &none, "`pool:core` (PROXMOX_PROTECT)");
    refused(&world, &pool, other, &none, "Pool.Audit");
    refused(&world, &pool, "DELETE /pools/core", &none, "cannot be told");
    staging.heal();
    // Nor does one that is shown the pool without the guest.
    staging.fault(Fault::TokenLacks(vec!["VM.Audit".into()]));
    refused(&world, &pool, stop, &none, "VM.Audit");
    for rule in ["tag:prod", "name:x"] {
        let desk = desk(&world, &format!("PROXMOX_PROTECT={rule}"));
        refused(
            &world,
            &desk,
            stop,
            &none,
            &format!("`{rule}` (PROXMOX_PROTECT) {unknown}"),
        );
        refused(&world, &desk, stop, &none, "VM.Audit");
        let all = "POST /nodes/stg-pve1/stopall";
        refused(&world, &desk, all, &none, "cannot be told");
        refused(
            &world,
            &desk,
            all,
            &none,
            &format!("`{rule}` (PROXMOX_PROTECT)"),
        );
        refused(
            &world,
            &desk,
            "PUT /cluster/ha/resources/vm:103",
            &json!({"state": "stopped"}),
            unknown,
        );
    }
    let bare = desk(&world, "");
    refused(
        &world,
        &bare,
        "DELETE /nodes/stg-pve2/qemu/103",
        &none,
        "own flag `protection`",
    );
    staging.heal();
    // An answer that is none.
    let tag = desk(&world, "PROXMOX_PROTECT=tag:prod");
    for fault in [Fault::Html, Fault::BadJson, Fault::Empty] {
        staging.fault(fault.on("GET", "/nodes/stg-pve2/qemu/103/pending"));
        refused(&world, &tag, stop, &none, unknown);
        staging.heal();
    }
    passes(&world, &tag, stop, &none);
}

/// Whoever may read a pool that does not exist is told so: the rule protects nobody, which is said.
#[test]
fn a_pool_that_is_not_there_protects_nobody_and_is_named() {
    let world = world();
    let stop = request("POST /nodes/stg-pve2/qemu/103/status/shutdown", &json!({}));
    let notes = send(&desk(&world, "PROXMOX_PROTECT=pool:gone"), &stop).expect("it is sent");
    assert_eq!(
        notes,
        [(
            "protects_nobody",
            json!("`pool:gone` (PROXMOX_PROTECT): there is no pool `gone`")
        )]
    );
    world
        .cluster("staging")
        .fault(Fault::TokenLacks(vec!["Pool.Audit".into()]));
    let gone = desk(&world, "PROXMOX_PROTECT=pool:gone");
    let error = send(&gone, &stop).expect_err("the pool cannot be read");
    assert!(matches!(error, Error::Protected { .. }), "{error}");
}

/// A volume whose guest is gone, a file that belongs to none, and one that nobody owns.
#[test]
fn a_volume_is_its_guests() {
    let world = world();
    let desk = desk(&world, "PROXMOX_PROTECT=tag:stg");
    let content = "DELETE /nodes/stg-pve2/storage/local-lvm/content";
    refused(
        &world,
        &desk,
        &format!("{content}/subvol-101-disk-0"),
        &json!({}),
        "guest 101",
    );
    refused(
        &world,
        &desk,
        &format!("{content}/103/base-9-disk-0.raw"),
        &json!({}),
        "guest 103",
    );
    passes(
        &world,
        &desk,
        &format!("{content}/vm-130-disk-9"),
        &json!({}),
    );
    passes(
        &world,
        &desk,
        &format!("{content}/vm-777-disk-0"),
        &json!({}),
    );
}

/// A call of a tool that would harm is refused before it is planned, or a code is looked at.
#[test]
fn a_tool_is_refused_before_it_is_planned() {
    let world = world();
    let mut session = Session::with(&world, "PROXMOX_PROTECT=101-103");
    for (tool, arguments) in [
        (
            "guest_power",
            json!({"guest": "stg-web-02", "action": "stop"}),
        ),
        (
            "guest_power",
            json!({"guest": "stg-web-02", "action": "stop", "confirm": "0123"}),
        ),
        ("guest_delete", json!({"guest": "stg-web-02"})),
        (
            "snapshot_rollback",
            json!({"guest": "stg-web-02", "snapname": "clean"}),
        ),
        (
            "guest_disk",
            json!({"guest": "stg-web-02", "action": "remove", "disk": "scsi0"}),
        ),
        (
            "guest_network",
            json!({"guest": "stg-web-02", "action": "remove", "net": "net0"}),
        ),
    ] {
        let error = session.call(tool, &arguments).error();
        let expected = format!(
            "ProtectedError: staging: guest 103 `stg-web-02` is protected by `101-103` \
             (PROXMOX_PROTECT), and `{tool}` would "
        );
        assert!(error.starts_with(&expected), "{error}");
        let read: Vec<String> = world.seen().into_iter().map(|seen| seen.path).collect();
        assert!(
            read.iter().all(|path| !path.contains("103")),
            "{tool}: {read:?}"
        );
    }
}
