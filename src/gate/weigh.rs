//! What a request weighs: one table from method, path and arguments to a mark and to what it
//! touches. The gate holds every request against it, whatever the tool declared.
//!
//! A GET reads. A write that has no row is `F?`.

use serde_json::{Map, Value};

use super::mark::Mark;
use crate::proxmox::request::{Request, Verb};

/// What a request does, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    pub mark: Mark,
    pub touches: Vec<Touch>,
}

/// One thing that a write touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// An existing guest.
    Guest(u32),
    /// A guest that the request makes.
    NewGuest(u32),
    /// A task, by its UPID.
    Task(String),
    /// Whatever a write without a row touches.
    Unlisted,
}

impl std::fmt::Display for Touch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Touch::Guest(vmid) | Touch::NewGuest(vmid) => write!(f, "guest {vmid}"),
            Touch::Task(upid) => write!(f, "task {upid}"),
            Touch::Unlisted => f.write_str("something unlisted"),
        }
    }
}

/// One row: a method and a path, what they weigh, and where what they touch is named.
struct Row {
    verb: Verb,
    path: &'static str,
    mark: Marked,
    touches: &'static [Named],
}

enum Marked {
    As(Mark),
    By(fn(&Map<String, Value>) -> Mark),
}

/// Where a row's request names what it touches.
#[derive(Clone, Copy)]
enum Named {
    /// The `{vmid}` of the path.
    Path,
    /// An existing guest, or several, in this parameter.
    Guests(&'static str),
    /// The new guest in this parameter, which is an existing one where `force` is set.
    New(&'static str),
    /// The `{upid}` of the path.
    Task,
}

const OPERATE: Marked = Marked::As(Mark::OPERATE);
const CUTS_OFF: Marked = Marked::As(Mark::OPERATE.interrupts());
const STOPS: Marked = Marked::As(Mark::OPERATE.interrupts().asks());
const CHANGE: Marked = Marked::As(Mark::CHANGE);
const FULL: Marked = Marked::As(Mark::FULL);
const OVERWRITES: Marked = Marked::As(Mark::FULL.interrupts());

const fn row(verb: Verb, path: &'static str, mark: Marked, touches: &'static [Named]) -> Row {
    Row {
        verb,
        path,
        mark,
        touches,
    }
}

/// `{kind}` stands for `qemu` and `lxc`.
static ROWS: &[Row] = &[
    row(
        Verb::Post,
        "/nodes/{node}/{kind}",
        Marked::By(create),
        &[Named::New("vmid")],
    ),
    row(
        Verb::Delete,
        "/nodes/{node}/{kind}/{vmid}",
        FULL,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/clone",
        CHANGE,
        &[Named::Path, Named::New("newid")],
    ),
    row(
        Verb::Put,
        "/nodes/{node}/{kind}/{vmid}/config",
        Marked::By(configure),
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/qemu/{vmid}/config",
        Marked::By(configure),
        &[Named::Path],
    ),
    row(
        Verb::Put,
        "/nodes/{node}/qemu/{vmid}/unlink",
        Marked::By(unlink),
        &[Named::Path],
    ),
    row(
        Verb::Put,
        "/nodes/{node}/{kind}/{vmid}/resize",
        CHANGE,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/qemu/{vmid}/move_disk",
        CHANGE,
        &[Named::Path, Named::Guests("target-vmid")],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/lxc/{vmid}/move_volume",
        CHANGE,
        &[Named::Path, Named::Guests("target-vmid")],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/qemu/{vmid}/migrate",
        OPERATE,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/lxc/{vmid}/migrate",
        Marked::By(migrate_container),
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/start",
        OPERATE,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/resume",
        OPERATE,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/shutdown",
        CUTS_OFF,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/reboot",
        CUTS_OFF,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/suspend",
        CUTS_OFF,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/status/stop",
        STOPS,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/qemu/{vmid}/status/reset",
        STOPS,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/snapshot",
        OPERATE,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/rollback",
        OVERWRITES,
        &[Named::Path],
    ),
    row(
        Verb::Delete,
        "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}",
        FULL,
        &[Named::Path],
    ),
    row(
        Verb::Post,
        "/nodes/{node}/vzdump",
        Marked::By(backup),
        &[Named::Guests("vmid")],
    ),
    row(
        Verb::Delete,
        "/nodes/{node}/tasks/{upid}",
        CUTS_OFF,
        &[Named::Task],
    ),
];

/// Weighs one request.
pub fn weigh(request: &Request) -> Weight {
    if request.verb == Verb::Get {
        return Weight {
            mark: Mark::READ,
            touches: Vec::new(),
        };
    }
    let Some((row, slots)) = ROWS.iter().find_map(|row| Some((row, row.slots(request)?))) else {
        return Weight {
            mark: Mark::FULL,
            touches: vec![Touch::Unlisted],
        };
    };
    let mark = match row.mark {
        Marked::As(mark) => mark,
        Marked::By(of) => of(&request.params),
    };
    let touches = row
        .touches
        .iter()
        .flat_map(|named| named.of(request, &slots));
    Weight {
        mark,
        touches: touches.collect(),
    }
}

/// Every row as method and path, for tests and documents.
pub fn rows() -> impl Iterator<Item = (Verb, &'static str)> {
    ROWS.iter().map(|row| (row.verb, row.path))
}

impl Row {
    /// The values of the path's slots, where the request is of this row.
    fn slots<'r>(&self, request: &'r Request) -> Option<Vec<(&'static str, &'r str)>> {
        if self.verb != request.verb {
            return None;
        }
        let mut slots = Vec::new();
        let mut parts = request.path.iter();
        for part in self.path.split('/').skip(1) {
            let given = parts.next()?;
            match part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            {
                Some("kind") if given != "qemu" && given != "lxc" => return None,
                Some(slot) => slots.push((slot, given.as_str())),
                None if part == given => {}
                None => return None,
            }
        }
        parts.next().is_none().then_some(slots)
    }
}

impl Named {
    fn of(self, request: &Request, slots: &[(&str, &str)]) -> Vec<Touch> {
        let slot = |name: &str| {
            let value = slots.iter().find(|(slot, _)| *slot == name);
            value.map(|(_, value)| *value).unwrap_or_default()
        };
        match self {
            Named::Path => vec![guest(slot("vmid"))],
            Named::Task => vec![Touch::Task(slot("upid").to_string())],
            Named::Guests(name) => match request.params.get(name) {
                None => Vec::new(),
                Some(value) => plain(value).split(',').map(guest).collect(),
            },
            Named::New(name) => {
                let vmid = request.params.get(name).map(plain).unwrap_or_default();
                match guest(&vmid) {
                    Touch::Guest(vmid) if !is_set(&request.params, "force") => {
                        vec![Touch::NewGuest(vmid)]
                    }
                    touch => vec![touch],
                }
            }
        }
    }
}

/// What cannot be read as a VMID is nothing that a call was allowed to touch.
fn guest(vmid: &str) -> Touch {
    vmid.trim().parse().map_or(Touch::Unlisted, Touch::Guest)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a boolean parameter is on, however it is written.
fn is_set(params: &Map<String, Value>, name: &str) -> bool {
    params
        .get(name)
        .is_some_and(|value| !matches!(plain(value).as_str(), "0" | "false"))
}

fn create(params: &Map<String, Value>) -> Mark {
    if is_set(params, "force") {
        Mark::FULL.interrupts()
    } else {
        Mark::CHANGE
    }
}

/// Removing `unusedN` destroys its volume, and so does `force`; removing a disk that is in use only
/// detaches it. Removing a network card cuts the guest off. What is made a
/// template never runs again.
fn configure(params: &Map<String, Value>) -> Mark {
    let delete = params.get("delete").map(plain).unwrap_or_default();
    let removed = || delete.split([',', ';', ' ']).map(str::trim);
    let destroys = is_set(params, "force") || is_set(params, "template");
    if destroys || removed().any(|key| key.starts_with("unused")) {
        Mark::FULL
    } else if removed().any(|key| key.starts_with("net")) {
        Mark::CHANGE.interrupts()
    } else {
        Mark::CHANGE
    }
}

/// A container that runs moves only by being stopped and started again, which has to be asked for.
fn migrate_container(params: &Map<String, Value>) -> Mark {
    if is_set(params, "restart") || is_set(params, "online") {
        Mark::OPERATE.interrupts()
    } else {
        Mark::OPERATE
    }
}

fn unlink(params: &Map<String, Value>) -> Mark {
    let disks = params.get("idlist").map(plain).unwrap_or_default();
    if is_set(params, "force") || disks.contains("unused") {
        Mark::FULL
    } else {
        Mark::CHANGE
    }
}

/// A backup is a copy, unless it prunes older ones (which the API does where `remove` is not sent),
/// writes to a folder of the caller's, runs a script, or takes whatever guests there are.
fn backup(params: &Map<String, Value>) -> Mark {
    let keeps = params.contains_key("remove") && !is_set(params, "remove");
    let heavy = [
        "dumpdir",
        "script",
        "tmpdir",
        "all",
        "pool",
        "stop",
        "prune-backups",
    ];
    if !keeps || !params.contains_key("vmid") || heavy.iter().any(|name| params.contains_key(*name))
    {
        return Mark::FULL.interrupts();
    }
    match params.get("mode").map(plain).as_deref() {
        None | Some("snapshot") => Mark::OPERATE,
        Some(_) => Mark::OPERATE.interrupts(),
    }
}
