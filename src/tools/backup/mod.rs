//! Backups of guests: which there are, making one, restoring one.

pub mod archives;
pub mod create;
pub mod source;
pub mod stores;

mod delete;
mod job_run;
mod job_set;
mod jobs;
mod list;
pub mod of_guest;
mod over;
mod prune;
mod restore;
mod retention;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, create::CREATE, restore::RESTORE];

/// What is needed less often.
pub static MORE: &[Tool] = &[
    delete::DELETE,
    prune::PRUNE,
    jobs::LIST,
    job_set::SET,
    job_run::RUN,
    jobs::DELETE,
];
