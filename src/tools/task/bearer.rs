//! What the guests of tasks are called. A VMID may have been another guest's when a task ran: as far as
//! the tasks that were read tell of that, such a task has no name, and never that of whoever has the
//! VMID now.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::entry::{Task, VmidTurn};
use crate::error::Error;
use crate::fleet::index::Guest;
use crate::fleet::index::NAME_AGE_S;
use crate::gate::reach::Reach;
use crate::time;
use crate::wait;

/// When VMIDs came to be somebody else's.
#[derive(Default)]
pub(super) struct VmidTurns(BTreeMap<u32, Vec<(u64, VmidTurn)>>);

impl VmidTurns {
    /// Keeps what a task tells of it; every task that was read is looked at, shown or not.
    pub(super) fn note(&mut self, task: &Task) {
        if let (Some(vmid), Some(turn)) = (task.vmid(), task.turn()) {
            self.0.entry(vmid).or_default().push((task.start, turn));
        }
    }

    /// Whether the guest of this task is, as far as is known, the one that has the VMID now.
    fn is_still(&self, vmid: u32, start: u64) -> bool {
        let mut turns = self.0.get(&vmid).into_iter().flatten();
        !turns.any(|(at, turn)| match turn {
            // What took it away was itself about the one before.
            VmidTurn::Takes => *at >= start,
            VmidTurn::Gives => *at > start,
        })
    }

    /// Whether that was a moment ago, so that lists still have the name of the one before.
    fn is_fresh(&self, vmid: u32) -> bool {
        let since = time::now().saturating_sub(NAME_AGE_S);
        let mut turns = self.0.get(&vmid).into_iter().flatten();
        turns.any(|(at, _)| *at >= since)
    }
}

/// Gives each task about a guest the guest's name, by what is known of where things are.
///
/// Whatever goes wrong leaves names out and is given: the list of tasks is what was asked for.
///
/// # Errors
/// The call was withdrawn.
pub(super) fn name(
    reach: &Reach,
    tasks: &mut [Task],
    turns: &VmidTurns,
) -> Result<Option<Error>, Error> {
    let mut bearers: BTreeMap<u32, Option<Guest>> = BTreeMap::new();
    for task in tasks {
        let Some(vmid) = task.vmid().filter(|vmid| turns.is_still(*vmid, task.start)) else {
            continue;
        };
        let bearer = match bearers.entry(vmid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let ask = || reach.bearer(vmid, turns.is_fresh(vmid));
                let found = match wait::remaining() {
                    Some(left) => wait::within(left / 2, ask),
                    None => ask(),
                };
                match found {
                    Ok(found) => place.insert(found),
                    Err(error) if error.is_cancelled() => return Err(error),
                    // The others would cost as much time.
                    Err(error) => return Ok(Some(error)),
                }
            }
        };
        let bearer = bearer.as_ref();
        let bearer = bearer.filter(|guest| task.guest_kind().is_none_or(|kind| kind == guest.kind));
        task.name = bearer.and_then(|guest| guest.name.clone());
    }
    Ok(None)
}
