//! What a backup job may name of what a cluster has. Proxmox takes guests and storages that are not there
//! without a word.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::repeated;
use crate::tool::args::Args;
use crate::tool::rows::NAME_BYTES;

#[derive(Default)]
pub(super) struct Nameable {
    /// By VMID: the name, and the tags.
    guests: BTreeMap<u32, (String, Vec<String>)>,
    /// Those that take backups.
    storages: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

impl Nameable {
    pub(super) fn read(reach: &Reach) -> Result<Nameable, Error> {
        let mut listed = Nameable::default();
        reach.resources(&mut |row| {
            room::note(NAME_BYTES);
            match row.kind() {
                ResourceKind::Node => drop(listed.nodes.insert(row.node.to_string())),
                ResourceKind::Storage if row.content.split(',').any(|one| one == "backup") => {
                    listed.storages.insert(row.storage().to_string());
                }
                kind if kind.is_guest() => {
                    let tags = row.tags().map(str::to_owned).collect();
                    let guest = (row.name().to_string(), tags);
                    if let Some(vmid) = row.vmid() {
                        listed.guests.insert(vmid, guest);
                    }
                }
                _ => {}
            }
        })?;
        Ok(listed)
    }

    /// Refuses a storage or node that is not there.
    pub(super) fn check(&self, reach: &Reach, args: &Args) -> Result<(), Error> {
        let kinds = [
            ("storage", "storage that takes backups", &self.storages),
            ("node", "node", &self.nodes),
        ];
        let missing = kinds.into_iter().filter_map(|(key, kind, there)| {
            let named = args.text(key)?;
            let names = || {
                there
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            (!there.contains(named))
                .then(|| format!("there is no {kind} `{named}`; there are: {}", names()))
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let cluster = reach.cluster_name();
        Err(Error::bad(format!("{cluster}: {}", missing.join("; "))))
    }

    /// The VMIDs of those that are named.
    pub(super) fn guests(
        &self,
        reach: &Reach,
        name: &str,
        named: &[&str],
    ) -> Result<Vec<u32>, Error> {
        let mut vmids = BTreeSet::new();
        let mut problems = Vec::new();
        for word in named {
            let is_it =
                |(vmid, (name, _)): &(&u32, &(String, Vec<String>))| match word.parse::<u32>() {
                    Ok(number) => **vmid == number,
                    Err(_) => name == word,
                };
            let found: Vec<u32> = self
                .guests
                .iter()
                .filter(is_it)
                .map(|(vmid, _)| *vmid)
                .collect();
            match found.as_slice() {
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

    pub(super) fn tagged(&self, reach: &Reach, tag: &str) -> Result<Vec<u32>, Error> {
        let bears =
            |(_, (_, tags)): &(&u32, &(String, Vec<String>))| tags.iter().any(|one| one == tag);
        let vmids: Vec<u32> = self
            .guests
            .iter()
            .filter(bears)
            .map(|(vmid, _)| *vmid)
            .collect();
        if vmids.is_empty() {
            return Err(Error::bad(format!(
                "{}: no guest that the token sees bears the tag `{tag}`",
                reach.cluster_name()
            )));
        }
        Ok(vmids)
    }
}
