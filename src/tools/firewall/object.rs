//! `firewall_object`: what rules go by: aliases of addresses, sets of them, security groups.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::scope::FirewallScope;
use super::{
    ALIAS, ALIASES, COMMENT, ENTRY, GROUP, GROUPS, GUEST, READS, RULES, Rules, SET, SETS, only,
    text,
};
use crate::api::loose::{flag, plain};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::{printable, repeated};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};

const COMMENT_MAX_CHARS: usize = 500;
const NETWORK_MAX_CHARS: usize = 64;
const ENTRIES_MAX: usize = 200;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
/// What stands before an entry that is no part of the set.
const BUT_NOT: char = '!';
/// Whose an alias or a set is, as a rule may say it.
const SCOPES: &[&str] = &["dc/", "guest/"];
/// Whose rules are not looked through for what the cluster's are named in.
const ELSEWHERE: &str = "the rules of guests and nodes, which may name it too";

const LISTS: &[Sending] = &[
    sending::get(ALIASES.cluster),
    sending::get(ALIASES.guest),
    sending::get(SETS.cluster),
    sending::get(SETS.guest),
    sending::get(SET.cluster),
    sending::get(SET.guest),
    sending::get(GROUPS),
];
const ADD: &[Sending] = &[
    sending::post(ALIASES.cluster),
    sending::post(ALIASES.guest),
    sending::post(SETS.cluster),
    sending::post(SETS.guest),
    sending::post(SET.cluster),
    sending::post(SET.guest),
    sending::post(GROUPS),
];
const CHANGE: &[Sending] = &[
    sending::put(ALIAS.cluster),
    sending::put(ALIAS.guest),
    sending::post(SETS.cluster).weighing(Mark::CHANGE.interrupts()),
    sending::post(SETS.guest).weighing(Mark::CHANGE.interrupts()),
    sending::post(SET.cluster),
    sending::post(SET.guest),
    sending::delete(ENTRY.cluster),
    sending::delete(ENTRY.guest),
    sending::post(GROUPS),
];
const REMOVE: &[Sending] = &[
    sending::delete(ALIAS.cluster),
    sending::delete(ALIAS.guest),
    sending::delete(SET.cluster),
    sending::delete(SET.guest),
    sending::delete(GROUP),
];

pub(super) const OBJECT: Tool = Tool {
    name: "firewall_object",
    title: "Change what firewall rules go by",
    about: "Adds, changes or removes an alias (a name for an address), a set of addresses, a security group. What a rule \
            names is not removed. A group's rules are changed by firewall_rule.",
    actions: Actions::ByWord(&[
        Action::new("add", &[LISTS, ADD]),
        Action::new("change", &[LISTS, CHANGE]),
        Action::new("remove", &[LISTS, READS, REMOVE]),
    ]),
    subject: Subject::GuestNodeOrCluster,
    params: &[
        GUEST,
        Param::ACTION,
        Param::new(
            "object",
            ParamKind::OneOf(&["alias", "set", "group"]),
            "which kind",
        ),
        Param::new("name", ParamKind::Word(Word::Id), "its name"),
        Param::new(
            "cidr",
            ParamKind::Text(NETWORK_MAX_CHARS),
            "of an alias: 10.0.0.0/8",
        )
        .optional(),
        Param::new(
            "entries",
            ParamKind::Texts(ENTRIES_MAX),
            "of a set, to add: addresses, networks, aliases; `!10.0.0.1` for what is not in it",
        )
        .optional(),
        Param::new(
            "without",
            ParamKind::Texts(ENTRIES_MAX),
            "of a set, to take out",
        )
        .optional(),
        Param::new("new_name", ParamKind::Word(Word::Id), "of a group").optional(),
        Param::new(COMMENT, ParamKind::Text(COMMENT_MAX_CHARS), "for people").optional(),
    ],
    answer: &[
        ("scope", "string"),
        ("action", "string"),
        ("object", "string"),
        ("name", "string"),
    ],
    task: false,
    plan: None,
    run: RunFn::AtOnce(object),
};

fn object(reach: &Reach, args: &Args) -> HandlerResult {
    let (action, kind, name) = (
        args.need("action")?,
        args.need("object")?,
        args.need("name")?,
    );
    let takes: &[&str] = match (action, kind) {
        ("remove", _) => &[],
        (_, "alias") => &["cidr", COMMENT],
        ("add", "set") => &["entries", COMMENT],
        (_, "set") => &["entries", "without", COMMENT],
        ("add", _) => &[COMMENT],
        _ => &["new_name", COMMENT],
    };
    let takes: Vec<&str> = ["guest", "action", "object", "name"]
        .into_iter()
        .chain(takes.iter().copied())
        .collect();
    only(
        args,
        &takes,
        &format!("action `{action}` of object `{kind}`"),
    )?;
    let scope = FirewallScope::of(reach, args)?;
    if kind == "group" && !matches!(scope, FirewallScope::Cluster) {
        return Err(Error::bad("groups are the cluster's: leave `guest` out"));
    }
    let known = Known::read(reach, &scope, kind, name)?;
    let cluster = reach.cluster_name();
    match (action, &known.row) {
        ("add", Some(_)) => {
            return Err(Error::bad(format!(
                "{cluster}: {kind} `{name}` is there already: action `change` changes it"
            )));
        }
        ("add", None) | (_, Some(_)) => {}
        (_, None) => {
            return Err(Error::bad(format!(
                "{cluster}: there is no {kind} `{name}`; {}",
                known.names
            )));
        }
    }
    let requests = match action {
        "add" => added(args, &scope, kind, name)?,
        "change" => changed(reach, args, &scope, kind, &known)?,
        _ => removed(reach, &scope, kind, &known)?,
    };
    for request in &requests {
        reach.check(request)?;
        reach.foresee(request)?;
    }
    for request in &requests {
        reach.send(request)?;
    }
    let mut answer = scope.answer();
    answer.insert("action".into(), action.into());
    answer.insert("object".into(), kind.into());
    answer.insert("name".into(), name.into());
    let former = known.former();
    if action != "add" && !former.is_empty() {
        answer.insert("former".into(), former.into());
    }
    if action == "remove" && matches!(scope, FirewallScope::Cluster) {
        answer.insert("not_looked_at".into(), ELSEWHERE.into());
    }
    Ok(answer)
}

/// What there is under the name, and beside it.
struct Known {
    row: Option<Value>,
    /// Of a set: what is in it.
    entries: Vec<Value>,
    /// For a sentence: which others there are.
    names: String,
}

impl Known {
    fn read(reach: &Reach, scope: &FirewallScope, kind: &str, name: &str) -> Result<Known, Error> {
        let (request, key) = match kind {
            "alias" => (scope.request(Verb::Get, &ALIASES, &[])?, "name"),
            "set" => (scope.request(Verb::Get, &SETS, &[])?, "name"),
            _ => (Request::new(Verb::Get, GROUPS, &[])?, "group"),
        };
        let rows = reach.rows(&request, key)?;
        // Proxmox keeps the name of an alias in small letters.
        let is_it = |row: &&Value| match kind {
            "alias" => text(row, key).eq_ignore_ascii_case(name),
            _ => text(row, key) == name,
        };
        let row = rows.iter().find(is_it).cloned();
        let mut names: Vec<String> = rows.iter().map(|row| text(row, key)).collect();
        names.sort();
        let names = match names.join(", ") {
            none if none.is_empty() => "there is none".into(),
            names => format!("there are: {names}"),
        };
        let entries = match (&row, kind) {
            (Some(_), "set") => {
                let request = scope.request(Verb::Get, &SET, &[name])?;
                reach.rows(&request, "cidr")?.to_vec()
            }
            _ => Vec::new(),
        };
        Ok(Known {
            row,
            entries,
            names,
        })
    }

    fn text(&self, key: &str) -> String {
        let row = self.row.as_ref();
        row.and_then(|row| row.get(key))
            .map(plain)
            .unwrap_or_default()
    }

    /// What it was, for an answer.
    fn former(&self) -> Map<String, Value> {
        let shown = |text: String| Value::from(printable(text.trim_end(), COMMENT_MAX_CHARS));
        let entries: Vec<String> = self.entries.iter().map(written).collect();
        let facts = [
            ("cidr", shown(self.text("cidr"))),
            ("entries", json!(entries)),
            ("untrusted_text", shown(self.text(COMMENT))),
        ];
        let facts = facts.into_iter();
        let facts = facts.filter(|(_, value)| crate::tool::rows::says_something(value));
        facts.map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// An entry of a set as the arguments write it.
fn written(entry: &Value) -> String {
    let cidr = text(entry, "cidr");
    match flag(entry.get("nomatch")) {
        true => format!("{BUT_NOT}{cidr}"),
        false => cidr,
    }
}

fn entry(scope: &FirewallScope, set: &str, written: &str) -> Result<Request, Error> {
    let request = scope.request(Verb::Post, &SET, &[set])?;
    let cidr = written.strip_prefix(BUT_NOT).unwrap_or(written).trim();
    if !is_network(cidr) && !is_alias(cidr) {
        return Err(no_network(cidr));
    }
    let request = request.with("cidr", cidr);
    Ok(match written.starts_with(BUT_NOT) {
        true => request.with("nomatch", true),
        false => request,
    })
}

/// Whether it is an address, or a network as `10.0.0.0/8`.
fn is_network(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

/// Whether it may be the name of an alias, with or without whose.
fn is_alias(text: &str) -> bool {
    let name = SCOPES.iter().find_map(|scope| text.strip_prefix(scope));
    let name = name.unwrap_or(text);
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && name.chars().all(is_letter)
}

fn no_network(text: &str) -> Error {
    Error::bad(format!(
        "`{}` is no address, and no network as 10.0.0.0/8",
        repeated(text)
    ))
}

fn with_comment(request: Request, args: &Args) -> Request {
    match args.text(COMMENT) {
        Some(comment) => request.with(COMMENT, comment),
        None => request,
    }
}

fn added(
    args: &Args,
    scope: &FirewallScope,
    kind: &str,
    name: &str,
) -> Result<Vec<Request>, Error> {
    let first = match kind {
        "alias" => {
            let cidr = args.text("cidr").ok_or_else(|| {
                Error::bad("an alias needs `cidr`: the address or network that it stands for")
            })?;
            if !is_network(cidr) {
                return Err(no_network(cidr));
            }
            let request = scope.request(Verb::Post, &ALIASES, &[])?;
            request.with("name", name).with("cidr", cidr)
        }
        "set" => scope.request(Verb::Post, &SETS, &[])?.with("name", name),
        _ => Request::new(Verb::Post, GROUPS, &[])?.with("group", name),
    };
    let mut requests = vec![with_comment(first, args)];
    for written in args.texts("entries") {
        requests.push(entry(scope, name, written)?);
    }
    Ok(requests)
}

fn changed(
    reach: &Reach,
    args: &Args,
    scope: &FirewallScope,
    kind: &str,
    known: &Known,
) -> Result<Vec<Request>, Error> {
    let name = args.need("name")?;
    let cluster = reach.cluster_name();
    let comment = args
        .text(COMMENT)
        .filter(|new| *new != known.text(COMMENT).trim_end());
    let digest = known.text("digest");
    let nothing = || {
        Error::bad(format!(
            "{cluster}: nothing of {kind} `{name}` would be changed by it"
        ))
    };
    if kind == "alias" {
        let now = known.text("cidr");
        let cidr = args.text("cidr").unwrap_or(&now);
        if cidr == now && comment.is_none() {
            return Err(nothing());
        }
        if cidr != now && !is_network(cidr) {
            return Err(no_network(cidr));
        }
        // Proxmox takes a comment that is not said again for none.
        let before = known.text(COMMENT);
        let comment = Some(comment.unwrap_or(&before)).filter(|comment| !comment.is_empty());
        let mut request = scope
            .request(Verb::Put, &ALIAS, &[name])?
            .with("cidr", cidr);
        if let Some(comment) = comment {
            request = request.with(COMMENT, comment);
        }
        return Ok(vec![request.with("digest", digest)]);
    }
    let mut requests = Vec::new();
    let new_name = args.text("new_name").unwrap_or(name);
    if comment.is_some() || new_name != name {
        let request = match kind {
            "set" => scope.request(Verb::Post, &SETS, &[])?.with("name", name),
            _ => Request::new(Verb::Post, GROUPS, &[])?.with("group", new_name),
        };
        let request = request.with("rename", name).with("digest", digest);
        requests.push(with_comment(request, args));
    }
    let is_in = |written: &str| {
        known
            .entries
            .iter()
            .any(|entry| self::written(entry) == written)
    };
    for written in args.texts("entries") {
        if !is_in(written) {
            requests.push(entry(scope, name, written)?);
        }
    }
    for written in args.texts("without") {
        if !is_in(written) {
            let entries: Vec<String> = known.entries.iter().map(self::written).collect();
            return Err(Error::bad(format!(
                "{cluster}: `{}` is not in set `{name}`; it has: {}",
                repeated(written),
                printable(&entries.join(", "), NAME_MAX_CHARS)
            )));
        }
        let cidr = written.strip_prefix(BUT_NOT).unwrap_or(written);
        requests.push(scope.request(Verb::Delete, &ENTRY, &[name, cidr])?);
    }
    if requests.is_empty() {
        return Err(nothing());
    }
    Ok(requests)
}

fn removed(
    reach: &Reach,
    scope: &FirewallScope,
    kind: &str,
    known: &Known,
) -> Result<Vec<Request>, Error> {
    let name = known.text(if kind == "group" { "group" } else { "name" });
    let cluster = reach.cluster_name();
    let users = users(reach, scope, kind, &name)?;
    if !users.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: {kind} `{name}` is named by {}: change or remove these first",
            printable(&users.join(", "), NAME_MAX_CHARS)
        )));
    }
    Ok(vec![match kind {
        "alias" => {
            let request = scope.request(Verb::Delete, &ALIAS, &[&name])?;
            request.with("digest", known.text("digest"))
        }
        "set" => {
            let request = scope.request(Verb::Delete, &SET, &[&name])?;
            match known.entries.is_empty() {
                true => request,
                false => request.with("force", true),
            }
        }
        _ => {
            let rules = Rules::read(reach, &Request::new(Verb::Get, GROUP, &[&name])?)?;
            if !rules.rows.is_empty() {
                return Err(Error::bad(format!(
                    "{cluster}: group `{name}` has rules: `firewall_rule` removes them first"
                )));
            }
            Request::new(Verb::Delete, GROUP, &[&name])?
        }
    }])
}

/// The rules of this scope that name it, and the sets that do.
fn users(
    reach: &Reach,
    scope: &FirewallScope,
    kind: &str,
    name: &str,
) -> Result<Vec<String>, Error> {
    let names = |written: &str| {
        let bare = match (kind, written.strip_prefix('+')) {
            ("set", Some(bare)) => bare,
            ("alias", None) => written,
            _ => return false,
        };
        let of_scope = SCOPES.iter().find_map(|scope| bare.strip_prefix(scope));
        of_scope.unwrap_or(bare).eq_ignore_ascii_case(name)
    };
    let is_user = |rule: &Value| match kind {
        "group" => text(rule, "type") == "group" && text(rule, "action") == name,
        _ => names(&text(rule, "source")) || names(&text(rule, "dest")),
    };
    let mut users = Vec::new();
    let mut look = |request: &Request, whose: &str| -> Result<(), Error> {
        let rules = Rules::read(reach, request)?;
        let found = rules
            .rows
            .iter()
            .enumerate()
            .filter(|(_, rule)| is_user(rule));
        users.extend(found.map(|(pos, _)| format!("rule {pos}{whose}")));
        Ok(())
    };
    look(&scope.request(Verb::Get, &RULES, &[])?, "")?;
    if matches!(scope, FirewallScope::Cluster) && kind != "group" {
        for group in reach.rows_at(GROUPS, &[], "group")?.iter() {
            let group = text(group, "group");
            let whose = format!(" of group `{group}`");
            look(&Request::new(Verb::Get, GROUP, &[&group])?, &whose)?;
        }
    }
    if kind == "alias" {
        for set in reach
            .rows(&scope.request(Verb::Get, &SETS, &[])?, "name")?
            .iter()
        {
            let set = text(set, "name");
            let entries = reach.rows(&scope.request(Verb::Get, &SET, &[&set])?, "cidr")?;
            if entries.iter().any(|entry| names(&text(entry, "cidr"))) {
                users.push(format!("set `{set}`"));
            }
        }
    }
    Ok(users)
}
