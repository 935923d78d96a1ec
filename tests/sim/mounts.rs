//! Directories that several clusters mount: what one puts there, all see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::state::State;
use super::storage::Volume;

/// The directories of a world by their path, with their volumes.
#[derive(Clone, Default)]
pub struct Mounts(Arc<Mutex<BTreeMap<String, Vec<Volume>>>>);

impl Mounts {
    /// From now on a storage on this path is the same for all.
    pub fn add(&self, path: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(path.into()).or_default();
    }
}

/// A volume's name without that of its storage, and what may change in it.
fn sign(volumes: &[Volume]) -> String {
    let lines = volumes.iter().map(|volume| {
        let name = volume.volid.split_once(':').map(|(_, name)| name);
        format!("{name:?} {:?} {}\n", volume.notes, volume.protected)
    });
    lines.collect()
}

impl State {
    /// Brings the shared directories and what this cluster knows of them together.
    pub fn mounted(&mut self) {
        let mounts = self.mounts.clone();
        let mut all = mounts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return;
        }
        let storages = &self.storages;
        self.mounts_seen
            .retain(|path, _| storages.iter().any(|storage| storage.path == *path));
        for storage in &mut self.storages {
            let Some(common) = all.get_mut(&storage.path) else {
                continue;
            };
            let known = self.mounts_seen.entry(storage.path.clone()).or_default();
            let own = sign(&storage.volumes);
            if own != *known {
                *common = storage.volumes.clone();
            } else if own != sign(common) {
                storage.volumes = common.clone();
                for volume in &mut storage.volumes {
                    if let Some((_, name)) = volume.volid.split_once(':') {
                        volume.volid = format!("{}:{name}", storage.id);
                    }
                }
            }
            *known = sign(common);
        }
    }
}
