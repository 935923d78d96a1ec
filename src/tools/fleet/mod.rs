//! The fleet as a whole: which clusters there are, what is on them, how they are.

mod check;
mod group;
mod list;
mod quorum;
mod row;
mod search;
mod summary;
mod tally;

use serde_json::{Value, json};

use crate::error::Error;
use crate::fleet::resource::Sort;
use crate::gate::reach::Reach;
use crate::tool::Tool;

pub use row::percent;

pub static TOOLS: &[Tool] = &[list::LIST, search::SEARCH, summary::SUMMARY];

/// The most names that an answer lists beside its rows.
const NAMES_MAX: usize = 40;

/// What a list of the rows that `wanted` says may miss on this cluster, since its token does not see
/// them; nothing where it sees all.
///
/// # Errors
/// The call was withdrawn.
pub fn unseen(reach: &Reach, wanted: impl Fn(Sort) -> bool) -> Result<Vec<String>, Error> {
    match reach.sight() {
        Ok(sight) => Ok(sight.gaps(wanted).into_iter().map(String::from).collect()),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => Ok(vec![format!("what the token sees is not known: {error}")]),
    }
}

/// The entry of one cluster in an answer's `incomplete`; `None` where nothing is missing.
pub fn incomplete(cluster: &str, unseen: &[String]) -> Option<Value> {
    (!unseen.is_empty()).then(|| json!({"cluster": cluster, "may_miss": unseen}))
}

/// At most [`NAMES_MAX`] names, and how many there are more.
pub fn cut(mut names: Vec<String>) -> Vec<String> {
    if names.len() > NAMES_MAX {
        let more = names.len() - NAMES_MAX;
        names.truncate(NAMES_MAX);
        names.push(format!("and {more} more"));
    }
    names
}
