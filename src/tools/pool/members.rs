//! A pool as it is, with what is in it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::loose::{number, plain};
use crate::api::methods::Sending;
use crate::api::methods::permissions::SEES_POOLS;
use crate::api::methods::sending;
use crate::api::pool;
use crate::api::request::Verb;
use crate::error::{Code, Error};
use crate::gate::reach::Reach;
use crate::room;
use crate::tool::rows::NAME_BYTES;

/// What [`PoolMembers::read`] and [`names`] send.
pub(super) const READS: &[Sending] = &[
    sending::get("/pools").seeing(&[SEES_POOLS]),
    sending::get("/pools/{poolid}"),
];

/// A pool, with those of its members that the token sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PoolMembers {
    pub(super) comment: String,
    pub(super) guests: BTreeSet<u32>,
    pub(super) storages: BTreeSet<String>,
}

impl PoolMembers {
    /// Reads it; nothing where there is no such pool.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(reach: &Reach, pool: &str) -> Result<Option<PoolMembers>, Error> {
        let request = pool::request(Verb::Get, pool)?;
        let data = match reach.send(&request) {
            Ok(reply) => reply.data,
            Err(error) if error.code == Code::Proxmox && error.cause.contains("does not exist") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let pool = data.get(0).unwrap_or(&data);
        let mut found = PoolMembers {
            comment: pool.get("comment").map(plain).unwrap_or_default(),
            ..PoolMembers::default()
        };
        let members = pool
            .get("members")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                Error::no_answer(reach.cluster_name(), &request.line(), "it is no pool")
            })?;
        for member in members {
            room::note(NAME_BYTES);
            match member.get("storage").filter(|one| !one.is_null()) {
                Some(storage) => drop(found.storages.insert(plain(storage))),
                None => {
                    let vmid = u32::try_from(number(member.get("vmid"))).unwrap_or_default();
                    found.guests.extend((vmid > 0).then_some(vmid));
                }
            }
        }
        Ok(Some(found))
    }
}

/// The names of all pools that the token sees.
///
/// # Errors
/// They cannot be read.
pub(super) fn names(reach: &Reach) -> Result<BTreeSet<String>, Error> {
    let listed = reach.rows_at("/pools", &[], "poolid")?;
    let names = listed.iter().filter_map(|row| row.get("poolid"));
    room::note(NAME_BYTES * listed.len());
    Ok(names.map(plain).collect())
}
