//! The tests.

mod cert;
mod client;
mod node;
mod schema;
mod tls;
mod transport;
mod upid;
