//! One call of a tool, from its arguments to its answer: checked, placed, let pass, run.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::api_request;
use super::args::{self, Args, InjectedArgs};
use super::offer::{self, Offered};
use super::open::{OpenCall, PassedCall, Reached};
use super::step::{Step, StepResult, Woken};
use super::{Actions, HandlerResult, RunFn, Subject, Tool, Toolset};
use crate::api::mark::{Effect, Mark};
use crate::api::methods::sending::Sends;
use crate::api::methods::{self, Touch};
use crate::api::path::ApiPath;
use crate::api::upid::Upid;
use crate::config::Cluster;
use crate::config::watch::Watch;
use crate::error::{Code, Error};
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use crate::fleet::registry::{
    ClusterQuestion, Decision, NamedSubject, contradiction, subject_text,
};
use crate::gate::audit::{CallAudit, CallEnd};
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
    /// The sets that were switched on while the server runs.
    later: RefCell<Vec<&'static str>>,
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
            offered: offer::offered(&fleet.config, toolsets, &[]),
            later: RefCell::default(),
            fleet,
            watch: None,
            notice: None,
        }
    }

    /// Looks whether the configuration file has changed.
    pub fn look_at_file(&mut self) {
        if let Some(watch) = &mut self.watch
            && watch.file.has_changed()
        {
            let read = (watch.read)();
            self.file_says(read);
        }
    }

    /// The tool of this name, whether it is offered or not.
    pub fn find(&self, name: &str) -> Option<&'static Tool> {
        let mut tools = self.toolsets.iter().flat_map(|set| set.tools);
        tools.find(|tool| tool.name == name)
    }

    /// A tool as far as it is offered.
    ///
    /// # Errors
    /// It is switched off, or no cluster allows anything of it, with the setting that says so.
    fn as_offered(&self, tool: &'static Tool) -> Result<Offered, Error> {
        let mut offered = self.offered.iter();
        match offered.find(|one| one.tool.name == tool.name) {
            Some(found) => Ok(*found),
            None => offer::missing(&self.fleet.config, self.toolsets, &self.withheld, tool),
        }
    }

    /// The tools that are offered.
    pub fn offered(&self) -> &[Offered] {
        &self.offered
    }

    /// All sets there are.
    pub fn toolsets(&self) -> &'static [Toolset] {
        self.toolsets
    }

    /// The sets of which nothing is listed, as the configuration has it.
    pub fn unlisted(&self) -> Vec<&'static str> {
        offer::unlisted(&self.fleet.config.safety.switches, self.toolsets)
    }

    /// Has a set listed from now on, and gives those of its tools that can be called; nothing where there is no
    /// such set.
    pub fn enable(&self, name: &str) -> Option<Vec<Offered>> {
        let set = self.toolsets.iter().find(|set| set.name == name)?;
        let offered = offer::offered(&self.fleet.config, self.toolsets, &[set.name]);
        let of_set = |one: &Offered| set.tools.iter().any(|tool| tool.name == one.tool.name);
        let is_held = |one: &Offered| !self.withheld.contains(&one.tool.name);
        let offered = offered.into_iter();
        let offered: Vec<Offered> = offered.filter(|one| of_set(one) && is_held(one)).collect();
        let mut later = self.later.borrow_mut();
        if offered.iter().any(|one| one.is_later) && !later.contains(&set.name) {
            later.push(set.name);
        }
        Some(offered)
    }

    /// Offers what is to be offered now.
    pub(super) fn offer_anew(&mut self) {
        let later = self.later.borrow();
        self.offered = offer::offered(&self.fleet.config, self.toolsets, &later);
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
    let reached = run(app, tool, arguments, caller, &call_audit);
    if tool.subject == Subject::Session {
        app.offer_anew();
    }
    room::work_ended();
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
struct Call<'c> {
    tool: &'static Tool,
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
    let offered = app.as_offered(tool)?;
    if let Actions::ByWord(actions) = tool.actions {
        offered.allows_word(actions, arguments)?;
    }
    let (args, injected) = args::check(tool, arguments)?;
    let action = match tool.actions {
        Actions::One(action) => action,
        _ => offered.action(&args)?,
    };
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
    match tool.run {
        RunFn::Fleet(run) => {
            let answer = on_fleet(app, &call, run)?;
            Ok(Reached::Outcome(CallOutcome::Answer(answer)))
        }
        RunFn::Here(run) => {
            let answer = run(app, &call.args)?;
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
        (Some(decision), _) => {
            let cluster = app.fleet.cluster_name(decision.cluster);
            call.call_audit.located(cluster, &decision.chosen_by);
        }
        (None, Some(cluster)) => call.call_audit.located(cluster, "cluster argument"),
        (None, None) => call.call_audit.located(ALL, ""),
    }
    let one = one || decision.is_some();
    let reach = app.gate.enter_fleet(&app.fleet, clusters, one, call.sends);
    let body = run(&reach, &call.args)?;
    let mut answer = match decision {
        Some(decision) => decided(app.fleet.cluster_name(decision.cluster), &decision),
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
    let by_node = match call.tool.subject {
        Subject::Node | Subject::GuestNodeOrCluster => call.args.text("node"),
        _ => None,
    };
    if let Some(node) = by_node
        && matches!(error.code, Code::Proxmox | Code::BadArguments)
        && error.accepted.is_empty()
    {
        app.fleet.check_node(&placed.decision, node)?;
        return Err(error);
    }
    // Its list had an old name: whoever bears it now is meant.
    let is_otherwise = |guest| {
        let cluster = placed.decision.cluster;
        app.fleet.is_called_otherwise(cluster, guest)
    };
    if is_read
        && placed
            .guest
            .as_ref()
            .is_some_and(|guest| is_otherwise(guest))
    {
        return at(app, call, &place(&app.fleet, call)?, run);
    }
    Err(error)
}

/// A call where it was placed: entered through the gate, planned, asked about, or run.
fn at(app: &AppState, call: &Call, placed: &Placed, run: FirstStep) -> Result<Reached, Error> {
    let (tool, args, mark) = (call.tool, &call.args, call.mark);
    let wait_s = match (call.injected.wait_s, mark) {
        (Some(given), _) => given,
        // As `Tool::wait_default_s`.
        (None, Mark::READ) => 0,
        (None, _) => args::WAIT_DEFAULT_S,
    };
    let mut answer = decided(&placed.cluster.name, &placed.decision);
    if let Some(note) = &placed.note {
        answer.insert("new_name".into(), note.as_str().into());
    }
    let enter = |mark: Mark, plan: &dyn Fn(&Reach) -> Result<Plan, Error>| {
        let entry = Entry {
            tool: tool.name,
            mark,
            // However the guest was named.
            arguments: &|| args.canonical(placed.guest.as_ref().map(|guest| guest.vmid)),
            caller: call.caller,
            call_audit: call.call_audit,
            code: call.injected.confirm.as_deref(),
            place: placed.decision.cluster,
            cluster: placed.cluster,
            chosen_by: &placed.decision.chosen_by,
            guest: placed.guest.clone(),
            task: placed.task.as_ref().map(Upid::as_str),
            touches: placed.touches.clone(),
            sends: call.sends,
            wait_s,
        };
        app.gate.enter(&app.fleet, entry, plan)
    };
    let mut admission = enter(mark, &|reach: &Reach| match tool.plan {
        Some(plan) => plan(reach, args).map(Plan::to_show),
        None => Err(Error::internal(format!("`{}` has no plan", tool.name))),
    })?;
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

/// The answer's first keys: which cluster, and why.
fn decided(cluster: &str, decision: &Decision) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("cluster".into(), cluster.into());
    answer.insert("chosen_by".into(), decision.chosen_by.clone().into());
    if !decision.silent.is_empty() {
        answer.insert("silent".into(), decision.silent.clone().into());
    }
    answer
}

/// Where a call on one cluster is done, as it was found.
struct Placed<'f> {
    decision: Decision,
    cluster: &'f Cluster,
    guest: Option<Rc<Guest>>,
    task: Option<Upid>,
    /// The node or storage that it addresses.
    touches: Vec<Touch>,
    /// What the answer says of a new name that means another cluster.
    note: Option<String>,
}

/// Finds where a call is done.
///
/// # Errors
/// No cluster is meant, or several; there is no such guest.
fn place<'f>(fleet: &'f Fleet, call: &Call) -> Result<Placed<'f>, Error> {
    let (tool, args) = (call.tool, &call.args);
    let made = match tool.subject {
        Subject::New(name) | Subject::Copied(name) => args.text(name),
        Subject::GuestOrStorage { new, .. } if args.text("guest").is_none() => args.text(new),
        _ => None,
    };
    let path = match tool.subject {
        Subject::ApiPath => Some(ApiPath::parse(args.need(api_request::PATH)?)?),
        _ => None,
    };
    let mut ask = ClusterQuestion {
        cluster: call.injected.cluster.as_deref(),
        named: NamedSubject::Nothing,
        beside: match tool.subject {
            Subject::Storage(_) => args.text("node").map(NamedSubject::Node),
            _ => made.map(|name| NamedSubject::New(Some(name))),
        },
        reading: matches!(call.mark.effect, Effect::Read),
    };
    ask.named = match tool.subject {
        Subject::Task => return place_task(fleet, args.need("task")?, ask),
        Subject::Guest | Subject::Copied(_) => args.need_guest()?,
        Subject::GuestOrStorage { storage, .. } => match args.guest() {
            Some(guest) => guest,
            None => NamedSubject::Storage(storage_of(args.need(storage)?)),
        },
        Subject::Node => NamedSubject::Node(args.need("node")?),
        Subject::GuestNodeOrCluster => match (args.guest(), args.text("node")) {
            (Some(_), Some(_)) => {
                return Err(Error::bad("name `guest` or `node`, not both"));
            }
            (Some(guest), None) => guest,
            (None, node) => node.map_or(NamedSubject::Nothing, NamedSubject::Node),
        },
        Subject::Storage(name) => NamedSubject::Storage(storage_of(args.need(name)?)),
        Subject::New(name) => NamedSubject::New(args.text(name)),
        Subject::ApiPath => {
            let node = path.as_ref().and_then(ApiPath::node);
            // What is read of a guest does nothing to it.
            let writes = args.has(api_request::METHOD);
            let vmid = path.as_ref().filter(|_| writes);
            match vmid.and_then(ApiPath::vmid) {
                Some(vmid) => {
                    ask.beside = node.map(NamedSubject::Node);
                    NamedSubject::Vmid(vmid)
                }
                None => node.map_or(NamedSubject::Nothing, NamedSubject::Node),
            }
        }
        Subject::Thing(thing, name) => thing.named(args.need(name)?),
        Subject::Cluster | Subject::List | Subject::Fleet | Subject::Session => {
            NamedSubject::Nothing
        }
    };
    let (decision, guest) = fleet.locate(&ask)?;
    // Proxmox takes `localhost` for a node too: then nobody could tell whom a write is about.
    if let Some(node) = path.as_ref().and_then(ApiPath::node)
        && !ask.reading
    {
        fleet.check_node(&decision, node)?;
    }
    let cluster = fleet.cluster(decision.cluster)?;
    let note = made.and_then(|name| contradiction(&fleet.config, decision.cluster, name));
    let touches = match tool.subject {
        Subject::Node => vec![Touch::Node(args.need("node")?.into())],
        Subject::Cluster => vec![Touch::Cluster],
        Subject::GuestNodeOrCluster => match (&guest, args.text("node")) {
            (Some(_), _) => Vec::new(),
            (None, Some(node)) => vec![Touch::Node(node.into())],
            (None, None) => vec![Touch::Cluster],
        },
        Subject::ApiPath => methods::weigh(&api_request::of(args)?).touches,
        Subject::Thing(thing, name) => vec![thing.touch(args.need(name)?)],
        Subject::Storage(name) => match args.need(name)? {
            volume if volume.contains(':') => vec![Touch::Volume(volume.into())],
            storage => vec![Touch::Storage(storage.into())],
        },
        _ => Vec::new(),
    };
    Ok(Placed {
        decision,
        cluster,
        guest: guest.map(Rc::new),
        task: None,
        touches,
        note,
    })
}

/// The storage of a volume; of a storage's name, itself.
fn storage_of(volume: &str) -> &str {
    volume.split(':').next().unwrap_or(volume)
}

/// A task's name carries its cluster; a bare UPID goes by its node.
fn place_task<'a, 'f>(
    fleet: &'f Fleet,
    text: &'a str,
    ask: ClusterQuestion<'a>,
) -> Result<Placed<'f>, Error> {
    let (carried, upid) = match text.split_once('!') {
        Some((cluster, upid)) if !cluster.starts_with("UPID:") => (Some(cluster), upid),
        _ => (None, text),
    };
    let upid = Upid::parse(upid).map_err(Error::bad)?;
    if let (Some(carried), Some(given)) = (carried, ask.cluster)
        && carried != given
    {
        return Err(Error::bad(format!(
            "the task is one of cluster `{carried}`, but `cluster` is `{given}`"
        )));
    }
    let (mut decision, _) = fleet.locate(&ClusterQuestion {
        cluster: carried.or(ask.cluster),
        named: NamedSubject::Node(args_node(text)),
        ..ask
    })?;
    if carried.is_some() && fleet.config.clusters.len() > 1 {
        decision.chosen_by = "task id".into();
    }
    Ok(Placed {
        cluster: fleet.cluster(decision.cluster)?,
        decision,
        guest: None,
        task: Some(upid),
        touches: Vec::new(),
        note: None,
    })
}

/// The node in a UPID.
fn args_node(task: &str) -> &str {
    let upid = task.find("UPID:").and_then(|at| task.get(at..));
    let mut parts = upid.unwrap_or_default().split(':');
    parts.nth(1).unwrap_or_default()
}

/// Which clusters a list or a fleet-wide read asks; the decision where it is one by rule.
fn clusters(fleet: &Fleet, call: &Call) -> Result<(Vec<usize>, Option<Decision>), Error> {
    let (tool, args): (&Tool, _) = (call.tool, &call.args);
    let all = fleet.config.settled().collect();
    let given = call.injected.cluster.as_deref();
    if given == Some(ALL) || (given.is_none() && tool.subject == Subject::Fleet) {
        return Ok((all, None));
    }
    let ask = |named| ClusterQuestion {
        cluster: given,
        named,
        beside: None,
        reading: true,
    };
    let decision = match (args.guest(), args.text("node")) {
        // What is left of a guest that is gone can be listed by its VMID, where `cluster` says whose.
        (Some(NamedSubject::Vmid(_)), _) if given.is_some() => {
            fleet.locate(&ask(NamedSubject::Nothing))?.0
        }
        (Some(named @ NamedSubject::Vmid(_)), _) if fleet.config.clusters.len() > 1 => {
            fleet
                .locate(&ask(named))
                .map_err(|error| gone(error, named))?
                .0
        }
        (Some(named @ NamedSubject::Guest(_)), _) => fleet.locate(&ask(named))?.0,
        (None, Some(node)) => {
            let decision = fleet.locate(&ask(NamedSubject::Node(node)))?.0;
            fleet.check_node(&decision, node)?;
            decision
        }
        _ => fleet.locate(&ask(NamedSubject::Nothing))?.0,
    };
    let clusters = vec![decision.cluster];
    let listed = tool.subject == Subject::List;
    Ok((clusters, listed.then_some(decision)))
}

/// A list about a guest that no cluster has: it may be one that is gone.
fn gone(error: Error, named: NamedSubject) -> Error {
    if error.code != Code::BadArguments {
        return error;
    }
    Error::bad(format!(
        "no cluster has {}; to list what is left of a guest that is gone, say `cluster`",
        subject_text(named)
    ))
}
