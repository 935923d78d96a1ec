//! The tests.

mod inbox;
mod listing;
mod peer;
mod rpc_bytes;
mod rpc_errors;
