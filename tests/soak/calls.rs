//! What the soak sends: calls of every kind, lines that are none, and faults of the clusters.

use serde_json::{Value, json};

use crate::sim::{Fault, Limited};

/// Numbers that look drawn at random and are the same in every run.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        mixed as usize % limit.max(1)
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

pub const CLUSTERS: [&str; 3] = ["production", "staging", "disaster-recovery"];
const GUESTS: [&str; 8] = [
    "prod-web-01",
    "prod-db-01",
    "stg-web-01",
    "stg-web-02",
    "dr-web-01",
    "100",
    "200",
    "no-such-guest",
];
const QUERIES: [&str; 6] = [
    "",
    "type:guest tag:web status:running",
    "web",
    "mem>10% -template:yes",
    "type:storage disk>1%",
    "what:is this>that",
];
const ACTIONS: [&str; 5] = ["start", "shutdown", "reboot", "suspend", "resume"];

/// A tool and its arguments.
pub fn call(draw: &mut Draw) -> (&'static str, Value) {
    let cluster = *draw.of(&CLUSTERS);
    let guest = *draw.of(&GUESTS);
    let snapshot = format!("soak-{}", draw.below(6));
    match draw.below(24) {
        0 | 1 => ("fleet_search", json!({"query": draw.of(&QUERIES)})),
        2 => ("fleet_search", json!({"group_by": "status"})),
        3 => ("fleet_summary", json!({})),
        4 => ("cluster_list", json!({"check": draw.below(4) == 0})),
        5 | 6 => (
            "guest_list",
            json!({"cluster": "all", "limit": 1 + draw.below(20)}),
        ),
        7 | 8 => ("guest_get", json!({"guest": guest})),
        9 => (
            "guest_get",
            json!({"guest": guest, "cluster": cluster, "include": ["snapshots"]}),
        ),
        10 => ("node_list", json!({"cluster": cluster})),
        11 => ("storage_list", json!({"cluster": "all"})),
        12 => (
            "storage_content",
            json!({"cluster": cluster, "storage": "local"}),
        ),
        13 => ("snapshot_list", json!({"guest": guest})),
        14 => ("backup_list", json!({"cluster": cluster})),
        15 => ("task_list", json!({"cluster": "all", "limit": 10})),
        16 => (
            "guest_power",
            json!({"guest": guest, "action": draw.of(&ACTIONS), "wait": 0}),
        ),
        17 => {
            let wait = usize::from(draw.below(10) == 0);
            (
                "snapshot_create",
                json!({"guest": guest, "snapname": snapshot, "wait": wait}),
            )
        }
        // Plans that nobody confirms.
        18 => (
            "snapshot_delete",
            json!({"guest": guest, "snapname": snapshot}),
        ),
        19 => ("guest_delete", json!({"guest": guest})),
        20 => {
            let tag = format!("soak{}", draw.below(4));
            let change = *draw.of(&["tags_add", "tags_remove"]);
            ("guest_configure", json!({"guest": guest, change: [tag]}))
        }
        21 => (
            "guest_power",
            json!({"guest": guest, "action": "explode", "confirm": 7}),
        ),
        22 => ("proxmox-list-vms", json!({"cluster": cluster})),
        _ => ("no_such_tool", json!({"x": [1, 2, {"y": null}]})),
    }
}

/// Bytes that are no request, and how many answers they get.
pub fn bad_line(draw: &mut Draw) -> (Vec<u8>, usize) {
    match draw.below(9) {
        0 => (b"this is no JSON".to_vec(), 1),
        1 => (b"{\"jsonrpc\":\"2.0\",\"id\":".to_vec(), 1),
        2 => (b"\xff\xfe\xfd".to_vec(), 1),
        3 => (b"   ".to_vec(), 0),
        4 => (b"[]".to_vec(), 1),
        5 => ("[".repeat(5000).into_bytes(), 1),
        6 => (b"{\"jsonrpc\":\"1.0\",\"id\":1e3,\"method\":7}".to_vec(), 1),
        7 => (b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"never\"}}".to_vec(), 0),
        _ if draw.below(40) == 0 => (long_line(), 1),
        _ => (vec![b'x'; 100_000], 1),
    }
}

/// Longer than a line may be.
pub fn long_line() -> Vec<u8> {
    vec![b'x'; 9 << 20]
}

/// An answer of many bytes, once.
pub fn largest() -> Limited {
    Limited::from(Fault::Huge(8 << 20)).times(1)
}

/// What goes wrong next on a cluster.
pub fn fault(draw: &mut Draw) -> Limited {
    let once = |fault: Fault| Limited::from(fault).times(1);
    let few = |fault: Fault| Limited::from(fault).times(5);
    match draw.below(20) {
        0 => once(Fault::HangBefore),
        1 => once(Fault::HangAfter),
        2 => few(Fault::CutInHeader),
        3 => few(Fault::CutInBody),
        4 => few(Fault::CutAfterExecute),
        5 => once(Fault::SlowBytes(1)),
        6 => few(Fault::Html),
        7 => few(Fault::BadJson),
        8 => few(Fault::Empty),
        9 => few(Fault::Redirect),
        10 => largest(),
        11 => once(Fault::WrongLength),
        12 => few(Fault::Chunked),
        13 => few(Fault::DeepJson(2000)),
        14 => once(Fault::Status401),
        15 => Fault::Refuse.into(),
        16 => Fault::NoQuorum.into(),
        17 => Fault::OldErrors.into(),
        18 => few(Fault::Latency(20)),
        _ => Fault::TokenLacks(vec!["VM.Audit".into(), "VM.PowerMgmt".into()]).into(),
    }
}
