//! What guests are called, where that is known better than by the list of resources: Proxmox tells names
//! there with its statistics, up to 12 s late. A new guest has none, a renamed one its old one, and one
//! whose VMID was given again bears the name of the dead.
//!
//! Known are what this session wrote and what nodes said when they were asked; both for a few seconds
//! longer than lists are late.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::index::Guest;
use super::{Fleet, lock};
use crate::api::loose;
use crate::api::request::{Request, Verb};

/// How long, in seconds, what is known of a name goes before what the list says.
pub const NAME_AGE_S: u64 = 15;

/// The names of one cluster, by VMID.
#[derive(Clone, Default)]
pub struct Names {
    known: BTreeMap<u32, DatedName>,
}

#[derive(Clone)]
struct DatedName {
    at: Instant,
    name: GuestName,
}

/// What is known of a guest's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestName {
    /// It is this one.
    Is(String),
    /// It may have changed: what the list says is not to be trusted.
    Doubtful,
}

impl Names {
    /// What goes before the list; nothing where the list holds.
    pub fn of(&self, vmid: u32) -> Option<&GuestName> {
        self.known.get(&vmid).map(|known| &known.name)
    }

    /// The VMIDs of those that are known to be called this.
    pub fn called(&self, name: &str) -> impl Iterator<Item = u32> {
        let known = self.known.iter();
        let called =
            known.filter(move |(_, known)| matches!(&known.name, GuestName::Is(is) if is == name));
        called.map(|(vmid, _)| *vmid)
    }

    /// Every VMID whose name may have changed.
    pub fn doubtful(&self) -> impl Iterator<Item = u32> {
        let known = self.known.iter();
        let doubtful = known.filter(|(_, known)| known.name == GuestName::Doubtful);
        doubtful.map(|(vmid, _)| *vmid)
    }

    /// Whether its name was said at this moment or later.
    pub fn is_known_since(&self, vmid: u32, since: Instant) -> bool {
        let known = self.known.get(&vmid);
        known.is_some_and(|known| known.at >= since && known.name != GuestName::Doubtful)
    }

    /// Keeps what was said of a guest just now.
    pub fn learn(&mut self, vmid: u32, name: GuestName) {
        let at = Instant::now();
        self.known.insert(vmid, DatedName { at, name });
    }

    /// Keeps what a write says of a name; where the cluster did not take it, or did not say so, the name
    /// is doubtful.
    pub fn wrote(&mut self, request: &Request, was_taken: bool) {
        if let Some((vmid, name)) = written(request) {
            self.learn(vmid, if was_taken { name } else { GuestName::Doubtful });
        }
    }

    /// Forgets what has been known for longer than lists are late.
    pub fn age(&mut self, limit: Duration) {
        self.known.retain(|_, known| known.at.elapsed() < limit);
    }
}

impl Fleet {
    /// What is known of the names on a cluster beside its list.
    pub(crate) fn names(&self, cluster: usize) -> Names {
        let Ok(member) = self.member(cluster) else {
            return Names::default();
        };
        let mut names = lock(&member.names);
        names.age(self.names_age);
        names.clone()
    }

    /// Keeps what a node says that a guest is called.
    pub(crate) fn learn(&self, cluster: usize, vmid: u32, name: &str) {
        if let Ok(member) = self.member(cluster) {
            lock(&member.names).learn(vmid, GuestName::Is(name.to_string()));
        }
    }

    /// Keeps what a write says of a guest's name, and forgets what is where.
    pub(crate) fn wrote(&self, cluster: usize, request: &Request, was_taken: bool) {
        if let Ok(member) = self.member(cluster) {
            lock(&member.names).wrote(request, was_taken);
        }
        self.forget(cluster);
    }

    /// Whether a guest that was found by its name is known by now to be called otherwise.
    pub(crate) fn is_called_otherwise(&self, cluster: usize, guest: &Guest) -> bool {
        match self.names(cluster).of(guest.vmid) {
            Some(GuestName::Is(name)) => guest.by_name && guest.name.as_ref() != Some(name),
            _ => false,
        }
    }
}

/// The guest whose name a write gives, or may change.
fn written(request: &Request) -> Option<(u32, GuestName)> {
    let text = |key: &str| request.params.get(key).and_then(Value::as_str);
    let number = |key: &str| loose::vmid(request.params.get(key)?);
    let name = || match text("name").or_else(|| text("hostname")) {
        Some(name) => GuestName::Is(name.to_string()),
        None => GuestName::Doubtful,
    };
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["nodes", _, kind @ ("qemu" | "lxc"), rest @ ..] = path.as_slice() else {
        return None;
    };
    match (request.verb, rest) {
        (Verb::Get, _) => None,
        (_, []) => Some((number("vmid")?, name())),
        (_, [_, "clone"]) => Some((number("newid")?, name())),
        (Verb::Delete, [vmid])
        | (_, [vmid, "remote_migrate"] | [vmid, "snapshot", _, "rollback"]) => {
            Some((vmid.parse().ok()?, GuestName::Doubtful))
        }
        (_, [vmid, "config"]) => {
            let removes = ["delete", "revert"].iter().filter_map(|key| text(key));
            let removes = removes.flat_map(|keys| keys.split(',')).any(is_of_name);
            // That of a running container waits for its restart.
            match request.params.keys().any(|key| is_of_name(key)) {
                true if *kind == "qemu" => Some((vmid.parse().ok()?, name())),
                true => Some((vmid.parse().ok()?, GuestName::Doubtful)),
                false if removes => Some((vmid.parse().ok()?, GuestName::Doubtful)),
                false => None,
            }
        }
        _ => None,
    }
}

fn is_of_name(key: &str) -> bool {
    matches!(key, "name" | "hostname")
}
