//! How much is asked of a cluster for a call that is confirmed: its question or plan, and the reply or code
//! with which it acts. What was only shown is not read again.

use serde_json::{Map, Value, json};

use crate::mcp::ask::{accept, asking};
use crate::session::Session;
use crate::sim::World;

/// A call that asks, on a cluster that is known by then.
struct AskingCall {
    tool: &'static str,
    arguments: Value,
    /// So many requests it takes at most, whichever way it is confirmed.
    requests_max: usize,
}

fn calls() -> [AskingCall; 5] {
    [
        AskingCall {
            tool: "guest_delete",
            arguments: json!({"guest": "stg-web-01"}),
            requests_max: 20,
        },
        AskingCall {
            tool: "guest_power",
            arguments: json!({"guest": "stg-web-02", "action": "stop"}),
            requests_max: 18,
        },
        AskingCall {
            tool: "snapshot_delete",
            arguments: json!({"guest": "stg-web-01", "snapname": "before"}),
            requests_max: 18,
        },
        AskingCall {
            tool: "snapshot_rollback",
            arguments: json!({"guest": "stg-web-01", "snapname": "before"}),
            requests_max: 24,
        },
        AskingCall {
            tool: "guest_disk",
            arguments: json!({"guest": "stg-web-01", "action": "remove", "disk": "unused0"}),
            requests_max: 24,
        },
    ]
}

/// Has the cluster known by name, version and privileges, and the guest as the call needs it.
fn prepare(session: &mut Session, call: &AskingCall) {
    let guest = json!({"guest": "stg-web-01"});
    let mut made = guest.clone();
    let tool = if call.tool == "guest_disk" {
        made["action"] = json!("detach");
        made["disk"] = json!("scsi0");
        "guest_disk"
    } else {
        made["snapname"] = json!("before");
        "snapshot_create"
    };
    assert_eq!(session.call(tool, &made).ok()["state"], json!("ok"));
    for guest in ["stg-web-01", "stg-web-02"] {
        session.call("guest_get", &json!({"guest": guest})).ok();
    }
}

/// What was asked of the clusters while this was done. How often a task is looked at is a matter of time.
fn requests(world: &World, done: impl FnOnce()) -> Vec<String> {
    world.seen();
    done();
    let seen = world.seen().into_iter();
    let lines = seen.map(|one| format!("{} {} {}", one.method, one.path, Value::from(one.params)));
    let mut lines: Vec<String> = lines.collect();
    lines.dedup_by(|one, other| one == other && one.contains("/tasks/UPID:"));
    lines
}

fn by_question(call: &AskingCall) -> Vec<String> {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    prepare(&mut session, call);
    requests(&world, || {
        let answer = session.call_asked(call.tool, &call.arguments, |question| {
            let properties = &question["requestedSchema"]["properties"];
            match properties.get("name") {
                Some(_) => accept(json!({"name": call.arguments["guest"]})),
                None => accept(json!({"agree": true})),
            }
        });
        assert_eq!(answer.ok()["confirmed_by"], json!("user"));
    })
}

fn by_code(call: &AskingCall) -> Vec<String> {
    let world = World::three();
    let mut session = Session::start(&world);
    prepare(&mut session, call);
    requests(&world, || {
        let mut arguments = call.arguments.clone();
        let planned = session.call(call.tool, &arguments).ok();
        arguments["confirm"] = planned["confirm"].clone();
        let answer = session.call(call.tool, &arguments).ok();
        assert_eq!(answer["confirmed_by"], json!("code"));
    })
}

#[test]
fn what_was_only_shown_is_not_read_again() {
    let mut found = Vec::new();
    for call in &calls() {
        for (way, requests) in [("question", by_question(call)), ("code", by_code(call))] {
            if requests.len() > call.requests_max {
                found.push(format!(
                    "{} by {way}: {} requests, {} at most:\n  {}",
                    call.tool,
                    requests.len(),
                    call.requests_max,
                    requests.join("\n  ")
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Where the guest has changed since its plan was shown, the code leads to a plan that has all of it again.
#[test]
fn a_new_plan_is_shown_whole() {
    let world = World::three();
    let mut session = Session::start(&world);
    let guest = json!({"guest": "stg-web-01"});
    let confirmed = |code: &Value| json!({"guest": "stg-web-01", "confirm": code});
    let mut code = session.call("guest_delete", &guest).ok()["confirm"].clone();
    for (tool, change) in [
        (
            "guest_configure",
            json!({"guest": "stg-web-01", "cores": 3}),
        ),
        (
            "snapshot_create",
            json!({"guest": "stg-web-01", "snapname": "one"}),
        ),
        ("backup_create", json!({"guest": "stg-web-01"})),
        (
            "guest_configure",
            json!({"guest": "stg-web-01", "memory": 3072}),
        ),
    ] {
        session.call(tool, &change).ok();
        if tool == "backup_create" {
            // It is no part of what was confirmed.
            continue;
        }
        let again = session.call("guest_delete", &confirmed(&code)).ok();
        assert_eq!(
            again["because"],
            json!("what the call addresses has changed since the plan was made"),
            "{tool}"
        );
        assert!(again["plan"].get("last_backup").is_some(), "{again:?}");
        let anew = session.call("guest_delete", &guest).ok();
        let plan = |answer: &Map<String, Value>| {
            let mut plan = answer["plan"].clone();
            // It grows older.
            if let Some(last) = plan["last_backup"].as_object_mut() {
                last.remove("age");
            }
            plan
        };
        assert_eq!(plan(&again), plan(&anew), "{tool}");
        code = anew["confirm"].clone();
    }
    let seen = world.seen().into_iter();
    assert_eq!(seen.filter(|one| one.method == "DELETE").count(), 0);
}
