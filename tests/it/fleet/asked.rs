//! What nodes say of a guest when they are asked: who it is, where it is, and that nobody else is taken
//! for it.

use serde_json::{Value, json};

use crate::session::Session;
use crate::sim::guest::Status;
use crate::sim::{Fault, World};

const CURRENT: &str = "/nodes/stg-pve2/qemu/103/status/current";

fn says(data: &Value) -> Fault {
    Fault::Body(json!({"data": data}).to_string().into_bytes())
}

/// The writes that reached a cluster.
fn writes(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter();
    let writes = seen.filter(|seen| seen.method != "GET");
    writes
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

fn shutdown(guest: &str) -> Value {
    json!({"guest": guest, "action": "shutdown"})
}

#[test]
fn who_does_not_say_its_name_is_not_written_to() {
    for fault in [Fault::BadJson, says(&json!([])), says(&json!("running"))] {
        let world = World::three();
        let mut session = Session::start(&world);
        let staging = world.cluster("staging");
        staging.fault(fault.clone().on("GET", CURRENT).times(1));
        let error = session.call("guest_power", &shutdown("stg-web-02")).error();
        assert!(
            error.starts_with("ReplyError: staging: "),
            "{fault:?}: {error}"
        );
        assert_eq!(writes(&world), [""; 0]);
    }
}

/// One that has no name is not an error: then its node's list says who bears the name.
#[test]
fn who_says_no_name_is_looked_for_on_its_node() {
    let world = World::three();
    let mut session = Session::start(&world);
    let nameless = says(&json!({"vmid": 103, "status": "running"}));
    let staging = world.cluster("staging");
    staging.fault(nameless.on("GET", CURRENT).times(1));
    session.call("guest_power", &shutdown("stg-web-02")).ok();
    assert_eq!(
        writes(&world),
        ["POST /nodes/stg-pve2/qemu/103/status/shutdown"]
    );
}

/// A list that does not have it yet: the nodes are asked for all that they have.
#[test]
fn a_guest_that_the_list_does_not_have_is_found_on_its_node() {
    for guest in [json!(103), json!("stg-web-02")] {
        let world = World::three();
        let staging = world.cluster("staging");
        staging.edit(|state| {
            state.guests.get_mut(&103).expect("stg-web-02").status = Status::Stopped;
        });
        let node = |name: &str| json!({"type": "node", "id": format!("node/{name}"), "node": name, "status": "online"});
        let rows = json!([node("stg-pve1"), node("stg-pve2")]);
        staging.fault(says(&rows).on("GET", "/cluster/resources"));
        let mut session = Session::start(&world);
        let start = json!({"guest": guest, "cluster": "staging", "action": "start"});
        let answer = session.call("guest_power", &start).ok();
        assert_eq!(answer["node"], json!("stg-pve2"));
        assert_eq!(
            writes(&world),
            ["POST /nodes/stg-pve2/qemu/103/status/start"]
        );
        let nobody = json!({"guest": 977, "cluster": "staging", "action": "start"});
        let error = session.call("guest_power", &nobody).error();
        assert!(error.contains("has no guest 977"), "{error}");
    }
}

/// A guest that moves behind the list is found where it is before anything is written.
#[test]
fn a_guest_that_has_moved_is_written_to_where_it_is() {
    let world = World::three();
    let mut session = Session::start(&world);
    let moves = Fault::MoveGuest(103).on("GET", CURRENT).times(1);
    world.cluster("staging").fault(moves);
    session.call("guest_power", &shutdown("stg-web-02")).ok();
    assert_eq!(
        writes(&world),
        ["POST /nodes/stg-pve1/qemu/103/status/shutdown"]
    );
}

/// A read that failed is made once more only where its guest turned out to be called otherwise.
#[test]
fn a_read_of_who_was_meant_is_not_repeated() {
    let world = World::three();
    let mut session = Session::start(&world);
    // Its name is known by now from itself.
    session.call("guest_power", &shutdown("stg-web-02")).ok();
    let config = "/nodes/stg-pve2/qemu/103/config";
    world
        .cluster("staging")
        .fault(says(&json!("nothing")).on("GET", config));
    for guest in [json!("stg-web-02"), json!(103)] {
        world.seen();
        let read = json!({"guest": guest, "cluster": "staging", "include": ["config"]});
        let error = session.call("guest_get", &read).error();
        assert!(error.starts_with("ReplyError: "), "{error}");
        let reads = world
            .seen()
            .iter()
            .filter(|seen| seen.path == config)
            .count();
        assert_eq!(reads, 1, "{guest}");
    }
}

/// A VMID that was given a moment ago is asked for its name, which lists do not have yet.
#[test]
fn the_tasks_of_who_was_just_made_bear_its_name() {
    let world = World::three();
    let make = json!({"name": "stg-fresh", "vmid": 150, "disk_gib": 1, "wait": 20});
    Session::start(&world).call("guest_create_vm", &make).ok();
    // Somebody else, who did not make it.
    let mut session = Session::start(&world);
    let listed = json!({"cluster": "staging", "guest": 150});
    let answer = session.call("task_list", &listed).ok();
    assert_eq!(answer["items"][0]["name"], json!("stg-fresh"), "{answer:?}");
}

/// Where a guest is instead does not depend on the name of what is to be made beside it.
#[test]
fn all_clusters_that_have_it_are_named() {
    let world = World::three();
    let mut session = Session::start(&world);
    let clone = json!({"guest": 100, "cluster": "disaster-recovery", "name": "stg-copy"});
    let error = session.call("guest_clone", &clone).error();
    for there in ["production/100", "staging/100"] {
        assert!(error.contains(there), "{error}");
    }
}
