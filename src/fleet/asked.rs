//! What guests are called, as their nodes say when they are asked.

use std::time::Duration;

use serde_json::Value;

use super::Fleet;
use super::index::{Guest, GuestKind, ResourceIndex};
use super::registry::NamedSubject;
use crate::api::loose;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::wait;

/// How long, in seconds, asking all nodes of a cluster for their guests may take.
const NODES_TIMEOUT_S: u64 = 5;

/// What the nodes of a cluster answered.
#[derive(Default)]
pub(super) struct NodesAnswer {
    pub(super) found: Vec<Guest>,
    /// The nodes that did not answer in time.
    pub(super) silent: Vec<String>,
}

impl Fleet {
    /// Asks a guest's node what it is called, and keeps that. Whether it is there.
    pub(super) fn ask_name(&self, cluster: usize, guest: &Guest) -> Result<bool, Error> {
        let vmid = guest.vmid.to_string();
        let values = [guest.node.as_str(), guest.kind.name(), &vmid];
        let path = "/nodes/{node}/{kind}/{vmid}/status/current";
        let request = Request::new(Verb::Get, path, &values)?;
        let reply = match self.client(cluster)?.send(&request) {
            Ok(reply) => reply,
            Err(error) if error.is_of_no_guest() => return Ok(false),
            Err(error) => return Err(error),
        };
        match reply.data.get("name").and_then(Value::as_str) {
            Some(name) => self.learn(cluster, guest.vmid, name),
            None if reply.data.is_object() => self.learn(cluster, guest.vmid, ""),
            None => {
                return Err(Error::no_answer(
                    self.cluster_name(cluster),
                    &request.line(),
                    "it is no guest's status",
                ));
            }
        }
        Ok(true)
    }

    /// Asks the nodes of a cluster that are there for all their guests, keeps the names that its list
    /// does not tell yet, and gives those that are meant.
    pub(super) fn ask_nodes(
        &self,
        cluster: usize,
        named: NamedSubject,
    ) -> Result<NodesAnswer, Error> {
        let cached_index = self.look(cluster)?;
        let mut told = NodesAnswer::default();
        wait::within(Duration::from_secs(NODES_TIMEOUT_S), || {
            for node in cached_index.rows.online() {
                for kind in [GuestKind::Qemu, GuestKind::Lxc] {
                    match self.ask_node(cluster, &cached_index.rows, node, kind) {
                        Ok(guests) => told.found.extend(guests),
                        Err(error) if error.is_cancelled() => return Err(error),
                        Err(_) => {
                            told.silent.push(node.clone());
                            break;
                        }
                    }
                }
            }
            Ok(())
        })?;
        told.found.retain(|guest| match named {
            NamedSubject::Vmid(vmid) => guest.vmid == vmid,
            NamedSubject::Guest(name) => guest.name.as_deref() == Some(name),
            _ => false,
        });
        for guest in &mut told.found {
            guest.by_name = matches!(named, NamedSubject::Guest(_));
        }
        Ok(told)
    }

    fn ask_node(
        &self,
        cluster: usize,
        rows: &ResourceIndex,
        node: &str,
        kind: GuestKind,
    ) -> Result<Vec<Guest>, Error> {
        let request = Request::new(Verb::Get, "/nodes/{node}/{kind}", &[node, kind.name()])?;
        let data = self.client(cluster)?.send(&request)?.data;
        let told = data.as_array().ok_or_else(|| {
            Error::no_answer(
                self.cluster_name(cluster),
                &request.line(),
                "it is no list of guests",
            )
        })?;
        let guests: Vec<Guest> = told
            .iter()
            .filter_map(|row| of_row(row, node, kind))
            .collect();
        let names = self.names(cluster);
        for guest in &guests {
            let known = rows.by_vmid(guest.vmid, &names);
            let is_news = known.is_none_or(|known| known.name != guest.name);
            if let Some(name) = guest.name.as_deref().filter(|_| is_news) {
                self.learn(cluster, guest.vmid, name);
            }
        }
        Ok(guests)
    }
}

/// A row of a node's own list of guests.
fn of_row(row: &Value, node: &str, kind: GuestKind) -> Option<Guest> {
    let name = row.get("name").and_then(Value::as_str);
    Some(Guest {
        vmid: loose::vmid(row.get("vmid")?)?,
        kind,
        node: node.to_string(),
        name: name.map(String::from),
        by_name: false,
        template: loose::flag(row.get("template")),
        ha: false,
    })
}
