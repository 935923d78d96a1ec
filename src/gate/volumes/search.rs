//! The guests whose configuration has a volume, among those that may use its storage.

use serde_json::Value;

use super::{WrittenGuest, pending};
use crate::api::methods::drive;
use crate::config::rule::{Rule, RuleTarget};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::fleet::resource::{Resource, ResourceKind};
use crate::gate::reach::Reach;

/// So many configurations are read for one write.
const READ_MAX: usize = 64;

/// The guests of the cluster, read once where they are needed.
pub(super) struct VolumeSearch<'s> {
    reach: &'s Reach<'s>,
    own: WrittenGuest<'s>,
    known: Option<ClusterInventory>,
    /// The volumes in the configurations that were read, by VMID.
    read: Vec<(u32, Vec<String>)>,
}

struct ClusterInventory {
    guests: Vec<Candidate>,
    /// Each storage, and whether it is on several nodes at once.
    storages: Vec<(String, bool)>,
}

struct Candidate {
    vmid: u32,
    kind: GuestKind,
    node: String,
    /// Whether a rule protects it, as far as the list tells.
    is_protected: bool,
}

impl<'s> VolumeSearch<'s> {
    pub(super) fn new(reach: &'s Reach<'s>, own: WrittenGuest<'s>) -> VolumeSearch<'s> {
        VolumeSearch {
            reach,
            own,
            known: None,
            read: Vec::new(),
        }
    }

    /// The guests that use a volume and that a rule protects.
    ///
    /// # Errors
    /// They cannot be found out.
    pub(super) fn protected(&mut self, storage: &str, volume: &str) -> Result<Vec<u32>, Error> {
        if self.reach.cluster()?.protect.is_empty() {
            return Ok(Vec::new());
        }
        self.among(storage, volume, true)
    }

    /// The guests that use a volume.
    ///
    /// # Errors
    /// As [`VolumeSearch::protected`].
    pub(super) fn all(&mut self, storage: &str, volume: &str) -> Result<Vec<u32>, Error> {
        self.among(storage, volume, false)
    }

    fn among(&mut self, storage: &str, volume: &str, protected: bool) -> Result<Vec<u32>, Error> {
        let reach = self.reach;
        let known = match self.known.take() {
            Some(known) => known,
            None => ClusterInventory::read(reach)?,
        };
        let own = self.own;
        let Some((_, is_shared)) = known.storages.iter().find(|(name, _)| name == storage) else {
            self.known = Some(known);
            return Err(Error::bad(format!(
                "which guests may use storage `{storage}` cannot be told: the cluster does not list it"
            )));
        };
        let may_use = |guest: &&Candidate| {
            guest.vmid != own.vmid
                && (*is_shared || guest.node == own.node)
                && (guest.is_protected || !protected)
        };
        let mut users = Vec::new();
        let result = known.guests.iter().filter(may_use).try_for_each(|guest| {
            if self.volumes(guest)?.iter().any(|used| used == volume) {
                users.push(guest.vmid);
            }
            Ok(())
        });
        self.known = Some(known);
        result.map(|()| users)
    }

    fn volumes(&mut self, guest: &Candidate) -> Result<&[String], Error> {
        let known = self.read.iter().position(|(vmid, _)| *vmid == guest.vmid);
        let place = match known {
            Some(place) => place,
            None if self.read.len() >= READ_MAX => {
                return Err(Error::bad(format!(
                    "more than {READ_MAX} guests may use its storage, and no more are looked at"
                )));
            }
            None => {
                let vmid = guest.vmid.to_string();
                let request = pending(&guest.node, guest.kind.name(), &vmid)?;
                let rows = self.reach.look_through(&request, "key")?;
                self.read.push((guest.vmid, volumes_in(&rows)));
                self.read.len() - 1
            }
        };
        Ok(self
            .read
            .get(place)
            .map_or(&[], |(_, volumes)| volumes.as_slice()))
    }
}

fn volumes_in(rows: &[Value]) -> Vec<String> {
    let options = rows
        .iter()
        .filter_map(|row| Some((row.get("key")?.as_str()?, row)));
    let drives = options.filter(|(key, _)| drive::is_key(key));
    let values = drives.flat_map(|(key, row)| {
        let states = ["value", "pending"].into_iter();
        states.filter_map(move |state| Some((key, row.get(state)?)))
    });
    values
        .flat_map(|(key, value)| {
            drive::named(key, value)
                .into_iter()
                .chain(drive::image(value))
        })
        .collect()
}

impl ClusterInventory {
    fn read(reach: &Reach) -> Result<ClusterInventory, Error> {
        if !reach.permissions()?.visibility().guests {
            return Err(Error::bad(
                "the token lacks `VM.Audit` on all of `/vms`, and is not shown every guest",
            ));
        }
        let rules = &reach.cluster()?.protect;
        let mut known = ClusterInventory {
            guests: Vec::new(),
            storages: Vec::new(),
        };
        reach.look_over(&mut |row| {
            let kind = match row.kind() {
                ResourceKind::Vm => GuestKind::Qemu,
                ResourceKind::Container => GuestKind::Lxc,
                ResourceKind::Storage => {
                    let storage = row.storage().to_string();
                    known.storages.push((storage, row.is_shared()));
                    return;
                }
                _ => return,
            };
            if let Some(vmid) = row.vmid() {
                known.guests.push(Candidate {
                    vmid,
                    kind,
                    node: row.node.to_string(),
                    is_protected: rules.iter().any(|rule| may_cover(rule, vmid, row)),
                });
            }
        })?;
        Ok(known)
    }
}

/// Whether a rule may cover a guest, as far as the list tells: it has names late.
fn may_cover(rule: &Rule, vmid: u32, row: &Resource) -> bool {
    match &rule.what {
        RuleTarget::Vmids(first, last) => (*first..=*last).contains(&vmid),
        RuleTarget::Name(name) => row.name().is_empty() || name.is(row.name()),
        RuleTarget::Tag(tag) => row.tags().any(|known| tag.is(known)),
        RuleTarget::Pool(pool) => {
            let nested = row.pool.strip_prefix(pool.as_str());
            nested.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}
