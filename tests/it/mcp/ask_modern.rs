//! A modern call brings the reply and the state of its question back: both are hostile input.

use std::time::Duration;

use proxmox_mcp::mcp::about;
use proxmox_mcp::mcp::revision::{META_SERVER, Revision};
use serde_json::{Value, json};

use crate::mcp::ask::{WAY_ON, accept, asking, delete, writes};
use crate::session::{Manner, Session, app};
use crate::sim::World;

/// Begins the call, and gives the state of its question.
fn state(session: &mut Session) -> String {
    let call = json!({"name": "guest_delete", "arguments": delete()});
    let result = session.request("tools/call", &call);
    assert_eq!(result["resultType"], json!("input_required"), "{result}");
    let signature = about::server(Revision::Stateless);
    assert_eq!(result["_meta"][META_SERVER], signature);
    assert!(signature["icons"][0]["src"].is_string());
    let question = &result["inputRequests"]["name"];
    assert_eq!(question["method"], json!("elicitation/create"));
    assert_eq!(question["params"]["mode"], json!("form"));
    assert!(result.get("content").is_none() && result.get("isError").is_none());
    result["requestState"].as_str().expect("a state").into()
}

fn yes() -> Value {
    json!({"name": accept(json!({"name": "billing"}))})
}

fn again(session: &mut Session, arguments: &Value, state: &Value, responses: &Value) -> Value {
    let call = json!({"name": "guest_delete", "arguments": arguments,
                      "requestState": state, "inputResponses": responses});
    session.request("tools/call", &call)
}

#[track_caller]
fn is_refused(result: &Value, why: &str) {
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(result["isError"], json!(true), "{result}");
    assert_eq!(result["resultType"], json!("complete"), "{result}");
    assert!(
        text.contains(why) && text.contains("nothing was sent"),
        "{text}"
    );
    let way_on = WAY_ON.trim_start_matches("\nhint: ");
    assert!(text.ends_with(way_on), "{text}");
}

const NO_QUESTION: &str = "the reply is to no question that waits";

#[test]
fn a_state_that_was_made_up_is_refused() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    let real = state(&mut session);
    let zeros = "0".repeat(real.len());
    for made_up in [
        json!(zeros),
        json!(""),
        json!("x".repeat(1_000_000)),
        json!("\u{1f600}".repeat(40)),
        json!(null),
    ] {
        is_refused(
            &again(&mut session, &delete(), &made_up, &yes()),
            NO_QUESTION,
        );
    }
    // None of these touched the question that waits.
    let answer = again(&mut session, &delete(), &json!(real), &yes());
    assert_eq!(
        answer["structuredContent"]["state"],
        json!("ok"),
        "{answer}"
    );
    assert_eq!(writes(&world).len(), 1);
}

/// Nobody can make the seal of one question out of another's.
#[test]
fn each_state_is_sealed_for_itself() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    let states: Vec<String> = (0..3).map(|_| state(&mut session)).collect();
    let parts: Vec<(&str, &str)> = states.iter().map(|state| state.split_at(32)).collect();
    for (place, (number, seal)) in parts.iter().enumerate() {
        assert_eq!(seal.len(), 64, "{seal}");
        let others = parts.iter().skip(place + 1);
        for (other, others_seal) in others {
            assert!(number != other && seal != others_seal, "{states:?}");
        }
    }
}

#[test]
fn a_forged_seal_ends_the_question() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    let real = state(&mut session);
    let (number, seal) = real.split_at(32);
    let forged = format!("{number}{}", "0".repeat(seal.len()));
    is_refused(
        &again(&mut session, &delete(), &json!(forged), &yes()),
        "was not made here",
    );
    is_refused(
        &again(&mut session, &delete(), &json!(real), &yes()),
        NO_QUESTION,
    );
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn a_state_is_for_its_own_call_and_once() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    let real = json!(state(&mut session));
    let lab = json!({"guest": "lab", "cluster": "staging"});
    is_refused(
        &again(&mut session, &lab, &real, &yes()),
        "a question of another call",
    );
    // That was its end, also for its own call.
    is_refused(&again(&mut session, &delete(), &real, &yes()), NO_QUESTION);
    assert_eq!(writes(&world), [""; 0]);

    // Used, it is spent, although the guest is still there.
    let stop = json!({"guest": "prod-web-01", "cluster": "production", "action": "stop"});
    let mut call = json!({"name": "guest_power", "arguments": stop});
    let asked = session.request("tools/call", &call);
    call["requestState"] = asked["requestState"].clone();
    call["inputResponses"] = json!({"agree": accept(json!({"agree": true}))});
    let answer = session.request("tools/call", &call);
    assert_eq!(
        answer["structuredContent"]["state"],
        json!("ok"),
        "{answer}"
    );
    assert_eq!(writes(&world).len(), 1);
    is_refused(&session.request("tools/call", &call), NO_QUESTION);
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn a_state_whose_user_did_not_agree_is_spent() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    for no in [
        json!({"name": {"action": "decline"}}),
        json!({"name": {"action": "cancel"}}),
        json!({"name": accept(json!({"name": "wrong"}))}),
        json!({"name": 7}),
        // The form was another.
        json!({"agree": accept(json!({"agree": true}))}),
        json!({"number": accept(json!({"number": 1}))}),
    ] {
        let real = json!(state(&mut session));
        let result = again(&mut session, &delete(), &real, &no);
        let text = result["content"][0]["text"].as_str().expect("text");
        assert_eq!(result["isError"], json!(true), "{no}: {result}");
        assert!(text.contains("nothing was sent"), "{no}: {text}");
        assert!(text.contains("`PROXMOX_CONFIRM=code`"), "{no}: {text}");
        is_refused(&again(&mut session, &delete(), &real, &yes()), NO_QUESTION);
    }
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn a_state_expires() {
    let world = World::three();
    let app = app(&world, "PROXMOX_CONFIRM=auto");
    app.gate.plans.borrow_mut().question_age = Duration::ZERO;
    let mut session = Session::held(app, Manner::asking(Manner::MODERN));
    let real = json!(state(&mut session));
    is_refused(
        &again(&mut session, &delete(), &real, &yes()),
        "the reply comes too late",
    );
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn a_state_without_a_response_is_asked_for_again() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    for responses in [json!(null), json!({}), json!({"else": yes()})] {
        let real = json!(state(&mut session));
        let result = again(&mut session, &delete(), &real, &responses);
        assert_eq!(result["resultType"], json!("input_required"), "{result}");
        assert_ne!(result["requestState"], real);
    }
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn wrong_types_are_the_protocols_business() {
    let world = World::three();
    let mut session = asking(&world, Manner::MODERN);
    for (state, responses) in [
        (json!(7), yes()),
        (json!({}), yes()),
        (json!("x"), json!([])),
        (json!("x"), json!("billing")),
    ] {
        let call = json!({"name": "guest_delete", "arguments": delete(),
                          "requestState": state, "inputResponses": responses});
        let id = session.ask("tools/call", &call);
        let message = session.receive().expect("an answer");
        assert_eq!(message["id"], json!(id));
        assert_eq!(message["error"]["code"], json!(-32602), "{message}");
    }
    assert_eq!(writes(&world), [""; 0]);
}

/// A legacy call that brings a reply was asked nothing: what it brings is not looked at.
#[test]
fn a_legacy_call_brings_no_reply() {
    let world = World::three();
    let mut session = asking(&world, "2025-11-25");
    let call = json!({"name": "guest_delete", "arguments": delete(),
                      "requestState": "x", "inputResponses": yes()});
    let id = session.ask("tools/call", &call);
    let question = session.receive().expect("a question");
    assert_eq!(question["method"], json!("elicitation/create"));
    session.send(&json!({"jsonrpc": "2.0", "id": question["id"],
                         "result": {"action": "decline"}}));
    let message = session.receive().expect("an answer");
    assert_eq!(message["id"], json!(id));
    assert_eq!(message["result"]["isError"], json!(true));
    assert_eq!(writes(&world), [""; 0]);
}
