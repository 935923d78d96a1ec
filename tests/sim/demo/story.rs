//! What happens in the demo, and what is expected of each step.

/// One call of the assistant.
pub struct Step {
    pub why: &'static str,
    pub tool: &'static str,
    /// JSON; `$confirm` stands for the code that the last plan gave.
    pub arguments: &'static str,
    /// The writes that reach the clusters, as `cluster METHOD path`.
    pub writes: &'static [&'static str],
    pub ends: Ends,
    pub shows: Show,
}

pub enum Ends {
    /// An answer in which each pointer leads to this value.
    Answer(&'static [(&'static str, &'static str)]),
    /// An error that says all of this.
    Error(&'static [&'static str]),
}

/// What is printed of an answer beside the decision. An error is printed whole.
pub enum Show {
    Keys(&'static [&'static str]),
    /// These columns of the rows in `items`.
    Rows(&'static [&'static str]),
}

use Ends::{Answer, Error};
use Show::{Keys, Rows};

pub const STEPS: &[Step] = &[
    Step {
        why: "Which clusters are there?",
        tool: "cluster_list",
        arguments: r#"{"check":true}"#,
        writes: &[],
        ends: Answer(&[
            ("/items/0/cluster", "production"),
            ("/items/2/cluster", "disaster-recovery"),
        ]),
        shows: Rows(&["cluster", "patterns", "region", "version", "state"]),
    },
    Step {
        why: "What runs in any of them and is tagged `web`? One question reaches all.",
        tool: "fleet_search",
        arguments: r#"{"query":"type:guest tag:web status:running"}"#,
        writes: &[],
        ends: Answer(&[("/total", "3"), ("/clusters_asked", "3")]),
        shows: Rows(&["cluster", "vmid", "name", "node", "status"]),
    },
    Step {
        why: "A new guest. Its name says where: `stg-` belongs to staging.",
        tool: "guest_create_vm",
        arguments: r#"{"name":"stg-demo-01","memory":1024,"disk_gib":8}"#,
        writes: &["staging POST /nodes/stg-pve1/qemu"],
        ends: Answer(&[
            ("/cluster", "staging"),
            ("/chosen_by", "pattern stg-"),
            ("/vmid", "102"),
            ("/state", "ok"),
        ]),
        shows: Keys(&["vmid", "node", "state"]),
    },
    Step {
        why: "It is started, and the call waits for the task's end.",
        tool: "guest_power",
        arguments: r#"{"guest":"stg-demo-01","action":"start","wait":20}"#,
        writes: &["staging POST /nodes/stg-pve1/qemu/102/status/start"],
        ends: Answer(&[
            ("/cluster", "staging"),
            ("/state", "ok"),
            ("/status", "running"),
        ]),
        shows: Keys(&["vmid", "node", "state", "status"]),
    },
    Step {
        why: "A snapshot, before anything is tried.",
        tool: "snapshot_create",
        arguments: r#"{"guest":"stg-demo-01","snapname":"clean"}"#,
        writes: &["staging POST /nodes/stg-pve1/qemu/102/snapshot"],
        ends: Answer(&[("/cluster", "staging"), ("/state", "ok")]),
        shows: Keys(&["state"]),
    },
    Step {
        why: "\"Shut down 100.\" Two clusters have a guest 100: nothing is guessed.",
        tool: "guest_power",
        arguments: r#"{"guest":100,"action":"shutdown"}"#,
        writes: &[],
        ends: Error(&[
            "AmbiguousClusterSelectionError",
            "production/100/prod-web-01",
            "staging/100/stg-web-01",
        ]),
        shows: Keys(&[]),
    },
    Step {
        why: "The trial is over. A guest that runs is shut down first.",
        tool: "guest_power",
        arguments: r#"{"guest":"stg-demo-01","action":"shutdown","wait":20}"#,
        writes: &["staging POST /nodes/stg-pve1/qemu/102/status/shutdown"],
        ends: Answer(&[("/state", "ok"), ("/status", "stopped")]),
        shows: Keys(&["state", "status"]),
    },
    Step {
        why: "What takes something away is planned first: nothing is changed yet.",
        tool: "guest_delete",
        arguments: r#"{"guest":"stg-demo-01"}"#,
        writes: &[],
        ends: Answer(&[("/cluster", "staging"), ("/expires_s", "600")]),
        shows: Keys(&["plan", "confirm", "expires_s"]),
    },
    Step {
        why: "The user agrees: the same call with the code acts.",
        tool: "guest_delete",
        arguments: r#"{"guest":"stg-demo-01","confirm":"$confirm"}"#,
        writes: &["staging DELETE /nodes/stg-pve1/qemu/102"],
        ends: Answer(&[("/cluster", "staging"), ("/vmid", "102"), ("/state", "ok")]),
        shows: Keys(&["vmid", "state"]),
    },
];
