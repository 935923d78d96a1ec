//! A legacy client is asked in the middle of a call, and only its user's own agreement lets the call
//! act: whatever else comes, nothing is sent that changes anything.

use std::time::Duration;

use proxmox_mcp::mcp::question::MESSAGE_MAX_CHARS;
use serde_json::{Value, json};

use crate::session::{Manner, Session, app};
use crate::sim::World;

/// Where every question ends that nobody said yes to.
pub(crate) const WAY_ON: &str = "\nhint: a user who was never asked has a client that answers by itself: with \
    `PROXMOX_CONFIRM=code`, set by whoever runs this server, such a call answers with its plan and a \
    code instead, and acts when it is repeated with `confirm` set to that code";

const AUTO: &str = "PROXMOX_CONFIRM=auto";
/// The revisions in which a client can be asked, each in its own way.
pub(crate) const ASKING: [&str; 3] = ["2025-06-18", "2025-11-25", Manner::MODERN];

pub(crate) fn asking(world: &World, revision: &'static str) -> Session {
    Session::held(app(world, AUTO), Manner::asking(revision))
}

pub(crate) fn delete() -> Value {
    json!({"guest": "billing", "cluster": "production"})
}

pub(crate) fn writes(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter();
    seen.filter(|one| one.method != "GET")
        .map(|one| format!("{} {} {}", one.cluster, one.method, one.path))
        .collect()
}

/// Whether it is a result, and of no failure.
pub(crate) fn went_well(reply: &Value) -> bool {
    let result = reply["result"].as_object();
    result.is_some_and(|result| !result.contains_key("isError"))
}

pub(crate) fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

/// A name that somebody gave may be the token's own secret, which no question shows.
#[test]
fn a_secret_is_in_no_question() {
    let world = World::three();
    let production = world.cluster("production");
    let secret = production.spec.token_secret.clone();
    production.edit(|state| {
        for guest in state.guests.values_mut() {
            let named = guest.snapshots.iter().cloned().map(|mut snapshot| {
                snapshot.name = secret.clone();
                snapshot
            });
            let named: Vec<_> = named.collect();
            guest.snapshots.extend(named);
        }
    });
    for revision in ASKING {
        let mut session = asking(&world, revision);
        let call = json!({"guest": "prod-web-01", "snapname": "before-upgrade"});
        let mut asked = String::new();
        session
            .call_asked("snapshot_delete", &call, |question| {
                asked = question.to_string();
                json!({"action": "decline"})
            })
            .error();
        assert!(
            asked.contains("snapshots: ") && !asked.contains(&secret),
            "{asked}"
        );
    }
}

#[test]
fn the_name_typed_lets_the_call_act() {
    for revision in ASKING {
        let world = World::three();
        let mut session = asking(&world, revision);
        let mut asked = Value::Null;
        let answer = session.call_asked("guest_delete", &delete(), |question| {
            asked = question.clone();
            assert_eq!(writes(&world), [""; 0]);
            accept(json!({"name": "billing"}))
        });
        assert_eq!(answer.ok()["state"], json!("ok"), "{revision}");
        assert_eq!(
            writes(&world),
            ["production DELETE /nodes/prod-pve3/qemu/110"]
        );
        // 2025-06-18 knows no modes.
        let mode = (revision != "2025-06-18").then(|| json!("form"));
        assert_eq!(asked.get("mode"), mode.as_ref(), "{revision}");
        assert_eq!(
            asked["requestedSchema"],
            json!({"type": "object", "required": ["name"], "properties": {"name": {
                "type": "string", "title": "Name", "description": "type billing to have it done"
            }}})
        );
        let message = asked["message"].as_str().expect("a message");
        for part in [
            "Delete a guest: guest_delete (guest billing)\n",
            "\ncluster: production\n",
            "\nvmid: 110\n",
            "\nlost: the guest, its disks",
            "\nundo: ",
            "type the name: billing",
        ] {
            assert!(message.contains(part), "{revision}: {part} in {message}");
        }
    }
}

#[test]
fn nothing_else_is_an_agreement() {
    let rows = [
        (accept(json!({"name": "bill"})), "is not the object's name"),
        (accept(json!({"name": ""})), "is not the object's name"),
        (accept(json!({"name": 110})), "is not the object's name"),
        (accept(json!({"name": true})), "is not the object's name"),
        (
            accept(json!({"name": ["billing"]})),
            "is not the object's name",
        ),
        (accept(json!({"agree": true})), "is not the object's name"),
        (
            accept(json!({"number": "billing"})),
            "is not the object's name",
        ),
        (accept(json!("billing")), "is not the object's name"),
        (accept(json!({})), "is not the object's name"),
        (json!({"action": "accept"}), "is not the object's name"),
        (json!({"action": "decline"}), "the user declined"),
        (
            json!({"action": "decline", "content": {"name": "billing"}}),
            "the user declined",
        ),
        (json!({"action": "cancel"}), "the user closed the question"),
        (
            json!({"content": {"name": "billing"}}),
            "the client could not ask its user",
        ),
        (json!({"action": 7}), "the client could not ask its user"),
        (json!(null), "the client could not ask its user"),
        (json!([]), "the client could not ask its user"),
    ];
    for revision in ASKING {
        let world = World::three();
        let mut session = asking(&world, revision);
        // All of them once, and some in the other revisions.
        let step = if revision == Manner::MODERN { 1 } else { 4 };
        for (reply, expected) in rows.iter().step_by(step) {
            let answer = session.call_asked("guest_delete", &delete(), |_| reply.clone());
            let error = answer.error();
            assert!(
                error.starts_with("NotAllowedError")
                    && error.contains(expected)
                    && error.contains("nothing was sent")
                    && error.ends_with(WAY_ON),
                "{revision}: {reply}: {error}"
            );
        }
        assert_eq!(writes(&world), [""; 0]);
    }
}

#[test]
fn what_is_below_the_heaviest_takes_a_yes() {
    let stop = json!({"guest": "prod-web-01", "cluster": "production", "action": "stop"});
    for revision in ASKING {
        let world = World::three();
        let mut session = asking(&world, revision);
        for (reply, expected) in [
            (accept(json!({"agree": false})), "the user declined"),
            (accept(json!({"agree": "true"})), "the reply is no yes"),
            (accept(json!({"agree": 1})), "the reply is no yes"),
            (accept(json!({})), "the reply is no yes"),
        ] {
            let answer = session.call_asked("guest_power", &stop, |_| reply.clone());
            let error = answer.error();
            assert!(error.contains(expected), "{revision}: {reply}: {error}");
        }
        assert_eq!(writes(&world), [""; 0]);
        let answer = session.call_asked("guest_power", &stop, |question| {
            let field = &question["requestedSchema"]["properties"]["agree"];
            assert_eq!(field["type"], json!("boolean"));
            let message = question["message"].as_str().expect("a message");
            assert!(message.contains("action stop"), "{message}");
            accept(json!({"agree": true}))
        });
        assert_eq!(answer.ok()["status"], json!("stopped"));
        assert_eq!(writes(&world).len(), 1);
    }
}

/// What may come while the user thinks: begins the call, and waits for its question.
fn thinking(session: &mut Session) -> (u64, Value) {
    let id = session.ask(
        "tools/call",
        &json!({"name": "guest_delete", "arguments": delete()}),
    );
    let question = session.receive().expect("a question");
    assert_eq!(question["method"], json!("elicitation/create"));
    (id, question["id"].clone())
}

fn responds(session: &mut Session, id: &Value, result: &Value) {
    session.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
}

fn yes() -> Value {
    accept(json!({"name": "billing"}))
}

/// The text of the error that the next message is, to the call with this id.
fn refusal(session: &mut Session, id: u64) -> String {
    let message = session.receive().expect("an answer");
    assert_eq!(message["id"], json!(id), "{message}");
    assert_eq!(message["result"]["isError"], json!(true), "{message}");
    let text = message["result"]["content"][0]["text"].as_str();
    text.expect("text").to_string()
}

#[test]
fn an_error_of_the_client_is_no_agreement() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    for response in [
        json!({"error": {"code": -32601, "message": "no such\u{202e}method"}}),
        json!({"error": {"code": -32601, "message": "no such\u{202e}method"}, "result": yes()}),
    ] {
        let (id, question) = thinking(&mut session);
        let mut response = response;
        response["jsonrpc"] = json!("2.0");
        response["id"] = question;
        session.send(&response);
        assert_eq!(
            refusal(&mut session, id),
            format!(
                "NotAllowedError: the client could not ask its user: no such\\u{{202e}}method \
                 (-32601); nothing was sent{WAY_ON}"
            )
        );
    }
    for error in [json!(null), json!("no"), json!({"code": "x"})] {
        let (id, question) = thinking(&mut session);
        session.send(&json!({"jsonrpc": "2.0", "id": question, "error": error}));
        let text = refusal(&mut session, id);
        assert!(text.contains("no reason was given"), "{error}: {text}");
    }
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn others_are_answered_while_the_user_thinks() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    let (call, question) = thinking(&mut session);
    let list = session.ask("tools/list", &json!({}));
    let ping = session.ask("ping", &json!({}));
    assert_eq!(session.receive().expect("a list")["id"], json!(list));
    assert_eq!(session.receive().expect("a pong")["id"], json!(ping));
    // Another call too, on the cluster that the question is about.
    let guests = json!({"name": "guest_list", "arguments": {"cluster": "production"}});
    let guests = session.ask("tools/call", &guests);
    let reply = session.receive().expect("a list of guests");
    assert_eq!(reply["id"], json!(guests));
    assert!(went_well(&reply), "{reply}");
    // Responses to something else are let go; so is one without a version.
    responds(&mut session, &json!("question-99"), &yes());
    responds(&mut session, &json!(1), &yes());
    responds(&mut session, &json!(null), &yes());
    session.send(&json!({"id": question, "result": yes()}));
    let ping = session.ask("ping", &json!({}));
    assert_eq!(session.receive().expect("a pong")["id"], json!(ping));
    assert_eq!(writes(&world), [""; 0]);
    responds(&mut session, &question, &yes());
    let answer = session.receive().expect("an answer");
    assert_eq!(answer["id"], json!(call));
    assert_eq!(answer["result"]["structuredContent"]["state"], json!("ok"));
    assert_eq!(writes(&world).len(), 1);
}

#[test]
fn a_cancelled_call_withdraws_its_question() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    let (call, question) = thinking(&mut session);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                        "params": {"requestId": call}});
    session.send(&cancel);
    let withdrawn = session.receive().expect("a notification");
    assert_eq!(withdrawn["method"], json!("notifications/cancelled"));
    assert_eq!(withdrawn["params"]["requestId"], question);
    assert!(withdrawn.get("id").is_none());
    // The reply comes too late; the call is never answered.
    responds(&mut session, &question, &yes());
    let ping = session.ask("ping", &json!({}));
    assert_eq!(session.receive().expect("a pong")["id"], json!(ping));
    assert_eq!(writes(&world), [""; 0]);
}

/// Some clients give up a call that is silent for a minute.
#[test]
fn who_wants_progress_is_told_that_the_user_is_asked() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    let params = json!({"name": "guest_delete", "arguments": delete(),
                        "_meta": {"progressToken": "t"}});
    let call = session.ask("tools/call", &params);
    let question = session.receive().expect("a question");
    assert_eq!(question["method"], json!("elicitation/create"));
    let told = session.receive().expect("progress");
    assert_eq!(told["method"], json!("notifications/progress"));
    assert_eq!(told["params"]["progressToken"], json!("t"));
    let message = told["params"]["message"].as_str().expect("a message");
    assert!(message.starts_with("the user is asked; "), "{message}");
    // Again and again: who hears nothing for a minute gives up.
    let again = session.receive().expect("progress");
    assert_eq!(again["params"]["progressToken"], json!("t"));
    let [first, second] = [&told, &again].map(|one| one["params"]["progress"].as_f64());
    assert!(second > first, "{again}");
    // But not all the time.
    let [first, second]: [u32; 2] = [&told, &again].map(|one| {
        let message = one["params"]["message"].as_str().expect("a message");
        let left = message
            .split_whitespace()
            .find_map(|word| word.parse().ok());
        left.expect("the seconds that are left")
    });
    let between = first - second;
    assert!((9..20).contains(&between), "{told} {again}");
    for _ in 0..50 {
        let ping = session.ask("ping", &json!({}));
        let pong = session.receive().expect("a pong");
        assert_eq!(pong["id"], json!(ping), "{pong}");
    }
    responds(&mut session, &question["id"], &json!({"action": "decline"}));
    assert!(refusal(&mut session, call).contains("the user declined"));
}

#[test]
fn a_question_that_nobody_answers_is_withdrawn() {
    let world = World::three();
    let manner = Manner {
        answered_within: Duration::from_secs(4),
        ..Manner::asking("2025-11-25")
    };
    let mut session = Session::held(app(&world, AUTO), manner);
    let (call, question) = thinking(&mut session);
    let withdrawn = session.receive().expect("a notification");
    assert_eq!(withdrawn["method"], json!("notifications/cancelled"));
    assert_eq!(withdrawn["params"]["requestId"], question);
    assert_eq!(
        refusal(&mut session, call),
        format!("NotAllowedError: the user gave no answer within 4 s; nothing was sent{WAY_ON}")
    );
    // A late response is let go, also as one to the next question.
    let (call, next) = thinking(&mut session);
    assert_ne!(next, question);
    responds(&mut session, &question, &yes());
    responds(&mut session, &next, &json!({"action": "decline"}));
    assert!(refusal(&mut session, call).contains("the user declined"));
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn the_end_of_input_ends_a_question() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    let (call, _) = thinking(&mut session);
    session.close_input();
    let text = refusal(&mut session, call);
    assert!(
        text.ends_with(&format!("; nothing was sent{WAY_ON}")),
        "{text}"
    );
    assert_eq!(session.receive(), None);
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn a_user_agrees_to_what_was_shown() {
    for revision in ASKING {
        let world = World::three();
        let mut session = asking(&world, revision);
        let answer = session.call_asked("guest_delete", &delete(), |_| {
            world.cluster("production").edit(|state| {
                let guest = state.guests.get_mut(&110).expect("billing");
                guest.config.insert("cores".into(), "7".into());
            });
            yes()
        });
        let error = answer.error();
        assert!(
            error.contains("has changed since the plan was made; nothing was sent"),
            "{revision}: {error}"
        );
        assert_eq!(writes(&world), [""; 0]);
    }
}

#[test]
fn who_cannot_be_asked_is_refused_or_takes_a_code() {
    let cannot = [
        ("2025-11-25", json!({})),
        ("2025-11-25", json!({"elicitation": null})),
        ("2025-11-25", json!({"elicitation": true})),
        ("2025-11-25", json!({"elicitation": {"url": {}}})),
        // These revisions know no such question, whatever their client says.
        ("2025-03-26", json!({"elicitation": {}})),
        ("2024-11-05", json!({"elicitation": {}})),
        (Manner::MODERN, json!({})),
        (Manner::MODERN, json!({"elicitation": {"url": {}}})),
    ];
    for (revision, capabilities) in cannot {
        let world = World::three();
        let manner = Manner {
            capabilities: capabilities.clone(),
            ..Manner::asking(revision)
        };
        let mut session = Session::held(app(&world, AUTO), manner);
        let said = |result: &Value| result["content"][0]["text"].as_str().map(str::to_string);
        let call = json!({"name": "guest_delete", "arguments": delete()});
        let refused = session.request("tools/call", &call);
        let text = said(&refused).expect("a refusal");
        assert_eq!(refused["isError"], json!(true), "{revision}: {refused}");
        assert!(
            text.contains("this client cannot ask; nothing was sent")
                && text.contains("hint: ")
                && text.contains("PROXMOX_CONFIRM=code"),
            "{revision} {capabilities}: {text}"
        );
        let stop = json!({"guest": "prod-web-01", "cluster": "production", "action": "stop"});
        let call = json!({"name": "guest_power", "arguments": stop});
        let planned = session.request("tools/call", &call);
        let text = said(&planned).expect("a plan");
        assert!(text.contains(r#""confirm":""#), "{revision}: {text}");
        assert_eq!(writes(&world), [""; 0]);
    }
    for modes in [json!({"form": {}}), json!({"form": {}, "url": {}})] {
        let world = World::three();
        let manner = Manner {
            capabilities: json!({"elicitation": modes}),
            ..Manner::asking("2025-11-25")
        };
        let mut session = Session::held(app(&world, AUTO), manner);
        session
            .call_asked("guest_delete", &delete(), |_| yes())
            .ok();
    }
}

#[test]
fn the_setting_says_who_is_asked() {
    let world = World::three();
    let held = |env: &str, manner: Manner| Session::held(app(&world, env), manner);
    let nobody = |_: &Value| -> Value { panic!("nobody is to be asked") };

    let mut by_code = held("PROXMOX_CONFIRM=code", Manner::asking("2025-11-25"));
    let planned = by_code.call_asked("guest_delete", &delete(), nobody).ok();
    assert!(planned.contains_key("confirm"));

    let cannot = Manner {
        capabilities: json!({}),
        ..Manner::asking("2025-11-25")
    };
    let mut only_asking = held("PROXMOX_CONFIRM=ask", cannot);
    let stop = json!({"guest": "prod-web-01", "cluster": "production", "action": "stop"});
    let error = only_asking.call("guest_power", &stop).error();
    assert!(error.contains("PROXMOX_CONFIRM=ask"), "{error}");

    let mut asking = held("PROXMOX_CONFIRM=ask", Manner::asking("2025-11-25"));
    let mut with_code = delete();
    with_code["confirm"] = json!("0123456789abcdef");
    let error = asking
        .call_asked("guest_delete", &with_code, nobody)
        .error();
    assert!(error.contains("the user is asked"), "{error}");
    assert_eq!(writes(&world), [""; 0]);

    let mut off = held(
        "PROXMOX_CONFIRM=off:production",
        Manner::asking("2025-11-25"),
    );
    off.call_asked("guest_delete", &delete(), nobody).ok();
    assert_eq!(writes(&world).len(), 1);
}

#[test]
fn what_strangers_wrote_neither_hides_nor_floods_the_question() {
    for revision in ASKING {
        let world = World::three();
        world.cluster("production").edit(|state| {
            let guest = state.guests.get_mut(&110).expect("billing");
            let evil = "\u{1b}[2J\u{202e}\u{200b}\nlost: nothing";
            guest.config.insert("name".into(), evil.into());
            for number in 0..30 {
                let volume = format!("ceph-vm:vm-110-{}-{number},size=1G", "y".repeat(200));
                guest.config.insert(format!("scsi{number}"), volume);
            }
        });
        let mut session = asking(&world, revision);
        let arguments = json!({"guest": 110, "cluster": "production"});
        let answer = session.call_asked("guest_delete", &arguments, |question| {
            let message = question["message"].as_str().expect("a message");
            assert!(message.chars().count() <= MESSAGE_MAX_CHARS, "{message}");
            assert!(!message.contains(['\u{1b}', '\u{202e}', '\u{200b}']));
            let lost: Vec<&str> = message
                .lines()
                .filter(|line| line.starts_with("lost: "))
                .collect();
            assert!(
                matches!(lost.as_slice(), [line] if line.contains("its disks")),
                "{message}"
            );
            assert!(message.contains("\nundo: cannot be undone"), "{message}");
            assert!(
                message.contains("To have it done, type the name"),
                "{message}"
            );
            json!({"action": "decline"})
        });
        assert!(answer.error().contains("the user declined"));
        assert_eq!(writes(&world), [""; 0]);
    }
}
