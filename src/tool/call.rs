//! One call of a tool, from its arguments to its answer: checked, located, let pass, run.

use serde_json::{Map, Value};

use super::args::{self, Args, Injected};
use super::offer::{self, Offered};
use super::watch::Watch;
use super::{Body, Run, Subject, Tool, Toolset};
use crate::error::Error;
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use crate::fleet::registry::{Ask, Decision, Named, subject_text};
use crate::gate::confirm::Question;
use crate::gate::mark::{Effect, Mark};
use crate::gate::reach::{FleetReach, Reach};
use crate::gate::trail::{End, Trail};
use crate::gate::weigh::Touch;
use crate::gate::{Caller, Entry, Gate, Origin, Verdict};
use crate::proxmox::request::Verb;
use crate::proxmox::upid::Upid;

/// The word in `cluster` that means every cluster.
pub const ALL: &str = "all";

/// What calls share: the clusters, what the gate remembers, and which tools there are.
pub struct Desk {
    pub fleet: Fleet,
    pub gate: Gate,
    pub(super) toolsets: &'static [Toolset],
    /// Tools that a changed configuration has switched off.
    pub(super) withheld: Vec<&'static str>,
    /// The file that is looked at before each call.
    pub watch: Option<Watch>,
    /// What became of a changed configuration, for the next answer.
    pub(super) notice: Option<Value>,
}

impl Desk {
    pub fn new(fleet: Fleet, toolsets: &'static [Toolset], from: Origin) -> Desk {
        Desk {
            gate: Gate::new(&fleet.config.safety, from),
            fleet,
            toolsets,
            withheld: Vec::new(),
            watch: None,
            notice: None,
        }
    }

    /// The tools that are offered.
    pub fn offered(&self) -> Vec<Offered> {
        let mut offered = offer::offered(&self.fleet.config, self.toolsets);
        offered.retain(|one| !self.withheld.contains(&one.tool.name));
        offered
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Answer(Map<String, Value>),
    /// The user is to be asked; the same call, with the reply, acts.
    Question(Box<Question>),
}

/// Calls a tool.
///
/// # Errors
/// Why it failed, by what the caller can do next.
pub fn call(
    desk: &mut Desk,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
) -> Result<Outcome, Error> {
    desk.look_at_file();
    let trail = desk.gate.trail(tool.name, arguments, &caller);
    let outcome = run(desk, tool, arguments, caller, &trail);
    trail.end(&match &outcome {
        Ok(Outcome::Answer(answer)) if answer.contains_key("plan") => End::Asked,
        Ok(Outcome::Answer(answer)) => End::Answer(answer),
        Ok(Outcome::Question(_)) => End::Asked,
        Err(error) => End::Error(error),
    });
    let mut outcome = outcome?;
    if let (Outcome::Answer(answer), Some(_)) = (&mut outcome, &desk.notice) {
        answer.insert("configuration".into(), desk.notice.take().into());
    }
    Ok(outcome)
}

fn run(
    desk: &Desk,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
    caller: Caller,
    trail: &Trail,
) -> Result<Outcome, Error> {
    let config = &desk.fleet.config;
    offer::check(config, desk.toolsets, &desk.withheld, tool, arguments)?;
    let (args, injected) = args::check(tool, arguments)?;
    offer::allowed(config, tool, tool.mark(&args).effect)?;
    match tool.run {
        Run::Fleet(run) => on_fleet(desk, tool, &args, &injected, trail, run).map(Outcome::Answer),
        Run::Guest(verb, path) => on_one(desk, tool, &args, &injected, (caller, trail), |reach| {
            send_on_guest(reach, verb, path, &args)
        }),
        Run::Steps(run) => on_one(desk, tool, &args, &injected, (caller, trail), |reach| {
            run(reach, &args)
        }),
    }
}

/// A read of several clusters.
fn on_fleet(
    desk: &Desk,
    tool: &'static Tool,
    args: &Args,
    injected: &Injected,
    trail: &Trail,
    run: fn(&FleetReach, &Args) -> Body,
) -> Body {
    let (clusters, decision) = clusters(&desk.fleet, tool, args, injected)?;
    let one = injected.cluster.as_deref().is_some_and(|name| name != ALL);
    match (&decision, injected.cluster.as_deref()) {
        (Some(decision), _) => note(trail, &desk.fleet, decision),
        (None, Some(cluster)) => trail.located(cluster, "cluster argument"),
        (None, None) => trail.located(ALL, ""),
    }
    let reach = desk
        .gate
        .enter_fleet(&desk.fleet, clusters, one || decision.is_some());
    let body = run(&reach, args)?;
    let mut answer = match decision {
        Some(decision) => decided(&desk.fleet, &decision),
        None => Map::from_iter([
            ("clusters_asked".to_string(), reach.asked().into()),
            ("errors".to_string(), reach.errors().into()),
        ]),
    };
    answer.extend(body);
    Ok(answer)
}

/// A call on one cluster.
fn on_one(
    desk: &Desk,
    tool: &'static Tool,
    args: &Args,
    injected: &Injected,
    (caller, trail): (Caller, &Trail),
    run: impl Fn(&Reach) -> Body,
) -> Result<Outcome, Error> {
    let mark = tool.mark(args);
    let located = locate(&desk.fleet, tool, args, injected, mark)?;
    note(trail, &desk.fleet, &located.decision);
    let entry = Entry {
        tool: tool.name,
        mark,
        arguments: args.canonical(),
        caller,
        trail,
        code: injected.confirm.as_deref(),
        cluster: located.decision.cluster,
        guest: located.guest,
        task: located.task.as_ref().map(Upid::as_str),
        touches: addressed(tool, args)?,
        wait_s: injected.wait_s,
    };
    let plan = |reach: &Reach| match tool.plan {
        Some(plan) => plan(reach, args),
        None => Err(Error::bad(format!("`{}` has no plan", tool.name))),
    };
    let verdict = desk.gate.enter(&desk.fleet, entry, &plan)?;
    let mut answer = decided(&desk.fleet, &located.decision);
    match verdict {
        Verdict::Planned(planned) => answer.extend(planned),
        Verdict::Ask(mut question) => {
            answer.append(&mut question.shown);
            question.shown = answer;
            return Ok(Outcome::Question(question));
        }
        Verdict::Go(reach) => {
            let body = run(&reach).map_err(|error| reach.in_full(error))?;
            answer.extend(body);
            let notes = reach.notes().into_iter();
            answer.extend(notes.map(|(key, value)| (key.to_string(), value)));
        }
    }
    Ok(Outcome::Answer(answer))
}

/// One request on the guest, its parameters taken from the arguments of their names.
fn send_on_guest(
    reach: &Reach,
    verb: Verb,
    path: &str,
    args: &Args,
) -> Result<Map<String, Value>, Error> {
    let slots: Vec<&str> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    let values = slots.iter().map(|slot| args.need(slot));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let mut request = reach.on_guest(verb, path, &values)?;
    for (name, value) in args.iter() {
        if name != "guest" && !slots.contains(&name.as_str()) {
            request = request.with(name, value.clone());
        }
    }
    let reply = reach.send(&request)?;
    reach.follow(&reply)
}

struct Located {
    decision: Decision,
    guest: Option<Guest>,
    task: Option<Upid>,
}

fn locate(
    fleet: &Fleet,
    tool: &Tool,
    args: &Args,
    injected: &Injected,
    mark: Mark,
) -> Result<Located, Error> {
    let ask = |cluster, named| Ask {
        cluster,
        named,
        reading: mark.effect == Effect::Read,
    };
    let given = injected.cluster.as_deref();
    let named = match tool.subject {
        Subject::Task => return locate_task(fleet, args, given, ask),
        Subject::Guest => guest_named(args.need("guest")?),
        Subject::GuestOrStorage(storage) => match args.text("guest") {
            Some(guest) => guest_named(guest),
            None => Named::Storage(storage_of(args.need(storage)?)),
        },
        Subject::Node => Named::Node(args.need("node")?),
        Subject::Storage(name) => Named::Storage(storage_of(args.need(name)?)),
        Subject::New(name) => Named::New(args.text(name)),
        Subject::List | Subject::Fleet => Named::Nothing,
    };
    let (decision, guest) = fleet.locate(&ask(given, named))?;
    Ok(Located {
        decision,
        guest,
        task: None,
    })
}

/// The node or storage that a call addresses; its guest and its task are found.
fn addressed(tool: &Tool, args: &Args) -> Result<Vec<Touch>, Error> {
    Ok(match tool.subject {
        Subject::Node => vec![Touch::Node(args.need("node")?.into())],
        Subject::Storage(name) => match args.need(name)? {
            volume if volume.contains(':') => vec![Touch::Volume(volume.into())],
            storage => vec![Touch::Storage(storage.into())],
        },
        _ => Vec::new(),
    })
}

/// A text of digits only is a VMID.
fn guest_named(guest: &str) -> Named<'_> {
    guest.parse().map_or(Named::Guest(guest), Named::Vmid)
}

/// The storage of a volume; of a storage's name, itself.
fn storage_of(volume: &str) -> &str {
    volume.split(':').next().unwrap_or(volume)
}

/// A task's name carries its cluster; a bare UPID goes by its node.
fn locate_task<'a>(
    fleet: &Fleet,
    args: &'a Args,
    given: Option<&'a str>,
    ask: impl Fn(Option<&'a str>, Named<'a>) -> Ask<'a>,
) -> Result<Located, Error> {
    let text = args.need("task")?;
    let (carried, upid) = match text.split_once('!') {
        Some((cluster, upid)) if !cluster.starts_with("UPID:") => (Some(cluster), upid),
        _ => (None, text),
    };
    let upid = Upid::parse(upid).map_err(Error::bad)?;
    if let (Some(carried), Some(given)) = (carried, given)
        && carried != given
    {
        return Err(Error::bad(format!(
            "the task is one of cluster `{carried}`, but `cluster` is `{given}`"
        )));
    }
    let (mut decision, _) = fleet.locate(&Ask {
        cluster: carried.or(given),
        ..ask(None, Named::Node(args_node(text)))
    })?;
    if carried.is_some() && fleet.config.clusters.len() > 1 {
        decision.chosen_by = "task id".into();
    }
    Ok(Located {
        decision,
        guest: None,
        task: Some(upid),
    })
}

/// The node in a UPID.
fn args_node(task: &str) -> &str {
    let upid = task.find("UPID:").and_then(|at| task.get(at..));
    let mut parts = upid.unwrap_or_default().split(':');
    parts.nth(1).unwrap_or_default()
}

/// Which clusters a list or a fleet-wide read asks; the decision where it is one by rule.
fn clusters(
    fleet: &Fleet,
    tool: &Tool,
    args: &Args,
    injected: &Injected,
) -> Result<(Vec<usize>, Option<Decision>), Error> {
    let all = (0..fleet.config.clusters.len()).collect();
    let given = injected.cluster.as_deref();
    if given == Some(ALL) || (given.is_none() && tool.subject == Subject::Fleet) {
        return Ok((all, None));
    }
    let ask = |named| Ask {
        cluster: given,
        named,
        reading: true,
    };
    let decision = match args.text("guest").map(guest_named) {
        // What is left of a guest that is gone can be listed by its VMID, where `cluster` says whose.
        Some(Named::Vmid(_)) if given.is_some() => fleet.locate(&ask(Named::Nothing))?.0,
        Some(named @ Named::Vmid(_)) if fleet.config.clusters.len() > 1 => {
            fleet
                .locate(&ask(named))
                .map_err(|error| gone(error, named))?
                .0
        }
        Some(named @ Named::Guest(_)) => fleet.locate(&ask(named))?.0,
        _ => fleet.locate(&ask(Named::Nothing))?.0,
    };
    let clusters = vec![decision.cluster];
    let listed = tool.subject == Subject::List;
    Ok((clusters, listed.then_some(decision)))
}

/// A list about a guest that no cluster has: it may be one that is gone.
fn gone(error: Error, named: Named) -> Error {
    let Error::BadArguments(_) = error else {
        return error;
    };
    Error::bad(format!(
        "no cluster has {}; to list what is left of a guest that is gone, say `cluster`",
        subject_text(named)
    ))
}

fn note(trail: &Trail, fleet: &Fleet, decision: &Decision) {
    trail.located(fleet.cluster_name(decision.cluster), &decision.chosen_by);
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
