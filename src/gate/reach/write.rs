//! What stands before a write, after its weight was found to be allowed.

use std::collections::BTreeSet;

use super::Reach;
use crate::api::methods::{Touch, Weight};
use crate::api::request::Request;
use crate::error::Error;
use crate::gate::Gate;
use crate::gate::audit::CallAudit;
use crate::gate::{protect, volumes};

/// By what a call writes: the limit that counts it, and the lines that tell of it.
#[derive(Clone, Copy)]
pub(in crate::gate) struct Writing<'a> {
    pub(in crate::gate) gate: &'a Gate,
    pub(in crate::gate) call_audit: &'a CallAudit,
}

impl Reach<'_> {
    /// The last things before a write leaves: it is held against protection, what the token may do
    /// and the bulk limit, and written down.
    ///
    /// # Errors
    /// It must not leave.
    pub(super) fn before_write(&self, request: &Request, weight: &Weight) -> Result<(), Error> {
        if self.admitted.has_waited.get() {
            let line = request.line();
            return Err(Error::internal(format!(
                "`{line}` is a write behind a wait, when what was looked at before may have changed"
            )));
        }
        let Some(writing) = self.writing else {
            return Err(self.refused(request, "is a write, which this call may not send"));
        };
        protect::request(self, request, weight)?;
        self.permit(request)?;
        let objects = self.counted_in_bulk(&writing, weight)?;
        let log = writing.gate.audit.as_ref();
        writing.call_audit.before(log, request.line(), &objects)
    }

    /// Refuses in a plan what would be refused when it is sent, so that nobody is asked for it: what a
    /// protected guest is not let, and what the token may not do.
    ///
    /// # Errors
    /// It must not leave.
    pub fn foresee(&self, request: &Request) -> Result<(), Error> {
        let weight = self.weighed(request)?;
        protect::request(self, request, &weight)?;
        self.permit(request)
    }

    /// The guests that a touch of many means, as far as the token sees them.
    ///
    /// # Errors
    /// The cluster does not say what it has.
    pub fn guests_of(&self, touch: &Touch) -> Result<Vec<u32>, Error> {
        protect::many(self, touch)
    }

    /// The guests that use a volume, and why they may not be all.
    ///
    /// # Errors
    /// The call was withdrawn, or the cluster is not reached.
    pub fn users_of(&self, node: &str, volume: &str) -> Result<(Vec<u32>, Option<String>), Error> {
        let users = volumes::users_of(self, node, volume)?;
        Ok((users.vmids.into_iter().collect(), users.unknown))
    }

    /// The guests whose configuration has a volume, or whose disks are linked clones of it, and why they may
    /// not be all.
    ///
    /// # Errors
    /// As [`Reach::users_of`].
    pub fn configured_in(
        &self,
        node: &str,
        volume: &str,
    ) -> Result<(Vec<u32>, Option<String>), Error> {
        let users = volumes::configured_in(self, node, volume)?;
        Ok((users.vmids, users.unknown))
    }

    /// The objects that a write destroys or interrupts, and that were not counted for this call
    /// before: each counts once.
    fn counted_in_bulk(&self, writing: &Writing, weight: &Weight) -> Result<Vec<String>, Error> {
        let harms = weight.mark.interrupts || weight.mark.destroys;
        if !weight.mark.is_bulk_limited() {
            return Ok(Vec::new());
        }
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let shared = weight
            .shared
            .iter()
            .filter_map(|one| one.with.as_ref().ok());
        touched.extend(shared.map(|vmid| Touch::Guest(*vmid).to_string()));
        for touch in &weight.touches {
            if !touch.is_many() {
                touched.insert(touch.to_string());
            } else if harms {
                // Each of them is cut off.
                let vmids = protect::many(self, touch)?.into_iter();
                touched.extend(vmids.map(|vmid| Touch::Guest(vmid).to_string()));
            }
        }
        let mut counted = self.admitted.counted.borrow_mut();
        let new: Vec<String> = touched.difference(&counted).cloned().collect();
        let mut bulk_limit = writing.gate.bulk_limit.borrow_mut();
        if !self.admitted.beyond_limit {
            bulk_limit.has_room(self.cluster_name(), new.len())?;
        }
        bulk_limit.count(new.len());
        counted.extend(new.iter().cloned());
        Ok(new)
    }
}
