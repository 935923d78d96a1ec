//! Simulated Proxmox clusters on loopback, over TLS, with state: what the tests and the demo talk to.
//! `world` starts them, `wire`, `http` and `gate` take a request to its handler in `api`,
//! `state`, `guest`, `storage`, `task` and `rights` are what the handlers work on.
//!
//! Lists tell late, as real ones do (`statistics`): no test sleeps for it, `% 10 s later` does.
#![allow(dead_code, unreachable_pub)]

mod answer;
pub mod api;
pub mod apidoc;
pub mod authority;
mod calendar;
mod check;
pub mod clean;
pub mod client;
mod digest;
mod distort;
pub mod fault;
pub mod flood;
mod format;
mod front;
mod gate;
pub mod guest;
pub mod hostile;
pub mod http;
mod mounts;
mod order;
pub mod peers;
mod place;
pub mod port;
pub mod recording;
pub mod replay;
mod retention;
pub mod rights;
pub mod roles;
pub mod schema;
pub mod shape;
pub mod spec;
pub mod state;
pub mod statistics;
pub mod storage;
mod story;
pub mod task;
mod upload;
mod wire;
mod world;

#[allow(unused_imports)]
pub use fault::{Fault, FrontBody, Limited};
#[allow(unused_imports)]
pub use spec::{ClusterSpec, GuestSpec, NodeSpec, StorageSpec};
#[allow(unused_imports)]
pub use state::State;
#[allow(unused_imports)]
pub use world::{Seen, SimCluster, World};

/// The real time, for the headers.
fn clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs() as i64)
}
