//! `api_read`: what a GET of the cluster's API answers, which no tool of its own reads.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{PATH, TEXT_MAX_CHARS, allowed, fit};
use crate::api::mark::Mark;
use crate::api::methods;
use crate::api::methods::sending;
use crate::api::request::Request;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::{printable, repeated};
use crate::tool::api_request;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT};
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};

/// A look; what has the cluster do something, such as asking a server; what is read out of a guest.
const LOOK: &str = "look";
const REACH: &str = "reach";
const FETCH: &str = "fetch";

/// So many keys are named where one is not there.
const KEYS_MAX: usize = 60;

pub(super) const READ: Tool = Tool {
    name: "api_read",
    title: "Read any path of the API",
    about: "Reads any path of a cluster's own API, checked by its description, for what no other tool reads.",
    actions: Actions::ByArguments(
        &[
            Action::new(LOOK, &[&[sending::ANY_GET]]),
            Action::new(REACH, &[&[sending::ANY_GET.weighing(Mark::OPERATE)]]),
            Action::new(FETCH, &[&[sending::ANY_GET.weighing(Mark::OPERATE.asks())]]),
        ],
        way,
    ),
    subject: Subject::ApiPath,
    params: &[
        PATH,
        Param::new(api_request::PARAMS, ParamKind::Settings, "of the method").optional(),
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("path", "string")],
    task: false,
    plan: Some(planned),
    run: RunFn::AtOnce(read),
};

fn way(args: &Args) -> &'static str {
    let request = api_request::of(args);
    match request.map(|request| methods::weigh(&request).mark) {
        Ok(Mark::READ) => LOOK,
        Ok(mark) if !mark.asks => REACH,
        // What cannot be read is refused before anything is sent.
        Ok(_) => FETCH,
        Err(_) => LOOK,
    }
}

/// The request, held against what is refused here and against the cluster's description.
fn checked(reach: &Reach, args: &Args) -> Result<Request, Error> {
    let request = api_request::of(args)?;
    if let Some(why) = methods::withheld(&request) {
        let sentence = format!("`{}` is not read by this tool: {why}", request.line());
        return Err(Error::not_allowed(reach.cluster_name(), sentence));
    }
    allowed(reach, &request)?;
    reach.check(&request)?;
    Ok(request)
}

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let request = checked(reach, args)?;
    let cluster = reach.cluster_name();
    let facts = [
        ("cluster", Value::from(cluster)),
        ("name", request.path_text().into()),
        ("reads", request.line().into()),
        ("params", request.params.clone().into()),
        (
            "lost",
            "nothing; what it fetches from within a guest or backup is shown to whoever reads the answer".into(),
        ),
        ("undo", "what was shown cannot be taken back".into()),
    ];
    let facts = facts.map(|(key, value)| (key.to_string(), value));
    Ok(Plan {
        subject: json!({"cluster": cluster, "path": request.path_text(), "params": request.params}),
        shown: facts.into_iter().collect(),
        objects: 1,
        ..Plan::default()
    })
}

fn read(reach: &Reach, args: &Args) -> HandlerResult {
    let request = checked(reach, args)?;
    let reply = reach.send(&request)?;
    let mut answer = Map::new();
    answer.insert("path".into(), request.path_text().into());
    let chosen = args.texts("fields");
    match &*reply.data {
        Value::Array(entries) => {
            known(&chosen, entries.iter())?;
            let page = rows::raw_page(entries, args, |entry| fit(entry, &chosen))?;
            answer.extend(page);
            if let Some(total) = reply.total {
                answer.insert("total_there".into(), total.into());
            }
        }
        data => {
            known(&chosen, std::iter::once(data))?;
            let (data, left_out) = shortened(fit(data, &chosen));
            answer.insert("data".into(), data);
            if !left_out.is_empty() {
                answer.insert("left_out".into(), left_out.into());
                let how = "the answer would be too long: name in `fields` what is wanted of it";
                answer.insert("cut".into(), how.into());
            }
        }
    }
    Ok(answer)
}

/// Refuses keys that nothing here has, with those that there are.
fn known<'v>(
    chosen: &[&str],
    entries: impl Iterator<Item = &'v Value> + Clone,
) -> Result<(), Error> {
    let maps = || entries.clone().filter_map(Value::as_object);
    let has = |key: &&&str| maps().any(|map| map.contains_key(**key));
    let missing: Vec<&str> = chosen.iter().filter(|key| !has(key)).copied().collect();
    if missing.is_empty() || maps().next().is_none() {
        return Ok(());
    }
    let there: BTreeSet<&str> = maps()
        .flat_map(|map| map.keys().map(String::as_str))
        .collect();
    let there: Vec<&str> = there.into_iter().take(KEYS_MAX).collect();
    Err(Error::bad(format!(
        "`fields` has {}, which is none of: {}",
        repeated(&missing.join(", ")),
        printable(&there.join(", "), TEXT_MAX_CHARS)
    )))
}

/// As much of an object as an answer takes, and the keys that are left out of it.
fn shortened(data: Value) -> (Value, Vec<String>) {
    let Value::Object(map) = data else {
        return match rows::bytes_of(&data) {
            ..=rows::ANSWER_MAX_BYTES => (data, Vec::new()),
            bytes => (format!("({bytes} bytes)").into(), Vec::new()),
        };
    };
    let (mut kept, mut left_out, mut bytes) = (Map::new(), Vec::new(), 0);
    for (key, value) in map {
        let own = rows::bytes_of(&value) + key.len();
        if bytes + own > rows::ANSWER_MAX_BYTES {
            left_out.push(format!("{key} ({own} bytes)"));
        } else {
            bytes += own;
            kept.insert(key, value);
        }
    }
    (Value::Object(kept), left_out)
}
