//! Storages: how they are defined and how full they are, and what is on them.

mod content;
mod list;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, content::CONTENT];

const NAME_MAX_CHARS: usize = 80;

/// A list that Proxmox gives in a different order each time.
fn in_order(list: &str) -> String {
    let mut words: Vec<&str> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words.join(",")
}
