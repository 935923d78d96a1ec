//! What happened in the lab of the later recordings between two exchanges, without the API.

use crate::replay_scenes::set;
use crate::sim::World;
use crate::sim::guest::Snapshot;
use crate::sim::rights::{Rule, Token, User};
use crate::sim::state::State;

const LOCKS: &[&str] = &[
    "backup",
    "migrate",
    "snapshot-delete",
    "snapshot",
    "rollback",
    "clone",
    "create",
    "suspended",
    "suspending",
    "disk",
    "mounted",
    "destroyed",
    "fstrim",
];

/// The user that guests are sent to other clusters as.
pub(crate) fn people(world: &World) {
    for cluster in ["A", "C"] {
        world.cluster(cluster).edit(|state| {
            let token = Token {
                secret: "00000000-0000-4000-8000-000000000000".into(),
                ..Token::default()
            };
            state.access.users.insert(
                "rmig@pve".into(),
                User {
                    enable: true,
                    tokens: [("t3in".to_string(), token)].into(),
                    ..User::default()
                },
            );
            state.access.acl.push(Rule {
                path: "/".into(),
                propagate: true,
                role: "Administrator".into(),
                ugid: "rmig@pve".into(),
                kind: "user".into(),
            });
        });
    }
}

/// Brings the clusters to where they were just before this exchange.
pub(crate) fn before(id: &str, world: &World) {
    locks(id, world);
}

/// The lab sets each lock and tries everything: `t3-lk-backup-put`.
fn locks(id: &str, world: &World) {
    let (cluster, vmid, rest) = if let Some(rest) = id.strip_prefix("t3-lk-ct-") {
        ("B", 841, rest)
    } else if let Some(rest) = id.strip_prefix("t3-lk-") {
        ("B", 840, rest)
    } else if let Some(rest) = id.strip_prefix("t3-lkr-") {
        ("C", 864, rest)
    } else {
        return;
    };
    if id.ends_with(".status") || id.ends_with(".log") {
        return;
    }
    let lock = LOCKS.iter().find(|lock| rest.starts_with(*lock));
    world.cluster(cluster).just_now(|state| {
        if let Some(lock) = lock {
            set(state, vmid, "lock", lock);
        }
        if rest == "hib-start" {
            set(state, vmid, "lock", "");
        }
        if vmid == 840 {
            snapshot(state, vmid, "s0");
        }
    });
}

/// A snapshot that the lab made, if the guest has none.
pub(crate) fn snapshot(state: &mut State, vmid: u32, name: &str) {
    let Some(guest) = state
        .guests
        .get_mut(&vmid)
        .filter(|guest| guest.snapshots.is_empty())
    else {
        return;
    };
    guest.snapshots.push(Snapshot {
        name: name.into(),
        parent: None,
        time: 1_790_972_650,
        description: String::new(),
        vmstate: false,
        state: None,
        config: guest.config.clone(),
    });
    guest.parent = Some(name.into());
}
