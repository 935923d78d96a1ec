//! What is where is asked once a cluster, remembered for a while, and asked again when that is over.

use std::time::Duration;

use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::Origin;
use proxmox_mcp::tool::call::Desk;
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Map, json};

use crate::session::{call, configuration};
use crate::sim::World;
use crate::sim::guest::Kind;

/// How many times each cluster was asked what is where while one guest was read twice.
fn asked(sighting_age: Duration) -> Vec<usize> {
    let world = World::three();
    let mut fleet = Fleet::new(configuration(&world, ""));
    fleet.sighting_age = sighting_age;
    let mut desk = Desk::new(fleet, TOOLSETS, Origin::Mcp);
    let get = tools::find("guest_get").expect("the tool");
    let arguments = Map::from_iter([("guest".to_string(), json!(300))]);
    for _ in 0..2 {
        call(&mut desk, get, &arguments).expect("an answer");
    }
    let count = |name: &str| {
        let seen = world.cluster(name).seen();
        let asked = seen.iter().filter(|seen| seen.path == "/cluster/resources");
        asked.count()
    };
    ["production", "staging", "disaster-recovery"]
        .map(count)
        .into()
}

#[test]
fn each_cluster_is_asked_once_and_again_when_that_is_old() {
    assert_eq!(asked(Duration::from_secs(3600)), [1, 1, 1]);
    // The decision and the guest are read off the same answer only while it is fresh.
    assert!(asked(Duration::ZERO).iter().all(|times| *times >= 2));
}

#[test]
fn a_name_that_is_elsewhere_is_said_to_be_there() {
    let check = |there: &[(&str, u32)], expected: &str| {
        let world = World::three();
        for (cluster, vmid) in there {
            world.cluster(cluster).edit(|state| {
                let guest = state.guests.get_mut(vmid).expect("the guest");
                let key = match guest.kind {
                    Kind::Qemu => "name",
                    Kind::Lxc => "hostname",
                };
                guest.set(key, "prod-lost-01");
            });
        }
        let mut desk = Desk::new(Fleet::new(configuration(&world, "")), TOOLSETS, Origin::Mcp);
        let get = tools::find("guest_get").expect("the tool");
        let arguments = Map::from_iter([("guest".to_string(), json!("prod-lost-01"))]);
        let error = call(&mut desk, get, &arguments).expect_err("no such guest there");
        assert!(error.to_string().contains(expected), "{there:?}: {error}");
    };
    check(&[("staging", 103)], "but on staging");
    check(
        &[("staging", 103), ("disaster-recovery", 300)],
        "but on staging/103/prod-lost-01, disaster-recovery/300/prod-lost-01",
    );
    check(
        &[],
        "production (chosen by pattern prod-) has no guest `prod-lost-01`",
    );
}
