//! `backup_job_run`: a backup job is run now. Proxmox has no call for that: each node that holds a guest of the job
//! is told to back those up as the job says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::jobs::{self, FoundJob, JOB};
use super::retention;
use crate::api::loose::{flag, items, plain};
use crate::api::mark::Mark;
use crate::api::methods;
use crate::api::methods::permissions::SEES_GUESTS;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::resource::ResourceKind;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::room;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::NAME_BYTES;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Action, Actions, RunFn, Subject, Thing, Tool};
use crate::tools::fleet;

const VZDUMP: &str = "/nodes/{node}/vzdump";
const MODES: &[&str] = &["snapshot", "suspend", "stop"];
/// The mode of a job that does not say one.
const MODE: &str = "snapshot";
/// What a node answers that has nothing to back up.
const NONE: &str = "OK";
/// What of a job is about when it runs and whom it takes, and what is said here.
const OF_THE_JOB: &[&str] = &[
    "id",
    "type",
    "schedule",
    "starttime",
    "dow",
    "enabled",
    "comment",
    "next-run",
    "repeat-missed",
    "node",
    "all",
    "vmid",
    "pool",
    "exclude",
    "mode",
    "remove",
    "prune-backups",
    "maxfiles",
    "digest",
];
/// The most guests of which a plan names each.
const NAMED_MAX: usize = 100;

/// What a run sends, as heavy as its mode and its pruning make it.
const fn running(mark: Mark) -> [Sending; 3] {
    [
        sending::get("/cluster/backup"),
        sending::get("/cluster/resources").seeing(&[SEES_GUESTS]),
        sending::post(VZDUMP).weighing(mark),
    ]
}

pub(super) const RUN: Tool = Tool {
    name: "backup_job_run",
    title: "Run a backup job now",
    about: "Backs up now what a backup job would, on every node that holds a guest of it. Prunes nothing unless `prune`, which \
            asks. A job whose mode interrupts its guests needs that `mode`.",
    actions: Actions::ByArguments(
        &[
            Action::new("run", &[&running(Mark::OPERATE)]),
            Action::new("interrupt", &[&running(Mark::OPERATE.interrupts())]),
            Action::new("prune", &[&running(Mark::FULL)]),
            Action::new("prune and interrupt", &[&running(Mark::FULL.interrupts())]),
        ],
        way,
    ),
    subject: Subject::Thing(Thing::Job, "job"),
    params: &[
        JOB,
        Param::new("mode", ParamKind::OneOf(MODES), "else the job's").optional(),
        Param::new(
            "prune",
            ParamKind::Bool,
            "the backups beyond those that the job keeps",
        )
        .optional(),
    ],
    answer: &[("job", "string"), ("state", "string")],
    task: true,
    plan: Some(planned),
    run: RunFn::Write(run),
};

fn way(args: &Args) -> &'static str {
    let interrupts = !matches!(args.text("mode"), None | Some(MODE));
    match (args.yes("prune"), interrupts) {
        (false, false) => "run",
        (false, true) => "interrupt",
        (true, false) => "prune",
        (true, true) => "prune and interrupt",
    }
}

/// A run of a job: what is sent to each node, and what cannot be.
struct JobRun {
    job: Map<String, Value>,
    /// By node: whom it holds.
    guests: BTreeMap<String, BTreeSet<u32>>,
    /// The nodes that do not answer, with whom they hold.
    offline: BTreeMap<String, BTreeSet<u32>>,
    /// Guests that the job names and that are not seen here.
    missing: Vec<String>,
    requests: Vec<Request>,
}

impl JobRun {
    fn read(reach: &Reach, args: &Args) -> Result<JobRun, Error> {
        let (cluster, id) = (reach.cluster_name(), args.need("job")?);
        let found = FoundJob::find(reach, id)?;
        let there = found.there();
        let Some(job) = found.job else {
            return Err(Error::bad(format!(
                "{cluster}: no backup job is called `{id}`; {there}"
            )));
        };
        let of_job = job.get("mode").map_or_else(|| MODE.into(), plain);
        let mode = args.text("mode").unwrap_or(&of_job);
        if mode != MODE && !args.has("mode") {
            return Err(Error::bad(format!(
                "{cluster}: the mode of job `{id}` is `{of_job}`, which interrupts its guests: say `mode` for it"
            )));
        }
        let keeps = job.get("prune-backups");
        if args.yes("prune") && keeps.is_none() {
            return Err(Error::bad(format!(
                "{cluster}: job `{id}` does not say how many backups it keeps: `backup_prune` prunes by a storage's rule"
            )));
        }
        let mut run = JobRun {
            guests: BTreeMap::new(),
            offline: BTreeMap::new(),
            missing: Vec::new(),
            requests: Vec::new(),
            job,
        };
        run.place(reach)?;
        let keeps = run.job.get("prune-backups").filter(|_| args.yes("prune"));
        for (node, vmids) in &run.guests {
            let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
            let mut request = Request::new(Verb::Post, VZDUMP, &[node])?;
            let more = run
                .job
                .iter()
                .filter(|(key, _)| !OF_THE_JOB.contains(&key.as_str()));
            for (key, value) in more {
                request.params.insert(key.clone(), written(value));
            }
            let mut request = request.with("vmid", vmids.join(",")).with("mode", mode);
            request = match keeps {
                Some(keeps) => request
                    .with("prune-backups", retention::sent(&retention::shown(keeps))?)
                    .with("remove", true),
                // Without it Proxmox prunes what the storage's retention says.
                None => request.with("remove", false),
            };
            // As that of a job which writes to a folder of its own, or runs a script.
            if methods::weigh(&request).mark.destroys {
                return Err(Error::bad(format!(
                    "{cluster}: job `{id}` does more on a node than to back up (`script`, `dumpdir` or `tmpdir`): \
                     `api_write` on `{}` runs it, and asks first",
                    request.path_text()
                )));
            }
            run.requests.push(request);
        }
        match (run.requests.is_empty(), run.offline.is_empty()) {
            (false, _) => Ok(run),
            (true, true) => Err(Error::bad(format!(
                "{cluster}: job `{id}` takes no guest that the token sees"
            ))),
            (true, false) => Err(Error::bad(format!(
                "{cluster}: all guests of job `{id}` are on nodes that do not answer: {}",
                names(&run.offline)
            ))),
        }
    }

    /// Where the guests of the job are.
    fn place(&mut self, reach: &Reach) -> Result<(), Error> {
        let text = |key: &str| self.job.get(key).map(plain);
        let vmids = |key: &str| -> BTreeSet<u32> {
            let listed = self.job.get(key).map(items).unwrap_or_default();
            listed.iter().filter_map(|vmid| vmid.parse().ok()).collect()
        };
        let (pool, only, named) = (text("pool"), text("node"), vmids("vmid"));
        // Of several ways to say it Proxmox goes by the pool, then by the VMIDs.
        let (all, without) = (flag(self.job.get("all")), vmids("exclude"));
        let is_meant = |vmid: u32, in_pool: &str| match &pool {
            Some(pool) => in_pool == pool,
            None if !named.is_empty() => named.contains(&vmid),
            None => all && !without.contains(&vmid),
        };
        let (mut placed, mut online) = (BTreeMap::<String, BTreeSet<u32>>::new(), BTreeSet::new());
        reach.resources(&mut |row| {
            let kind = row.kind();
            if kind == ResourceKind::Node && *row.status == *"online" {
                online.insert(row.node.to_string());
            }
            let vmid = row.vmid().filter(|_| kind.is_guest());
            if let Some(vmid) = vmid.filter(|vmid| is_meant(*vmid, &row.pool)) {
                room::note(NAME_BYTES);
                placed.entry(row.node.to_string()).or_default().insert(vmid);
            }
        })?;
        let seen: BTreeSet<u32> = placed.values().flatten().copied().collect();
        if pool.is_none() {
            self.missing = named.difference(&seen).map(u32::to_string).collect();
        }
        placed.retain(|node, _| only.as_ref().is_none_or(|only| only == node));
        let (online, offline) = placed
            .into_iter()
            .partition(|(node, _)| online.contains(node));
        (self.guests, self.offline) = (online, offline);
        Ok(())
    }

    /// Who is left out, and why, for an answer and a plan.
    fn left_out(&self, reach: &Reach) -> Result<Vec<(&'static str, Value)>, Error> {
        let mut left = Vec::new();
        if !self.offline.is_empty() {
            left.push(("on_silent_nodes", names(&self.offline).into()));
        }
        if !self.missing.is_empty() {
            left.push(("not_seen", self.missing.join(", ").into()));
        }
        let unseen = fleet::unseen(reach, ResourceKind::is_guest)?;
        if !unseen.is_empty() && self.missing.is_empty() {
            left.push(("incomplete", unseen.join("; ").into()));
        }
        Ok(left)
    }
}

/// A parameter as it is sent: what a job lists as an object is a property string.
fn written(value: &Value) -> Value {
    match value {
        Value::Object(parts) => {
            let parts = parts
                .iter()
                .map(|(key, part)| format!("{key}={}", plain(part)));
            parts.collect::<Vec<_>>().join(",").into()
        }
        other => plain(other).into(),
    }
}

fn names(guests: &BTreeMap<String, BTreeSet<u32>>) -> String {
    let each = guests.iter().map(|(node, vmids)| {
        let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
        format!("{} on {node}", vmids.join(", "))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let run = JobRun::read(reach, args)?;
    for request in &run.requests {
        reach.foresee(request)?;
    }
    let (cluster, id) = (reach.cluster_name(), args.need("job")?);
    let vmids: Vec<u32> = run.guests.values().flatten().copied().collect();
    let keeps = run.job.get("prune-backups").map(retention::shown);
    let lost = format!(
        "of each of these guests the backups on the storage beyond those that are kept ({}), save protected ones",
        keeps.unwrap_or_default()
    );
    let mut facts = vec![
        ("cluster", cluster.into()),
        ("name", id.into()),
        ("job", jobs::shown(cluster, &run.job).into()),
        ("guests", vmids.len().into()),
        ("vmids", json!(vmids.get(..NAMED_MAX).unwrap_or(&vmids))),
        ("lost", lost.into()),
        ("undo", "what was pruned cannot be brought back".into()),
    ];
    facts.extend(run.left_out(reach)?);
    let facts = facts.into_iter();
    Ok(Plan {
        subject: json!({"cluster": cluster, "job": jobs::bound(run.job), "vmids": vmids}),
        shown: facts.map(|(key, value)| (key.to_string(), value)).collect(),
        objects: vmids.len(),
        ..Plan::default()
    })
}

fn run(reach: &Reach, args: &Args) -> WriteResult {
    let mut run = JobRun::read(reach, args)?;
    for request in &run.requests {
        reach.check(request)?;
        reach.foresee(request)?;
    }
    let mut answer = Map::from_iter([("job".to_string(), args.need("job")?.into())]);
    let left_out = run.left_out(reach)?;
    let of = |node: &str| json!(run.guests.get(node));
    let nodes: Vec<String> = run.guests.keys().cloned().collect();
    answer.extend(
        left_out
            .into_iter()
            .map(|(key, value)| (key.to_string(), value)),
    );
    if let [node] = nodes.as_slice()
        && let Some(request) = run.requests.pop()
    {
        answer.insert("node".into(), node.as_str().into());
        answer.insert("vmids".into(), of(node));
        return Ok(Write::new(request, answer));
    }
    let mut tasks = Vec::new();
    for (node, request) in nodes.iter().zip(&run.requests) {
        let reply = reach.send(request)?;
        // A node that holds none of them any more says so.
        let task = match reply.data.as_str() == Some(NONE) {
            true => None,
            false => reach.task_of(&reply)?,
        };
        let task = task.map(|task| format!("{}!{}", reach.cluster_name(), task.as_str()));
        tasks.push(json!({"node": node, "task": task, "vmids": of(node)}));
    }
    answer.insert("tasks".into(), tasks.into());
    answer.insert("state".into(), "running".into());
    Ok(Write::nothing(answer))
}
