//! The VMID of a new guest. The cluster names a free one and reserves nothing: whoever loses the
//! race for it takes the next.

use crate::api::loose;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Reply, Request, Verb};
use crate::error::{Code, Error};

use crate::gate::reach::Reach;
use crate::tool::args::Args;

/// What [`make`] sends to find a free one.
pub const READS: &[Sending] = &[sending::get("/cluster/nextid")];

/// So many free VMIDs are tried before a lost race is an error.
const TRIES: u32 = 5;

/// Makes a guest by `send`, with the VMID in `vmid` or the next that is free.
///
/// # Errors
/// The VMID is taken; every race was lost; or whatever `send` met.
pub fn make(
    reach: &Reach,
    args: &Args,
    send: &dyn Fn(u32) -> Result<Reply, Error>,
) -> Result<(u32, Reply), Error> {
    if let Some(given) = args.int("vmid").and_then(|vmid| u32::try_from(vmid).ok()) {
        reach.claim(given)?;
        return send(given).map(|reply| (given, reply));
    }
    let mut after = None;
    let mut tries = 1;
    loop {
        let vmid = next(reach, after)?;
        let made = reach.claim(vmid).and_then(|()| send(vmid));
        match made {
            Ok(reply) => return Ok((vmid, reply)),
            Err(error) if tries < TRIES && is_taken(&error, vmid) => after = Some(vmid),
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

/// The next free VMID; behind `after` where the cluster still names that one.
fn next(reach: &Reach, after: Option<u32>) -> Result<u32, Error> {
    let request = Request::new(Verb::Get, "/cluster/nextid", &[])?;
    let reply = reach.send(&request)?;
    let Some(free) = loose::vmid(&reply.data) else {
        return Err(Error::no_answer(
            reach.cluster_name(),
            &request.line(),
            "it is no VMID",
        ));
    };
    Ok(after.map_or(free, |after| free.max(after + 1)))
}

/// Whether somebody else has the VMID: our own look, or Proxmox's words (measured on 9.2).
fn is_taken(error: &Error, vmid: u32) -> bool {
    let taken = [
        format!("VM {vmid} already exists"),
        format!("CT {vmid} already exists"),
        format!("VM {vmid}: config file already exists"),
        format!("CT {vmid}: config file already exists"),
    ];
    let refused = error.code == Code::Proxmox;
    error.taken == Some(vmid) || refused && taken.iter().any(|text| error.cause.contains(text))
}
