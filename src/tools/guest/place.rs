//! Where a guest or its disk goes: which node, storage and bridge, and whether they can take it.
//! Everything is looked at before anything is sent; a refusal names what would do.

use serde_json::{Map, Value};

use super::property::{Properties, is_disk, is_tpm};
use crate::api::loose::{flag, number, plain};
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::charged::Charged;
use crate::config::variables::{DEFAULT_BRIDGE, DEFAULT_STORAGE};
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::proxmox::advice;
use crate::proxmox::settings::Settings;
use crate::text::printable;

/// What is read to say where a guest or a disk goes.
pub const READS: &[Sending] = &[
    sending::get("/cluster/resources"),
    sending::get("/nodes/{node}/network"),
    sending::get("/nodes/{node}/storage"),
];

/// Where neither the call nor the configuration names one (the Python package's).
const STORAGE_FALLBACK: &str = "local-lvm";
const BRIDGE_FALLBACK: &str = "vmbr0";
/// So many names are listed as what would do.
const NAMES_MAX: usize = 12;
const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

/// Collects what is wrong, so that a call is refused for all of it at once.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    pub fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    /// Keeps the problems of `result`.
    ///
    /// # Errors
    /// What is no problem with the arguments.
    pub fn take<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code == Code::BadArguments => {
                self.0.extend(error.problems.iter().cloned());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The value without which nothing more can be looked at.
    ///
    /// # Errors
    /// It is not there: everything that was found so far.
    pub fn must<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        match self.take(result)? {
            Some(value) => Ok(value),
            None => Err(Error::bad_arguments(std::mem::take(&mut self.0))),
        }
    }

    /// # Errors
    /// All problems, where there are any.
    pub fn end(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::bad_arguments(self.0))
        }
    }
}

/// A node and why it was chosen.
pub struct ChosenNode {
    pub name: String,
    pub chosen_by: &'static str,
}

/// The node in the argument, else the cluster's default, else the one online with the most free
/// memory. One in maintenance is taken only where the call names it.
///
/// # Errors
/// It is not there or not online.
pub fn node(reach: &Reach, given: Option<&str>) -> Result<ChosenNode, Error> {
    if let Some(name) = given {
        online(reach, name)?;
        return Ok(ChosenNode {
            name: name.to_string(),
            chosen_by: "node argument",
        });
    }
    let rows = nodes(reach)?;
    let mut chosen_by = "most free memory";
    if let Some(name) = reach.cluster()?.default_node.as_deref() {
        let row = online_among(reach, &rows, name)?;
        if !in_maintenance(row) {
            return Ok(ChosenNode {
                name: name.to_string(),
                chosen_by: "default node",
            });
        }
        chosen_by = "most free memory, as the default node is in maintenance";
    }
    let free = |row: &Value| number(row.get("maxmem")).saturating_sub(number(row.get("mem")));
    let ready = online_rows(&rows).filter(|(_, row)| !in_maintenance(row));
    let best = ready.max_by(|(name, row), (other, other_row)| {
        // Of equals the first by name.
        (free(row), *other).cmp(&(free(other_row), *name))
    });
    let Some((name, _)) = best else {
        return Err(Error::bad(format!(
            "{}: no node is online that is not in maintenance",
            reach.cluster_name()
        )));
    };
    Ok(ChosenNode {
        name: name.to_string(),
        chosen_by,
    })
}

/// The cluster's nodes: of all lists of them this one alone says which are in maintenance.
fn nodes(reach: &Reach) -> Result<Charged<Vec<Value>>, Error> {
    let request = Request::new(Verb::Get, "/cluster/resources", &[])?.with("type", "node");
    reach.rows(&request, "node")
}

/// Whether the high-availability manager clears the node for work on it.
fn in_maintenance(row: &Value) -> bool {
    text(row, "hastate") == "maintenance"
}

/// The nodes that are online.
fn online_rows(rows: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    rows.iter().filter_map(|row| {
        let online = text(row, "status") == "online";
        online.then(|| (text(row, "node"), row))
    })
}

/// Holds a node to be one of the cluster, and online; that it is in maintenance the answer says.
///
/// # Errors
/// It is not; with those that are.
pub fn online(reach: &Reach, node: &str) -> Result<(), Error> {
    let rows = nodes(reach)?;
    if in_maintenance(online_among(reach, &rows, node)?) {
        let note = format!(
            "`{node}` is in maintenance: high availability moves its guests away from there"
        );
        reach.note("node_note", note);
    }
    Ok(())
}

fn online_among<'r>(reach: &Reach, rows: &'r [Value], node: &str) -> Result<&'r Value, Error> {
    if let Some((_, row)) = online_rows(rows).find(|(name, _)| *name == node) {
        return Ok(row);
    }
    let what = if rows.iter().any(|row| text(row, "node") == node) {
        "is not online"
    } else {
        "is no node of the cluster"
    };
    Err(Error::bad(format!(
        "{}: `{node}` {what}; online: {}{}",
        reach.cluster_name(),
        names(online_rows(rows).map(|(name, _)| name)),
        reach.elsewhere(NamedSubject::Node(node))?
    )))
}

/// Which guests of the cluster bear a name already that another, `but`, is to get.
///
/// # Errors
/// The cluster does not say what it has.
pub fn namesakes(reach: &Reach, name: &str, but: Option<u32>) -> Result<Option<String>, Error> {
    let mut vmids = reach.named(name)?;
    vmids.retain(|vmid| Some(*vmid) != but);
    let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
    Ok((!vmids.is_empty()).then(|| {
        format!(
            "named `{}` too: {}; say the VMID from now on",
            printable(name, NAME_MAX_CHARS),
            vmids.join(", ")
        )
    }))
}

/// What a guest's disks are called in a storage's `content`.
pub fn disks_of(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Qemu => "images",
        GuestKind::Lxc => "rootdir",
    }
}

/// Any of the disks that a guest works with.
pub const DISK: &str = "disk";

/// Where a new disk goes.
pub struct DiskStorage {
    pub name: String,
    pub chosen_by: &'static str,
    /// Proxmox's word for its type: `dir`, `lvmthin`.
    of_type: String,
}

/// Types of storages that keep disks as files. What they are made as there by default, raw, cannot
/// be snapshotted.
const FILES: [&str; 4] = ["dir", "nfs", "cifs", "glusterfs"];
/// The format of a file that can.
const FORMAT: &str = "qcow2";
/// Types of storages whose disks cannot be snapshotted at all.
const WITHOUT_SNAPSHOTS: [&str; 3] = ["lvm", "iscsi", "iscsidirect"];

impl DiskStorage {
    /// The format that a machine's new disk, under this key, has to be given to be snapshotted; none
    /// where the storage has but one.
    pub fn format(&self, kind: GuestKind, key: &str) -> Option<&'static str> {
        let is_file = FILES.contains(&self.of_type.as_str());
        (is_file && kind == GuestKind::Qemu && !is_tpm(key)).then_some(FORMAT)
    }

    /// As [`DiskStorage::format`], as a part of a property string.
    pub fn format_part(&self, kind: GuestKind, key: &str) -> String {
        let format = self.format(kind, key);
        format.map_or(String::new(), |format| format!(",format={format}"))
    }

    /// Has the answer say so where a disk there, under this key, cannot be snapshotted.
    pub fn tell(&self, reach: &Reach, kind: GuestKind, key: &str) {
        if let Some(note) = self.without_snapshots(kind, key) {
            reach.note("snapshots", note);
        }
    }

    fn without_snapshots(&self, kind: GuestKind, key: &str) -> Option<String> {
        let of_type = self.of_type.as_str();
        let is_file = FILES.contains(&of_type);
        let is_raw = kind == GuestKind::Lxc || is_tpm(key);
        (WITHOUT_SNAPSHOTS.contains(&of_type) || (is_file && is_raw)).then(|| {
            let what = match is_tpm(key) {
                true => "the state of a TPM",
                false => "a disk",
            };
            format!(
                "{what} of a {} on storage `{}` (type {of_type}) cannot be snapshotted",
                kind.word(),
                printable(&self.name, NAME_MAX_CHARS)
            )
        })
    }
}

/// What is to be said of the new disks in free settings, `scsi1: local:4`, that cannot be snapshotted as
/// they are asked for; nothing where the storages cannot be read.
///
/// # Errors
/// The call was withdrawn.
pub fn disks_without_snapshots(
    reach: &Reach,
    node: &str,
    kind: GuestKind,
    settings: &Map<String, Value>,
) -> Result<Vec<String>, Error> {
    let new = settings.iter().filter_map(|(key, value)| {
        let value = plain(value);
        let (name, size) = value.split(',').next()?.split_once(':')?;
        // 0 stands before what is imported, whose format is its own.
        let is_new = size.parse::<f64>().is_ok_and(|size| size > 0.0);
        let name = name.to_string();
        (is_disk(kind, key) && is_new).then_some((key, name, value))
    });
    let new: Vec<_> = new.collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match reach.rows_at("/nodes/{node}/storage", &[node], "storage") {
        Ok(rows) => rows,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(_) => return Ok(Vec::new()),
    };
    let mut notes = Vec::new();
    for (key, name, value) in new {
        let Some(row) = rows.iter().find(|row| text(row, "storage") == name) else {
            continue;
        };
        let store = DiskStorage {
            name,
            chosen_by: "settings",
            of_type: text(row, "type").to_string(),
        };
        let says_format = Properties::parse(&value).get("format").is_some();
        let note = match store.format(kind, key).filter(|_| !says_format) {
            Some(format) => Some(format!(
                "`{key}` on storage `{}` (type {}) is raw, which cannot be snapshotted: \
                 `,format={format}` behind it makes it so that it can",
                printable(&store.name, NAME_MAX_CHARS),
                store.of_type
            )),
            None => store.without_snapshots(kind, key),
        };
        notes.extend(note);
    }
    Ok(notes)
}

/// The storage in the argument, else the cluster's default, else `local-lvm`; it has to be on the
/// node and able to hold `content`.
///
/// # Errors
/// It is not; with those that are.
pub fn storage(
    reach: &Reach,
    node: &str,
    content: &str,
    given: Option<&str>,
) -> Result<DiskStorage, Error> {
    let cluster = reach.cluster()?;
    let default = cluster.default_storage.as_deref();
    let (name, whence, chosen_by) = match (given, default) {
        (Some(name), _) => (name, "", "storage argument"),
        (None, Some(name)) => (name, " (the cluster's default)", "default storage"),
        (None, None) => (
            STORAGE_FALLBACK,
            " (where none is said)",
            "no default storage is set",
        ),
    };
    let rows = reach.rows_at("/nodes/{node}/storage", &[node], "storage")?;
    let problem = match rows.iter().find(|row| text(row, "storage") == name) {
        None => format!("is not on node `{node}`, as far as the token sees"),
        Some(row) if !is_on(row, "enabled") => "is disabled".to_string(),
        Some(row) if !is_on(row, "active") => format!("is not active on node `{node}`"),
        Some(row) if !holds(row, content) => format!("does not hold `{content}`"),
        Some(row) => {
            return Ok(DiskStorage {
                name: name.to_string(),
                chosen_by,
                of_type: text(row, "type").to_string(),
            });
        }
    };
    let able = rows
        .iter()
        .filter(|row| is_on(row, "enabled") && is_on(row, "active") && holds(row, content));
    let able = names(able.map(|row| text(row, "storage")));
    let next = match (given, default) {
        (None, None) => unsaid(&cluster.settings, "storage", DEFAULT_STORAGE),
        _ => String::new(),
    };
    let elsewhere = reach.elsewhere(NamedSubject::Storage(name))?;
    Err(Error::bad(format!(
        "{}: storage `{name}`{whence} {problem}; that hold `{content}` there: \
         {able}{elsewhere}{next}",
        reach.cluster_name()
    )))
}

/// What to do where neither the call nor the configuration says it.
fn unsaid(settings: &Settings, argument: &str, field: &str) -> String {
    let variable = advice::variable(settings, field);
    format!("; say `{argument}`, or set `{variable}` for every call")
}

/// A row that does not say is taken for on: older releases leave it out.
fn is_on(row: &Value, key: &str) -> bool {
    row.get(key).is_none() || flag(row.get(key))
}

fn holds(row: &Value, content: &str) -> bool {
    text(row, "content")
        .split(',')
        .any(|held| held.trim() == content)
}

/// The bridge in the argument, else the cluster's default, else `vmbr0`; it has to be on the node, as
/// far as the token may see.
///
/// # Errors
/// It is not; with those that are.
pub fn bridge(reach: &Reach, node: &str, given: Option<&str>) -> Result<String, Error> {
    let cluster = reach.cluster()?;
    let default = cluster.default_bridge.as_deref();
    let (name, whence) = match (given, default) {
        (Some(name), _) => (name, ""),
        (None, Some(name)) => (name, " (the cluster's default)"),
        (None, None) => (BRIDGE_FALLBACK, " (where none is said)"),
    };
    let request = Request::new(Verb::Get, "/nodes/{node}/network", &[node])?;
    let rows = match reach.rows(&request.with("type", "any_bridge"), "iface") {
        Ok(rows) => rows,
        // What may not be read cannot be checked; Proxmox does not look before the guest starts.
        Err(error) if error.code == Code::Permission => Charged::default(),
        Err(error) => return Err(error),
    };
    if rows.is_empty() || rows.iter().any(|row| text(row, "iface") == name) {
        return Ok(name.to_string());
    }
    let next = match (given, default) {
        (None, None) => unsaid(&cluster.settings, "bridge", DEFAULT_BRIDGE),
        _ => String::new(),
    };
    Err(Error::bad(format!(
        "{}: bridge `{name}`{whence} is not on node `{node}`, as far as the token sees; there: \
         {}{next}",
        reach.cluster_name(),
        names(rows.iter().map(|row| text(row, "iface")))
    )))
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Names for a sentence.
pub fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    few(names, NAMES_MAX)
}

/// So many names for a sentence, and how many more there are.
pub fn few<'n>(names: impl Iterator<Item = &'n str>, max: usize) -> String {
    let mut shown: Vec<String> = names.map(|name| printable(name, NAME_MAX_CHARS)).collect();
    let more = shown.len().saturating_sub(max);
    shown.truncate(max);
    if shown.is_empty() {
        return "none".into();
    }
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &rest
}
