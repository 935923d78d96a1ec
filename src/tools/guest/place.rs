//! Where a guest or its disk goes: which node, storage and bridge, and whether they can take it.
//! Everything is looked at before anything is sent; a refusal names what would do.

use serde_json::Value;

use crate::error::Error;
use crate::fleet::index::Kind;
use crate::gate::reach::Reach;
use crate::proxmox::request::{Request, Verb};
use crate::text::printable;
use crate::tool::rows::{flag, number};
use crate::tools::disks;

/// Where neither the call nor the configuration names one (the Python package's).
const STORAGE_FALLBACK: &str = "local-lvm";
const BRIDGE_FALLBACK: &str = "vmbr0";
/// So many names are listed as what would do.
const NAMES_MAX: usize = 12;
const NAME_MAX_CHARS: usize = 120;

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
            Err(Error::BadArguments(problems)) => {
                self.0.extend(problems);
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
            None => Err(Error::BadArguments(std::mem::take(&mut self.0))),
        }
    }

    /// # Errors
    /// All problems, where there are any.
    pub fn end(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::BadArguments(self.0))
        }
    }
}

/// A node and why it was chosen.
pub struct Node {
    pub name: String,
    pub chosen_by: &'static str,
}

/// The node in the argument, else the cluster's default, else the one online with the most free
/// memory.
///
/// # Errors
/// It is not there or not online.
pub fn node(reach: &Reach, given: Option<&str>) -> Result<Node, Error> {
    let default = reach.cluster()?.default_node.as_deref();
    let named = given.map(|node| (node, "node argument"));
    let named = named.or_else(|| default.map(|node| (node, "default node")));
    if let Some((name, chosen_by)) = named {
        online(reach, name)?;
        return Ok(Node {
            name: name.to_string(),
            chosen_by,
        });
    }
    let rows = reach.rows_at("/nodes", &[], "node")?;
    let free = |row: &Value| number(row.get("maxmem")).saturating_sub(number(row.get("mem")));
    let best = online_rows(&rows).max_by(|(name, row), (other, other_row)| {
        // Of equals the first by name.
        (free(row), *other).cmp(&(free(other_row), *name))
    });
    let Some((name, _)) = best else {
        return Err(Error::bad(format!(
            "{}: no node is online",
            reach.cluster_name()
        )));
    };
    Ok(Node {
        name: name.to_string(),
        chosen_by: "most free memory",
    })
}

/// The nodes that are online.
fn online_rows(rows: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    rows.iter().filter_map(|row| {
        let online = text(row, "status") == "online";
        online.then(|| (text(row, "node"), row))
    })
}

/// Holds a node to be one of the cluster, and online.
///
/// # Errors
/// It is not; with those that are.
pub fn online(reach: &Reach, node: &str) -> Result<(), Error> {
    let rows = reach.rows_at("/nodes", &[], "node")?;
    if online_rows(&rows).any(|(name, _)| name == node) {
        return Ok(());
    }
    let what = if rows.iter().any(|row| text(row, "node") == node) {
        "is not online"
    } else {
        "is no node of the cluster"
    };
    Err(Error::bad(format!(
        "{}: `{node}` {what}; online: {}",
        reach.cluster_name(),
        names(online_rows(&rows).map(|(name, _)| name))
    )))
}

/// What a guest's disks are called in a storage's `content`.
pub fn disks_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Qemu => "images",
        Kind::Lxc => "rootdir",
    }
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
) -> Result<String, Error> {
    let default = reach.cluster()?.default_storage.as_deref();
    let (name, whence) = match (given, default) {
        (Some(name), _) => (name, ""),
        (None, Some(name)) => (name, " (the cluster's default)"),
        (None, None) => (STORAGE_FALLBACK, " (where none is said)"),
    };
    let rows = reach.rows_at("/nodes/{node}/storage", &[node], "storage")?;
    let problem = match rows.iter().find(|row| text(row, "storage") == name) {
        None => format!("is not on node `{node}`, as far as the token sees"),
        Some(row) if !is_on(row, "enabled") => "is disabled".to_string(),
        Some(row) if !is_on(row, "active") => format!("is not active on node `{node}`"),
        Some(row) if !holds(row, content) => format!("does not hold `{content}`"),
        Some(_) => return Ok(name.to_string()),
    };
    let able = rows
        .iter()
        .filter(|row| is_on(row, "enabled") && is_on(row, "active") && holds(row, content));
    let able = names(able.map(|row| text(row, "storage")));
    Err(Error::bad(format!(
        "{}: storage `{name}`{whence} {problem}; that hold `{content}` there: {able}",
        reach.cluster_name()
    )))
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
    let default = reach.cluster()?.default_bridge.as_deref();
    let (name, whence) = match (given, default) {
        (Some(name), _) => (name, ""),
        (None, Some(name)) => (name, " (the cluster's default)"),
        (None, None) => (BRIDGE_FALLBACK, " (where none is said)"),
    };
    let request = Request::new(Verb::Get, "/nodes/{node}/network", &[node])?;
    let rows = match reach.rows(&request.with("type", "any_bridge"), "iface") {
        Ok(rows) => rows,
        // What may not be read cannot be checked; Proxmox does not look before the guest starts.
        Err(Error::Denied { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if rows.is_empty() || rows.iter().any(|row| text(row, "iface") == name) {
        return Ok(name.to_string());
    }
    Err(Error::bad(format!(
        "{}: bridge `{name}`{whence} is not on node `{node}`, as far as the token sees; there: {}",
        reach.cluster_name(),
        names(rows.iter().map(|row| text(row, "iface")))
    )))
}

/// Holds a volume to be there: an ISO image (`iso`) or a container template (`vztmpl`).
///
/// # Errors
/// It is not; with those that are most like it.
pub fn volume(reach: &Reach, node: &str, volume: &str, content: &str) -> Result<(), Error> {
    let storage = disks::storage_of(volume).unwrap_or(volume);
    let path = "/nodes/{node}/storage/{storage}/content";
    let request = Request::new(Verb::Get, path, &[node, storage])?;
    let rows = match reach.rows(&request.with("content", content), "volid") {
        Ok(rows) => rows,
        Err(Error::Refused { message, .. }) => {
            return Err(Error::bad(format!(
                "{}: `{volume}` cannot be looked for: {message}",
                reach.cluster_name()
            )));
        }
        Err(error) => return Err(error),
    };
    let there: Vec<&str> = rows.iter().map(|row| text(row, "volid")).collect();
    if there.contains(&volume) {
        return Ok(());
    }
    Err(Error::bad(format!(
        "{}: `{volume}` is not on node `{node}`; `{content}` there: {}",
        reach.cluster_name(),
        names(nearest(volume, there).into_iter())
    )))
}

/// The names with those first that share the most words with `wanted`.
pub fn nearest<'a>(wanted: &str, mut names: Vec<&'a str>) -> Vec<&'a str> {
    let words = |name: &str| -> Vec<String> {
        let file = name.rsplit(['/', ':']).next().unwrap_or(name);
        let words = file.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_ascii_lowercase).collect()
    };
    let wanted = words(wanted);
    names.sort_by_key(|name| {
        let shared = words(name)
            .iter()
            .filter(|word| wanted.contains(word))
            .count();
        (std::cmp::Reverse(shared), *name)
    });
    names
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Names for a sentence.
pub fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut shown: Vec<String> = names.map(|name| printable(name, NAME_MAX_CHARS)).collect();
    let more = shown.len().saturating_sub(NAMES_MAX);
    shown.truncate(NAMES_MAX);
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
