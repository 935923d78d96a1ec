//! The tests.

mod binary_config;
mod cert;
mod client;
mod config;
mod dotenv_table;
mod example_file;
mod inbox;
mod listing;
mod node;
mod peer;
mod rpc_bytes;
mod rpc_errors;
mod schema;
mod secrets;
mod times;
mod tls;
mod transport;
mod upid;
