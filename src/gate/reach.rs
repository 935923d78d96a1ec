//! What a handler holds instead of a client: one cluster, and what the gate allowed for this call.

/// One cluster with what this call may do there.
pub struct Reach<'a> {
    _later: &'a (),
}

/// The clusters that a fleet-wide read may ask.
pub struct FleetReach<'a> {
    _later: &'a (),
}
