//! The state that a guest is in, and the one that an order has brought it to.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::error::Error;
use crate::fleet::index::{Guest, GuestKind};
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::wait::{self, Wake};

/// What [`now`] and [`started`] send.
pub const READS: &[Sending] = &[sending::get("/nodes/{node}/{kind}/{vmid}/status/current")];

/// How long a guest is given to start, in seconds: behind another order the start is a task of its
/// own.
const START_S: u64 = 3;
const LOOK_MS: u64 = 300;
const WORD_MAX_CHARS: usize = 40;
/// Said where it cannot be looked at.
const UNKNOWN: &str = "unknown";

/// Where a guest is after the call: one that was made has not been found, one that was moved is
/// elsewhere now.
pub struct GuestLocation<'a> {
    pub node: &'a str,
    pub kind: GuestKind,
    pub vmid: u32,
}

impl<'a> GuestLocation<'a> {
    /// Of one that is where it was found.
    pub fn of(guest: &'a Guest) -> GuestLocation<'a> {
        GuestLocation {
            node: &guest.node,
            kind: guest.kind,
            vmid: guest.vmid,
        }
    }
}

/// The exact state: a paused machine is `running` for one word of the API and `paused` for another.
pub fn of(current: &Value) -> String {
    let text = |key: &str| current.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = match (text("qmpstatus"), text("lock")) {
        (_, "suspended") => "hibernated",
        ("" | "running" | "stopped", _) => text("status"),
        (exact, _) => exact,
    };
    match printable(state, WORD_MAX_CHARS) {
        none if none.is_empty() => UNKNOWN.into(),
        state => state,
    }
}

/// The state now. The order is carried out: that the guest cannot be looked at must not hide that.
///
/// # Errors
/// The call was withdrawn.
pub fn now(reach: &Reach, at: &GuestLocation) -> Result<String, Error> {
    let path = "/nodes/{node}/{kind}/{vmid}/status/current";
    let values = [at.node, at.kind.name(), &at.vmid.to_string()];
    match reach.get(path, &values) {
        Ok(current) => Ok(of(&current)),
        Err(error) if error.is_cancelled() => Err(error),
        Err(_) => Ok(UNKNOWN.into()),
    }
}

/// The state of a guest that was told to start behind another order, after a moment: that may fail
/// while the order has not.
///
/// # Errors
/// The call was withdrawn.
pub fn started(reach: &Reach, at: &GuestLocation) -> Result<String, Error> {
    let end = Instant::now() + Duration::from_secs(START_S.min(reach.wait_s()));
    loop {
        let state = now(reach, at)?;
        if state == "running" || Instant::now() >= end {
            return Ok(state);
        }
        match wait::sleep(Duration::from_millis(LOOK_MS)) {
            Wake::Nothing => {}
            Wake::Cancelled => return Err(Error::cancelled()),
            Wake::Closed => return Ok(state),
        }
    }
}
