//! Which guest, node, storage and pool is where: one `GET /cluster/resources` a cluster, kept for
//! a few seconds and dropped after our own writes.
//!
//! A hundred clusters with a thousand guests each have to fit: a guest costs a row of 16 bytes and
//! its name in a shared text, under 64 bytes in all.

use std::time::Instant;

use super::resource::{self, Resource, Sort};
use crate::room::{self, Kept};

/// The most nodes, storages or pools of a cluster.
const NAMES_MAX: usize = 5_000;
/// What a kept name takes beside its bytes.
const NAME_BYTES: usize = 2 * size_of::<String>();

/// A guest's kind; both share the VMIDs of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Qemu,
    Lxc,
}

impl Kind {
    /// As it stands in paths and in the `type` of a resource.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Qemu => "qemu",
            Kind::Lxc => "lxc",
        }
    }
}

/// A guest as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    pub vmid: u32,
    pub kind: Kind,
    pub node: String,
    /// `None` where its node is lost, so that only the bare row is left.
    pub name: Option<String>,
    pub template: bool,
    /// Whether the high-availability manager looks after it.
    pub ha: bool,
}

/// The rows of one cluster.
#[derive(Default)]
pub struct Rows {
    guests: Vec<Row>,
    names: String,
    nodes: Vec<String>,
    storages: Vec<String>,
    pools: Vec<String>,
    /// There are more than [`NAMES_MAX`] of one of them.
    too_many: bool,
}

struct Row {
    vmid: u32,
    name_start: u32,
    name_len: u16,
    node: u16,
    kind: Kind,
    template: bool,
    ha: bool,
}

/// What one cluster answered, and when.
pub struct Sighting {
    pub at: Instant,
    pub rows: Rows,
    /// The memory that it takes.
    pub kept: Kept,
}

impl Rows {
    /// Reads the body of `GET /cluster/resources`.
    ///
    /// # Errors
    /// What is wrong with it, where it is not that list.
    pub fn read(body: &[u8]) -> Result<Rows, String> {
        let mut rows = Rows::default();
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
        let kind = match resource.sort() {
            Sort::Vm => Kind::Qemu,
            Sort::Container => Kind::Lxc,
            Sort::Node => return self.note(resource.name(), |rows| &mut rows.nodes),
            Sort::Storage => return self.note(resource.name(), |rows| &mut rows.storages),
            Sort::Pool => return self.note(resource.name(), |rows| &mut rows.pools),
            Sort::Other => return,
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
        room::note(size_of::<Row>() + name.len());
        self.names.push_str(name);
        self.guests.push(Row {
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
    fn note(&mut self, name: &str, of: impl Fn(&mut Rows) -> &mut Vec<String>) {
        if self.too_many || name.is_empty() || of(self).iter().any(|known| known == name) {
            return;
        }
        let names = of(self);
        room::note(name.len() + NAME_BYTES);
        names.push(name.to_string());
        self.too_many = names.len() > NAMES_MAX;
    }

    fn name(&self, row: &Row) -> &str {
        let start = row.name_start as usize;
        self.names
            .get(start..start + usize::from(row.name_len))
            .unwrap_or_default()
    }

    fn guest(&self, row: &Row) -> Guest {
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
            template: row.template,
            ha: row.ha,
        }
    }

    /// The guest of this VMID.
    pub fn by_vmid(&self, vmid: u32) -> Option<Guest> {
        let row = self.guests.iter().find(|row| row.vmid == vmid)?;
        Some(self.guest(row))
    }

    /// All guests of this name; names need not be unique.
    pub fn by_name(&self, name: &str) -> Vec<Guest> {
        let named = self.guests.iter().filter(|row| self.name(row) == name);
        named.map(|row| self.guest(row)).collect()
    }

    /// The guests whose name is not known, since their node is lost: a name that is not found may
    /// be theirs.
    pub fn nameless(&self) -> impl Iterator<Item = u32> {
        let nameless = self.guests.iter().filter(|row| row.name_len == 0);
        nameless.map(|row| row.vmid)
    }

    pub fn has_node(&self, node: &str) -> bool {
        self.nodes.iter().any(|known| known == node)
    }

    pub fn has_storage(&self, storage: &str) -> bool {
        self.storages.iter().any(|known| known == storage)
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
        self.guests.capacity() * size_of::<Row>() + self.names.capacity()
    }
}
