//! Clusters that change, or lie, between two requests of a call.

use serde_json::json;

use crate::session::Session;
use crate::sim::guest::{Kind, Status};
use crate::sim::{Fault, World};

/// Between finding a guest and acting on it, its VMID is given to another.
#[test]
fn a_guest_that_has_taken_a_vmid_over_is_not_touched() {
    let calls = [
        (
            "guest_power",
            json!({"guest": "stg-web-02", "action": "shutdown"}),
        ),
        (
            "guest_power",
            json!({"guest": "stg-db-01", "action": "shutdown"}),
        ),
        (
            "guest_configure",
            json!({"guest": "stg-web-02", "memory": 4096}),
        ),
        (
            "guest_disk",
            json!({"guest": "stg-db-01", "action": "resize", "disk": "rootfs", "size": "+1G"}),
        ),
        (
            "guest_clone",
            json!({"guest": "stg-web-02", "name": "stg-copy"}),
        ),
    ];
    for (tool, arguments) in calls {
        let world = World::three();
        let mut session = Session::start(&world);
        let staging = world.cluster("staging");
        let vmid = if arguments["guest"] == "stg-web-02" {
            103
        } else {
            101
        };
        staging.fault(
            Fault::ReuseVmid(vmid)
                .on("GET", "/nodes")
                .times(1)
                .sparing(1),
        );
        let text = session.call(tool, &arguments).error();
        let expected = format!("NotAllowedError: staging: guest {vmid} is `successor`, not `");
        assert!(text.starts_with(&expected), "{tool}: {text}");
        let writes = world.seen().iter().any(|seen| seen.method != "GET");
        assert!(!writes, "{tool} wrote");
        // The list has the old name still; it is known that the guest does not bear it.
        let text = session.call(tool, &arguments).error();
        assert!(text.starts_with("BadArgumentsError: "), "{tool}: {text}");
    }
}

/// Before the guest is acted on, the list has the name of the one that had the VMID before.
#[test]
fn the_name_of_the_dead_means_nobody() {
    for (vmid, name) in [(103, "stg-web-02"), (101, "stg-db-01")] {
        let world = World::three();
        let mut session = Session::start(&world);
        world.cluster("staging").just_now(|state| state.reuse(vmid));
        let text = session
            .call("guest_power", &json!({"guest": name, "action": "shutdown"}))
            .error();
        let expected =
            format!("BadArgumentsError: staging (chosen by pattern stg-) has no guest `{name}`");
        assert!(text.starts_with(&expected), "{text}");
        let seen = world.seen();
        assert!(seen.iter().all(|seen| seen.method == "GET"), "{seen:?}");
        let answer = session
            .call(
                "guest_get",
                &json!({"guest": "successor", "cluster": "staging"}),
            )
            .ok();
        assert_eq!(answer["vmid"], json!(vmid));
    }
}

/// What somebody else has just made stands in the list without a name: it is asked for it.
#[test]
fn a_guest_that_was_just_made_is_found_by_its_name() {
    let world = World::three();
    let staging = world.cluster("staging");
    let make = |vmids: std::ops::Range<u32>| {
        staging.just_now(|state| {
            for vmid in vmids {
                let mut made = state.guests.get(&103).expect("103").clone();
                made.vmid = vmid;
                made.status = Status::Stopped;
                made.set("name", format!("stg-made-{vmid}").as_str());
                state.guests.insert(vmid, made);
            }
        });
    };
    make(140..141);
    let mut session = Session::start(&world);
    let start = |name: &str| json!({"guest": name, "action": "start"});
    let answer = session.call("guest_power", &start("stg-made-140")).ok();
    assert_eq!(answer["vmid"], json!(140));
    // No more of them are asked than so many.
    make(150..180);
    let mut session = Session::start(&world);
    world.seen();
    let error = session.call("guest_power", &start("stg-nobody")).error();
    assert!(error.contains("has no guest `stg-nobody`"), "{error}");
    let asked = world.seen().into_iter();
    let asked = asked.filter(|seen| seen.path.ends_with("/status/current"));
    // Fewer where the two seconds that there are for it have passed.
    assert!((1..=20).contains(&asked.count()));
}

/// A number means the guest that bears it now, whatever the list still calls it.
#[test]
fn a_number_means_who_bears_it_now() {
    let world = World::three();
    let mut session = Session::start(&world);
    let staging = world.cluster("staging");
    let shutdown = json!({"guest": 103, "cluster": "staging", "action": "shutdown"});
    session
        .call("guest_get", &json!({"guest": 103, "cluster": "staging"}))
        .ok();
    staging.just_now(|state| state.reuse(103));
    world.seen();
    let answer = session.call("guest_power", &shutdown).ok();
    assert_eq!(answer["name"], json!("successor"));
    let wrote = |world: &World| -> Vec<String> {
        let seen = world.seen().into_iter();
        let writes = seen.filter(|seen| seen.method != "GET");
        writes.map(|seen| seen.path).collect()
    };
    assert_eq!(wrote(&world), ["/nodes/stg-pve2/qemu/103/status/shutdown"]);
    // One of another kind is reached as what it is.
    staging.just_now(|state| {
        let guest = state.guests.get_mut(&103).expect("103");
        guest.kind = Kind::Lxc;
        guest.status = Status::Running;
    });
    let answer = session.call("guest_power", &shutdown).ok();
    assert_eq!(answer["type"], json!("container"));
    assert_eq!(wrote(&world), ["/nodes/stg-pve2/lxc/103/status/shutdown"]);
}

/// A list that is something else is no empty list.
#[test]
fn what_is_no_list_is_no_answer() {
    for fault in [Fault::SwappedTypes, Fault::ListedFields] {
        for (tool, arguments, path) in [
            ("snapshot_list", json!({"guest": "prod-web-01"}), "/nodes"),
            ("guest_get", json!({"guest": "prod-web-01"}), "/nodes"),
            (
                "task_list",
                json!({"cluster": "production"}),
                "/cluster/tasks",
            ),
        ] {
            let world = World::three();
            let mut session = Session::start(&world);
            world
                .cluster("production")
                .fault(fault.clone().on("GET", path));
            let text = session.call(tool, &arguments).error();
            assert!(
                text.starts_with("ReplyError: production: "),
                "{fault:?} {tool}: {text}"
            );
        }
    }
}
