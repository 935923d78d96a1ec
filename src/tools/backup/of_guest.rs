//! The backups of the guest that a call addresses, by one listing for each storage that holds some.

use std::time::Duration;

use serde_json::Value;

use super::archives::{self, Archive, BackupStorage};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::wait;

/// How long they are looked for, in seconds, all storages together.
const LIMIT_S: u64 = 5;

/// What the storages said within their time.
pub struct Backups {
    /// Newest first.
    pub archives: Vec<Archive>,
    /// The places that did not answer, with the reason: there may be more.
    pub silent: Vec<Value>,
    places: Vec<BackupStorage>,
    vmid: u32,
}

impl Backups {
    /// Looks for them, and hands on what there is as long as there is time.
    ///
    /// # Errors
    /// The cluster does not say where backups are; the call was withdrawn.
    pub fn look<T>(
        reach: &Reach,
        then: impl FnOnce(Backups) -> Result<T, Error>,
    ) -> Result<T, Error> {
        wait::within(Duration::from_secs(LIMIT_S), || {
            Backups::read(reach).and_then(then)
        })
    }

    fn read(reach: &Reach) -> Result<Backups, Error> {
        let guest = reach.guest()?;
        let places = archives::places(reach, Some(&guest.node))?;
        let mut found = archives::ask(reach, &places, Some(guest.vmid))?;
        // On a storage that several clusters share, the VMID may be a guest's of another kind.
        let is_of_kind = |one: &Archive| one.kind.is_none_or(|kind| kind == guest.kind);
        found.archives.retain(is_of_kind);
        Ok(Backups {
            archives: found.archives,
            silent: found.silent,
            places,
            vmid: guest.vmid,
        })
    }

    /// Why some may be missing from what was answered.
    ///
    /// # Errors
    /// The token's permissions cannot be read.
    pub fn hidden(&self, reach: &Reach) -> Result<Option<String>, Error> {
        archives::hidden(reach, &self.places, Some(self.vmid))
    }
}
