//! `api_write`: any write of the cluster's API. What it risks and touches is judged by the row of its method;
//! without a row it is asked about, as the heaviest.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{PATH, allowed, fit};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::methods::{self, Touch, Weight};
use crate::api::request::Request;
use crate::api::upid::Upid;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::tool::api_request;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::says_something;
use crate::tool::step::{self, StepResult};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::backup::archives;
use crate::tools::plan;

const VERBS: &[&str] = &["POST", "PUT", "DELETE"];

const fn writing(mark: Mark) -> [Sending; 3] {
    [
        sending::ANY_POST.weighing(mark),
        sending::ANY_PUT.weighing(mark),
        sending::ANY_DELETE.weighing(mark),
    ]
}

const OPERATE: Mark = Mark::OPERATE;
const CHANGE: Mark = Mark::CHANGE;
const FULL: Mark = Mark::FULL;
/// All that a write may weigh, the heaviest last.
#[rustfmt::skip] // One weight a line.
const WEIGHTS: &[Action] = &[
    Action::new("O", &[plan::READS, archives::READS, &writing(OPERATE)]),
    Action::new("O!", &[plan::READS, archives::READS, &writing(OPERATE.interrupts())]),
    Action::new("O!?", &[plan::READS, archives::READS, &writing(OPERATE.interrupts().asks())]),
    Action::new("C", &[plan::READS, archives::READS, &writing(CHANGE)]),
    Action::new("C!", &[plan::READS, archives::READS, &writing(CHANGE.interrupts())]),
    Action::new("C!?", &[plan::READS, archives::READS, &writing(CHANGE.interrupts().asks())]),
    Action::new("F?", &[plan::READS, archives::READS, &writing(FULL)]),
    Action::new("F!?", &[plan::READS, archives::READS, &writing(FULL.interrupts())]),
    Action::new("F?x", &[plan::READS, archives::READS, &writing(FULL.destroys())]),
    Action::new(HEAVIEST, &[plan::READS, archives::READS, &writing(FULL.interrupts().destroys())]),
];
const HEAVIEST: &str = "F!?x";

pub(super) const WRITE: Tool = Tool {
    name: "api_write",
    title: "Write to any path of the API",
    about: "Sends any write of a cluster's own API, checked by its description, for what no other tool does; asks as such a \
            one would.",
    actions: Actions::ByArguments(WEIGHTS, way),
    subject: Subject::ApiPath,
    params: &[
        Param::new(api_request::METHOD, ParamKind::OneOf(VERBS), ""),
        PATH,
        Param::new(api_request::PARAMS, ParamKind::Settings, "of the method").optional(),
    ],
    answer: &[("path", "string"), ("state", "string")],
    task: true,
    plan: Some(planned),
    run: RunFn::Steps(write),
};

fn way(args: &Args) -> &'static str {
    let Ok(request) = api_request::of(args) else {
        // It is refused before anything is sent.
        return HEAVIEST;
    };
    let mark = methods::weigh(&request).mark;
    let mut same = WEIGHTS.iter().filter(|action| action.mark == mark);
    same.next().map_or(HEAVIEST, |action| action.word)
}

/// The request, held against what is refused here, against where its guest is, and against the cluster's
/// description.
fn checked(reach: &Reach, args: &Args) -> Result<Request, Error> {
    let request = api_request::of(args)?;
    let (cluster, line) = (reach.cluster_name(), request.line());
    if let Some(why) = methods::withheld(&request) {
        let sentence = format!("`{line}` is not sent by this tool: {why}");
        return Err(Error::not_allowed(cluster, sentence));
    }
    allowed(reach, &request)?;
    if let (Ok(guest), Some(node)) = (reach.guest(), request.path.get(1))
        && guest.node != *node
    {
        return Err(Error::bad(format!(
            "{cluster}: guest {} is on node `{}`, and the path says `{node}`",
            guest.vmid, guest.node
        )));
    }
    if reach.schema()?.is_none() && !methods::weigh(&request).mark.asks {
        let sentence = format!(
            "`{line}` cannot be checked, as the cluster does not serve its API description"
        );
        return Err(Error::not_allowed(cluster, sentence)
            .hint("use the tool that does it, which tool_find names"));
    }
    let twice = twice(reach, &request)?;
    if !twice.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: `{}` of `{line}` is said by its path already",
            twice.join("`, `")
        )));
    }
    reach.check(&request)?;
    Ok(request)
}

/// The parameters that the path says too.
fn twice(reach: &Reach, request: &Request) -> Result<Vec<String>, Error> {
    let parts: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let schema = reach.schema()?;
    let method = schema.as_deref();
    let method = method.and_then(|schema| schema.find(request.verb, &parts));
    let Some(method) = method else {
        return Ok(Vec::new());
    };
    let is_slot = |name: &&String| method.template.contains(&format!("{{{name}}}"));
    Ok(request.params.keys().filter(is_slot).cloned().collect())
}

/// Who uses the volume that a request is about. Proxmox would destroy it all the same.
fn used_by(reach: &Reach, request: &Request, weight: &Weight) -> Result<Value, Error> {
    let volume = weight.touches.iter().find_map(|touch| match touch {
        Touch::Volume(volume) => Some(volume),
        _ => None,
    });
    let (Some(volume), Some(node)) = (volume, request.path.get(1)) else {
        return Ok(Value::Null);
    };
    let (mut users, unknown) = reach.users_of(node, volume)?;
    users.sort_unstable();
    users.dedup();
    // Its name may be all that is left of a guest.
    let mut vmids = Vec::new();
    for vmid in users {
        if reach.has(vmid)? {
            vmids.push(vmid);
        }
    }
    if !vmids.is_empty() && weight.mark.destroys {
        let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
        let sentence = format!(
            "`{}` would destroy a volume that is used by guest {}",
            request.line(),
            vmids.join(", ")
        );
        let error = Error::not_allowed(reach.cluster_name(), sentence);
        return Err(error.hint("take it from the guest first: guest_disk with action `remove`"));
    }
    Ok(match unknown {
        Some(why) => format!("unknown: {why}").into(),
        None if vmids.is_empty() => "no guest".into(),
        None => vmids.into(),
    })
}

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let request = checked(reach, args)?;
    reach.foresee(&request)?;
    let weight = methods::weigh(&request);
    let lost = match weight.mark {
        mark if mark.destroys => "what it takes away is gone, or written over",
        mark if mark.interrupts => "what runs by it, or who is logged in by it, is cut off",
        _ => "what it takes away, or what somebody was kept from or may do",
    };
    let mut guests = BTreeSet::new();
    for touch in weight.touches.iter().filter(|touch| touch.is_many()) {
        guests.extend(reach.guests_of(touch)?);
    }
    let used_by = used_by(reach, &request, &weight)?;
    let touches: Vec<String> = weight.touches.iter().map(Touch::to_string).collect();
    let objects = guests.len().max(1);
    let facts: Vec<(&str, Value)> = [
        ("sends", Value::from(request.line())),
        ("params", request.params.clone().into()),
        ("touches", touches.into()),
        ("guests", guests.into_iter().collect()),
        ("used_by", used_by),
        ("lost", lost.into()),
        ("undo", "by another call of the API, if there is one".into()),
    ]
    .into_iter()
    .filter(|(_, value)| says_something(value))
    .collect();
    let mut plan = match reach.guest() {
        Ok(_) => plan::of_guest(reach, &facts)?,
        Err(_) => {
            let cluster = reach.cluster_name();
            let named = [
                ("cluster", Value::from(cluster)),
                ("name", request.path_text().into()),
            ];
            let shown = named.into_iter().chain(facts);
            Plan {
                subject: json!({"cluster": cluster}),
                shown: shown.map(|(key, value)| (key.to_string(), value)).collect(),
                objects,
                ..Plan::default()
            }
        }
    };
    if let Some(subject) = plan.subject.as_object_mut() {
        subject.insert("sends".into(), request.line().into());
        subject.insert("params".into(), request.params.into());
    }
    Ok(plan)
}

fn write(reach: &Reach, args: &Args) -> StepResult {
    let request = checked(reach, args)?;
    for touch in methods::weigh(&request).touches {
        if let Touch::NewGuest(vmid) = touch {
            reach.claim(vmid)?;
        }
    }
    let reply = reach.send(&request)?;
    let mut answer = Map::new();
    answer.insert("path".into(), request.path_text().into());
    let is_task = |text: &str| Upid::parse(text).is_ok();
    if !reply.data.is_null() && !reply.data.as_str().is_some_and(is_task) {
        answer.insert("state".into(), "ok".into());
        answer.insert("data".into(), fit(&reply.data, &[]));
        return Ok(answer.into());
    }
    step::follow(reach, args, &reply, |_, _, task| {
        answer.extend(task?);
        Ok(answer.into())
    })
}
