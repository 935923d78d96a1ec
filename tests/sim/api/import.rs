//! Drives that are made of what is there: `import-from`.

use super::super::answer::{Params, Refusal, scalar};
use super::super::guest::{Kind, is_disk_key, option, volume};
use super::super::state::State;

impl State {
    /// What a drive is to be made of is a volume that can be, and the drive says no size of its own.
    pub fn imports(&self, params: &Params, kind: Kind, is_root: bool) -> Result<(), Refusal> {
        for (key, value) in params.iter().filter(|(key, _)| is_disk_key(key, kind)) {
            let value = scalar(value);
            let Some(source) = option(&value, "import-from") else {
                continue;
            };
            if source.starts_with('/') && !is_root {
                return Err(Refusal::die(
                    "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.",
                ));
            }
            if !volume(&value).ends_with(":0") {
                return Err(Refusal::param(
                    key,
                    "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>",
                ));
            }
            let name = source.split_once(':').map_or("", |(_, name)| name);
            let content = name.split_once('/').map_or("", |(content, _)| content);
            if ["iso", "vztmpl", "backup", "snippets"].contains(&content) {
                return Err(Refusal::param(
                    key,
                    format!(
                        "{source} has wrong type '{content}' - needs to be 'images' or 'import'"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The size of what a drive is made of.
    pub fn source_size(&self, value: &str, node: &str) -> Result<Option<u64>, String> {
        let Some(source) = option(value, "import-from") else {
            return Ok(None);
        };
        if let Some(found) = self.volume(source, node) {
            return Ok(Some(found.size));
        }
        let storage = source.split(':').next().unwrap_or("");
        let file = self.storage(storage).map(|storage| storage.file(source));
        Err(format!("failed to stat '{}'", file.unwrap_or_default()))
    }
}
