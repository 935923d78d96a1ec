//! The tests: sessions with simulated clusters, tables of what is pure, a few of the binary, and the
//! documents.

mod answer;
mod at_terminal;
mod audit;
mod audit_commands;
mod authority;
mod backups;
mod binary;
mod binary_config;
mod brake;
mod cert;
mod check_finds;
mod check_shows;
mod check_trust;
mod client;
mod clients;
mod codes;
mod commands;
mod config;
mod degraded;
#[path = "../sim/demo/mod.rs"]
mod demo;
mod dist;
mod dist_debian;
mod documents;
mod dotenv_table;
mod example_file;
mod fuzz_corpus;
#[path = "../fuzz/targets/mod.rs"]
mod fuzz_targets;
mod gate;
mod guests;
mod inbox;
mod index;
mod layers;
mod listen;
mod listing;
mod manifest;
mod node;
#[path = "sim.rs"]
mod of_sim;
mod offers;
mod outage;
#[path = "../dist/mod.rs"]
mod packing;
mod paging;
mod peer;
mod reload;
mod renamed;
mod replay;
mod replay_data;
mod replay_labs;
mod replay_remote;
mod replay_scenes;
mod replay_text;
mod rpc_bytes;
mod rpc_errors;
mod schema;
mod search;
mod secrets;
mod selection;
mod session;
mod sight;
#[path = "../sim/mod.rs"]
mod sim;
mod sim_remote;
mod sim_wire;
mod table;
mod times;
mod tls;
mod tokens;
mod transcripts;
mod transport;
mod upid;
