//! Backup jobs: which guests are backed up when, where to, and how many of their backups are kept.

use serde_json::{Map, Value};

use super::fleet::{Gathered, ListedRows};
use crate::api::loose::{boolean, flag, items, number, plain};
use crate::api::methods::sending;
use crate::error::Error;
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::time::iso;
use crate::tool::args::Args;
use crate::tool::order::SORT;
use crate::tool::rows::{CURSOR, FIELDS, LIMIT, ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
/// Of a hundred guests and more.
const GUESTS_MAX_CHARS: usize = 1_000;
const COMMENT_MAX_CHARS: usize = 512;
/// As Proxmox has them, the shortest first.
const SPANS: [&str; 6] = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];

const COLUMNS: &[&str] = &[
    "cluster",
    "job",
    "disabled",
    "schedule",
    "next_run",
    "guests",
    "exclude",
    "node",
    "storage",
    "mode",
    "keeps",
    "untrusted_text",
];

pub static TOOLS: &[Tool] = &[Tool {
    name: "backup_job_list",
    title: "List backup jobs",
    about: "Lists the backup jobs of one cluster or `all`: when, which guests (`all`, VMIDs, `pool \
            NAME`), where to, and how many backups it keeps; without `keeps` the storage's rule holds.",
    actions: Actions::one(&[&[sending::get("/cluster/backup")]]),
    subject: Subject::List,
    params: &[SORT, FIELDS, LIMIT, CURSOR],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
}];

fn list(reach: &FleetReach, args: &Args) -> HandlerResult {
    Gathered::of(reach, args, COLUMNS, jobs)?.page(COLUMNS, args)
}

fn jobs(reach: &Reach) -> Result<ListedRows, Error> {
    let listed = reach.rows_at("/cluster/backup", &[], "id")?;
    room::note(ROW_BYTES * listed.len());
    let jobs = listed.iter().filter_map(Value::as_object);
    let mut rows: Vec<Row> = jobs.map(|job| row(reach.cluster_name(), job)).collect();
    rows.sort_by(|one, other| one.text("job").cmp(other.text("job")));
    Ok(ListedRows {
        rows,
        ..ListedRows::default()
    })
}

fn row(cluster: &str, job: &Map<String, Value>) -> Row {
    let text = |key: &str| job.get(key).map(plain).unwrap_or_default();
    let name = |key: &str| Value::from(printable(&text(key), NAME_MAX_CHARS));
    let is_disabled = job.get("enabled").and_then(boolean) == Some(false);
    let next_run = number(job.get("next-run"));
    let (guests, exclude) = guests(job);
    Row::from([
        ("cluster", cluster.into()),
        ("job", name("id")),
        ("disabled", is_disabled.into()),
        ("schedule", name("schedule")),
        // Proxmox tells one of disabled jobs too.
        (
            "next_run",
            (next_run > 0 && !is_disabled).then(|| iso(next_run)).into(),
        ),
        ("guests", printable(&guests, GUESTS_MAX_CHARS).into()),
        ("exclude", printable(&exclude, GUESTS_MAX_CHARS).into()),
        ("node", name("node")),
        ("storage", name("storage")),
        ("mode", name("mode")),
        ("keeps", job.get("prune-backups").map(keeps).into()),
        (
            "untrusted_text",
            printable(&text("comment"), COMMENT_MAX_CHARS).into(),
        ),
    ])
}

/// Whom a job backs up, and whom of all it leaves out. Of several ways to say it Proxmox goes by the pool,
/// then by the VMIDs.
fn guests(job: &Map<String, Value>) -> (String, String) {
    let vmids = |key: &str| job.get(key).map(items).unwrap_or_default().join(",");
    match (job.get("pool"), job.get("vmid")) {
        (Some(pool), _) => (format!("pool {}", plain(pool)), String::new()),
        (None, Some(_)) => (vmids("vmid"), String::new()),
        (None, None) if flag(job.get("all")) => ("all".into(), vmids("exclude")),
        (None, None) => Default::default(),
    }
}

/// How many backups of a guest are kept: `last 3, daily 7`, or `all`.
fn keeps(rule: &Value) -> String {
    let parts: Vec<String> = match rule {
        Value::Object(parts) => parts
            .iter()
            .map(|(key, value)| format!("{key}={}", plain(value)))
            .collect(),
        rule => items(rule),
    };
    let of = |span: &str| {
        let kept = parts.iter().find_map(|part| {
            let value = part.strip_prefix("keep-")?.strip_prefix(span)?;
            value.strip_prefix('=')?.parse::<u64>().ok()
        });
        kept.filter(|kept| *kept > 0)
    };
    if of("all").is_some() {
        return "all".into();
    }
    let kept = SPANS.iter().filter_map(|span| {
        let kept = of(span)?;
        Some(format!("{span} {kept}"))
    });
    kept.collect::<Vec<_>>().join(", ")
}
