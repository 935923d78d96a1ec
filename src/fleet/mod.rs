//! Where it is done: the clusters, and which of them a call means.

pub mod config;
pub mod env_file;
pub mod variables;

mod cluster;
mod spelling;
mod value;
