//! `guest_migrate`: a guest moves to another node of its cluster. What speaks against it is read
//! first.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::place::{self, Problems};
use super::power::ha_managed;
use super::{GUEST, answer_for};
use crate::api::loose::{flag, number};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::{Guest, GuestKind};
use crate::gate::reach::Reach;
use crate::size;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::gib;
use crate::tool::step::{self, StepResult, Until};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::disks;
use crate::tools::state::{self, GuestLocation};

/// Between two looks at a guest that the high-availability manager moves, in milliseconds.
const LOOK_MS: u64 = 1000;

/// What a migration sends, a container's as heavy as it may be.
const fn moving(container: Mark) -> [Sending; 6] {
    [
        sending::get("/cluster/resources"),
        sending::get("/nodes/{node}/{kind}/{vmid}/config"),
        sending::get("/nodes/{node}/{kind}/{vmid}/migrate"),
        sending::get("/nodes/{node}/storage"),
        sending::post("/nodes/{node}/qemu/{vmid}/migrate"),
        sending::post("/nodes/{node}/lxc/{vmid}/migrate").weighing(container),
    ]
}

/// A container that runs is stopped, moved and started again: who asks for that says so with
/// `restart`, and the call is marked for it.
pub(super) const MIGRATE: Tool = Tool {
    name: "guest_migrate",
    title: "Migrate a guest",
    about: "Moves a guest to another node of its cluster, a running VM live, a running container only with `restart`, which stops it meanwhile.",
    actions: Actions::ByArguments(
        &[
            Action::new(
                "live",
                &[current::READS, state::READS, &moving(Mark::OPERATE)],
            ),
            Action::new(
                "restart",
                &[
                    current::READS,
                    state::READS,
                    &moving(Mark::OPERATE.interrupts()),
                ],
            ),
        ],
        way,
    ),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new("target", ParamKind::Word(Word::Node), "node"),
        Param::new(
            "with_local_disks",
            ParamKind::Bool,
            "copy disks on local storages too",
        )
        .optional(),
        Param::new(
            "targetstorage",
            ParamKind::Word(Word::Storage),
            "for its disks; else of the same name",
        )
        .optional(),
        Param::new(
            "restart",
            ParamKind::Bool,
            "stop and start a running container",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer"), ("node", "string"), ("state", "string")],
    task: true,
    plan: None,
    run: RunFn::Steps(migrate),
};

fn way(args: &Args) -> &'static str {
    match args.yes("restart") {
        true => "restart",
        false => "live",
    }
}

fn migrate(reach: &Reach, args: &Args) -> StepResult {
    let guest = reach.guest()?;
    let target = args.need("target")?;
    let cluster = reach.cluster_name();
    if guest.node == target {
        let vmid = guest.vmid;
        return Err(Error::bad(format!(
            "{cluster}: guest {vmid} is on node `{target}` already"
        )));
    }
    place::online(reach, target)?;
    let current = reach.get_of_guest("/status/current")?;
    GuestStatus::of(&current).unlocked(reach)?;
    let managed = ha_managed(reach, &current)?;
    let mut conditions = reach.get_of_guest("/migrate")?;
    if let (GuestKind::Lxc, Some(conditions)) = (guest.kind, conditions.as_object_mut()) {
        conditions.insert("local_disks".into(), local_volumes(reach, guest)?.into());
    }
    let running = flag(conditions.get("running"));
    let mut problems = Problems::default();
    for problem in against(guest, &conditions, args) {
        problems.add(format!("{cluster}: {problem}"));
    }
    if let Some(storage) = args.text("targetstorage") {
        let content = place::disks_of(guest.kind);
        problems.take(place::storage(reach, target, content, Some(storage)))?;
    }
    problems.end()?;
    let request = request(reach, guest, args, running)?;
    let begun = Instant::now();
    let reply = reach.send(&request)?;
    let mut answer = answer_for(reach)?;
    answer.insert("node".into(), target.into());
    answer.insert("from".into(), guest.node.as_str().into());
    if running {
        let how = match guest.kind {
            GuestKind::Qemu => "live",
            GuestKind::Lxc => "restart",
        };
        answer.insert("mode".into(), how.into());
    }
    let there = GuestLocation {
        node: target.to_string(),
        ..GuestLocation::of(guest)
    };
    step::follow(reach, args, &reply, move |reach, args, task| {
        answer.extend(task?);
        if !managed {
            return arrived(reach, args, there, running, answer);
        }
        answer.insert("ha".into(), true.into());
        moved(
            reach,
            args,
            there,
            begun,
            move |reach, args, there, node| {
                if node.as_deref() == Some(there.node.as_str()) {
                    return arrived(reach, args, there, running, answer);
                }
                answer.insert("state".into(), "running".into());
                answer.insert("node".into(), node.into());
                let next = "the HA manager has the order and moves it: look at guest_get";
                answer.insert("next".into(), next.into());
                Ok(answer.into())
            },
        )
    })
}

/// Says in which state the guest is where it was moved to.
fn arrived(
    reach: &Reach,
    args: &Args,
    there: GuestLocation,
    running: bool,
    answer: Map<String, Value>,
) -> StepResult {
    match step::has_ended(&answer) {
        true => state::told(reach, args, there, running, answer),
        false => Ok(answer.into()),
    }
}

fn request(reach: &Reach, guest: &Guest, args: &Args, running: bool) -> Result<Request, Error> {
    let request = reach.on_guest(Verb::Post, "/migrate", &[])?;
    let mut request = request.with("target", args.need("target")?);
    let storage = match guest.kind {
        GuestKind::Qemu => "targetstorage",
        GuestKind::Lxc => "target-storage",
    };
    if let Some(value) = args.text("targetstorage") {
        request = request.with(storage, value);
    }
    match guest.kind {
        GuestKind::Qemu => {
            if running {
                request = request.with("online", true);
            }
            if args.yes("with_local_disks") {
                request = request.with("with-local-disks", true);
            }
        }
        GuestKind::Lxc if running => request = request.with("restart", true),
        GuestKind::Lxc => {}
    }
    Ok(request)
}

/// The volumes of a container that only its node has, as the conditions of a VM name them: those of
/// a container leave them out, and Proxmox copies them without a word, while the container is down.
fn local_volumes(reach: &Reach, guest: &Guest) -> Result<Vec<Value>, Error> {
    let config = reach.get_of_guest("/config")?;
    let values = [guest.node.as_str()];
    let storages = reach.rows_at("/nodes/{node}/storage", &values, "storage")?;
    let is_local = |disk: &disks::Disk| {
        let named =
            |row: &&Value| row.get("storage").and_then(Value::as_str) == Some(&disk.storage);
        let row = storages.iter().find(named);
        row.is_some_and(|row| !flag(row.get("shared")))
    };
    let local = disks::of(&config, guest.kind).into_iter().filter(is_local);
    let rows = local.map(|disk| {
        let size = disk.size.and_then(|size| size::bytes(&size, 1));
        json!({"volid": disk.volume, "size": size})
    });
    Ok(rows.collect())
}

/// Everything that speaks against the migration, as the node of the guest sees it.
fn against(guest: &Guest, conditions: &Value, args: &Args) -> Vec<String> {
    let vmid = guest.vmid;
    let target = args.text("target").unwrap_or_default();
    let mut problems = Vec::new();
    if guest.kind == GuestKind::Lxc && flag(conditions.get("running")) && !args.yes("restart") {
        problems.push(format!(
            "container {vmid} runs, and a container does not move live: with `restart` true it is \
             stopped, moved and started again"
        ));
    }
    if let Some(reason) = refusal(conditions, target, args.has("targetstorage")) {
        problems.push(format!(
            "node `{target}` cannot take guest {vmid}: {reason}"
        ));
    }
    let texts = |key: &str| {
        let list = conditions.get(key).and_then(Value::as_array);
        let list = list.map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str)
    };
    let devices = place::names(texts("local_resources"));
    if devices != "none" {
        problems.push(format!("guest {vmid} uses devices of its node: {devices}"));
    }
    let disks = conditions.get("local_disks").and_then(Value::as_array);
    let disks = disks.map(Vec::as_slice).unwrap_or_default();
    let text = |disk: &Value| {
        let volume = disk
            .get("volid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!("{volume} ({} GiB)", gib(number(disk.get("size"))))
    };
    let is_cd = |disk: &&Value| flag(disk.get("cdrom")) && !flag(disk.get("is_cloudinit"));
    let (cds, disks): (Vec<&Value>, Vec<&Value>) = disks.iter().partition(is_cd);
    if !cds.is_empty() {
        let cds: Vec<String> = cds.into_iter().map(text).collect();
        problems.push(format!(
            "guest {vmid} has a CD image of its node in a drive, to be ejected first: {}",
            place::names(cds.iter().map(String::as_str))
        ));
    }
    if !disks.is_empty() && !args.yes("with_local_disks") {
        let disks: Vec<String> = disks.into_iter().map(text).collect();
        problems.push(format!(
            "guest {vmid} has disks on storages of its node, which are copied with \
             `with_local_disks` true: {}",
            place::names(disks.iter().map(String::as_str))
        ));
    }
    problems
}

/// Why a node may not be the target. VMs and containers say it in words of their own; a node that is
/// allowed may be among the others too, with nothing against it (measured on 9.2).
fn refusal(conditions: &Value, target: &str, other_storage: bool) -> Option<String> {
    let of = |one: &str, other: &str| conditions.get(one).or_else(|| conditions.get(other));
    let allowed = of("allowed_nodes", "allowed-nodes").and_then(Value::as_array);
    let is_allowed = allowed.map(|nodes| nodes.contains(&json!(target)));
    let reasons = of("not_allowed_nodes", "not-allowed-nodes").and_then(|nodes| nodes.get(target));
    let mut said = Vec::new();
    for (name, reason) in reasons.and_then(Value::as_object).into_iter().flatten() {
        if name == "unavailable_storages" && other_storage {
            continue;
        }
        let entries = reason.as_array().map(Vec::as_slice).unwrap_or_default();
        let entries: Vec<String> = entries.iter().map(entry).collect();
        if !entries.is_empty() {
            let what = name.replace(['_', '-'], " ");
            let entries = place::names(entries.iter().map(String::as_str));
            said.push(format!("{what}: {entries}"));
        }
    }
    if !said.is_empty() {
        return Some(said.join("; "));
    }
    let others: Vec<&str> = allowed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match is_allowed {
        Some(false) if !other_storage => Some(format!(
            "Proxmox allows only: {}",
            place::names(others.into_iter())
        )),
        _ => None,
    }
}

/// A reason's entry: a storage's name, or a resource with its cause.
fn entry(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    match (entry.as_str(), text("sid")) {
        (Some(name), _) => name.to_string(),
        (None, Some(sid)) => format!("{sid} ({})", text("cause").unwrap_or("a rule")),
        (None, None) => entry.to_string(),
    }
}

/// Waits for the high-availability manager, whose task ends when it has taken the order, and goes on with
/// the node on which the guest is then.
fn moved(
    reach: &Reach,
    args: &Args,
    there: GuestLocation,
    begun: Instant,
    then: impl FnOnce(&Reach, &Args, GuestLocation, Option<String>) -> StepResult + 'static,
) -> StepResult {
    let (vmid, target) = (there.vmid, there.node.clone());
    let until = Until {
        end: begun + Duration::from_secs(reach.wait_s()),
        pause: Duration::from_millis(LOOK_MS),
        look: Box::new(move |reach| node_now(reach, vmid)),
        is_enough: Box::new(move |node: &Option<String>| node.as_ref() == Some(&target)),
    };
    step::until(reach, args, until, |reach, args, node| {
        then(reach, args, there, node)
    })
}

fn node_now(reach: &Reach, vmid: u32) -> Result<Option<String>, Error> {
    let request = Request::new(Verb::Get, "/cluster/resources", &[])?.with("type", "vm");
    let rows = match reach.rows(&request, "vmid") {
        Ok(rows) => rows,
        Err(error) if error.is_cancelled() => return Err(error),
        // The order is given: a look that fails is repeated.
        Err(_) => return Ok(None),
    };
    let row = rows
        .iter()
        .find(|row| number(row.get("vmid")) == u64::from(vmid));
    let node = row.and_then(|row| row.get("node")).and_then(Value::as_str);
    Ok(node.map(str::to_string))
}
