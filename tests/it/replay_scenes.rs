//! What happened in the lab between two recorded exchanges, without the API.

use crate::sim::World;

/// Brings the clusters to where they were just before this exchange.
pub fn before(id: &str, world: &World) {
    let _ = (id, world);
}
