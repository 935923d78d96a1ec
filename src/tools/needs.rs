//! What the tools need of a token: privileges by path, effect and toolset, read off what their actions
//! send; and what a token lacks of that.

use std::collections::BTreeSet;

use super::TOOLSETS;
use crate::api::mark::Effect;
use crate::fleet::permissions::{PrivilegeScope, TokenPermissions};
use crate::tool::Tool;

/// One privilege on one path, which a set of tools needs for this effect, and for what is heavier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub path: &'static str,
    pub privilege: &'static str,
    pub effect: Effect,
    pub set: &'static str,
}

/// All of them, by path: what the rows of the methods take that the actions send.
pub fn needs() -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for set in TOOLSETS {
        for action in set.tools.iter().flat_map(Tool::actions) {
            let sends = action.sends.iter().copied().flatten();
            for grant in sends.flat_map(|sending| sending.grants) {
                let need = Need {
                    path: grant.path,
                    privilege: grant.privilege,
                    effect: action.mark.effect,
                    set: set.name,
                };
                let is_it = |one: &&mut Need| {
                    (one.path, one.privilege, one.set) == (need.path, need.privilege, need.set)
                };
                match needs.iter_mut().find(is_it) {
                    Some(known) => known.effect = known.effect.min(need.effect),
                    None => needs.push(need),
                }
            }
        }
    }
    needs.sort_by_key(|need| (need.path, need.privilege));
    needs
}

/// What single arguments or parts of answers take beyond the needs, so that few tokens are given it.
pub struct ExtraNeed {
    /// What a token without it cannot do or see.
    pub what: &'static str,
    pub path: &'static str,
    /// One of these is enough.
    pub privileges: &'static [&'static str],
    /// What it was called before version 9, where that differs.
    pub before_9: Option<&'static str>,
    /// Whether a token of every level is given the first of them: it makes answers complete, and lets
    /// nothing be done. What it was called before version 9 is given to none, since that does.
    pub is_in_levels: bool,
    pub sets: &'static [&'static str],
}

/// Measured on 9.2, where the description of the API says nothing of the first three.
pub static EXTRAS: &[ExtraNeed] = &[
    ExtraNeed {
        what: "a start order, and containers with more rights than `unprivileged`",
        path: "/",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["guest", "backup"],
    },
    ExtraNeed {
        what: "what others did, in a cluster's log",
        path: "/",
        privileges: &["Sys.Syslog"],
        before_9: None,
        is_in_levels: true,
        sets: &["cluster"],
    },
    ExtraNeed {
        what: "the options of a cluster as a whole",
        path: "/",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["cluster"],
    },
    ExtraNeed {
        what: "changing the network of nodes",
        path: "/nodes",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["network"],
    },
    ExtraNeed {
        what: "changing the firewall of the cluster",
        path: "/",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["firewall"],
    },
    ExtraNeed {
        what: "changing the firewalls of nodes",
        path: "/nodes",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["firewall"],
    },
    ExtraNeed {
        what: "the logs of nodes' firewalls",
        path: "/nodes",
        privileges: &["Sys.Syslog"],
        before_9: None,
        is_in_levels: true,
        sets: &["firewall"],
    },
    ExtraNeed {
        what: "the logs of guests' firewalls",
        path: "/vms",
        privileges: &["VM.Console"],
        before_9: None,
        is_in_levels: false,
        sets: &["firewall"],
    },
    ExtraNeed {
        what: "stopping tasks of others",
        path: "/nodes",
        privileges: &["Sys.Modify"],
        before_9: None,
        is_in_levels: false,
        sets: &["task"],
    },
    ExtraNeed {
        what: "mapped devices",
        path: "/mapping",
        privileges: &["Mapping.Use"],
        before_9: None,
        is_in_levels: false,
        sets: &["guest"],
    },
    ExtraNeed {
        what: "the addresses of running machines",
        path: "/vms",
        privileges: &["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"],
        before_9: Some("VM.Monitor"),
        is_in_levels: true,
        sets: &["guest", "agent"],
    },
    ExtraNeed {
        what: "trimming and freezing file systems by guest agents",
        path: "/vms",
        privileges: &["VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"],
        before_9: Some("VM.Monitor"),
        is_in_levels: false,
        sets: &["agent"],
    },
    ExtraNeed {
        what: "the bridges of nodes",
        path: "/sdn",
        privileges: &["SDN.Audit", "SDN.Use"],
        before_9: None,
        is_in_levels: true,
        sets: &["node", "network"],
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

/// What of `needs`, as far as it is `wanted`, a token with these permissions lacks, path by path.
pub fn lacks(
    permissions: &TokenPermissions,
    needs: &[Need],
    wanted: impl Fn(&Need) -> bool,
) -> Vec<UnmetNeed> {
    let mut lacks: Vec<UnmetNeed> = Vec::new();
    let mut seen = BTreeSet::new();
    let first = |need: &&Need| seen.insert((need.path, need.privilege));
    for need in needs.iter().filter(|need| wanted(need)).filter(first) {
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
