//! Whether a cluster can decide: read off `GET /cluster/status`.

use serde_json::Value;

use crate::api::loose::flag;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::error::Error;
use crate::gate::reach::Reach;

/// What [`read`] and [`held`] send.
pub const READS: &[Sending] = &[sending::get("/cluster/status").beside()];

/// What the members of a cluster say of their majority.
#[derive(Debug, PartialEq)]
pub enum Quorum {
    Kept,
    /// Nothing can be changed, and no guest started.
    Lost,
    /// A single node, which has no cluster.
    Standalone,
    /// The token may not read it, or it was not read in time.
    Unknown(String),
}

/// Reads it. For 6 s after a loss Proxmox still says that the majority is kept (measured on 9.2): what
/// is begun within them ends as Proxmox ends it.
///
/// # Errors
/// The call was withdrawn; or the cluster is not reached any more.
pub fn read(reach: &Reach) -> Result<Quorum, Error> {
    match reach.rows_at("/cluster/status", &[], "type") {
        Ok(rows) => Ok(Quorum::of(&rows)),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => Ok(Quorum::Unknown(error.to_string())),
    }
}

/// Holds a cluster to have its majority before what would end badly without it: Proxmox begins most
/// things all the same, and fails where the end is to be written down. What cannot be read does not
/// count.
///
/// # Errors
/// It has lost it; `what` is what is not begun.
pub fn held(reach: &Reach, what: &str) -> Result<(), Error> {
    if read(reach)? != Quorum::Lost {
        return Ok(());
    }
    let sentence = format!("the cluster has no quorum, and {what} would be begun but not end well");
    Err(Error::not_allowed(reach.cluster_name(), sentence).hint(
        "nothing can be changed before more than half of its nodes are back: look at node_list \
         before anything else",
    ))
}

impl Quorum {
    /// Reads the rows of `GET /cluster/status`.
    pub fn of(rows: &[Value]) -> Quorum {
        let is_cluster = |row: &&Value| row.get("type").and_then(Value::as_str) == Some("cluster");
        match rows.iter().find(is_cluster) {
            None => Quorum::Standalone,
            Some(row) if flag(row.get("quorate")) => Quorum::Kept,
            Some(_) => Quorum::Lost,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Quorum::Kept => "ok",
            Quorum::Lost => "lost",
            Quorum::Standalone => "single node",
            Quorum::Unknown(_) => "unknown",
        }
    }

    /// What to worry about.
    pub fn problem(&self) -> Option<&'static str> {
        let lost = *self == Quorum::Lost;
        lost.then_some("lost: nothing can be changed, and no guest can be started")
    }
}
