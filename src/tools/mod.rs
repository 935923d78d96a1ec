//! The families, one file or folder a noun, and the table of all tools.

pub mod backup;
pub mod current;
pub mod disks;
pub mod fleet;
pub mod guest;
pub mod levels;
pub mod needs;
pub mod node;
pub mod plan;
pub mod renamed;
pub mod rights;
pub mod snapshot;
pub mod storage;
pub mod task;

use crate::tool::Tool;

/// A named set of tools that is switched on and off together.
pub struct Toolset {
    pub name: &'static str,
    pub tools: &'static [Tool],
}

/// Every tool, in the order in which it is listed.
pub static TOOLSETS: &[Toolset] = &[
    Toolset {
        name: "fleet",
        tools: fleet::TOOLS,
    },
    Toolset {
        name: "guest",
        tools: guest::TOOLS,
    },
    Toolset {
        name: "snapshot",
        tools: snapshot::TOOLS,
    },
    Toolset {
        name: "backup",
        tools: backup::TOOLS,
    },
    Toolset {
        name: "task",
        tools: task::TOOLS,
    },
    Toolset {
        name: "node",
        tools: node::TOOLS,
    },
    Toolset {
        name: "storage",
        tools: storage::TOOLS,
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
