//! Clusters as plain data, and how a specification becomes a state. The three of the story are in `story`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rights::{Rule, Token, User};
use super::state::{Node, Pool, State};
use super::storage::{Storage, Volume};

pub use super::story::three;

#[derive(Clone, Debug, Default)]
pub struct ClusterSpec {
    pub name: String,
    /// No cluster at all: one node by itself.
    pub standalone: bool,
    pub nodes: Vec<NodeSpec>,
    pub guests: Vec<GuestSpec>,
    pub storages: Vec<StorageSpec>,
    /// Pool and VMIDs.
    pub pools: Vec<(String, Vec<u32>)>,
    pub token_id: String,
    pub token_secret: String,
    pub default_storage: String,
    pub region: String,
    pub tier: String,
    /// The prefix that `PROXMOX_CLUSTER_PATTERNS` maps to this cluster.
    pub pattern: String,
    /// For how many days from now the nodes' certificates hold, negative for some that have expired;
    /// `None`: for as long as anybody cares.
    pub valid_days: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct NodeSpec {
    pub name: String,
    pub cpus: u32,
    pub memory_gib: u64,
    pub uptime_s: u64,
}

#[derive(Clone, Debug, Default)]
pub struct GuestSpec {
    pub vmid: u32,
    pub name: String,
    pub lxc: bool,
    pub node: String,
    pub running: bool,
    /// Drives as `storage:GiB`, like in a request that creates one.
    pub config: Vec<(String, String)>,
    /// Interface and address with prefix length.
    pub addresses: Vec<(String, String)>,
    pub snapshots: Vec<String>,
    /// Storage and age in hours.
    pub backups: Vec<(String, i64)>,
}

#[derive(Clone, Debug, Default)]
pub struct StorageSpec {
    pub id: String,
    pub kind: String,
    pub content: String,
    pub shared: bool,
    pub total_gib: u64,
    pub used_gib: u64,
    /// Volume (`iso/debian.iso`) and size.
    pub files: Vec<(String, u64)>,
}

pub const UPTIME_S: u64 = 864_000;

/// Every token's secret of a simulated cluster holds one of these, and nothing else does: where one
/// is seen outside of a request, a secret has leaked.
pub const SECRET_MARKS: [&str; 2] = ["5ec7e700-", "secret-of-"];

/// Whether a secret of a simulated cluster stands in there.
pub fn holds_a_secret(text: &str) -> bool {
    SECRET_MARKS.iter().any(|mark| text.contains(mark))
}

/// What Proxmox offered to download.
const TEMPLATES: &[&str] = &[
    "alpine-3.22-default_20250617_amd64.tar.xz",
    "debian-12-standard_12.12-1_amd64.tar.zst",
    "debian-12-standard_12.7-1_amd64.tar.zst",
    "debian-13-standard_13.1-2_amd64.tar.zst",
];

impl ClusterSpec {
    /// A cluster of so many nodes and stopped guests, for worlds of many.
    pub fn sized(name: &str, nodes: usize, guests: u32) -> ClusterSpec {
        let node = |i: usize| NodeSpec {
            name: format!("{name}-n{}", i + 1),
            cpus: 16,
            memory_gib: 64,
            uptime_s: UPTIME_S,
        };
        let guest = |i: u32| GuestSpec {
            vmid: 100 + i,
            name: format!("{name}-guest-{i}"),
            node: node(i as usize % nodes.max(1)).name,
            config: vec![("memory".into(), "1024".into())],
            ..GuestSpec::default()
        };
        ClusterSpec {
            name: name.into(),
            standalone: nodes == 1,
            nodes: (0..nodes).map(node).collect(),
            guests: (0..guests).map(guest).collect(),
            storages: vec![StorageSpec {
                id: "local".into(),
                kind: "dir".into(),
                content: "iso,vztmpl,backup,images,rootdir".into(),
                total_gib: 100,
                used_gib: 10,
                ..StorageSpec::default()
            }],
            token_id: "mcp@pve!mcp".into(),
            token_secret: format!("secret-of-{name}"),
            default_storage: "local".into(),
            ..ClusterSpec::default()
        }
    }

    pub fn state(&self) -> State {
        let mut state = State::empty(&self.name, self.standalone);
        for (i, node) in self.nodes.iter().enumerate() {
            state
                .nodes
                .insert(node.name.clone(), Node::new(i as u32 + 1, node));
        }
        for spec in &self.storages {
            state.storages.push(self.storage(spec, state.now()));
        }
        for spec in &self.guests {
            state.add(spec);
        }
        for (id, vmids) in &self.pools {
            state.pools.insert(
                id.clone(),
                Pool {
                    comment: None,
                    vms: vmids.iter().copied().collect(),
                    ..Pool::default()
                },
            );
        }
        self.people(&mut state);
        state.templates = TEMPLATES.iter().map(|name| (*name).to_string()).collect();
        state.options = json!({"mac_prefix": "BC:24:11", "keyboard": "en-us"})
            .as_object()
            .cloned()
            .unwrap_or_default();
        state.round();
        state
    }

    fn storage(&self, spec: &StorageSpec, now: i64) -> Storage {
        let mut storage = Storage::new(&spec.id, &spec.kind, &spec.content, spec.shared);
        (storage.total, storage.used) = (spec.total_gib << 30, spec.used_gib << 30);
        storage.options = defined(&spec.id, &spec.kind);
        for (file, size) in &spec.files {
            let (content, name) = file.split_once('/').unwrap_or(("iso", file));
            let format = if content == "iso" {
                "iso"
            } else if name.ends_with(".tar.zst") {
                "tzst"
            } else {
                "tgz"
            };
            let nodes: Vec<String> = if spec.shared {
                vec![String::new()]
            } else {
                self.nodes.iter().map(|node| node.name.clone()).collect()
            };
            for node in nodes {
                let volid = format!("{}:{file}", spec.id);
                let (content, format) = (content.to_string(), format.to_string());
                storage.volumes.push(Volume {
                    volid,
                    node,
                    content,
                    format,
                    size: *size,
                    used: *size,
                    ctime: now - 5_000_000,
                    ..Volume::default()
                });
            }
        }
        storage
    }

    /// The token of the specification (PVEAdmin and what that lacks for a node), an auditor, root.
    fn people(&self, state: &mut State) {
        let access = &mut state.access;
        let mut user = |id: &str, tokens: &[(&str, &str, bool)]| {
            let tokens = tokens.iter().map(|(name, secret, privsep)| {
                (
                    name.to_string(),
                    Token {
                        secret: secret.to_string(),
                        privsep: *privsep,
                        ..Token::default()
                    },
                )
            });
            access.users.insert(
                id.into(),
                User {
                    enable: true,
                    password: "sim-password".into(),
                    tokens: tokens.collect(),
                    ..User::default()
                },
            );
        };
        let (id, token) = self.token_id.split_once('!').unwrap_or(("mcp@pve", "mcp"));
        let bare = format!("bare-{}", self.token_secret);
        user(
            "root@pam",
            &[("full", &format!("root-{}", self.token_secret), false)],
        );
        user(
            "aud@pve",
            &[("ro", &format!("aud-{}", self.token_secret), false)],
        );
        user(
            id,
            &[(token, &self.token_secret, false), ("bare", &bare, true)],
        );
        let more = [
            "Sys.Modify",
            "Sys.PowerMgmt",
            "Sys.AccessNetwork",
            "Sys.Incoming",
        ];
        access.roles.insert(
            "McpMore".into(),
            more.iter().map(|privilege| privilege.to_string()).collect(),
        );
        for (ugid, role) in [(id, "PVEAdmin"), (id, "McpMore"), ("aud@pve", "PVEAuditor")] {
            let rule = Rule {
                path: "/".into(),
                propagate: true,
                role: role.into(),
                ugid: ugid.into(),
                kind: "user".into(),
            };
            access.acl.push(rule);
        }
    }
}

impl Node {
    pub fn new(id: u32, spec: &NodeSpec) -> Node {
        let memory = spec.memory_gib << 30;
        Node {
            id,
            online: true,
            ip: format!("10.10.1.{id}"),
            cpus: spec.cpus,
            cpu: 0.05 + f64::from(id) / 50.0,
            memory,
            memory_used: memory / 4 + (u64::from(id) << 28),
            disk: 100 << 30,
            disk_used: 12 << 30,
            uptime: spec.uptime_s,
            version: "9.2.11".into(),
            fingerprint: String::new(),
            interfaces: interfaces(id),
            planned: None,
            config: Map::new(),
        }
    }
}

fn interfaces(id: u32) -> BTreeMap<String, Map<String, Value>> {
    let eth = json!({"active": 1, "type": "eth", "priority": 3, "method": "manual", "families": ["inet"], "method6": "manual", "iface": "eth0"});
    let bridge = json!({
        "families": ["inet"], "method6": "manual", "bridge_ports": "eth0", "bridge_fd": "0", "method": "static",
        "gateway": "10.10.1.254", "iface": "vmbr0", "cidr": format!("10.10.1.{id}/24"), "netmask": "24", "priority": 4,
        "bridge_stp": "off", "autostart": 1, "type": "bridge", "active": 1, "address": format!("10.10.1.{id}"),
    });
    let named = |name: &str, value: Value| {
        (
            name.to_string(),
            value.as_object().cloned().unwrap_or_default(),
        )
    };
    BTreeMap::from([named("eth0", eth), named("vmbr0", bridge)])
}

/// What a definition of this type has beside its content, as it is given when it is made.
fn defined(id: &str, kind: &str) -> BTreeMap<String, String> {
    let export = format!("/export/{id}");
    let options: &[(&str, &str)] = match kind {
        "nfs" => &[("server", "192.168.10.5"), ("export", &export)],
        "rbd" => &[("pool", id)],
        "lvmthin" => &[("vgname", "pve"), ("thinpool", "data")],
        _ => &[],
    };
    let options = options.iter();
    options
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}
