//! Clusters that change, or lie, between two requests of a call.

use serde_json::json;

use crate::session::Session;
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
        staging.fault(Fault::ReuseVmid(vmid).on("GET", "/nodes").times(1));
        let text = session.call(tool, &arguments).error();
        let expected = format!("NotAllowedError: staging: guest {vmid} is `successor`, not `");
        assert!(text.starts_with(&expected), "{tool}: {text}");
        let writes = world.seen().iter().any(|seen| seen.method != "GET");
        assert!(!writes, "{tool} wrote");
        // It was forgotten where the other one was.
        world.direct("10 s later").expect("an order");
        let text = session.call(tool, &arguments).error();
        assert!(text.starts_with("BadArgumentsError: "), "{tool}: {text}");
    }
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
