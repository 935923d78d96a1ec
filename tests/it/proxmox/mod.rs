//! How it is said over the wire: requests, trust, endpoints, replies, what became of a write.

pub(crate) mod aftermath;
pub(crate) mod answer;
pub(crate) mod authority;
pub(crate) mod cert;
pub(crate) mod client;
pub(crate) mod errors;
pub(crate) mod failures;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod hostile;
pub(crate) mod lookup;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod odd_certificates;
pub(crate) mod outage;
pub(crate) mod tls;
pub(crate) mod transport;
