//! The tests.

#[path = "sim.rs"]
mod of_sim;
mod replay;
mod replay_data;
mod replay_scenes;
#[path = "../sim/mod.rs"]
mod sim;
