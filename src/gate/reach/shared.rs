//! Volumes that a write touches and that another guest uses too: what is named in it, and what its own
//! guest has. By them a write may be heavier than its request alone.

use serde_json::Value;

use super::{Reach, protect, volumes};
use crate::api::mark::Mark;
use crate::api::methods::weigh;
use crate::api::methods::{ChangedVolumes, SharedVolume, Touch, Weight};
use crate::api::request::{Reply, Request, Verb};
use crate::error::Error;
use crate::fleet::registry::NamedSubject;

/// What a call turned out to be when its first write was weighed with the volumes of other guests.
#[derive(Clone, Debug)]
pub(crate) struct HeavierWrite {
    pub(crate) mark: Mark,
    pub(crate) shared: Vec<SharedVolume>,
    /// Method and path of the write.
    pub(crate) request: String,
    /// The guest that the write makes, where it makes one.
    pub(crate) makes: Option<u32>,
}

impl Reach<'_> {
    /// A request's weight with whose the volumes are that it is about. To get another guest's volume is
    /// `F?`, and so is what another loses by it.
    pub(super) fn weighed(&self, request: &Request) -> Result<Weight, Error> {
        let mut weight = weigh(request);
        let volumes = &weight.volumes;
        let is_about_some = !volumes.named.is_empty() || volumes.held != ChangedVolumes::None;
        if request.verb == Verb::Get || self.writing.is_none() || !is_about_some {
            return Ok(weight);
        }
        let shared = volumes::of(self, request, volumes)?;
        if shared.is_empty() {
            return Ok(weight);
        }
        let is_named = |one: &SharedVolume| volumes.named.contains(&one.volume);
        if shared.iter().any(is_named) {
            weight.mark = weight.mark.or(Mark::FULL);
        }
        if volumes.lost && !shared.iter().all(is_named) {
            weight.mark = weight.mark.or(Mark::FULL.destroys());
        }
        weight.shared = shared;
        Ok(weight)
    }

    /// Whether the other guests whose volumes a write touches may be touched: none that is protected, and
    /// only those that were shown where it asks.
    ///
    /// # Errors
    /// They may not. Where they were not shown, what there is to show is in [`Reach::heavier`].
    pub(super) fn may_share(&self, request: &Request, weight: &Weight) -> Result<(), Error> {
        if weight.shared.is_empty() {
            return Ok(());
        }
        let what = request.line();
        protect::shared(self, &what, weight.mark, &weight.shared)?;
        let mut shared = weight.shared.iter();
        if !weight.mark.asks || shared.all(|one| self.admitted.shared.contains(one)) {
            return Ok(());
        }
        if self.admitted.accepted.borrow().is_empty() {
            *self.admitted.heavier.borrow_mut() = Some(HeavierWrite {
                mark: weight.mark,
                shared: weight.shared.clone(),
                request: what,
                makes: weight.touches.iter().find_map(|touch| match touch {
                    Touch::NewGuest(vmid) => Some(*vmid),
                    _ => None,
                }),
            });
        }
        let volumes = weight.shared.iter().map(|one| format!("`{}`", one.volume));
        let volumes = volumes.collect::<Vec<_>>().join(", ");
        Err(self.refused(
            request,
            &format!("touches volumes of other guests, which is confirmed first: {volumes}"),
        ))
    }

    /// What the call turned out to be, where it was stopped for that before its first write.
    pub(crate) fn heavier(&self) -> Option<HeavierWrite> {
        self.admitted.heavier.borrow_mut().take()
    }

    /// Keeps the configuration of the call's own guest: what it changes is weighed by it.
    pub(super) fn remember(&self, request: &Request, reply: &Reply) {
        let is_own = self.own_config().is_some_and(|path| path == request.path);
        if request.verb == Verb::Get && is_own && request.params.is_empty() {
            *self.admitted.config.borrow_mut() = Some(reply.data.clone());
        } else if request.verb != Verb::Get {
            *self.admitted.config.borrow_mut() = None;
        }
    }

    fn own_config(&self) -> Option<Vec<String>> {
        let guest = self.admitted.guest.as_ref()?;
        let vmid = guest.vmid.to_string();
        let parts = ["nodes", &guest.node, guest.kind.name(), &vmid, "config"];
        Some(parts.iter().map(ToString::to_string).collect())
    }

    /// What a guest of this cluster is called, where that is known.
    pub(in crate::gate) fn name_of(&self, vmid: u32) -> Option<String> {
        let found = self
            .fleet
            .guest_on(self.admitted.cluster, NamedSubject::Vmid(vmid));
        found.ok().flatten().and_then(|guest| guest.name)
    }

    /// The configuration of a guest: node, kind, VMID.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub(in crate::gate) fn config_of(&self, at: [&str; 3]) -> Result<Value, Error> {
        let path = "/nodes/{node}/{kind}/{vmid}/config";
        let request = Request::new(Verb::Get, path, &at)?;
        let is_own = self.own_config().is_some_and(|path| path == request.path);
        if let Some(config) = self.admitted.config.borrow().as_ref().filter(|_| is_own) {
            return Ok(config.clone());
        }
        // It is small, and kept for the length of a check only.
        Ok(self.look(&request)?.data.let_go())
    }
}
