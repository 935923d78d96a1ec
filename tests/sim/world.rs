//! Several clusters on loopback: listeners, certificates, the record of requests, faults.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use serde_json::{Map, Value};

use super::authority::Authority;
use super::clean::Clean;
use super::fault::{Fault, Limited};
use super::peers::introduce;
use super::port::{self, Port};
use super::spec::{self, ClusterSpec};
use super::state::State;

/// One request that reached a cluster.
#[derive(Clone, Debug)]
pub struct Seen {
    pub cluster: String,
    /// The node that it was sent to.
    pub node: String,
    pub method: String,
    /// Decoded, below `/api2/json`.
    pub path: String,
    /// Of query and body, as sent.
    pub params: Map<String, Value>,
    /// 0: nothing was executed or answered.
    pub status: u16,
    /// Whether it was carried out, whatever the answer said.
    pub executed: bool,
}

/// Clusters that run until this is dropped.
pub struct World {
    pub clusters: Vec<SimCluster>,
    folder: Clean,
    audit_files: AtomicUsize,
}

pub struct SimCluster {
    pub spec: ClusterSpec,
    /// PEM of the cluster's own CA.
    pub ca: String,
    shared: Arc<Cluster>,
    ports: Vec<Arc<Port>>,
}

/// What the connections of a cluster share.
pub struct Cluster {
    pub name: String,
    state: Mutex<State>,
    faults: Mutex<Vec<Limited>>,
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

pub fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Cluster {
    pub fn state(&self) -> MutexGuard<'_, State> {
        held(&self.state)
    }

    /// The state, if nobody else holds it.
    pub fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        self.state.try_lock().ok()
    }

    pub fn faults(&self) -> MutexGuard<'_, Vec<Limited>> {
        held(&self.faults)
    }

    pub fn note(&self, seen: Seen) {
        held(&self.seen).push(seen);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl World {
    /// production, staging, disaster-recovery: see `spec::three`.
    pub fn three() -> World {
        World::start(spec::three())
    }

    pub fn start(specs: Vec<ClusterSpec>) -> World {
        let folder = Clean::new().expect("a temporary folder can be made");
        let clusters: Vec<SimCluster> = specs.into_iter().map(SimCluster::start).collect();
        for cluster in &clusters {
            std::fs::write(folder.path().join(cluster.ca_name()), &cluster.ca)
                .expect("the CA can be written");
        }
        introduce(&clusters);
        World {
            clusters,
            folder,
            audit_files: AtomicUsize::new(0),
        }
    }

    /// A directory that all clusters mount.
    pub fn mount(&self, path: &str) {
        for cluster in &self.clusters {
            cluster.edit(|state| state.mounts.add(path));
        }
    }

    pub fn cluster(&self, name: &str) -> &SimCluster {
        self.clusters
            .iter()
            .find(|cluster| cluster.spec.name == name)
            .expect("the cluster exists")
    }

    /// Everything seen by all clusters since the last time, each cluster's in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.clusters.iter().flat_map(SimCluster::seen).collect()
    }

    /// A cluster's CA file.
    pub fn ca_file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(self.cluster(name).ca_name())
    }

    /// The place of another audit file, which is looked at when the world ends.
    pub fn audit_file(&self) -> std::path::PathBuf {
        let number = self.audit_files.fetch_add(1, Ordering::SeqCst);
        self.folder.path().join(format!("audit-{number}.jsonl"))
    }

    /// A complete `.env`.
    pub fn env(&self) -> String {
        let names: Vec<&str> = self
            .clusters
            .iter()
            .map(|cluster| cluster.spec.name.as_str())
            .collect();
        let mut text = format!("PROXMOX_CLUSTERS={}\n", names.join(","));
        for cluster in &self.clusters {
            let spec = &cluster.spec;
            let mut line = |field: &str, value: &str| {
                if !value.is_empty() {
                    text += &format!("PROXMOX_CLUSTER_{}_{field}={value}\n", spec.name);
                }
            };
            line("API_URL", &cluster.urls().join(","));
            line("TOKEN_ID", &spec.token_id);
            line("TOKEN_SECRET", &spec.token_secret);
            line(
                "CA_FILE",
                &self
                    .folder
                    .path()
                    .join(cluster.ca_name())
                    .display()
                    .to_string(),
            );
            line(
                "DEFAULT_NODE",
                spec.nodes.first().map_or("", |node| node.name.as_str()),
            );
            line("DEFAULT_STORAGE", &spec.default_storage);
            line("DEFAULT_BRIDGE", "vmbr0");
            line("REGION", &spec.region);
            line("TIER", &spec.tier);
        }
        let patterns: Vec<String> = self
            .clusters
            .iter()
            .filter(|cluster| !cluster.spec.pattern.is_empty())
            .map(|cluster| format!("{}:{}", cluster.spec.pattern, cluster.spec.name))
            .collect();
        if !patterns.is_empty() {
            text += &format!("PROXMOX_CLUSTER_PATTERNS={}\n", patterns.join(","));
        }
        text
    }
}

impl SimCluster {
    fn start(spec: ClusterSpec) -> SimCluster {
        let mut state = spec.state();
        let authority = Authority::new(&spec.name);
        let mut ports = Vec::new();
        let mut listeners = Vec::new();
        for node in &spec.nodes {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be opened");
            let number = listener
                .local_addr()
                .map(|address| address.port())
                .expect("the port has a number");
            let (config, fingerprint) = authority.server(&node.name, spec.valid_days);
            if let Some(known) = state.nodes.get_mut(&node.name) {
                known.fingerprint = fingerprint.clone();
            }
            ports.push(Arc::new(Port::new(&node.name, number, fingerprint, config)));
            listeners.push(listener);
        }
        let shared = Arc::new(Cluster {
            name: spec.name.clone(),
            state: Mutex::new(state),
            faults: Mutex::default(),
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        for (port, listener) in ports.iter().zip(listeners) {
            let (shared, port) = (shared.clone(), port.clone());
            port::thread(move || port.accept(&shared, listener));
        }
        SimCluster {
            spec,
            ca: authority.pem,
            shared,
            ports,
        }
    }

    pub fn shared(&self) -> Weak<Cluster> {
        Arc::downgrade(&self.shared)
    }

    fn ca_name(&self) -> String {
        format!("{}-ca.pem", self.spec.name)
    }

    pub fn urls(&self) -> Vec<String> {
        self.ports
            .iter()
            .map(|port| format!("https://127.0.0.1:{}", port.number))
            .collect()
    }

    pub fn port(&self, node: &str) -> u16 {
        self.ports
            .iter()
            .find(|port| port.node == node)
            .map(|port| port.number)
            .expect("the node exists")
    }

    /// SHA-256 of a node's certificate, as Proxmox shows it.
    pub fn fingerprint(&self, node: &str) -> &str {
        self.ports
            .iter()
            .find(|port| port.node == node)
            .map(|port| port.fingerprint.as_str())
            .expect("the node exists")
    }

    /// What has reached the cluster since the last time, in order.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *held(&self.shared.seen))
    }

    /// Looks at or changes the state; what it is then, the statistics have too.
    pub fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.just_now(|state| {
            let value = change(state);
            state.round();
            value
        })
    }

    /// The same a moment ago: lists do not tell it yet.
    pub fn just_now<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state();
        state.settle();
        let value = change(&mut state);
        state.mounted();
        value
    }

    /// Adds a fault.
    pub fn fault(&self, fault: impl Into<Limited>) {
        let limited = fault.into();
        match &limited.fault {
            Fault::NodeOffline(node) => self.just_now(|state| {
                if let Some(node) = state.nodes.get_mut(node) {
                    node.online = false;
                }
            }),
            Fault::NoQuorum => self.just_now(|state| state.quorate = false),
            Fault::ClockOff(seconds) => self.just_now(|state| state.clock_s += seconds),
            _ => {}
        }
        self.shared.faults().push(limited);
        self.ports();
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        let gone = std::mem::take(&mut *self.shared.faults());
        self.just_now(|state| {
            for limited in gone {
                match limited.fault {
                    Fault::NodeOffline(node) => {
                        if let Some(node) = state.nodes.get_mut(&node) {
                            node.online = true;
                        }
                    }
                    Fault::NoQuorum => state.quorate = true,
                    Fault::ClockOff(seconds) => state.clock_s -= seconds,
                    _ => {}
                }
            }
        });
        self.ports();
    }

    /// Closes and opens the ports as the faults want it, and waits until that has happened.
    fn ports(&self) {
        let faults = self.shared.faults().clone();
        for port in &self.ports {
            port.set(&faults);
        }
    }
}

impl Drop for SimCluster {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for port in &self.ports {
            port.end();
        }
    }
}
