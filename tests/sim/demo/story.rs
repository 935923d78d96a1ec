//! What happens in the demo, and what is expected of each step.

/// One call of the assistant.
pub struct Step {
    pub why: &'static str,
    pub tool: &'static str,
    /// JSON; `$confirm` stands for the code that the last plan gave.
    pub arguments: &'static str,
    /// The object's name, which the user types when they are asked. Such a step is made by a client
    /// that can ask them.
    pub typed: Option<&'static str>,
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
        typed: None,
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
        typed: None,
        writes: &[],
        ends: Answer(&[("/total", "3"), ("/clusters_asked", "3")]),
        shows: Rows(&["cluster", "vmid", "name", "node", "status"]),
    },
    Step {
        why: "A new guest. Its name says where: `stg-` belongs to staging.",
        tool: "guest_create_vm",
        arguments: r#"{"name":"stg-demo-01","memory":1024,"disk_gib":8}"#,
        typed: None,
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
        typed: None,
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
        typed: None,
        writes: &["staging POST /nodes/stg-pve1/qemu/102/snapshot"],
        ends: Answer(&[("/cluster", "staging"), ("/state", "ok")]),
        shows: Keys(&["state"]),
    },
    Step {
        why: "\"Shut down 100.\" Two clusters have a guest 100: nothing is guessed.",
        tool: "guest_power",
        arguments: r#"{"guest":100,"action":"shutdown"}"#,
        typed: None,
        writes: &[],
        ends: Error(&[
            "AmbiguousClusterSelectionError",
            "production/100/prod-web-01",
            "staging/100/stg-web-01",
        ]),
        shows: Keys(&[]),
    },
    Step {
        why: "The trial is over. What cuts off is planned first: nothing is changed yet.",
        tool: "guest_power",
        arguments: r#"{"guest":"stg-demo-01","action":"stop"}"#,
        typed: None,
        writes: &[],
        ends: Answer(&[("/cluster", "staging"), ("/expires_s", "600")]),
        shows: Keys(&["plan", "confirm", "expires_s"]),
    },
    Step {
        why: "The user was shown the plan and agrees: the same call with the code acts.",
        tool: "guest_power",
        arguments: r#"{"guest":"stg-demo-01","action":"stop","confirm":"$confirm"}"#,
        typed: None,
        writes: &["staging POST /nodes/stg-pve1/qemu/102/status/stop"],
        ends: Answer(&[("/state", "ok"), ("/status", "stopped")]),
        shows: Keys(&["state", "status"]),
    },
    Step {
        why: "What takes away is not left to a code, and this client cannot ask its user.",
        tool: "guest_delete",
        arguments: r#"{"guest":"stg-demo-01"}"#,
        typed: None,
        writes: &[],
        ends: Error(&["NotAllowedError", "cannot ask; nothing was sent"]),
        shows: Keys(&[]),
    },
    Step {
        why: "Another client can. Its user sees what is lost, and types the name.",
        tool: "guest_delete",
        arguments: r#"{"guest":"stg-demo-01"}"#,
        typed: Some("stg-demo-01"),
        writes: &["staging DELETE /nodes/stg-pve1/qemu/102"],
        ends: Answer(&[("/cluster", "staging"), ("/vmid", "102"), ("/state", "ok")]),
        shows: Keys(&["vmid", "state"]),
    },
];
