//! What is said of a subject that was not found: what speaks against its not being there.

use super::Fleet;
use super::registry::{NamedSubject, subject_text};
use crate::error::Error;
use crate::text::printable;

/// So many VMIDs of guests without a name, or namesakes, or clusters, are listed.
const SHOWN_MAX: usize = 10;
const NAME_MAX_CHARS: usize = 80;
/// Proxmox gives no guest a smaller one.
const VMID_LEAST: u32 = 100;

impl Fleet {
    /// Why it may be there all the same: a guest has the number for its name, or a token does not see
    /// everything.
    ///
    /// # Errors
    /// The call was withdrawn.
    pub(super) fn doubts(&self, clusters: &[usize], named: NamedSubject) -> Result<String, Error> {
        let mut doubts = String::new();
        if matches!(named, NamedSubject::Vmid(..VMID_LEAST)) {
            doubts.push_str(", as no VMID is under 100");
        }
        let namesakes = self.namesakes(clusters, named)?;
        if !namesakes.is_empty() {
            doubts.push_str(&format!(
                ", but a guest is named so, which goes by its VMID: {}",
                namesakes.join(", ")
            ));
        }
        let blind = self.blind(clusters, named)?;
        if let Some(lacks) = lacked(named).filter(|_| !blind.is_empty()) {
            doubts.push_str(&format!(
                ", as far as the token sees: on {} it lacks {lacks}",
                blind.join(", ")
            ));
        }
        Ok(doubts)
    }

    /// Where a node, a storage or a pool is that a cluster has not, for the end of an error's sentence:
    /// `; node `pve1` is on staging`. Nothing where the cluster has it, or where none of the others is known to.
    ///
    /// # Errors
    /// The call was withdrawn.
    pub(crate) fn elsewhere_than(
        &self,
        cluster: usize,
        named: NamedSubject,
    ) -> Result<String, Error> {
        let has = |cluster: usize| -> Result<bool, Error> {
            let rows = &self.look(cluster)?.rows;
            Ok(match named {
                NamedSubject::Node(node) => rows.has_node(node),
                NamedSubject::Storage(storage) => rows.has_storage(storage),
                NamedSubject::Pool(pool) => rows.has_pool(pool),
                _ => false,
            })
        };
        let mut others: Vec<usize> = self.config.settled().collect();
        others.retain(|other| *other != cluster);
        // Nobody else is asked for what is there.
        if others.is_empty() || matches!(has(cluster), Ok(true)) {
            return Ok(String::new());
        }
        let mut there = Vec::new();
        for (other, seen) in others.iter().zip(self.fan_out_hurried(&others, has)) {
            match seen {
                Some(Err(error)) if error.is_cancelled() => return Err(error),
                Some(Ok(true)) => there.push(self.cluster_name(*other)),
                _ => {}
            }
        }
        there.truncate(SHOWN_MAX);
        Ok(match there.as_slice() {
            [] => String::new(),
            there => format!("; {} is on {}", subject_text(named), there.join(", ")),
        })
    }

    /// Guests whose name is the number that was taken for a VMID: `production/131`.
    fn namesakes(&self, clusters: &[usize], named: NamedSubject) -> Result<Vec<String>, Error> {
        let NamedSubject::Vmid(vmid) = named else {
            return Ok(Vec::new());
        };
        let name = vmid.to_string();
        let mut found = Vec::new();
        for cluster in clusters {
            let guests = match self.look(*cluster) {
                Ok(cached_index) => cached_index.rows.by_name(&name, &self.names(*cluster)),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => continue,
            };
            let here = self.cluster_name(*cluster);
            found.extend(guests.iter().map(|guest| format!("{here}/{}", guest.vmid)));
        }
        found.truncate(SHOWN_MAX);
        Ok(found)
    }

    /// The clusters whose token does not see everything of the subject's kind.
    fn blind(&self, clusters: &[usize], named: NamedSubject) -> Result<Vec<String>, Error> {
        if lacked(named).is_none() {
            return Ok(Vec::new());
        }
        let seen = self.fan_out(clusters, |cluster| {
            // Asked now: what is said of things that the token may not see must not be a minute old.
            let visibility = self.permissions_now(cluster)?.visibility();
            Ok::<_, Error>(match named {
                NamedSubject::Storage(_) => visibility.storages,
                _ => visibility.guests,
            })
        });
        let mut blind = Vec::new();
        for (cluster, seen) in clusters.iter().zip(seen) {
            match seen {
                Some(Ok(true)) => {}
                Some(Err(error)) if error.is_cancelled() => return Err(error),
                // What it sees is not known.
                _ => blind.push(printable(self.cluster_name(*cluster), NAME_MAX_CHARS)),
            }
        }
        blind.truncate(SHOWN_MAX);
        Ok(blind)
    }
}

/// What a token lacks that does not see all of a kind; `None` where there is nothing to hide.
fn lacked(named: NamedSubject) -> Option<&'static str> {
    match named {
        NamedSubject::Vmid(_) | NamedSubject::Guest(_) => Some("`VM.Audit` on all of `/vms`"),
        NamedSubject::Storage(_) => Some("`Datastore.Audit` on all of `/storage`"),
        NamedSubject::Node(_)
        | NamedSubject::Pool(_)
        | NamedSubject::New(_)
        | NamedSubject::Nothing => None,
    }
}
