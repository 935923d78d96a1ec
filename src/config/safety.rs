//! What keeps clusters safe from calls: levels, protected guests, how calls are confirmed, which tools there
//! are.

use super::report::SetVariable;
use super::{Cluster, Config, cluster_names, rule, value};
use crate::api::mark::Effect;

/// The set of toolsets that is on where nothing is said.
pub const DEFAULT_SETS: &str = "default";
/// Every toolset that exists.
pub const ALL_SETS: &str = "all";

/// How what asks is confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfirmSettings {
    pub way: ConfirmMode,
    /// The places of the clusters that go unconfirmed.
    pub off: Vec<usize>,
}

/// The way in which a call is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfirmMode {
    /// The user is asked where the client can; else what is below full goes by code.
    #[default]
    Auto,
    /// The user is asked, and what cannot be asked is refused.
    Ask,
    /// The call is made again, with the code that the first one gave.
    Code,
}

/// Which tools are offered; checked against the tools that exist where those are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Names of toolsets, [`DEFAULT_SETS`] or [`ALL_SETS`].
    pub sets: Vec<String>,
    /// Whether somebody said which: then others cannot be switched on while the server runs.
    pub is_bound: bool,
    /// Tools that are offered besides.
    pub allow: Vec<String>,
    /// Tools that are never offered.
    pub deny: Vec<String>,
}

/// The stricter of a level and what the cluster has so far, and the variable that says it.
pub(super) fn access(cluster: &mut Cluster, said: &mut SetVariable) {
    let level = said.parsed(|text| {
        Effect::named(text).ok_or_else(|| {
            let names = Effect::ALL.map(Effect::name);
            format!("is none of {}", names.join(", "))
        })
    });
    if let Some(level) = level
        && level < cluster.access
    {
        cluster.access = level;
        said.variable.clone_into(&mut cluster.access_variable);
    }
}

/// More rules.
pub(super) fn protect(cluster: &mut Cluster, said: &mut SetVariable) {
    let variable = said.variable;
    let rules = said.parsed(|text| rule::rules(variable, text));
    cluster.protect.extend(rules.unwrap_or_default());
}

/// Names of toolsets; those that are on anyway where there are none.
pub(super) fn toolsets(config: &mut Config, said: &mut SetVariable) {
    let switches = &mut config.safety.switches;
    switches.sets = said.items();
    switches.is_bound = !said.is_default;
    if switches.sets.is_empty() {
        switches.sets.push(DEFAULT_SETS.to_owned());
    }
}

/// How what asks is confirmed, and where nothing is.
pub(super) fn confirm(config: &mut Config, said: &mut SetVariable) {
    let Some(confirm) = said.parsed(|text| way(text, config)) else {
        return;
    };
    if !confirm.off.is_empty() {
        let off = confirm.off.iter().map(|place| config.name(*place));
        let off: Vec<&str> = off.collect();
        said.warn(format!(
            "nothing is confirmed on {}: what destroys goes through at the first call",
            off.join(", ")
        ));
    }
    config.safety.confirm = confirm;
}

fn way(text: &str, config: &Config) -> Result<ConfirmSettings, String> {
    let way = |way| {
        Ok(ConfirmSettings {
            way,
            off: Vec::new(),
        })
    };
    match text {
        "auto" => return way(ConfirmMode::Auto),
        "ask" => return way(ConfirmMode::Ask),
        "code" => return way(ConfirmMode::Code),
        _ => {}
    }
    let Some(listed) = text.strip_prefix("off") else {
        return Err("is none of auto, ask, code, off:NAME[,NAME]".into());
    };
    let listed = value::items(listed.strip_prefix(':').unwrap_or_default());
    let place = |name| {
        config
            .place(name)
            .ok_or_else(|| cluster_names::unknown(name))
    };
    let off: Vec<usize> = listed.map(place).collect::<Result<_, _>>()?;
    if off.is_empty() {
        return Err("must name the clusters that go unconfirmed, as off:NAME[,NAME]".into());
    }
    Ok(ConfirmSettings {
        way: ConfirmMode::Auto,
        off,
    })
}
