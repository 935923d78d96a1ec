//! `guest_clone`: a copy of a guest or of a template.

use serde_json::{Map, Value};

use super::GUEST;
use super::create::{NEW_NAME, NEW_VMID};
use super::kept;
use super::place::{self, Problems};
use super::vmid;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::{Code, Error};
use crate::fleet::index::{Guest, GuestKind};
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::text::{LONG_NAME_MAX_CHARS, printable};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::{self, StepResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::disks;
use crate::tools::snapshot::tree;
use crate::tools::snapshot::tree::Snapshots;
use crate::tools::state::GuestLocation;

pub(super) const CLONE: Tool = Tool {
    name: "guest_clone",
    title: "Clone a guest",
    about: "Copies a guest or template. A template is cloned linked unless `full` or `storage` is given.",
    actions: Actions::one(&[
        vmid::READS,
        place::READS,
        current::READS,
        tree::READS,
        kept::READS,
        &[sending::post("/nodes/{node}/{kind}/{vmid}/clone")],
    ]),
    subject: Subject::Copied("name"),
    params: &[
        GUEST,
        NEW_NAME,
        NEW_VMID,
        Param::new("full", ParamKind::Bool, "copy the disks; a guest always is").optional(),
        Param::new(
            "target",
            ParamKind::Word(Word::Node),
            "node; else the one of the source",
        )
        .optional(),
        Param::new(
            "storage",
            ParamKind::Word(Word::Storage),
            "of a full copy; else that of each disk",
        )
        .optional(),
        Param::new(
            "snapname",
            ParamKind::Word(Word::Snapshot),
            "copy this snapshot, not the present state",
        )
        .optional(),
        Param::new("pool", ParamKind::Word(Word::Pool), "that the copy joins").optional(),
    ],
    answer: &[
        ("vmid", "integer"),
        ("node", "string"),
        ("task", "string"),
        ("state", "string"),
    ],
    task: true,
    plan: None,
    run: RunFn::Steps(clone),
};

fn clone(reach: &Reach, args: &Args) -> StepResult {
    let source = reach.guest()?;
    let name = args.need("name")?;
    // That it is still the one that was found, and that nothing holds it.
    let config = reach.get_of_guest("/config")?.let_go();
    GuestStatus::of(&config).unlocked(reach)?;
    let mut problems = Problems::default();
    let full = problems.take(is_full(reach, source, args))?.unwrap_or(true);
    let target = args.text("target").filter(|target| *target != source.node);
    let node = target.unwrap_or(&source.node);
    let reachable = match target {
        Some(target) => problems.take(place::online(reach, target))?.is_some(),
        None => true,
    };
    let mut store = None;
    if let Some(storage) = args.text("storage").filter(|_| reachable) {
        let content = place::disks_of(source.kind);
        store = problems.take(place::storage(reach, node, content, Some(storage)))?;
    }
    if let Some(snapname) = args.text("snapname") {
        problems.take(Snapshots::read(reach)?.need_whole(reach, snapname))?;
    }
    problems.end()?;
    let namesakes = place::namesakes(reach, name, None)?;
    let named = match source.kind {
        GuestKind::Qemu => "name",
        GuestKind::Lxc => "hostname",
    };
    let mut request = reach.on_guest(Verb::Post, "/clone", &[])?;
    request = request.with(named, name).with("full", full);
    for name in ["storage", "snapname", "pool"] {
        if let Some(value) = args.text(name) {
            request = request.with(name, value);
        }
    }
    if let Some(target) = target {
        request = request.with("target", target);
    }
    if let Some(store) = &store {
        store.tell(reach, source.kind, place::DISK);
        if let Some(format) = store.format(source.kind, place::DISK) {
            request = request.with("format", format);
        }
    }
    let send = |vmid: u32| reach.send(&request.clone().with("newid", vmid));
    let (vmid, reply) =
        vmid::make(reach, args, &send).map_err(|error| of_pool(reach, args, error))?;
    let mut answer = Map::new();
    answer.insert("vmid".into(), vmid.into());
    answer.insert("name".into(), name.into());
    answer.insert("type".into(), source.kind.word().into());
    answer.insert("node".into(), node.into());
    answer.insert("node_chosen_by".into(), node_chosen_by(args).into());
    answer.extend(storages(source, &config, args));
    answer.insert("full".into(), full.into());
    answer.insert("source_vmid".into(), source.vmid.into());
    let copy = GuestLocation {
        node: node.to_string(),
        kind: source.kind,
        vmid,
    };
    step::follow(reach, args, &reply, move |reach, _, task| {
        answer.extend(task?);
        let kept = match step::has_ended(&answer) {
            true => kept::config(reach, &copy, config)?,
            false => config,
        };
        let mut notes: Vec<String> = namesakes.into_iter().collect();
        notes.extend(kept::notes(reach, copy.kind, &kept, false)?);
        if !notes.is_empty() {
            answer.insert("notes".into(), notes.into());
        }
        Ok(answer.into())
    })
}

/// A refusal that says where the pool is, if another cluster has it.
fn of_pool(reach: &Reach, args: &Args, mut error: Error) -> Error {
    if let (Some(pool), Code::Proxmox | Code::Permission) = (args.text("pool"), error.code) {
        match reach.elsewhere(NamedSubject::Pool(pool)) {
            Ok(there) if !there.is_empty() => {
                let cluster = reach.cluster_name();
                error.hint = Some(format!("{cluster} has no pool `{pool}`{there}"));
            }
            Ok(_) => {}
            Err(cancelled) => return cancelled,
        }
    }
    error
}

fn node_chosen_by(args: &Args) -> &'static str {
    match args.has("target") {
        true => "target argument",
        false => "node of the source",
    }
}

/// Where the disks of the copy are, and why; nothing where it has none.
fn storages(source: &Guest, config: &Value, args: &Args) -> Vec<(String, Value)> {
    let (storages, chosen_by) = match args.text("storage") {
        Some(storage) => (storage.to_string(), "storage argument"),
        None => {
            let storages = disks::storages(config, source.kind);
            (storages.join(", "), "those of the source")
        }
    };
    if storages.is_empty() {
        return Vec::new();
    }
    vec![
        (
            "storage".into(),
            printable(&storages, LONG_NAME_MAX_CHARS).into(),
        ),
        ("storage_chosen_by".into(), chosen_by.into()),
    ]
}

/// Whether the copy stands by itself. A linked one shares the disks of a template.
fn is_full(reach: &Reach, source: &Guest, args: &Args) -> Result<bool, Error> {
    let cluster = reach.cluster_name();
    let vmid = source.vmid;
    match args.bool("full") {
        Some(false) if !source.template => Err(Error::bad(format!(
            "{cluster}: guest {vmid} is no template, and only a template can be cloned with `full` \
             false"
        ))),
        Some(false) if args.has("storage") => Err(Error::bad(format!(
            "{cluster}: a clone with `full` false stays on the storage of its template, so `storage` \
             cannot be given"
        ))),
        Some(full) => Ok(full),
        None => Ok(!source.template || args.has("storage")),
    }
}
