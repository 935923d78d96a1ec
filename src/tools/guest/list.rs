//! `guest_list`: the guests of one cluster or of all, a row each.

use serde_json::{Map, Value};

use super::NAME_MAX_CHARS;
use crate::error::Error;
use crate::gate::mark::Mark;
use crate::gate::reach::{FleetReach, Reach};
use crate::proxmox::request::{Request, Verb};
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Kind, Param, Word};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, Row, flag, gib, mib, number};
use crate::tool::{Marks, Run, Subject, Tool};

/// The longest list of tags that is shown, in characters.
const TAGS_MAX_CHARS: usize = 200;

const COLUMNS: &[&str] = &[
    "cluster",
    "vmid",
    "name",
    "type",
    "node",
    "status",
    "tags",
    "cpus",
    "cpu_percent",
    "memory_mib",
    "memory_used_mib",
    "disk_gib",
    "uptime_s",
    "template",
    "pool",
    "lock",
    "ha",
];
const USUAL: &[&str] = &[
    "cluster", "vmid", "name", "type", "node", "status", "tags", "template", "lock",
];

pub(super) const LIST: Tool = Tool {
    name: "guest_list",
    title: "List guests",
    about: "Lists the guests of one cluster or `all`. fleet_search finds them by any property.",
    marks: Marks::Always(Mark::READ),
    subject: Subject::List,
    params: &[
        Param::new("type", Kind::OneOf(&["vm", "container"]), "").optional(),
        Param::new(
            "status",
            Kind::OneOf(&["running", "stopped", "paused", "unknown"]),
            "",
        )
        .optional(),
        Param::new("node", Kind::Word(Word::Node), "").optional(),
        Param::new("tag", Kind::Word(Word::Id), "").optional(),
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: Run::Fleet(list),
};

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    let answered = reach.ask(guests)?;
    let several = reach.clusters().count() > 1;
    let mut found: Vec<Row> = Vec::new();
    for (cluster, guests) in answered {
        for resource in guests {
            let mut row = row(&resource);
            if several {
                row.insert("cluster".into(), cluster.into());
            }
            if is_wanted(&row, args) {
                found.push(row);
            }
        }
    }
    found.sort_by_key(|row| {
        let cluster = row.get("cluster").and_then(Value::as_str);
        (cluster.map(str::to_string), number(row.get("vmid")))
    });
    rows::page(found, COLUMNS, USUAL, args)
}

fn guests(reach: &Reach) -> Result<Vec<Value>, Error> {
    let request = Request::new(Verb::Get, "/cluster/resources", &[])?.with("type", "vm");
    match reach.send(&request)?.data {
        Value::Array(rows) => Ok(rows),
        _ => Ok(Vec::new()),
    }
}

fn row(resource: &Value) -> Row {
    let text = |key: &str, max| {
        let text = resource
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default();
        Value::from(printable(text, max))
    };
    let amount = |key: &str| number(resource.get(key));
    let cpu = resource.get("cpu").and_then(Value::as_f64);
    let kind = match resource.get("type").and_then(Value::as_str) {
        Some("lxc") => "container",
        _ => "vm",
    };
    let mut row = Row::new();
    row.insert("vmid".into(), amount("vmid").into());
    row.insert("name".into(), text("name", NAME_MAX_CHARS));
    row.insert("type".into(), kind.into());
    for key in ["node", "status", "pool", "lock"] {
        row.insert(key.into(), text(key, NAME_MAX_CHARS));
    }
    row.insert("tags".into(), text("tags", TAGS_MAX_CHARS));
    row.insert("ha".into(), text("hastate", NAME_MAX_CHARS));
    row.insert("cpus".into(), amount("maxcpu").into());
    let percent = cpu.map(|share| (share * 1000.0).round() / 10.0);
    row.insert("cpu_percent".into(), percent.into());
    row.insert("memory_mib".into(), mib(amount("maxmem")).into());
    row.insert("memory_used_mib".into(), mib(amount("mem")).into());
    row.insert("disk_gib".into(), gib(amount("maxdisk")).into());
    row.insert("uptime_s".into(), amount("uptime").into());
    row.insert("template".into(), flag(resource.get("template")).into());
    row
}

fn is_wanted(row: &Row, args: &Args) -> bool {
    let is = |column: &str| {
        let wanted = args.text(column);
        wanted.is_none() || row.get(column).and_then(Value::as_str) == wanted
    };
    let tags = row.get("tags").and_then(Value::as_str).unwrap_or_default();
    let tagged = |tag: &str| tags.split([';', ',', ' ']).any(|one| one == tag);
    is("type") && is("status") && is("node") && args.text("tag").is_none_or(tagged)
}
