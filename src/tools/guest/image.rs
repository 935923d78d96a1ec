//! An ISO image or a container template that a call names: held to be there before anything is sent, and
//! where it is not, those that are.

use serde_json::Value;

use super::place;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::charged::Charged;
use crate::error::{Code, Error};
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::text::repeated;
use crate::tools::disks;
use crate::wait;

/// What is read of an image that a disk is made of.
pub const READS: &[Sending] = &[
    sending::get("/nodes/{node}/storage"),
    // Who may put a disk there sees it, too.
    sending::get("/nodes/{node}/storage/{storage}/content").beside(),
];

/// So many are listed, the most like first.
const SHOWN_MAX: usize = 6;
/// So many storages are asked which they have.
const STORAGES_MAX: usize = 8;

/// Holds a volume of this `content` (`iso`, `vztmpl`) to be on the node.
///
/// # Errors
/// It is not; with those on all storages of the node that are most like it.
pub(super) fn check(reach: &Reach, node: &str, volume: &str, content: &str) -> Result<(), Error> {
    let storage = disks::storage_of(volume);
    let problem = match storage.map(|storage| on(reach, node, storage, content)) {
        None => "is written without its storage".to_string(),
        Some(Ok(rows)) if rows.iter().any(|row| volid(row) == volume) => return Ok(()),
        Some(Ok(_)) => format!("is not on node `{node}`"),
        Some(Err(error)) if error.code == Code::Proxmox => {
            let elsewhere = reach.elsewhere(NamedSubject::Storage(storage.unwrap_or_default()))?;
            format!("cannot be looked for: {}{elsewhere}", error.cause)
        }
        Some(Err(error)) => return Err(error),
    };
    Err(Error::bad(format!(
        "{}: `{}` {problem}; `{content}` there: {}",
        reach.cluster_name(),
        repeated(volume),
        there(reach, node, volume, content)?
    )))
}

/// Those on the storages of the node, for a sentence; a storage that does not tell is named.
fn there(reach: &Reach, node: &str, volume: &str, content: &str) -> Result<String, Error> {
    let look = || -> Result<(Vec<String>, Vec<String>), Error> {
        let request = Request::new(Verb::Get, "/nodes/{node}/storage", &[node])?;
        let request = request.with("content", content).with("enabled", true);
        let storages = reach.rows(&request, "storage")?;
        let names = storages
            .iter()
            .filter_map(|row| row.get("storage")?.as_str());
        let (mut found, mut silent) = (Vec::new(), Vec::new());
        for (place, name) in names.enumerate() {
            let rows = match place < STORAGES_MAX {
                true => on(reach, node, name, content),
                false => Ok(Charged::default()),
            };
            match rows {
                Ok(rows) => found.extend(rows.iter().map(|row| volid(row).to_string())),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => silent.push(name.to_string()),
            }
        }
        Ok((found, silent))
    };
    let looked = match wait::remaining() {
        Some(left) => wait::within(left / 2, look),
        None => look(),
    };
    let (found, silent) = match looked {
        Ok(looked) => looked,
        Err(error) if error.is_cancelled() => return Err(error),
        // What is wrong with the call is known all the same.
        Err(_) => return Ok("not known".into()),
    };
    let found = nearest(volume, found.iter().map(String::as_str).collect());
    let mut there = place::few(found.into_iter(), SHOWN_MAX);
    if !silent.is_empty() {
        let silent = place::names(silent.iter().map(String::as_str));
        there.push_str(&format!(" (not read: {silent})"));
    }
    Ok(there)
}

/// What of this content a storage has, as the node tells.
fn on(
    reach: &Reach,
    node: &str,
    storage: &str,
    content: &str,
) -> Result<Charged<Vec<Value>>, Error> {
    let path = "/nodes/{node}/storage/{storage}/content";
    let request = Request::new(Verb::Get, path, &[node, storage])?;
    reach.rows(&request.with("content", content), "volid")
}

fn volid(row: &Value) -> &str {
    row.get("volid").and_then(Value::as_str).unwrap_or_default()
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
