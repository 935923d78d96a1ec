//! Protection: nothing takes a guest out of its rule, and a rule that cannot be checked protects.

use proxmox_mcp::error::Error;
use serde_json::{Value, json};

use crate::protect::{desk, passes, refused, request, send, world};
use crate::sim::Fault;

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
