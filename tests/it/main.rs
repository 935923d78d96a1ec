//! The tests.

#[path = "sim.rs"]
mod of_sim;
#[path = "../sim/mod.rs"]
mod sim;
