//! What is where is asked once a cluster, remembered for a while, and asked again when that is over.

use std::time::Duration;

use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::fleet::index::ResourceIndex;
use proxmox_mcp::gate::CallOrigin;
use proxmox_mcp::room;
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Map, Value, json};

use crate::session::{call, configuration};
use crate::sim::World;
use crate::sim::guest::Kind;

/// How many times each cluster was asked what is where while one guest was read twice.
fn asked(index_age: Duration) -> Vec<usize> {
    let world = World::three();
    let mut fleet = Fleet::new(configuration(&world, ""));
    fleet.index_age = index_age;
    let mut app = AppState::new(fleet, TOOLSETS, CallOrigin::Mcp);
    let get = tools::find("guest_get").expect("the tool");
    let arguments = Map::from_iter([("guest".to_string(), json!(300))]);
    for _ in 0..2 {
        call(&mut app, get, &arguments).expect("an answer");
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
        let mut app = AppState::new(
            Fleet::new(configuration(&world, "")),
            TOOLSETS,
            CallOrigin::Mcp,
        );
        let get = tools::find("guest_get").expect("the tool");
        let arguments = Map::from_iter([("guest".to_string(), json!("prod-lost-01"))]);
        let error = call(&mut app, get, &arguments).expect_err("no such guest there");
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

fn guest_row(vmid: u32, name: &str, node: &str) -> Value {
    json!({"id": format!("qemu/{vmid}"), "type": "qemu", "vmid": vmid, "name": name, "node": node,
           "status": "running"})
}

fn node_row(node: &str, status: &str) -> Value {
    json!({"id": format!("node/{node}"), "type": "node", "node": node, "status": status})
}

fn rows_of(list: &[Value]) -> Result<ResourceIndex, String> {
    let body = json!({"data": list}).to_string();
    // What it notes is counted until the work ends.
    room::work(|| ResourceIndex::read(body.as_bytes())).0
}

#[test]
fn what_is_where_is_read_off_one_list() {
    let rows = rows_of(&[
        node_row("a1", "online"),
        node_row("a2", "offline"),
        node_row("", "online"),
        // Its node comes later, or not at all.
        guest_row(100, "web", "a3"),
        guest_row(101, "db", "a1"),
        node_row("a3", "online"),
        json!({"id": "storage/a1/nas", "type": "storage", "storage": "nas", "node": "a1"}),
        json!({"id": "storage/a2/nas", "type": "storage", "storage": "nas", "node": "a2"}),
        json!({"id": "storage/a2/local", "type": "storage", "storage": "local", "node": "a2"}),
        json!({"id": "/pool/core", "type": "pool", "pool": "core"}),
        json!({"id": "sdn/a1/zone", "type": "sdn", "sdn": "zone", "node": "a1"}),
    ])
    .expect("the list");
    assert_eq!(rows.nodes(), ["a1", "a2", "a3"]);
    assert_eq!(rows.online(), ["a1", "a3"]);
    assert_eq!(rows.storages(), ["nas", "local"]);
    assert_eq!(rows.pools(), ["core"]);
    let asked = ["a1", "a2", "a3", "nas"];
    assert_eq!(
        asked.map(|node| rows.is_online(node)),
        [true, false, true, false]
    );
    assert_eq!(
        asked.map(|node| rows.has_node(node)),
        [true, true, true, false]
    );
    assert_eq!(
        asked.map(|storage| rows.has_storage(storage)),
        [false, false, false, true]
    );
    assert_eq!(
        ["core", "cor", "nas"].map(|pool| rows.has_pool(pool)),
        [true, false, false]
    );
}

#[test]
fn more_names_than_a_cluster_has_are_refused() {
    let nodes = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|number| node_row(&format!("n{number}"), "offline"))
            .collect()
    };
    assert!(rows_of(&nodes(5_000)).is_ok());
    let error = rows_of(&nodes(5_001)).err().expect("too many");
    assert_eq!(error, "it names more than 5000 nodes, storages or pools");
}

/// What is kept is counted: each guest as much as the one before, each name with its own length.
#[test]
fn the_memory_of_what_is_where_is_told() {
    let bytes = |guests: u32, node: &str| {
        let mut list = vec![node_row(node, "online")];
        list.extend((0..guests).map(|number| guest_row(100 + number, "eightlet", node)));
        let rows = rows_of(&list).expect("the list");
        (rows.guest_bytes(), rows.bytes())
    };
    let noted = |node: &str| {
        let body = json!({"data": [node_row(node, "offline")]}).to_string();
        room::work(|| ResourceIndex::read(body.as_bytes())).1
    };
    assert_eq!(noted("abcdefghijk") - noted("a"), 10);
    let noted = |guest: &str| {
        let body = json!({"data": [guest_row(100, guest, "a")]}).to_string();
        room::work(|| ResourceIndex::read(body.as_bytes())).1
    };
    assert_eq!(noted("abcdefghijk") - noted("a"), 10);
    let (one, _) = bytes(1, "a");
    assert!((16..=64).contains(&one), "{one} bytes a guest");
    assert_eq!(bytes(0, "a").0, 0);
    assert_eq!(bytes(7, "a").0, 7 * one);
    let (short, long) = (bytes(7, "a"), bytes(7, "abcdefghijk"));
    assert_eq!(short.0, long.0);
    assert_eq!(long.1 - short.1, 10);
    assert!(
        short.1 > short.0 + 1 && short.1 < short.0 + 100,
        "{short:?}"
    );
}
