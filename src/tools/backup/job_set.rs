//! `backup_job_set`: a backup job is made or changed. Proxmox takes guests and storages that are not there
//! without a word, so they are looked for first.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::jobs::{self, FoundJob, JOB};
use super::retention;
use crate::api::loose::{items, plain};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::Row;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Action, Actions, RunFn, Subject, Thing, Tool};
use crate::tools::nameable::{self, Nameable, NameableKind};

const GUESTS_MAX: usize = 500;
const MODES: &[&str] = &["snapshot", "suspend", "stop"];
/// The notes that Proxmox's own dialogue proposes.
const NOTES: &str = "{{guestname}}";

/// A job that only backs up, one that interrupts its guests, and those two where they say what is kept.
const COPIES: &str = "copies";
const INTERRUPTS: &str = "interrupts";
const PRUNES: &str = "prunes";
const PRUNES_AND_INTERRUPTS: &str = "prunes and interrupts";

/// What picks the guests of a job: the argument, and the API's parameter.
const PICKS: [(&str, &str); 4] = [
    ("guests", "vmid"),
    ("tag", "vmid"),
    ("pool", "pool"),
    ("all", "all"),
];
/// The arguments that are parameters of the API.
const TAKEN_AS_GIVEN: &[&str] = &[
    "schedule", "storage", "pool", "node", "mode", "enabled", "comment",
];
/// What a job may lose.
const UNSET: &[&str] = &["comment", "exclude", "node", retention::KEY];

const fn setting(mark: Mark) -> [Sending; 3] {
    [
        sending::get("/cluster/backup"),
        sending::post("/cluster/backup").weighing(mark),
        sending::put("/cluster/backup/{id}").weighing(mark),
    ]
}

pub(super) const SET: Tool = Tool {
    name: "backup_job_set",
    title: "Make or change a backup job",
    about: "Makes a backup job, or changes one. It takes guests by `guests`, `pool`, `tag` or `all`. \
            Asks first where it says what is kept, since the rest is pruned.",
    actions: Actions::ByArguments(
        &[
            Action::new(COPIES, &[nameable::READS, &setting(Mark::CHANGE)]),
            Action::new(
                INTERRUPTS,
                &[nameable::READS, &setting(Mark::CHANGE.interrupts())],
            ),
            Action::new(PRUNES, &[nameable::READS, &setting(Mark::FULL)]),
            Action::new(
                PRUNES_AND_INTERRUPTS,
                &[nameable::READS, &setting(Mark::FULL.interrupts())],
            ),
        ],
        way,
    ),
    subject: Subject::Thing(Thing::Job, "job"),
    params: &[
        JOB,
        Param::new(
            "schedule",
            ParamKind::Text(128),
            "`2:30`, `sat 3:00`, `mon..fri 22:00`, `*/6:00`",
        )
        .optional(),
        Param::new("storage", ParamKind::Word(Word::Storage), "for the backups").optional(),
        Param::new("guests", ParamKind::Texts(GUESTS_MAX), "VMIDs or names").optional(),
        Param::new("pool", ParamKind::Word(Word::Pool), "later guests too").optional(),
        Param::new("tag", ParamKind::Word(Word::Tag), "those that bear it now").optional(),
        Param::new("all", ParamKind::Bool, "later guests too").optional(),
        Param::new("exclude", ParamKind::Texts(GUESTS_MAX), "of all").optional(),
        Param::new("node", ParamKind::Word(Word::Node), "its guests only").optional(),
        retention::KEEPS,
        Param::new(
            "mode",
            ParamKind::OneOf(MODES),
            "else snapshot, which does not interrupt",
        )
        .optional(),
        Param::new("enabled", ParamKind::Bool, "whether it runs").optional(),
        Param::new("comment", ParamKind::Text(512), "for people")
            .optional()
            .cleared_by("name `comment` in `delete` to unset it"),
        Param::new("delete", ParamKind::SomeOf(UNSET), "to unset").optional(),
    ],
    answer: &[("job", "string")],
    task: false,
    plan: Some(plan),
    run: RunFn::Write(set),
};

fn way(args: &Args) -> &'static str {
    let prunes = args.has("keeps") || args.texts("delete").contains(&retention::KEY);
    match (prunes, interrupts(args)) {
        (false, false) => COPIES,
        (false, true) => INTERRUPTS,
        (true, false) => PRUNES,
        (true, true) => PRUNES_AND_INTERRUPTS,
    }
}

fn interrupts(args: &Args) -> bool {
    args.text("mode").is_some_and(|mode| mode != "snapshot")
}

/// What is sent, and what the job was before.
struct JobChange {
    request: Request,
    now: Option<Map<String, Value>>,
    notes: Vec<String>,
}

impl JobChange {
    /// As it was planned, or by what is there now.
    fn read(reach: &Reach, args: &Args) -> Result<JobChange, Error> {
        let id = args.need("job")?;
        if let Some(planned) = reach.planned() {
            let of = |key: &str| planned.get(key).and_then(Value::as_object).cloned();
            let notes = planned.get("notes").map(items).unwrap_or_default();
            return JobChange::new(id, of("job"), of("params").unwrap_or_default(), notes);
        }
        let found = FoundJob::find(reach, id)?;
        let there = found.there();
        let now = found.job;
        let (mut params, notes) = params(reach, args, now.as_ref())?;
        match &now {
            Some(now) => {
                let delete = deleted(args, now, &params);
                if !delete.is_empty() {
                    params.insert("delete".into(), delete.join(",").into());
                }
                if params.is_empty() {
                    return Err(Error::bad(format!(
                        "{}: nothing is said to change of backup job `{id}`",
                        reach.cluster_name()
                    )));
                }
            }
            None => {
                complete(reach, id, &params, &there)?;
                params.insert("id".into(), id.into());
                params.insert("notes-template".into(), NOTES.into());
            }
        }
        JobChange::new(id, now, params, notes)
    }

    fn new(
        id: &str,
        now: Option<Map<String, Value>>,
        params: Map<String, Value>,
        notes: Vec<String>,
    ) -> Result<JobChange, Error> {
        let mut request = match now {
            Some(_) => Request::new(Verb::Put, "/cluster/backup/{id}", &[id])?,
            None => Request::new(Verb::Post, "/cluster/backup", &[])?,
        };
        request.params.extend(params);
        Ok(JobChange {
            request,
            now,
            notes,
        })
    }
}

/// Refuses a new job of which something is missing.
fn complete(
    reach: &Reach,
    id: &str,
    params: &Map<String, Value>,
    there: &str,
) -> Result<(), Error> {
    let missing = [("schedule", "`schedule`"), ("storage", "`storage`")].into_iter();
    let missing = missing.filter(|(key, _)| !params.contains_key(*key));
    let mut missing: Vec<&str> = missing.map(|(_, name)| name).collect();
    if !PICKS.iter().any(|(_, key)| params.contains_key(*key)) {
        missing.push("`guests`, `pool`, `tag` or `all`");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::bad(format!(
        "{}: no backup job is called `{id}`, and a new one also needs {}; {there}",
        reach.cluster_name(),
        missing.join(", ")
    )))
}

/// What a changed job loses: what it is told to, and the way in which it picked its guests.
fn deleted(args: &Args, now: &Map<String, Value>, params: &Map<String, Value>) -> Vec<String> {
    let mut all: BTreeSet<&str> = args.texts("delete").into_iter().collect();
    if PICKS.iter().any(|(_, key)| params.contains_key(*key)) {
        let old = ["all", "exclude", "pool", "vmid"].into_iter();
        all.extend(old.filter(|key| !params.contains_key(*key)));
    }
    let is_there = |key: &&str| now.contains_key(*key) && !params.contains_key(*key);
    let there = all.into_iter().filter(is_there);
    there.map(str::to_owned).collect()
}

/// The job's parameters, as far as the call says them, and what is to be known of them.
fn params(
    reach: &Reach,
    args: &Args,
    now: Option<&Map<String, Value>>,
) -> Result<(Map<String, Value>, Vec<String>), Error> {
    let mut params = Map::new();
    for key in TAKEN_AS_GIVEN {
        if let Some(value) = args.get(key).filter(|value| **value != "") {
            params.insert((*key).into(), value.clone());
        }
    }
    let pick = pick(args)?;
    if pick == Some("all") {
        params.insert("all".into(), true.into());
    }
    let is_of_all = || now.is_some_and(|now| now.contains_key("all"));
    if args.has("exclude") && pick != Some("all") && (pick.is_some() || !is_of_all()) {
        return Err(Error::bad("`exclude` is for a job of `all` guests"));
    }
    if let Some(keeps) = args.text("keeps") {
        params.insert(retention::KEY.into(), retention::sent(keeps)?.into());
    }
    let notes = named(reach, args, &mut params)?;
    if let Some(mode) = mode(reach, args, now, &params)? {
        params.insert("mode".into(), mode.into());
    }
    Ok((params, notes))
}

/// The way in which the call picks guests.
fn pick(args: &Args) -> Result<Option<&'static str>, Error> {
    let given = PICKS.iter().map(|(name, _)| *name);
    let given = given.filter(|name| args.has(name) && (*name != "all" || args.yes("all")));
    match given.collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => Err(Error::bad(format!(
            "`{}` each pick the guests: say one of them",
            several.join("`, `")
        ))),
    }
}

/// Adds the guests that the call names; what else it names must be there.
fn named(
    reach: &Reach,
    args: &Args,
    params: &mut Map<String, Value>,
) -> Result<Vec<String>, Error> {
    let looked_for = ["guests", "tag", "exclude", "storage", "node"];
    if !looked_for.iter().any(|name| args.has(name)) {
        return Ok(Vec::new());
    }
    let there = Nameable::read(reach)?;
    let things = [
        ("storage", NameableKind::BackupStorage),
        ("node", NameableKind::Node),
    ];
    let missing = things.into_iter();
    let missing = missing.filter_map(|(key, kind)| there.missing(kind, args.text(key)?));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        let cluster = reach.cluster_name();
        return Err(Error::bad(format!("{cluster}: {}", missing.join("; "))));
    }
    let list = |vmids: Vec<u32>| {
        let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
        Value::from(vmids.join(","))
    };
    for (name, key) in [("guests", "vmid"), ("exclude", "exclude")] {
        if args.has(name) {
            let vmids = there.guests(reach, name, &args.texts(name))?;
            params.insert(key.into(), list(vmids));
        }
    }
    let Some(tag) = args.text("tag") else {
        return Ok(Vec::new());
    };
    params.insert("vmid".into(), list(there.tagged(reach, tag)?));
    Ok(vec![format!(
        "Proxmox's jobs do not go by tags: guests that get the tag `{tag}` later are not in it"
    )])
}

/// The mode to send where none is said. A job that is told whom to take, or to run, is told how: else the
/// node decides.
fn mode(
    reach: &Reach,
    args: &Args,
    now: Option<&Map<String, Value>>,
    params: &Map<String, Value>,
) -> Result<Option<&'static str>, Error> {
    let deleted = args.texts("delete");
    let widens = ["vmid", "pool", "all", "exclude", "node"];
    let mut widens = widens.iter();
    let widens = widens.any(|key| params.contains_key(*key) || deleted.contains(key));
    if args.has("mode") || !(widens || args.yes("enabled") || now.is_none()) {
        return Ok(None);
    }
    let mode = now.and_then(|now| now.get("mode")).map(plain);
    match mode.as_deref() {
        None | Some("snapshot") => Ok(Some("snapshot")),
        Some(mode) => Err(Error::bad(format!(
            "{}: its mode is `{mode}`, which interrupts the guests that it takes: say `mode` too",
            reach.cluster_name()
        ))),
    }
}

fn plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let change = JobChange::read(reach, args)?;
    reach.foresee(&change.request)?;
    let mut shown = Map::new();
    shown.insert("cluster".into(), reach.cluster_name().into());
    shown.insert("name".into(), args.need("job")?.into());
    let now = match &change.now {
        Some(now) => jobs::shown(reach.cluster_name(), now).into(),
        None => "a new job".into(),
    };
    shown.insert("job".into(), now);
    shown.insert(
        "becomes".into(),
        Value::Object(change.request.params.clone()),
    );
    let keeps = change
        .request
        .params
        .get(retention::KEY)
        .map(retention::shown);
    let keeps = keeps.unwrap_or_else(|| "as its storage says".into());
    let lost = match keeps.as_str() {
        "all" => "nothing: it keeps all",
        _ => {
            "with each run, those of its guests' backups on its storage that are beyond what it keeps; not protected ones"
        }
    };
    shown.insert("keeps".into(), keeps.into());
    shown.insert("lost".into(), lost.into());
    shown.insert(
        "undo".into(),
        "the job can be set back; what it has pruned cannot be brought back".into(),
    );
    Ok(Plan {
        subject: json!({
            "cluster": reach.cluster_name(), "job": change.now.map(jobs::bound),
            "params": change.request.params, "notes": change.notes,
        }),
        shown,
        objects: 1,
        ..Plan::default()
    })
}

fn set(reach: &Reach, args: &Args) -> WriteResult {
    let change = JobChange::read(reach, args)?;
    let (now, notes) = (change.now, change.notes);
    let mut answer = Map::from_iter([("job".to_string(), args.need("job")?.into())]);
    answer.insert("created".into(), now.is_none().into());
    Ok(
        Write::new(change.request, answer).then(move |reach, args, mut answer| {
            // It is set, whatever can be read of it.
            let after = match FoundJob::find(reach, args.need("job")?) {
                Ok(found) => found.job,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => None,
            };
            let row = |job: &Map<String, Value>| jobs::row(reach.cluster_name(), job);
            if let Some(after) = &after {
                if let Some(now) = &now {
                    answer.insert("former".into(), former(row(now), &row(after)).into());
                }
                answer.extend(jobs::shown(reach.cluster_name(), after));
            }
            if !notes.is_empty() {
                answer.insert("notes".into(), notes.into());
            }
            Ok(answer.into())
        }),
    )
}

/// The columns that have another value now, as they were.
fn former(before: Row, after: &Row) -> Map<String, Value> {
    let before = before.into_object().into_iter();
    let is_other = |(column, value): &(String, Value)| after.get(column) != Some(value);
    before.filter(is_other).collect()
}
