//! The state that a guest is in, and the one that an order has brought it to.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::error::Error;
use crate::fleet::index::{Guest, GuestKind};
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::step::{self, StepResult, Until};

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
#[derive(Clone)]
pub struct GuestLocation {
    pub node: String,
    pub kind: GuestKind,
    pub vmid: u32,
}

impl GuestLocation {
    /// Of one that is where it was found.
    pub fn of(guest: &Guest) -> GuestLocation {
        GuestLocation {
            node: guest.node.clone(),
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
    let values = [at.node.as_str(), at.kind.name(), &at.vmid.to_string()];
    match reach.get(path, &values) {
        Ok(current) => Ok(of(&current)),
        Err(error) if error.is_cancelled() => Err(error),
        Err(_) => Ok(UNKNOWN.into()),
    }
}

/// Ends with the state of a guest; of one that was told to start, after a moment.
///
/// # Errors
/// As [`now`].
pub fn told(
    reach: &Reach,
    args: &Args,
    at: GuestLocation,
    starts: bool,
    mut answer: Map<String, Value>,
) -> StepResult {
    if !starts {
        answer.insert("status".into(), now(reach, &at)?.into());
        return Ok(answer.into());
    }
    started(reach, args, at, |_, _, state| {
        answer.insert("status".into(), state.into());
        Ok(answer.into())
    })
}

/// Goes on with the state of a guest that was told to start behind another order, after a moment: that
/// may fail while the order has not.
///
/// # Errors
/// The call was withdrawn.
pub fn started(
    reach: &Reach,
    args: &Args,
    at: GuestLocation,
    then: impl FnOnce(&Reach, &Args, String) -> StepResult + 'static,
) -> StepResult {
    let time = Duration::from_secs(START_S.min(reach.wait_s()));
    let until = Until {
        end: Instant::now() + time,
        pause: Duration::from_millis(LOOK_MS),
        look: Box::new(move |reach| now(reach, &at)),
        is_enough: Box::new(|state: &String| state == "running"),
    };
    step::until(reach, args, until, then)
}
