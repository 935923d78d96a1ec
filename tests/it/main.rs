//! The tests.

#[path = "sim.rs"]
mod of_sim;
mod replay;
mod replay_data;
mod replay_labs;
mod replay_remote;
mod replay_scenes;
mod replay_text;
#[path = "../sim/mod.rs"]
mod sim;
mod sim_remote;
mod sim_wire;
