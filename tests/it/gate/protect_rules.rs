//! Protection: nothing takes a guest out of its rule, a rule that cannot be checked protects, and
//! Proxmox's own flag does.

use proxmox_mcp::api::methods::weigh;
use proxmox_mcp::error::Code;
use serde_json::{Value, json};

use crate::gate::protect::{app, harms, passes, refused, request, send, world};
use crate::session::Session;
use crate::sim::Fault;

#[test]
fn nothing_takes_a_guest_out_of_its_rule() {
    let world = world();
    let vm = "PUT /nodes/stg-pve2/qemu/103/config";
    let later = "POST /nodes/stg-pve2/qemu/103/config";
    let container = "PUT /nodes/stg-pve2/lxc/101/config";
    type Requests<'r> = &'r [(&'r str, Value)];
    let cases: [(&str, Requests, Requests); 3] = [
        (
            "name:stg-*",
            &[
                (vm, json!({"name": "web"})),
                (later, json!({"name": "web", "cores": 2})),
                (vm, json!({"delete": "name"})),
                (vm, json!({"delete": "onboot;name"})),
                (container, json!({"hostname": "db"})),
                (container, json!({"delete": ["hostname"]})),
                ("PUT /pools/core", json!({"vms": "103", "delete": 1})),
            ],
            &[
                (vm, json!({"name": "stg-web-09"})),
                (vm, json!({"delete": "tags"})),
                (vm, json!({"revert": "name"})),
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
        let app = app(&world, &format!("PROXMOX_PROTECT={rule}"));
        for (line, params) in refusals {
            refused(
                &world,
                &app,
                line,
                params,
                &format!("protected by `{rule}` (PROXMOX_PROTECT)"),
            );
        }
        for (line, params) in others {
            passes(&world, &app, line, params);
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

/// What waits for a restart covers a guest too, and is not taken back.
#[test]
fn what_is_pending_protects_and_stays() {
    let world = world();
    world.cluster("staging").edit(|state| {
        let vm = state.guests.get_mut(&103).expect("103");
        vm.set("name", "web");
        vm.set("tags", "web");
        vm.pending.insert("name".into(), "stg-web".into());
        vm.pending.insert("tags".into(), "stg;web".into());
    });
    let config = "PUT /nodes/stg-pve2/qemu/103/config";
    for (rule, key, other) in [("name:stg-*", "name", "tags"), ("tag:stg", "tags", "name")] {
        let app = app(&world, &format!("PROXMOX_PROTECT={rule}"));
        let said = format!("protected by `{rule}` (PROXMOX_PROTECT)");
        refused(&world, &app, config, &json!({"revert": key}), &said);
        refused(&world, &app, config, &json!({"revert": "memory"}), &said);
        passes(&world, &app, config, &json!({"revert": other}));
        world.cluster("staging").edit(|state| {
            let vm = state.guests.get_mut(&103).expect("103");
            vm.pending.insert("name".into(), "stg-web".into());
            vm.pending.insert("tags".into(), "stg;web".into());
        });
    }
}

/// Each pool has its own members.
#[test]
fn a_guest_is_protected_by_its_own_pool_alone() {
    let world = world();
    let stop = "POST /nodes/stg-pve2/qemu/103/status/shutdown";
    for pools in ["pool:other,pool:core", "pool:core,pool:other"] {
        let app = app(&world, &format!("PROXMOX_PROTECT={pools}"));
        refused(&world, &app, stop, &json!({}), "protected by `pool:core`");
    }
    let other = app(&world, "PROXMOX_PROTECT=pool:other");
    passes(&world, &other, stop, &json!({}));
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
    let pool = app(&world, "PROXMOX_PROTECT=pool:core");
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
        let app = app(&world, &format!("PROXMOX_PROTECT={rule}"));
        refused(
            &world,
            &app,
            stop,
            &none,
            &format!("`{rule}` (PROXMOX_PROTECT) {unknown}"),
        );
        refused(&world, &app, stop, &none, "VM.Audit");
        let all = "POST /nodes/stg-pve1/stopall";
        refused(&world, &app, all, &none, "cannot be told");
        refused(
            &world,
            &app,
            all,
            &none,
            &format!("`{rule}` (PROXMOX_PROTECT)"),
        );
        refused(
            &world,
            &app,
            "PUT /cluster/ha/resources/vm:103",
            &json!({"state": "stopped"}),
            unknown,
        );
    }
    let bare = app(&world, "");
    refused(
        &world,
        &bare,
        "DELETE /nodes/stg-pve2/qemu/103",
        &none,
        "own flag `protection`",
    );
    staging.heal();
    // An answer that is none.
    let tag = app(&world, "PROXMOX_PROTECT=tag:prod");
    for fault in [Fault::Html, Fault::BadJson, Fault::Empty] {
        staging.fault(fault.on("GET", "/nodes/stg-pve2/qemu/103/pending"));
        refused(&world, &tag, stop, &none, unknown);
        staging.heal();
    }
    passes(&world, &tag, stop, &none);
}

/// Proxmox takes `localhost` for the node that it asks: no list knows whose guests those are.
#[test]
fn the_guests_of_a_node_that_no_list_knows_are_protected() {
    let world = world();
    let rules = app(&world, "PROXMOX_PROTECT=103,tag:prod");
    for verb in ["stopall", "suspendall", "migrateall"] {
        let line = format!("POST /nodes/localhost/{verb}");
        let unknown = "no node is called `localhost`";
        refused(&world, &rules, &line, &json!({}), unknown);
    }
}

/// A cluster that is not reached is no rule's business: it is called what it is, and nothing was sent.
#[test]
fn a_cluster_that_is_silent_is_not_called_protected() {
    let world = world();
    world.cluster("staging").fault(Fault::Refuse);
    let tag = app(&world, "PROXMOX_PROTECT=tag:prod");
    let all = request("POST /nodes/stg-pve1/stopall", &json!({}));
    let error = send(&tag, &all).expect_err("nobody answers");
    assert_eq!(error.code, Code::ClusterConnection, "{error}");
}

/// Whoever may read a pool that does not exist is told so: the rule protects nobody, which is said.
#[test]
fn a_pool_that_is_not_there_protects_nobody_and_is_named() {
    let world = world();
    let stop = request("POST /nodes/stg-pve2/qemu/103/status/shutdown", &json!({}));
    let notes = send(&app(&world, "PROXMOX_PROTECT=pool:gone"), &stop).expect("it is sent");
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
    let gone = app(&world, "PROXMOX_PROTECT=pool:gone");
    let error = send(&gone, &stop).expect_err("the pool cannot be read");
    assert!(error.code == Code::Protected, "{error}");
}

/// Only one that is not there protects nobody.
#[test]
fn a_pool_that_cannot_be_read_protects() {
    let world = world();
    world
        .cluster("staging")
        .fault(Fault::Echo.on("GET", "/pools"));
    let app = app(&world, "PROXMOX_PROTECT=pool:core");
    let stop = "POST /nodes/stg-pve2/qemu/103/status/shutdown";
    refused(&world, &app, stop, &json!({}), "`pool:core`");
}

/// A guest that is named beside the path's own is looked for where it is: 120 on another node.
#[test]
fn another_guest_is_where_it_is() {
    let world = world();
    let move_disk = "POST /nodes/stg-pve2/qemu/103/move_disk";
    let params = json!({"disk": "scsi0", "target-vmid": 120, "target-disk": "scsi5"});
    let elsewhere = app(&world, "PROXMOX_PROTECT=tag:nobody");
    passes(&world, &elsewhere, move_disk, &params);
    world.cluster("staging").edit(|state| {
        let other = state.guests.get_mut(&120).expect("120");
        other.set("tags", "kept");
    });
    let kept = app(&world, "PROXMOX_PROTECT=tag:kept");
    refused(&world, &kept, move_disk, &params, "guest 120");
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
    let app = app(&world, "");
    let flag = "Proxmox's own flag `protection`";
    for (line, params) in harms() {
        let weight = weigh(&request(line, &params));
        let touched: Vec<String> = weight.touches.iter().map(ToString::to_string).collect();
        let ours = touched
            .iter()
            .any(|touch| touch == "guest 103" || touch.contains("vm-103"));
        if weight.mark.destroys && ours {
            refused(&world, &app, line, &params, flag);
            let would = "would destroy or overwrite it";
            refused(&world, &app, line, &params, would);
        }
    }
    let config = "PUT /nodes/stg-pve2/qemu/103/config";
    refused(&world, &app, config, &json!({"protection": 0}), flag);
    refused(&world, &app, config, &json!({"protection": "off"}), flag);
    let would = "would switch that off";
    refused(&world, &app, config, &json!({"protection": 0}), would);
    refused(&world, &app, config, &json!({"delete": "protection"}), flag);
    passes(&world, &app, config, &json!({"protection": 1}));
    passes(
        &world,
        &app,
        "POST /nodes/stg-pve2/qemu/103/status/shutdown",
        &json!({}),
    );
    passes(
        &world,
        &app,
        "PUT /nodes/stg-pve1/qemu/130/config",
        &json!({"protection": 0}),
    );
}

/// A volume whose guest is gone, a file that belongs to none, and one that nobody owns.
#[test]
fn a_volume_is_its_guests() {
    let world = world();
    let app = app(&world, "PROXMOX_PROTECT=tag:stg");
    let content = "DELETE /nodes/stg-pve2/storage/local-lvm/content";
    refused(
        &world,
        &app,
        &format!("{content}/subvol-101-disk-0"),
        &json!({}),
        "guest 101",
    );
    refused(
        &world,
        &app,
        &format!("{content}/103/base-9-disk-0.raw"),
        &json!({}),
        "guest 103",
    );
    passes(
        &world,
        &app,
        &format!("{content}/vm-130-disk-9"),
        &json!({}),
    );
    passes(
        &world,
        &app,
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
        // That it bears the name is all that is asked of it.
        let read: Vec<String> = world.seen().into_iter().map(|seen| seen.path).collect();
        let of_it = read.iter().filter(|path| path.contains("103"));
        let of_it: Vec<&String> = of_it.collect();
        let held = "/nodes/stg-pve2/qemu/103/status/current";
        assert_eq!(of_it, [held], "{tool}: {read:?}");
    }
}
