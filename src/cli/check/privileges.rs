//! What a cluster's token may do with each set of tools, what it lacks for the rest, and the commands
//! that grant that.

use super::judge::{Finding, Severity};
use crate::api::mark::Effect;
use crate::fleet::permissions::{self, TokenPermissions};
use crate::proxmox::advice::{self, PrivilegeGrant};
use crate::tools::TOOLSETS;
use crate::tools::needs::{self, EXTRAS, ExtraNeed, Need, UnmetNeed};

const EFFECTS: [(Effect, &str); 4] = [
    (Effect::Read, "read"),
    (Effect::Operate, "operate"),
    (Effect::Change, "change"),
    (Effect::Full, "remove"),
];

/// What a token may do.
pub(super) struct PrivilegeReport {
    /// By set of tools.
    pub(super) sets: Vec<ToolsetPrivileges>,
    /// All that it lacks, a line a path, and the commands that grant it.
    pub(super) lacks: Vec<String>,
    pub(super) grants: Vec<String>,
    /// What it cannot do for want of what few tokens are given, a sentence each.
    pub(super) extras: Vec<String>,
    /// It has no privilege at all.
    bare: bool,
    /// It lacks what reading needs.
    blind: bool,
    token_id: String,
}

/// A set of tools.
pub(super) struct ToolsetPrivileges {
    pub(super) name: &'static str,
    /// What it may do with all of it: `read`, `operate`, `change`, `remove`.
    pub(super) may: Vec<&'static str>,
    pub(super) lacks: Vec<String>,
}

impl PrivilegeReport {
    /// Judges these permissions.
    pub(super) fn of(
        permissions: &TokenPermissions,
        token_id: &str,
        separated: Option<bool>,
        major: u32,
    ) -> PrivilegeReport {
        let needs = needs::needs();
        let lacking = needs::lacks(permissions, &needs, |_| true);
        let bare = permissions.is_bare();
        let reading = |need: &Need| need.effect == Effect::Read;
        let blind = !needs::lacks(permissions, &needs, reading).is_empty();
        let grants = grants(permissions, &lacking, bare);
        PrivilegeReport {
            sets: TOOLSETS
                .iter()
                .map(|set| ToolsetPrivileges::of(permissions, &needs, set.name, major))
                .collect(),
            lacks: lines(&lacking),
            grants: advice::grants(token_id, separated, &grants),
            extras: extras(permissions, major, |_| true),
            bare,
            blind,
            token_id: token_id.to_string(),
        }
    }

    /// Whether nothing of what the tools do is refused for want of a privilege.
    pub(super) fn suffice(&self) -> bool {
        self.lacks.is_empty() && self.extras.is_empty()
    }

    /// What it lacks of what few tokens are given.
    pub(super) fn finding_of_extras(&self) -> Option<Finding> {
        // Who may hardly do anything is not told of the rest.
        if self.bare || self.blind || self.extras.is_empty() {
            return None;
        }
        Some(Finding {
            severity: Severity::Note,
            endpoints: Vec::new(),
            step: "privileges",
            what: format!(
                "the token `{}` may not do everything: it is without {}",
                self.token_id,
                self.extras.join("; ")
            ),
            cure: "nothing, where it is not missed: `Sys.Modify` also configures nodes".into(),
            commands: Vec::new(),
        })
    }

    /// What of it is to be said: it is wrong only where not even all can be read, since lists then
    /// leave out without a word.
    pub(super) fn finding(&self) -> Option<Finding> {
        let token = &self.token_id;
        let (severity, what, cure) = if self.bare {
            (
                Severity::Error,
                format!("the token `{token}` has no privilege at all"),
                "a token with privilege separation has none of its user's until it is given some; as root on a node, for everything that the tools can do",
            )
        } else if self.blind {
            (
                Severity::Warning,
                format!(
                    "the token `{token}` cannot see everything, so lists leave out what it does not see; it lacks {}",
                    self.lacks.join("; ")
                ),
                "as root on a node, for everything that it lacks",
            )
        } else if self.lacks.is_empty() {
            return None;
        } else {
            (
                Severity::Note,
                format!(
                    "the token `{token}` may not do everything: it lacks {}",
                    self.lacks.join("; ")
                ),
                "nothing, if that is meant; else as root on a node",
            )
        };
        Some(Finding {
            severity,
            endpoints: Vec::new(),
            step: "privileges",
            what,
            cure: format!(
                "{cure} (a role that is there already is changed by `pveum role modify` in place of `add`):"
            ),
            commands: self.grants.clone(),
        })
    }
}

impl ToolsetPrivileges {
    fn of(
        permissions: &TokenPermissions,
        needs: &[Need],
        name: &'static str,
        major: u32,
    ) -> ToolsetPrivileges {
        let may = EFFECTS.iter().filter(|(effect, _)| {
            let wanted = |need: &Need| need.set == name && need.effect == *effect;
            needs.iter().any(wanted) && needs::lacks(permissions, needs, wanted).is_empty()
        });
        ToolsetPrivileges {
            name,
            may: may.map(|(_, word)| *word).collect(),
            lacks: [
                lines(&needs::lacks(permissions, needs, |need| need.set == name)),
                extras(permissions, major, |extra| extra.sets.contains(&name)),
            ]
            .concat(),
        }
    }
}

fn extras(
    permissions: &TokenPermissions,
    major: u32,
    wanted: impl Fn(&ExtraNeed) -> bool,
) -> Vec<String> {
    let wanted = EXTRAS.iter().filter(|extra| wanted(extra));
    wanted
        .filter_map(|extra| extra.lack(permissions, major))
        .collect()
}

fn lines(lacks: &[UnmetNeed]) -> Vec<String> {
    lacks.iter().flat_map(UnmetNeed::lines).collect()
}

/// What has to be granted: on each path what is lacked there with what is held there, as an entry on a
/// path replaces what is inherited. A token without anything is granted all of it at once on `/`.
fn grants<'a>(
    permissions: &'a TokenPermissions,
    lacking: &[UnmetNeed],
    bare: bool,
) -> Vec<PrivilegeGrant<'a>> {
    let lacked = |lack: &UnmetNeed| {
        lack.none
            .iter()
            .chain(&lack.some)
            .copied()
            .collect::<Vec<_>>()
    };
    if bare {
        let mut privileges: Vec<&str> = lacking.iter().flat_map(lacked).collect();
        privileges.sort_unstable();
        privileges.dedup();
        return vec![PrivilegeGrant {
            path: "/",
            privileges,
        }];
    }
    let grant = |lack: &UnmetNeed| {
        let mut privileges = lacked(lack);
        if let Some(held) = permissions.on(lack.path) {
            privileges.extend(names(held).filter(|name| matters(lack.path, name)));
        }
        privileges.sort_unstable();
        privileges.dedup();
        PrivilegeGrant {
            path: lack.path,
            privileges,
        }
    };
    lacking.iter().map(grant).collect()
}

/// Whether a privilege that is held on a path says anything there that an entry would take away.
fn matters(path: &str, privilege: &str) -> bool {
    let family = match path {
        // An entry on `/` replaces nothing.
        "/" => return false,
        "/vms" => "VM.",
        "/storage" => "Datastore.",
        "/nodes" => "Sys.",
        "/sdn" => "SDN.",
        // What is held on a pool holds for all that is in it.
        _ => "",
    };
    privilege.starts_with(family) || privilege.starts_with("Permissions.")
}

/// The names of the privileges on a path. They end up in a command that a person may paste into a root
/// shell.
fn names(path: &permissions::PathPrivileges) -> impl Iterator<Item = &str> {
    path.keys().map(AsRef::as_ref).filter(|name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    })
}
