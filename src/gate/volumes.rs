//! Who uses the volumes that a write names or changes, beside the guest that it is on: by the storages'
//! own lists and by the guests' configurations, not by a name alone.
//!
//! What is the guest's own by its name costs nothing more, but where rules protect guests that may use it
//! too and it is lost by the write. Anything else is looked for, within a limit: what is not found out
//! may be anybody's.

mod search;
mod show;

use serde_json::Value;

use super::reach::Reach;
use crate::api::loose::{self, plain};
use crate::api::methods::{ChangedVolumes, SharedVolume, Volumes, drive};
use crate::api::request::{Request, Verb};
use crate::api::volume;
use crate::error::{Code, Error, Happened};
use search::VolumeSearch;

pub(super) use show::shown;

/// The guest that a write is on, or makes.
#[derive(Clone, Copy)]
pub(super) struct WrittenGuest<'o> {
    pub(super) vmid: u32,
    pub(super) node: &'o str,
}

/// The volumes that a request is about and that are another guest's too.
///
/// # Errors
/// The call was withdrawn, or the cluster is not reached.
pub(super) fn of(
    reach: &Reach,
    request: &Request,
    volumes: &Volumes,
) -> Result<Vec<SharedVolume>, Error> {
    let part = |at: usize| request.path.get(at).map(String::as_str).unwrap_or_default();
    let made = request.params.get("vmid").map(plain).unwrap_or_default();
    let vmid = match part(3) {
        "" => made.as_str(),
        vmid => vmid,
    };
    let own = WrittenGuest {
        vmid: vmid.parse().unwrap_or_default(),
        node: part(1),
    };
    let mut shared = others(reach, own, &volumes.named, true)?;
    let at = [part(1), part(2), vmid];
    let snapshot = if part(4) == "snapshot" { part(5) } else { "" };
    let more = match held(reach, at, snapshot, &volumes.held) {
        Ok(held) => others(reach, own, &held, volumes.lost)?,
        Err(error) => vec![untold("its disks", error)?],
    };
    let more = match volumes.held {
        ChangedVolumes::OfNode => of_node(reach, own.node, more)?,
        _ => more,
    };
    for one in more {
        if !shared.contains(&one) {
            shared.push(one);
        }
    }
    Ok(shared)
}

/// The volumes that a guest has, or had in the snapshot that a request takes away or goes back to.
fn held(
    reach: &Reach,
    at: [&str; 3],
    snapshot: &str,
    held: &ChangedVolumes,
) -> Result<Vec<String>, Error> {
    match held {
        ChangedVolumes::None => Ok(Vec::new()),
        ChangedVolumes::Under(keys) if keys.is_empty() => Ok(Vec::new()),
        ChangedVolumes::Under(keys) => {
            let config = reach.config_of(at)?;
            Ok(under(&config, |key| keys.iter().any(|meant| meant == key)))
        }
        ChangedVolumes::OfNode => Ok(in_config(&reach.config_of(at)?)),
        ChangedVolumes::All if snapshot.is_empty() => Ok(in_config(&reach.config_of(at)?)),
        ChangedVolumes::All => {
            let [node, kind, vmid] = at;
            let path = "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config";
            let config = reach.look_at(path, &[node, kind, vmid, snapshot])?;
            Ok(in_config(&config))
        }
    }
}

/// Those that are not on a storage which all nodes share, as far as that is known.
fn of_node(
    reach: &Reach,
    node: &str,
    mut volumes: Vec<SharedVolume>,
) -> Result<Vec<SharedVolume>, Error> {
    if volumes.is_empty() {
        return Ok(volumes);
    }
    let request = Request::new(Verb::Get, "/nodes/{node}/storage", &[node])?;
    match reach.look_through(&request, "storage") {
        Ok(storages) => volumes.retain(|one| {
            let storage = one.volume.split_once(':').map(|(storage, _)| storage);
            let mut rows = storages.iter();
            let row = rows.find(|row| row.get("storage").and_then(Value::as_str) == storage);
            !row.is_some_and(|row| loose::flag(row.get("shared")))
        }),
        Err(error) => {
            why(error)?;
        }
    }
    Ok(volumes)
}

/// The volumes in a guest's configuration, whatever they are used for.
pub fn in_config(config: &Value) -> Vec<String> {
    under(config, drive::is_key)
}

fn under(config: &Value, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let options = config.as_object().into_iter().flatten();
    let mut volumes: Vec<String> = options
        .filter(|(key, _)| is_meant(key))
        .flat_map(|(key, value)| drive::named(key, value))
        // A device or folder of the node that the guest has is none of a storage.
        .filter(|volume| !volume.starts_with('/'))
        .collect();
    volumes.sort_unstable();
    volumes.dedup();
    volumes
}

/// Who beside `own` uses these volumes. `lost`: whoever uses them loses them by it, or may.
///
/// # Errors
/// The call was withdrawn, or the cluster is not reached.
pub(super) fn others(
    reach: &Reach,
    own: WrittenGuest,
    volumes: &[String],
    lost: bool,
) -> Result<Vec<SharedVolume>, Error> {
    let mut shared = Vec::new();
    let mut search = VolumeSearch::new(reach, own);
    for volume in volumes {
        let VolumeUsers { vmids, unknown } = users(reach, &mut search, own, volume, lost)?;
        let with = vmids.into_iter().map(Ok).chain(unknown.map(Err));
        shared.extend(with.map(|with| SharedVolume {
            volume: volume.clone(),
            with,
        }));
    }
    Ok(shared)
}

fn untold(volume: &str, error: Error) -> Result<SharedVolume, Error> {
    Ok(SharedVolume {
        volume: volume.to_string(),
        with: Err(why(error)?),
    })
}

/// Why something cannot be found out, as far as that is an answer.
fn why(mut error: Error) -> Result<String, Error> {
    match error.code {
        Code::Cancelled | Code::ClusterConnection => Err(error),
        _ => {
            // What has been sent is said by whoever repeats it.
            error.happened = Happened::Unknown;
            Ok(error.to_string())
        }
    }
}

/// Who uses a volume.
#[derive(Default)]
pub(super) struct VolumeUsers {
    pub(super) vmids: Vec<u32>,
    /// Why there may be others.
    pub(super) unknown: Option<String>,
}

/// The guests that use a volume of a storage, as one that is deleted there.
///
/// # Errors
/// The call was withdrawn, or the cluster is not reached.
pub(super) fn users_of(reach: &Reach, node: &str, volume: &str) -> Result<VolumeUsers, Error> {
    let own = WrittenGuest { vmid: 0, node };
    users(reach, &mut VolumeSearch::new(reach, own), own, volume, true)
}

/// The guests whose configuration has a volume as it is now or waits for a restart, whatever its name says, and
/// those whose linked clones stand on it. What is known is told even where some of them cannot be looked at.
///
/// # Errors
/// The call was withdrawn, or the cluster is not reached.
pub(super) fn configured_in(reach: &Reach, node: &str, volume: &str) -> Result<VolumeUsers, Error> {
    let mut users = VolumeUsers::default();
    let Some((storage, _)) = volume.split_once(':') else {
        return Ok(users);
    };
    let mut search = VolumeSearch::new(reach, WrittenGuest { vmid: 0, node });
    match search.all(storage, volume) {
        Ok(found) => users.vmids = found,
        Err(error) => users.unknown = Some(why(error)?),
    }
    if volume::is_base(volume) {
        match clones(reach, node, storage, volume) {
            Ok(found) => users.vmids.extend(found),
            Err(error) => users.unknown = Some(why(error)?),
        }
    }
    users.vmids.sort_unstable();
    users.vmids.dedup();
    Ok(users)
}

/// The guests beside `own` that use a volume.
fn users(
    reach: &Reach,
    search: &mut VolumeSearch,
    own: WrittenGuest,
    volume: &str,
    lost: bool,
) -> Result<VolumeUsers, Error> {
    let mut users = VolumeUsers::default();
    let Some((storage, _)) = volume.split_once(':') else {
        let why = "whose a device or folder of a node is, it does not say";
        users.unknown = Some(why.into());
        return Ok(users);
    };
    if volume::is_of_no_guest(volume) {
        return Ok(users);
    }
    users.vmids = volume::vmids_in(volume).collect();
    let is_own = !users.vmids.is_empty() && users.vmids.iter().all(|vmid| *vmid == own.vmid);
    let mut add = |found: Result<Vec<u32>, Error>| {
        match found {
            Ok(found) => users.vmids.extend(found),
            Err(error) => users.unknown = Some(why(error)?),
        }
        Ok::<(), Error>(())
    };
    if !is_own || volume::is_base(volume) {
        add(listed(reach, own.node, storage, volume))?;
    }
    if !is_own {
        add(search.all(storage, volume))?;
    } else if lost {
        add(search.protected(storage, volume))?;
    }
    if users.vmids.is_empty() && users.unknown.is_none() {
        let why = "neither its name nor its storage nor a guest's configuration says whose it is";
        users.unknown = Some(why.into());
    }
    users.vmids.sort_unstable();
    users.vmids.dedup();
    users.vmids.retain(|vmid| *vmid != own.vmid);
    Ok(users)
}

/// Whose a volume is by the storage's own list, and whose linked clones stand on it.
fn listed(reach: &Reach, node: &str, storage: &str, volume: &str) -> Result<Vec<u32>, Error> {
    let is_it = |row: &Value| row.get("volid").and_then(Value::as_str) == Some(volume);
    of_rows(reach, node, storage, &|row| {
        is_it(row) || volume::is_clone_of(row, volume)
    })
}

/// Whose linked clones stand on a volume.
fn clones(reach: &Reach, node: &str, storage: &str, volume: &str) -> Result<Vec<u32>, Error> {
    of_rows(reach, node, storage, &|row| {
        volume::is_clone_of(row, volume)
    })
}

/// Whose the volumes of a storage are, by its own list.
fn of_rows(
    reach: &Reach,
    node: &str,
    storage: &str,
    is_meant: &dyn Fn(&Value) -> bool,
) -> Result<Vec<u32>, Error> {
    let path = "/nodes/{node}/storage/{storage}/content";
    let request = Request::new(Verb::Get, path, &[node, storage])?;
    let rows = reach.look_through(&request, "volid")?;
    let rows = rows.iter().filter(|row| is_meant(row));
    Ok(rows.filter_map(vmid_of).collect())
}

pub(super) fn vmid_of(row: &Value) -> Option<u32> {
    loose::vmid(row.get("vmid")?)
}

/// A request that reads a guest's configuration with what waits for a restart.
fn pending(node: &str, kind: &str, vmid: &str) -> Result<Request, Error> {
    let path = "/nodes/{node}/{kind}/{vmid}/pending";
    Request::new(Verb::Get, path, &[node, kind, vmid])
}
