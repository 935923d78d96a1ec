//! Several calls at once: each ends as what it waits for ends, and none delays another. What is compared is
//! the order of answers, and no time.

use std::fs;
use std::path::{Path, PathBuf};

use proxmox_mcp::gate::confirm::QUESTIONS_MAX;
use proxmox_mcp::mcp::open_calls::OPEN_MAX;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::binary::{Server, until};
use crate::demo::client::{Client, Way};
use crate::demo::write_private;
use crate::gate::audit::place;
use crate::mcp::ask::{accept, went_well, writes};
use crate::session::{Manner, Session, app};
use crate::sim::{Fault, SimCluster, World};

const WAYS: [Way; 2] = [Way::Pipe, Way::Socket];

fn start(wait: u64) -> Value {
    json!({"name": "guest_power",
        "arguments": {"guest": "stg-web-01", "action": "start", "wait": wait}})
}

/// The making of a guest, as a call that waits for its task.
fn make(cluster: &str, vmid: u32) -> Value {
    json!({"name": "guest_create_vm", "arguments":
        {"cluster": cluster, "name": format!("new-{vmid}"), "vmid": vmid, "wait": 25}})
}

/// With a client that can ask its user.
fn asking(way: Way, world: &World) -> Session {
    let app = app(world, "PROXMOX_CONFIRM=auto");
    Session::held_by(way, app, Manner::asking("2025-11-25"))
}

/// No task of the cluster ends by itself from now on.
fn hold(cluster: &SimCluster) {
    cluster.edit(|state| state.hold = true);
}

fn release(cluster: &SimCluster) {
    cluster.edit(|state| state.hold = false);
}

/// Waits until so many tasks of the cluster have been begun that have not ended. The server may not have
/// been told of the last one yet: who needs that asks something more, which is answered behind it.
fn running(cluster: &SimCluster, count: usize) {
    until("the tasks are begun", || {
        let mut now = 0;
        cluster.edit(|state| {
            now = state.tasks.iter().filter(|task| task.end.is_none()).count();
        });
        now == count
    });
}

/// Ends the task of the cluster that makes this guest.
fn end(cluster: &SimCluster, vmid: u32) {
    cluster.edit(|state| {
        let made = state
            .tasks
            .iter()
            .find(|task| task.id == vmid.to_string() && task.end.is_none());
        let upid = made.expect("its task").upid.clone();
        state.end(&upid);
    });
}

#[test]
fn others_are_answered_while_a_call_waits() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut server = Server::ready(&world.env(), way);
        let client = &mut server.client;
        let waits = client
            .ask("tools/call", &make("staging", 900))
            .expect("it is sent");
        running(staging, 1);
        // One thread: each is answered before the next is begun.
        let ping = client.ask("ping", &json!({})).expect("it is sent");
        let list = json!({"name": "guest_list", "arguments": {"cluster": "staging"}});
        let list = client.ask("tools/call", &list).expect("it is sent");
        // The second creation on the cluster is done at once, and does not wait.
        let mut second = make("staging", 901);
        second["arguments"]["wait"] = json!(0);
        let made = client.ask("tools/call", &second).expect("it is sent");
        for id in [ping, list, made] {
            let reply = client.receive().expect("an answer");
            assert_eq!(reply["id"], json!(id), "{reply}");
            assert!(went_well(&reply), "{reply}");
        }
        release(staging);
        let reply = client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(waits));
        let answer = &reply["result"]["structuredContent"];
        assert_eq!(
            (&answer["vmid"], &answer["state"]),
            (&json!(900), &json!("ok"))
        );
        server.ends();
    }
}

/// Each with progress of its own.
#[test]
fn eight_calls_wait_and_each_ends_as_its_task_ends() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut server = Server::ready(&world.env(), way);
        let vmids: Vec<u32> = (901..909).collect();
        let mut ids = Vec::new();
        for vmid in &vmids {
            let mut call = make("staging", *vmid);
            call["_meta"] = json!({"progressToken": vmid});
            ids.push(server.client.ask("tools/call", &call).expect("it is sent"));
        }
        running(staging, vmids.len());
        let mut told = std::collections::BTreeSet::new();
        let mut receive = |server: &mut Server| loop {
            let message = server.client.receive().expect("a message");
            if message["method"] == json!("notifications/progress") {
                let token = message["params"]["progressToken"].clone();
                let said = message["params"]["message"].to_string();
                assert_eq!(said, format!("\"qmcreate {token} runs\""), "{message}");
                told.insert(token.as_u64());
                continue;
            }
            break message;
        };
        let list = json!({"name": "guest_list", "arguments": {"cluster": "production"}});
        let list = server.client.ask("tools/call", &list).expect("it is sent");
        // All of them wait.
        assert_eq!(receive(&mut server)["id"], json!(list));
        for at in [3, 0, 7, 5, 1, 2, 6, 4] {
            end(staging, vmids[at]);
            let reply = receive(&mut server);
            assert_eq!(reply["id"], json!(ids[at]), "{reply}");
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["vmid"], json!(vmids[at]), "{reply}");
            assert_eq!(answer["state"], json!("ok"), "{reply}");
        }
        assert_eq!(told.len(), vmids.len());
        server.ends();
    }
}

#[test]
fn one_of_several_is_withdrawn() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut session = Session::start_by(way, &world);
        let calls: Vec<u64> = (901..904)
            .map(|vmid| session.ask("tools/call", &make("staging", vmid)))
            .collect();
        running(staging, 3);
        session.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                             "params": {"requestId": calls[1]}}),
        );
        // Its id is free again.
        session.send(&json!({"jsonrpc": "2.0", "id": calls[1], "method": "ping"}));
        let pong = session.receive().expect("a pong");
        assert_eq!(
            pong,
            json!({"jsonrpc": "2.0", "id": calls[1], "result": {}})
        );
        // Others are not: they are in flight.
        session.send(&json!({"jsonrpc": "2.0", "id": calls[0], "method": "ping"}));
        let refused = session.receive().expect("a refusal");
        assert_eq!(refused["error"]["code"], json!(-32600), "{refused}");
        for vmid in [902, 903, 901] {
            end(staging, vmid);
        }
        let mut answered: Vec<u64> = (0..2)
            .map(|_| {
                session.receive().expect("an answer")["id"]
                    .as_u64()
                    .expect("an id")
            })
            .collect();
        answered.sort_unstable();
        assert_eq!(answered, [calls[0], calls[2]]);
        session.call("guest_list", &json!({})).ok();
    }
}

#[test]
fn at_the_end_of_input_all_are_answered() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut server = Server::ready(&world.env(), way);
        for vmid in 901..905 {
            let call = make("staging", vmid);
            server.client.ask("tools/call", &call).expect("it is sent");
        }
        running(staging, 4);
        let (status, rest, stderr) = server.client.end().expect("it ends");
        assert!(status.success(), "{status}: {stderr}");
        assert_eq!(rest.len(), 4, "{rest:?}");
        for line in rest {
            let reply: Value = serde_json::from_str(&line).expect("JSON");
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["state"], json!("running"), "{line}");
            assert!(answer["task"].is_string(), "{line}");
        }
    }
}

/// Eight wait for a cluster that is no more: each is answered when its own time is up, by what is known,
/// and another cluster answers meanwhile.
#[test]
fn a_cluster_dies_while_eight_calls_wait_for_it() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut session = Session::start_by(way, &world);
        let mut calls = Vec::new();
        for vmid in 901..909 {
            let mut call = make("staging", vmid);
            call["arguments"]["wait"] = json!(4);
            calls.push(session.ask("tools/call", &call));
        }
        running(staging, 8);
        let list = json!({"name": "guest_list", "arguments": {"cluster": "production"}});
        // Answered when all eight wait: a creation that is cut off would say so.
        session.call("guest_list", &list["arguments"]).ok();
        staging.fault(Fault::Refuse);
        let list = session.ask("tools/call", &list);
        let mut ended = Vec::new();
        let mut listed_behind = None;
        while ended.len() < 8 || listed_behind.is_none() {
            let reply = session.receive().expect("an answer");
            if reply["id"] == json!(list) {
                listed_behind = Some(ended.len());
                continue;
            }
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["state"], json!("running"), "{reply}");
            let unseen = answer["unseen"].as_str().unwrap_or_default();
            assert!(unseen.starts_with("staging: "), "{reply}");
            ended.push(reply["id"].as_u64().expect("an id"));
        }
        assert!(listed_behind.is_some_and(|before| before < 8));
        ended.sort_unstable();
        assert_eq!(ended, calls);
    }
}

/// A cluster that takes longer than a look may beside others is given more time the next time.
#[test]
fn a_slow_cluster_is_seen_beside_others() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        let mut session = Session::start_by(way, &world);
        hold(staging);
        let calls: Vec<u64> = (901..903)
            .map(|vmid| session.ask("tools/call", &make("staging", vmid)))
            .collect();
        running(staging, 2);
        // Both wait: their first looks had all the time there is.
        session
            .call("guest_list", &json!({"cluster": "production"}))
            .ok();
        let slow = Fault::Latency(1500).on("GET", "/nodes/stg-pve1/tasks/");
        staging.fault(slow);
        staging.seen();
        release(staging);
        for _ in calls {
            let reply = session.receive().expect("an answer");
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["state"], json!("ok"), "{reply}");
        }
        // But not the first time, when another call would have waited for it.
        let looks = staging.seen();
        let looks = looks.iter().filter(|one| one.path.ends_with("/status"));
        assert!(looks.count() > 2);
    }
}

#[test]
fn over_the_limit_a_call_does_not_wait() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let mut session = asking(way, &world);
        // Questions are none of those that wait.
        for timeout in 1..=3 {
            asked(&mut session, &stop(timeout));
        }
        let first = 1000;
        let vmids = first..first + u32::try_from(OPEN_MAX).expect("a number");
        for vmid in vmids.clone() {
            session.ask("tools/call", &make("staging", vmid));
        }
        running(staging, OPEN_MAX);
        let last = session.ask("tools/call", &make("staging", vmids.end));
        let reply = session.receive().expect("an answer");
        assert_eq!(reply["id"], json!(last), "{reply}");
        let answer = &reply["result"]["structuredContent"];
        assert_eq!(answer["state"], json!("running"), "{reply}");
        // The others are open as before.
        end(staging, first);
        let reply = session.receive().expect("an answer");
        let answer = &reply["result"]["structuredContent"];
        assert_eq!(
            (&answer["vmid"], &answer["state"]),
            (&json!(first), &json!("ok"))
        );
        release(staging);
    }
}

fn delete(guest: &str, cluster: &str) -> Value {
    json!({"name": "guest_delete", "arguments": {"guest": guest, "cluster": cluster}})
}

/// A call that asks, another one for each time.
fn stop(timeout: u32) -> Value {
    json!({"name": "guest_power",
           "arguments": {"guest": "prod-web-01", "action": "stop", "timeout": timeout}})
}

/// Asks about a call; its id, and that of the question.
fn asked(session: &mut Session, params: &Value) -> (u64, Value) {
    let id = session.ask("tools/call", params);
    let question = session.receive().expect("a question");
    assert_eq!(
        question["method"],
        json!("elicitation/create"),
        "{question}"
    );
    (id, question["id"].clone())
}

fn refused(session: &mut Session, id: u64) -> String {
    let reply = session.receive().expect("an answer");
    assert_eq!(reply["id"], json!(id), "{reply}");
    assert_eq!(reply["result"]["isError"], json!(true), "{reply}");
    let text = reply["result"]["content"][0]["text"].as_str();
    text.expect("a text").to_string()
}

#[test]
fn the_same_question_is_not_asked_twice() {
    for way in WAYS {
        let world = World::three();
        let mut session = asking(way, &world);
        let params = delete("billing", "production");
        let (first, question) = asked(&mut session, &params);
        let again = session.ask("tools/call", &params);
        assert_eq!(
            refused(&mut session, again),
            "NotAllowedError: the user is being asked about this very call already; nothing was sent\n\
             hint: wait for the answer to that call"
        );
        // However the guest is named.
        let by_vmid = json!({"name": "guest_delete",
                             "arguments": {"guest": 110, "cluster": "production"}});
        let again = session.ask("tools/call", &by_vmid);
        let text = refused(&mut session, again);
        assert!(text.contains("about this very call already"), "{text}");
        assert_eq!(writes(&world), [""; 0]);
        // The first one is not touched by that.
        session.send(&json!({"jsonrpc": "2.0", "id": question,
                             "result": accept(json!({"name": "billing"}))}));
        let reply = session.receive().expect("an answer");
        assert_eq!(reply["id"], json!(first), "{reply}");
        assert_eq!(writes(&world).len(), 1);
    }
}

#[test]
fn the_ninth_question_is_refused() {
    for way in WAYS {
        let world = World::three();
        let mut session = asking(way, &world);
        let mut questions = Vec::new();
        // Each is a call of its own.
        let options = |count: usize| {
            let mut params = delete("billing", "production");
            for (at, name) in ["purge", "destroy_unreferenced_disks"].iter().enumerate() {
                match count / 3usize.pow(u32::try_from(at).expect("a number")) % 3 {
                    0 => {}
                    given => params["arguments"][name] = json!(given == 1),
                }
            }
            params
        };
        for count in 0..QUESTIONS_MAX {
            questions.push(asked(&mut session, &options(count)));
        }
        let params = options(QUESTIONS_MAX);
        let ninth = session.ask("tools/call", &params);
        let text = refused(&mut session, ninth);
        assert!(
            text.starts_with("NotAllowedError: 8 questions are before the user already")
                && text.contains("nothing was sent"),
            "{text}"
        );
        // Which of them is asked already is told first.
        let again = session.ask("tools/call", &options(2));
        let text = refused(&mut session, again);
        assert!(text.contains("about this very call already"), "{text}");
        // The user's answers come in any order.
        let (id, question) = questions.remove(2);
        session.send(&json!({"jsonrpc": "2.0", "id": question, "result": {"action": "decline"}}));
        let text = refused(&mut session, id);
        assert!(text.contains("the user declined"), "{text}");
        // There is room for another now.
        asked(&mut session, &params);
        assert_eq!(writes(&world), [""; 0]);
    }
}

/// What was shown has changed when the user agrees: another call of the same client was faster.
#[test]
fn a_plan_that_went_stale_while_the_user_thought_is_not_carried_out() {
    for way in WAYS {
        let world = World::three();
        let mut session = asking(way, &world);
        let (call, question) = asked(&mut session, &delete("billing", "production"));
        let change = json!({"guest": "billing", "cluster": "production", "cores": 3});
        session.call("guest_configure", &change).ok();
        session.send(&json!({"jsonrpc": "2.0", "id": question,
                             "result": accept(json!({"name": "billing"}))}));
        let text = refused(&mut session, call);
        let expected =
            "what the call addresses has changed since the plan was made; nothing was sent";
        assert!(text.contains(expected), "{text}");
        let deletes = writes(&world)
            .into_iter()
            .filter(|write| write.contains(" DELETE "));
        assert_eq!(deletes.count(), 0);
    }
}

/// However many others are asked about and withdrawn.
#[test]
fn a_question_is_good_as_long_as_it_is_open() {
    for way in WAYS {
        let world = World::three();
        let mut session = asking(way, &world);
        let (first, question) = asked(&mut session, &delete("billing", "production"));
        for timeout in 1..=70 {
            let (id, _) = asked(&mut session, &stop(timeout));
            session.send(
                &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                        "params": {"requestId": id}}),
            );
            let withdrawn = session.receive().expect("a notification");
            assert_eq!(withdrawn["method"], json!("notifications/cancelled"));
        }
        session.send(&json!({"jsonrpc": "2.0", "id": question,
                             "result": accept(json!({"name": "billing"}))}));
        let reply = session.receive().expect("an answer");
        assert_eq!(reply["id"], json!(first), "{reply}");
        assert!(went_well(&reply), "{reply}");
        assert_eq!(writes(&world).len(), 1);
    }
}

/// How each call ended that was open stands in the audit file: one line says so.
#[test]
fn the_audit_file_says_how_what_was_open_has_ended() {
    let world = World::three();
    let staging = world.cluster("staging");
    hold(staging);
    let (_folder, path) = place();
    let more = format!(
        "PROXMOX_CONFIRM=auto\nPROXMOX_AUDIT_LOG={}\n",
        path.display()
    );
    let mut session = Session::held(app(&world, &more), Manner::asking("2025-11-25"));
    let cancelled = |id: u64| {
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
               "params": {"requestId": id}})
    };
    let (id, _) = asked(&mut session, &delete("billing", "production"));
    session.send(&cancelled(id));
    session.receive().expect("a notification");
    let waits = session.ask("tools/call", &make("staging", 901));
    running(staging, 1);
    session
        .call("guest_list", &json!({"cluster": "production"}))
        .ok();
    session.send(&cancelled(waits));
    session
        .call("guest_list", &json!({"cluster": "production"}))
        .ok();
    asked(&mut session, &delete("billing", "production"));
    session.close_input();
    while session.receive().is_some() {}
    let text = fs::read_to_string(&path).expect("the file");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let ends: Vec<Value> = lines
        .filter(|line: &Value| line["kind"] == json!("outcome"))
        .filter(|line: &Value| line["tool"] != json!("guest_list"))
        .collect();
    let said: Vec<(&str, &str)> = ends
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            (text("tool"), text("outcome"))
        })
        .collect();
    let expected = [
        ("guest_delete", "asked"),
        ("guest_delete", "CancelledError"),
        ("guest_create_vm", "CancelledError"),
        ("guest_delete", "asked"),
        ("guest_delete", "NotAllowedError"),
    ];
    assert_eq!(said, expected);
    assert_eq!(ends[1]["cluster"], json!("production"));
    let task = ends[2]["task"].as_str().expect("its task");
    assert!(task.starts_with("staging!UPID:"), "{task}");
}

/// What a task's log does not say is no reason to stop waiting for it.
#[test]
fn a_log_that_cannot_be_read_ends_no_wait() {
    let world = World::three();
    let staging = world.cluster("staging");
    hold(staging);
    let mut session = Session::start(&world);
    let mut call = make("staging", 901);
    call["_meta"] = json!({"progressToken": 7});
    let call = session.ask("tools/call", &call);
    running(staging, 1);
    // What was seen is told once.
    let next_log = || {
        let mut path = None;
        until("its log is read", || {
            let mut seen = staging.seen().into_iter();
            path = seen.find(|one| one.path.ends_with("/log"));
            path.is_some()
        });
        path.map(|seen| seen.path).unwrap_or_default()
    };
    staging.fault(Fault::BadJson.on("GET", &next_log()));
    for _ in 0..2 {
        next_log();
    }
    release(staging);
    loop {
        let reply = session.receive().expect("a message");
        if reply["id"] == json!(call) {
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["state"], json!("ok"), "{reply}");
            break;
        }
    }
}

/// What was begun is named also where it cannot be looked at any more.
#[test]
fn a_task_that_may_not_be_seen_is_named() {
    let world = World::three();
    let staging = world.cluster("staging");
    hold(staging);
    let mut session = Session::start(&world);
    let call = session.ask("tools/call", &make("staging", 901));
    running(staging, 1);
    session
        .call("guest_list", &json!({"cluster": "production"}))
        .ok();
    staging.fault(Fault::Status401.on("GET", "/nodes/stg-pve1/tasks/"));
    let text = refused(&mut session, call);
    assert!(text.starts_with("PermissionError: staging: "), "{text}");
    assert!(
        text.contains("; its task is `staging!UPID:stg-pve1:"),
        "{text}"
    );
}

/// Writes leave in the order in which they came, also while another guest's task runs.
#[test]
fn writes_keep_their_order() {
    for way in WAYS {
        let world = World::three();
        let production = world.cluster("production");
        hold(production);
        let mut session = Session::start_by(way, &world);
        let backup = json!({"name": "backup_create",
            "arguments": {"guest": "prod-db-01", "storage": "nas", "wait": 25}});
        let backup = session.ask("tools/call", &backup);
        running(production, 1);
        let tags = ["one", "two", "three", "four", "five"];
        let calls: Vec<u64> = tags
            .iter()
            .map(|tag| {
                let arguments =
                    json!({"guest": "billing", "cluster": "production", "tags_add": [tag]});
                let call = json!({"name": "guest_configure", "arguments": arguments});
                session.ask("tools/call", &call)
            })
            .collect();
        for call in calls {
            let reply = session.receive().expect("an answer");
            assert_eq!(reply["id"], json!(call), "{reply}");
            assert_eq!(
                reply["result"]["structuredContent"]["state"],
                json!("ok"),
                "{reply}"
            );
        }
        let seen = production.seen();
        let writes: Vec<_> = seen.iter().filter(|one| one.method != "GET").collect();
        assert_eq!(writes[0].path, "/nodes/prod-pve2/vzdump");
        for (write, tag) in writes[1..].iter().zip(tags) {
            assert_eq!(write.path, "/nodes/prod-pve3/qemu/110/config");
            let sent = write.params["tags"].as_str().expect("the tags");
            assert!(sent.contains(tag), "{sent}");
        }
        assert_eq!(writes.len(), 1 + tags.len());
        release(production);
        assert_eq!(session.receive().expect("an answer")["id"], json!(backup));
    }
}

/// A second write to a guest is behind the first, whose task still runs: it meets what that holds, and is
/// told by whom, and goes through when the task has ended.
#[test]
fn a_second_write_to_a_guest_is_behind_the_task_of_the_first() {
    for way in WAYS {
        let world = World::three();
        let production = world.cluster("production");
        hold(production);
        let mut session = Session::start_by(way, &world);
        let snapshot = json!({"name": "snapshot_create", "arguments":
            {"guest": "billing", "cluster": "production", "snapname": "before", "wait": 25}});
        let change = json!({"name": "guest_configure", "arguments":
            {"guest": "billing", "cluster": "production", "tags_add": ["behind"]}});
        let first = session.ask("tools/call", &snapshot);
        let second = session.ask("tools/call", &change);
        let text = refused(&mut session, second);
        assert!(
            text.contains("is held by the running task `production!UPID:prod-pve3:"),
            "{text}"
        );
        assert!(text.contains(":qmsnapshot:110:"), "{text}");
        release(production);
        let reply = session.receive().expect("an answer");
        assert_eq!(reply["id"], json!(first), "{reply}");
        let third = session.call("guest_configure", &change["arguments"]).ok();
        assert_eq!(third["state"], json!("ok"));
        let taken: Vec<String> = production
            .seen()
            .into_iter()
            .filter(|one| one.method != "GET" && one.status == 200)
            .map(|one| one.path)
            .collect();
        let billing = "/nodes/prod-pve3/qemu/110";
        assert_eq!(
            taken,
            [format!("{billing}/snapshot"), format!("{billing}/config")]
        );
    }
}

/// What is where is asked anew when a task has ended, also where others have asked meanwhile.
#[test]
fn a_guest_is_where_its_task_has_brought_it() {
    let world = World::three();
    let production = world.cluster("production");
    hold(production);
    let mut session = Session::start(&world);
    let migrate = json!({"name": "guest_migrate", "arguments":
        {"guest": "prod-web-01", "target": "prod-pve2", "wait": 25}});
    let moves = session.ask("tools/call", &migrate);
    running(production, 1);
    let other = json!({"guest": 101, "cluster": "production"});
    session.call("guest_get", &other).ok();
    end(production, 100);
    let reply = session.receive().expect("an answer");
    assert_eq!(reply["id"], json!(moves), "{reply}");
    let change = json!({"guest": 100, "cluster": "production", "tags_add": ["moved"]});
    session.call("guest_configure", &change).ok();
    let seen = production.seen();
    let last = seen.iter().rfind(|one| one.method != "GET");
    let path = last.map(|one| one.path.as_str());
    assert_eq!(path, Some("/nodes/prod-pve2/qemu/100/config"));
}

/// The configuration of a running program, which is changed.
struct ChangedFile {
    folder: TempDir,
    text: String,
}

impl ChangedFile {
    fn new(world: &World) -> ChangedFile {
        let file = ChangedFile {
            folder: tempfile::tempdir().expect("a folder"),
            text: format!("{}\nPROXMOX_CONFIRM=auto\n", world.env()),
        };
        write_private(&file.path(), &file.text).expect("the file");
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("open.env")
    }

    /// The program that reads it, with a client whose user can be asked.
    fn served(&self, way: Way) -> Client {
        let program = Path::new(env!("CARGO_BIN_EXE_proxmox-mcp"));
        let mut client = Client::start(program, &self.path(), way).expect("a server");
        let capabilities = json!({"elicitation": {}});
        let hello = client.introduce("2025-11-25", &capabilities);
        hello.expect("a handshake");
        client
    }

    /// From now on it has this line as well.
    fn change(&self, line: &str) {
        fs::write(self.path(), format!("{}{line}\n", self.text)).expect("it can be written");
    }
}

/// A change that the user's own answer brings to light makes the plan void, and is no fault of the answer;
/// one that waits for a restart changes nothing.
#[test]
fn a_changed_file_is_seen_before_an_answer_is_taken() {
    for way in WAYS {
        let changes = [("PROXMOX_BULK_LIMIT=1", false), ("PROXMOX_LOG=debug", true)];
        for (line, acts) in changes {
            let world = World::three();
            let file = ChangedFile::new(&world);
            let mut client = file.served(way);
            let asks = client
                .ask("tools/call", &delete("billing", "production"))
                .expect("it is sent");
            let question = client.receive().expect("a question");
            file.change(line);
            let answer = json!({"jsonrpc": "2.0", "id": question["id"],
                                "result": accept(json!({"name": "billing"}))});
            client.send(&answer).expect("it is sent");
            let reply = client.receive().expect("an answer");
            assert_eq!(reply["id"], json!(asks), "{reply}");
            if acts {
                assert!(went_well(&reply), "{reply}");
            } else {
                let said = reply["result"]["content"][0]["text"].as_str();
                let said = said.expect("a text");
                let expected =
                    "NotAllowedError: the configuration has changed while the user was asked";
                assert!(said.starts_with(expected), "{said}");
            }
            assert_eq!(writes(&world).len(), usize::from(acts), "{line}");
            client.end().expect("it ends");
        }
    }
}

/// A running program, whose file is changed while several calls are open.
#[test]
fn a_changed_file_ends_open_questions_and_leaves_what_waits() {
    for way in WAYS {
        let world = World::three();
        let staging = world.cluster("staging");
        hold(staging);
        let file = ChangedFile::new(&world);
        let mut client = file.served(way);
        let waits = client.ask("tools/call", &start(25)).expect("it is sent");
        running(staging, 1);
        let asks = client
            .ask("tools/call", &delete("billing", "production"))
            .expect("it is sent");
        let question = client.receive().expect("a question");
        assert_eq!(
            question["method"],
            json!("elicitation/create"),
            "{question}"
        );
        file.change("PROXMOX_ACCESS=read");
        let list = json!({"name": "guest_list", "arguments": {"cluster": "production"}});
        let list = client.ask("tools/call", &list).expect("it is sent");
        let reply = client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(list), "{reply}");
        let withdrawn = client.receive().expect("a notification");
        assert_eq!(
            withdrawn["method"],
            json!("notifications/cancelled"),
            "{withdrawn}"
        );
        assert_eq!(withdrawn["params"]["requestId"], question["id"]);
        let reply = client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(asks), "{reply}");
        let text = reply["result"]["content"][0]["text"]
            .as_str()
            .expect("a text");
        assert!(
            text.starts_with(
                "NotAllowedError: the configuration has changed while the user was asked"
            ),
            "{text}"
        );
        let changed = client.receive().expect("a notification");
        assert_eq!(changed["method"], json!("notifications/tools/list_changed"));
        // What waits had been done before: it is followed to its end.
        release(staging);
        let reply = client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(waits), "{reply}");
        let answer = &reply["result"]["structuredContent"];
        assert_eq!(answer["status"], json!("running"), "{reply}");
        let (status, rest, _) = client.end().expect("it ends");
        assert!(status.success() && rest.is_empty(), "{status}: {rest:?}");
        let writes = writes(&world);
        assert_eq!(
            writes,
            ["staging POST /nodes/stg-pve1/qemu/100/status/start"]
        );
    }
}
