//! The descriptions that are known, one for each version, whichever cluster it was read from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::schema::{Schema, read};
use crate::error::{Code, Error};
use crate::log;
use crate::proxmox::client::ClusterClient;
use crate::proxmox::session::StaticFile;
use crate::room::CacheCharge;

/// Where a node serves it. It takes no token.
pub const SCHEMA_PATH: &str = "/pve-docs/api-viewer/apidoc.js";
/// More versions than this at once are not kept: the one that was needed longest ago goes.
const VERSIONS_MAX: usize = 4;
/// A description that takes more memory is not kept.
const SCHEMA_MAX_BYTES: usize = 3 * 1024 * 1024;

/// Shared by all clusters.
#[derive(Default)]
pub struct Schemas {
    known: Mutex<SchemaCache>,
}

#[derive(Default)]
struct SchemaCache {
    by_version: BTreeMap<String, CachedSchema>,
    uses: u64,
}

struct CachedSchema {
    /// `None`: that version's nodes serve none.
    schema: Option<Arc<Schema>>,
    modified: Option<String>,
    used: u64,
    _kept: CacheCharge,
}

impl Schemas {
    pub fn new() -> Schemas {
        Schemas::default()
    }

    /// The description of the cluster's version, read from it where it is not known yet. `None`
    /// where the cluster serves none that can be read: then nothing can be checked by it.
    ///
    /// # Errors
    /// That the cluster was not reached, or does not accept the token.
    pub fn of(&self, client: &ClusterClient) -> Result<Option<Arc<Schema>>, Error> {
        let version = client.version()?;
        if let Some(schema) = self.known(&version) {
            return Ok(schema);
        }
        self.fetch(client, &version, None)
    }

    /// The description of the cluster's version where it is known already. Asks for nothing but the
    /// version, and only where a description is known.
    pub fn at_hand(&self, client: &ClusterClient) -> Option<Arc<Schema>> {
        if self.lock().by_version.is_empty() {
            return None;
        }
        let version = client.version().ok()?;
        self.known(&version).flatten()
    }

    /// As [`Schemas::of`], but asked for anew where it has changed since it was read: for use before a
    /// refusal, since the cluster may have been upgraded under us.
    ///
    /// # Errors
    /// As [`Schemas::of`].
    pub fn refreshed(&self, client: &ClusterClient) -> Result<Option<Arc<Schema>>, Error> {
        let version = client.version_now()?;
        let modified = {
            let known = self.lock();
            let entry = known.by_version.get(&version);
            entry.and_then(|entry| entry.modified.clone())
        };
        self.fetch(client, &version, modified.as_deref())
    }

    fn lock(&self) -> MutexGuard<'_, SchemaCache> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, version: &str) -> Option<Option<Arc<Schema>>> {
        let mut known = self.lock();
        known.uses = known.uses.saturating_add(1);
        let uses = known.uses;
        let entry = known.by_version.get_mut(version)?;
        entry.used = uses;
        Some(entry.schema.clone())
    }

    fn fetch(
        &self,
        client: &ClusterClient,
        version: &str,
        modified: Option<&str>,
    ) -> Result<Option<Arc<Schema>>, Error> {
        let mut schema = None;
        let outcome = client.read_static(SCHEMA_PATH, modified, &mut |source| {
            schema = Some(read(source)?);
            Ok(())
        });
        let cluster = &client.settings().cluster;
        let modified = match outcome {
            Ok(StaticFile::NotModified) => return Ok(self.known(version).flatten()),
            Ok(StaticFile::Read(modified)) => modified,
            Ok(StaticFile::Absent(status)) => {
                log::info(&format!("{cluster}: serves no API description ({status})"));
                None
            }
            Err(error) if error.code == Code::Reply => {
                log::warn(&format!("{cluster}: its API description: {}", error.cause));
                // It may have been cut off: not remembered.
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let schema = schema
            .filter(|schema| schema.heap_bytes() <= SCHEMA_MAX_BYTES)
            .map(Arc::new);
        self.keep(version, schema.clone(), modified);
        Ok(schema)
    }

    fn keep(&self, version: &str, schema: Option<Arc<Schema>>, modified: Option<String>) {
        let bytes = schema.as_deref().map_or(0, Schema::heap_bytes);
        let mut known = self.lock();
        known.uses = known.uses.saturating_add(1);
        known.by_version.remove(version);
        let kept = loop {
            if let Some(kept) = CacheCharge::new(bytes)
                .ok()
                .filter(|_| known.by_version.len() < VERSIONS_MAX)
            {
                break kept;
            }
            let oldest = known.by_version.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(version, _)| version.clone()) else {
                // It serves this call alone.
                return;
            };
            known.by_version.remove(&oldest);
        };
        let entry = CachedSchema {
            schema,
            modified,
            used: known.uses,
            _kept: kept,
        };
        known.by_version.insert(version.to_string(), entry);
    }
}
