//! The tests.

mod answer;
mod authority;
mod cert;
mod client;
mod listen;
mod node;
mod schema;
mod tls;
mod transport;
mod upid;
