//! Which backups there are, by the content listings of the storages that hold backups.
//!
//! What a storage did not say is never taken for "there is none": every place that did not answer is
//! named, and so is every privilege without which archives are left out of a listing.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::api::loose::{flag, number};
use crate::api::methods::Sending;
use crate::api::methods::permissions::{SEES_GUESTS, SEES_STORAGES};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::api::volume;
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::fleet::permissions::TokenPermissions;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::tool::rows::ROW_BYTES;
use crate::wait;

/// What [`places`] and [`ask`] send.
pub const READS: &[Sending] = &[
    sending::get("/cluster/resources").seeing(&[SEES_GUESTS, SEES_STORAGES]),
    sending::get("/nodes/{node}/storage/{storage}/content"),
];

/// How long one storage of several may take.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// What an answer needs at the end.
const TELL_TIME: Duration = Duration::from_millis(500);
/// With less time left a slow storage is not asked once more.
const SLOW_LEAST: Duration = Duration::from_secs(1);
/// With less time left no further storage is asked.
const ASK_LEAST: Duration = Duration::from_millis(100);
const REASON_MAX_CHARS: usize = 300;

/// A storage that holds backups, and the node to ask about it.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupStorage {
    pub storage: String,
    pub node: String,
    pub shared: bool,
    /// Whether the node is there to answer.
    pub online: bool,
}

/// What the storages said.
#[derive(Default)]
pub struct FoundArchives {
    pub archives: Vec<Archive>,
    /// The places that did not answer, with the reason.
    pub silent: Vec<Value>,
    /// One of those had no more time, which it has where it is asked alone.
    pub slow: bool,
}

/// One backup.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// `nas:backup/vzdump-qemu-100-2026_10_04-15_52_42.vma.zst`.
    pub volume: String,
    pub storage: String,
    /// Where it was listed; of a shared storage one node of several.
    pub node: String,
    pub shared: bool,
    /// The VMID that its guest had on the cluster that made it.
    pub vmid: u32,
    pub kind: Option<GuestKind>,
    /// Unix seconds.
    pub time: u64,
    pub bytes: u64,
    pub notes: String,
    pub protected: bool,
    /// What a backup server found when it verified it.
    pub verification: Option<String>,
    pub encrypted: bool,
}

/// Every storage that may hold backups: a shared one once, a local one on each node that has it.
/// `near` is the node by which a shared one is asked, if it can.
///
/// # Errors
/// The cluster does not say what it has.
pub fn places(reach: &Reach, near: Option<&str>) -> Result<Vec<BackupStorage>, Error> {
    let mut listed = ListedStorages::default();
    // One list, as long as it may be, and not one of nodes and one of storages.
    reach.resources(&mut |row| listed.add(row))?;
    Ok(listed.places(near))
}

/// The storages that may hold backups, as the list of what is where has them.
#[derive(Default)]
pub struct ListedStorages {
    nodes_online: Vec<String>,
    /// Each where it is, and whether it is available there.
    storages: Vec<(bool, BackupStorage)>,
}

impl ListedStorages {
    pub fn add(&mut self, row: &Resource) {
        match row.kind() {
            ResourceKind::Node if &*row.status == "online" => {
                self.nodes_online.push(row.node.to_string());
            }
            ResourceKind::Storage if row.content.split(',').any(|one| one == "backup") => {
                let place = BackupStorage {
                    storage: row.storage().to_string(),
                    node: row.node.to_string(),
                    shared: row.is_shared(),
                    online: false,
                };
                self.storages.push((&*row.status == "available", place));
            }
            _ => {}
        }
    }

    /// As [`places`].
    pub fn places(self, near: Option<&str>) -> Vec<BackupStorage> {
        let mut all = self.storages;
        for (_, place) in &mut all {
            place.online = self.nodes_online.contains(&place.node);
        }
        // The best place of a shared storage comes first, and the others of it go.
        all.sort_by_key(|(available, place)| {
            let is_near = near == Some(place.node.as_str());
            let worth = (place.online, *available, is_near);
            let name = (place.storage.clone(), place.node.clone());
            (!place.shared, std::cmp::Reverse(worth), name)
        });
        let mut places: Vec<BackupStorage> = Vec::new();
        for (_, place) in all {
            let known = |other: &BackupStorage| other.shared && other.storage == place.storage;
            if !place.shared || !places.iter().any(known) {
                places.push(place);
            }
        }
        places
    }
}

/// The storages of these places, for a sentence about one that is none of them.
pub fn storages(places: &[BackupStorage]) -> String {
    let mut names: Vec<&str> = places.iter().map(|place| place.storage.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.join(", ") {
        none if none.is_empty() => "none does".into(),
        names => format!("these do: {names}"),
    }
}

/// Asks each place for its backups, those of one guest with `vmid`, newest first. One of several gets
/// at most half of the time that is left, so that a slow one does not silence the others; what is
/// left when those are done is for the slow ones.
///
/// # Errors
/// The call was withdrawn.
pub fn ask(
    reach: &Reach,
    places: &[BackupStorage],
    vmid: Option<u32>,
) -> Result<FoundArchives, Error> {
    let mut found = FoundArchives::default();
    let mut slow = Vec::new();
    for (at, place) in places.iter().enumerate() {
        // The last one has all, where nobody waits for it.
        let is_last = at + 1 == places.len() && slow.is_empty();
        let share = match (places.len(), is_last) {
            (1, _) => Share::whole(),
            (_, true) => Share::rest(),
            (_, false) => Share::part(),
        };
        let begun = Instant::now();
        match listed(reach, place, vmid, share.limit) {
            Ok(rows) => found.add(&rows, place),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) if share.is_over(begun) => {
                slow.push((place, error));
                // It is the storage that is slow, and not the cluster.
                reach.try_again()?;
            }
            Err(error) => found.silent.push(silent(place, &error)),
        }
    }
    let mut left = slow.len();
    for (place, error) in slow {
        left -= 1;
        let share = match left {
            0 => Share::rest(),
            _ => Share::part(),
        };
        // No longer than before: it would be as silent.
        let longer = wait::remaining().is_none_or(|left| left > SLOW_LEAST);
        let again = match longer {
            true => listed(reach, place, vmid, share.limit),
            false => Err(error),
        };
        match again {
            Ok(rows) => found.add(&rows, place),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => {
                found.silent.push(silent(place, &error));
                found.slow = true;
                reach.try_again()?;
            }
        }
    }
    found
        .archives
        .sort_by(|one, other| (other.time, &other.volume).cmp(&(one.time, &one.volume)));
    Ok(found)
}

/// The time that one place has, where others wait for theirs.
struct Share {
    limit: Option<Duration>,
}

impl Share {
    fn whole() -> Share {
        Share { limit: None }
    }

    /// That of one whom others wait for.
    fn part() -> Share {
        let left = wait::remaining();
        Share {
            limit: left.map(|left| STORAGE_TIMEOUT.min(left / 2)),
        }
    }

    /// What is left for the last one of several: what the others said is still to be told.
    fn rest() -> Share {
        let left = wait::remaining();
        Share {
            limit: left.map(|left| left.saturating_sub(TELL_TIME)),
        }
    }

    /// Whether what was begun then has had all of it.
    fn is_over(&self, begun: Instant) -> bool {
        // A wait may end a little before its time.
        let most = |limit: Duration| limit.mul_f64(0.9);
        self.limit
            .is_some_and(|limit| begun.elapsed() >= most(limit))
    }
}

impl FoundArchives {
    fn add(&mut self, rows: &[Value], place: &BackupStorage) {
        let archives = rows.iter().filter_map(|row| archive(row, place));
        let before = self.archives.len();
        self.archives.extend(archives);
        // Each becomes a row.
        room::note((self.archives.len() - before) * ROW_BYTES);
    }
}

fn listed(
    reach: &Reach,
    place: &BackupStorage,
    vmid: Option<u32>,
    limit: Option<Duration>,
) -> Result<Charged<Vec<Value>>, Error> {
    let unreached = |cause: &str| Error::unreachable(reach.cluster_name(), cause);
    if !place.online {
        return Err(unreached("its node is offline"));
    }
    let values = [place.node.as_str(), place.storage.as_str()];
    let path = "/nodes/{node}/storage/{storage}/content";
    let mut request = Request::new(Verb::Get, path, &values)?.with("content", "backup");
    if let Some(vmid) = vmid {
        request = request.with("vmid", vmid);
    }
    let ask = || reach.rows(&request, "volid");
    match (wait::remaining(), limit) {
        (Some(left), _) if left < ASK_LEAST => Err(unreached("not asked: the time was over")),
        (_, Some(limit)) => wait::within(limit, ask),
        (_, None) => ask(),
    }
}

fn silent(place: &BackupStorage, error: &Error) -> Value {
    let mut row = Map::new();
    row.insert(
        "storage".into(),
        printable(&place.storage, REASON_MAX_CHARS).into(),
    );
    row.insert(
        "node".into(),
        printable(&place.node, REASON_MAX_CHARS).into(),
    );
    let why = format!("{}: {error}", error.code.as_str());
    row.insert("why".into(), printable(&why, REASON_MAX_CHARS).into());
    Value::Object(row)
}

/// A row of a content listing; `None` where it is no backup.
fn archive(row: &Value, place: &BackupStorage) -> Option<Archive> {
    let volume = text(row, "volid");
    let named = name(volume);
    let kind = match text(row, "subtype") {
        "qemu" => Some(GuestKind::Qemu),
        "lxc" => Some(GuestKind::Lxc),
        _ => named.as_ref().map(|named| named.kind),
    };
    let vmid = u32::try_from(number(row.get("vmid"))).unwrap_or_default();
    let state = |row: &Value| Some(row.get("state")?.as_str()?.to_string());
    let is_encrypted = |value: &Value| !matches!(value.as_str(), Some("" | "0"));
    (!volume.is_empty()).then(|| Archive {
        volume: volume.to_string(),
        storage: place.storage.clone(),
        node: place.node.clone(),
        shared: place.shared,
        vmid: if vmid == 0 {
            named.map_or(0, |named| named.vmid)
        } else {
            vmid
        },
        kind,
        time: number(row.get("ctime")),
        bytes: number(row.get("size")),
        notes: text(row, "notes").to_string(),
        protected: flag(row.get("protected")),
        verification: row.get("verification").and_then(state),
        encrypted: row.get("encrypted").is_some_and(is_encrypted),
    })
}

/// What an archive's name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveName {
    pub kind: GuestKind,
    pub vmid: u32,
}

/// Reads a backup's name: `nas:backup/vzdump-qemu-100-...`, `pbs:backup/vm/100/2026-...`; `None`
/// where it is none of these, so that nobody knows what is in it.
pub fn name(volume: &str) -> Option<ArchiveName> {
    let (word, vmid) = volume::backed_up(volume).filter(|_| volume.contains(':'))?;
    let kind = match word {
        "qemu" | "vm" => GuestKind::Qemu,
        "lxc" | "ct" | "openvz" => GuestKind::Lxc,
        _ => return None,
    };
    Some(ArchiveName { kind, vmid })
}

/// Why backups may be missing from a listing that was answered: without these privileges archives are
/// left out without a word. `None` where nothing is hidden.
///
/// # Errors
/// The token's permissions cannot be read.
pub fn hidden(
    reach: &Reach,
    places: &[BackupStorage],
    vmid: Option<u32>,
) -> Result<Option<String>, Error> {
    Ok(hidden_by(&*reach.permissions()?, places, vmid))
}

/// As [`hidden`], by these permissions.
pub fn hidden_by(
    permissions: &TokenPermissions,
    places: &[BackupStorage],
    vmid: Option<u32>,
) -> Option<String> {
    // A guest without a path of its own inherits, as any other does.
    let guest = vmid.map_or("/vms/0".to_string(), |vmid| format!("/vms/{vmid}"));
    let mut missing = Vec::new();
    if !permissions.holds(&guest, "VM.Backup") {
        let path = if vmid.is_some() {
            guest.as_str()
        } else {
            "/vms"
        };
        missing.push(format!("`VM.Backup` on `{path}`"));
    }
    for place in places {
        let path = format!("/storage/{}", place.storage);
        let lacks =
            !permissions.holds_any(&path, &["Datastore.AllocateSpace", "Datastore.Allocate"]);
        let line = format!("`Datastore.AllocateSpace` on `{path}`");
        if lacks && !missing.contains(&line) {
            missing.push(line);
        }
    }
    (!missing.is_empty()).then(|| {
        format!(
            "the token lacks {}: archives may be there that it is not shown",
            missing.join(", ")
        )
    })
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}
