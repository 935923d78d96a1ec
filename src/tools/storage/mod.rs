//! Storages: how they are defined and how full they are, and what is on them.

mod content;
mod list;
mod source;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, content::CONTENT];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
