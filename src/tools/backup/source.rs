//! What a restore reads and where it writes, looked at before anything is sent: a restore that fails
//! in its task leaves an empty guest behind.

use serde_json::Value;

use super::archives::{self, Archive, ArchiveName, BackupStorage};
use super::stores::NodeStorages;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tools::disks;

/// What [`BackupSource::find`] sends of its own.
pub const READS: &[Sending] = &[sending::get("/nodes/{node}/vzdump/extractconfig")];

/// So many other archives are named where one is not found.
const OTHERS_SHOWN_MAX: usize = 5;
const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const AS_ARCHIVED: &str = "as in the backup";

/// An archive that is there, with the node that will read it.
pub struct BackupSource {
    pub archive: Archive,
    kind: GuestKind,
    /// The configuration in it, where that can be read.
    pub config: Option<Value>,
}

impl BackupSource {
    /// Looks for `volume` on `node`, or on any node, by `near` if it can.
    ///
    /// # Errors
    /// As [`FoundArchive::find`].
    pub fn find(
        reach: &Reach,
        volume: &str,
        named: ArchiveName,
        node: Option<&str>,
        near: Option<&str>,
    ) -> Result<BackupSource, Error> {
        let found = FoundArchive::find(reach, volume, named, node, near)?;
        Ok(BackupSource {
            config: config(reach, &found.archive)?,
            kind: named.kind,
            archive: found.archive,
        })
    }
}

/// An archive that is there, and where else there may be some of its guest.
pub struct FoundArchive {
    pub archive: Archive,
    /// The others of the same storage.
    pub beside: Vec<Archive>,
    /// The places of that storage that did not answer, with the reason.
    pub silent: Vec<Value>,
    /// Where nobody has looked.
    pub elsewhere: Vec<BackupStorage>,
}

impl FoundArchive {
    /// Looks for `volume` on `node`, or on any node, by `near` if it can.
    ///
    /// # Errors
    /// It is not there, or on several nodes, or the node does not have its storage.
    pub fn find(
        reach: &Reach,
        volume: &str,
        named: ArchiveName,
        node: Option<&str>,
        near: Option<&str>,
    ) -> Result<FoundArchive, Error> {
        let cluster = reach.cluster_name();
        let storage = disks::storage_of(volume).unwrap_or_default();
        let places = archives::places(reach, near)?;
        let there = archives::storages(&places);
        let of_storage = |place: &BackupStorage| place.storage == storage;
        let on_node = |place: &BackupStorage| node.is_none_or(|node| place.node == node);
        if !places.iter().any(of_storage) {
            let elsewhere = reach.elsewhere(NamedSubject::Storage(storage))?;
            return Err(Error::bad(format!(
                "{cluster}: no storage `{storage}` takes backups; {there}{elsewhere}"
            )));
        }
        let (places, elsewhere): (Vec<_>, Vec<_>) = places
            .into_iter()
            .partition(|place| of_storage(place) && on_node(place));
        if places.is_empty() {
            let node = node.unwrap_or_default();
            let elsewhere = reach.elsewhere(NamedSubject::Node(node))?;
            return Err(Error::bad(format!(
                "{cluster}: storage `{storage}` is not on node `{node}`, or the \
                 node does not answer{elsewhere}"
            )));
        }
        let mut found = archives::ask(reach, &places, Some(named.vmid))?;
        let (mut matching, beside): (Vec<Archive>, Vec<Archive>) = found
            .archives
            .drain(..)
            .partition(|one| one.volume == volume);
        match (matching.pop(), matching.as_slice()) {
            (Some(archive), []) => Ok(FoundArchive {
                archive,
                beside,
                silent: found.silent,
                elsewhere,
            }),
            (Some(archive), rest) => {
                let nodes: Vec<&str> = rest
                    .iter()
                    .chain([&archive])
                    .map(|one| one.node.as_str())
                    .collect();
                let nodes = nodes.join(", ");
                Err(Error::bad(format!(
                    "{cluster}: several nodes have a `{volume}` of their own: say `node`: {nodes}"
                )))
            }
            (None, _) => {
                let why = not_found(volume, named, &beside, &found.silent);
                Err(Error::bad(format!("{cluster}: {why}")))
            }
        }
    }
}

impl BackupSource {
    /// The name that the guest gets where none is given.
    pub fn name(&self) -> Option<&str> {
        let key = match self.kind {
            GuestKind::Qemu => "name",
            GuestKind::Lxc => "hostname",
        };
        self.config.as_ref()?.get(key)?.as_str()
    }
}

fn not_found(volume: &str, named: ArchiveName, others: &[Archive], silent: &[Value]) -> String {
    let listed = others.iter().take(OTHERS_SHOWN_MAX);
    let listed: Vec<String> = listed
        .map(|one| printable(&one.volume, VOLUME_MAX_CHARS))
        .collect();
    let there = match listed.join(", ") {
        // Both look alike: archives of guests that may not be backed up are left out.
        none if none.is_empty() => format!(
            "there is none of guest {}, or the token lacks `VM.Backup` on it",
            named.vmid
        ),
        names => format!("of guest {} there are: {names}", named.vmid),
    };
    let unread: Vec<&str> = silent
        .iter()
        .filter_map(|place| place.get("why")?.as_str())
        .collect();
    match unread.join("; ") {
        none if none.is_empty() => format!("`{volume}` is not listed; {there}"),
        why => format!("whether there is `{volume}` is not known: {why}"),
    }
}

/// The configuration in an archive; nothing where it cannot be read.
fn config(reach: &Reach, archive: &Archive) -> Result<Option<Value>, Error> {
    let path = "/nodes/{node}/vzdump/extractconfig";
    let request = Request::new(Verb::Get, path, &[&archive.node])?;
    match reach.send(&request.with("volume", archive.volume.as_str())) {
        Ok(reply) => Ok(reply.data.as_str().map(config_of)),
        Err(error) if matches!(error.code, Code::Proxmox | Code::Permission) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A configuration as it is written in an archive, without the states of its snapshots.
pub fn config_of(text: &str) -> Value {
    // Behind the present state stand those of the snapshots, each under its name.
    let lines = text.lines().take_while(|line| !line.starts_with('['));
    let options = lines.filter(|line| !line.starts_with('#'));
    let options = options.filter_map(|line| line.split_once(':'));
    let options = options.map(|(key, value)| (key.trim().to_string(), value.trim().into()));
    Value::Object(options.collect())
}

/// Where the disks go.
pub struct RestoreTarget {
    /// As it is sent; nothing leaves each disk to the storage of its name.
    pub sent: Option<String>,
    /// As the answer says it.
    pub shown: String,
    /// What chose it.
    pub chosen_by: String,
}

impl RestoreTarget {
    /// The storage that was named; else those of the archive, if the node has them; else the
    /// cluster's default, or that of the installer.
    ///
    /// # Errors
    /// None of these is there for disks.
    pub fn choose(
        reach: &Reach,
        source: &BackupSource,
        given: Option<&str>,
    ) -> Result<RestoreTarget, Error> {
        let node = source.archive.node.as_str();
        let content = match source.kind {
            GuestKind::Qemu => "images",
            GuestKind::Lxc => "rootdir",
        };
        let stores = NodeStorages::read(reach, node, content)?;
        if let Some(name) = given {
            let name = stores.need(reach, name)?;
            return Ok(RestoreTarget {
                shown: name.clone(),
                sent: Some(name),
                chosen_by: "storage argument".into(),
            });
        }
        let own = source
            .config
            .as_ref()
            .map(|config| disks::storages(config, source.kind));
        let own = own.as_deref();
        let missing: Vec<&str> = own
            .unwrap_or_default()
            .iter()
            .map(String::as_str)
            .filter(|name| !stores.takes(name))
            .collect();
        match (source.kind, own) {
            (GuestKind::Qemu, None) => {
                return Ok(RestoreTarget {
                    sent: None,
                    shown: "those of the archive, unread".into(),
                    chosen_by: AS_ARCHIVED.into(),
                });
            }
            (GuestKind::Qemu, Some(own)) if missing.is_empty() => {
                return Ok(RestoreTarget {
                    sent: None,
                    shown: own.join(", "),
                    chosen_by: AS_ARCHIVED.into(),
                });
            }
            // A container goes to one storage, which is `local` unless it is said.
            (GuestKind::Lxc, Some([first, rest @ ..])) if missing.is_empty() => {
                return Ok(RestoreTarget {
                    sent: Some(first.clone()),
                    shown: first.clone(),
                    chosen_by: match rest {
                        [] => AS_ARCHIVED.into(),
                        _ => "as the first disk in the backup".into(),
                    },
                });
            }
            _ => {}
        }
        let why = match missing.join(", ") {
            names if names.is_empty() => "its own storages cannot be read".to_string(),
            names => format!("node `{node}` does not take its disks on: {names}"),
        };
        match stores.for_disks(reach)? {
            Some((name, chosen_by)) => Ok(RestoreTarget {
                shown: name.clone(),
                sent: Some(name),
                chosen_by: format!("{chosen_by}; {why}"),
            }),
            None => Err(Error::bad(format!(
                "{}: the archive's {why}: say `storage`; {}",
                reach.cluster_name(),
                stores.there()
            ))),
        }
    }
}
