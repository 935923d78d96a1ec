//! What a plan says of the guest that a call would take something from.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;

/// The plan of a call on the guest that it addresses: the guest as it is now, then `consequences`
/// (what is lost or cut off, whether and how it can be undone).
///
/// # Errors
/// The guest cannot be read.
pub fn of_guest(reach: &Reach, consequences: &[(&str, Value)]) -> Result<Plan, Error> {
    let mut shown = Map::new();
    for (key, value) in consequences {
        shown.insert((*key).to_string(), value.clone());
    }
    Ok(Plan {
        subject: reach.get_of_guest("/config")?,
        shown,
    })
}
