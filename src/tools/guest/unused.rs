//! Volumes that a guest loses: detached they stay as `unusedN`, removed they are gone.

use serde_json::{Map, Value, json};

use super::disk::{FoundDisk, VOLUME_MAX_CHARS, find, mount_point, new_key};
use super::place::Problems;
use super::property::{self, DiskContent};
use super::{answer_for, change};
use crate::api::loose::number;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::size;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::step::{self, StepResult};
use crate::tools::fleet::quorum;
use crate::tools::{disks, plan};

/// What [`plan()`] sends of its own, to say who else has the disk.
pub(super) const READS: &[Sending] = &[sending::get(
    "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config",
)];

/// Said of a volume that is there after its removal.
const KEPT: &str = "its storage still has the volume: Proxmox took the entry away and destroyed \
                    nothing";
/// So many snapshots are read for a plan.
const SNAPSHOTS_READ_MAX: usize = 20;

/// Attaches a volume that no disk uses, under the next free key.
///
/// # Errors
/// There is no such volume; or what Proxmox has against it.
pub(super) fn attach(reach: &Reach, args: &Args) -> StepResult {
    let kind = reach.guest()?.kind;
    let config = change::unlocked(reach)?;
    let found = find(reach, args, &config)?;
    let mut problems = Problems::default();
    let key = problems.take(new_key(kind, &config, None))?;
    let mp = problems.take(mount_point(kind, args))?.flatten();
    problems.end()?;
    let key = key.unwrap_or_default();
    let mut value = found.volume.clone();
    if let Some(mp) = mp {
        value.push_str(&format!(",mp={mp}"));
    }
    let params = Map::from_iter([(key.clone(), Value::from(value))]);
    let request = change::request(reach, change::slow_verb(kind), &config, params)?;
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), key.into());
    let volume = printable(&found.volume, VOLUME_MAX_CHARS);
    answer.insert("volume".into(), volume.into());
    change::send(reach, args, request, config, |_, _, changed| {
        answer.extend(changed);
        Ok(answer.into())
    })
}

/// Detaches a disk. Its volume stays, under the first free `unusedN`.
///
/// # Errors
/// There is nothing to detach; or what Proxmox has against it.
pub(super) fn detach(reach: &Reach, args: &Args) -> StepResult {
    let config = change::unlocked(reach)?;
    let found = find(reach, args, &config)?;
    let key = &found.key;
    let problem = if property::is_unused(key) {
        Some("is detached already; action `remove` destroys it")
    } else if key == "rootfs" {
        Some("is the root of the container, which cannot be without it")
    } else {
        None
    };
    if let Some(problem) = problem {
        let cluster = reach.cluster_name();
        return Err(Error::bad(format!("{cluster}: `{key}` {problem}")));
    }
    let params = Map::from_iter([("delete".to_string(), Value::from(key.as_str()))]);
    let request = change::request(reach, Verb::Put, &config, params)?;
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), key.as_str().into());
    answer.insert(
        "volume".into(),
        printable(&found.volume, VOLUME_MAX_CHARS).into(),
    );
    change::send(reach, args, request, config, move |reach, _, changed| {
        answer.extend(changed);
        name_kept(reach, &found.volume, &mut answer)?;
        Ok(answer.into())
    })
}

/// Says under which key a volume is kept that no disk uses.
///
/// # Errors
/// The call was withdrawn.
pub(super) fn name_kept(
    reach: &Reach,
    volume: &str,
    answer: &mut Map<String, Value>,
) -> Result<(), Error> {
    let config = match change::config(reach) {
        Ok(config) => config,
        Err(error) if error.is_cancelled() => return Err(error),
        // What was done is done; only its name is not known.
        Err(_) => return Ok(()),
    };
    let mut keys = config.keys().filter(|key| property::is_unused(key));
    let kept = keys.find(|key| {
        let held = property::at(&config, key).map(|properties| property::held(&properties));
        held == Some(DiskContent::Volume(volume.to_string()))
    });
    if let Some(key) = kept {
        answer.insert("kept_as".into(), key.as_str().into());
    }
    Ok(())
}

/// What would be destroyed.
///
/// # Errors
/// There is no such volume, or it cannot be removed where it stands.
pub(super) fn plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let config = change::unlocked(reach)?;
    let found = removable(reach, args, &config)?;
    let volume = json!(printable(&found.volume, VOLUME_MAX_CHARS));
    let row = on_storage(reach, &found.volume)?;
    let owner = row.iter().flatten().map(owner_of).find(|owner| *owner > 0);
    let mut consequences = vec![("disk", json!(found.key))];
    // Proxmox destroys what is the guest's own, and lets go of the rest.
    let own = u64::from(reach.guest()?.vmid);
    if let Some(other) = owner.filter(|owner| *owner != own) {
        let kept = format!("it is guest {other}'s: only the entry here goes, and the volume stays");
        consequences.push(("unlinks", volume));
        consequences.push(("volume_is_kept", json!(kept)));
        consequences.push(("undo", json!("by attaching the volume again")));
        return plan::of_guest(reach, &consequences);
    }
    consequences.push(("destroys", volume));
    // An unused volume's size stands nowhere but on its storage.
    let listed = row.flatten().map(|row| number(row.get("size")));
    let listed = listed.filter(|size| *size > 0);
    let size = found.size().or(listed);
    consequences.push((
        "size",
        size.map_or(json!("unknown"), |size| json!(size::text(size))),
    ));
    if !property::is_unused(&found.key) {
        consequences.push(("in_use", json!(true)));
    }
    if let Some(users) = snapshots_with(reach, &found.volume)? {
        consequences.push(("used_by_snapshots", users));
    }
    if property::is_unused(&found.key) {
        let when = "a backup holds it only if it was made while a disk used the volume";
        consequences.push(("in_backups", json!(when)));
    }
    consequences.push(("undo", json!(plan::BY_BACKUP)));
    let plan = plan::of_guest(reach, &consequences)?;
    Ok(Plan {
        volumes: vec![found.volume],
        ..plan
    })
}

/// The guest's snapshots that hold the volume, which are worth nothing without it; nothing where there
/// are none.
fn snapshots_with(reach: &Reach, volume: &str) -> Result<Option<Value>, Error> {
    let names = plan::snapshot_names(&reach.rows_of_guest("/snapshot", "name")?);
    let kind = reach.guest()?.kind;
    let mut users = Vec::new();
    for name in names.iter().take(SNAPSHOTS_READ_MAX) {
        let request = reach.on_guest(Verb::Get, "/snapshot/{snapname}/config", &[name])?;
        let config = reach.send(&request)?.data;
        let disks = disks::of(&config, kind);
        if disks.iter().any(|disk| disk.volume == volume) {
            users.push(printable(name, VOLUME_MAX_CHARS));
        }
    }
    if names.len() > SNAPSHOTS_READ_MAX {
        let more = names.len() - SNAPSHOTS_READ_MAX;
        users.push(format!("and {more} more that were not looked at"));
    }
    Ok((!users.is_empty()).then(|| json!(users)))
}

/// What the storage of a volume lists of it: nothing where that cannot be read, and nothing inside
/// where it is not listed.
fn on_storage(reach: &Reach, volume: &str) -> Result<Option<Option<Value>>, Error> {
    let guest = reach.guest()?;
    let storage = disks::storage_of(volume).unwrap_or(volume);
    let values = [guest.node.as_str(), storage];
    let path = "/nodes/{node}/storage/{storage}/content";
    let rows = match reach.rows_at(path, &values, "volid") {
        Ok(rows) => rows,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut rows = rows.into_iter();
    Ok(Some(rows.find(|row| {
        row.get("volid").and_then(Value::as_str) == Some(volume)
    })))
}

/// The guest whose a listed volume is; 0 where the storage does not say.
fn owner_of(row: &Value) -> u64 {
    number(row.get("vmid"))
}

/// Destroys a volume: of `unusedN`, or of a VM's disk in use.
///
/// # Errors
/// As [`plan()`]; or what Proxmox has against it.
pub(super) fn remove(reach: &Reach, args: &Args) -> StepResult {
    let config = change::unlocked(reach)?;
    let found = removable(reach, args, &config)?;
    let mut params = Map::from_iter([("delete".to_string(), Value::from(found.key.as_str()))]);
    if !property::is_unused(&found.key) {
        params.insert("force".into(), true.into());
    }
    // What was confirmed, not what is there now.
    if let Some(digest) = reach.planned().and_then(|planned| planned.get("digest")) {
        params.insert("digest".into(), digest.clone());
    }
    // Freeing a large volume takes its time: a VM does it in a task.
    let verb = change::slow_verb(reach.guest()?.kind);
    let request = change::request(reach, verb, &config, params)?;
    let was_there = on_storage(reach, &found.volume)?.flatten().is_some();
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), found.key.as_str().into());
    change::send(reach, args, request, config, move |reach, _, changed| {
        answer.extend(changed);
        if !step::has_ended(&answer) {
            return Ok(answer.into());
        }
        // Proxmox lets go of what it does not take for the guest's own, and says nothing of it.
        let became = match on_storage(reach, &found.volume)? {
            Some(None) if was_there => "destroyed",
            Some(Some(_)) => "unlinked",
            _ => "removed",
        };
        let volume = printable(&found.volume, VOLUME_MAX_CHARS);
        answer.insert(became.into(), volume.into());
        if became == "unlinked" {
            answer.insert("note".into(), KEPT.into());
        }
        Ok(answer.into())
    })
}

/// The disk in the argument, where its volume can be removed in one step.
fn removable(reach: &Reach, args: &Args, config: &Map<String, Value>) -> Result<FoundDisk, Error> {
    let found = find(reach, args, config)?;
    let in_use = !property::is_unused(&found.key);
    let problem = match found.key.as_str() {
        "rootfs" => {
            "is the root of the container, which goes only with the whole guest: guest_delete"
        }
        _ if in_use && reach.guest()?.kind == GuestKind::Lxc => {
            "is in use: a container's volume is detached first, and then removed as `unusedN`"
        }
        _ => {
            // Without quorum the volume would be gone, and its entry stay.
            quorum::held(reach, "a removal")?;
            return Ok(found);
        }
    };
    let cluster = reach.cluster_name();
    Err(Error::bad(format!("{cluster}: `{}` {problem}", found.key)))
}
