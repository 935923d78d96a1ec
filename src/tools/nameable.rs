//! What a call may name of what a cluster has: guests in a list, storages, nodes. Proxmox takes in some
//! places what is not there without a word, and in others refuses one at a time.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::methods::Sending;
use crate::api::methods::permissions::{SEES_GUESTS, SEES_NODES, SEES_STORAGES};
use crate::api::methods::sending;
use crate::error::Error;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::repeated;
use crate::tool::rows::NAME_BYTES;

/// What [`Nameable::read`] sends.
pub const READS: &[Sending] =
    &[sending::get("/cluster/resources").seeing(&[SEES_GUESTS, SEES_STORAGES, SEES_NODES])];

#[derive(Default)]
pub struct Nameable {
    guests: BTreeMap<u32, NameableGuest>,
    storages: BTreeSet<String>,
    /// Those of the storages that take backups.
    backup_storages: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

struct NameableGuest {
    name: String,
    tags: Vec<String>,
    /// The pool that it is in itself; empty where it is in none.
    pool: String,
}

/// What is named where no guest is meant.
#[derive(Clone, Copy)]
pub enum NameableKind {
    Node,
    Storage,
    BackupStorage,
}

impl Nameable {
    /// Reads all of it, as far as the token sees it.
    ///
    /// # Errors
    /// The cluster cannot be read.
    pub fn read(reach: &Reach) -> Result<Nameable, Error> {
        let mut listed = Nameable::default();
        reach.resources(&mut |row| {
            room::note(NAME_BYTES);
            match row.kind() {
                ResourceKind::Node => drop(listed.nodes.insert(row.node.to_string())),
                ResourceKind::Storage => {
                    let storage = row.storage().to_string();
                    if row.content.split(',').any(|one| one == "backup") {
                        listed.backup_storages.insert(storage.clone());
                    }
                    listed.storages.insert(storage);
                }
                kind if kind.is_guest() => {
                    let guest = NameableGuest {
                        name: row.name().to_string(),
                        tags: row.tags().map(str::to_owned).collect(),
                        pool: row.pool.to_string(),
                    };
                    if let Some(vmid) = row.vmid() {
                        listed.guests.insert(vmid, guest);
                    }
                }
                _ => {}
            }
        })?;
        Ok(listed)
    }

    /// What is wrong with this name; nothing where there is such a thing.
    pub fn missing(&self, kind: NameableKind, named: &str) -> Option<String> {
        let (kind, there) = match kind {
            NameableKind::Node => ("node", &self.nodes),
            NameableKind::Storage => ("storage", &self.storages),
            NameableKind::BackupStorage => ("storage that takes backups", &self.backup_storages),
        };
        if there.contains(named) {
            return None;
        }
        let names: Vec<&str> = there.iter().map(String::as_str).collect();
        let (named, names) = (repeated(named), names.join(", "));
        Some(format!("there is no {kind} `{named}`; there are: {names}"))
    }

    /// The VMIDs of the guests that the argument `name` names, each once.
    ///
    /// # Errors
    /// All that name none, or several.
    pub fn guests(&self, reach: &Reach, name: &str, named: &[&str]) -> Result<Vec<u32>, Error> {
        let mut vmids = BTreeSet::new();
        let mut problems = Vec::new();
        for word in named {
            let is_it = |(vmid, guest): &(&u32, &NameableGuest)| match word.parse::<u32>() {
                Ok(number) => **vmid == number,
                Err(_) => guest.name == *word,
            };
            match self.vmids(is_it).as_slice() {
                [vmid] => drop(vmids.insert(*vmid)),
                [] => problems.push(format!(
                    "`{name}` has `{}`, which no guest is that the token sees",
                    repeated(word)
                )),
                several => {
                    let several: Vec<String> = several.iter().map(u32::to_string).collect();
                    problems.push(format!(
                        "`{name}` has `{}`, as which several are known: {}",
                        repeated(word),
                        several.join(", ")
                    ));
                }
            }
        }
        if problems.is_empty() {
            return Ok(vmids.into_iter().collect());
        }
        let cluster = reach.cluster_name();
        Err(Error::bad(format!("{cluster}: {}", problems.join("; "))))
    }

    /// Those that bear a tag.
    ///
    /// # Errors
    /// None does.
    pub fn tagged(&self, reach: &Reach, tag: &str) -> Result<Vec<u32>, Error> {
        let vmids = self.vmids(|(_, guest)| guest.tags.iter().any(|one| one == tag));
        if vmids.is_empty() {
            return Err(Error::bad(format!(
                "{}: no guest that the token sees bears the tag `{tag}`",
                reach.cluster_name()
            )));
        }
        Ok(vmids)
    }

    /// The pool that a guest is in itself.
    pub fn pool_of(&self, vmid: u32) -> Option<&str> {
        let pool = self.guests.get(&vmid)?.pool.as_str();
        (!pool.is_empty()).then_some(pool)
    }

    fn vmids(&self, is_it: impl Fn(&(&u32, &NameableGuest)) -> bool) -> Vec<u32> {
        let found = self.guests.iter().filter(is_it);
        found.map(|(vmid, _)| *vmid).collect()
    }
}
