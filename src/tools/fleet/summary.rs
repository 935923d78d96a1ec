//! `fleet_summary`: how the clusters are, what they have and use, and what needs attention.

use serde_json::{Map, Value, json};

use super::{VisibilityGaps, unseen};
use crate::api::methods::sending;
use crate::error::Error;
use crate::gate::reach::{FleetReach, Reach};
use crate::tool::args::Args;
use crate::tool::rows::{self, CURSOR, LIMIT, Row};
use crate::tool::{Actions, RunFn, Subject, Tool};

use super::quorum::{self, Quorum};
use super::tally::Tally;

const COLUMNS: &[&str] = &[
    "cluster",
    "quorum",
    "attention",
    "nodes",
    "guests",
    "cpus",
    "cpu_percent",
    "memory_gib",
    "memory_percent",
    "storages",
    "storage_gib",
    "storage_percent",
];

pub(super) const SUMMARY: Tool = Tool {
    name: "fleet_summary",
    title: "Summarise all clusters",
    about: "Tells how all clusters are: nodes, quorum, guests, capacity and use, full storages; what needs attention comes first.",
    actions: Actions::one(&[&[
        sending::get("/cluster/status"),
        sending::get("/cluster/resources").seeing(super::SEES_ALL),
    ]]),
    subject: Subject::Fleet,
    params: &[LIMIT, CURSOR],
    answer: &[("all", "object"), ("items", "array")],
    task: false,
    plan: None,
    run: RunFn::Fleet(summary),
};

struct Summary {
    tally: Tally,
    quorum: Quorum,
    unseen: Vec<String>,
}

fn summary(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    rows::check(args, COLUMNS)?;
    let answered = reach.ask(of_cluster)?;
    let mut all = Tally::default();
    let mut needy = Vec::new();
    let mut well = Vec::new();
    let mut gaps = VisibilityGaps::default();
    for (cluster, one) in answered {
        let row = row(cluster, &one);
        if row.get("attention").is_some_and(rows::says_something) {
            needy.push(row);
        } else {
            well.push(row);
        }
        all.add(&one.tally);
        gaps.add(cluster, one.unseen);
    }
    let mut answer = Map::new();
    // One that does not answer needs it most; why stands in `errors`.
    let silent = reach.asked().saturating_sub(needy.len() + well.len());
    let attention = needy.len() + silent;
    let mut facts = Map::from_iter([
        ("clusters".to_string(), json!(reach.asked())),
        ("clusters_needing_attention".to_string(), json!(attention)),
    ]);
    if silent > 0 {
        facts.insert("clusters_not_answering".into(), json!(silent));
    }
    facts.extend(Row::from(all.facts()).into_object());
    answer.insert("all".into(), Value::Object(facts));
    needy.extend(well);
    answer.extend(rows::page(needy, COLUMNS, COLUMNS, args)?);
    gaps.name_in(&mut answer);
    Ok(answer)
}

/// Two requests, and one a minute for what the token sees.
fn of_cluster(reach: &Reach) -> Result<Summary, Error> {
    let mut tally = Tally::default();
    reach.resources(&mut |resource| tally.count(resource))?;
    let quorum = quorum::read(reach)?;
    let mut unseen = unseen(reach, |_| true)?;
    if let Quorum::Unknown(why) = &quorum {
        unseen.push(format!("the quorum: {why}"));
    }
    Ok(Summary {
        tally,
        quorum,
        unseen,
    })
}

fn row(cluster: &str, summary: &Summary) -> Row {
    let mut attention = Map::new();
    if let Some(problem) = summary.quorum.problem() {
        attention.insert("quorum".into(), problem.into());
    }
    attention.extend(summary.tally.attention());
    let mut row = Row::new();
    row.insert("cluster", cluster.into());
    row.insert("quorum", summary.quorum.name().into());
    row.insert("attention", Value::Object(attention));
    row.extend(summary.tally.facts());
    row
}
