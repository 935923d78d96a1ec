//! The tests.

mod cert;
mod client;
mod inbox;
mod listing;
mod node;
mod peer;
mod rpc_bytes;
mod schema;
mod tls;
mod transport;
mod upid;
mod binary_config;
mod config;
mod dotenv_table;
mod example_file;
mod secrets;
mod rpc_errors;
