//! Snapshots of guests. Proxmox takes nearly everything and lets it fail in the task: what can be
//! known before is looked at before.

use serde_json::{Map, Value, json};

use super::current::Current;
use super::disks;
use super::guest::{GUEST, answer_for};
use super::plan;
use crate::error::Error;
use crate::fleet::index::Kind as GuestKind;
use crate::gate::confirm::Plan;
use crate::gate::mark::Mark;
use crate::gate::reach::Reach;
use crate::proxmox::request::{Request, Verb};
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Kind, Param, Word};
use crate::tool::rows::{self, CURSOR, LIMIT, Row, flag, number, says_something};
use crate::tool::{Marks, Run, Subject, Tool, time};

const NAME_MAX_CHARS: usize = 60;
const DESCRIPTION_MAX_CHARS: usize = 500;
/// The longest description that Proxmox takes for anything.
const DESCRIPTION_GIVEN_MAX_CHARS: usize = 8192;
/// The list has the present state as a row of this name.
const PRESENT: &str = "current";
/// Names that Proxmox keeps for itself.
const RESERVED: &[&str] = &[PRESENT, "pending"];
/// Types of storages that roll back to the youngest snapshot only.
const YOUNGEST_ONLY: &[&str] = &["zfspool", "zfs"];

const SNAPNAME: Param = Param::new("snapname", Kind::Word(Word::Snapshot), "");
const COLUMNS: &[&str] = &[
    "snapname",
    "parent",
    "time",
    "vmstate",
    "current",
    "untrusted_text",
];

pub static TOOLS: &[Tool] = &[
    Tool {
        name: "snapshot_list",
        title: "List snapshots",
        about: "Lists the snapshots of a guest, newest first. `current` marks the one that its \
                present state follows.",
        marks: Marks::Always(Mark::READ),
        subject: Subject::Guest,
        params: &[GUEST, LIMIT, CURSOR],
        answer: &[
            ("vmid", "integer"),
            ("items", "array"),
            ("total", "integer"),
        ],
        task: false,
        plan: None,
        run: Run::Steps(list),
    },
    Tool {
        name: "snapshot_create",
        title: "Take a snapshot",
        about: "Takes a snapshot of a guest. Returns the task. It lies on the guest's own storage: \
                backup_create makes a copy elsewhere.",
        marks: Marks::Always(Mark::OPERATE),
        subject: Subject::Guest,
        params: &[
            GUEST,
            SNAPNAME,
            Param::new("description", Kind::Text(DESCRIPTION_GIVEN_MAX_CHARS), "").optional(),
            Param::new("vmstate", Kind::Bool, "with the memory of a running VM").optional(),
        ],
        answer: &[
            ("vmid", "integer"),
            ("snapname", "string"),
            ("state", "string"),
        ],
        task: true,
        plan: None,
        run: Run::Steps(create),
    },
    Tool {
        name: "snapshot_rollback",
        title: "Roll back to a snapshot",
        about: "Sets a guest back to a snapshot: all that came after is lost, a running guest is cut \
                off. Asks first. Returns the task.",
        marks: Marks::Always(Mark::FULL.interrupts()),
        subject: Subject::Guest,
        params: &[
            GUEST,
            SNAPNAME,
            Param::new("start", Kind::Bool, "start it afterwards").optional(),
        ],
        answer: &[],
        task: true,
        plan: Some(rollback_plan),
        run: Run::Steps(rollback),
    },
    Tool {
        name: "snapshot_delete",
        title: "Delete a snapshot",
        about: "Deletes a snapshot of a guest, not the guest's present state. Asks first. Returns \
                the task.",
        marks: Marks::Always(Mark::FULL),
        subject: Subject::Guest,
        params: &[GUEST, SNAPNAME],
        answer: &[],
        task: true,
        plan: Some(delete_plan),
        run: Run::Steps(delete),
    },
];

struct Snapshot {
    name: String,
    parent: String,
    /// Unix seconds.
    time: u64,
    /// Whether the memory is in it.
    vmstate: bool,
    description: String,
}

struct Snapshots {
    /// Newest first.
    all: Vec<Snapshot>,
    /// The one that the present state follows; empty without any.
    current: String,
}

impl Snapshots {
    fn read(reach: &Reach) -> Result<Snapshots, Error> {
        let list = reach.get_of_guest("/snapshot")?;
        let text = |row: &Value, key: &str| {
            let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
            text.to_string()
        };
        let mut all = Vec::new();
        let mut current = String::new();
        for row in list.as_array().into_iter().flatten() {
            let (name, parent) = (text(row, "name"), text(row, "parent"));
            if name == PRESENT {
                current = parent;
                continue;
            }
            all.push(Snapshot {
                name,
                parent,
                time: number(row.get("snaptime")),
                vmstate: flag(row.get("vmstate")),
                description: text(row, "description"),
            });
        }
        all.sort_by(|one, other| (other.time, &other.name).cmp(&(one.time, &one.name)));
        Ok(Snapshots { all, current })
    }

    /// # Errors
    /// There is none of this name: those that there are.
    fn need(&self, reach: &Reach, name: &str) -> Result<&Snapshot, Error> {
        if let Some(found) = self.all.iter().find(|one| one.name == name) {
            return Ok(found);
        }
        let there = match self.all.as_slice() {
            [] => "it has none".to_string(),
            all => format!("it has: {}", names(all.iter()).join(", ")),
        };
        Err(wrong(reach, &format!("has no snapshot `{name}`; {there}"))?)
    }

    fn younger(&self, than: &Snapshot) -> Vec<String> {
        names(self.all.iter().filter(|one| one.time > than.time))
    }

    fn children(&self, of: &Snapshot) -> Vec<String> {
        names(self.all.iter().filter(|one| one.parent == of.name))
    }
}

fn names<'s>(snapshots: impl Iterator<Item = &'s Snapshot>) -> Vec<String> {
    snapshots
        .map(|one| printable(&one.name, NAME_MAX_CHARS))
        .collect()
}

/// A problem with the guest, as an error: "production: guest 101 has ...".
fn wrong(reach: &Reach, problem: &str) -> Result<Error, Error> {
    let vmid = reach.guest()?.vmid;
    Ok(Error::bad(format!(
        "{}: guest {vmid} {problem}",
        reach.cluster_name()
    )))
}

fn list(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let snapshots = Snapshots::read(reach)?;
    let rows = snapshots.all.iter().map(|one| {
        let mut row = row(one);
        row.insert("current".into(), (one.name == snapshots.current).into());
        row
    });
    let mut answer = answer_for(reach)?;
    answer.extend(rows::page(rows.collect(), COLUMNS, COLUMNS, args)?);
    Ok(answer)
}

fn row(snapshot: &Snapshot) -> Row {
    let mut row = Row::new();
    let short = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    row.insert("snapname".into(), short(&snapshot.name));
    row.insert("parent".into(), short(&snapshot.parent));
    row.insert("time".into(), time::iso(snapshot.time).into());
    row.insert("vmstate".into(), snapshot.vmstate.into());
    let description = printable(&snapshot.description, DESCRIPTION_MAX_CHARS);
    if !description.is_empty() {
        row.insert(
            "untrusted_text".into(),
            json!({ "description": description }),
        );
    }
    row
}

fn create(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let name = args.need("snapname")?;
    creatable(reach, args, name)?;
    let mut request = reach.on_guest(Verb::Post, "/snapshot", &[])?;
    for key in ["snapname", "description", "vmstate"] {
        if let Some(value) = args.get(key).filter(|value| *value != "") {
            request = request.with(key, value.clone());
        }
    }
    send(reach, &request, name)
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
    let current = Current::read(reach)?;
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
    let disks = disks::of(&reach.get_of_guest("/config")?, guest.kind);
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

/// What a snapshot holds, as a plan shows it.
fn shown(snapshot: &Snapshot) -> Value {
    let mut row = row(snapshot);
    row.insert("age".into(), age(snapshot).into());
    row.retain(|_, value| says_something(value));
    Value::Object(row)
}

fn age(snapshot: &Snapshot) -> String {
    time::span(time::now().saturating_sub(snapshot.time))
}

/// The plan of a guest that is not locked, with the snapshot in its subject.
fn plan_of(
    reach: &Reach,
    snapshot: &Snapshot,
    consequences: &[(&str, Value)],
) -> Result<Plan, Error> {
    let mut plan = plan::of_guest(reach, consequences)?;
    Current::of(&plan.subject).unlocked(reach)?;
    if let Some(subject) = plan.subject.as_object_mut() {
        let bound = json!({"snapname": snapshot.name, "time": snapshot.time});
        subject.insert("snapshot".into(), bound);
    }
    Ok(plan)
}

fn rollback_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let snapshots = Snapshots::read(reach)?;
    let snapshot = snapshots.need(reach, args.need("snapname")?)?;
    let younger = snapshots.younger(snapshot);
    let lost = format!(
        "everything since {} ({}): the disks' contents and the configuration",
        time::iso(snapshot.time),
        age(snapshot)
    );
    let afterwards = match (snapshot.vmstate, args.yes("start")) {
        (true, _) => "it runs on from the memory in the snapshot",
        (false, true) => "it is started",
        (false, false) => "it is stopped",
    };
    let mut consequences = vec![("snapshot", shown(snapshot)), ("lost", lost.into())];
    if !younger.is_empty() {
        refuse_where_younger_block(reach, snapshot, &younger)?;
        consequences.push(("younger_snapshots", younger.into()));
    }
    if !Current::read(reach)?.is_stopped() {
        consequences.push(("cut_off", "the guest runs, and is stopped at once".into()));
    }
    consequences.push(("afterwards", afterwards.into()));
    consequences.push(("undo", "cannot be undone".into()));
    plan_of(reach, snapshot, &consequences)
}

/// Refuses a rollback that younger snapshots would make fail.
fn refuse_where_younger_block(
    reach: &Reach,
    snapshot: &Snapshot,
    younger: &[String],
) -> Result<(), Error> {
    let guest = reach.guest()?;
    let storages = reach.get("/nodes/{node}/storage", &[&guest.node])?;
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(str::to_string);
    let blocking = |storage: &str| {
        let mut rows = storages.as_array().into_iter().flatten();
        let row = rows.find(|row| text(row, "storage").as_deref() == Some(storage));
        let kind = row.and_then(|row| text(row, "type")).unwrap_or_default();
        YOUNGEST_ONLY.contains(&kind.as_str())
    };
    let disks = disks::of(&reach.get_of_guest("/config")?, guest.kind);
    match disks.iter().find(|disk| blocking(&disk.storage)) {
        None => Ok(()),
        Some(disk) => Err(wrong(
            reach,
            &format!(
                "cannot be set back to `{}`: storage `{}` is ZFS, which goes back to the youngest \
                 snapshot only; younger ones, to be deleted first: {}",
                snapshot.name,
                printable(&disk.storage, NAME_MAX_CHARS),
                younger.join(", ")
            ),
        )?),
    }
}

fn rollback(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let name = args.need("snapname")?;
    let mut request = reach.on_guest(Verb::Post, "/snapshot/{snapname}/rollback", &[name])?;
    if let Some(start) = args.bool("start") {
        request = request.with("start", start);
    }
    send(reach, &request, name)
}

fn delete_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let snapshots = Snapshots::read(reach)?;
    let snapshot = snapshots.need(reach, args.need("snapname")?)?;
    let children = snapshots.children(snapshot);
    let mut consequences = vec![("snapshot", shown(snapshot))];
    if !children.is_empty() {
        consequences.push(("children", children.into()));
        consequences.push(("children_are", "kept, and get its parent".into()));
    }
    let lost = format!(
        "the way back to {}; the guest as it is now is not touched",
        time::iso(snapshot.time)
    );
    consequences.push(("lost", lost.into()));
    consequences.push(("undo", "cannot be undone".into()));
    plan_of(reach, snapshot, &consequences)
}

fn delete(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let name = args.need("snapname")?;
    let request = reach.on_guest(Verb::Delete, "/snapshot/{snapname}", &[name])?;
    send(reach, &request, name)
}

fn send(reach: &Reach, request: &Request, name: &str) -> Result<Map<String, Value>, Error> {
    let mut answer = answer_for(reach)?;
    answer.insert("snapname".into(), name.into());
    let reply = reach.send(request)?;
    answer.extend(reach.follow(&reply)?);
    Ok(answer)
}
