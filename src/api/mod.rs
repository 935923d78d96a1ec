//! What Proxmox has: its methods, one row each, and the words of its API: requests, permissions, pools, UPIDs,
//! volumes, loose values, and the description that a cluster serves of itself.

pub mod loose;
pub mod mark;
pub mod methods;
pub mod path;
pub mod permission;
pub mod pool;
pub mod request;
pub mod schema;
pub mod upid;
pub mod volume;
