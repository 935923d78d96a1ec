//! Property strings of a guest's configuration (`virtio=BC:24:..,bridge=vmbr0,firewall=1`), the keys
//! of its disks and network cards, and sizes as Proxmox writes them. Pure.

use std::fmt;

use serde_json::{Map, Value};

use crate::api::loose::plain;
use crate::fleet::index::GuestKind;
use crate::tools::disks;

/// The entries of a property string in their order. What is not understood is kept as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(Option<String>, String)>);

impl Properties {
    pub fn parse(text: &str) -> Properties {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let entries = parts.map(|part| match part.split_once('=') {
            Some((key, value)) => (Some(key.to_string()), value.to_string()),
            None => (None, part.to_string()),
        });
        Properties(entries.collect())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        let mut entries = self.0.iter();
        let found = entries.find(|(name, _)| name.as_deref() == Some(key));
        found.map(|(_, value)| value.as_str())
    }

    /// Changes an entry where it stands, or adds it at the end.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let place = self
            .0
            .iter()
            .position(|(name, _)| name.as_deref() == Some(key));
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(entry) => entry.1 = value.into(),
            None => self.0.push((Some(key.to_string()), value.into())),
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name.as_deref() != Some(key));
    }

    /// The first entry: of a disk its volume, of a VM's network card model and MAC.
    pub fn first(&self) -> Option<(Option<&str>, &str)> {
        let first = self.0.first()?;
        Some((first.0.as_deref(), first.1.as_str()))
    }

    /// Puts another first entry in the place of the old.
    pub fn set_first(&mut self, key: Option<&str>, value: &str) {
        let entry = (key.map(str::to_string), value.to_string());
        match self.0.first_mut() {
            Some(first) => *first = entry,
            None => self.0.push(entry),
        }
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (key, value)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match key {
                Some(key) => write!(f, "{comma}{key}={value}")?,
                None => write!(f, "{comma}{value}")?,
            }
        }
        Ok(())
    }
}

/// What a key with a number is: `scsi1` is `scsi` and 1.
pub fn numbered(key: &str) -> Option<(&str, u32)> {
    let digits = key.find(|c: char| c.is_ascii_digit())?;
    let (name, number) = key.split_at_checked(digits)?;
    Some((name, number.parse().ok()?))
}

/// The buses of a VM and how many disks each has; of a container its mount points.
const BUSES: &[(GuestKind, &str, u32)] = &[
    (GuestKind::Qemu, "scsi", 31),
    (GuestKind::Qemu, "virtio", 16),
    (GuestKind::Qemu, "sata", 6),
    (GuestKind::Qemu, "ide", 4),
    (GuestKind::Qemu, "efidisk", 1),
    (GuestKind::Qemu, "tpmstate", 1),
    (GuestKind::Lxc, "mp", 256),
];
/// The most network cards of a guest.
const CARDS: u32 = 32;

/// Whether a guest of this kind can have a disk, a CD drive or a mount point under this key.
pub fn is_disk(kind: GuestKind, key: &str) -> bool {
    if kind == GuestKind::Lxc && key == "rootfs" {
        return true;
    }
    numbered(key).is_some_and(|(name, number)| {
        let mut buses = BUSES.iter();
        buses.any(|(of, bus, count)| *of == kind && *bus == name && number < *count)
    })
}

/// Whether the key is of the little disk of a firmware or a security chip.
pub fn is_state(key: &str) -> bool {
    matches!(numbered(key), Some(("efidisk" | "tpmstate", _)))
}

/// Whether the key is of the state of a security chip, which is raw wherever it lies.
pub fn is_tpm(key: &str) -> bool {
    matches!(numbered(key), Some(("tpmstate", _)))
}

/// Whether the key is of a volume that no disk uses.
pub fn is_unused(key: &str) -> bool {
    matches!(numbered(key), Some(("unused", _)))
}

pub fn is_card(key: &str) -> bool {
    matches!(numbered(key), Some(("net", number)) if number < CARDS)
}

/// The first key of a bus (`scsi`, `mp`, `net`) that the configuration has not.
pub fn free_key(kind: GuestKind, config: &Map<String, Value>, bus: &str) -> Option<String> {
    let mut buses = BUSES.iter();
    let count = match bus {
        "net" => CARDS,
        bus => buses.find(|(of, name, _)| *of == kind && *name == bus)?.2,
    };
    let mut keys = (0..count).map(|number| format!("{bus}{number}"));
    keys.find(|key| !config.contains_key(key))
}

/// The properties under a key.
pub fn at(config: &Map<String, Value>, key: &str) -> Option<Properties> {
    config
        .get(key)
        .map(|value| Properties::parse(&plain(value)))
}

/// What a disk's key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskContent {
    /// A volume of a storage.
    Volume(String),
    /// A CD drive with or without an image.
    Cd,
    /// A device or folder of the node.
    OfNode,
}

/// What stands under the key of a disk.
pub fn held(properties: &Properties) -> DiskContent {
    if properties.get("media") == Some("cdrom") {
        return DiskContent::Cd;
    }
    let volume = match properties.first() {
        Some((None | Some("file" | "volume"), volume)) => volume,
        _ => properties
            .get("file")
            .or_else(|| properties.get("volume"))
            .unwrap_or_default(),
    };
    if disks::storage_of(volume).is_some() {
        DiskContent::Volume(volume.to_string())
    } else {
        DiskContent::OfNode
    }
}

/// Whether what stands under the key of a disk is a drive for cloud-init: `local-lvm:cloudinit`, as it
/// is asked for, or `local:112/vm-112-cloudinit.qcow2,media=cdrom`, as it is kept.
pub fn is_cloud_init(value: &str) -> bool {
    let properties = Properties::parse(value);
    let Some((None | Some("file"), volume)) = properties.first() else {
        return false;
    };
    let name = volume.rsplit([':', '/']).next().unwrap_or_default();
    // A disk's format, and not that of an image that happens to be called so.
    let name = match name.split_once('.') {
        Some((name, "raw" | "qcow2" | "vmdk")) => name,
        _ => name,
    };
    let of_guest = || {
        let rest = name.strip_prefix("vm-")?;
        let vmid = rest.strip_suffix("-cloudinit")?;
        vmid.parse::<u32>().ok()
    };
    volume.contains(':') && (name == "cloudinit" || of_guest().is_some())
}

/// The names of options in a list as the API takes it.
pub fn names(text: &str) -> Vec<String> {
    let apart = |c: char| c.is_whitespace() || c == ',' || c == ';' || c == '\0';
    let names = text.split(apart).filter(|name| !name.is_empty());
    names.map(str::to_string).collect()
}

/// The tags of a configuration. Proxmox splits at semicolons, commas and blanks.
pub fn tags(text: &str) -> Vec<&str> {
    let apart = |c: char| c == ';' || c == ',' || c.is_whitespace();
    text.split(apart).filter(|tag| !tag.is_empty()).collect()
}

/// Tags after adding and removing. What is removed is found whatever its capitals: most clusters
/// keep tags in small letters.
pub fn retag(now: &str, add: &[&str], remove: &[&str]) -> Vec<String> {
    let removed = |tag: &str| remove.iter().any(|other| other.eq_ignore_ascii_case(tag));
    let mut kept: Vec<String> = Vec::new();
    for tag in tags(now)
        .into_iter()
        .filter(|tag| !removed(tag))
        .chain(add.iter().copied())
    {
        if !kept.iter().any(|other| other == tag) {
            kept.push(tag.to_string());
        }
    }
    kept
}

/// Whether Proxmox takes this as one tag.
pub fn is_tag(tag: &str) -> bool {
    let first = tag.chars().next();
    first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-+.".contains(c))
}
