//! What Proxmox has: its methods, its description, task ids, loose values.

pub(crate) mod coverage;
pub(crate) mod looks;
pub(crate) mod loose;
pub(crate) mod schema;
pub(crate) mod upid;
pub(crate) mod weights;
