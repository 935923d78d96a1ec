//! The storages of a node that hold what is asked for, and which of them is taken.

use serde_json::Value;

use crate::api::loose::flag;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::text::printable;

/// What [`NodeStorages::read`] sends.
pub const READS: &[Sending] = &[sending::get("/nodes/{node}/storage")];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
/// Where Proxmox's installer puts disks.
const DISKS_DEFAULT: &str = "local-lvm";

/// The storages of one node that take one kind of content, in the order of their names.
pub struct NodeStorages {
    node: String,
    content: &'static str,
    all: Vec<NodeStorage>,
}

struct NodeStorage {
    name: String,
    kind: String,
    shared: bool,
    active: bool,
}

impl NodeStorages {
    /// Asks a node.
    ///
    /// # Errors
    /// The node does not say.
    pub fn read(reach: &Reach, node: &str, content: &'static str) -> Result<NodeStorages, Error> {
        let request = Request::new(Verb::Get, "/nodes/{node}/storage", &[node])?
            .with("content", content)
            .with("enabled", true);
        let listed = reach.rows(&request, "storage")?;
        Ok(NodeStorages::of(&listed, node, content))
    }

    /// As [`NodeStorages::read`], from the node's reply.
    pub fn of(listed: &[Value], node: &str, content: &'static str) -> NodeStorages {
        let text = |row: &Value, key: &str| {
            let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
            printable(text, NAME_MAX_CHARS)
        };
        let mut all: Vec<NodeStorage> = listed
            .iter()
            .map(|row| NodeStorage {
                name: text(row, "storage"),
                kind: text(row, "type"),
                shared: flag(row.get("shared")),
                active: flag(row.get("active")),
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        NodeStorages {
            node: node.to_string(),
            content,
            all,
        }
    }

    fn get(&self, name: &str) -> Option<&NodeStorage> {
        self.all.iter().find(|store| store.name == name)
    }

    /// Whether it can be used right now.
    pub fn takes(&self, name: &str) -> bool {
        self.get(name).is_some_and(|store| store.active)
    }

    /// `dir`, `pbs`, ...; empty where there is none of the name.
    pub fn kind_of(&self, name: &str) -> &str {
        self.get(name).map_or("", |store| store.kind.as_str())
    }

    fn names(&self, is_wanted: impl Fn(&NodeStorage) -> bool) -> Vec<&str> {
        let wanted = self.all.iter().filter(|store| is_wanted(store));
        wanted.map(|store| store.name.as_str()).collect()
    }

    /// Those that can be used, for a sentence.
    pub fn there(&self) -> String {
        match self.names(|store| store.active).join(", ") {
            names if names.is_empty() => "there is none that can".to_string(),
            names => format!("these can: {names}"),
        }
    }

    /// The storage that was named.
    ///
    /// # Errors
    /// It is not on the node, does not take the content, or is not active.
    pub fn need(&self, reach: &Reach, name: &str) -> Result<String, Error> {
        let problem = match self.get(name) {
            Some(store) if store.active => return Ok(name.to_string()),
            Some(_) => "is not active".to_string(),
            None => format!("is not there, or does not take `{}`", self.content),
        };
        Err(Error::bad(format!(
            "{}: storage `{name}` {problem} on node `{}`; {}{}",
            reach.cluster_name(),
            self.node,
            self.there(),
            reach.elsewhere(NamedSubject::Storage(name))?
        )))
    }

    /// Where a backup goes, and why: what was named, else the only storage, else the cluster's
    /// default, else the first one that is shared.
    ///
    /// # Errors
    /// There is none, or several of which none is shared.
    pub fn for_backup(
        &self,
        reach: &Reach,
        given: Option<&str>,
    ) -> Result<(String, String), Error> {
        if let Some(name) = given {
            return Ok((self.need(reach, name)?, "storage argument".into()));
        }
        let active = self.names(|store| store.active);
        if let [only] = active.as_slice() {
            return Ok(((*only).to_string(), "only one for backups".into()));
        }
        let default = reach.cluster()?.default_storage.as_deref();
        if let Some(default) = default.filter(|name| active.contains(name)) {
            return Ok((default.to_string(), "default storage".into()));
        }
        match self.names(|store| store.active && store.shared).as_slice() {
            [] => Err(Error::bad(format!(
                "{}: node `{}` has no shared storage for backups: say `storage`; {}",
                reach.cluster_name(),
                self.node,
                self.there()
            ))),
            [only] => Ok(((*only).to_string(), "only shared one for backups".into())),
            [first, ..] => Ok(((*first).to_string(), "first shared one for backups".into())),
        }
    }

    /// Where disks go whose own storage is not there: the cluster's default, or that of the
    /// installer.
    pub fn for_disks(&self, reach: &Reach) -> Result<Option<(String, String)>, Error> {
        let default = reach.cluster()?.default_storage.as_deref();
        if let Some(default) = default.filter(|name| self.takes(name)) {
            return Ok(Some((default.to_string(), "default storage".into())));
        }
        let installed = self.takes(DISKS_DEFAULT);
        Ok(installed.then(|| {
            (
                DISKS_DEFAULT.to_string(),
                "no default storage is set".into(),
            )
        }))
    }
}
