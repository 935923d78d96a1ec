//! One call of a tool, from its arguments to its answer: checked, placed, let pass, run.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::args::{self, Args, InjectedArgs};
use super::offer::{self, Offered};
use super::open::{OpenCall, PassedCall, Reached};
use super::placed::{Placed, clusters, place};
use super::step::{Step, StepResult, Woken};
use super::{HandlerResult, RunFn, Subject, Tool, Toolset};
use crate::api::mark::{Effect, Mark};
use crate::api::methods::sending::Sends;
use crate::api::upid::Upid;
use crate::config::watch::Watch;
use crate::error::{Code, Error};
use crate::fleet::Fleet;
use crate::fleet::registry::Decision;
use crate::gate::call_audit::{CallAudit, CallEnd};
use crate::gate::confirm::{Plan, Question};
use crate::gate::reach::{FleetReach, Reach};
use crate::gate::{Admission, CallOrigin, Caller, Entry, Gate};
use crate::proxmox::task::LOOK_MAX_S;
use crate::room;
use crate::shown;

/// The word in `cluster` that means every cluster.
pub const ALL: &str = "all";

/// What calls share: the clusters, what the gate remembers, and which tools there are.
pub struct AppState {
    pub fleet: Fleet,
    pub gate: Gate,
    pub(super) toolsets: &'static [Toolset],
    /// Tools that a changed configuration has switched off.
    pub(super) withheld: Vec<&'static str>,
    offered: Vec<Offered>,
    /// The file that is looked at before each call.
    pub watch: Option<Watch>,
    /// What became of a changed configuration, for the next answer.
    pub(super) notice: Option<Value>,
}

impl AppState {
    pub fn new(fleet: Fleet, toolsets: &'static [Toolset], from: CallOrigin) -> AppState {
        AppState {
            gate: Gate::new(&fleet.config.safety, from),
            toolsets,
            withheld: Vec::new(),
            offered: offer::offered(&fleet.config, toolsets),
            fleet,
            watch: None,
            notice: None,
        }
    }

    /// The tools that are offered.
    pub fn offered(&self) -> &[Offered] {
        &self.offered
    }

    /// Offers what is to be offered now.
    pub(super) fn offer_anew(&mut self) {
        self.offered = offer::offered(&self.fleet.config, self.toolsets);
        self.offered
            .retain(|one| !self.withheld.contains(&one.tool.name));
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutcome {
    Answer(Map<String, Value>),
    /// The plan is shown, and a code that confirms it; the same call, with the code, acts.
    Planned(Map<String, Value>),
    /// The user is to be asked; the same call, with the reply, acts.
    Question(Box<Question>),
}

/// How far a call has come.
pub enum CallStep {
    /// What it came to, or why it failed, by what the caller can do next.
    Ended(Result<CallOutcome, Error>),
    /// It waits: [`OpenCall::go_on`] when it is due.
    Open(Box<OpenCall>),
}

/// Calls a tool, and waits until the call has ended.
///
/// # Errors
/// Why it failed, by what the caller can do next.
pub fn call(
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
) -> Result<CallOutcome, Error> {
    match begin(app, tool, arguments, caller) {
        CallStep::Ended(outcome) => outcome,
        CallStep::Open(open) => open.to_end(app),
    }
}

/// Begins the call of a tool.
pub fn begin(
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
) -> CallStep {
    app.look_at_file();
    let call_audit = Rc::new(app.gate.call_audit(tool.name, arguments, &caller));
    let (reached, _) = room::work(|| run(app, tool, arguments, caller, &call_audit));
    end(app, arguments, &call_audit, reached)
}

/// What leaves of a call, and is written down of it, where it has ended.
pub(super) fn end(
    app: &mut AppState,
    arguments: &Map<String, Value>,
    call_audit: &CallAudit,
    reached: Result<Reached, Error>,
) -> CallStep {
    let mut outcome = match reached {
        Ok(Reached::Open(open)) => return CallStep::Open(open),
        Ok(Reached::Outcome(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    // What leaves from here, to the client or into the audit file, is fit to be shown.
    if let Ok(CallOutcome::Answer(answer) | CallOutcome::Planned(answer)) = &mut outcome {
        if let Some(notice) = app.notice.take() {
            answer.insert("configuration".into(), notice);
        }
        shown::answer(arguments, answer);
    }
    let outcome = outcome.map_err(|error| shown::error(arguments, error));
    let end = match &outcome {
        Ok(CallOutcome::Answer(answer)) => CallEnd::Answer(answer),
        Ok(CallOutcome::Planned(_) | CallOutcome::Question(_)) => CallEnd::Asked,
        Err(error) => CallEnd::Error(error),
    };
    app.gate.write_down(call_audit, &end);
    CallStep::Ended(outcome)
}

/// Ends a call whose user was asked, without their answer: its plan is forgotten, and why is written down.
pub fn end_asked(
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
    question: &Question,
    why: Error,
) -> CallStep {
    app.gate.plans.borrow_mut().withdraw(&question.state);
    let call_audit = app.gate.call_audit(tool.name, arguments, &caller);
    let said = |key: &str| question.shown.get(key).and_then(Value::as_str);
    if let (Some(cluster), Some(chosen_by)) = (said("cluster"), said("chosen_by")) {
        call_audit.located(cluster, chosen_by);
    }
    end(app, arguments, &call_audit, Err(why))
}

/// What a handler does first.
type FirstStep<'r> = &'r dyn Fn(&Reach, &Args) -> StepResult;

/// A call as it was made: what is asked, checked, and what it may do.
pub(super) struct Call<'c> {
    pub(super) tool: &'static Tool,
    /// As they came.
    arguments: &'c Map<String, Value>,
    pub(super) args: Rc<Args>,
    pub(super) injected: InjectedArgs,
    /// What its action sends, and what that weighs.
    sends: Sends,
    pub(super) mark: Mark,
    caller: Caller<'c>,
    call_audit: &'c Rc<CallAudit>,
}

fn run(
    app: &AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
    call_audit: &Rc<CallAudit>,
) -> Result<Reached, Error> {
    let config = &app.fleet.config;
    let offered = offer::find(&app.offered, config, app.toolsets, &app.withheld, tool)?;
    offered.allows_word(arguments)?;
    let (args, injected) = args::check(tool, arguments)?;
    let action = tool.action(&args).ok_or_else(|| {
        let name = tool.name;
        Error::internal(format!("`{name}` does nothing of that kind"))
    })?;
    let call = Call {
        tool,
        arguments,
        args: Rc::new(args),
        injected,
        sends: action.sends,
        mark: action.mark,
        caller,
        call_audit,
    };
    offered.allows(call.mark.effect)?;
    match tool.run {
        RunFn::Fleet(run) => {
            let answer = on_fleet(app, &call, run)?;
            Ok(Reached::Outcome(CallOutcome::Answer(answer)))
        }
        RunFn::AtOnce(run) => on_one(app, &call, &|reach, args| run(reach, args).map(Step::Done)),
        RunFn::Write(run) => on_one(app, &call, &|reach, args| {
            run(reach, args)?.step(reach, args)
        }),
        RunFn::Steps(run) => on_one(app, &call, &run),
    }
}

/// A read of several clusters.
fn on_fleet(
    app: &AppState,
    call: &Call,
    run: fn(&FleetReach, &Args) -> HandlerResult,
) -> HandlerResult {
    let (clusters, decision) = clusters(&app.fleet, call)?;
    let given = call.injected.cluster.as_deref();
    let one = given.is_some_and(|name| name != ALL);
    match (&decision, given) {
        (Some(decision), _) => note(call.call_audit, &app.fleet, decision),
        (None, Some(cluster)) => call.call_audit.located(cluster, "cluster argument"),
        (None, None) => call.call_audit.located(ALL, ""),
    }
    let one = one || decision.is_some();
    let reach = app.gate.enter_fleet(&app.fleet, clusters, one, call.sends);
    let body = run(&reach, &call.args)?;
    let mut answer = match decision {
        Some(decision) => decided(&app.fleet, &decision),
        None => Map::from_iter([
            ("clusters_asked".to_string(), reach.asked().into()),
            ("errors".to_string(), reach.errors().into()),
        ]),
    };
    answer.extend(body);
    Ok(answer)
}

/// A call on one cluster. A guest may move between two requests, or turn out to be called otherwise:
/// then a read is placed once more, and made of the one that is meant now.
fn on_one(app: &AppState, call: &Call, run: FirstStep) -> Result<Reached, Error> {
    let placed = place(&app.fleet, call)?;
    let error = match at(app, call, &placed, run) {
        Err(error) => error,
        outcome => return outcome,
    };
    let is_read = call.mark.effect == Effect::Read;
    if is_read && error.is_of_no_guest() {
        let again = place(&app.fleet, call)?;
        let node = |placed: &Placed| placed.guest.as_ref().map(|guest| guest.node.clone());
        if node(&again) == node(&placed) {
            return Err(error);
        }
        return at(app, call, &again, run);
    }
    // It may be a node of another cluster than the one that was named.
    if call.tool.subject == Subject::Node
        && matches!(error.code, Code::Proxmox | Code::BadArguments)
        && error.accepted.is_empty()
    {
        let node = call.args.need("node")?;
        app.fleet.check_node(&placed.decision, node)?;
        return Err(error);
    }
    // Its list had an old name: whoever bears it now is meant.
    let is_otherwise = |guest| {
        let cluster = placed.decision.cluster;
        app.fleet.is_called_otherwise(cluster, guest)
    };
    if is_read && placed.guest.as_ref().is_some_and(is_otherwise) {
        return at(app, call, &place(&app.fleet, call)?, run);
    }
    Err(error)
}

/// A call where it was placed: entered through the gate, planned, asked about, or run.
fn at(app: &AppState, call: &Call, placed: &Placed, run: FirstStep) -> Result<Reached, Error> {
    let (tool, args, mark) = (call.tool, &call.args, call.mark);
    note(call.call_audit, &app.fleet, &placed.decision);
    let enter = |mark: Mark, plan: &dyn Fn(&Reach) -> Result<Plan, Error>| {
        let entry = Entry {
            tool: tool.name,
            mark,
            // However the guest was named.
            arguments: &|| args.canonical(placed.guest.as_ref().map(|guest| guest.vmid)),
            caller: call.caller,
            call_audit: call.call_audit,
            code: call.injected.confirm.as_deref(),
            cluster: placed.decision.cluster,
            guest: placed.guest.clone(),
            task: placed.task.as_ref().map(Upid::as_str),
            touches: placed.touches.clone(),
            sends: call.sends,
            wait_s: call.injected.wait_s,
        };
        app.gate.enter(&app.fleet, entry, plan)
    };
    let mut admission = enter(mark, &|reach: &Reach| match tool.plan {
        Some(plan) => plan(reach, args).map(Plan::to_show),
        None => Err(Error::internal(format!("`{}` has no plan", tool.name))),
    })?;
    let mut answer = decided(&app.fleet, &placed.decision);
    if let Some(note) = &placed.note {
        answer.insert("new_name".into(), note.as_str().into());
    }
    let mut again = true;
    loop {
        match admission {
            Admission::Planned(planned) => {
                answer.extend(planned);
                return Ok(Reached::Outcome(CallOutcome::Planned(answer)));
            }
            Admission::Ask(mut question) => {
                answer.append(&mut question.shown);
                question.shown = answer;
                return Ok(Reached::Outcome(CallOutcome::Question(question)));
            }
            Admission::Go(admitted, confirmed) => {
                let reach = app.gate.lend(&app.fleet, &admitted, call.call_audit);
                let step = run(&reach, args);
                // Its first write touches another guest's volume: the call enters once more, as heavy
                // as it is.
                if let Some(heavier) = reach.heavier().filter(|_| again) {
                    again = false;
                    admission = enter(mark.or(heavier.mark), &|reach: &Reach| {
                        heavier.plan(reach).map(Plan::to_show)
                    })?;
                    continue;
                }
                if let Some(by) = confirmed.by() {
                    answer.insert("confirmed_by".into(), by.into());
                }
                let passed = PassedCall {
                    arguments: call.arguments.clone(),
                    args: Rc::clone(&call.args),
                    admitted,
                    call_audit: Rc::clone(call.call_audit),
                    answer,
                };
                let limit = Duration::from_secs(LOOK_MAX_S);
                return passed.advance(app, step, Woken::Due, limit);
            }
        }
    }
}

fn note(call_audit: &CallAudit, fleet: &Fleet, decision: &Decision) {
    call_audit.located(fleet.cluster_name(decision.cluster), &decision.chosen_by);
}

/// The answer's first keys: which cluster, and why.
fn decided(fleet: &Fleet, decision: &Decision) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert(
        "cluster".into(),
        fleet.cluster_name(decision.cluster).into(),
    );
    answer.insert("chosen_by".into(), decision.chosen_by.clone().into());
    if !decision.silent.is_empty() {
        answer.insert("silent".into(), decision.silent.clone().into());
    }
    answer
}
