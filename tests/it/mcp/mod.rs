//! What the client says and is told: lines, messages, handshakes, questions, listing.

pub(crate) mod ask;
pub(crate) mod ask_modern;
pub(crate) mod inbox;
pub(crate) mod listen;
pub(crate) mod listing;
pub(crate) mod open;
pub(crate) mod progress;
pub(crate) mod rpc_bytes;
pub(crate) mod rpc_errors;
pub(crate) mod tools_list;
pub(crate) mod wire;
