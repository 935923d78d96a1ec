//! `pool_list`: which pools there are, what they are for, and how many guests are in each.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::methods::permissions::SEES_POOLS;
use crate::api::methods::sending;
use crate::error::Error;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::order::SORT;
use crate::tool::rows::{CURSOR, FIELDS, LIMIT, NAME_BYTES, ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::fleet::{Gathered, ListedRows, unseen};

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const COMMENT_MAX_CHARS: usize = 500;

const COLUMNS: &[&str] = &["cluster", "pool", "guests", "running", "untrusted_text"];

pub(super) const LIST: Tool = Tool {
    name: "pool_list",
    title: "List pools",
    about: "Lists the pools of one cluster or `all`: how many guests each has, those of pools within it too, and its comment.",
    actions: Actions::one(&[&[
        sending::get("/cluster/resources").seeing(&[SEES_POOLS]),
        sending::get("/pools"),
    ]]),
    subject: Subject::List,
    params: &[SORT, FIELDS, LIMIT, CURSOR],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

fn list(reach: &FleetReach, args: &Args) -> HandlerResult {
    Gathered::of(reach, args, COLUMNS, pools)?.page(COLUMNS, args)
}

fn pools(reach: &Reach) -> Result<ListedRows, Error> {
    // Of each pool, how many guests it has, and how many of them run.
    let mut guests: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    reach.resources(&mut |resource| {
        for pool in resource.pools().filter(|_| resource.kind().is_guest()) {
            let known = guests.contains_key(pool);
            room::note(if known { 0 } else { NAME_BYTES });
            let (here, running) = guests.entry(pool.to_string()).or_default();
            *here += 1;
            *running += u64::from(resource.is_up());
        }
    })?;
    let listed = reach.rows_at("/pools", &[], "poolid")?;
    room::note(ROW_BYTES * listed.len());
    let mut rows: Vec<Row> = listed
        .iter()
        .map(|pool| {
            let text = |key: &str| pool.get(key).and_then(Value::as_str).unwrap_or_default();
            let name = text("poolid");
            let (here, running) = guests.get(name).copied().unwrap_or_default();
            Row::from([
                ("cluster", reach.cluster_name().into()),
                ("pool", printable(name, NAME_MAX_CHARS).into()),
                ("guests", here.into()),
                ("running", running.into()),
                (
                    "untrusted_text",
                    printable(text("comment"), COMMENT_MAX_CHARS).into(),
                ),
            ])
        })
        .collect();
    rows.sort_by(|one, other| one.text("pool").cmp(other.text("pool")));
    let wanted = |kind: ResourceKind| kind == ResourceKind::Pool || kind.is_guest();
    Ok(ListedRows {
        rows,
        unseen: unseen(reach, wanted)?,
        ..ListedRows::default()
    })
}
