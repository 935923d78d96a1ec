//! The fleet as a whole: which clusters there are, what is on them, how they are.

mod check;
mod gaps;
mod gathered;
mod group;
mod list;
pub mod quorum;
mod row;
mod search;
mod summary;
mod tally;

use crate::api::methods::permissions::{
    Grants, SEES_GUESTS, SEES_NODES, SEES_POOLS, SEES_STORAGES,
};
use crate::tool::Tool;

pub use gaps::{VisibilityGaps, none_named, unseen};
pub use gathered::{Gathered, ListedRows};
pub use quorum::Quorum;
pub use row::{count, in_order, percent};

/// What a view of everything takes.
const SEES_ALL: Grants = &[SEES_GUESTS, SEES_NODES, SEES_STORAGES, SEES_POOLS];

pub static TOOLS: &[Tool] = &[list::LIST, search::SEARCH, summary::SUMMARY];

/// The most names that an answer lists beside its rows.
const NAMES_MAX: usize = 40;

/// At most `NAMES_MAX` names, and how many there are more.
pub fn cut(mut names: Vec<String>) -> Vec<String> {
    if names.len() > NAMES_MAX {
        let more = names.len() - NAMES_MAX;
        names.truncate(NAMES_MAX);
        names.push(format!("and {more} more"));
    }
    names
}
