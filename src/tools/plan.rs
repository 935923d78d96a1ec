//! What a plan says of the guest that a call would take something from.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::backup::archives::Archive;
use super::backup::of_guest::Backups;
use super::disks::{self, Disk};
use crate::api::loose::flag;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::api::volume;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::gate::volumes;
use crate::text::printable;
use crate::time;
use crate::tool::rows::says_something;
use crate::wait;

/// What [`of_guest`] sends.
pub const READS: &[Sending] = &[
    sending::get("/cluster/resources"),
    sending::get("/nodes/{node}/{kind}/{vmid}/config"),
    sending::get("/nodes/{node}/{kind}/{vmid}/status/current"),
    sending::get("/nodes/{node}/{kind}/{vmid}/snapshot"),
    sending::get("/nodes/{node}/storage/{storage}/content").beside(),
];

/// How long a plan looks for linked clones, in seconds, all storages together.
const CLONES_LIMIT_S: u64 = 5;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const NOTES_MAX_CHARS: usize = 100;
/// So many linked clones are named; of more, the number.
const CLONES_SHOWN_MAX: usize = 20;
/// What a call's plan gives as its `undo` where only a backup brings back what is lost: it is shown
/// as far as there is one.
pub const BY_BACKUP: &str = "only by restoring a backup";
/// A guest without permissions of its own inherits, as any other does.
const ANY_GUEST: &str = "/vms/any";

/// The plan of a call on the guest that it addresses: the guest as it is now, then `consequences`
/// (what is lost or cut off, whether and how it can be undone).
///
/// The subject holds `cluster`, `vmid`, `type`, `node`, `name`, `status`, `lock`, `digest` (of the
/// configuration) and `snapshots` (names); when one of these changes, the confirmation is void. What is
/// only shown beside that (linked clones, the last backup) is read where somebody is shown the plan.
///
/// # Errors
/// The guest cannot be read.
pub fn of_guest(reach: &Reach, consequences: &[(&str, Value)]) -> Result<Plan, Error> {
    let guest = reach.guest()?;
    let config = reach.get_of_guest("/config")?;
    let current = reach.get_of_guest("/status/current")?;
    let listed = reach.rows_of_guest("/snapshot", "name")?;
    let snapshots = snapshot_names(&listed);
    let disks = disks::of(&config, guest.kind);
    let name = ["name", "hostname"]
        .iter()
        .find_map(|key| text(&config, key));
    let name = name.or(guest.name.as_deref()).unwrap_or_default();
    // A paused machine is `running` for the other word.
    let status = text(&current, "qmpstatus").or_else(|| text(&current, "status"));
    let lock = text(&current, "lock").or_else(|| text(&config, "lock"));
    let subject = json!({
        "cluster": reach.cluster_name(),
        "vmid": guest.vmid,
        "type": guest.kind.word(),
        "node": guest.node,
        "name": name,
        "status": status,
        "lock": lock,
        "digest": config.get("digest"),
        "snapshots": snapshots,
    });
    let short = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    let is_template = guest.template || flag(config.get("template"));
    let mut facts = vec![
        ("cluster", short(reach.cluster_name())),
        ("name", short(name)),
        ("vmid", guest.vmid.into()),
        ("type", guest.kind.word().into()),
        ("node", short(&guest.node)),
        ("status", short(status.unwrap_or("unknown"))),
        ("lock", short(lock.unwrap_or_default())),
        ("protection", flag(config.get("protection")).into()),
        ("template", is_template.into()),
        ("ha", ha_state(&current)),
        ("disks", disks.iter().map(disk_row).collect()),
    ];
    facts.extend(snapshots_shown(&listed));
    facts.extend(used_by(reach, &disks, is_template)?);
    facts.retain(|(_, value)| says_something(value));
    facts.extend(last_backup(reach)?);
    let mut shown = Map::new();
    for (key, value) in facts.into_iter().chain(consequences.iter().cloned()) {
        shown.insert(key.to_string(), value);
    }
    if shown.get("undo").and_then(Value::as_str) == Some(BY_BACKUP) {
        let last = shown.get("last_backup").and_then(Value::as_str);
        let undo = match last {
            None => BY_BACKUP,
            Some("none") => "cannot be undone: there is no backup of the guest",
            Some(_) => "only by restoring a backup, and whether there is one is not known",
        };
        shown.insert("undo".into(), undo.into());
    }
    Ok(Plan {
        subject,
        shown,
        objects: 1,
        volumes: volumes::in_config(&config),
        ..Plan::default()
    })
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    let text = value.get(key).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// The names in a list of snapshots, sorted, without the present state, which is listed as one.
pub fn snapshot_names(list: &[Value]) -> Vec<String> {
    sorted_names(list.iter()).collect()
}

fn sorted_names<'r>(rows: impl Iterator<Item = &'r Value>) -> impl Iterator<Item = String> {
    let names = rows.filter_map(|row| text(row, "name"));
    let mut names: Vec<String> = names
        .filter(|name| *name != "current")
        .map(str::to_string)
        .collect();
    names.sort();
    names.into_iter()
}

/// What is being done to a listed snapshot, or was when its task died: `prepare`, `delete`. Such a
/// one is no way back.
pub fn unfinished(row: &Value) -> Option<String> {
    text(row, "snapstate").map(|state| printable(state, NAME_MAX_CHARS))
}

/// The names in a list of snapshots, those apart that were never finished.
pub fn snapshots_shown(list: &[Value]) -> [(&'static str, Value); 2] {
    let (half, whole): (Vec<&Value>, Vec<&Value>) =
        list.iter().partition(|row| unfinished(row).is_some());
    let names = |rows: Vec<&Value>| -> Value {
        let names = sorted_names(rows.into_iter());
        let names = names.map(|name| printable(&name, NAME_MAX_CHARS));
        names.collect::<Vec<String>>().into()
    };
    [
        ("snapshots", names(whole)),
        ("snapshots_unfinished", names(half)),
    ]
}

/// What the high-availability manager makes of the guest; nothing where it is none of its.
fn ha_state(current: &Value) -> Value {
    match current.get("ha").filter(|ha| flag(ha.get("managed"))) {
        Some(ha) => printable(text(ha, "state").unwrap_or("managed"), NAME_MAX_CHARS).into(),
        None => Value::Null,
    }
}

/// A disk with its size in GiB, where it has one.
pub fn disk_row(disk: &Disk) -> Value {
    let mut row = Map::new();
    row.insert("disk".into(), disk.key.clone().into());
    row.insert(
        "volume".into(),
        printable(&disk.volume, VOLUME_MAX_CHARS).into(),
    );
    if let Some(size_gib) = disk.size_gib.filter(|size| *size > 0.0) {
        row.insert("disk_gib".into(), json!(size_gib));
    }
    Value::Object(row)
}

/// Which guests are linked clones of this one's disks. Only the disks of a template can have some.
fn used_by(
    reach: &Reach,
    disks: &[Disk],
    is_template: bool,
) -> Result<Vec<(&'static str, Value)>, Error> {
    let is_base = |disk: &&Disk| is_template || volume::is_base(&disk.volume);
    let bases: Vec<&Disk> = disks.iter().filter(is_base).collect();
    if bases.is_empty() || !reach.shows_plan() {
        return Ok(Vec::new());
    }
    let limit = Duration::from_secs(CLONES_LIMIT_S);
    match wait::within(limit, || clones(reach, &bases)) {
        Ok(clones) if clones.is_empty() => {
            let lacks = !reach.permissions()?.holds(ANY_GUEST, "VM.Config.Disk");
            let unseen =
                "unknown: the token lacks `VM.Config.Disk` on `/vms`, and is not shown all";
            Ok(vec![(
                "used_by",
                if lacks { unseen } else { "none" }.into(),
            )])
        }
        Ok(clones) => {
            let count = clones.len();
            let mut named: Vec<Value> = clones.into_iter().take(CLONES_SHOWN_MAX).collect();
            if count > CLONES_SHOWN_MAX {
                named.push(format!("and {} more", count - CLONES_SHOWN_MAX).into());
            }
            Ok(vec![("used_by", named.into())])
        }
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => {
            let why = printable(&error.to_string(), VOLUME_MAX_CHARS);
            Ok(vec![("used_by", format!("unknown: {why}").into())])
        }
    }
}

fn clones(reach: &Reach, bases: &[&Disk]) -> Result<Vec<Value>, Error> {
    let guest = reach.guest()?;
    let content = match guest.kind {
        crate::fleet::index::GuestKind::Qemu => "images",
        crate::fleet::index::GuestKind::Lxc => "rootdir",
    };
    let mut storages: Vec<&str> = bases.iter().map(|disk| disk.storage.as_str()).collect();
    storages.sort_unstable();
    storages.dedup();
    let mut clones = Vec::new();
    for storage in storages {
        let values = [guest.node.as_str(), storage];
        let path = "/nodes/{node}/storage/{storage}/content";
        let request = Request::new(Verb::Get, path, &values)?.with("content", content);
        for row in &reach.rows(&request, "volid")? {
            let ours = bases.iter().filter(|base| base.storage == storage);
            let mut ours = ours.map(|base| base.volume.as_str());
            let listed = text(row, "volid").unwrap_or_default();
            let is_own = bases.iter().any(|base| base.volume == listed);
            if !is_own && ours.any(|base| volume::is_clone_of(row, base)) {
                let vmid = row.get("vmid").cloned().unwrap_or_default();
                let listed = printable(listed, VOLUME_MAX_CHARS);
                clones.push(json!({"vmid": vmid, "volume": listed}));
            }
        }
    }
    Ok(clones)
}

/// The age of the guest's last backup. What could not be read makes it `unknown`, never `none`.
fn last_backup(reach: &Reach) -> Result<Vec<(&'static str, Value)>, Error> {
    if !reach.shows_plan() {
        return Ok(Vec::new());
    }
    match Backups::look(reach, |found| newest(reach, found)) {
        Ok(facts) => Ok(facts),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => {
            let why = printable(&error.to_string(), VOLUME_MAX_CHARS);
            Ok(vec![("last_backup", format!("unknown: {why}").into())])
        }
    }
}

fn newest(reach: &Reach, found: Backups) -> Result<Vec<(&'static str, Value)>, Error> {
    let has_silent = !found.silent.is_empty();
    let last = match found.archives.first() {
        Some(archive) => archive_row(archive),
        None if has_silent => "unknown".into(),
        None => match found.hidden(reach)? {
            Some(why) => format!("unknown: {why}").into(),
            None => "none".into(),
        },
    };
    let mut facts = vec![("last_backup", last)];
    if has_silent {
        facts.push(("backups_not_read", found.silent.into()));
    }
    Ok(facts)
}

/// A backup with its age; whose it is the notes tell, where clusters share a storage.
pub fn archive_row(archive: &Archive) -> Value {
    let mut row = Map::new();
    row.insert(
        "volume".into(),
        printable(&archive.volume, VOLUME_MAX_CHARS).into(),
    );
    row.insert("time".into(), time::iso(archive.time).into());
    let age = time::now().saturating_sub(archive.time);
    row.insert("age".into(), time::span(age).into());
    let notes = printable(&archive.notes, NOTES_MAX_CHARS);
    if !notes.is_empty() {
        row.insert("untrusted_text".into(), json!({ "notes": notes }));
    }
    Value::Object(row)
}
