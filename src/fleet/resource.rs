//! One row of `GET /cluster/resources` with its texts borrowed from the reply, and the way through a
//! reply row by row, so that a cluster of any size costs its reply and nothing more.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::api::loose::{LooseNumber, LooseText};
use crate::counted::longest_escaped;
use crate::room::Charge;

/// A text with an escape in it is put together aside, and then kept in its row, which has a few of them.
const ASIDE_TIMES: usize = 2;

/// What a row is about. Zones, networks and the like are [`ResourceKind::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    Vm,
    Container,
    Node,
    Storage,
    Pool,
    Other,
}

impl ResourceKind {
    /// As answers and search terms write it.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::Vm => "vm",
            ResourceKind::Container => "container",
            ResourceKind::Node => "node",
            ResourceKind::Storage => "storage",
            ResourceKind::Pool => "pool",
            ResourceKind::Other => "other",
        }
    }

    pub fn is_guest(self) -> bool {
        matches!(self, ResourceKind::Vm | ResourceKind::Container)
    }
}

/// A row. What it does not have is empty or zero; sizes are bytes, `cpu` a share of `maxcpu`.
#[derive(Default)]
pub struct Resource<'a> {
    kind: LooseText<'a>,
    vmid: LooseNumber,
    /// The cluster's own id of the row, as `qemu/100`.
    pub id: LooseText<'a>,
    name: LooseText<'a>,
    pub node: LooseText<'a>,
    storage: LooseText<'a>,
    pub pool: LooseText<'a>,
    pub status: LooseText<'a>,
    tags: LooseText<'a>,
    pub lock: LooseText<'a>,
    /// The state that the high-availability manager has it in.
    pub hastate: LooseText<'a>,
    pub content: LooseText<'a>,
    pub plugintype: LooseText<'a>,
    pub cpu: LooseNumber,
    pub maxcpu: LooseNumber,
    pub mem: LooseNumber,
    pub maxmem: LooseNumber,
    pub disk: LooseNumber,
    pub maxdisk: LooseNumber,
    pub uptime: LooseNumber,
    template: LooseNumber,
    shared: LooseNumber,
}

/// What a value of a row is for.
#[derive(Clone, Copy)]
enum ResourceField {
    Text(for<'r, 'a> fn(&'r mut Resource<'a>) -> &'r mut LooseText<'a>),
    Amount(for<'r, 'a> fn(&'r mut Resource<'a>) -> &'r mut LooseNumber),
    Unused,
}

impl ResourceField {
    /// By bytes, since those are told apart by a few jumps, and a text by comparing it with each:
    /// there are twenty to a row.
    fn of(name: &str) -> ResourceField {
        match name.as_bytes() {
            b"type" => ResourceField::Text(|row| &mut row.kind),
            b"id" => ResourceField::Text(|row| &mut row.id),
            b"name" => ResourceField::Text(|row| &mut row.name),
            b"node" => ResourceField::Text(|row| &mut row.node),
            b"storage" => ResourceField::Text(|row| &mut row.storage),
            b"pool" => ResourceField::Text(|row| &mut row.pool),
            b"status" => ResourceField::Text(|row| &mut row.status),
            b"tags" => ResourceField::Text(|row| &mut row.tags),
            b"lock" => ResourceField::Text(|row| &mut row.lock),
            b"hastate" => ResourceField::Text(|row| &mut row.hastate),
            b"content" => ResourceField::Text(|row| &mut row.content),
            b"plugintype" => ResourceField::Text(|row| &mut row.plugintype),
            b"vmid" => ResourceField::Amount(|row| &mut row.vmid),
            b"cpu" => ResourceField::Amount(|row| &mut row.cpu),
            b"maxcpu" => ResourceField::Amount(|row| &mut row.maxcpu),
            b"mem" => ResourceField::Amount(|row| &mut row.mem),
            b"maxmem" => ResourceField::Amount(|row| &mut row.maxmem),
            b"disk" => ResourceField::Amount(|row| &mut row.disk),
            b"maxdisk" => ResourceField::Amount(|row| &mut row.maxdisk),
            b"uptime" => ResourceField::Amount(|row| &mut row.uptime),
            b"template" => ResourceField::Amount(|row| &mut row.template),
            b"shared" => ResourceField::Amount(|row| &mut row.shared),
            _ => ResourceField::Unused,
        }
    }
}

impl<'de> Deserialize<'de> for ResourceField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ResourceField, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = ResourceField;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<ResourceField, E> {
        Ok(ResourceField::of(name))
    }
}

impl Resource<'_> {
    pub fn kind(&self) -> ResourceKind {
        match &*self.kind {
            "qemu" => ResourceKind::Vm,
            "lxc" => ResourceKind::Container,
            "node" => ResourceKind::Node,
            "storage" => ResourceKind::Storage,
            "pool" => ResourceKind::Pool,
            _ => ResourceKind::Other,
        }
    }

    /// The VMID of a guest.
    pub fn vmid(&self) -> Option<u32> {
        let vmid = self.vmid.whole();
        u32::try_from(vmid).ok().filter(|vmid| *vmid > 0)
    }

    /// What people call it: a guest's name, which is empty where its node is lost; the node's, the
    /// storage's or the pool's.
    pub fn name(&self) -> &str {
        match self.kind() {
            ResourceKind::Node => &self.node,
            ResourceKind::Storage => &self.storage,
            ResourceKind::Pool => &self.pool,
            _ => &self.name,
        }
    }

    pub fn storage(&self) -> &str {
        &self.storage
    }

    /// The pools that it is in: its own, and those that this one is within: of `core/db`, `core` too.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        let slashes = self.pool.match_indices('/');
        let above = slashes.filter_map(|(at, _)| self.pool.get(..at));
        let own = Some(&*self.pool).filter(|pool| !pool.is_empty());
        above.chain(own)
    }

    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.tags.split([';', ',', ' ']);
        tags.filter(|tag| !tag.is_empty())
    }

    pub fn is_template(&self) -> bool {
        self.template.0 != 0.0
    }

    pub fn is_shared(&self) -> bool {
        self.shared.0 != 0.0
    }

    /// Whether it is in use now, so that its use means something.
    pub fn is_up(&self) -> bool {
        !matches!(&*self.status, "" | "stopped" | "offline" | "unknown")
    }

    /// Whether the high-availability manager looks after it.
    pub fn is_ha(&self) -> bool {
        !matches!(&*self.hastate, "" | "ignored")
    }

    /// Percent of its CPUs in use; `None` where that is not known, or it does not run.
    pub fn cpu_percent(&self) -> Option<f64> {
        (self.is_up() && self.maxcpu.0 > 0.0).then_some(self.cpu.0 * 100.0)
    }

    /// Percent of its memory in use.
    pub fn memory_percent(&self) -> Option<f64> {
        (self.is_up() && self.maxmem.0 > 0.0).then(|| self.mem.0 / self.maxmem.0 * 100.0)
    }

    /// Percent of its disk, root file system or space in use. Proxmox does not know how full the
    /// disks of a VM are, and says 0.
    pub fn disk_percent(&self) -> Option<f64> {
        let known = self.kind() != ResourceKind::Vm && self.is_up() && self.maxdisk.0 > 0.0;
        known.then(|| self.disk.0 / self.maxdisk.0 * 100.0)
    }
}

/// Calls `found` with each row of the body of `GET /cluster/resources`.
///
/// # Errors
/// What is wrong with the body, where it is not that list.
pub fn each(body: &[u8], found: &mut dyn FnMut(&Resource)) -> Result<(), String> {
    // Texts that are known to be UTF-8 are not looked through one by one.
    let body = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut charge = Charge::default();
    let aside = longest_escaped(body).saturating_mul(ASIDE_TIMES);
    charge.grow(aside, None).map_err(|why| why.to_string())?;
    let mut reader = serde_json::Deserializer::from_str(body);
    let read = reader
        .deserialize_any(ResourceEnvelope(found))
        .and_then(|had_rows| reader.end().map(|()| had_rows))
        .map_err(|error| error.to_string())?;
    if read {
        Ok(())
    } else {
        Err("it has no `data`".into())
    }
}

/// Said where a text stands in the place of something else: by itself serde would repeat all of it.
const NO_TEXT: &str = "a text stands where an object or a list is expected";

struct ResourceEnvelope<'f>(&'f mut dyn FnMut(&Resource));

impl<'de> Visitor<'de> for ResourceEnvelope<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `data`")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<bool, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut had_rows = false;
        while let Some(key) = map.next_key::<LooseText>()? {
            if &*key == "data" {
                had_rows = true;
                map.next_value_seed(List(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(had_rows)
    }
}

struct List<'f>(&'f mut dyn FnMut(&Resource));

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of resources")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        loop {
            let mut row = Resource::default();
            if rows.next_element_seed(Filled(&mut row))?.is_none() {
                return Ok(());
            }
            (self.0)(&row);
            // What was put aside of it counts, and may be too much.
            Charge::default().grow(0, None).map_err(A::Error::custom)?;
        }
    }
}

/// Fills a row where it stands. By hand: what is derived takes five times the code, once for each
/// field.
struct Filled<'r, 'a>(&'r mut Resource<'a>);

impl<'de> DeserializeSeed<'de> for Filled<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Filled<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a resource")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(field) = fields.next_key::<ResourceField>()? {
            match field {
                ResourceField::Text(text) => *text(self.0) = fields.next_value()?,
                ResourceField::Amount(amount) => *amount(self.0) = fields.next_value()?,
                ResourceField::Unused => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
