//! What the token may do, for lists that leave out without a word what it may not see.

use serde_json::Value;

use crate::error::Error;
use crate::fleet::sight;
use crate::gate::reach::Reach;
use crate::proxmox::request::{Request, Verb};
use crate::tool::rows::flag;

/// The token's rights by path.
///
/// # Errors
/// The cluster does not say.
pub fn read(reach: &Reach) -> Result<Value, Error> {
    let request = Request::new(Verb::Get, "/access/permissions", &[])?;
    let rights = reach.send(&request)?.data;
    match sight::are_rights(&rights) {
        true => Ok(rights),
        false => Err(Error::NotAnAnswer {
            cluster: reach.cluster_name().to_string(),
            request: request.line(),
            wrote: false,
            cause: "privileges by path were expected".into(),
        }),
    }
}

/// Whether one of the privileges holds on `path`: by its own entry, or by the nearest one above that
/// hands them down.
pub fn allowed(rights: &Value, path: &str, privileges: &[&str]) -> bool {
    let mut at = path;
    loop {
        if let Some(entry) = rights.get(at).filter(|entry| entry.is_object()) {
            let holds = |value: &Value| at == path || flag(Some(value));
            return privileges
                .iter()
                .any(|privilege| entry.get(privilege).is_some_and(holds));
        }
        at = match at.rsplit_once('/') {
            _ if at == "/" => return false,
            Some(("", _)) | None => "/",
            Some((above, _)) => above,
        };
    }
}
