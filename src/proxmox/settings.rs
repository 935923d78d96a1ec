//! What the client of one cluster has to know, as values that the configuration makes.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::SecretSource;

/// One cluster as it is reached.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// The cluster's name, for messages.
    pub cluster: String,
    /// Nodes of this cluster in the order in which they are tried; at least one.
    pub endpoints: Vec<Endpoint>,
    /// `user@realm!token`.
    pub token_id: String,
    pub secret: SecretSource,
    pub trust: Trust,
    pub proxy: Option<Proxy>,
    /// The longest that one request may take; connecting takes at most 5 s of it.
    pub timeout: Duration,
    /// Whether `GET /version` must have been answered before anything else is sent.
    pub validate: bool,
    /// The age after which the agent is made anew; zero: for every call.
    pub renew_after: Duration,
}

/// Where a node answers. An IPv6 address stands without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// What a reverse proxy wants before the path of every request: empty, or `/pve` and the like.
    pub prefix: String,
}

impl Endpoint {
    pub fn new(host: impl Into<String>, port: u16) -> Endpoint {
        Endpoint {
            host: host.into(),
            port,
            prefix: String::new(),
        }
    }

    /// `host:port`, as a connection is made to it.
    pub fn authority(&self) -> String {
        let Endpoint { host, port, .. } = self;
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.authority(), self.prefix)
    }
}

/// By what a server's certificate is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// `SSL_CERT_FILE` where it is set, else the system's usual bundles; for this very machine also
    /// the cluster's own root.
    System {
        cert_file: Option<PathBuf>,
    },
    CaFile(PathBuf),
    /// SHA-256 of the leaf certificate, any of these; replaces chain and name check.
    Fingerprints(Vec<[u8; 32]>),
    /// Nothing is checked.
    Nothing,
}

/// An HTTP proxy that is asked to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub host: String,
    pub port: u16,
}
