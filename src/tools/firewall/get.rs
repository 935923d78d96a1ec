//! `firewall_get`: a firewall's options with its rules, or with what rules go by, or its log.

use serde_json::{Map, Value, json};

use super::scope::{FirewallScope, Place};
use super::{
    ALIASES, EFFECT, GROUP, GROUPS, GUEST, NODE, READS, RULES, Rules, SET, SETS, TEXT_MAX_CHARS,
    only, row, text,
};
use crate::api::loose::{flag, number};
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, FIELDS as CHOSEN, LIMIT, ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

const LOG: Place = Place::everywhere(
    "",
    "/nodes/{node}/firewall/log",
    "/nodes/{node}/{kind}/{vmid}/firewall/log",
);
const MACROS: &str = "/cluster/firewall/macros";
/// What the log says where there is none.
const NO_LOG: &str = "unable to open file";
/// Of a rule, an alias, a set, an entry of one, a group, a macro, a line of the log.
const COLUMNS: &[&str] = &[
    "pos",
    "disabled",
    "type",
    "verdict",
    "macro",
    "proto",
    "source",
    "sport",
    "dest",
    "dport",
    "icmp_type",
    "iface",
    "log",
    "wrong",
    "name",
    "cidr",
    "but_not",
    "line",
    "untrusted_text",
];

/// What is listed beside the rules.
const MORE: &[Sending] = &[
    sending::get(ALIASES.cluster),
    sending::get(ALIASES.guest),
    sending::get(SETS.cluster),
    sending::get(SETS.guest),
    sending::get(SET.cluster),
    sending::get(SET.guest),
    sending::get(GROUPS),
    sending::get(MACROS),
    sending::get(LOG.node),
    sending::get(LOG.guest),
];

pub(super) const GET: Tool = Tool {
    name: "firewall_get",
    title: "Show a firewall",
    about: "Shows the firewall of the cluster, a node or a guest: options, rules in the order in which they are tried, and why \
            they have no effect where that is so. By `list` aliases, sets of addresses, security groups, macros, the log.",
    actions: Actions::one(&[READS, EFFECT, MORE]),
    subject: Subject::GuestNodeOrCluster,
    params: &[
        GUEST,
        NODE,
        Param::new(
            "list",
            ParamKind::OneOf(&["rules", "aliases", "sets", "groups", "macros", "log"]),
            "else the rules",
        )
        .optional(),
        Param::new(
            "name",
            ParamKind::Word(Word::Id),
            "of a set: what is in it; of a group: its rules",
        )
        .optional(),
        CHOSEN,
        LIMIT,
        CURSOR,
    ],
    answer: &[
        ("scope", "string"),
        ("items", "array"),
        ("total", "integer"),
    ],
    task: false,
    plan: None,
    run: RunFn::AtOnce(get),
};

fn get(reach: &Reach, args: &Args) -> HandlerResult {
    rows::check(args, COLUMNS)?;
    let scope = FirewallScope::of(reach, args)?;
    let (list, name) = (args.text("list").unwrap_or("rules"), args.text("name"));
    let is_of_cluster = matches!(scope, FirewallScope::Cluster);
    if name.is_some() && !matches!(list, "sets" | "groups") {
        return Err(Error::bad("`name` goes with `list`: `sets` or `groups`"));
    }
    let mut answer = scope.answer();
    let found = match list {
        "groups" | "macros" if !is_of_cluster => {
            return Err(Error::bad(format!(
                "{list} are the cluster's: leave `guest` and `node` out"
            )));
        }
        "rules" => {
            let (options, _) = scope.options(reach)?;
            let rules = Rules::read(reach, &scope.request(Verb::Get, &RULES, &[])?)?;
            rules.name_digest(&mut answer);
            scope.name_effect(reach, &options, &mut answer)?;
            answer.insert("options".into(), shown(&options).into());
            of_rules(&rules)
        }
        "groups" => match name {
            Some(group) => {
                let rules = Rules::read(reach, &Request::new(Verb::Get, GROUP, &[group])?)?;
                rules.name_digest(&mut answer);
                of_rules(&rules)
            }
            None => rows_of(reach, &Request::new(Verb::Get, GROUPS, &[])?, "group")?,
        },
        "macros" => rows_of(reach, &Request::new(Verb::Get, MACROS, &[])?, "macro")?,
        "log" => return log(reach, args, &scope, answer),
        "aliases" => rows_of(reach, &scope.request(Verb::Get, &ALIASES, &[])?, "name")?,
        _ => match name {
            Some(set) => rows_of(reach, &scope.request(Verb::Get, &SET, &[set])?, "cidr")?,
            None => rows_of(reach, &scope.request(Verb::Get, &SETS, &[])?, "name")?,
        },
    };
    room::note(found.len() * ROW_BYTES);
    answer.extend(rows::page(found, COLUMNS, COLUMNS, args)?);
    Ok(answer)
}

/// Options for an answer.
pub(super) fn shown(options: &Map<String, Value>) -> Map<String, Value> {
    let shown = options.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => printable(text, TEXT_MAX_CHARS).into(),
            other => other.clone(),
        };
        (name.clone(), value)
    });
    shown.collect()
}

fn of_rules(rules: &Rules) -> Vec<Row> {
    let rules = rules.rows.iter().enumerate();
    rules.map(|(pos, rule)| row(rule, pos)).collect()
}

/// Rows of what has a name, or an address, under `key`.
fn rows_of(reach: &Reach, request: &Request, key: &str) -> Result<Vec<Row>, Error> {
    let found = reach.rows(request, key)?;
    let mut found: Vec<Row> = found
        .iter()
        .map(|one| {
            let of = |key: &str| Value::from(text(one, key));
            let name = if key == "cidr" { Value::Null } else { of(key) };
            Row::from([
                ("name", name),
                ("cidr", of("cidr")),
                ("but_not", flag(one.get("nomatch")).into()),
                (
                    "untrusted_text",
                    if key == "macro" {
                        of("descr")
                    } else {
                        of("comment")
                    },
                ),
            ])
        })
        .collect();
    found.sort_by_cached_key(|row| (row.text("name").to_owned(), row.text("cidr").to_owned()));
    Ok(found)
}

/// Lines of the log from the last one on. Where they begin is known when its length is.
fn log(
    reach: &Reach,
    args: &Args,
    scope: &FirewallScope,
    mut answer: Map<String, Value>,
) -> HandlerResult {
    only(
        args,
        &["guest", "node", "list", "limit", "cursor"],
        "`list`: `log`",
    )?;
    if matches!(scope, FirewallScope::Cluster) {
        return Err(Error::bad(
            "the log is a node's or a guest's: name one in `node` or `guest`",
        ));
    }
    let (behind, limit) = rows::window(args)?;
    let first = scope.request(Verb::Get, &LOG, &[])?.with("limit", 1);
    let first = reach.send(&first)?;
    let total = first.total.unwrap_or(0) as usize;
    let rows = first.data.as_array();
    let begins = rows.and_then(|rows| rows.first()).map(|row| text(row, "t"));
    if total <= 1 && begins.is_none_or(|line| line.starts_with(NO_LOG)) {
        answer.extend([
            ("items".to_string(), json!([])),
            ("total".to_string(), 0.into()),
            ("note".to_string(), "nothing was logged yet: `log_level_in` and `log_level_out` of the options, and `log` of a rule, say what is".into()),
        ]);
        return Ok(answer);
    }
    let end = total.saturating_sub(behind);
    let start = end.saturating_sub(limit);
    let request = scope.request(Verb::Get, &LOG, &[])?;
    let request = request.with("start", start).with("limit", end - start);
    let found = reach.rows(&request, "n")?;
    // The newest first: a page that begins behind so many of them.
    let lines = found.iter().rev().map(|line| {
        let row = Row::from([
            ("line", number(line.get("n")).into()),
            ("untrusted_text", text(line, "t").into()),
        ]);
        Value::from(row.into_object())
    });
    answer.extend(rows::filled(lines, behind, total));
    Ok(answer)
}
