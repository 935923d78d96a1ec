//! What stands between a call and a cluster.

pub mod mark;
pub mod reach;
