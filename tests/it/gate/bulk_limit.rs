//! The bulk limit: so many guests a minute and no more, however they are addressed.

use std::time::Duration;

use proxmox_mcp::api::mark::Mark;
use proxmox_mcp::api::methods::sending;
use proxmox_mcp::api::request::Verb;
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::confirm::{Plan, QuestionReply, UserAnswer};
use proxmox_mcp::gate::{CallOrigin, Caller};
use proxmox_mcp::tool::call::{self, AppState, CallOutcome};
use proxmox_mcp::tool::param::{self, Param};
use proxmox_mcp::tool::{Actions, RunFn, Subject, Tool};
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Map, Value, json};

use crate::session::{agreement, call, configuration};
use crate::sim::guest::{Kind, Status};
use crate::sim::{Seen, World};

/// Covers three objects, as it says, and acts three times on its own guest.
static BULK: Tool = Tool {
    name: "for_the_test",
    title: "For the test",
    about: "Suspends and resumes a guest.",
    actions: Actions::one(&[&[
        sending::post("/nodes/{node}/{kind}/{vmid}/status/suspend")
            .weighing(Mark::OPERATE.interrupts().asks()),
        sending::post("/nodes/{node}/{kind}/{vmid}/status/resume"),
    ]]),
    subject: Subject::Guest,
    params: &[Param::new("guest", param::ParamKind::Guest, "")],
    answer: &[],
    task: false,
    plan: Some(|_, _| {
        Ok(Plan {
            subject: json!(1),
            shown: Map::from_iter([("name".to_string(), json!("it"))]),
            objects: 3,
            ..Plan::default()
        })
    }),
    run: RunFn::AtOnce(|reach, _| {
        for command in ["suspend", "resume", "suspend"] {
            let path = "/status/{command}";
            reach.send(&reach.on_guest(Verb::Post, path, &[command])?)?;
        }
        Ok(Map::new())
    }),
};

/// A call over MCP whose user can be asked.
fn asked(reply: Option<&QuestionReply>) -> Caller<'_> {
    Caller {
        client: ("it", "0"),
        can_be_asked: true,
        reply,
        asking: &Vec::new,
    }
}

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn app(world: &World, more: &str) -> AppState {
    for cluster in &world.clusters {
        cluster.edit(|state| {
            for guest in state.guests.values_mut() {
                guest.status = Status::Running;
            }
        });
    }
    AppState::new(
        Fleet::new(configuration(world, more)),
        TOOLSETS,
        CallOrigin::Mcp,
    )
}

fn writes(world: &World) -> usize {
    let is_write = |seen: &&Seen| seen.method != "GET";
    world.seen().iter().filter(is_write).count()
}

fn suspend(app: &mut AppState, guest: u32) -> Result<Map<String, Value>, String> {
    power(app, guest, "suspend")
}

fn power(app: &mut AppState, guest: u32, action: &str) -> Result<Map<String, Value>, String> {
    let tool = tools::find("guest_power").expect("the tool");
    let given = json!({"guest": guest, "cluster": "staging", "action": action, "wait": 0});
    call(app, tool, &arguments(given)).map_err(|error| format!("{}: {error}", error.code.as_str()))
}

#[test]
fn more_than_the_limit_within_the_window_is_refused() {
    let world = World::three();
    let mut app = app(&world, "PROXMOX_BULK_LIMIT=2\n");
    suspend(&mut app, 100).expect("the first");
    power(&mut app, 120, "shutdown").expect("the second");
    // What interrupts nothing is not counted.
    power(&mut app, 100, "resume").expect("no interruption");
    world.seen();
    let error = power(&mut app, 100, "reboot").expect_err("the third");
    assert!(
        error.starts_with(
            "NotAllowedError: staging: 2 guests or objects were destroyed or interrupted in the \
             last 60 s, and 1 more would be beyond PROXMOX_BULK_LIMIT (2); nothing was sent"
        ),
        "{error}"
    );
    // Nobody is asked for what would be stopped then.
    let error = power(&mut app, 120, "stop").expect_err("no plan either");
    assert!(error.contains("beyond PROXMOX_BULK_LIMIT"), "{error}");
    assert_eq!(writes(&world), 0);
    // Once the window has passed, it goes on.
    app.gate.bulk_limit.borrow_mut().window = Duration::ZERO;
    power(&mut app, 100, "reboot").expect("after the window");
}

/// A plan over the limit is confirmed by its number only, and its steps count once.
#[test]
fn a_plan_beyond_the_limit_takes_its_number() {
    let world = World::three();
    let mut app = app(&world, "PROXMOX_BULK_LIMIT=1\nPROXMOX_CONFIRM=auto\n");
    let given = arguments(json!({"guest": "stg-web-01"}));
    let refused = call(&mut app, &BULK, &given).expect_err("it cannot be asked");
    assert!(
        refused.to_string().contains(
            "the plan covers 3 guests or objects, more than PROXMOX_BULK_LIMIT (1), and its user \
             cannot be asked"
        ),
        "{refused}"
    );
    let question = |app: &mut AppState| {
        let asked = call::call(app, &BULK, &given, asked(None)).expect("a question");
        match asked {
            CallOutcome::Question(question) => question,
            CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => {
                panic!("not asked: {answer:?}")
            }
        }
    };
    let first = question(&mut app);
    for wrong in [
        UserAnswer::Yes,
        UserAnswer::Typed("it".into()),
        UserAnswer::Typed("2".into()),
    ] {
        let mut reply = agreement(&question(&mut app));
        reply.said = wrong;
        let error = call::call(&mut app, &BULK, &given, asked(Some(&reply)));
        let error = error.expect_err("no agreement").to_string();
        assert!(error.contains("is not the number of objects"), "{error}");
    }
    // An earlier question of the same call is no longer good.
    let late = agreement(&first);
    call::call(&mut app, &BULK, &given, asked(Some(&late))).expect_err("it was replaced");
    assert_eq!(writes(&world), 0);
    // Another guest was interrupted a moment ago: what the limit leaves is not asked for any more.
    app.gate.bulk_limit.borrow_mut().count(1);
    let reply = agreement(&question(&mut app));
    assert_eq!(reply.said, UserAnswer::Typed("3".into()));
    let done = call::call(&mut app, &BULK, &given, asked(Some(&reply))).expect("it is done");
    assert!(matches!(done, CallOutcome::Answer(_)));
    assert_eq!(
        writes(&world),
        3,
        "the tool suspends and resumes and suspends"
    );
    // Its own guest was counted once.
    app.gate.bulk_limit.borrow_mut().set_limit(2);
    assert!(app.gate.bulk_limit.borrow_mut().has_room("x", 1).is_err());
    app.gate.bulk_limit.borrow_mut().set_limit(3);
    assert!(app.gate.bulk_limit.borrow_mut().has_room("x", 1).is_ok());
}

/// Where nothing is confirmed, nobody typed the number: the bulk limit holds.
#[test]
fn the_bulk_limit_holds_on_an_unconfirmed_cluster() {
    let world = World::three();
    let more = "PROXMOX_BULK_LIMIT=1\nPROXMOX_CONFIRM=off:staging\n";
    let mut app = app(&world, more);
    suspend(&mut app, 120).expect("the first");
    world.seen();
    let given = arguments(json!({"guest": "stg-web-01"}));
    let error = call(&mut app, &BULK, &given).expect_err("one too many");
    assert!(
        error.to_string().contains("PROXMOX_BULK_LIMIT (1)"),
        "{error}"
    );
    assert_eq!(writes(&world), 0);
}

/// A plan of exactly the limit is no larger one: its yes is no number, and does not go beyond it.
#[test]
fn a_plan_of_the_limit_is_agreed_to_and_braked_as_any() {
    for (limit, earlier) in [(3, 1), (5, 5)] {
        let world = World::three();
        let more = format!("PROXMOX_BULK_LIMIT={limit}\nPROXMOX_CONFIRM=auto\n");
        let mut app = app(&world, &more);
        let given = arguments(json!({"guest": "stg-web-01"}));
        for others in [earlier.max(limit), 0] {
            let asked_of = match call::call(&mut app, &BULK, &given, asked(None)) {
                Ok(CallOutcome::Question(question)) => question,
                other => panic!("not asked: {other:?}"),
            };
            let reply = agreement(&asked_of);
            assert_eq!(reply.said, UserAnswer::Yes);
            // What others did while the user thought.
            app.gate.bulk_limit.borrow_mut().count(others);
            let done = call::call(&mut app, &BULK, &given, asked(Some(&reply)));
            match others {
                0 => assert!(matches!(done, Ok(CallOutcome::Answer(_))), "{done:?}"),
                _ => {
                    let error = done.expect_err("no room").to_string();
                    assert!(error.contains("beyond PROXMOX_BULK_LIMIT"), "{error}");
                    assert_eq!(writes(&world), 0);
                }
            }
            app.gate.bulk_limit.borrow_mut().window = Duration::ZERO;
            app.gate
                .bulk_limit
                .borrow_mut()
                .has_room("x", 0)
                .expect("all went");
            app.gate.bulk_limit.borrow_mut().window = Duration::from_secs(60);
        }
    }
}

#[test]
fn the_brake_says_when_there_is_room_again() {
    let world = World::three();
    let app = app(&world, "PROXMOX_BULK_LIMIT=5\n");
    let mut bulk_limit = app.gate.bulk_limit.borrow_mut();
    assert_eq!(bulk_limit.limit(), 5);
    bulk_limit.count(1);
    let ages = [10, 50].map(Duration::from_secs);
    bulk_limit.count_earlier(&ages);
    bulk_limit.has_room("x", 2).expect("five in all");
    for (objects, seconds) in [(3, 10), (4, 50), (5, 60)] {
        let error = bulk_limit
            .has_room("x", objects)
            .expect_err("more than five");
        assert_eq!(
            error.hint.clone().unwrap_or_default(),
            format!("the next is possible in {seconds} s: ask the user whether this is meant")
        );
        assert!(error.to_string().contains("x: 3 guests or objects were"));
    }
    bulk_limit.set_blind("the file is gone".into());
    let error = bulk_limit.has_room("x", 0).expect_err("nobody knows");
    assert!(error.to_string().contains("the file is gone"), "{error}");
}

/// What a write does to all guests of something, each of them counts for.
#[test]
fn each_guest_that_is_cut_off_counts() {
    let world = crate::gate::protect::world();
    let guests = |kinds: &[Kind]| {
        let mut count = 0;
        world.cluster("staging").edit(|state| {
            let here = state.guests.values();
            let here = here.filter(|guest| guest.node == "stg-pve2" && kinds.contains(&guest.kind));
            count = here.count();
        });
        count
    };
    let all = guests(&[Kind::Qemu, Kind::Lxc]);
    let containers = guests(&[Kind::Lxc]);
    assert!(all > containers && containers > 0);
    for (line, params, more) in [
        ("POST /nodes/stg-pve2/stopall", json!({}), all),
        (
            "POST /nodes/stg-pve2/migrateall",
            json!({"target": "stg-pve1"}),
            containers,
        ),
        // That cuts nobody off.
        ("DELETE /pools/core", json!({}), 0),
    ] {
        let app = crate::gate::protect::app(&world, "");
        let before = app.gate.bulk_limit.borrow().limit();
        // What Proxmox makes of it is not asked.
        let _ = crate::gate::protect::send(&app, &crate::gate::protect::request(line, &params));
        let mut bulk_limit = app.gate.bulk_limit.borrow_mut();
        let counted = before
            - (0..=before)
                .rev()
                .find(|left| bulk_limit.has_room("x", *left).is_ok())
                .unwrap_or(0);
        // Beside the node or the pool itself.
        assert_eq!(counted, more + 1, "{line}");
    }
}
