//! Which guest, node, storage and pool is where: one `GET /cluster/resources` a cluster, kept for
//! a few seconds and dropped after our own writes.
//!
//! A hundred clusters with a thousand guests each have to fit: a guest costs a row of 16 bytes and
//! its name in a shared text, under 64 bytes in all.
//!
//! And what guests are called, where that is known better than by that list: Proxmox tells names there with
//! its statistics, up to 12 s late. A new guest has none, a renamed one its old one, and one whose VMID was
//! given again bears the name of the dead. Known are what this session wrote and what nodes said when they
//! were asked; both for a few seconds longer than lists are late.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::resource::{self, Resource, ResourceKind};
use super::{Fleet, lock};
use crate::api::loose;
use crate::api::request::{Request, Verb};
use crate::room::{self, CacheCharge};

/// The most nodes, storages or pools of a cluster.
const NAMES_MAX: usize = 5_000;
/// What a kept name takes beside its bytes.
const NAME_BYTES: usize = 2 * size_of::<String>();

/// How long, in seconds, what is known of a name goes before what the list says.
pub const NAME_AGE_S: u64 = 15;

/// A guest's kind; both share the VMIDs of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    Qemu,
    Lxc,
}

impl GuestKind {
    /// As it stands in paths and in the `type` of a resource.
    pub fn name(self) -> &'static str {
        match self {
            GuestKind::Qemu => "qemu",
            GuestKind::Lxc => "lxc",
        }
    }

    /// As answers, plans and search terms write it, under `type`.
    pub fn word(self) -> &'static str {
        match self {
            GuestKind::Qemu => ResourceKind::Vm.name(),
            GuestKind::Lxc => ResourceKind::Container.name(),
        }
    }
}

/// A guest as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    pub vmid: u32,
    pub kind: GuestKind,
    pub node: String,
    /// `None` where it is not told: its node is lost, or the guest was just made.
    pub name: Option<String>,
    /// Whether the call meant whoever bears the name, and not a VMID.
    pub by_name: bool,
    pub template: bool,
    /// Whether the high-availability manager looks after it.
    pub ha: bool,
}

/// What is where on one cluster, by the rows of its list.
#[derive(Default)]
pub struct ResourceIndex {
    guests: Vec<GuestRow>,
    names: String,
    nodes: Vec<String>,
    /// The nodes that are there.
    online: Vec<String>,
    storages: Vec<String>,
    pools: Vec<String>,
    /// There are more than [`NAMES_MAX`] of one of them.
    too_many: bool,
}

struct GuestRow {
    vmid: u32,
    name_start: u32,
    name_len: u16,
    node: u16,
    kind: GuestKind,
    template: bool,
    ha: bool,
}

/// What one cluster answered, and when.
pub struct CachedIndex {
    pub at: Instant,
    pub rows: ResourceIndex,
    /// The memory that it takes.
    pub kept: CacheCharge,
}

impl ResourceIndex {
    /// Reads the body of `GET /cluster/resources`.
    ///
    /// # Errors
    /// What is wrong with it, where it is not that list.
    pub fn read(body: &[u8]) -> Result<ResourceIndex, String> {
        let mut rows = ResourceIndex::default();
        resource::each(body, &mut |resource| rows.add(resource))?;
        if rows.too_many {
            return Err(format!(
                "it names more than {NAMES_MAX} nodes, storages or pools"
            ));
        }
        rows.guests.shrink_to_fit();
        rows.names.shrink_to_fit();
        Ok(rows)
    }

    fn add(&mut self, resource: &Resource) {
        let kind = match resource.kind() {
            ResourceKind::Vm => GuestKind::Qemu,
            ResourceKind::Container => GuestKind::Lxc,
            ResourceKind::Node => {
                if &*resource.status == "online" {
                    self.note(resource.name(), |rows| &mut rows.online);
                }
                return self.note(resource.name(), |rows| &mut rows.nodes);
            }
            ResourceKind::Storage => return self.note(resource.name(), |rows| &mut rows.storages),
            ResourceKind::Pool => return self.note(resource.name(), |rows| &mut rows.pools),
            ResourceKind::Other => return,
        };
        let (Some(vmid), false) = (resource.vmid(), resource.node.is_empty()) else {
            return;
        };
        if self.too_many {
            return;
        }
        let node = self.node_number(&resource.node);
        let name = resource.name();
        let (Ok(name_start), Ok(name_len)) =
            (u32::try_from(self.names.len()), u16::try_from(name.len()))
        else {
            return;
        };
        room::note(size_of::<GuestRow>() + name.len());
        self.names.push_str(name);
        self.guests.push(GuestRow {
            vmid,
            name_start,
            name_len,
            node,
            kind,
            template: resource.is_template(),
            ha: resource.is_ha(),
        });
    }

    fn node_number(&mut self, node: &str) -> u16 {
        let place = self.nodes.iter().position(|known| known == node);
        let place = place.unwrap_or_else(|| {
            self.note(node, |rows| &mut rows.nodes);
            self.nodes.len().saturating_sub(1)
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    /// Keeps a name. So many that looking through them takes long no cluster has.
    fn note(&mut self, name: &str, of: impl Fn(&mut ResourceIndex) -> &mut Vec<String>) {
        if self.too_many || name.is_empty() || of(self).iter().any(|known| known == name) {
            return;
        }
        let names = of(self);
        room::note(name.len() + NAME_BYTES);
        names.push(name.to_string());
        self.too_many = names.len() > NAMES_MAX;
    }

    fn name(&self, row: &GuestRow) -> &str {
        let start = row.name_start as usize;
        self.names
            .get(start..start + usize::from(row.name_len))
            .unwrap_or_default()
    }

    fn guest(&self, row: &GuestRow) -> Guest {
        let name = self.name(row);
        Guest {
            vmid: row.vmid,
            kind: row.kind,
            node: self
                .nodes
                .get(usize::from(row.node))
                .cloned()
                .unwrap_or_default(),
            name: (!name.is_empty()).then(|| name.to_string()),
            by_name: false,
            template: row.template,
            ha: row.ha,
        }
    }

    /// The guest of this VMID.
    pub fn by_vmid(&self, vmid: u32, names: &Names) -> Option<Guest> {
        let guest = self.row(vmid).map(|row| self.guest(row))?;
        Some(match names.of(vmid) {
            None => guest,
            Some(GuestName::Is(name)) => Guest {
                name: Some(name.clone()).filter(|name| !name.is_empty()),
                ..guest
            },
            Some(GuestName::Doubtful) => Guest {
                name: None,
                ..guest
            },
        })
    }

    /// All guests of this name, as far as is known; names need not be unique.
    pub fn by_name(&self, name: &str, names: &Names) -> Vec<Guest> {
        let listed = self.guests.iter().filter(|row| self.name(row) == name);
        let mut found: Vec<&GuestRow> = listed.collect();
        found.retain(|row| names.of(row.vmid).is_none());
        found.extend(names.called(name).filter_map(|vmid| self.row(vmid)));
        found.sort_by_key(|row| row.vmid);
        let guest = |row: &GuestRow| Guest {
            name: Some(name.to_string()),
            by_name: true,
            ..self.guest(row)
        };
        found.into_iter().map(guest).collect()
    }

    /// The guests whose name is not known: a name that is not found may be theirs.
    pub fn nameless(&self, names: &Names) -> Vec<Guest> {
        let bare = self.guests.iter().filter(|row| row.name_len == 0);
        let bare = bare.filter(|row| names.of(row.vmid).is_none());
        let doubtful = names.doubtful().filter_map(|vmid| self.row(vmid));
        bare.chain(doubtful).map(|row| self.guest(row)).collect()
    }

    fn row(&self, vmid: u32) -> Option<&GuestRow> {
        self.guests.iter().find(|row| row.vmid == vmid)
    }

    /// Whether the node is there, so that it can be asked.
    pub fn is_online(&self, node: &str) -> bool {
        self.online.iter().any(|known| known == node)
    }

    /// The nodes that can be asked.
    pub fn online(&self) -> &[String] {
        &self.online
    }

    pub fn has_node(&self, node: &str) -> bool {
        self.nodes.iter().any(|known| known == node)
    }

    pub fn has_storage(&self, storage: &str) -> bool {
        self.storages.iter().any(|known| known == storage)
    }

    pub fn has_pool(&self, pool: &str) -> bool {
        self.pools.iter().any(|known| known == pool)
    }

    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    pub fn storages(&self) -> &[String] {
        &self.storages
    }

    pub fn pools(&self) -> &[String] {
        &self.pools
    }

    /// The memory that all of it takes, in bytes, about.
    pub fn bytes(&self) -> usize {
        let lists = [&self.nodes, &self.storages, &self.pools];
        let names = lists.into_iter().flatten();
        let names = names.map(|name| name.len() + NAME_BYTES);
        self.guest_bytes() + names.sum::<usize>()
    }

    /// The memory that the guests take, in bytes.
    pub fn guest_bytes(&self) -> usize {
        self.guests.capacity() * size_of::<GuestRow>() + self.names.capacity()
    }
}

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
        let Some(member) = self.members.get(cluster) else {
            return Names::default();
        };
        let mut names = member.names.lock().unwrap_or_else(PoisonError::into_inner);
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
