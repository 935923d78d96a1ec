//! What a request changes of the facts that rules go by. Pure.

use super::facts::Facts;
use crate::api::loose::{items, plain, truth};
use crate::api::methods::Changes;
use crate::api::request::Request;

/// What will be otherwise; nothing where it stays.
#[derive(Default)]
pub(super) struct Change {
    pub(super) name: Option<After>,
    pub(super) tags: Option<After>,
    /// The flag may be off afterwards.
    pub(super) flag_off: bool,
}

/// What a setting is afterwards.
pub(super) enum After {
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
            Some(value) => Some(After::Is(plain(value))),
            None if deleted.iter().any(|other| other == key) => Some(After::Gone),
            None if reverted.iter().any(|other| other == key) => Some(After::Now),
            None => None,
        };
        let flag_off = match after("protection") {
            None => false,
            Some(After::Is(text)) => truth(&text) != Some(true),
            Some(After::Gone | After::Now) => true,
        };
        Change {
            name: after("name").or_else(|| after("hostname")),
            tags: after("tags"),
            flag_off,
        }
    }
}

impl After {
    pub(super) fn name(&self, facts: &Facts) -> String {
        match self {
            After::Is(name) => name.clone(),
            After::Gone => facts.unnamed.clone(),
            After::Now => facts.name.clone(),
        }
    }

    pub(super) fn tags(&self, facts: &Facts) -> Vec<String> {
        match self {
            After::Is(tags) => items(&tags.as_str().into()),
            After::Gone => Vec::new(),
            After::Now => facts.tags_now.clone(),
        }
    }
}
