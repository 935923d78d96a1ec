//! What a request weighs: one table from method, path and arguments to a mark and to what it
//! touches. The gate holds every request against it, whatever the tool declared.
//!
//! A GET reads. A write that has no row is `F?`.

mod access;
mod backup;
mod ceph;
mod cluster;
pub(super) mod drive;
mod firewall;
mod guest;
mod lets;
mod network;
mod node;
mod row;
mod storage;
mod touch;

use super::mark::Mark;
use crate::proxmox::request::{Request, Verb};
use row::{Row, Sent};

pub use lets::{Condition, Lets};
pub use row::{items, plain};
pub use touch::Touch;

/// What a request does, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    pub mark: Mark,
    pub touches: Vec<Touch>,
    pub changes: Changes,
    /// What of it a protected guest is let.
    pub lets: Lets,
}

/// Which of the facts that decide whether a guest is protected a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    Nothing,
    /// Those in the guest's own configuration: its name, its tags, its flag.
    Config,
}

/// The table, a noun a part.
static TABLE: [&[Row]; 9] = [
    guest::ROWS,
    backup::ROWS,
    storage::ROWS,
    node::ROWS,
    network::ROWS,
    firewall::ROWS,
    cluster::ROWS,
    access::ROWS,
    ceph::ROWS,
];

/// Weighs one request.
pub fn weigh(request: &Request) -> Weight {
    if request.verb == Verb::Get {
        return Weight {
            mark: Mark::READ,
            touches: Vec::new(),
            changes: Changes::Nothing,
            lets: Lets::ALL,
        };
    }
    let Some((row, sent)) = find(request) else {
        // It may be the end of any guest.
        return Weight {
            mark: Mark::FULL.destroys(),
            touches: vec![Touch::Unlisted],
            changes: Changes::Nothing,
            lets: Lets::nothing(),
        };
    };
    Weight {
        mark: row.mark(&sent),
        touches: row.touches(&sent),
        changes: row.changes,
        lets: row.lets(&sent),
    }
}

/// Whether the table has a row for a request.
pub fn is_listed(request: &Request) -> bool {
    find(request).is_some()
}

/// Every row as method and path, for tests and documents.
pub fn rows() -> impl Iterator<Item = (Verb, &'static str)> {
    let rows = TABLE.iter().flat_map(|part| part.iter());
    rows.map(|row| (row.verb, row.path))
}

fn find(request: &Request) -> Option<(&'static Row, Sent<'_>)> {
    let mut rows = TABLE.iter().flat_map(|part| part.iter());
    rows.find_map(|row| Some((row, row.takes(request)?)))
}
