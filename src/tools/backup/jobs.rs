//! Backup jobs: which guests are backed up when, where to, and how many of their backups are kept.

use serde_json::{Map, Value, json};

use super::retention;
use crate::api::loose::{boolean, flag, items, number, plain};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::time::iso;
use crate::tool::args::Args;
use crate::tool::order::SORT;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{CURSOR, FIELDS, LIMIT, ROW_BYTES, Row};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Thing, Tool};
use crate::tools::fleet::{Gathered, ListedRows};

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
/// Of a hundred guests and more.
const GUESTS_MAX_CHARS: usize = 1_000;
const COMMENT_MAX_CHARS: usize = 512;
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

pub(super) const LIST: Tool = Tool {
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
};

pub(super) const JOB: Param = Param::new("job", ParamKind::Word(Word::Id), "of backup_job_list");

pub(super) const DELETE: Tool = Tool {
    name: "backup_job_delete",
    title: "Delete a backup job",
    about: "Deletes a backup job; the backups that it has made stay. Asks first.",
    actions: Actions::one(&[&[
        sending::get("/cluster/backup"),
        sending::delete("/cluster/backup/{id}"),
    ]]),
    subject: Subject::Thing(Thing::Job, "job"),
    params: &[JOB],
    answer: &[("job", "string")],
    task: false,
    plan: Some(delete_plan),
    run: RunFn::Write(delete),
};

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

pub(super) fn row(cluster: &str, job: &Map<String, Value>) -> Row {
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
        (
            "keeps",
            job.get("prune-backups").map(retention::shown).into(),
        ),
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

/// A job that was looked for by its name.
pub(super) struct FoundJob {
    pub(super) job: Option<Map<String, Value>>,
    /// The names of the others.
    others: Vec<String>,
}

impl FoundJob {
    pub(super) fn find(reach: &Reach, id: &str) -> Result<FoundJob, Error> {
        let listed = reach.rows_at("/cluster/backup", &[], "id")?;
        let name_of = |job: &Value| job.get("id").map(plain).unwrap_or_default();
        let (named, others): (Vec<&Value>, Vec<&Value>) =
            listed.iter().partition(|job| name_of(job) == id);
        let others = others.into_iter();
        let others = others.map(|job| printable(&name_of(job), NAME_MAX_CHARS));
        let mut others: Vec<String> = others.collect();
        others.sort();
        Ok(FoundJob {
            job: named.first().and_then(|job| job.as_object()).cloned(),
            others,
        })
    }

    /// Those that there are, for a sentence.
    pub(super) fn there(&self) -> String {
        match self.others.join(", ") {
            none if none.is_empty() => "there is none".into(),
            names => format!("there are: {names}"),
        }
    }
}

/// What a job is, without its name.
pub(super) fn shown(cluster: &str, job: &Map<String, Value>) -> Map<String, Value> {
    let columns = row(cluster, job).into_object().into_iter();
    let columns = columns.filter(|(column, _)| !matches!(column.as_str(), "cluster" | "job"));
    columns.collect()
}

/// What a confirmation is bound to of a job: not when it runs next, which changes by itself.
pub(super) fn bound(mut job: Map<String, Value>) -> Value {
    job.remove("next-run");
    Value::Object(job)
}

fn delete_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let (cluster, id) = (reach.cluster_name(), args.need("job")?);
    let found = FoundJob::find(reach, id)?;
    let Some(job) = found.job else {
        let there = found.there();
        let sentence = format!("{cluster}: no backup job is called `{id}`; {there}");
        return Err(Error::bad(sentence));
    };
    let lost = "its guests are backed up by it no more; the backups that it has made stay";
    let undo = "only by making such a job again";
    let facts = [
        ("cluster", cluster.into()),
        ("name", id.into()),
        ("job", shown(cluster, &job).into()),
        ("other_jobs", found.others.into()),
        ("lost", lost.into()),
        ("undo", undo.into()),
    ];
    Ok(Plan {
        subject: json!({"cluster": cluster, "job": bound(job)}),
        shown: facts
            .map(|(key, value)| (key.to_string(), value))
            .into_iter()
            .collect(),
        objects: 1,
        ..Plan::default()
    })
}

fn delete(_: &Reach, args: &Args) -> WriteResult {
    let id = args.need("job")?;
    let request = Request::new(Verb::Delete, "/cluster/backup/{id}", &[id])?;
    let answer = Map::from_iter([("job".to_string(), id.into())]);
    Ok(Write::new(request, answer))
}
