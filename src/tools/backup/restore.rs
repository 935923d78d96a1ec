//! `backup_restore`: an archive as a new guest, or over an existing one.

use serde_json::{Map, Value, json};

use super::archives;
use super::source::{Source, Target};
use crate::error::Error;
use crate::fleet::index::Kind as GuestKind;
use crate::gate::confirm::Plan;
use crate::gate::mark::Mark;
use crate::gate::reach::Reach;
use crate::proxmox::request::{Request, Verb};
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Kind, Param, Word};
use crate::tool::{Marks, Run, Subject, Tool};
use crate::tools::current::Current;
use crate::tools::guest::{NAME_MAX_CHARS, place};
use crate::tools::{disks, plan};

/// How often another VMID is tried where somebody else was faster.
const VMIDS_MAX: usize = 5;
const VMID_LEAST: i64 = 100;
const VMID_MOST: i64 = 999_999_999;
const OVERWRITES: Mark = Mark::FULL.interrupts().destroys();

pub(super) const RESTORE: Tool = Tool {
    name: "backup_restore",
    title: "Restore a backup",
    about: "Restores a backup as a new guest; with `guest` over that stopped guest, whose disks are lost: this asks first.",
    marks: Marks::ByArguments(&[Mark::CHANGE, OVERWRITES], mark),
    subject: Subject::GuestOrStorage {
        storage: "archive",
        new: "name",
    },
    params: &[
        Param::new(
            "archive",
            Kind::Word(Word::Volume),
            "`volume` of backup_list",
        ),
        Param::new("guest", Kind::Guest, "VMID or name of the one to overwrite").optional(),
        Param::new(
            "vmid",
            Kind::Int(VMID_LEAST, VMID_MOST),
            "of the new guest; else the next free",
        )
        .optional(),
        Param::new(
            "name",
            Kind::Word(Word::DnsName),
            "of the new guest; else the one in the backup",
        )
        .optional(),
        Param::new(
            "storage",
            Kind::Word(Word::Storage),
            "for its disks; else as in the backup",
        )
        .optional(),
        Param::new("node", Kind::Word(Word::Node), "to restore on").optional(),
        Param::new("unique", Kind::Bool, "give it new MAC addresses").optional(),
        Param::new("start", Kind::Bool, "start it afterwards").optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(over_plan),
    run: Run::Steps(restore),
};

fn mark(args: &Args) -> Mark {
    if args.has("guest") {
        OVERWRITES
    } else {
        Mark::CHANGE
    }
}

fn restore(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    if args.has("guest") {
        over(reach, args)
    } else {
        fresh(reach, args)
    }
}

/// What an archive's name tells, of an archive that is one.
fn named(args: &Args) -> Result<archives::Name, Error> {
    archives::name(args.need("archive")?).ok_or_else(|| {
        Error::bad("`archive` is no backup of a guest: backup_list gives them as `volume`")
    })
}

/// The request that restores, without the parameters of one of the two ways.
fn request(
    node: &str,
    kind: GuestKind,
    vmid: u32,
    args: &Args,
    target: &Target,
) -> Result<Request, Error> {
    let archive = args.need("archive")?;
    let values = [node, kind.name()];
    let mut request = Request::new(Verb::Post, "/nodes/{node}/{kind}", &values)?.with("vmid", vmid);
    let name_key = match kind {
        GuestKind::Qemu => {
            request = request.with("archive", archive);
            "name"
        }
        GuestKind::Lxc => {
            request = request.with("ostemplate", archive).with("restore", true);
            "hostname"
        }
    };
    if let Some(storage) = &target.sent {
        request = request.with("storage", storage.as_str());
    }
    if let Some(name) = args.text("name") {
        request = request.with(name_key, name);
    }
    if let Some(start) = args.bool("start") {
        request = request.with("start", start);
    }
    Ok(request)
}

fn fresh(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let named = named(args)?;
    let near = args
        .text("node")
        .or(reach.cluster()?.default_node.as_deref());
    let source = Source::find(reach, args.need("archive")?, named, args.text("node"), near)?;
    let node = source.archive.node.as_str();
    let target = Target::choose(reach, &source, args.text("storage"))?;
    let is_there = reach.has(named.vmid)?;
    let unique = args.bool("unique").unwrap_or(is_there);
    let namesakes = match args.text("name") {
        Some(name) => place::namesakes(reach, name, None)?,
        None => None,
    };
    let (vmid, reply) = claimed(reach, args, named.vmid, &|vmid| {
        let mut request = request(node, named.kind, vmid, args, &target)?;
        if unique {
            request = request.with("unique", true);
        }
        reach.send(&request)
    })?;
    let mut answer = Map::new();
    answer.insert("vmid".into(), vmid.into());
    answer.insert("type".into(), named.kind.word().into());
    answer.insert("node".into(), node.into());
    answer.insert("storage".into(), target.shown.into());
    answer.insert("unique".into(), unique.into());
    if let (true, None, Some(name)) = (is_there, args.text("name"), source.name()) {
        let name = printable(name, NAME_MAX_CHARS);
        let note = format!("it is named `{name}` as the original is: say the VMID from now on");
        answer.insert("note".into(), note.into());
    }
    if let Some(namesakes) = namesakes {
        answer.insert("note".into(), namesakes.into());
    }
    let followed = reach.follow(&reply).map_err(|error| {
        with_hint(
            error,
            format!(
                "an empty guest {vmid} may be left behind, which is in the way of the next try: \
                 look at it with guest_get, and remove it with guest_delete"
            ),
        )
    })?;
    answer.extend(followed);
    Ok(answer)
}

/// Sends for the VMID that was given, else for the archive's own, else for the next free one, which
/// nobody reserves: where another was faster the next is tried.
fn claimed<T>(
    reach: &Reach,
    args: &Args,
    original: u32,
    send: &dyn Fn(u32) -> Result<T, Error>,
) -> Result<(u32, T), Error> {
    if let Some(vmid) = args.int("vmid").and_then(|vmid| u32::try_from(vmid).ok()) {
        reach.claim(vmid)?;
        return send(vmid).map(|sent| (vmid, sent));
    }
    let mut taken = Error::bad("no VMID is free");
    for attempt in 0..VMIDS_MAX {
        let vmid = if attempt == 0 {
            original
        } else {
            next_free(reach)?
        };
        match reach.claim(vmid).and_then(|()| send(vmid)) {
            Ok(sent) => return Ok((vmid, sent)),
            Err(error) if is_taken(&error, vmid) => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

fn next_free(reach: &Reach) -> Result<u32, Error> {
    let next = reach.get("/cluster/nextid", &[])?;
    let vmid = match &*next {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|vmid| u32::try_from(vmid).ok()),
    };
    vmid.ok_or_else(|| Error::NotAnAnswer {
        cluster: reach.cluster_name().to_string(),
        request: "GET /cluster/nextid".into(),
        wrote: false,
        cause: "it is no VMID".into(),
    })
}

/// Whether only the VMID was in the way.
fn is_taken(error: &Error, vmid: u32) -> bool {
    match error {
        Error::BadArguments(problems) => {
            let taken = format!("VMID {vmid} is taken");
            problems.iter().any(|problem| problem.contains(&taken))
        }
        Error::Refused { message, .. } => message.contains(&format!("{vmid} already exists")),
        _ => false,
    }
}

fn with_hint(error: Error, more: String) -> Error {
    match error {
        Error::TaskFailed {
            task,
            exit,
            log_tail,
            hint,
        } => Error::TaskFailed {
            task,
            exit,
            log_tail,
            hint: Some(hint.map_or(more.clone(), |hint| format!("{hint}; {more}"))),
        },
        other => other,
    }
}

/// What is restored over an existing guest, checked as far as it can be.
fn over_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let named = named(args)?;
    let guest = reach.guest()?;
    let wrong = |problem: String| {
        let (cluster, vmid) = (reach.cluster_name(), guest.vmid);
        Err(Error::bad(format!("{cluster}: guest {vmid} {problem}")))
    };
    let only_new: Vec<String> = ["vmid", "node"]
        .iter()
        .filter(|key| args.has(key))
        .map(|key| format!("`{key}` is for a new guest: `guest` stays what and where it is"))
        .collect();
    if !only_new.is_empty() {
        return Err(Error::BadArguments(only_new));
    }
    if guest.kind != named.kind {
        let (is, other) = (guest.kind.word(), named.kind.word());
        return wrong(format!("is a {is}, but the archive is of a {other}"));
    }
    let current = Current::read(reach)?;
    current.unlocked(reach)?;
    if !current.is_stopped() {
        return wrong(format!("is {}: stop it first", current.status));
    }
    let node = Some(guest.node.as_str());
    let source = Source::find(reach, args.need("archive")?, named, node, node)?;
    let target = Target::choose(reach, &source, args.text("storage"))?;
    let archive = &source.archive;
    let mut shown = plan::archive_row(archive);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("size_gib".into(), json!(disks::gib(archive.bytes)));
    }
    let mut consequences = vec![("archive", shown), ("storage", json!(target.shown))];
    if archive.vmid != guest.vmid {
        let warning = format!("it is a backup of guest {}, not of this one", archive.vmid);
        consequences.push(("archive_of", warning.into()));
    }
    let lost = "the guest's disks, snapshots and configuration as they are: the archive's take their place";
    consequences.push(("lost", json!(lost)));
    consequences.push(("undo", json!(plan::BY_BACKUP)));
    let mut plan = plan::of_guest(reach, &consequences)?;
    let newest = plan.shown.get("last_backup");
    if newest.and_then(|newest| newest.get("volume")?.as_str()) == Some(&archive.volume) {
        let undo = "cannot be undone: there is no newer backup than the one that is restored";
        plan.shown.insert("undo".into(), undo.into());
    }
    if let Some(subject) = plan.subject.as_object_mut() {
        let bound =
            json!({"archive": archive.volume, "time": archive.time, "storage": target.sent});
        subject.insert("restore".into(), bound);
    }
    Ok(plan)
}

fn over(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let guest = reach.guest()?;
    let bound = reach.planned().and_then(|planned| planned.get("restore"));
    let storage = bound.and_then(|bound| bound.get("storage")?.as_str());
    let target = Target {
        sent: storage.map(str::to_string),
        shown: String::new(),
    };
    let mut request =
        request(&guest.node, guest.kind, guest.vmid, args, &target)?.with("force", true);
    if args.yes("unique") {
        request = request.with("unique", true);
    }
    let mut answer = crate::tools::guest::answer_for(reach)?;
    let reply = reach.send(&request)?;
    let followed = reach.follow(&reply).map_err(|error| {
        let vmid = guest.vmid;
        with_hint(
            error,
            format!("guest {vmid} may be left without its disks: look at it first"),
        )
    })?;
    answer.extend(followed);
    Ok(answer)
}
