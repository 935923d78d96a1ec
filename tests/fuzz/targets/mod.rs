//! What is fuzzed, and what must hold of it beside that it does not panic. The tests run the kept
//! corpus through the same functions.

#![allow(dead_code, unreachable_pub)]

mod client;
mod cluster;
mod person;

use proxmox_mcp::text::is_hidden;

/// A target's name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("server", client::server),
    ("arguments", client::arguments),
    ("config", person::config),
    ("query", person::query),
    ("resources", cluster::resources),
    ("permissions", cluster::permissions),
    ("schema", cluster::schema),
    ("task", cluster::task),
    ("answer", cluster::answer),
    ("certificate", cluster::certificate),
];

/// The target of this name.
pub fn named(name: &str) -> Option<fn(&[u8])> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}

/// Nothing in a text may hide itself, or reorder what stands beside it; lines may end.
fn assert_shown(text: &str) {
    let hidden = text.chars().find(|c| *c != '\n' && is_hidden(*c));
    assert!(hidden.is_none(), "{hidden:?} is in {text:?}");
}
