//! `cluster_options`: the options of a cluster as a whole, read and changed.

use serde_json::{Map, Value, json};

use crate::api::loose::plain;
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::settings;

const PATH: &str = "/cluster/options";
const VALUE_MAX_CHARS: usize = 2_000;
const DELETE_MAX: usize = 40;
/// What people wrote.
const TEXTS: &[&str] = &["description", "consent-text"];
/// What is worked out of the others, and nobody sets.
const DERIVED: &str = "allowed-tags";
/// What decides who may log in, and who may set which tags.
const OF_ACCESS: &[&str] = &["u2f", "webauthn", "user-tag-access", "registered-tags"];

pub(super) const OPTIONS: Tool = Tool {
    name: "cluster_options",
    title: "Read and change a cluster's options",
    about: "Reads or changes what holds for a whole cluster: migration network and type, bandwidth limits, the range of \
            new VMIDs, HA, console, keyboard, tag style, notes. A change returns the former values.",
    actions: Actions::ByWord(&[
        Action::new("get", &[&[sending::get(PATH)]]),
        Action::new(
            "set",
            &[&[
                sending::get(PATH),
                sending::put(PATH).weighing(Mark::CHANGE).beside(),
            ]],
        ),
    ]),
    subject: Subject::Cluster,
    params: &[
        Param::ACTION,
        Param::new(
            "settings",
            ParamKind::Settings,
            "to set, by the API's names, as `migration`: `type=secure,network=10.0.0.0/24`",
        )
        .optional(),
        Param::new("delete", ParamKind::Texts(DELETE_MAX), "options to unset").optional(),
    ],
    answer: &[],
    task: false,
    plan: None,
    run: RunFn::AtOnce(options),
};

fn options(reach: &Reach, args: &Args) -> HandlerResult {
    let wanted = args.settings("settings");
    let deleted = args.texts("delete");
    let request = Request::new(Verb::Get, PATH, &[])?;
    let before = reach.object(&request, &[DERIVED])?;
    if args.need("action")? == "get" {
        if !wanted.is_empty() || !deleted.is_empty() {
            return Err(Error::bad("`settings` and `delete` are for the action set"));
        }
        return Ok(shown(&before));
    }
    let problems = OF_ACCESS
        .iter()
        .filter(|name| wanted.contains_key(**name) || deleted.contains(*name))
        .map(|name| format!("`{name}` is about who may log in or set tags: `api_write` sets it, which asks first"))
        .collect();
    let request = Request::new(Verb::Put, PATH, &[])?;
    let request = settings::change(reach, request, &before, wanted, &deleted, problems)?;
    let changed = settings::changed(&request, &deleted);
    reach.send(&request)?;
    let former = settings::former(&before, &changed, shown);
    let mut answer = Map::from_iter([("former".to_string(), former)]);
    // It is changed, whatever can be read of it.
    match reach.object(&Request::new(Verb::Get, PATH, &[])?, &[DERIVED]) {
        Ok(after) => {
            answer.insert("now".into(), shown(&settings::of(&after, &changed)).into());
        }
        Err(error) if error.is_cancelled() => return Err(error),
        Err(_) => {}
    }
    Ok(answer)
}

/// Options for an answer; what people wrote stands apart.
fn shown(options: &Map<String, Value>) -> Map<String, Value> {
    let (texts, others): (Vec<_>, Vec<_>) = options
        .iter()
        .filter(|(name, _)| *name != DERIVED)
        .partition(|(name, _)| TEXTS.contains(&name.as_str()));
    let mut all = Map::new();
    let others = others.into_iter();
    let others: Map<String, Value> = others
        .map(|(name, value)| (name.clone(), of(value)))
        .collect();
    if !others.is_empty() {
        all.insert("options".into(), others.into());
    }
    let texts = texts
        .into_iter()
        .filter(|(_, value)| !plain(value).is_empty());
    let texts: Map<String, Value> = texts
        .map(|(name, value)| (name.clone(), of(value)))
        .collect();
    if !texts.is_empty() {
        all.insert("untrusted_text".into(), json!(texts));
    }
    all
}

/// A value of an option: a text, a number, or the parts of a property string.
fn of(value: &Value) -> Value {
    match value {
        // Proxmox ends notes with a newline of its own.
        Value::String(text) => printable(text.trim_end(), VALUE_MAX_CHARS).into(),
        Value::Object(parts) => {
            let parts = parts.iter().map(|(name, part)| (name.clone(), of(part)));
            Value::Object(parts.collect())
        }
        other => other.clone(),
    }
}
