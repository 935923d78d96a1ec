//! `backup_restore`: an archive as a new guest; over an existing one it is in `over`.

use serde_json::{Map, Value};

use super::archives::{self, Archive};
use super::over;
use super::source;
use super::source::{BackupSource, RestoreTarget};
use super::stores;
use crate::api::loose;
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::{self, StepResult};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::guest::vmid;
use crate::tools::guest::{NAME_MAX_CHARS, kept, place};
use crate::tools::plan;
use crate::tools::state::{self, GuestLocation};

/// How often another VMID is tried where somebody else was faster.
const VMIDS_MAX: usize = 5;
const VMID_LEAST: i64 = 100;
const VMID_MOST: i64 = 999_999_999;
const NEW: &str = "new";
const OVER: &str = "over";

pub(super) const ARCHIVE: Param = Param::new(
    "archive",
    ParamKind::Word(Word::Volume),
    "`volume` of backup_list",
);

pub(super) const RESTORE: Tool = Tool {
    name: "backup_restore",
    title: "Restore a backup",
    about: "Restores a backup as a new guest; with `guest` over that stopped guest, whose disks are lost: this asks first.",
    actions: Actions::ByArguments(
        &[
            Action::new(
                NEW,
                &[
                    stores::READS,
                    archives::READS,
                    source::READS,
                    vmid::READS,
                    kept::READS,
                    state::READS,
                    &[sending::post("/nodes/{node}/{kind}").weighing(Mark::CHANGE)],
                ],
            ),
            Action::new(
                OVER,
                &[
                    stores::READS,
                    archives::READS,
                    source::READS,
                    plan::READS,
                    current::READS,
                    kept::READS,
                    state::READS,
                    &[sending::post("/nodes/{node}/{kind}")
                        .weighing(Mark::FULL.interrupts().destroys())],
                ],
            ),
        ],
        way,
    ),
    subject: Subject::GuestOrStorage {
        storage: "archive",
        new: "name",
    },
    params: &[
        ARCHIVE,
        Param::new(
            "guest",
            ParamKind::Guest,
            "VMID or name of the one to overwrite",
        )
        .optional(),
        Param::new(
            "vmid",
            ParamKind::Int(VMID_LEAST, VMID_MOST),
            "of the new guest; else the next free",
        )
        .optional(),
        Param::new(
            "name",
            ParamKind::Word(Word::DnsName),
            "of the new guest; else the one in the backup",
        )
        .optional(),
        Param::new(
            "storage",
            ParamKind::Word(Word::Storage),
            "for its disks; else as in the backup",
        )
        .optional(),
        Param::new("node", ParamKind::Word(Word::Node), "to restore on").optional(),
        Param::new("unique", ParamKind::Bool, "give it new MAC addresses").optional(),
        Param::new("start", ParamKind::Bool, "start it afterwards").optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(over::plan),
    run: RunFn::Steps(restore),
};

fn way(args: &Args) -> &'static str {
    match args.has("guest") {
        true => OVER,
        false => NEW,
    }
}

fn restore(reach: &Reach, args: &Args) -> StepResult {
    if args.has("guest") {
        over::restore(reach, args)
    } else {
        fresh(reach, args)
    }
}

/// What an archive's name tells, of an archive that is one.
pub(super) fn named(args: &Args) -> Result<archives::ArchiveName, Error> {
    archives::name(args.need("archive")?).ok_or_else(|| {
        Error::bad("`archive` is no backup of a guest: backup_list gives them as `volume`")
    })
}

/// The request that restores, without the parameters of one of the two ways.
pub(super) fn request(
    node: &str,
    kind: GuestKind,
    vmid: u32,
    args: &Args,
    target: &RestoreTarget,
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

fn fresh(reach: &Reach, args: &Args) -> StepResult {
    let named = named(args)?;
    let near = args
        .text("node")
        .or(reach.cluster()?.default_node.as_deref());
    let source = BackupSource::find(reach, args.need("archive")?, named, args.text("node"), near)?;
    let node = source.archive.node.as_str();
    let target = RestoreTarget::choose(reach, &source, args.text("storage"))?;
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
    if let Some(name) = args.text("name").or(source.name()) {
        answer.insert("name".into(), printable(name, NAME_MAX_CHARS).into());
    }
    answer.insert("type".into(), named.kind.word().into());
    answer.insert("node".into(), node.into());
    let node_chosen_by = node_chosen_by(args, &source.archive, near);
    answer.insert("node_chosen_by".into(), node_chosen_by.into());
    answer.insert("storage".into(), target.shown.into());
    answer.insert("storage_chosen_by".into(), target.chosen_by.into());
    answer.insert("unique".into(), unique.into());
    let mut notes: Vec<String> = namesakes.into_iter().collect();
    if let (true, None, Some(name)) = (is_there, args.text("name"), source.name()) {
        let name = printable(name, NAME_MAX_CHARS);
        notes.push(format!(
            "it is named `{name}` as the original is: say the VMID from now on"
        ));
    }
    let made = GuestLocation {
        node: node.to_string(),
        kind: named.kind,
        vmid,
    };
    let keeps = KeptFromOriginal {
        cards: !unique,
        archived: source.config.unwrap_or_default(),
        notes,
    };
    step::follow(reach, args, &reply, move |reach, args, task| {
        answer.extend(task.map_err(|error| {
            let more = format!(
                "an empty guest {vmid} may be left behind, which is in the way of the next try: \
                 look at it with guest_get, and remove it with guest_delete"
            );
            with_hint(error, more)
        })?);
        restored(reach, args, made, Some(keeps), answer)
    })
}

/// What chose the node of a new guest.
fn node_chosen_by(args: &Args, archive: &Archive, default: Option<&str>) -> &'static str {
    if args.has("node") {
        "node argument"
    } else if !archive.shared {
        "node that has the backup"
    } else if default == Some(archive.node.as_str()) {
        "default node"
    } else {
        "first node that has the backup's storage"
    }
}

/// What a restored guest has of another, its original.
pub(super) struct KeptFromOriginal {
    /// MAC addresses, and of a machine the SMBIOS uuid.
    pub(super) cards: bool,
    /// The configuration in the backup, as far as it is known.
    pub(super) archived: Value,
    /// What is known before it is there.
    pub(super) notes: Vec<String>,
}

/// Says how a restored guest came out.
pub(super) fn restored(
    reach: &Reach,
    args: &Args,
    made: GuestLocation,
    keeps: Option<KeptFromOriginal>,
    mut answer: Map<String, Value>,
) -> StepResult {
    if !step::has_ended(&answer) || !args.yes("start") {
        return Ok(with_kept(reach, &made, keeps, answer)?.into());
    }
    state::started(reach, args, made.clone(), move |reach, _, state| {
        answer.insert("status".into(), state.into());
        Ok(with_kept(reach, &made, keeps, answer)?.into())
    })
}

/// Says what it has of its original.
fn with_kept(
    reach: &Reach,
    made: &GuestLocation,
    keeps: Option<KeptFromOriginal>,
    mut answer: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let Some(mut keeps) = keeps else {
        return Ok(answer);
    };
    if step::has_ended(&answer) {
        keeps.archived = kept::config(reach, made, keeps.archived)?;
    }
    let mut notes = keeps.notes;
    notes.extend(kept::notes(reach, made.kind, &keeps.archived, keeps.cards)?);
    if !notes.is_empty() {
        answer.insert("notes".into(), notes.into());
    }
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
    let mut vmid = original;
    let mut tries = 1;
    loop {
        match reach.claim(vmid).and_then(|()| send(vmid)) {
            Ok(sent) => return Ok((vmid, sent)),
            Err(error) if tries < VMIDS_MAX && is_taken(&error, vmid) => tries += 1,
            Err(error) => return Err(error),
        }
        vmid = next_free(reach)?;
    }
}

fn next_free(reach: &Reach) -> Result<u32, Error> {
    let next = reach.get("/cluster/nextid", &[])?;
    loose::vmid(&next).ok_or_else(|| {
        Error::no_answer(reach.cluster_name(), "GET /cluster/nextid", "it is no VMID")
    })
}

/// Whether only the VMID was in the way.
fn is_taken(error: &Error, vmid: u32) -> bool {
    let refused = error.code == Code::Proxmox;
    error.taken == Some(vmid) || refused && error.cause.contains(&format!("{vmid} already exists"))
}

pub(super) fn with_hint(mut error: Error, more: String) -> Error {
    if error.code == Code::Task {
        error.hint = Some(match &error.hint {
            Some(hint) => format!("{hint}; {more}"),
            None => more,
        });
    }
    error
}
