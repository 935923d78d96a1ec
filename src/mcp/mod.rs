//! What the client said, and what it is told: the Model Context Protocol over standard input and
//! output, in both eras.

pub mod about;
pub mod client;
pub mod inbox;
pub mod listing;
pub mod open_calls;
pub mod progress;
pub mod question;
pub mod revision;
pub mod rpc;
pub mod server;
pub mod wire;
