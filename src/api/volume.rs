//! What the name of a volume tells: `local-lvm:vm-100-disk-0`, `local:9000/base-9000-disk-0.qcow2`.
//! Only the storage's list, and who uses it, say whose it is.

use serde_json::Value;

/// Folders of a storage whose volumes belong to no guest: without them every guest is what it was.
const OF_NO_GUEST: [&str; 5] = ["backup", "import", "iso", "snippets", "vztmpl"];
/// What begins the name of a guest's volume, before its VMID.
const OF_A_GUEST: [&str; 4] = ["vm", "base", "subvol", "basevol"];

/// The name of a volume behind its storage and its folder: `base-9000-disk-0.raw` of
/// `local:9000/base-9000-disk-0.raw`.
pub fn name_of(volume: &str) -> &str {
    let path = behind_storage(volume);
    path.rsplit('/').next().unwrap_or(path)
}

fn behind_storage(volume: &str) -> &str {
    volume.split_once(':').map_or(volume, |(_, path)| path)
}

/// Whether a volume is none of a guest's: an image, a template, a backup.
pub fn is_of_no_guest(volume: &str) -> bool {
    let folder = behind_storage(volume).split_once('/');
    folder.is_some_and(|(folder, _)| OF_NO_GUEST.contains(&folder))
}

/// The word for the kind of guest, and the VMID, in the name of a backup: `nas:backup/vzdump-qemu-100-...`,
/// `pbs:backup/vm/100/2026-...`; `None` where it is none of these.
pub fn backed_up(volume: &str) -> Option<(&str, u32)> {
    let path = behind_storage(volume).strip_prefix("backup/")?;
    let (word, rest, between) = match path.strip_prefix("vzdump-") {
        Some(rest) => {
            let (word, rest) = rest.split_once('-')?;
            (word, rest, '-')
        }
        None => {
            let (word, rest) = path.split_once('/')?;
            (word, rest, '/')
        }
    };
    let (vmid, time) = rest.split_once(between)?;
    let vmid = vmid.parse().ok()?;
    (!time.is_empty()).then_some((word, vmid))
}

/// Whether linked clones may stand on a volume.
pub fn is_base(volume: &str) -> bool {
    let name = name_of(volume);
    name.starts_with("base-") || name.starts_with("basevol-")
}

/// The VMIDs in the name of a volume: of its folder, and of its file.
pub fn vmids_in(volume: &str) -> impl Iterator<Item = u32> {
    let mut parts = behind_storage(volume).rsplit('/');
    let (file, folder) = (parts.next().unwrap_or_default(), parts.next());
    let folder = folder.and_then(|folder| folder.parse().ok());
    folder.into_iter().chain(in_file(file))
}

/// The VMID in `vm-100-disk-0.raw`.
fn in_file(name: &str) -> Option<u32> {
    let mut parts = name.split('-');
    OF_A_GUEST
        .contains(&parts.next()?)
        .then(|| parts.next()?.parse().ok())?
}

/// Whether a row of a content listing is a linked clone of `volume`: its name goes by way of the
/// name of the base, or its `parent` is the base (or a snapshot of it).
pub fn is_clone_of(row: &Value, volume: &str) -> bool {
    let base = name_of(volume);
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let path = behind_storage(text("volid"));
    let path = path.rsplit_once('/').map_or("", |(way, _)| way);
    let parent = text("parent");
    let parent = parent.split('@').next().unwrap_or_default();
    path.split('/').any(|part| part == base) || parent.rsplit('/').next() == Some(base)
}
