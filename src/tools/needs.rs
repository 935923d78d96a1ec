//! What the tools need of a token: privileges by path, effect and toolset; and what a token lacks
//! of that.

use std::collections::BTreeSet;

use crate::api::mark::Effect;
use crate::fleet::permissions::{PrivilegeScope, TokenPermissions};

/// One privilege on one path, with the sets of tools that need it for this effect.
pub struct Need {
    pub path: &'static str,
    pub privilege: &'static str,
    pub effect: Effect,
    pub sets: &'static [&'static str],
}

const fn need(
    path: &'static str,
    privilege: &'static str,
    effect: Effect,
    sets: &'static [&'static str],
) -> Need {
    Need {
        path,
        privilege,
        effect,
        sets,
    }
}

/// The sets that work on guests.
const GUESTS: &[&str] = &["fleet", "guest", "snapshot", "backup"];

/// All of them, by path. `/cluster/status` is asked on `/`. Each exists in Proxmox VE 8 and 9.
pub static NEEDS: &[Need] = &[
    need("/", "Sys.Audit", Effect::Read, &["fleet"]),
    need(
        "/nodes",
        "Sys.Audit",
        Effect::Read,
        &["fleet", "node", "task"],
    ),
    need("/vms", "VM.Allocate", Effect::Change, &["guest", "backup"]),
    need("/vms", "VM.Audit", Effect::Read, GUESTS),
    need("/vms", "VM.Backup", Effect::Operate, &["backup"]),
    need("/vms", "VM.Clone", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.CDROM", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.CPU", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.Cloudinit", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.Disk", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.HWType", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.Memory", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.Network", Effect::Change, &["guest"]),
    need("/vms", "VM.Config.Options", Effect::Change, &["guest"]),
    need("/vms", "VM.Migrate", Effect::Operate, &["guest"]),
    need("/vms", "VM.PowerMgmt", Effect::Operate, &["guest"]),
    need("/vms", "VM.Snapshot", Effect::Operate, &["snapshot"]),
    need("/vms", "VM.Snapshot.Rollback", Effect::Full, &["snapshot"]),
    need(
        "/storage",
        "Datastore.AllocateSpace",
        Effect::Operate,
        &["backup"],
    ),
    need(
        "/storage",
        "Datastore.AllocateSpace",
        Effect::Change,
        &["guest"],
    ),
    need(
        "/storage",
        "Datastore.Audit",
        Effect::Read,
        &["fleet", "storage", "backup"],
    ),
    need("/sdn", "SDN.Use", Effect::Change, &["guest"]),
    need("/pool", "Pool.Audit", Effect::Read, &["fleet", "pool"]),
];

/// What single arguments or parts of answers take beyond the needs, so that few tokens are given it.
pub struct ExtraNeed {
    /// What a token without it cannot do or see.
    pub what: &'static str,
    pub path: &'static str,
    /// One of these is enough.
    pub privileges: &'static [&'static str],
    /// What it was called before version 9, where that differs.
    pub before_9: Option<&'static str>,
    pub sets: &'static [&'static str],
}

/// Measured on 9.2, where the description of the API says nothing of the first three.
pub static EXTRAS: &[ExtraNeed] = &[
    ExtraNeed {
        what: "a start order, and containers with more rights than `unprivileged`",
        path: "/",
        privileges: &["Sys.Modify"],
        before_9: None,
        sets: &["guest", "backup"],
    },
    ExtraNeed {
        what: "stopping tasks of others",
        path: "/nodes",
        privileges: &["Sys.Modify"],
        before_9: None,
        sets: &["task"],
    },
    ExtraNeed {
        what: "mapped devices",
        path: "/mapping",
        privileges: &["Mapping.Use"],
        before_9: None,
        sets: &["guest"],
    },
    ExtraNeed {
        what: "the addresses of running machines",
        path: "/vms",
        privileges: &["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"],
        before_9: Some("VM.Monitor"),
        sets: &["guest"],
    },
    ExtraNeed {
        what: "the bridges of nodes",
        path: "/sdn",
        privileges: &["SDN.Audit", "SDN.Use"],
        before_9: None,
        sets: &["node"],
    },
];

impl ExtraNeed {
    /// As a person is told that a token on a cluster of this major version lacks it; `None` where it
    /// does not.
    pub fn lack(&self, permissions: &TokenPermissions, major: u32) -> Option<String> {
        let older = self.before_9.filter(|_| major < 9);
        let known = older.as_slice();
        let privileges = if known.is_empty() {
            self.privileges
        } else {
            known
        };
        // A path that has no entry of its own inherits; `/mapping` is listed only where it has one.
        let holds = |privilege: &&str| match permissions.on(self.path) {
            Some(_) => permissions.reach(self.path, privilege) == PrivilegeScope::Everywhere,
            None => permissions.holds(self.path, privilege),
        };
        let held = privileges.iter().any(holds);
        let first = privileges.first().filter(|_| !held)?;
        Some(format!("{} (`{first}` on `{}`)", self.what, self.path))
    }
}

/// What of the needs on one path a token lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct UnmetNeed {
    pub path: &'static str,
    pub none: Vec<&'static str>,
    /// Held on some paths below only.
    pub some: Vec<&'static str>,
}

/// What of `needs` a token with these permissions lacks, path by path.
pub fn lacks<'a>(
    permissions: &TokenPermissions,
    needs: impl Iterator<Item = &'a Need>,
) -> Vec<UnmetNeed> {
    let mut lacks: Vec<UnmetNeed> = Vec::new();
    let mut seen = BTreeSet::new();
    for need in needs.filter(|need| seen.insert((need.path, need.privilege))) {
        let held = permissions.reach(need.path, need.privilege);
        if held == PrivilegeScope::Everywhere {
            continue;
        }
        let place = lacks.iter().position(|lack| lack.path == need.path);
        let place = place.unwrap_or_else(|| {
            lacks.push(UnmetNeed {
                path: need.path,
                none: Vec::new(),
                some: Vec::new(),
            });
            lacks.len() - 1
        });
        if let Some(lack) = lacks.get_mut(place) {
            match held {
                PrivilegeScope::Somewhere => lack.some.push(need.privilege),
                _ => lack.none.push(need.privilege),
            }
        }
    }
    lacks
}

impl UnmetNeed {
    /// A line for what is held nowhere, `/vms: VM.Clone, VM.Migrate`; in a second one, what is held on
    /// some paths below only.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.none.is_empty() {
            lines.push(format!("{}: {}", self.path, self.none.join(", ")));
        }
        if !self.some.is_empty() {
            lines.push(format!(
                "{}, save some paths: {}",
                self.path,
                self.some.join(", ")
            ));
        }
        lines
    }
}
