//! One row a method of the API: what it risks and touches, what it asks of a token, how a lost answer is
//! looked for. The gate, the check of privileges and the search for lost writes read the same row.
//!
//! A GET without a row reads. A write that has no row is `F?`.

mod access;
mod backup;
mod ceph;
mod cluster;
pub mod drive;
mod firewall;
mod guest;
mod lets;
mod method;
mod network;
mod node;
pub mod permissions;
pub mod sending;
mod storage;
mod touch;

use crate::api::mark::Mark;
use crate::api::request::{Request, Verb};
use method::Sent;

pub use lets::{Condition, Lets};
pub use method::Method;
pub use sending::Sending;
pub use touch::Touch;

/// What a request does, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    pub mark: Mark,
    pub touches: Vec<Touch>,
    pub changes: Changes,
    /// What of it a protected guest is let.
    pub lets: Lets,
    /// The volumes that it is about.
    pub volumes: Volumes,
    /// Those of them that are another guest's too, once they were looked for.
    pub shared: Vec<SharedVolume>,
}

/// The volumes that a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes {
    /// Those that its values name: the guest gets them.
    pub named: Vec<String>,
    /// Those that its guest has and that it changes.
    pub held: ChangedVolumes,
    /// Whether what the guest has is lost by it to whoever else uses it, and not only changed.
    pub lost: bool,
}

/// Which volumes of its guest a request changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChangedVolumes {
    #[default]
    None,
    /// Those under these keys.
    Under(Vec<String>),
    /// Those on storages of one node: what lies elsewhere stays where it is.
    OfNode,
    All,
}

/// A volume that another guest uses too, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedVolume {
    pub volume: String,
    /// The other guest; or why it cannot be told.
    pub with: Result<u32, String>,
}

/// Which of the facts that decide whether a guest is protected a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    Nothing,
    /// Those in the guest's own configuration: its name, its tags, its flag.
    Config,
}

/// The table, a noun a part.
const TABLE: [&[Method]; 9] = [
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
        // Few are more than a look.
        let mark = find(request).map(|(row, sent)| row.mark(&sent));
        return Weight {
            mark: mark.unwrap_or(Mark::READ),
            touches: Vec::new(),
            changes: Changes::Nothing,
            lets: Lets::ALL,
            volumes: Volumes::default(),
            shared: Vec::new(),
        };
    }
    let Some((row, sent)) = find(request) else {
        // It may be the end of any guest.
        return Weight {
            mark: Mark::FULL.destroys(),
            touches: vec![Touch::Unlisted],
            changes: Changes::Nothing,
            lets: Lets::nothing(),
            volumes: Volumes {
                named: named(request),
                ..Volumes::default()
            },
            shared: Vec::new(),
        };
    };
    Weight {
        mark: row.mark(&sent),
        touches: row.touches(&sent),
        changes: row.changes,
        lets: row.lets(&sent),
        volumes: Volumes {
            named: named(request),
            ..row.volumes(&sent)
        },
        shared: Vec::new(),
    }
}

/// The volumes of guests that any value of a request names.
fn named(request: &Request) -> Vec<String> {
    let params = request.params.iter();
    params
        .flat_map(|(key, value)| drive::named(key, value))
        .collect()
}

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Method> {
    TABLE.iter().flat_map(|part| part.iter())
}

/// The row of a method, whose path is written as the row has it.
const fn row(verb: Verb, path: &str) -> Option<&'static Method> {
    let mut parts: &[&'static [Method]] = &TABLE;
    while let [part, others @ ..] = parts {
        let mut rows = *part;
        while let [row, rest @ ..] = rows {
            if row.verb as u8 == verb as u8 && same(row.path.as_bytes(), path.as_bytes()) {
                return Some(row);
            }
            rows = rest;
        }
        parts = others;
    }
    None
}

/// Whether two texts are equal: `==` cannot be used when the program is built.
const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    while let ([first, rest @ ..], [second, others @ ..]) = (one, other) {
        if *first != *second {
            return false;
        }
        (one, other) = (rest, others);
    }
    true
}

/// Why nobody is given the answer to a request; nothing where they are.
pub fn withheld(request: &Request) -> Option<&'static str> {
    let (row, sent) = find(request)?;
    row.withholds(&sent)
}

/// The row of a request.
pub fn of(request: &Request) -> Option<&'static Method> {
    find(request).map(|(row, _)| row)
}

fn find(request: &Request) -> Option<(&'static Method, Sent<'_>)> {
    all().find_map(|row| Some((row, row.takes(request)?)))
}
