//! The tests: sessions with simulated clusters, tables of what is pure, a few of the binary, and the
//! documents.

mod api;
mod characters;
mod cli;
mod config;
#[path = "../sim/demo/mod.rs"]
mod demo;
mod documents;
mod fleet;
#[path = "../fuzz/targets/mod.rs"]
mod fuzz_targets;
mod gate;
mod golden;
mod leaks;
mod mcp;
#[path = "../dist/mod.rs"]
mod packing;
mod peer;
mod proxmox;
mod session;
#[path = "../sim/mod.rs"]
mod sim;
mod simulator;
mod tools;
mod transcripts;
