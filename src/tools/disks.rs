//! The disks and mount points of a guest, read out of its configuration.

use serde_json::Value;

use crate::fleet::index::GuestKind;

/// What holds data of a VM, without CD drives.
const QEMU_KEYS: &[&str] = &[
    "ide", "sata", "scsi", "virtio", "efidisk", "tpmstate", "unused",
];
/// What holds data of a container.
const LXC_KEYS: &[&str] = &["rootfs", "mp", "unused"];
/// GiB to the power of 1024 that a size's letter means; a size without one is in bytes.
const UNITS: &[(char, i32)] = &[('K', -2), ('M', -1), ('G', 0), ('T', 1)];

/// One disk or mount point that a storage holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// `scsi0`, `rootfs`, `unused1`.
    pub key: String,
    /// As the storage lists it: `local-lvm:vm-100-disk-0`.
    pub volume: String,
    /// What stands before the volume's colon.
    pub storage: String,
    /// As it is configured: `32G`. Unused volumes have none.
    pub size: Option<String>,
    pub size_gib: Option<f64>,
}

/// The disks in a configuration, in the order of their keys. What no storage holds is not among
/// them: CD drives, devices that are passed through, bind mounts.
pub fn of(config: &Value, kind: GuestKind) -> Vec<Disk> {
    read(config, kind, false)
}

fn read(config: &Value, kind: GuestKind, with_devices: bool) -> Vec<Disk> {
    let with_devices = with_devices && kind == GuestKind::Qemu;
    let keys = match kind {
        GuestKind::Qemu => QEMU_KEYS,
        GuestKind::Lxc => LXC_KEYS,
    };
    let options = config.as_object().into_iter().flatten();
    let mut disks: Vec<((usize, u32), Disk)> = options
        .filter_map(|(key, value)| {
            let place = place_of(key, keys)?;
            Some((place, disk(key, value.as_str()?, with_devices)?))
        })
        .collect();
    disks.sort_by_key(|(place, _)| *place);
    disks.into_iter().map(|(_, disk)| disk).collect()
}

/// The storages of the disks in a configuration, each once, the first disk's first.
pub fn storages(config: &Value, kind: GuestKind) -> Vec<String> {
    let mut storages: Vec<String> = Vec::new();
    for disk in of(config, kind) {
        if !disk.key.starts_with("unused") && !storages.contains(&disk.storage) {
            storages.push(disk.storage);
        }
    }
    storages
}

/// As [`of`], with the devices of the node that a VM is given as disks: their storage is empty.
pub fn every(config: &Value, kind: GuestKind) -> Vec<Disk> {
    read(config, kind, true)
}

/// Which of `keys` a key is, and its number; `rootfs` has none.
fn place_of(key: &str, keys: &[&str]) -> Option<(usize, u32)> {
    let (rank, rest) = keys
        .iter()
        .enumerate()
        .find_map(|(rank, name)| Some((rank, key.strip_prefix(name)?)))?;
    let numberless = rest.is_empty() && key == "rootfs";
    let number = if numberless { 0 } else { rest.parse().ok()? };
    Some((rank, number))
}

fn disk(key: &str, value: &str, with_devices: bool) -> Option<Disk> {
    let mut parts = value.split(',');
    let first = parts.next()?;
    // The option that may go without its name may also bear it.
    let volume = ["file=", "volume="]
        .iter()
        .find_map(|name| first.strip_prefix(name))
        .unwrap_or(first);
    let options: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let option = |name: &str| {
        let found = options.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value)
    };
    let storage = match storage_of(volume) {
        Some(storage) => storage,
        None if with_devices && volume.starts_with('/') => "",
        None => return None,
    };
    if option("media") == Some("cdrom") {
        return None;
    }
    let size = option("size");
    Some(Disk {
        key: key.to_string(),
        volume: volume.to_string(),
        storage: storage.to_string(),
        size: size.map(str::to_string),
        size_gib: size.and_then(size_gib),
    })
}

/// The storage of a volume. A path and the word `none` have none.
pub fn storage_of(volume: &str) -> Option<&str> {
    let (storage, rest) = volume.split_once(':')?;
    let is_name = storage.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_name && !storage.contains('/') && !rest.is_empty()).then_some(storage)
}

/// A size as Proxmox writes it, `32G`, `528K`, in GiB with three digits behind the point.
pub fn size_gib(size: &str) -> Option<f64> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = size.get(digits.len()..)?;
    let power = match unit.chars().next() {
        None => -3,
        Some(letter) => UNITS
            .iter()
            .find(|(unit, _)| *unit == letter.to_ascii_uppercase())
            .map(|(_, power)| *power)?,
    };
    let number: f64 = digits.parse().ok()?;
    Some(thousandths(number * 1024_f64.powi(power)))
}

/// Bytes in GiB with three digits behind the point.
#[allow(clippy::cast_precision_loss)] // Three digits are all that is kept.
pub fn gib(bytes: u64) -> f64 {
    thousandths(bytes as f64 / 1024_f64.powi(3))
}

/// A number with three digits behind the point.
pub fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
