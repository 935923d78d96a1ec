//! One row of a list of tasks, as Proxmox gives it.

use serde_json::Value;

use crate::api::loose::number;
use crate::fleet::index::GuestKind;
use crate::proxmox::task::TaskStage;

/// How the types of those tasks begin that are about the guest in `id`.
const OF_GUESTS: &[&str] = &[
    "qm",
    "vz",
    "ha",
    "vncproxy",
    "spiceproxy",
    "move_volume",
    "resize",
    "imgdel",
];
/// What ends with the VMID free again.
const TAKES: &[&str] = &["qmdestroy", "vzdestroy"];
/// What gives it to a guest: also over one that has it, and a guest of another cluster.
const GIVES: &[&str] = &[
    "qmcreate",
    "qmrestore",
    "qmtunnel",
    "vzcreate",
    "vzrestore",
    "vzmtunnel",
];

pub(super) struct Task {
    pub upid: String,
    pub kind: String,
    pub id: String,
    /// What the guest is called that it is about; not told by the row.
    pub name: Option<String>,
    pub node: String,
    pub user: String,
    /// Unix seconds.
    pub start: u64,
    pub end: Option<u64>,
    pub state: TaskStage,
    pub exit: String,
}

/// What a task does with whose a VMID is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VmidTurn {
    Takes,
    Gives,
}

impl Task {
    pub(super) fn read(row: &Value) -> Task {
        let text = |key: &str| {
            let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
            text.to_string()
        };
        let status = text("status");
        let end = Some(number(row.get("endtime"))).filter(|end| *end > 0);
        let state = match status.as_str() {
            "RUNNING" => TaskStage::Running,
            "" if end.is_none() => TaskStage::Running,
            "OK" => TaskStage::Ok,
            warned if warned.starts_with("WARNINGS: ") => TaskStage::Warnings,
            _ => TaskStage::Failed,
        };
        // A finished row has user and token apart, a running one may have them joined.
        let token = text("tokenid");
        let user = text("user");
        let joined = token.is_empty() || user.contains('!');
        let is_running = state == TaskStage::Running;
        Task {
            upid: text("upid"),
            kind: text("type"),
            id: text("id"),
            name: None,
            node: text("node"),
            user: if joined {
                user
            } else {
                format!("{user}!{token}")
            },
            start: number(row.get("starttime")),
            end: end.filter(|_| !is_running),
            state,
            exit: if is_running { String::new() } else { status },
        }
    }

    /// What stands in `id` before a storage: a volume's task has `100@local`.
    pub(super) fn subject(&self) -> &str {
        self.id.split('@').next().unwrap_or_default()
    }

    /// The VMID of the guest that it is about.
    pub(super) fn vmid(&self) -> Option<u32> {
        let mut types = OF_GUESTS.iter();
        let is_of_guest = types.any(|begins| self.kind.starts_with(begins));
        let vmid = self.subject().parse().ok();
        vmid.filter(|vmid| is_of_guest && *vmid > 0)
    }

    /// The kind of its guest, where its type tells.
    pub(super) fn guest_kind(&self) -> Option<GuestKind> {
        match self.kind.get(..2)? {
            "qm" => Some(GuestKind::Qemu),
            "vz" if self.kind != "vzdump" => Some(GuestKind::Lxc),
            _ => None,
        }
    }

    /// Whether it makes the VMID somebody else's; one that failed does not.
    pub(super) fn turn(&self) -> Option<VmidTurn> {
        let is_one = |types: &[&str]| types.contains(&self.kind.as_str());
        match self.state {
            TaskStage::Ok | TaskStage::Warnings if is_one(TAKES) => Some(VmidTurn::Takes),
            TaskStage::Ok | TaskStage::Warnings | TaskStage::Running if is_one(GIVES) => {
                Some(VmidTurn::Gives)
            }
            _ => None,
        }
    }
}
