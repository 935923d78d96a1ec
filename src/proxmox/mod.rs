//! How Proxmox wants it said: requests, trust, tasks, and the clusters' own API description.

pub mod client;
pub mod digest;
pub mod request;
pub mod secret;
pub mod settings;
pub mod task;
pub mod upid;
