//! What the gate reads for itself: to protect, to know whose a volume is, to follow a task. No entry of a
//! tool names it, and no handler can send it by that.

use serde_json::Value;

use super::Reach;
use crate::api::methods::sending::{Sends, get};
use crate::api::request::{Reply, Request, Verb};
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::resource::Resource;

pub(super) const OWN: Sends = &[&[
    get("/cluster/resources"),
    get("/nodes/{node}/{kind}/{vmid}/config"),
    get("/nodes/{node}/{kind}/{vmid}/feature"),
    get("/nodes/{node}/{kind}/{vmid}/pending"),
    get("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config"),
    get("/nodes/{node}/{kind}/{vmid}/status/current"),
    get("/nodes/{node}/storage"),
    get("/nodes/{node}/storage/{storage}/content"),
    get("/nodes/{node}/tasks"),
    get("/nodes/{node}/tasks/{upid}/log"),
    get("/nodes/{node}/tasks/{upid}/status"),
    get("/pools"),
    get("/pools/{poolid}"),
]];

impl Reach<'_> {
    /// Reads something for the gate itself.
    ///
    /// # Errors
    /// As [`Reach::send`]; it is nothing that the gate reads.
    pub(in crate::gate) fn look(&self, request: &Request) -> Result<Reply, Error> {
        self.send_of(request, OWN)
    }

    /// [`Reach::look`] at a path: the `data` of the reply.
    ///
    /// # Errors
    /// As [`Reach::look`].
    pub(in crate::gate) fn look_at(
        &self,
        template: &str,
        values: &[&str],
    ) -> Result<Charged<Value>, Error> {
        let request = Request::new(Verb::Get, template, values)?;
        self.look(&request).map(|reply| reply.data)
    }

    /// [`Reach::resources`], for the gate itself.
    ///
    /// # Errors
    /// As [`Reach::look`].
    pub(in crate::gate) fn look_over(&self, found: &mut dyn FnMut(&Resource)) -> Result<(), Error> {
        self.resources_of(found, OWN)
    }

    /// [`Reach::look`] at a list, each row of which has a text or a number as `key`.
    ///
    /// # Errors
    /// As [`Reach::rows`].
    pub(in crate::gate) fn look_through(
        &self,
        request: &Request,
        key: &str,
    ) -> Result<Charged<Vec<Value>>, Error> {
        let reply = self.look(request)?;
        self.rows_in(request, reply, key)
    }
}
