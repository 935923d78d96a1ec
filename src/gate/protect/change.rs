//! What a request changes of the facts that rules go by. Pure.

use super::facts::GuestFacts;
use crate::api::loose::{items, plain, truth};
use crate::api::methods::Changes;
use crate::api::request::Request;

/// What will be otherwise; nothing where it stays.
#[derive(Default)]
pub(super) struct Change {
    pub(super) name: Option<SettingAfter>,
    pub(super) tags: Option<SettingAfter>,
    /// The flag may be off afterwards.
    pub(super) flag_off: bool,
}

/// What a setting is afterwards.
pub(super) enum SettingAfter {
    Is(String),
    Gone,
    /// As it is now, without what waits for a restart.
    Now,
}

impl Change {
    pub(super) fn of(changes: Changes, request: &Request) -> Change {
        match changes {
            Changes::Nothing => Change::default(),
            Changes::Config => Change::of_config(request),
        }
    }

    fn of_config(request: &Request) -> Change {
        let listed = |param: &str| request.params.get(param).map(items).unwrap_or_default();
        let (deleted, reverted) = (listed("delete"), listed("revert"));
        let after = |key: &str| match request.params.get(key) {
            Some(value) => Some(SettingAfter::Is(plain(value))),
            None if deleted.iter().any(|other| other == key) => Some(SettingAfter::Gone),
            None if reverted.iter().any(|other| other == key) => Some(SettingAfter::Now),
            None => None,
        };
        let flag_off = match after("protection") {
            None => false,
            Some(SettingAfter::Is(text)) => truth(&text) != Some(true),
            Some(SettingAfter::Gone | SettingAfter::Now) => true,
        };
        Change {
            name: after("name").or_else(|| after("hostname")),
            tags: after("tags"),
            flag_off,
        }
    }
}

impl SettingAfter {
    pub(super) fn name(&self, facts: &GuestFacts) -> String {
        match self {
            SettingAfter::Is(name) => name.clone(),
            SettingAfter::Gone => facts.unnamed.clone(),
            SettingAfter::Now => facts.name.clone(),
        }
    }

    pub(super) fn tags(&self, facts: &GuestFacts) -> Vec<String> {
        match self {
            SettingAfter::Is(tags) => items(&tags.as_str().into()),
            SettingAfter::Gone => Vec::new(),
            SettingAfter::Now => facts.tags_now.clone(),
        }
    }
}
