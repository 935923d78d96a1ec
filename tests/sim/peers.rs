//! What the clusters of a world know of each other: which address leads to which node.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Map;

use super::mounts::Mounts;
use super::state::State;
use super::world::{Cluster, SimCluster};

/// A node that can be reached from elsewhere.
#[derive(Clone)]
pub struct Peer {
    pub cluster: Weak<Cluster>,
    /// Of the cluster.
    pub name: String,
    pub node: String,
    pub ip: String,
    /// On loopback; the node's own address has 8006.
    pub port: u16,
}

/// A cluster's way to the others.
#[derive(Clone, Default)]
pub struct Reach {
    pub peers: Arc<Vec<Peer>>,
    /// Clusters whose CA the nodes trust without a fingerprint.
    pub trusts: BTreeSet<String>,
    /// The program that carries a tunnel dies at once.
    pub dies: bool,
}

impl Reach {
    /// The node behind an address, or why there is none.
    pub fn find(&self, host: &str, port: u16) -> Result<Peer, String> {
        let loopback = matches!(host, "127.0.0.1" | "localhost");
        let found = self
            .peers
            .iter()
            .find(|peer| (loopback && peer.port == port) || (peer.ip == host && port == 8006));
        if let Some(peer) = found {
            return Ok(peer.clone());
        }
        Err(match host.parse::<IpAddr>() {
            _ if host.contains([':', '/']) => "Name or service not known",
            Ok(_) if loopback || self.peers.iter().any(|peer| peer.ip == host) => {
                "Connection refused"
            }
            Ok(_) => "No route to host",
            Err(_) => "Temporary failure in name resolution",
        }
        .into())
    }
}

impl Peer {
    /// Looks at or changes the cluster there; nothing if it is gone, or waits for this one.
    pub fn with<T>(&self, here: &mut State, act: impl FnOnce(&mut State) -> T) -> Option<T> {
        if here.name == self.name {
            return Some(act(here));
        }
        let cluster = self.cluster.upgrade()?;
        for _ in 0..2000 {
            if let Some(mut there) = cluster.try_state() {
                return Some(act(&mut there));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }
}

/// Gives each cluster a network of its own, and tells all of all.
pub fn introduce(clusters: &[SimCluster]) {
    let mut peers = Vec::new();
    for (network, cluster) in (1..).zip(clusters) {
        let prefix = format!("10.10.{network}.");
        for spec in &cluster.spec.nodes {
            let ip = cluster.edit(|state| {
                let node = state.nodes.get_mut(&spec.name)?;
                node.ip = node.ip.replace("10.10.1.", &prefix);
                let values = node.interfaces.values_mut().flat_map(Map::values_mut);
                for value in values.filter(|value| value.is_string()) {
                    let text = value.as_str().unwrap_or_default();
                    *value = text.replace("10.10.1.", &prefix).into();
                }
                Some(node.ip.clone())
            });
            peers.push(Peer {
                cluster: cluster.shared(),
                name: cluster.spec.name.clone(),
                node: spec.name.clone(),
                ip: ip.unwrap_or_default(),
                port: cluster.port(&spec.name),
            });
        }
    }
    let (peers, mounts) = (Arc::new(peers), Mounts::default());
    for cluster in clusters {
        cluster.edit(|state| {
            state.reach.peers = peers.clone();
            state.mounts = mounts.clone();
        });
    }
}
