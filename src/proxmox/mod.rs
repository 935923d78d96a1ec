//! How Proxmox wants it said: requests, trust, tasks, and the clusters' own API description.

pub mod request;
pub mod secret;
pub mod settings;
