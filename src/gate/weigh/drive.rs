//! What a value under a disk's key holds: a volume that is made, a CD; and whose a volume is by its
//! name. Pure.

/// Keys of a guest that hold a volume, before their number.
const NUMBERED: [&str; 8] = [
    "efidisk", "ide", "mp", "sata", "scsi", "tpmstate", "unused", "virtio",
];
/// Keys of a guest that hold a volume, as they stand. `cdrom` is another name of `ide2`.
const PLAIN: [&str; 3] = ["cdrom", "rootfs", "vmstate"];
/// Folders of a storage whose volumes belong to no guest: without them every guest is what it was.
const OF_NO_GUEST: [&str; 5] = ["backup", "import", "iso", "snippets", "vztmpl"];
/// What begins the name of a guest's volume, before its VMID.
const OF_A_GUEST: [&str; 4] = ["vm", "base", "subvol", "basevol"];
/// Whether a guest's configuration holds a volume under this key.
pub(in crate::gate) fn is_key(key: &str) -> bool {
    let digits = key.trim_end_matches(|c: char| c.is_ascii_digit());
    PLAIN.contains(&key) || (digits.len() < key.len() && NUMBERED.contains(&digits))
}

fn is_size(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Whether a volume, by its name behind the storage, is none of a guest's.
pub(in crate::gate) fn is_of_no_guest(name: &str) -> bool {
    let folder = name.split_once('/').map(|(folder, _)| folder);
    folder.is_some_and(|folder| OF_NO_GUEST.contains(&folder))
}

/// The VMIDs in the name of a volume behind its storage: of its folder, and of its file.
pub(in crate::gate) fn of_guest(name: &str) -> impl Iterator<Item = u32> {
    let mut parts = name.rsplit('/');
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

/// A disk's value, where nothing about it is unusual: what it holds stands first, and once.
pub(in crate::gate) struct Drive<'v> {
    holds: &'v str,
    options: Vec<(&'v str, &'v str)>,
}

impl<'v> Drive<'v> {
    pub(in crate::gate) fn parse(text: &'v str) -> Option<Drive<'v>> {
        let mut parts = text.split(',');
        let first = parts.next()?;
        let holds = match first.split_once('=') {
            None => first,
            Some(("file" | "volume", holds)) => holds,
            Some(_) => return None,
        };
        let options = parts.map(|part| part.split_once('='));
        let options = options.collect::<Option<Vec<_>>>()?;
        let again = |(name, _): &(&str, &str)| matches!(*name, "file" | "volume");
        (!options.iter().any(again)).then_some(Drive { holds, options })
    }

    fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// Whether it is a disk that is made by it, and of nothing that is there.
    pub(in crate::gate) fn is_new_disk(&self) -> bool {
        let size = self.holds.split_once(':').map(|(_, size)| size);
        size.is_some_and(is_size) && !self.has("import-from") && !self.has("media")
    }

    /// Whether it is a CD drive, empty, with the node's own or with an image.
    pub(in crate::gate) fn is_cd(&self) -> bool {
        let image = self.holds.split_once(':').map(|(_, image)| image);
        let media = self.options.iter().filter(|(name, _)| *name == "media");
        let media: Vec<&str> = media.map(|(_, value)| *value).collect();
        media == ["cdrom"]
            && match image {
                None => matches!(self.holds, "none" | "cdrom"),
                Some(image) => image.starts_with("iso/"),
            }
    }
}
