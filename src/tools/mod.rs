//! The families, one file or folder a noun, and the table of all tools.

pub mod access;
pub mod agent;
pub mod api;
pub mod backup;
pub mod cluster;
pub mod current;
pub mod disks;
pub mod firewall;
pub mod fleet;
pub mod guest;
pub mod levels;
pub mod metrics;
pub mod nameable;
pub mod needs;
pub mod network;
pub mod node;
pub mod plan;
pub mod pool;
pub mod renamed;
pub mod settings;
pub mod snapshot;
pub mod state;
pub mod storage;
pub mod task;

use crate::tool::Tool;

pub use crate::tool::Toolset;

/// Every tool, in the order in which it is listed.
pub static TOOLSETS: &[Toolset] = &[
    Toolset {
        name: "fleet",
        about: "what is where, and how all clusters are",
        tools: fleet::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "guest",
        about: "VMs and containers: look, create, clone, configure, start and stop, migrate, delete",
        tools: guest::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "snapshot",
        about: "take, roll back, delete",
        tools: snapshot::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "backup",
        about: "make, restore",
        tools: backup::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "task",
        about: "what runs and ran, and its log",
        tools: task::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "node",
        about: "nodes and what is on them",
        tools: node::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "storage",
        about: "storages and their volumes",
        tools: storage::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "api",
        about: "the whole API: find a tool or method, describe it, read and write any path",
        tools: api::TOOLS,
        is_default: true,
    },
    Toolset {
        name: "guest_more",
        about: "how busy a guest was; its notes and console; making it a template",
        tools: guest::MORE,
        is_default: false,
    },
    Toolset {
        name: "agent",
        about: "what a VM's guest agent tells of it, and does there",
        tools: agent::TOOLS,
        is_default: false,
    },
    Toolset {
        name: "backup_more",
        about: "delete, prune; jobs: what is backed up when, and how much of it is kept",
        tools: backup::MORE,
        is_default: false,
    },
    Toolset {
        name: "storage_more",
        about: "images and container templates: from a URL, from Proxmox's list; deleting volumes",
        tools: storage::MORE,
        is_default: false,
    },
    Toolset {
        name: "node_more",
        about: "how busy a node was, and how full a storage",
        tools: metrics::OF_NODES,
        is_default: false,
    },
    Toolset {
        name: "network",
        about: "the network of nodes: interfaces, staged changes, applying them",
        tools: network::TOOLS,
        is_default: false,
    },
    Toolset {
        name: "firewall",
        about: "firewalls of cluster, nodes and guests: options, rules, aliases, sets, groups, log",
        tools: firewall::TOOLS,
        is_default: false,
    },
    Toolset {
        name: "access",
        about: "users, tokens, groups, roles, realms, access rules: who may do what",
        tools: access::TOOLS,
        is_default: false,
    },
    Toolset {
        name: "pool",
        about: "pools: which there are, what is in them; make, fill, delete",
        tools: pool::TOOLS,
        is_default: false,
    },
    Toolset {
        name: "cluster",
        about: "who did what; the options of a cluster as a whole",
        tools: cluster::TOOLS,
        is_default: false,
    },
];

/// All tools of all sets.
pub fn all() -> impl Iterator<Item = &'static Tool> {
    TOOLSETS.iter().flat_map(|set| set.tools)
}

/// The tool of this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    all().find(|tool| tool.name == name)
}
