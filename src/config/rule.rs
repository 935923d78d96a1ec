//! Which guests are protected, as `PROXMOX_PROTECT` says it: by number, name, tag or pool.

use super::value;
use crate::text::pattern::Pattern;

const VMID_MAX: u32 = 999_999_999;
const RULES_MAX: usize = 1000;

/// One item of `PROXMOX_PROTECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// The variable that it stands in.
    pub variable: String,
    pub what: RuleTarget,
}

/// Whom a rule protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleTarget {
    /// The VMIDs from the first to the second, both included.
    Vmids(u32, u32),
    /// Names, `*` standing for anything, whatever the case of letters.
    Name(Pattern),
    Tag(Pattern),
    /// The guests of the pool of this name.
    Pool(String),
}

/// Reads the items of `PROXMOX_PROTECT` or of a cluster's own `variable`.
pub(super) fn rules(variable: &str, text: &str) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for (item, number) in value::items(text).zip(1..) {
        let what = protected(item).ok_or_else(|| {
            format!(
                "item {number} is none of 100, 100-199, name:NAME, tag:TAG, pool:POOL (`*` stands \
                 for anything in names and tags)"
            )
        })?;
        rules.push(Rule {
            text: item.to_owned(),
            variable: variable.to_owned(),
            what,
        });
    }
    if rules.len() > RULES_MAX {
        return Err(format!("has more than {RULES_MAX} items"));
    }
    Ok(rules)
}

fn protected(item: &str) -> Option<RuleTarget> {
    if let Some((kind, name)) = item.split_once(':') {
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        return match kind.trim() {
            "name" => Some(RuleTarget::Name(Pattern::new(name))),
            "tag" => Some(RuleTarget::Tag(Pattern::new(name))),
            "pool" if !name.contains('*') => Some(RuleTarget::Pool(name.to_owned())),
            _ => None,
        };
    }
    let vmid = |text: &str| {
        let number = text.trim().parse::<u32>().ok();
        number.filter(|number| *number <= VMID_MAX)
    };
    let (first, last) = match item.split_once('-') {
        Some((first, last)) => (vmid(first)?, vmid(last)?),
        None => (vmid(item)?, vmid(item)?),
    };
    (first <= last).then_some(RuleTarget::Vmids(first, last))
}
