//! What keeps clusters safe from calls: levels, confirmation, limits, switches, the audit file.

use std::path::PathBuf;

use super::rule::{self, Rule};
use super::spelling::Values;
use super::value;
use super::{Report, parsed};
use crate::api::effect::Effect;
use crate::text::repeated;

const PROTECT: &str = "PROXMOX_PROTECT";
const BULK_LIMIT_DEFAULT: u32 = 10;
const BULK_LIMIT_MAX: u32 = 10_000;
/// The variables of [`Switches`], in the order of its fields.
pub(super) const SWITCHES: [&str; 3] = [
    "PROXMOX_TOOLSETS",
    "PROXMOX_TOOLS_ALLOW",
    "PROXMOX_TOOLS_DENY",
];
/// The set of toolsets that is on where nothing is said.
pub const DEFAULT_SETS: &str = "default";
/// Every toolset that exists.
pub const ALL_SETS: &str = "all";

/// The settings that the gate goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// The most that may be done anywhere.
    pub access: Effect,
    pub confirm: Confirm,
    /// What is protected on all clusters.
    pub protect: Vec<Rule>,
    /// The most guests or objects destroyed or interrupted in 60 s.
    pub bulk_limit: usize,
    pub switches: Switches,
    pub audit_log: Option<PathBuf>,
}

/// How what asks is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    pub way: Way,
    /// The places of the clusters that go unconfirmed.
    pub off: Vec<usize>,
}

/// The way in which a call is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The user is asked where the client can; else what is below full goes by code.
    Auto,
    /// The user is asked, and what cannot be asked is refused.
    Ask,
    /// The same call again, with the code that the first one gave.
    Code,
}

/// Which tools are offered; checked against the tools that exist where those are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Names of toolsets, [`DEFAULT_SETS`] or [`ALL_SETS`].
    pub sets: Vec<String>,
    /// Tools that are offered besides.
    pub allow: Vec<String>,
    /// Tools that are never offered.
    pub deny: Vec<String>,
}

/// Reads them; `names` are those of the clusters.
pub(super) fn read(names: &[String], values: &Values, report: &mut Report) -> Safety {
    let access = parsed(values, "PROXMOX_ACCESS", report, level);
    let confirm = parsed(values, "PROXMOX_CONFIRM", report, |text| {
        confirm(text, names)
    });
    let protect = parsed(values, PROTECT, report, |text| rule::rules(PROTECT, text));
    let bulk_limit = parsed(values, "PROXMOX_BULK_LIMIT", report, |text| {
        value::whole(text, 1, BULK_LIMIT_MAX)
    });
    let audit_log = parsed(values, "PROXMOX_AUDIT_LOG", report, value::absolute);
    let confirm = confirm.unwrap_or(Confirm {
        way: Way::Auto,
        off: Vec::new(),
    });
    if !confirm.off.is_empty() {
        let off = confirm.off.iter().filter_map(|place| names.get(*place));
        let off: Vec<&str> = off.map(String::as_str).collect();
        report.warn(
            "PROXMOX_CONFIRM",
            format!(
                "nothing is confirmed on {}: what destroys goes through at the first call",
                off.join(", ")
            ),
        );
    }
    Safety {
        access: access.unwrap_or(Effect::Full),
        confirm,
        protect: protect.unwrap_or_default(),
        bulk_limit: bulk_limit.unwrap_or(BULK_LIMIT_DEFAULT) as usize,
        switches: switches(values),
        audit_log,
    }
}

/// The switches as they are written.
pub(super) fn switches(values: &Values) -> Switches {
    let list = |name: &str| -> Vec<String> {
        let items = values.get(name).map(|text| value::items(text));
        items.into_iter().flatten().map(str::to_owned).collect()
    };
    let [sets, allow, deny] = SWITCHES;
    let mut sets = list(sets);
    if sets.is_empty() {
        sets.push(DEFAULT_SETS.to_owned());
    }
    Switches {
        sets,
        allow: list(allow),
        deny: list(deny),
    }
}

/// The access level of this name.
pub(super) fn level(text: &str) -> Result<Effect, String> {
    Effect::named(text).ok_or_else(|| {
        let names = Effect::ALL.map(Effect::name);
        format!("is none of {}", names.join(", "))
    })
}

fn confirm(text: &str, names: &[String]) -> Result<Confirm, String> {
    let way = |way| {
        Ok(Confirm {
            way,
            off: Vec::new(),
        })
    };
    match text {
        "auto" => return way(Way::Auto),
        "ask" => return way(Way::Ask),
        "code" => return way(Way::Code),
        _ => {}
    }
    let Some(listed) = text.strip_prefix("off") else {
        return Err("is none of auto, ask, code, off:NAME[,NAME]".into());
    };
    let listed = listed.strip_prefix(':').unwrap_or_default();
    let mut off = Vec::new();
    for name in value::items(listed) {
        match names.iter().position(|known| known == name) {
            Some(place) => off.push(place),
            None => {
                let name = repeated(name);
                return Err(format!("no cluster is named `{name}`"));
            }
        }
    }
    if off.is_empty() {
        return Err("must name the clusters that go unconfirmed, as off:NAME[,NAME]".into());
    }
    Ok(Confirm {
        way: Way::Auto,
        off,
    })
}
