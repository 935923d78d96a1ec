//! Snapshots of guests. Proxmox takes nearly everything and lets it fail in the task: what can be
//! known before is looked at before.

use serde_json::{Map, Value, json};

use crate::api::loose::flag;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::gate::volumes;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, SINCE};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::fleet::quorum;
use crate::tools::guest::{GUEST, answer_for};
use crate::tools::state::{self, GuestLocation};
use crate::tools::{disks, plan};
use rollback::rollback_plan;
use tree::{NAME_MAX_CHARS, PRESENT, Snapshot, Snapshots, names, row, shown, wrong};

mod rollback;
pub mod tree;

/// The longest description that Proxmox takes for anything.
const DESCRIPTION_GIVEN_MAX_CHARS: usize = 8192;
/// Names that Proxmox keeps for itself.
const RESERVED: &[&str] = &[PRESENT, "pending"];

const SNAPNAME: Param = Param::new(
    "snapname",
    ParamKind::Word(Word::Snapshot),
    "of the snapshot",
);
const COLUMNS: &[&str] = &[
    "snapname",
    "parent",
    "time",
    "vmstate",
    "unfinished",
    "current",
    "untrusted_text",
];

pub static TOOLS: &[Tool] = &[
    Tool {
        name: "snapshot_list",
        title: "List snapshots",
        about: "Lists the snapshots of a guest, newest first.",
        actions: Actions::one(&[tree::READS]),
        subject: Subject::Guest,
        params: &[GUEST, SINCE, CURSOR],
        answer: &[
            ("vmid", "integer"),
            ("items", "array"),
            ("total", "integer"),
        ],
        task: false,
        plan: None,
        run: RunFn::AtOnce(list),
    },
    Tool {
        name: "snapshot_create",
        title: "Take a snapshot",
        about: "Takes a snapshot of a guest, on its own storage: backup_create makes a copy elsewhere.",
        actions: Actions::one(&[
            current::READS,
            tree::READS,
            &[
                sending::get("/nodes/{node}/{kind}/{vmid}/feature"),
                sending::get("/nodes/{node}/{kind}/{vmid}/config"),
                sending::post("/nodes/{node}/{kind}/{vmid}/snapshot"),
            ],
        ]),
        subject: Subject::Guest,
        params: &[
            GUEST,
            SNAPNAME,
            Param::new(
                "description",
                ParamKind::Text(DESCRIPTION_GIVEN_MAX_CHARS),
                "what it is for",
            )
            .optional()
            .cleared_by("leave it out for none"),
            Param::new("vmstate", ParamKind::Bool, "with a VM's memory; else false").optional(),
        ],
        answer: &[
            ("vmid", "integer"),
            ("snapname", "string"),
            ("state", "string"),
        ],
        task: true,
        plan: None,
        run: RunFn::Write(create),
    },
    Tool {
        name: "snapshot_rollback",
        title: "Roll back to a snapshot",
        about: "Sets a guest back to a snapshot: what came after is lost, a running guest is cut off. Asks first.",
        actions: Actions::one(&[
            plan::READS,
            current::READS,
            state::READS,
            quorum::READS,
            &[
                sending::get("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config"),
                sending::get("/nodes/{node}/storage"),
                sending::post("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/rollback"),
            ],
        ]),
        subject: Subject::Guest,
        params: &[
            GUEST,
            SNAPNAME,
            Param::new("start", ParamKind::Bool, "start it afterwards").optional(),
        ],
        answer: &[],
        task: true,
        plan: Some(rollback_plan),
        run: RunFn::Write(rollback),
    },
    Tool {
        name: "snapshot_delete",
        title: "Delete a snapshot",
        about: "Deletes a snapshot, not the present state. Asks first.",
        actions: Actions::one(&[
            plan::READS,
            current::READS,
            &[
                sending::get("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config"),
                sending::delete("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}"),
            ],
        ]),
        subject: Subject::Guest,
        params: &[GUEST, SNAPNAME],
        answer: &[],
        task: true,
        plan: Some(delete_plan),
        run: RunFn::Write(delete),
    },
];

fn list(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let snapshots = Snapshots::read(reach)?;
    let since = args.moment("since").unwrap_or_default();
    let younger = snapshots.all.iter().filter(|one| one.time >= since);
    let rows = younger.map(|one| {
        let mut row = row(one);
        row.insert("current", (one.name == snapshots.current).into());
        row
    });
    let mut answer = answer_for(reach)?;
    answer.extend(rows::page(rows.collect(), COLUMNS, COLUMNS, args)?);
    Ok(answer)
}

fn create(reach: &Reach, args: &Args) -> WriteResult {
    let name = args.need("snapname")?;
    creatable(reach, args, name)?;
    let mut request = reach.on_guest(Verb::Post, "/snapshot", &[])?;
    for key in ["snapname", "description", "vmstate"] {
        if let Some(value) = args.get(key).filter(|value| *value != "") {
            request = request.with(key, value.clone());
        }
    }
    write(reach, args, request)
}

/// Refuses what would fail in the task.
fn creatable(reach: &Reach, args: &Args, name: &str) -> Result<(), Error> {
    let guest = reach.guest()?;
    if RESERVED.contains(&name) {
        return Err(Error::bad(format!(
            "`snapname` may not be `{name}`: it is reserved"
        )));
    }
    if args.yes("vmstate") && guest.kind == GuestKind::Lxc {
        return Err(wrong(
            reach,
            "is a container, whose memory cannot be saved: leave `vmstate` out",
        )?);
    }
    let current = GuestStatus::read(reach)?;
    current.unlocked(reach)?;
    if args.yes("vmstate") && current.is_stopped() {
        return Err(wrong(
            reach,
            "is stopped and has no memory to save: leave `vmstate` out",
        )?);
    }
    let snapshots = Snapshots::read(reach)?;
    if snapshots.all.iter().any(|one| one.name == name) {
        let there = names(snapshots.all.iter()).join(", ");
        return Err(wrong(
            reach,
            &format!("has a snapshot `{name}` already; it has: {there}"),
        )?);
    }
    let request = reach.on_guest(Verb::Get, "/feature", &[])?;
    let feature = reach.send(&request.with("feature", "snapshot"))?.data;
    if flag(feature.get("hasFeature")) {
        return Ok(());
    }
    let disks = disks::of(&*reach.get_of_guest("/config")?, guest.kind);
    let disks: Vec<String> = disks
        .iter()
        .map(|disk| format!("{} `{}`", disk.key, printable(&disk.volume, NAME_MAX_CHARS)))
        .collect();
    Err(wrong(
        reach,
        &format!(
            "cannot be snapshotted: not every one of its disks is of a storage and format that \
             can ({}); backup_create works on any storage",
            disks.join(", ")
        ),
    )?)
}

/// The plan of a guest that is not locked: it shows the snapshot, and is bound to it.
fn plan_of(reach: &Reach, snapshot: &Snapshot) -> Result<Plan, Error> {
    let mut plan = plan::of_guest(reach, &[("snapshot", shown(snapshot))])?;
    let path = "/snapshot/{snapname}/config";
    let request = reach.on_guest(Verb::Get, path, &[&snapshot.name])?;
    plan.volumes = volumes::in_config(&reach.send(&request)?.data);
    GuestStatus::of(&plan.subject).unlocked(reach)?;
    if let Some(subject) = plan.subject.as_object_mut() {
        let bound = json!({"snapname": snapshot.name, "time": snapshot.time});
        subject.insert("snapshot".into(), bound);
    }
    Ok(plan)
}

fn rollback(reach: &Reach, args: &Args) -> WriteResult {
    let name = args.need("snapname")?;
    let mut request = reach.on_guest(Verb::Post, "/snapshot/{snapname}/rollback", &[name])?;
    if let Some(start) = args.bool("start") {
        request = request.with("start", start);
    }
    let write = write(reach, args, request)?;
    Ok(write.then(|reach, args, answer| {
        let at = GuestLocation::of(reach.guest()?);
        state::told(reach, args, at, args.yes("start"), answer)
    }))
}

fn delete_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let snapshots = Snapshots::read(reach)?;
    let snapshot = snapshots.need(reach, args.need("snapname")?)?;
    let children = snapshots.children(snapshot);
    let mut plan = plan_of(reach, snapshot)?;
    if !children.is_empty() {
        plan.shown.insert("children".into(), children.into());
        let kept = "kept, and get its parent";
        plan.shown.insert("children_are".into(), kept.into());
    }
    let lost = match &snapshot.unfinished {
        None => format!(
            "the way back to {}; the guest as it is now is not touched",
            time::iso(snapshot.time)
        ),
        Some(state) => format!("no way back: it was never finished (`{state}`)"),
    };
    plan.shown.insert("lost".into(), lost.into());
    plan.shown.insert("undo".into(), "cannot be undone".into());
    Ok(plan)
}

fn delete(reach: &Reach, args: &Args) -> WriteResult {
    let name = args.need("snapname")?;
    let request = reach.on_guest(Verb::Delete, "/snapshot/{snapname}", &[name])?;
    write(reach, args, request)
}

/// A write about the snapshot that the call names.
fn write(reach: &Reach, args: &Args, request: Request) -> WriteResult {
    let mut answer = answer_for(reach)?;
    answer.insert("snapname".into(), args.need("snapname")?.into());
    Ok(Write::new(request, answer))
}
