//! The tests.

mod cert;
mod client;
mod inbox;
mod listing;
mod node;
mod peer;
mod rpc_bytes;
mod schema;
mod times;
mod tls;
mod transport;
mod upid;
