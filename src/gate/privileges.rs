//! Whether a token may send a request, as far as that is known before: by the cluster's own description
//! where it is at hand, else by the row of the method.

use crate::api::methods;
use crate::api::permission::{CallValues, PermissionCheck, judge};
use crate::api::request::Request;
use crate::api::schema::Schema;
use crate::error::Error;

/// Whether a token of which `holds` tells what it has may send a request: by the cluster's own
/// description where it is given, else by the rules that are built in.
///
/// # Errors
/// What `holds` fails with.
pub fn permission_check(
    request: &Request,
    schema: Option<&Schema>,
    holds: &mut dyn FnMut(&str, &str) -> Result<bool, Error>,
) -> Result<PermissionCheck, Error> {
    let parts: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (permissions, template) = match schema {
        None => match methods::of(request) {
            Some(row) if row.permissions.is_some() => (row.permissions, row.path),
            _ => return Ok(PermissionCheck::Unclear),
        },
        Some(schema) => match schema.find(request.verb, &parts) {
            None => return Ok(PermissionCheck::Unclear),
            Some(method) if !method.token_allowed => return Ok(PermissionCheck::NoToken),
            Some(method) => (method.permissions.as_deref(), &*method.template),
        },
    };
    let slots = request.slots(template).unwrap_or_default();
    let values = CallValues {
        slots: &slots,
        params: &request.params,
    };
    judge(permissions, &values, holds)
}
