//! Where a call is done: the cluster that it means, and the guest, the task and what else it addresses.

use super::call::{ALL, Call};
use super::{Subject, Tool};
use crate::api::mark::Effect;
use crate::api::methods::Touch;
use crate::api::upid::Upid;
use crate::error::{Code, Error};
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use crate::fleet::registry::{
    ClusterQuestion, Decision, NamedSubject, contradiction, subject_text,
};

/// Where a call on one cluster is done, as it was found.
pub(super) struct Placed {
    pub(super) decision: Decision,
    pub(super) guest: Option<Guest>,
    pub(super) task: Option<Upid>,
    /// The node or storage that it addresses.
    pub(super) touches: Vec<Touch>,
    /// What the answer says of a new name that means another cluster.
    pub(super) note: Option<String>,
}

/// Finds where a call is done.
///
/// # Errors
/// No cluster is meant, or several; there is no such guest.
pub(super) fn place(fleet: &Fleet, call: &Call) -> Result<Placed, Error> {
    let (tool, args) = (call.tool, &call.args);
    let made = match tool.subject {
        Subject::New(name) | Subject::Copied(name) => args.text(name),
        Subject::GuestOrStorage { new, .. } if args.text("guest").is_none() => args.text(new),
        _ => None,
    };
    let ask = |named| ClusterQuestion {
        cluster: call.injected.cluster.as_deref(),
        named,
        beside: made,
        reading: call.mark.effect == Effect::Read,
    };
    let named = match tool.subject {
        Subject::Task => return place_task(fleet, args.need("task")?, ask(NamedSubject::Nothing)),
        Subject::Guest | Subject::Copied(_) => guest_named(args.need("guest")?),
        Subject::GuestOrStorage { storage, .. } => match args.text("guest") {
            Some(guest) => guest_named(guest),
            None => NamedSubject::Storage(storage_of(args.need(storage)?)),
        },
        Subject::Node => NamedSubject::Node(args.need("node")?),
        Subject::Storage(name) => NamedSubject::Storage(storage_of(args.need(name)?)),
        Subject::New(name) => NamedSubject::New(args.text(name)),
        Subject::List | Subject::Fleet => NamedSubject::Nothing,
    };
    let (decision, guest) = fleet.locate(&ask(named))?;
    let note = made.and_then(|name| contradiction(&fleet.config, decision.cluster, name));
    let touches = match tool.subject {
        Subject::Node => vec![Touch::Node(args.need("node")?.into())],
        Subject::Storage(name) => match args.need(name)? {
            volume if volume.contains(':') => vec![Touch::Volume(volume.into())],
            storage => vec![Touch::Storage(storage.into())],
        },
        _ => Vec::new(),
    };
    Ok(Placed {
        decision,
        guest,
        task: None,
        touches,
        note,
    })
}

/// A text of digits only is a VMID.
fn guest_named(guest: &str) -> NamedSubject<'_> {
    guest
        .parse()
        .map_or(NamedSubject::Guest(guest), NamedSubject::Vmid)
}

/// The storage of a volume; of a storage's name, itself.
fn storage_of(volume: &str) -> &str {
    volume.split(':').next().unwrap_or(volume)
}

/// A task's name carries its cluster; a bare UPID goes by its node.
fn place_task<'a>(fleet: &Fleet, text: &'a str, ask: ClusterQuestion<'a>) -> Result<Placed, Error> {
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
pub(super) fn clusters(
    fleet: &Fleet,
    call: &Call,
) -> Result<(Vec<usize>, Option<Decision>), Error> {
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
    let decision = match (args.text("guest").map(guest_named), args.text("node")) {
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
