//! `notifications/progress`: who gets it, what it says, and that it grows and ends with the answer.

use proxmox_mcp::mcp::progress::Progress;
use proxmox_mcp::mcp::revision::Revision;
use proxmox_mcp::proxmox::task;
use proxmox_mcp::wait::ProgressUpdate;
use serde_json::{Value, json};

use crate::cli::binary::{Server, until};
use crate::demo::client::Way;
use crate::sim::World;

fn meta(token: &Value) -> Value {
    json!({"progressToken": token})
}

fn lines(revision: Revision, steps: &[(Option<f64>, &str)]) -> Vec<Value> {
    let mut progress = Progress::wanted(&meta(&json!("t")), revision).expect("a token");
    let told = steps.iter().map(|(percent, message)| {
        let line = progress.line(&ProgressUpdate {
            percent: *percent,
            message: (*message).to_string(),
        });
        serde_json::from_str(&line).expect("JSON")
    });
    told.collect()
}

#[test]
fn a_token_is_a_string_or_an_integer() {
    for (token, legal) in [
        (json!("a"), true),
        (json!(""), true),
        (json!(0), true),
        (json!(-1), true),
        (json!(1.5), false),
        (json!(null), false),
        (json!(true), false),
        (json!(["a"]), false),
    ] {
        let wanted = Progress::wanted(&meta(&token), Revision::Icons);
        assert_eq!(wanted.is_some(), legal, "{token}");
    }
    assert!(Progress::wanted(&json!({}), Revision::Stateless).is_none());
}

#[test]
fn it_grows_whatever_the_percentages_do() {
    let steps = [
        (None, "begins"),
        (None, "begins"),
        (Some(40.0), "40%"),
        (Some(100.0), "the first disk"),
        (Some(3.0), "the second disk"),
        (None, "almost"),
        (Some(100.0), "done"),
    ];
    for revision in [Revision::First, Revision::Icons, Revision::Stateless] {
        let told = lines(revision, &steps);
        let mut last = 0.0;
        for (line, (_, message)) in told.iter().zip(steps) {
            assert_eq!(line["method"], json!("notifications/progress"));
            let params = &line["params"];
            assert_eq!(params["progressToken"], json!("t"));
            let progress = params["progress"].as_f64().expect("a number");
            assert!(progress > last && progress < 100.0, "{told:?}");
            last = progress;
            let expected = match revision {
                Revision::First => Value::Null,
                _ => json!(message),
            };
            assert_eq!(params["message"], expected, "{revision:?}");
        }
        assert_eq!(told[0]["params"].get("total"), None);
        assert_eq!(told[2]["params"]["total"], json!(100));
        assert_eq!(told[2]["params"]["progress"], json!(40.0));
    }
}

#[test]
fn percentages_are_read_off_logs() {
    for (line, expected) in [
        ("transferred 1.2 GiB of 8.0 GiB (15.00%) in 3s", Some(15.0)),
        ("progress 15% (read 1234 bytes, duration 1 sec)", Some(15.0)),
        (
            "INFO:  42% (3.4 GiB of 8.0 GiB) in 12s, read: 1 MiB/s",
            Some(42.0),
        ),
        (
            "drive-scsi0: transferred 0.0 B of 32.0 GiB (0.00%) in 0s",
            Some(0.0),
        ),
        ("of 100% nothing is 5 % more", Some(100.0)),
        ("101% of it", None),
        ("100 %", Some(100.0)),
        ("%", None),
        ("1.2.3%", None),
        ("ä%", None),
        ("no number", None),
        ("", None),
    ] {
        assert_eq!(task::percent(line), expected, "{line}");
    }
}

/// The call that waits for a task that does not end, the notifications that came, and the answer.
fn watched(params: Value) -> (Vec<Value>, Value) {
    let world = World::three();
    let staging = world.cluster("staging");
    staging.edit(|state| state.hold = true);
    let mut server = Server::ready(&world.env(), Way::Socket);
    let id = server
        .client
        .ask("tools/call", &params)
        .expect("it is sent");
    let looked = |times: usize| {
        let mut looks = 0;
        until("the task is looked at", || {
            let seen = staging.seen();
            let at_status = |path: &str| path.contains("/tasks/UPID:") && path.ends_with("/status");
            looks += seen.iter().filter(|one| at_status(&one.path)).count();
            looks >= times
        });
    };
    looked(2);
    staging.edit(|state| {
        let upid = state.tasks.last().expect("a task").upid.clone();
        state.say(
            &upid,
            vec!["first".into(), "progress 15% (read 1 byte)".into()],
        );
    });
    // The look after the next one: whatever was told of the log is told by then.
    looked(2);
    staging.edit(|state| state.hold = false);
    let mut told = Vec::new();
    loop {
        let line = server.client.receive().expect("it answers");
        if line.get("id").is_some() {
            assert_eq!(line["id"], json!(id));
            // Nothing comes after the answer: the next line is that of the next request.
            server
                .client
                .request("tools/list", &json!({"_meta": params["_meta"]}))
                .expect("tools");
            server.ends();
            return (told, line["result"].clone());
        }
        told.push(line);
    }
}

fn start() -> Value {
    json!({"guest": "stg-web-01", "action": "start", "wait": 25})
}

#[test]
fn a_wait_tells_what_the_log_says() {
    let modern = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 7,
    });
    for (meta, token) in [
        (json!({"progressToken": "p"}), json!("p")),
        (modern, json!(7)),
    ] {
        let params = json!({"name": "guest_power", "arguments": start(), "_meta": meta});
        let (told, result) = watched(params);
        assert_eq!(
            result["structuredContent"]["state"],
            json!("ok"),
            "{result}"
        );
        let mut last = 0.0;
        for line in &told {
            assert_eq!(line["method"], json!("notifications/progress"), "{line}");
            assert_eq!(line["params"]["progressToken"], token);
            let progress = line["params"]["progress"].as_f64().expect("a number");
            assert!(progress > last, "{told:?}");
            last = progress;
        }
        assert_eq!(told[0]["params"]["message"], json!("qmstart 100 runs"));
        let read = told.iter().any(|line| {
            line["params"]["progress"] == json!(15.0)
                && line["params"]["message"] == json!("progress 15% (read 1 byte)")
        });
        assert!(read, "{told:?}");
    }
}

#[test]
fn who_gives_no_token_is_told_nothing() {
    let params = json!({"name": "guest_power", "arguments": start()});
    let (told, _) = watched(params);
    assert_eq!(told, Vec::<Value>::new());
}
