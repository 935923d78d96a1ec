//! `guest_power`: starting, stopping and what lies between.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{GUEST, answer_for};
use crate::api::loose::flag;
use crate::api::methods::sending::{Sending, post};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::proxmox::holder::LockedGuest;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::step::{self, StepResult, Until};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::fleet::quorum;
use crate::tools::{plan, state};

/// The longest that a guest is given to shut down, in seconds.
const TIMEOUT_MAX_S: i64 = 3600;
/// Between two looks at a guest that the high-availability manager moves, in milliseconds.
const LOOK_MS: u64 = 500;

const START: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/start")];
const RESUME: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/resume")];
const SHUTDOWN: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/shutdown")];
const REBOOT: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/reboot")];
const SUSPEND: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/suspend")];
const STOP: &[Sending] = &[post("/nodes/{node}/{kind}/{vmid}/status/stop")];
const RESET: &[Sending] = &[post("/nodes/{node}/qemu/{vmid}/status/reset")];

const ACTIONS: &[Action] = &[
    Action::new("start", &[current::READS, START]),
    Action::new("resume", &[current::READS, RESUME]),
    Action::new("shutdown", &[current::READS, SHUTDOWN]),
    Action::new("reboot", &[current::READS, quorum::READS, REBOOT]),
    Action::new("suspend", &[current::READS, SUSPEND]),
    Action::new("hibernate", &[current::READS, quorum::READS, SUSPEND]),
    Action::new("stop", &[current::READS, plan::READS, STOP]),
    Action::new("reset", &[current::READS, plan::READS, RESET]),
];

pub(super) const POWER: Tool = Tool {
    name: "guest_power",
    title: "Start or stop a guest",
    about: "Starts, shuts down, reboots, suspends a guest; `stop` and `reset` pull the plug and ask first. Returns its state.",
    actions: Actions::ByWord(ACTIONS),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::ACTION,
        Param::new(
            "timeout",
            ParamKind::Int(1, TIMEOUT_MAX_S),
            "seconds that a shutdown may take",
        )
        .optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(power_plan),
    run: RunFn::Write(power),
};

fn power_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let action = args.need("action")?;
    fits(reach, action)?;
    let consequences = [
        ("action", json!(action)),
        (
            "cut_off",
            json!(
                "whatever runs in the guest ends at once, without a shutdown; unsaved data is lost"
            ),
        ),
        ("undo", json!("the guest can be started again")),
    ];
    let mut plan = plan::of_guest(reach, &consequences)?;
    if !plan.shown.contains_key("ha") {
        unlocked(reach, action, &plan.subject)?;
    }
    if let Some(shutdowns) = shutdowns(reach, action)? {
        plan.shown.insert("overrules".into(), shutdowns.into());
    }
    Ok(plan)
}

fn power(reach: &Reach, args: &Args) -> WriteResult {
    let action = args.need("action")?;
    fits(reach, action)?;
    let before = reach.get_of_guest("/status/current")?;
    let managed = ha_managed(reach, &before)?;
    let mut answer = answer_for(reach)?;
    answer.insert("action".into(), action.into());
    if let Some(state) = already(reach, action, &before)? {
        answer.insert("state".into(), "ok".into());
        answer.insert("status".into(), state.into());
        answer.insert("unchanged".into(), format!("it was {state} already").into());
        return Ok(Write::nothing(answer));
    }
    if managed {
        answer.insert("ha".into(), true.into());
    } else {
        unlocked(reach, action, &before)?;
    }
    // A reboot would leave the guest off: its second half is a start, which is refused. What is saved
    // by a hibernation could not be written down.
    match action {
        "reboot" => quorum::held(reach, "a reboot")?,
        "hibernate" => quorum::held(reach, "a hibernation")?,
        _ => {}
    }
    let command = if action == "hibernate" {
        "suspend"
    } else {
        action
    };
    let mut request = reach.on_guest(Verb::Post, "/status/{command}", &[command])?;
    if action == "hibernate" {
        request = request.with("todisk", true);
    }
    if let Some(timeout) = args.int("timeout") {
        request = request.with("timeout", timeout);
    }
    if let Some(shutdowns) = shutdowns(reach, action)? {
        request = request.with("overrule-shutdown", true);
        answer.insert("overrules".into(), shutdowns.into());
    }
    let begun = Instant::now();
    let write = Write::new(request, answer);
    Ok(write.then(move |reach, args, answer| arrive(reach, args, managed, begun, answer)))
}

/// Refuses what cannot be, before anything is sent.
fn fits(reach: &Reach, action: &str) -> Result<(), Error> {
    let guest = reach.guest()?;
    let wrong = |problem: &str| {
        let cluster = reach.cluster_name();
        let (what, vmid) = (guest.kind.word(), guest.vmid);
        Err(Error::bad(format!(
            "{cluster}: `{action}` of {what} {vmid}: {problem}"
        )))
    };
    if guest.kind == GuestKind::Lxc && matches!(action, "hibernate" | "reset") {
        return wrong("only a virtual machine can do that");
    }
    if guest.template && action == "start" {
        return wrong("it is a template: clone it and start the clone");
    }
    Ok(())
}

/// Refuses what a lock would make fail in the task. Not every order is stopped by every lock
/// (measured on 9.2), and there is nothing to stop of a guest that is stopped.
fn unlocked(reach: &Reach, action: &str, current: &Value) -> Result<(), Error> {
    let current = GuestStatus::of(current);
    let passes = match (action, current.lock.as_deref().unwrap_or_default()) {
        ("resume", _) | ("start", "suspended") | ("suspend", "backup") => true,
        ("start", "mounted") => reach.guest()?.kind == GuestKind::Lxc,
        ("stop" | "shutdown", _) => current.is_stopped(),
        _ => false,
    };
    if passes {
        Ok(())
    } else {
        current.unlocked(reach)
    }
}

/// The shutdowns of the guest that still run, which hold it against a `stop` that does not overrule
/// them; nothing where there are none, or for another order.
fn shutdowns(reach: &Reach, action: &str) -> Result<Option<Vec<String>>, Error> {
    if action != "stop" {
        return Ok(None);
    }
    let guest = reach.guest()?;
    let held = LockedGuest {
        node: &guest.node,
        kind: guest.kind.name(),
        vmid: &guest.vmid.to_string(),
    };
    let tasks = match held.tasks(&|request: &Request| reach.send(request), None) {
        Ok(tasks) => tasks,
        Err(error) if error.is_cancelled() => return Err(error),
        // Without them it is tried all the same.
        Err(_) => return Ok(None),
    };
    let shutdowns = tasks.iter().filter(|task| task.kind.ends_with("shutdown"));
    let shutdowns: Vec<String> = shutdowns
        .map(|task| task.of(reach.cluster_name()))
        .collect();
    Ok((!shutdowns.is_empty()).then_some(shutdowns))
}

/// Whether the high-availability manager decides about this guest.
///
/// # Errors
/// It does, and has given up on it or is told to leave it alone: an order would have no effect.
pub(super) fn ha_managed(reach: &Reach, current: &Value) -> Result<bool, Error> {
    let Some(ha) = current.get("ha").filter(|ha| flag(ha.get("managed"))) else {
        return Ok(false);
    };
    let state = ha.get("state").and_then(Value::as_str).unwrap_or_default();
    if matches!(state, "error" | "freeze") {
        let sentence = format!(
            "guest {} is in the high-availability state `{state}`, in which the manager takes no \
             orders",
            reach.guest()?.vmid
        );
        return Err(Error::not_allowed(reach.cluster_name(), sentence)
            .hint("disable the HA resource, clear what failed, then enable it again"));
    }
    Ok(true)
}

/// The state in which an order has nothing to do.
///
/// # Errors
/// The order cannot be given in the state in which the guest is.
fn already(reach: &Reach, action: &str, current: &Value) -> Result<Option<&'static str>, Error> {
    let state = state::of(current);
    let stopped = state == "stopped" || state == "hibernated";
    match action {
        "start" | "resume" if state == "running" => Ok(Some("running")),
        "shutdown" | "stop" if state == "stopped" => Ok(Some("stopped")),
        "suspend" if state == "paused" => Ok(Some("paused")),
        "hibernate" if state == "hibernated" => Ok(Some("hibernated")),
        "reboot" | "suspend" | "hibernate" | "reset" if stopped => Err(Error::bad(format!(
            "{}: guest {} is {state}, so there is nothing to {action}",
            reach.cluster_name(),
            reach.guest()?.vmid
        ))),
        _ => Ok(None),
    }
}

/// Whether a guest has got to where the order sends it.
fn reached(action: &str, state: &str) -> bool {
    match action {
        "shutdown" | "stop" => state == "stopped",
        "suspend" => state == "paused",
        "hibernate" => state == "hibernated" || state == "stopped",
        _ => state == "running",
    }
}

/// Says in which state the guest is after the task. The task of a managed guest ends when the manager has the
/// order: there the guest itself is waited for.
fn arrive(
    reach: &Reach,
    args: &Args,
    managed: bool,
    begun: Instant,
    mut answer: Map<String, Value>,
) -> StepResult {
    let action = args.need("action")?.to_string();
    let is_there = move |state: &String| !managed || reached(&action, state);
    let until = Until {
        end: begun + Duration::from_secs(reach.wait_s()),
        pause: Duration::from_millis(LOOK_MS),
        look: Box::new(|reach| Ok(state::of(&*reach.get_of_guest("/status/current")?))),
        is_enough: Box::new(is_there.clone()),
    };
    step::until(reach, args, until, move |_, _, state| {
        if !is_there(&state) {
            // The manager has taken the order; the guest has not got there yet.
            answer.insert("state".into(), "running".into());
        }
        answer.insert("status".into(), state.into());
        Ok(answer.into())
    })
}
