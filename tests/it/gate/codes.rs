//! A code confirms what its plan showed: once, for its own call, in time, and while nothing changed.

use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::CallOrigin;
use proxmox_mcp::gate::confirm::Plan;
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Value, json};

use crate::session::{Session, call, configuration};
use crate::sim::World;

fn stop_billing(confirm: Option<&Value>) -> Value {
    let mut arguments = json!({"guest": "billing", "cluster": "production", "action": "stop"});
    if let Some(code) = confirm {
        arguments["confirm"] = code.clone();
    }
    arguments
}

fn writes(world: &World) -> usize {
    world
        .seen()
        .iter()
        .filter(|seen| seen.method != "GET")
        .count()
}

#[test]
fn three_wrong_codes_end_a_plan() {
    let world = World::three();
    let mut session = Session::start(&world);
    let code = session.call("guest_power", &stop_billing(None)).ok()["confirm"].clone();
    for expected in ["is wrong;", "is wrong;", "third time"] {
        let error = session
            .call(
                "guest_power",
                &stop_billing(Some(&json!("ffffffffffffffff"))),
            )
            .error();
        assert!(
            error.starts_with("NotAllowedError") && error.contains(expected),
            "{error}"
        );
    }
    // The right code comes too late: there is a new plan with a new one.
    let again = session.call("guest_power", &stop_billing(Some(&code))).ok();
    assert!(
        again.contains_key("plan") && again["confirm"] != code,
        "{again:?}"
    );
    assert_eq!(writes(&world), 0);
}

#[test]
fn a_code_is_for_its_own_call_only() {
    let world = World::three();
    let mut session = Session::start(&world);
    let code = session.call("guest_power", &stop_billing(None)).ok()["confirm"].clone();
    for other in [
        json!({"guest": "lab", "cluster": "staging", "action": "stop", "confirm": code}),
        json!({"guest": "billing", "cluster": "production", "action": "stop", "timeout": 5, "confirm": code}),
    ] {
        let error = session.call("guest_power", &other).error();
        assert!(error.contains("belongs to another call"), "{error}");
    }
    // `wait` changes nothing that is done: the code is still good.
    let mut same = stop_billing(Some(&code));
    same["wait"] = json!(3);
    session.call("guest_power", &same).ok();
}

/// Plans wait side by side, each for its own code.
#[test]
fn a_second_plan_leaves_the_first() {
    let world = World::three();
    let mut session = Session::start(&world);
    let other = |confirm: Option<&Value>| {
        let mut arguments = stop_billing(confirm);
        arguments["guest"] = json!("prod-web-01");
        arguments
    };
    let stop = session.call("guest_power", &stop_billing(None)).ok()["confirm"].clone();
    let second = session.call("guest_power", &other(None)).ok()["confirm"].clone();
    assert_ne!(stop, second);
    for call in [other(Some(&second)), stop_billing(Some(&stop))] {
        let done = session.call("guest_power", &call).ok();
        assert!(done.contains_key("state"), "{done:?}");
    }
}

#[test]
fn a_changed_guest_needs_a_new_plan() {
    let world = World::three();
    let mut session = Session::start(&world);
    session
        .call(
            "guest_power",
            &json!({"guest": "billing", "action": "start", "cluster": "production"}),
        )
        .ok();
    world.seen();
    let code = session.call("guest_power", &stop_billing(None)).ok()["confirm"].clone();
    world.cluster("production").edit(|state| {
        let guest = state.guests.get_mut(&110).expect("billing");
        guest.config.insert("cores".into(), "7".into());
    });
    let again = session.call("guest_power", &stop_billing(Some(&code))).ok();
    assert!(
        again["because"]
            .as_str()
            .expect("a reason")
            .contains("changed"),
        "{again:?}"
    );
    assert_eq!(writes(&world), 0);
    let answer = session
        .call("guest_power", &stop_billing(Some(&again["confirm"])))
        .ok();
    assert_eq!(answer["status"], json!("stopped"));
    assert_eq!(writes(&world), 1);
}

#[test]
fn a_code_expires() {
    let world = World::three();
    let mut app = AppState::new(
        Fleet::new(configuration(&world, "")),
        TOOLSETS,
        CallOrigin::Mcp,
    );
    app.gate.plans.borrow_mut().code_age = std::time::Duration::ZERO;
    let stop = proxmox_mcp::tools::find("guest_power").expect("the tool");
    let arguments =
        |code: Option<&Value>| stop_billing(code).as_object().expect("an object").clone();
    world.cluster("production").edit(|state| {
        state.guests.get_mut(&110).expect("billing").status = crate::sim::guest::Status::Running;
    });
    let planned = call(&mut app, stop, &arguments(None)).expect("a plan");
    let again = call(&mut app, stop, &arguments(Some(&planned["confirm"]))).expect("a plan");
    assert_eq!(again["because"], json!("the code has expired"));
    assert_ne!(again["confirm"], planned["confirm"]);
    assert_eq!(writes(&world), 0);
}

#[test]
fn an_object_without_a_name_is_called_by_its_vmid() {
    for (shown, called) in [
        (json!({"name": "web", "vmid": 100}), Some("web")),
        (json!({"name": "", "vmid": 100}), Some("100")),
        (json!({"vmid": 100}), Some("100")),
        (json!({"name": null}), None),
    ] {
        let plan = Plan {
            shown: shown.as_object().expect("an object").clone(),
            ..Plan::default()
        };
        assert_eq!(plan.object().as_deref(), called, "{shown}");
    }
}
