//! Where a storage is, as the list of resources says, and which of its nodes is asked.

use super::NAME_MAX_CHARS;
use crate::error::Error;
use crate::fleet::registry::NamedSubject;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tools::fleet::cut;

/// A local storage is another one on each node; so many are read in one call.
const NODES_MAX: usize = 8;

/// The nodes that a storage is on.
#[derive(Default)]
pub(super) struct Places {
    pub(super) shared: bool,
    pub(super) up: Vec<String>,
    pub(super) down: Vec<String>,
    /// The other storages that the token sees.
    pub(super) others: Vec<String>,
}

impl Places {
    pub(super) fn look(reach: &Reach, storage: &str) -> Result<Places, Error> {
        let mut places = Places::default();
        reach.resources(&mut |resource| {
            if resource.kind() != ResourceKind::Storage {
                return;
            }
            let node = printable(&resource.node, NAME_MAX_CHARS);
            if resource.name() != storage {
                places
                    .others
                    .push(printable(resource.name(), NAME_MAX_CHARS));
                return;
            }
            places.shared |= resource.is_shared();
            match resource.is_up() {
                true => places.up.push(node),
                false => places.down.push(node),
            }
        })?;
        for names in [&mut places.up, &mut places.down, &mut places.others] {
            names.sort();
            names.dedup();
        }
        Ok(places)
    }

    /// The nodes to be asked what is on it: the one that is named, one that has a shared storage, or all that
    /// have a local one.
    ///
    /// # Errors
    /// It is not there, or not available.
    pub(super) fn to_read(
        &self,
        reach: &Reach,
        storage: &str,
        node: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let nodes = self.of(reach, storage, node)?;
        match nodes.as_slice() {
            [first, ..] if self.shared => Ok(vec![first.clone()]),
            _ if nodes.len() > NODES_MAX => Err(self.ambiguous(reach, storage)),
            _ => Ok(nodes),
        }
    }

    /// The node on which something is put there, or taken away: the one that is named, any that has a shared
    /// storage, the only one of a local one.
    ///
    /// # Errors
    /// As [`Places::to_read`], and where several have a local one of its name.
    pub(super) fn to_change(
        &self,
        reach: &Reach,
        storage: &str,
        node: Option<&str>,
    ) -> Result<String, Error> {
        match self.of(reach, storage, node)?.as_slice() {
            [first, others @ ..] if self.shared || others.is_empty() => Ok(first.clone()),
            _ => Err(self.ambiguous(reach, storage)),
        }
    }

    fn ambiguous(&self, reach: &Reach, storage: &str) -> Error {
        Error::bad(format!(
            "{}: storage `{storage}` is another one on each of its {} nodes: name one in `node`",
            reach.cluster_name(),
            self.up.len()
        ))
    }

    /// The nodes that have it now; the named one alone.
    fn of(&self, reach: &Reach, storage: &str, node: Option<&str>) -> Result<Vec<String>, Error> {
        let cluster = reach.cluster_name();
        if self.up.is_empty() && self.down.is_empty() {
            // A token may be allowed to read what the list does not show it.
            if let Some(node) = node {
                return Ok(vec![node.to_string()]);
            }
            let others = match self.others.as_slice() {
                [] => "it sees none".to_string(),
                others => format!("it sees: {}", cut(others.to_vec()).join(", ")),
            };
            let elsewhere = reach.elsewhere(NamedSubject::Storage(storage))?;
            return Err(Error::bad(format!(
                "{cluster}: there is no storage `{storage}`, or it is disabled, or the token does not see \
                 it; {others}{elsewhere}"
            )));
        }
        if let Some(node) = node {
            if self.up.iter().any(|up| up == node) {
                return Ok(vec![node.to_string()]);
            }
            let known = cut([self.up.clone(), self.down.clone()].concat()).join(", ");
            let there = match self.down.iter().any(|down| down == node) {
                true => "is not available there now",
                false => "is not there",
            };
            let elsewhere = reach.elsewhere(NamedSubject::Node(node))?;
            return Err(Error::bad(format!(
                "{cluster}: storage `{storage}` on node `{node}` {there}; its nodes: {known}{elsewhere}"
            )));
        }
        match self.up.as_slice() {
            [] => Err(Error::bad(format!(
                "{cluster}: storage `{storage}` is available on none of its nodes: {}",
                cut(self.down.clone()).join(", ")
            ))),
            nodes => Ok(nodes.to_vec()),
        }
    }
}
