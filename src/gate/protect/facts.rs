//! What rules go by, as the guest's own configuration says it now.

use serde_json::Value;

use super::guests::{self, ConfigLocation, TouchedGuest};
use crate::api::loose::{items, plain, truth};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;

/// The name, tags and flag of a guest. Those that wait for a restart count too.
pub(super) struct GuestFacts {
    /// As the guest is called now.
    pub(super) name: String,
    /// What it would be called if its configuration named it no more.
    pub(super) unnamed: String,
    pub(super) names: Vec<String>,
    pub(super) tags_now: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) flag: bool,
    /// Where its configuration was found.
    pub(super) at: ConfigLocation,
    /// Every option with its value now and the one that waits for a restart.
    rows: Vec<Value>,
}

impl GuestFacts {
    /// Reads them; nothing where there is no such guest.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn read(reach: &Reach, guest: &TouchedGuest) -> Result<Option<GuestFacts>, Error> {
        let Some(at) = guests::place(reach, guest)? else {
            return Ok(None);
        };
        let vmid = guest.vmid.to_string();
        let values = [at.node.as_str(), at.kind.name(), &vmid];
        let path = "/nodes/{node}/{kind}/{vmid}/pending";
        let request = Request::new(Verb::Get, path, &values)?;
        // It is small, and kept for the length of a check only.
        match reach.look(&request)?.data.let_go() {
            Value::Array(rows) => Ok(Some(GuestFacts::of(rows, at, guest.vmid))),
            _ => Err(Error::no_answer(
                reach.cluster_name(),
                &request.line(),
                "it is no configuration",
            )),
        }
    }

    /// What is under a key, now and after a restart.
    pub(super) fn under(&self, key: &str) -> Vec<String> {
        let states = ["value", "pending"].into_iter();
        states
            .filter_map(|state| said(&self.rows, key, state))
            .collect()
    }

    fn of(rows: Vec<Value>, at: ConfigLocation, vmid: u32) -> GuestFacts {
        let (kind, of) = (at.kind, rows);
        let rows = of.as_slice();
        let (key, unnamed) = match kind {
            GuestKind::Qemu => ("name", format!("VM {vmid}")),
            GuestKind::Lxc => ("hostname", format!("CT{vmid}")),
        };
        let name = said(rows, key, "value").unwrap_or_else(|| unnamed.clone());
        let next = said(rows, key, "pending");
        let tags_now = list(rows, "value");
        let on =
            |state| said(rows, "protection", state).is_some_and(|text| truth(&text) == Some(true));
        GuestFacts {
            names: std::iter::once(name.clone()).chain(next).collect(),
            tags: tags_now
                .iter()
                .cloned()
                .chain(list(rows, "pending"))
                .collect(),
            flag: on("value") || on("pending"),
            name,
            unnamed,
            tags_now,
            at,
            rows: of,
        }
    }
}

fn said(rows: &[Value], key: &str, state: &str) -> Option<String> {
    let row = rows
        .iter()
        .find(|row| row.get("key").and_then(Value::as_str) == Some(key))?;
    row.get(state).filter(|value| !value.is_null()).map(plain)
}

fn list(rows: &[Value], state: &str) -> Vec<String> {
    said(rows, "tags", state)
        .map(|text| items(&text.into()))
        .unwrap_or_default()
}
