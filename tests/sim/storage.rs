//! Storages and the volumes on them.

use std::collections::BTreeMap;

use super::guest::{Config, Kind};
use super::state::State;

#[derive(Clone)]
pub struct Storage {
    pub id: String,
    /// `dir`, `nfs`, `lvmthin`, `rbd`
    pub kind: String,
    pub content: Vec<String>,
    pub shared: bool,
    pub disabled: bool,
    /// Only on these nodes; empty: on all.
    pub nodes: Vec<String>,
    /// Defined on these nodes, and not reached from them.
    pub down: Vec<String>,
    pub path: String,
    /// Further options of its definition.
    pub options: BTreeMap<String, String>,
    pub total: u64,
    pub used: u64,
    /// What is used on nodes that are not as the others.
    pub used_on: BTreeMap<String, u64>,
    pub volumes: Vec<Volume>,
}

#[derive(Clone, Default)]
pub struct Volume {
    pub volid: String,
    /// Empty on a shared storage.
    pub node: String,
    pub content: String,
    pub format: String,
    pub size: u64,
    pub used: u64,
    pub ctime: i64,
    pub vmid: Option<u32>,
    pub parent: Option<String>,
    pub notes: Option<String>,
    pub protected: bool,
    /// A backup's guest, as it was.
    pub archived: Option<(Kind, Config)>,
}

impl Storage {
    pub fn new(id: &str, kind: &str, content: &str, shared: bool) -> Storage {
        Storage {
            id: id.into(),
            kind: kind.into(),
            content: content.split(',').map(String::from).collect(),
            shared,
            disabled: false,
            nodes: Vec::new(),
            down: Vec::new(),
            path: match (kind, id) {
                ("dir", "local") => "/var/lib/vz".into(),
                ("dir", id) => format!("/var/lib/{id}"),
                ("nfs", id) => format!("/mnt/pve/{id}"),
                _ => String::new(),
            },
            options: BTreeMap::new(),
            total: 100 << 30,
            used: 20 << 30,
            used_on: BTreeMap::new(),
            volumes: Vec::new(),
        }
    }

    pub fn on(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|known| known == node)
    }

    /// Whether a node that has it reaches it.
    pub fn active(&self, node: &str) -> bool {
        !self.disabled && !self.down.iter().any(|down| down == node)
    }

    /// How much of it is used, as this node tells.
    pub fn used(&self, node: &str) -> u64 {
        self.used_on.get(node).copied().unwrap_or(self.used)
    }

    pub fn holds(&self, content: &str) -> bool {
        self.content.iter().any(|known| known == content)
    }

    /// Files in directories rather than block devices.
    pub fn files(&self) -> bool {
        matches!(self.kind.as_str(), "dir" | "nfs" | "cifs")
    }

    pub fn seen_from(&self, node: &str) -> impl Iterator<Item = &Volume> {
        self.volumes
            .iter()
            .filter(move |volume| self.shared || volume.node == node)
    }

    /// Where a volume lies in the file system.
    pub fn file(&self, volid: &str) -> String {
        let name = volid.split_once(':').map_or(volid, |(_, name)| name);
        if !self.files() {
            return format!("/dev/{}/{name}", self.id);
        }
        match name.split_once('/') {
            Some(("iso", file)) => format!("{}/template/iso/{file}", self.path),
            Some(("vztmpl", file)) => format!("{}/template/cache/{file}", self.path),
            Some(("backup", file)) => format!("{}/dump/{file}", self.path),
            Some((content @ ("snippets" | "import"), file)) => {
                format!("{}/{content}/{file}", self.path)
            }
            _ => format!("{}/images/{name}", self.path),
        }
    }
}

impl State {
    /// Without quorum nothing is made or removed on a shared storage.
    pub fn alterable(&self, storages: &[String]) -> Result<(), String> {
        let shared = |id: &&String| self.storage(id).is_some_and(|storage| storage.shared);
        match storages.iter().find(shared) {
            Some(id) if !self.has_quorum() => {
                Err(format!("cfs-lock 'storage-{id}' error: no quorum!"))
            }
            _ => Ok(()),
        }
    }

    pub fn volume(&self, volid: &str, node: &str) -> Option<&Volume> {
        let (id, _) = volid.split_once(':')?;
        self.storage(id)?
            .seen_from(node)
            .find(|volume| volume.volid == volid)
    }

    pub fn volume_mut(&mut self, volid: &str, node: &str) -> Option<&mut Volume> {
        let (id, _) = volid.split_once(':')?;
        let storage = self.storage_mut(id)?;
        let shared = storage.shared;
        storage
            .volumes
            .iter_mut()
            .find(|volume| volume.volid == volid && (shared || volume.node == node))
    }

    /// Allocates a guest's disk: the next free number, named as the storage's kind names them.
    pub fn allocate(
        &mut self,
        id: &str,
        node: &str,
        vmid: u32,
        kind: Kind,
        size: u64,
        format: Option<&str>,
    ) -> Result<String, String> {
        self.allocate_as(id, node, vmid, kind, size, format, "vm")
    }

    #[allow(clippy::too_many_arguments)]
    pub fn allocate_as(
        &mut self,
        id: &str,
        node: &str,
        vmid: u32,
        kind: Kind,
        size: u64,
        format: Option<&str>,
        stem: &str,
    ) -> Result<String, String> {
        let now = self.now();
        let Some(storage) = self.storage_mut(id) else {
            return Err(format!("storage '{id}' does not exist"));
        };
        let content = if kind == Kind::Qemu {
            "images"
        } else {
            "rootdir"
        };
        if !storage.holds(content) {
            return Err(format!(
                "storage '{id}' does not support content-type '{content}'"
            ));
        }
        if !storage.on(node) {
            return Err(format!("storage '{id}' is not available on node '{node}'"));
        }
        if !storage.active(node) {
            return Err(format!("storage '{id}' is not online"));
        }
        let subvol = storage.files() && kind == Kind::Lxc && size == 0;
        let format = if !storage.files() {
            "raw"
        } else if subvol {
            "subvol"
        } else {
            format.unwrap_or("raw")
        };
        let stem = if subvol { "subvol" } else { stem };
        let name = |number: u32| match storage.files() {
            true => format!("{id}:{vmid}/{stem}-{vmid}-disk-{number}.{format}"),
            false => format!("{id}:{stem}-{vmid}-disk-{number}"),
        };
        let taken = |number: u32| {
            let (number, stems) = (format!("-{vmid}-disk-{number}"), ["vm", "base", "subvol"]);
            storage.seen_from(node).any(|volume| {
                let file = volume.volid.rsplit([':', '/']).next().unwrap_or("");
                let bare = file.split('.').next().unwrap_or("");
                stems.iter().any(|stem| bare == format!("{stem}{number}"))
            })
        };
        let volid = name((0..).find(|number| !taken(*number)).unwrap_or(0));
        let shared = storage.shared;
        storage.volumes.push(Volume {
            volid: volid.clone(),
            node: if shared { String::new() } else { node.into() },
            content: content.into(),
            format: format.into(),
            size,
            used: if subvol { 0 } else { 4096 },
            ctime: now,
            vmid: Some(vmid),
            ..Volume::default()
        });
        Ok(volid)
    }

    pub fn free(&mut self, volid: &str, node: &str) -> bool {
        let Some(storage) = volid
            .split_once(':')
            .and_then(|(id, _)| self.storage_mut(id))
        else {
            return false;
        };
        let before = storage.volumes.len();
        let shared = storage.shared;
        storage
            .volumes
            .retain(|volume| volume.volid != volid || !(shared || volume.node == node));
        storage.volumes.len() < before
    }
}
