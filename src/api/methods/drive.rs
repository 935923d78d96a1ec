//! What a value under a disk's key names: a volume that is there, one that is made, a CD. Pure.

use serde_json::Value;

use crate::api::loose::plain;
use crate::api::volume;

/// Keys of a guest that hold a volume, before their number.
const NUMBERED: [&str; 8] = [
    "efidisk", "ide", "mp", "sata", "scsi", "tpmstate", "unused", "virtio",
];
/// Keys of a guest that hold a volume, as they stand. `cdrom` is another name of `ide2`.
const PLAIN: [&str; 3] = ["cdrom", "rootfs", "vmstate"];
/// Parameters that hold words, whatever they look like.
const WORDS: [&str; 5] = [
    "comment",
    "comments",
    "description",
    "notes",
    "notes-template",
];

/// Whether a guest's configuration holds a volume under this key.
pub fn is_key(key: &str) -> bool {
    let digits = key.trim_end_matches(|c: char| c.is_ascii_digit());
    PLAIN.contains(&key) || (digits.len() < key.len() && NUMBERED.contains(&digits))
}

/// The volumes of guests that a parameter names, whatever the parameter is.
pub fn named(key: &str, value: &Value) -> Vec<String> {
    if WORDS.contains(&key) {
        return Vec::new();
    }
    if let Value::Array(values) = value {
        return values.iter().flat_map(|value| named(key, value)).collect();
    }
    let text = plain(value);
    let parts = text.split(|c: char| matches!(c, ',' | ';' | '\0') || c.is_whitespace());
    let parts = parts.map(|part| {
        part.split_once('=')
            .map_or(("", part), |(name, rest)| (name, rest))
    });
    let found = parts.filter(|(name, part)| match part.split_once(':') {
        _ if is_key(key) && matches!(*name, "" | "file" | "volume" | "import-from") => {
            is_there(part)
        }
        Some(_) => volume::vmids_in(part).next().is_some() && !volume::is_of_no_guest(part),
        None => false,
    });
    found.map(|(_, part)| part.to_string()).collect()
}

/// The volume of nobody's that is in a drive: an ISO image.
pub fn image(value: &Value) -> Option<String> {
    let text = plain(value);
    let file = text.split(',').next().unwrap_or_default();
    let file = file.strip_prefix("file=").unwrap_or(file);
    volume::is_of_no_guest(file).then(|| file.to_owned())
}

/// Whether a text names something that is there: a volume that may be a guest's, or a path of the node.
fn is_there(text: &str) -> bool {
    match text.split_once(':') {
        _ if text.starts_with('/') => true,
        Some((_, name)) => !is_new(name) && !volume::is_of_no_guest(text),
        None => false,
    }
}

/// Whether what stands behind the storage has it make a volume: a size, or a drive for cloud-init.
fn is_new(name: &str) -> bool {
    name == "cloudinit" || is_size(name)
}

fn is_size(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// A disk's value, where nothing about it is unusual: what it holds stands first, and once.
pub struct Drive<'v> {
    holds: &'v str,
    options: Vec<(&'v str, &'v str)>,
}

impl<'v> Drive<'v> {
    pub fn parse(text: &'v str) -> Option<Drive<'v>> {
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
    pub fn is_new_disk(&self) -> bool {
        let size = self.holds.split_once(':').map(|(_, size)| size);
        size.is_some_and(is_size) && !self.has("import-from") && !self.has("media")
    }

    /// Whether it is a CD drive, empty, with the node's own or with an image.
    pub fn is_cd(&self) -> bool {
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
