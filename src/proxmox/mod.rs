//! How Proxmox wants it said: requests, trust, tasks, and the clusters' own API description.

pub mod advice;
pub mod aftermath;
pub mod answer;
pub mod broken;
pub mod buffers;
pub mod cert;
pub mod client;
pub mod der;
pub mod dial;
pub mod digest;
pub mod encode;
pub mod exchange;
pub mod failure;
pub mod gateway;
pub mod holder;
pub mod key;
pub mod look;
pub mod lookup;
pub mod probe;
pub mod schemas;
pub mod secret;
pub mod session;
pub mod settings;
pub mod task;
pub mod tls;
pub mod transport;

pub use client::ClientStatus;
