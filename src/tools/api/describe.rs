//! `api_describe`: what a method of the cluster's own API takes, asks for and does.

use serde_json::{Map, Value, json};

use super::PATH;
use crate::api::mark::Mark;
use crate::api::methods;
use crate::api::methods::sending;
use crate::api::path::ApiPath;
use crate::api::request::{Request, Verb};
use crate::api::schema::{DescribedMethod, Schema, SchemaParam, SchemaType};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools;

pub(super) const VERBS: &[&str] = &["GET", "POST", "PUT", "DELETE"];
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const MATCH_MAX_CHARS: usize = 60;
/// So many choices of a parameter are shown.
const OPTIONS_MAX: usize = 40;
/// So many paths below one.
const BELOW_MAX: usize = 100;
/// So many tools that send a method.
const SENDERS_MAX: usize = 4;
/// So many parameters; the others are told by `match`.
const PARAMS_MAX: usize = 120;
/// Said where the cluster serves no description.
pub(super) const UNDESCRIBED: &str = "the cluster does not serve its API description, or it came in pieces: nothing can be said of it";

pub(super) const DESCRIBE: Tool = Tool {
    name: "api_describe",
    title: "Describe a method of the API",
    about: "Describes a path of a cluster's own API: methods, parameters, privileges, risk, tools, and the paths below.",
    actions: Actions::one(&[]),
    subject: Subject::Cluster,
    params: &[
        PATH.about("`/nodes/{node}/dns`"),
        Param::new("method", ParamKind::OneOf(VERBS), "else all of them").optional(),
        Param::new(
            "match",
            ParamKind::Text(MATCH_MAX_CHARS),
            "only parameters with this in them",
        )
        .optional(),
    ],
    answer: &[("path", "string"), ("methods", "array")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(describe),
};

fn describe(reach: &Reach, args: &Args) -> HandlerResult {
    let path = ApiPath::parse(args.need("path")?)?;
    let cluster = reach.cluster_name();
    let Some(schema) = reach.schema()? else {
        return Err(Error::bad(format!("{cluster}: {UNDESCRIBED}")));
    };
    let parts = path.parts();
    let wanted = args.text("method");
    let verbs = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete].into_iter();
    let verbs = verbs.filter(|verb| wanted.is_none_or(|wanted| wanted == verb.name()));
    let found: Vec<&DescribedMethod> = verbs.filter_map(|verb| schema.find(verb, &parts)).collect();
    let below = below(&schema, &parts);
    let shown = path.request(Verb::Get)?.path_text();
    if found.is_empty() && below.is_empty() {
        let method = wanted.map_or(String::new(), |method| format!("{method} "));
        return Err(Error::bad(format!(
            "{cluster}: its API has no `{method}{}`: tool_find finds what there is",
            printable(&shown, NAME_MAX_CHARS)
        )));
    }
    let template = found.first().map(|method| method.template.to_string());
    let with = args.text("match").unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("path".into(), template.unwrap_or(shown).into());
    let methods = found.iter().map(|one| method(one, with));
    answer.insert("methods".into(), methods.collect());
    if !below.is_empty() {
        let more = below.len().saturating_sub(BELOW_MAX);
        let below: Vec<String> = below.into_iter().take(BELOW_MAX).collect();
        answer.insert("below".into(), below.into());
        if more > 0 {
            answer.insert("below_more".into(), more.into());
        }
    }
    Ok(answer)
}

/// The paths below one, each with its methods: `GET,PUT /nodes/{node}/dns`.
fn below(schema: &Schema, parts: &[&str]) -> Vec<String> {
    let mut paths: Vec<(&str, Vec<&str>)> = Vec::new();
    for method in schema.methods() {
        let template: &str = &method.template;
        let mut own = template.split('/').skip(1);
        let is_below = parts.iter().all(|part| {
            own.next()
                .is_some_and(|one| one.starts_with('{') || one == *part)
        });
        if !is_below || own.next().is_none() {
            continue;
        }
        match paths.iter_mut().find(|(path, _)| *path == template) {
            Some((_, verbs)) => verbs.push(method.verb.name()),
            None => paths.push((template, vec![method.verb.name()])),
        }
    }
    paths.sort_unstable();
    let line = |(path, verbs): (&str, Vec<&str>)| format!("{} {path}", verbs.join(","));
    paths.into_iter().map(line).collect()
}

/// The request that a method's template stands for, with its slots unfilled.
fn bare(method: &DescribedMethod) -> Request {
    let parts = method.template.split('/').skip(1);
    Request {
        verb: method.verb,
        path: parts.map(str::to_owned).collect(),
        params: Map::new(),
    }
}

/// What a method risks where its parameters do not make it heavier.
pub(super) fn mark(method: &DescribedMethod) -> Mark {
    methods::weigh(&bare(method)).mark
}

/// The tools to name of those that send it: what is read by many is best read by those that only read.
pub(super) fn senders(method: &DescribedMethod) -> Vec<&'static str> {
    let mut senders = senders_of(&bare(method));
    senders.sort_by_key(|tool| (tool.heaviest() != Mark::READ, tool.params.len()));
    senders.truncate(SENDERS_MAX);
    senders.iter().map(|tool| tool.name).collect()
}

/// The tools that send a request by its own name.
pub(super) fn senders_of(request: &Request) -> Vec<&'static Tool> {
    let sends = |tool: &&Tool| {
        let mut all = tool.actions().iter().flat_map(|action| action.sends.iter());
        all.any(|sends| {
            sends
                .iter()
                .any(|one| one.path != sending::ANY && one.takes(request))
        })
    };
    tools::all().filter(sends).collect()
}

fn method(method: &DescribedMethod, with: &str) -> Value {
    let mark = mark(method);
    let mut row = Map::new();
    row.insert("method".into(), method.verb.name().into());
    row.insert("effect".into(), mark.effect.name().into());
    for (key, is) in [("interrupts", mark.interrupts), ("asks", mark.asks)] {
        if is {
            row.insert(key.into(), true.into());
        }
    }
    let in_path = |name: &str| method.template.contains(&format!("{{{name}}}"));
    let matching = |param: &&SchemaParam| param.name.contains(with) && !in_path(&param.name);
    let params: Vec<&SchemaParam> = method.params.iter().filter(matching).collect();
    let more = params.len().saturating_sub(PARAMS_MAX);
    let shown = params.iter().take(PARAMS_MAX);
    row.insert("params".into(), shown.map(|one| param(one)).collect());
    if more > 0 {
        row.insert("params_more".into(), more.into());
    }
    if method.extra {
        row.insert("takes_more_params".into(), true.into());
    }
    match (&method.permissions, method.token_allowed) {
        (Some(permissions), true) => {
            let permissions: Value = serde_json::from_str(permissions).unwrap_or_default();
            row.insert("permissions".into(), permissions);
        }
        _ => drop(row.insert("token".into(), "no API token may call it".into())),
    }
    let senders = senders(method);
    if !senders.is_empty() {
        row.insert("tools".into(), senders.into());
    }
    Value::Object(row)
}

/// `{"name":"mtu","type":"integer","range":"1280 to 65520"}`.
fn param(param: &SchemaParam) -> Value {
    let mut row = Map::new();
    row.insert("name".into(), printable(&param.name, NAME_MAX_CHARS).into());
    let kind = match param.kind {
        SchemaType::String => "string",
        SchemaType::Integer => "integer",
        SchemaType::Number => "number",
        SchemaType::Boolean => "boolean",
        SchemaType::Array => "array",
        SchemaType::Object => "object",
        SchemaType::Any => "any",
    };
    row.insert("type".into(), kind.into());
    if !param.optional {
        row.insert("required".into(), true.into());
    }
    if let Some(options) = &param.options {
        let shown = options.iter().take(OPTIONS_MAX);
        let mut shown: Vec<String> = shown.map(|one| printable(one, NAME_MAX_CHARS)).collect();
        if options.len() > OPTIONS_MAX {
            shown.push(format!("and {} more", options.len() - OPTIONS_MAX));
        }
        row.insert("one_of".into(), json!(shown));
    }
    let limits = param.limits.as_deref().copied().unwrap_or_default();
    for (key, least, most) in [
        ("range", limits.minimum, limits.maximum),
        (
            "length",
            limits.min_length.map(f64::from),
            limits.max_length.map(f64::from),
        ),
    ] {
        let range = match (least, most) {
            (None, None) => continue,
            (Some(least), None) => format!("from {least}"),
            (None, Some(most)) => format!("to {most}"),
            (Some(least), Some(most)) => format!("{least} to {most}"),
        };
        row.insert(key.into(), range.into());
    }
    Value::Object(row)
}
