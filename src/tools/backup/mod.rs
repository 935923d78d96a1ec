//! Backups of guests: which there are, making one, restoring one.

pub mod archives;
pub mod create;
pub mod source;
pub mod stores;

mod list;
pub mod of_guest;
mod over;
mod restore;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, create::CREATE, restore::RESTORE];
