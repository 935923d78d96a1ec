//! Whether a guest is still the one that was found: its VMID may have been given to another since.

use super::Reach;
use crate::api::request::{Reply, Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::text::printable;

const NAME_MAX_CHARS: usize = 80;

impl Reach<'_> {
    /// Holds the name in what the guest's node says of it against the name that it was found by. Only
    /// before the call's first write, which may rename it.
    ///
    /// # Errors
    /// It is another guest, or was renamed.
    pub(super) fn same_guest(&self, request: &Request, reply: Reply) -> Result<Reply, Error> {
        let Some(guest) = &self.admitted.guest else {
            return Ok(reply);
        };
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let [_, _, _, vmid, rest @ ..] = path.as_slice() else {
            return Ok(reply);
        };
        let is_own = request.verb == Verb::Get && *vmid == guest.vmid.to_string();
        let (key, always) = match (rest, guest.kind) {
            (["status", "current"], _) => ("name", "status"),
            (["config"], GuestKind::Qemu) => ("name", "digest"),
            (["config"], GuestKind::Lxc) => ("hostname", "digest"),
            _ => return Ok(reply),
        };
        if request.verb == Verb::Get && !reply.data.get(always).is_some_and(|one| one.is_string()) {
            return Err(Error::no_answer(
                self.cluster_name(),
                &request.line(),
                format!("it has no `{always}`"),
            ));
        }
        let now = reply.data.get(key).and_then(|name| name.as_str());
        let Some(now) = now.filter(|_| is_own) else {
            return Ok(reply);
        };
        if guest.name.as_deref() == Some(now) || !self.admitted.accepted.borrow().is_empty() {
            return Ok(reply);
        }
        let (true, Some(name)) = (guest.by_name, guest.name.as_deref()) else {
            // The list is late; a number is held against the kind alone, which the path says.
            if key == "name" {
                self.fleet.learn(self.admitted.cluster, guest.vmid, now);
            }
            return Ok(reply);
        };
        if key == "hostname" {
            // It may be one that waits for a restart; the status has the present one.
            let request = self.on_guest(Verb::Get, "/status/current", &[])?;
            return self.look(&request).map(|_| reply);
        }
        self.fleet.learn(self.admitted.cluster, guest.vmid, now);
        self.fleet.forget(self.admitted.cluster);
        let sentence = format!(
            "guest {vmid} is `{}`, not `{}`: since it was found it was renamed, or its VMID was given \
             to another",
            printable(now, NAME_MAX_CHARS),
            printable(name, NAME_MAX_CHARS)
        );
        Err(Error::not_allowed(self.cluster_name(), sentence)
            .hint("call it again: the guest is looked for anew"))
    }
}
