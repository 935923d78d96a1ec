//! The guest agent: what it tells of a virtual machine, and what it is asked to do there. A container has none.

mod command;
mod get;

use serde_json::Value;

use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::Tool;
use crate::tool::param::{Param, ParamKind};

pub static TOOLS: &[Tool] = &[get::GET, command::COMMAND];

const GUEST: Param = Param::new("guest", ParamKind::Guest, "VMID or name of a VM");
const SAID_MAX_CHARS: usize = 500;

/// What the agent answers to one of its commands.
///
/// # Errors
/// The guest is a container; the agent is off or silent, or does not know the command.
fn asked(reach: &Reach, verb: Verb, command: &str) -> Result<Value, Error> {
    let guest = reach.guest()?;
    let (cluster, vmid) = (reach.cluster_name(), guest.vmid);
    if guest.kind == GuestKind::Lxc {
        return Err(Error::bad(format!(
            "{cluster}: guest {vmid} is a container, and has no agent: `guest_get` with `include` tells its addresses"
        )));
    }
    let request = reach.on_guest(verb, &format!("/agent/{command}"), &[])?;
    let mut reply = reach.send(&request)?;
    // Many failures of the agent come with status 200.
    let said = reply
        .data
        .pointer("/result/error/desc")
        .and_then(Value::as_str);
    if let Some(said) = said {
        let said = printable(said, SAID_MAX_CHARS);
        return Err(Error::refused(
            cluster,
            200,
            format!("the guest agent answers: {said}"),
        ));
    }
    Ok(reply
        .data
        .pointer_mut("/result")
        .map(Value::take)
        .unwrap_or_default())
}
