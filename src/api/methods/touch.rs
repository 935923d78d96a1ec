//! What a write touches.

use std::fmt;

use crate::api::volume;

/// One thing that a write touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// An existing guest.
    Guest(u32),
    /// A guest that the request makes.
    NewGuest(u32),
    /// A task, by its UPID.
    Task(String),
    Node(String),
    Storage(String),
    /// A volume, as its storage lists it: `local:iso/a.iso`.
    Volume(String),
    Pool(String),
    /// A backup job, or a replication.
    Job(String),
    /// A user, group, role, token, realm, or what they may do on a path.
    Access(String),
    /// What belongs to the cluster as a whole: its options, firewall, zones, HA rules.
    Cluster,
    /// All guests of a node.
    GuestsOn(String),
    /// All containers of a node.
    ContainersOn(String),
    /// All guests of a pool.
    GuestsIn(String),
    /// All guests of the cluster.
    AllGuests,
    /// Guests that the request does not name. It is no subject of a call: what the request names is.
    SomeGuests,
    /// Whatever a write without a row touches.
    Unlisted,
}

impl Touch {
    /// Whether it means all guests of something.
    pub fn is_many(&self) -> bool {
        matches!(
            self,
            Touch::GuestsOn(_) | Touch::ContainersOn(_) | Touch::GuestsIn(_) | Touch::AllGuests
        )
    }

    /// Whether a call that addresses this may touch `other`.
    pub fn covers(&self, other: &Touch) -> bool {
        self == other
            || match (self, other) {
                (Touch::Node(node), Touch::GuestsOn(of) | Touch::ContainersOn(of)) => node == of,
                (Touch::Pool(pool), Touch::GuestsIn(of)) => pool == of,
                (Touch::Cluster, Touch::AllGuests) => true,
                // Whom a job is for is said in it; so is who belongs to a pool.
                (Touch::Job(_) | Touch::Pool(_), Touch::Guest(_)) => true,
                (Touch::Job(_), of) => of.is_many(),
                // Backups are their guests'.
                (Touch::Volume(volume), Touch::Guest(vmid)) => {
                    volume::backed_up(volume).is_some_and(|(_, of)| of == *vmid)
                }
                (Touch::Storage(_), Touch::Guest(_) | Touch::AllGuests) => true,
                _ => false,
            }
    }
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Touch::Guest(vmid) | Touch::NewGuest(vmid) => write!(f, "guest {vmid}"),
            Touch::Task(upid) => write!(f, "task {upid}"),
            Touch::Node(node) => write!(f, "node {node}"),
            Touch::Storage(storage) => write!(f, "storage {storage}"),
            Touch::Volume(volume) => write!(f, "volume {volume}"),
            Touch::Pool(pool) => write!(f, "pool {pool}"),
            Touch::Job(job) => write!(f, "job {job}"),
            Touch::Access(whose) => write!(f, "the access of {whose}"),
            Touch::Cluster => f.write_str("the cluster"),
            Touch::GuestsOn(node) => write!(f, "the guests of node {node}"),
            Touch::ContainersOn(node) => write!(f, "the containers of node {node}"),
            Touch::GuestsIn(pool) => write!(f, "the guests of pool {pool}"),
            Touch::AllGuests => f.write_str("all guests"),
            Touch::SomeGuests => f.write_str("guests that it does not name"),
            Touch::Unlisted => f.write_str("something unlisted"),
        }
    }
}
