//! `pool_set`: a pool is made, or what is in it is changed. All of it is looked at before the first of its
//! requests is sent.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::POOL;
use super::members::{self, PoolMembers};
use crate::api::methods::sending;
use crate::api::pool;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Thing, Tool};
use crate::tools::nameable::{self, Nameable, NameableKind};

const MEMBERS_MAX: usize = 500;
const COMMENT_MAX_CHARS: usize = 500;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

pub(super) const SET: Tool = Tool {
    name: "pool_set",
    title: "Make or change a pool",
    about: "Makes a pool, or changes its comment and what is in it: guests and storages are added and \
            removed. A guest is in one pool only.",
    actions: Actions::one(&[
        members::READS,
        nameable::READS,
        &[
            sending::post("/pools"),
            sending::put("/pools"),
            sending::put("/pools/{poolid}"),
        ],
    ]),
    subject: Subject::Thing(Thing::Pool, "pool"),
    params: &[
        POOL,
        Param::new(
            "add",
            ParamKind::Texts(MEMBERS_MAX),
            "guests: VMIDs or names",
        )
        .optional(),
        Param::new("remove", ParamKind::Texts(MEMBERS_MAX), "guests").optional(),
        Param::new("move", ParamKind::Bool, "those to add out of other pools").optional(),
        Param::new("add_storages", ParamKind::Texts(MEMBERS_MAX), "by name").optional(),
        Param::new("remove_storages", ParamKind::Texts(MEMBERS_MAX), "by name").optional(),
        Param::new("comment", ParamKind::Text(COMMENT_MAX_CHARS), "for people")
            .optional()
            .cleared_by("name `comment` in `delete` to unset it"),
        Param::new("delete", ParamKind::SomeOf(&["comment"]), "to unset").optional(),
    ],
    answer: &[("pool", "string"), ("created", "boolean")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(set),
};

/// What a call changes, beside what is so already.
#[derive(Default)]
struct PoolChange {
    comment: Option<String>,
    add: BTreeSet<u32>,
    /// Those of them that are in another pool, and which.
    moved: Vec<(u32, String)>,
    remove: BTreeSet<u32>,
    add_storages: BTreeSet<String>,
    remove_storages: BTreeSet<String>,
}

fn set(reach: &Reach, args: &Args) -> HandlerResult {
    let name = args.need("pool")?;
    let before = PoolMembers::read(reach, name)?;
    if before.is_none() {
        makeable(reach, args, name)?;
    }
    let now = before.clone().unwrap_or_default();
    let change = PoolChange::read(reach, args, &now)?;
    let requests = change.requests(name, before.is_none())?;
    if requests.is_empty() {
        return Err(Error::bad(format!(
            "{}: nothing of pool `{name}` would be changed by it",
            reach.cluster_name()
        )));
    }
    for request in &requests {
        reach.check(request)?;
        reach.foresee(request)?;
    }
    for request in &requests {
        reach.send(request)?;
    }
    let mut answer = Map::new();
    answer.insert("pool".into(), name.into());
    answer.insert("created".into(), before.is_none().into());
    // It is changed, whatever can be read of it.
    match PoolMembers::read(reach, name) {
        Ok(after) => answer.extend(shown(&after.unwrap_or_default())),
        Err(error) if error.is_cancelled() => return Err(error),
        Err(_) => {}
    }
    if !change.moved.is_empty() {
        let moved = change.moved.iter();
        let moved = moved
            .map(|(vmid, from)| json!({"vmid": vmid, "from": printable(from, NAME_MAX_CHARS)}));
        answer.insert("moved".into(), moved.collect());
    }
    if change.comment.is_some() && !now.comment.is_empty() {
        let comment = printable(&now.comment, COMMENT_MAX_CHARS);
        answer.insert("former".into(), json!({"untrusted_text": comment}));
    }
    Ok(answer)
}

/// What a pool is, for an answer.
pub(super) fn shown(pool: &PoolMembers) -> Map<String, Value> {
    let storages = pool.storages.iter();
    let storages = storages.map(|one| printable(one, NAME_MAX_CHARS));
    let facts = [
        ("guests", Value::from_iter(pool.guests.iter().copied())),
        ("storages", storages.collect()),
        (
            "untrusted_text",
            printable(&pool.comment, COMMENT_MAX_CHARS).into(),
        ),
    ];
    let facts = facts.into_iter();
    let facts = facts.filter(|(_, value)| crate::tool::rows::says_something(value));
    facts.map(|(key, value)| (key.to_string(), value)).collect()
}

/// Refuses to make a pool where there is none to make it in, or nothing is said that makes sense of a new one.
fn makeable(reach: &Reach, args: &Args, name: &str) -> Result<(), Error> {
    let there = members::names(reach)?;
    let takes = ["remove", "remove_storages", "delete"];
    let takes: Vec<&str> = takes.into_iter().filter(|key| args.has(key)).collect();
    let problem = match name.rsplit_once('/') {
        _ if !takes.is_empty() => format!("there is no pool `{name}` for `{}`", takes.join("`, `")),
        Some((above, _)) if !there.contains(above) => {
            format!("pool `{name}` would be in `{above}`, and that is not there: make it first")
        }
        _ => return Ok(()),
    };
    let there: Vec<String> = there
        .iter()
        .map(|one| printable(one, NAME_MAX_CHARS))
        .collect();
    let there = match there.join(", ") {
        none if none.is_empty() => "there is none".into(),
        names => format!("there are: {names}"),
    };
    Err(Error::bad(format!(
        "{}: {problem}; {there}",
        reach.cluster_name()
    )))
}

impl PoolChange {
    fn read(reach: &Reach, args: &Args, now: &PoolMembers) -> Result<PoolChange, Error> {
        let mut change = PoolChange::default();
        let comment = args.text("comment");
        let comment = comment.or_else(|| args.has("delete").then_some(""));
        let comment = comment.filter(|comment| *comment != now.comment);
        change.comment = comment.map(str::to_owned);
        let lists = ["add", "remove", "add_storages", "remove_storages"];
        if !lists.iter().any(|name| args.has(name)) {
            return Ok(change);
        }
        let there = Nameable::read(reach)?;
        let guests = |name: &str| -> Result<BTreeSet<u32>, Error> {
            let vmids = there.guests(reach, name, &args.texts(name))?;
            Ok(vmids.into_iter().collect())
        };
        let (add, remove) = (guests("add")?, guests("remove")?);
        let storages = |name: &str| -> BTreeSet<String> {
            args.texts(name).into_iter().map(str::to_owned).collect()
        };
        let (add_storages, remove_storages) =
            (storages("add_storages"), storages("remove_storages"));
        let mut problems: Vec<String> = add_storages
            .iter()
            .filter_map(|one| there.missing(NameableKind::Storage, one))
            .collect();
        let both = add.intersection(&remove).map(u32::to_string);
        let both = both.chain(add_storages.intersection(&remove_storages).cloned());
        problems.extend(both.map(|one| format!("`{one}` is to be added and removed")));
        change.add = add.difference(&now.guests).copied().collect();
        for vmid in &change.add {
            match there.pool_of(*vmid) {
                None => {}
                Some(pool) if args.yes("move") => change.moved.push((*vmid, pool.to_owned())),
                Some(pool) => problems.push(format!(
                    "guest {vmid} is in pool `{}`: say `move` to take it out of there",
                    printable(pool, NAME_MAX_CHARS)
                )),
            }
        }
        if !problems.is_empty() {
            let cluster = reach.cluster_name();
            return Err(Error::bad(format!("{cluster}: {}", problems.join("; "))));
        }
        change.remove = remove.intersection(&now.guests).copied().collect();
        change.add_storages = add_storages.difference(&now.storages).cloned().collect();
        change.remove_storages = remove_storages
            .intersection(&now.storages)
            .cloned()
            .collect();
        Ok(change)
    }

    /// What is sent for it: the pool itself, then what comes in, then what goes out.
    fn requests(&self, pool: &str, is_new: bool) -> Result<Vec<Request>, Error> {
        let mut requests = Vec::new();
        if is_new {
            requests.push(Request::new(Verb::Post, "/pools", &[])?.with("poolid", pool));
        }
        let changes = [
            (&self.add, &self.add_storages, false),
            (&self.remove, &self.remove_storages, true),
        ];
        for (guests, storages, is_removal) in changes {
            if guests.is_empty() && storages.is_empty() {
                continue;
            }
            let mut request = pool::request(Verb::Put, pool)?;
            if !guests.is_empty() {
                let vmids: Vec<String> = guests.iter().map(u32::to_string).collect();
                request = request.with("vms", vmids.join(","));
            }
            if !storages.is_empty() {
                let storages: Vec<&str> = storages.iter().map(String::as_str).collect();
                request = request.with("storage", storages.join(","));
            }
            if is_removal {
                request = request.with("delete", true);
            } else if !self.moved.is_empty() {
                request = request.with("allow-move", true);
            }
            requests.push(request);
        }
        if let Some(comment) = &self.comment {
            if requests.is_empty() {
                requests.push(pool::request(Verb::Put, pool)?);
            }
            if let Some(first) = requests.first_mut() {
                first
                    .params
                    .insert("comment".into(), comment.as_str().into());
            }
        }
        Ok(requests)
    }
}
