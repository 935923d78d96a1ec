//! `pool_delete`: an empty pool, with what goes by its name.

use serde_json::{Map, Value, json};

use super::members::{self, PoolMembers};
use super::{POOL, set};
use crate::api::loose::plain;
use crate::api::methods::sending;
use crate::api::pool;
use crate::api::request::Verb;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Thing, Tool};

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
/// So many jobs or rules are named; of more, the number.
const SHOWN_MAX: usize = 20;

pub(super) const DELETE: Tool = Tool {
    name: "pool_delete",
    title: "Delete a pool",
    about: "Deletes an empty pool, and shows first which backup jobs and access rules go by it. Asks first.",
    actions: Actions::one(&[
        members::READS,
        &[
            sending::get("/cluster/backup").beside(),
            sending::get("/access/acl"),
            sending::delete("/pools"),
            sending::delete("/pools/{poolid}"),
        ],
    ]),
    subject: Subject::Thing(Thing::Pool, "pool"),
    params: &[POOL],
    answer: &[("pool", "string")],
    task: false,
    plan: Some(planned),
    run: RunFn::Write(delete),
};

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let (cluster, name) = (reach.cluster_name(), args.need("pool")?);
    let there = members::names(reach)?;
    let pool = PoolMembers::read(reach, name)?;
    let Some(pool) = pool else {
        let there = there.iter().map(|one| printable(one, NAME_MAX_CHARS));
        let there: Vec<String> = there.collect();
        return Err(Error::bad(format!(
            "{cluster}: there is no pool `{name}`; there are: {}",
            there.join(", ")
        )));
    };
    empty(cluster, name, &pool, there.iter())?;
    reach.foresee(&pool::request(Verb::Delete, name)?)?;
    let mut shown = Map::new();
    shown.insert("cluster".into(), cluster.into());
    shown.insert("name".into(), name.into());
    shown.extend(set::shown(&pool));
    if reach.shows_plan() {
        shown.insert("backup_jobs".into(), jobs(reach, name)?);
        shown.insert("access_rules".into(), rules(reach, name)?);
    }
    let lost = "the pool and the access rules on it; a backup job that goes by it backs up nothing any more";
    shown.insert("lost".into(), lost.into());
    let undo = "only by making it and its access rules again";
    shown.insert("undo".into(), undo.into());
    Ok(Plan {
        subject: json!({"cluster": cluster, "pool": name, "comment": pool.comment}),
        shown,
        objects: 1,
        ..Plan::default()
    })
}

/// Proxmox deletes no pool with something in it; what the token does not see it tells when it is asked.
fn empty<'n>(
    cluster: &str,
    name: &str,
    pool: &PoolMembers,
    mut there: impl Iterator<Item = &'n String>,
) -> Result<(), Error> {
    let within = format!("{name}/");
    let guests: Vec<String> = pool.guests.iter().map(u32::to_string).collect();
    let storages: Vec<&str> = pool.storages.iter().map(String::as_str).collect();
    let (holds, hint) = if let Some(inner) = there.find(|other| other.starts_with(&within)) {
        let hint = "delete the pools within it first";
        (format!("pool `{}`", printable(inner, NAME_MAX_CHARS)), hint)
    } else if !guests.is_empty() {
        let hint =
            "take them out first: pool_set with `remove`, or with `add` and `move` of another pool";
        (format!("guests {}", guests.join(", ")), hint)
    } else if !storages.is_empty() {
        let hint = "take them out first: pool_set with `remove_storages`";
        (format!("storages {}", storages.join(", ")), hint)
    } else {
        return Ok(());
    };
    let sentence = format!("pool `{name}` is not empty, it has {holds}");
    Err(Error::not_allowed(cluster, sentence).hint(hint))
}

/// The backup jobs that take its guests.
fn jobs(reach: &Reach, pool: &str) -> Result<Value, Error> {
    let listed = reach.rows_at("/cluster/backup", &[], "id");
    facts(listed.map(|jobs| {
        let jobs = jobs.iter();
        let by_pool = jobs.filter(|job| job.get("pool").map(plain).as_deref() == Some(pool));
        by_pool
            .map(|job| job.get("id").map(plain).unwrap_or_default())
            .collect()
    }))
}

/// Who may do something by it.
fn rules(reach: &Reach, pool: &str) -> Result<Value, Error> {
    let path = format!("/pool/{pool}");
    let listed = reach.rows_at("/access/acl", &[], "ugid");
    facts(listed.map(|rules| {
        let rules = rules.iter();
        let here = rules.filter(|rule| rule.get("path").map(plain).as_deref() == Some(&*path));
        let of = |rule: &Value, key: &str| rule.get(key).map(plain).unwrap_or_default();
        here.map(|rule| format!("{}: {}", of(rule, "ugid"), of(rule, "roleid")))
            .collect()
    }))
}

/// Some names, or why they are not known.
fn facts(names: Result<Vec<String>, Error>) -> Result<Value, Error> {
    match names {
        Ok(names) if names.is_empty() => Ok("none that the token sees".into()),
        Ok(names) => {
            let more = names.len().saturating_sub(SHOWN_MAX);
            let shown = names.iter().take(SHOWN_MAX);
            let mut shown: Vec<String> = shown.map(|one| printable(one, NAME_MAX_CHARS)).collect();
            if more > 0 {
                shown.push(format!("and {more} more"));
            }
            Ok(shown.into())
        }
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => {
            let why = printable(&error.to_string(), crate::text::LONG_NAME_MAX_CHARS);
            Ok(format!("unknown: {why}").into())
        }
    }
}

fn delete(_: &Reach, args: &Args) -> WriteResult {
    let name = args.need("pool")?;
    let answer = Map::from_iter([("pool".to_string(), name.into())]);
    Ok(Write::new(pool::request(Verb::Delete, name)?, answer))
}
