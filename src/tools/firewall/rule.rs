//! `firewall_rule`: a rule is added above all others, changed, moved, removed. Proxmox knows a rule by its position
//! alone, so that whoever names one says which state of the rules the position is of.

use serde_json::{Map, Value};

use super::scope::FirewallScope;
use super::{
    COMMENT, EFFECT, FIELDS, GROUP, GROUP_RULE, GUEST, NODE, READS, RULE as ONE, RULES, Rules,
    only, row,
};
use crate::api::loose::{flag, plain};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};

const TEXT_MAX_CHARS: usize = 512;
const COMMENT_MAX_CHARS: usize = 500;
const DIGEST_MAX_CHARS: usize = 64;
const POSITION_MAX: i64 = 9_999;
const LEVELS: &[&str] = &[
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog",
];
const UNSET: &[&str] = &[
    "macro",
    "proto",
    "source",
    "sport",
    "dest",
    "dport",
    "icmp_type",
    "iface",
    "log",
    COMMENT,
];
/// The type of a rule that stands for those of a security group.
const OF_GROUP: &str = "group";

/// Above others it may let in what they keep out, and the other way round.
const ADD: &[Sending] = &[
    sending::post(RULES.cluster).weighing(Mark::CHANGE.interrupts()),
    sending::post(RULES.node).weighing(Mark::CHANGE.interrupts()),
    sending::post(RULES.guest).weighing(Mark::CHANGE.interrupts()),
    sending::post(GROUP).weighing(Mark::CHANGE.interrupts()),
];
const CHANGE: &[Sending] = &[
    sending::put(ONE.cluster),
    sending::put(ONE.node),
    sending::put(ONE.guest),
    sending::put(GROUP_RULE),
];
const REMOVE: &[Sending] = &[
    sending::delete(ONE.cluster),
    sending::delete(ONE.node),
    sending::delete(ONE.guest),
    sending::delete(GROUP_RULE),
];

const fn field(name: &'static str, about: &'static str) -> Param {
    Param::new(name, ParamKind::Text(TEXT_MAX_CHARS), about).optional()
}

pub(super) const RULE: Tool = Tool {
    name: "firewall_rule",
    title: "Change a firewall's rules",
    about: "Adds a rule above all others, changes, moves or removes one. The first rule that fits decides. Add one that may \
            not stand first with `disabled`, move it, then enable it. A position is of the `digest` that firewall_get gave.",
    actions: Actions::ByWord(&[
        Action::new("add", &[READS, EFFECT, ADD]),
        Action::new("change", &[READS, EFFECT, CHANGE]),
        Action::new("move", &[READS, EFFECT, CHANGE]),
        Action::new("remove", &[READS, EFFECT, REMOVE]),
    ]),
    subject: Subject::GuestNodeOrCluster,
    params: &[
        GUEST,
        NODE,
        Param::new(
            "group",
            ParamKind::Word(Word::Id),
            "whose rule: a security group of the cluster",
        )
        .optional(),
        Param::ACTION,
        Param::new(
            "pos",
            ParamKind::Int(0, POSITION_MAX),
            "of the rule; not of add",
        )
        .optional(),
        Param::new("digest", ParamKind::Text(DIGEST_MAX_CHARS), "with `pos`").optional(),
        Param::new(
            "to",
            ParamKind::Int(0, POSITION_MAX),
            "of move: its position then",
        )
        .optional(),
        Param::new(
            "type",
            ParamKind::OneOf(&["in", "out", "forward", "group"]),
            "of add; else in",
        )
        .optional(),
        Param::new(
            "verdict",
            ParamKind::Word(Word::Id),
            "ACCEPT, DROP or REJECT; of type group the group's name",
        )
        .optional(),
        field(
            "macro",
            "a service, as HTTPS, instead of `proto` and `dport`",
        ),
        field("proto", "as tcp"),
        field("source", "10.0.0.0/8, a list, a range, an alias, `+SET`"),
        field("sport", "of who connects, as `dport`"),
        field("dest", "as `source`"),
        field("dport", "443, 80,443 or 8000:8010; needs `proto`"),
        field("icmp_type", "as echo-request"),
        field("iface", "of a guest: net0"),
        Param::new("log", ParamKind::OneOf(LEVELS), "what fits").optional(),
        Param::new("disabled", ParamKind::Bool, "whether it has no effect").optional(),
        Param::new(COMMENT, ParamKind::Text(COMMENT_MAX_CHARS), "for people")
            .optional()
            .cleared_by("name `comment` in `delete` to unset it"),
        Param::new("delete", ParamKind::SomeOf(UNSET), "of change: to unset").optional(),
    ],
    answer: &[("scope", "string"), ("action", "string")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(rule),
};

/// The list that a rule stands in.
struct RuleList<'a> {
    scope: FirewallScope,
    group: Option<&'a str>,
}

impl RuleList<'_> {
    fn request(&self, verb: Verb, pos: Option<usize>) -> Result<Request, Error> {
        let pos = pos.map(|pos| pos.to_string());
        match (self.group, &pos) {
            (Some(group), Some(pos)) => Request::new(verb, GROUP_RULE, &[group, pos]),
            (Some(group), None) => Request::new(verb, GROUP, &[group]),
            (None, Some(pos)) => self.scope.request(verb, &ONE, &[pos]),
            (None, None) => self.scope.request(verb, &RULES, &[]),
        }
    }

    fn read(&self, reach: &Reach) -> Result<Rules, Error> {
        Rules::read(reach, &self.request(Verb::Get, None)?)
    }
}

fn rule(reach: &Reach, args: &Args) -> HandlerResult {
    let (action, group) = (args.need("action")?, args.text("group"));
    takes(args, action)?;
    let scope = FirewallScope::of(reach, args)?;
    if group.is_some() && !matches!(scope, FirewallScope::Cluster) {
        return Err(Error::bad(
            "a group's rules are the cluster's: leave `guest` and `node` out; a rule of type `group` has a guest go by it",
        ));
    }
    let list = RuleList { scope, group };
    let before = list.read(reach)?;
    let (request, pos) = match action {
        "add" => (added(reach, args, &list, &before)?, Some(0)),
        _ => {
            let pos = named(reach, args, &before)?;
            let former = before.rows.get(pos);
            match action {
                "change" => (changed(reach, args, &list, pos, former)?, Some(pos)),
                "move" => {
                    let to = target(reach, args, &before, pos)?;
                    // It goes before the rule that is there now.
                    let before_which = if to > pos { to + 1 } else { to };
                    let request = list.request(Verb::Put, Some(pos))?;
                    (request.with("moveto", before_which), Some(to))
                }
                _ => (list.request(Verb::Delete, Some(pos))?, None),
            }
        }
    };
    let request = match &before.digest {
        Some(digest) => request.with("digest", digest.as_str()),
        None => request,
    };
    reach.check(&request)?;
    reach.send(&request)?;
    let mut answer = list.scope.answer();
    answer.insert("action".into(), action.into());
    if let Some(group) = group {
        answer.insert("group".into(), group.into());
    }
    let former = args.int("pos").and_then(|pos| usize::try_from(pos).ok());
    let former = former.filter(|_| action != "move");
    if let Some(former) = former.and_then(|pos| before.rows.get(pos).map(|rule| row(rule, pos))) {
        answer.insert("former".into(), shown(former));
    }
    // It is done, whatever can be read of it.
    match told(reach, &list, pos, &mut answer) {
        Err(error) if error.is_cancelled() => Err(error),
        _ => Ok(answer),
    }
}

/// The rule as it is now, by what this state of the rules is known, and whether they have an effect.
fn told(
    reach: &Reach,
    list: &RuleList,
    pos: Option<usize>,
    answer: &mut Map<String, Value>,
) -> Result<(), Error> {
    let now = list.read(reach)?;
    let rule = pos.and_then(|pos| Some(row(now.rows.get(pos)?, pos)));
    if let Some(rule) = rule {
        answer.insert("rule".into(), shown(rule));
    }
    answer.insert("total".into(), now.rows.len().into());
    now.name_digest(answer);
    if list.group.is_none() {
        let (options, _) = list.scope.options(reach)?;
        list.scope.name_effect(reach, &options, answer)?;
    }
    Ok(())
}

/// A row as an object of its own.
fn shown(row: crate::tool::rows::Row) -> Value {
    let row = row.into_object().into_iter();
    let row = row.filter(|(_, value)| crate::tool::rows::says_something(value));
    Value::Object(row.collect())
}

/// Refuses arguments that belong to other actions, and asks for those that are missing.
fn takes(args: &Args, action: &str) -> Result<(), Error> {
    let mut takes = vec!["guest", "node", "group", "action"];
    let fields = FIELDS.iter().map(|(name, _)| *name);
    match action {
        "add" => takes.extend(fields.chain(["disabled", COMMENT])),
        "change" => takes.extend(fields.chain(["disabled", COMMENT, "delete", "pos", "digest"])),
        "move" => takes.extend(["pos", "digest", "to"]),
        _ => takes.extend(["pos", "digest"]),
    }
    only(args, &takes, &format!("action `{action}`"))?;
    let needs: &[&str] = match action {
        "add" => &["verdict"],
        "move" => &["pos", "digest", "to"],
        _ => &["pos", "digest"],
    };
    let missing: Vec<&str> = needs
        .iter()
        .copied()
        .filter(|name| !args.has(name))
        .collect();
    if !missing.is_empty() {
        return Err(Error::bad(format!(
            "action `{action}` needs `{}`{}",
            missing.join("`, `"),
            if action == "add" {
                ""
            } else {
                ": `firewall_get` shows them"
            }
        )));
    }
    Ok(())
}

/// The position that is meant, if the rules are those that it is of.
fn named(reach: &Reach, args: &Args, rules: &Rules) -> Result<usize, Error> {
    let cluster = reach.cluster_name();
    let digest = args.need("digest")?;
    if rules.digest.as_deref().is_some_and(|now| now != digest) {
        return Err(Error::bad(format!(
            "{cluster}: the rules are not those of this `digest` any more, and a position may be another rule's: `firewall_get` \
             shows them as they are"
        )));
    }
    let pos = usize::try_from(args.int("pos").unwrap_or(0)).unwrap_or(0);
    if pos >= rules.rows.len() {
        return Err(Error::bad(format!(
            "{cluster}: there is no rule at position {pos}: {}",
            count(rules)
        )));
    }
    Ok(pos)
}

fn count(rules: &Rules) -> String {
    match rules.rows.len() {
        0 => "there is none".into(),
        1 => "there is one, at 0".into(),
        count => format!("there are {count}, from 0 on"),
    }
}

fn target(reach: &Reach, args: &Args, rules: &Rules, pos: usize) -> Result<usize, Error> {
    let to = usize::try_from(args.int("to").unwrap_or(0)).unwrap_or(0);
    let cluster = reach.cluster_name();
    if to >= rules.rows.len() {
        return Err(Error::bad(format!(
            "{cluster}: no rule can be at position {to}: {}",
            count(rules)
        )));
    }
    if to == pos {
        return Err(Error::bad(format!("{cluster}: it is at position {to}")));
    }
    Ok(to)
}

/// What the arguments say of a rule, by the API's names.
fn said(args: &Args) -> Map<String, Value> {
    let mut said = Map::new();
    for (name, of_api) in FIELDS.iter().chain(&[(COMMENT, COMMENT)]) {
        if let Some(text) = args.text(name) {
            said.insert((*of_api).into(), text.into());
        }
    }
    if let Some(disabled) = args.bool("disabled") {
        said.insert("enable".into(), u8::from(!disabled).into());
    }
    said
}

fn added(reach: &Reach, args: &Args, list: &RuleList, rules: &Rules) -> Result<Request, Error> {
    let mut said = said(args);
    // Proxmox takes a rule for a disabled one that does not say that it is enabled.
    said.entry("enable").or_insert(1.into());
    said.entry("type").or_insert("in".into());
    let is_it = |rule: &Value| {
        let of = |key: &str| rule.get(key).map(plain).unwrap_or_default();
        flag(rule.get("enable")) == flag(said.get("enable"))
            && FIELDS
                .iter()
                .all(|(_, key)| of(key) == said.get(*key).map(plain).unwrap_or_default())
    };
    if let Some(pos) = rules.rows.iter().position(is_it) {
        return Err(Error::bad(format!(
            "{}: there is such a rule at position {pos}",
            reach.cluster_name()
        )));
    }
    let mut request = list.request(Verb::Post, None)?;
    request.params.extend(said);
    Ok(request)
}

fn changed(
    reach: &Reach,
    args: &Args,
    list: &RuleList,
    pos: usize,
    former: Option<&Value>,
) -> Result<Request, Error> {
    let cluster = reach.cluster_name();
    let of = |key: &str| former.and_then(|rule| rule.get(key)).map(plain);
    let said = said(args);
    let deleted = args.texts("delete");
    let of_api = |name: &str| {
        let found = FIELDS.iter().find(|(known, _)| *known == name);
        found.map_or(COMMENT, |(_, of_api)| of_api)
    };
    let mut problems = Vec::new();
    if let Some(new) = said.get("type").map(plain)
        && (new == OF_GROUP) != (of("type").as_deref() == Some(OF_GROUP))
    {
        problems.push(
            "a rule becomes none of a group, nor the other way round: remove it and add another"
                .to_string(),
        );
    }
    for name in &deleted {
        if of(of_api(name)).is_none() {
            problems.push(format!("`{name}` is not set"));
        } else if said.contains_key(of_api(name)) {
            problems.push(format!("`{name}` is to be set and unset"));
        }
    }
    if !problems.is_empty() {
        return Err(Error::bad(format!("{cluster}: {}", problems.join("; "))));
    }
    let is_so = |key: &str, value: &Value| match key {
        "enable" => flag(former.and_then(|rule| rule.get(key))) == flag(Some(value)),
        _ => of(key).is_some_and(|now| now.trim_end() == plain(value)),
    };
    let params: Map<String, Value> = said
        .into_iter()
        .filter(|(key, value)| !is_so(key, value))
        .collect();
    if params.is_empty() && deleted.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: nothing of the rule would be changed by it"
        )));
    }
    let mut request = list.request(Verb::Put, Some(pos))?;
    request.params.extend(params);
    if !deleted.is_empty() {
        let deleted: Vec<&str> = deleted.iter().map(|name| of_api(name)).collect();
        request = request.with("delete", deleted.join(","));
    }
    Ok(request)
}
