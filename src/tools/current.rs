//! The guest that a call addresses as it is at this moment, and what its state rules out: Proxmox
//! takes most orders on a locked guest and lets them fail in the task.

use serde_json::Value;

use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::Request;
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::proxmox::holder::LockedGuest;
use crate::text::printable;

/// What [`GuestStatus::read`] and [`GuestStatus::unlocked`] send.
pub const READS: &[Sending] = &[
    sending::get("/nodes/{node}/{kind}/{vmid}/status/current"),
    sending::get("/nodes/{node}/tasks").beside(),
];

const WORD_MAX_CHARS: usize = 40;

/// What a guest is doing.
pub struct GuestStatus {
    /// `running`, `stopped`, ...; a paused one is `running` here.
    pub status: String,
    pub lock: Option<String>,
}

impl GuestStatus {
    /// Asks the guest's node.
    ///
    /// # Errors
    /// The guest cannot be read.
    pub fn read(reach: &Reach) -> Result<GuestStatus, Error> {
        reach
            .get_of_guest("/status/current")
            .map(|current| GuestStatus::of(&current))
    }

    /// As a reply of `status/current`, or the subject of a guest's plan, has it.
    pub fn of(value: &Value) -> GuestStatus {
        let word = |key: &str| {
            let word = value.get(key).and_then(Value::as_str).unwrap_or_default();
            printable(word, WORD_MAX_CHARS)
        };
        GuestStatus {
            status: word("status"),
            lock: Some(word("lock")).filter(|lock| !lock.is_empty()),
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.status == "stopped"
    }

    /// Refuses what a lock would make fail.
    ///
    /// # Errors
    /// The guest is locked.
    pub fn unlocked(&self, reach: &Reach) -> Result<(), Error> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        let guest = reach.guest()?;
        let cluster = reach.cluster_name();
        let held = LockedGuest {
            node: &guest.node,
            kind: guest.kind.name(),
            vmid: &guest.vmid.to_string(),
        };
        let send = |request: &Request| reach.send(request);
        let advice = held.advice(&send, cluster, Some(lock))?;
        let vmid = guest.vmid;
        let sentence = format!("guest {vmid} is locked (`{lock}`), and its task would fail");
        Err(Error::not_allowed(cluster, sentence).hint(advice))
    }
}
