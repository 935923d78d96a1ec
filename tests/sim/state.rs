//! The state of one simulated cluster: nodes, storages, pools, settings; guests are in `guest`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::guest::{Guest, Kind};
use super::rights::Access;
use super::statistics::Statistics;
use super::storage::Storage;
use super::task::Task;

/// How long things take, in real time. Proxmox's own times stand in brackets.
#[derive(Clone, Debug)]
pub struct Pace {
    /// A 401 is late by this (3000).
    pub refuse_ms: u64,
    /// A short task; longer ones take a multiple.
    pub task_ms: u64,
    /// A request waits so long for a guest's lock (10 000).
    pub lock_ms: u64,
    /// An idle connection is closed (5000).
    pub idle_ms: u64,
    /// Between two rounds of statistics (10 000); 0: a round is made when somebody says so.
    pub round_ms: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            refuse_ms: 30,
            task_ms: 40,
            lock_ms: 200,
            idle_ms: 5000,
            round_ms: 0,
        }
    }
}

pub struct State {
    pub name: String,
    /// A standalone node has no row for the cluster and no quorum.
    pub standalone: bool,
    pub quorate: bool,
    pub nodes: BTreeMap<String, Node>,
    pub guests: BTreeMap<u32, Guest>,
    pub storages: Vec<Storage>,
    pub pools: BTreeMap<String, Pool>,
    pub tasks: Vec<Task>,
    pub access: Access,
    pub options: Map<String, Value>,
    /// HA resources by `vm:100` or `ct:100`.
    pub ha: BTreeMap<String, Map<String, Value>>,
    /// Nodes that high availability has cleared for work on them.
    pub maintenance: BTreeSet<String>,
    pub ha_rules: BTreeMap<String, Map<String, Value>>,
    pub backup_jobs: BTreeMap<String, Map<String, Value>>,
    pub firewall: BTreeMap<String, super::api::firewall::Firewall>,
    pub pace: Pace,
    /// For how long, in seconds, what things use has been recorded.
    pub recorded_s: i64,
    /// While true no task ends.
    pub hold: bool,
    /// Outcomes that the next tasks take instead of their own.
    pub scripts: VecDeque<super::task::Script>,
    /// Added to the real time.
    pub clock_s: i64,
    pub next_pid: u32,
    pub seed: u64,
    pub statistics: Statistics,
    /// The container templates on offer.
    pub templates: Vec<String>,
    /// What was done without a task, for the cluster's log.
    pub done: Vec<Done>,
    pub born: Instant,
    /// A node was lost a moment ago: lists still show everything as it was before.
    pub stale: bool,
    /// Nodes to which others held a connection open when they were lost: the next call for one breaks
    /// it.
    pub severed: BTreeSet<String>,
    /// Guests whose lock file something else than a task holds.
    pub flocks: BTreeSet<u32>,
    /// Guests that took a VMID over, as they were then.
    pub successors: BTreeMap<u32, Guest>,
    /// What the privileged daemon's methods answer while it is down (595) or hangs (596).
    pub daemon: Option<(u16, String)>,
    pub reach: super::peers::Reach,
    pub mounts: super::mounts::Mounts,
    /// The shared directories as this cluster last saw them.
    pub mounts_seen: BTreeMap<String, String>,
}

/// An entry of the cluster's log that is no task's.
pub struct Done {
    pub time: i64,
    /// How many tasks had begun by then.
    pub tasks_before: usize,
    pub node: String,
    pub user: String,
    pub message: String,
}

#[derive(Clone)]
pub struct Node {
    pub id: u32,
    pub online: bool,
    pub ip: String,
    pub cpus: u32,
    pub cpu: f64,
    pub memory: u64,
    pub memory_used: u64,
    pub disk: u64,
    pub disk_used: u64,
    pub uptime: u64,
    pub version: String,
    pub fingerprint: String,
    pub interfaces: BTreeMap<String, Map<String, Value>>,
    /// What the interfaces are to become at the next `PUT /network`.
    pub planned: Option<BTreeMap<String, Map<String, Value>>>,
    pub config: Map<String, Value>,
}

#[derive(Clone, Default)]
pub struct Pool {
    pub comment: Option<String>,
    pub vms: BTreeSet<u32>,
    pub storages: BTreeSet<String>,
}

impl State {
    pub fn empty(name: &str, standalone: bool) -> State {
        State {
            name: name.into(),
            standalone,
            quorate: true,
            nodes: BTreeMap::new(),
            guests: BTreeMap::new(),
            storages: Vec::new(),
            pools: BTreeMap::new(),
            tasks: Vec::new(),
            access: Access::default(),
            options: Map::new(),
            ha: BTreeMap::new(),
            maintenance: BTreeSet::new(),
            ha_rules: BTreeMap::new(),
            backup_jobs: BTreeMap::new(),
            firewall: BTreeMap::new(),
            pace: Pace::default(),
            recorded_s: 100 * 86_400,
            hold: false,
            scripts: VecDeque::new(),
            clock_s: 0,
            next_pid: 0x400,
            seed: name.bytes().fold(7u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            }),
            statistics: Statistics::default(),
            templates: Vec::new(),
            done: Vec::new(),
            born: Instant::now(),
            stale: false,
            severed: BTreeSet::new(),
            flocks: BTreeSet::new(),
            successors: BTreeMap::new(),
            daemon: None,
            reach: super::peers::Reach::default(),
            mounts: super::mounts::Mounts::default(),
            mounts_seen: BTreeMap::new(),
        }
    }

    /// The cluster's clock, in seconds since 1970.
    pub fn now(&self) -> i64 {
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        real.as_secs() as i64 + self.clock_s
    }

    /// A deterministic number: the same calls in the same order give the same identifiers.
    pub fn random(&mut self) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let mixed = (self.seed >> 33) ^ self.seed;
        mixed.wrapping_mul(0xff51afd7ed558ccd) ^ (mixed >> 29)
    }

    pub fn uuid(&mut self) -> String {
        let (a, b) = (self.random(), self.random());
        let (hi, lo) = (a & 0xffff_ffff, b >> 16);
        format!(
            "{hi:08x}-{:04x}-4{:03x}-a{:03x}-{lo:012x}",
            (a >> 32) & 0xffff,
            (a >> 48) & 0xfff,
            b & 0xfff
        )
    }

    pub fn mac(&mut self) -> String {
        let n = self.random();
        format!(
            "BC:24:11:{:02X}:{:02X}:{:02X}",
            n & 0xff,
            (n >> 8) & 0xff,
            (n >> 16) & 0xff
        )
    }

    pub fn guest(&self, node: &str, kind: Kind, vmid: u32) -> Option<&Guest> {
        self.guests
            .get(&vmid)
            .filter(|guest| guest.node == node && guest.kind == kind)
    }

    pub fn storage(&self, id: &str) -> Option<&Storage> {
        self.storages.iter().find(|storage| storage.id == id)
    }

    pub fn storage_mut(&mut self, id: &str) -> Option<&mut Storage> {
        self.storages.iter_mut().find(|storage| storage.id == id)
    }

    pub fn pool_of(&self, vmid: u32) -> Option<&str> {
        self.pools
            .iter()
            .find(|(_, pool)| pool.vms.contains(&vmid))
            .map(|(id, _)| id.as_str())
    }

    pub fn next_id(&self) -> u32 {
        (100..)
            .find(|id| !self.guests.contains_key(id))
            .unwrap_or(100)
    }

    /// What lists say of a node.
    pub fn online(&self, node: &str) -> bool {
        self.nodes
            .get(node)
            .is_some_and(|node| node.online || self.stale)
    }
}
