//! What of a change has no effect as things stand: Proxmox takes it without a word, and `ok` alone would
//! be read as if it had done something.

use serde_json::{Map, Value};

use super::property;
use crate::api::loose::{flag, plain};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::repeated;
use crate::tools::disks;

/// Options of a VM that reach it through its cloud-init drive alone; with `ipconfigN`.
const CLOUD_INIT: &[&str] = &[
    "ciuser",
    "cipassword",
    "sshkeys",
    "nameserver",
    "searchdomain",
    "cicustom",
    "citype",
    "ciupgrade",
];
/// Where a cloud-init drive goes, if it is free: as the web interface has it.
const DRIVE_KEYS: &[&str] = &["ide2", "ide0", "ide1", "ide3"];
/// Where drives go beyond those.
const DRIVE_BUS: &str = "scsi";

/// A sentence for each. `config` is the guest's before the change, empty for a new one; `sent` what is
/// changed in it, `deleted` what is unset.
pub(super) fn told(
    kind: GuestKind,
    config: &Map<String, Value>,
    sent: &Map<String, Value>,
    deleted: &[String],
) -> Vec<String> {
    let mut told = Vec::new();
    if kind == GuestKind::Qemu {
        told.extend(without_drive(config, sent));
    }
    told.extend(of_template(config, sent));
    let unset = deleted.iter().filter(|key| !config.contains_key(*key));
    let unset: Vec<&str> = unset.map(String::as_str).collect();
    if !unset.is_empty() {
        told.push(format!(
            "to delete {} changes nothing: {} not set",
            quoted(&unset),
            is(&unset)
        ));
    }
    told
}

/// Whether a VM has a drive for cloud-init.
pub(super) fn has_drive(config: &Map<String, Value>) -> bool {
    config.iter().any(|(key, value)| {
        property::is_disk(GuestKind::Qemu, key) && property::is_cloud_init(&plain(value))
    })
}

/// Where a cloud-init drive goes.
pub(super) fn free_drive_key(config: &Map<String, Value>) -> Option<String> {
    let free = DRIVE_KEYS.iter().find(|key| !config.contains_key(**key));
    match free {
        Some(key) => Some((*key).to_string()),
        None => property::free_key(GuestKind::Qemu, config, DRIVE_BUS),
    }
}

fn is_cloud_init_option(key: &str) -> bool {
    CLOUD_INIT.contains(&key) || matches!(property::numbered(key), Some(("ipconfig", _)))
}

fn without_drive(config: &Map<String, Value>, sent: &Map<String, Value>) -> Option<String> {
    let options = sent.keys().map(String::as_str);
    let options: Vec<&str> = options.filter(|key| is_cloud_init_option(key)).collect();
    if options.is_empty() || has_drive(config) || has_drive(sent) {
        return None;
    }
    let mut after = config.clone();
    after.extend(sent.clone());
    let key = free_drive_key(&after)?;
    let disks = disks::of(&Value::Object(after), GuestKind::Qemu);
    // What a disk lies on takes such a drive too.
    let storage = disks.first().map_or("STORAGE", |disk| &disk.storage);
    let storage = repeated(storage);
    Some(format!(
        "{} {} no effect as things stand: the VM has no cloud-init drive; guest_configure with \
         `settings` {{\"{key}\": \"{storage}:cloudinit\"}} adds one, which the guest reads at its \
         next start",
        quoted(&options),
        if options.len() == 1 { "has" } else { "have" }
    ))
}

/// Proxmox refuses to start a template, in the task.
fn of_template(config: &Map<String, Value>, sent: &Map<String, Value>) -> Option<String> {
    if !flag(config.get("template")) {
        return None;
    }
    let starts = |key: &&str| match *key {
        "onboot" => sent.get("onboot").is_some_and(|value| flag(Some(value))),
        key => sent.contains_key(key),
    };
    let options: Vec<&str> = ["onboot", "startup"].into_iter().filter(starts).collect();
    (!options.is_empty()).then(|| {
        format!(
            "{} {} no effect on it: it is a template, which Proxmox does not start",
            quoted(&options),
            if options.len() == 1 { "has" } else { "have" }
        )
    })
}

/// What a `revert` takes back: what of it is pending, and what is not, which Proxmox takes as well.
pub(super) struct RevertedChanges {
    pub(super) pending: Vec<String>,
    pub(super) other: Vec<String>,
}

impl RevertedChanges {
    /// Asks what is pending, where something is to be taken back.
    ///
    /// # Errors
    /// What is pending cannot be read.
    pub(super) fn read(
        reach: &Reach,
        sent: &Map<String, Value>,
    ) -> Result<Option<RevertedChanges>, Error> {
        let Some(named) = sent.get("revert").map(plain) else {
            return Ok(None);
        };
        let rows = reach.rows_of_guest("/pending", "key")?;
        let is_pending = |key: &String| {
            rows.iter().any(|row| {
                row.get("key").and_then(Value::as_str) == Some(key)
                    && (row.get("pending").is_some() || row.get("delete").is_some())
            })
        };
        let (pending, other) = property::names(&named).into_iter().partition(is_pending);
        Ok(Some(RevertedChanges { pending, other }))
    }

    pub(super) fn told(&self) -> Option<String> {
        let other: Vec<&str> = self.other.iter().map(String::as_str).collect();
        (!other.is_empty()).then(|| {
            format!(
                "to revert {} changes nothing: {} not pending",
                quoted(&other),
                is(&other)
            )
        })
    }
}

fn is(names: &[&str]) -> &'static str {
    match names {
        [_] => "it is",
        _ => "they are",
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", repeated(name)))
        .collect();
    names.join(", ")
}
