//! Storages: how they are defined and how full they are, and what is on them.

mod content;
mod delete;
mod download;
mod list;
mod places;
mod source;
mod templates;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, content::CONTENT];

pub static MORE: &[Tool] = &[
    download::DOWNLOAD,
    templates::LIST,
    templates::DOWNLOAD,
    delete::DELETE,
];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
