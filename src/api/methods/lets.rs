//! What of a request a protected guest is let. All else is refused: a list of what harms would never be
//! complete.

use super::drive::{self, Drive};
use super::method::Sent;
use crate::api::loose::{plain, truth};

/// What a protected guest is let of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lets {
    /// Nothing, and what it would do, where that is not its mark.
    Nothing(String),
    /// All of it, where all of this is so of the guest now.
    Where(Vec<Condition>),
}

/// What has to be so of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does not run.
    Stopped,
    /// It does not run, or is a VM.
    Moves,
    /// A backup in mode `snapshot` lets it run on.
    RunsOn,
    /// There is nothing under this key.
    Unset(String),
    /// There is a CD drive under this key, or nothing.
    Cd(String),
    /// What is under this key is no more than that.
    AtMost(String, u64),
}

impl Lets {
    pub const ALL: Lets = Lets::Where(Vec::new());

    /// Nothing, for what its mark says.
    pub const fn nothing() -> Lets {
        Lets::Nothing(String::new())
    }

    fn not(would: impl Into<String>) -> Lets {
        Lets::Nothing(would.into())
    }
}

pub(super) fn nothing(_: &Sent) -> Lets {
    Lets::nothing()
}

pub(super) fn all(_: &Sent) -> Lets {
    Lets::ALL
}

/// All of a request that says nothing else than this.
fn only(sent: &Sent, known: &[&str]) -> Lets {
    match sent
        .params()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        Some((name, _)) => Lets::not(format!(
            "does more than a protected guest is let, by `{name}`"
        )),
        None => Lets::ALL,
    }
}

pub(super) fn start(sent: &Sent) -> Lets {
    only(sent, &["timeout"])
}

pub(super) fn bare(sent: &Sent) -> Lets {
    only(sent, &[])
}

/// A disk never gets smaller: Proxmox refuses that.
pub(super) fn resize(sent: &Sent) -> Lets {
    only(sent, &["disk", "size", "digest"])
}

pub(super) fn relocate(sent: &Sent) -> Lets {
    if sent.is_set("delete") {
        return Lets::not("would free a volume of it");
    }
    only(
        sent,
        &[
            "disk", "volume", "storage", "format", "bwlimit", "digest", "delete",
        ],
    )
}

pub(super) fn snapshot(sent: &Sent) -> Lets {
    if sent.is_set("vmstate") {
        return Lets::not("would halt it while its memory is saved");
    }
    only(sent, &["snapname", "description", "vmstate"])
}

/// Of a VM that runs only with `online`, which Proxmox asks for as well.
pub(super) fn migrate_vm(sent: &Sent) -> Lets {
    let known = [
        "target",
        "online",
        "with-local-disks",
        "targetstorage",
        "bwlimit",
        "migration_network",
        "with-conntrack-state",
    ];
    match only(sent, &known) {
        Lets::Where(_) if !sent.is_set("online") => Lets::Where(vec![Condition::Stopped]),
        lets => lets,
    }
}

pub(super) fn migrate_container(sent: &Sent) -> Lets {
    let known = [
        "target",
        "online",
        "restart",
        "target-storage",
        "bwlimit",
        "timeout",
    ];
    match only(sent, &known) {
        Lets::Where(_) => Lets::Where(vec![Condition::Stopped]),
        lets => lets,
    }
}

/// The high-availability manager moves a VM that runs while it runs.
pub(super) fn ha_migrate(_: &Sent) -> Lets {
    Lets::Where(vec![Condition::Moves])
}

/// What only looks, and what does no harm.
pub(super) fn agent(sent: &Sent) -> Lets {
    let command = sent.text("command").unwrap_or_default();
    let looks = command.starts_with("get-") || command.starts_with("network-get");
    if looks
        || matches!(
            command.as_str(),
            "ping" | "info" | "fstrim" | "fsfreeze-status"
        )
    {
        only(sent, &["command"])
    } else {
        Lets::nothing()
    }
}

pub(super) fn backup(sent: &Sent) -> Lets {
    if sent.text("mode").as_deref() != Some("snapshot") {
        return Lets::not("may suspend or stop it");
    }
    if !sent.has("remove") || sent.is_set("remove") {
        return Lets::not("would prune its backups");
    }
    let known = [
        "all",
        "bwlimit",
        "compress",
        "exclude",
        "exclude-path",
        "fleecing",
        "ionice",
        "lockwait",
        "mailnotification",
        "mailto",
        "mode",
        "notes-template",
        "notification-mode",
        "pbs-change-detection-mode",
        "performance",
        "pigz",
        "pool",
        "protected",
        "quiet",
        "remove",
        "stdexcludes",
        "storage",
        "vmid",
        "zstd",
    ];
    match only(sent, &known) {
        Lets::Where(_) => Lets::Where(vec![Condition::RunsOn]),
        lets => lets,
    }
}

/// Set, not switched off and not removed.
pub(super) fn replicate(sent: &Sent) -> Lets {
    let known = [
        "id", "type", "target", "schedule", "rate", "comment", "digest", "disable", "delete",
    ];
    let keeps = ["comment", "rate", "schedule", "disable"];
    let mut deleted = sent.items("delete").into_iter();
    if sent.is_set("disable") || deleted.any(|key| !keeps.contains(&key.as_str())) {
        return Lets::not("would end a replication of it");
    }
    only(sent, &known)
}

/// Settings that may be whatever they are; a name and tags are held against the rules beside this.
const FREE: [&str; 6] = [
    "description",
    "hostname",
    "name",
    "onboot",
    "startup",
    "tags",
];

/// Of a configuration: what is free, more of it, and what is new.
pub(super) fn configure(sent: &Sent) -> Lets {
    let mut conditions = Vec::new();
    for (key, value) in sent.params() {
        let text = plain(value);
        match setting(key, &text, sent) {
            Some(condition) => conditions.extend(condition),
            None => return Lets::not(format!("would change its `{key}`")),
        }
    }
    for list in ["delete", "revert"] {
        let mut keys = sent.items(list).into_iter();
        if let Some(key) = keys.find(|key| !FREE.contains(&key.as_str())) {
            return Lets::not(format!("would change its `{key}`"));
        }
    }
    Lets::Where(conditions)
}

/// Whether a setting is let, and where; nothing where it is not.
fn setting(key: &str, text: &str, sent: &Sent) -> Option<Option<Condition>> {
    match key {
        "digest" | "background_delay" | "delete" | "revert" => Some(None),
        "protection" => (truth(text) == Some(true)).then_some(None),
        "force" | "skiplock" => (!sent.is_set(key)).then_some(None),
        "cores" | "memory" => {
            let number = text.strip_prefix("current=").unwrap_or(text).parse().ok()?;
            Some(Some(Condition::AtMost(key.to_string(), number)))
        }
        key if FREE.contains(&key) => Some(None),
        key if drive::is_key(key) => {
            let drive = Drive::parse(text)?;
            let place = if key == "cdrom" { "ide2" } else { key }.to_string();
            if drive.is_cd() {
                Some(Some(Condition::Cd(place)))
            } else {
                drive.is_new_disk().then_some(Some(Condition::Unset(place)))
            }
        }
        key if is_card(key) => Some(Some(Condition::Unset(key.to_string()))),
        _ => None,
    }
}

fn is_card(key: &str) -> bool {
    key.strip_prefix("net")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
