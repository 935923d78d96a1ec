//! Options as Proxmox keeps them, changed by a PUT: only what is not so yet is sent, and the answer says what was
//! there before.

use serde_json::{Map, Value, json};

use crate::api::loose::plain;
use crate::api::request::Request;
use crate::error::Error;
use crate::gate::reach::Reach;

/// The request that sets and unsets options that are not so yet. `problems` are those that the caller found.
///
/// # Errors
/// An option is to be set and unset, or unset where it is not set; nothing would be changed; the cluster's
/// description has no such option.
pub fn change(
    reach: &Reach,
    mut request: Request,
    before: &Map<String, Value>,
    settings: Map<String, Value>,
    deleted: &[&str],
    mut problems: Vec<String>,
) -> Result<Request, Error> {
    let cluster = reach.cluster_name();
    let both = deleted.iter().filter(|name| settings.contains_key(**name));
    problems.extend(both.map(|name| format!("`{name}` is to be set and unset")));
    let not_set = deleted.iter().filter(|name| !before.contains_key(**name));
    problems.extend(not_set.map(|name| format!("`{name}` is not set")));
    if !problems.is_empty() {
        return Err(Error::bad(format!("{cluster}: {}", problems.join("; "))));
    }
    let is_so = |name: &str, value: &Value| {
        before
            .get(name)
            .is_some_and(|old| plain(old) == plain(value))
    };
    request.params = settings
        .into_iter()
        .filter(|(name, value)| !is_so(name, value))
        .collect();
    if !deleted.is_empty() {
        request = request.with("delete", deleted.join(","));
    }
    if request.params.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: nothing of its options would be changed by it"
        )));
    }
    reach.check(&request)?;
    Ok(request)
}

/// The options that such a request changes.
pub fn changed(request: &Request, deleted: &[&str]) -> Vec<String> {
    let set = request.params.keys().filter(|name| *name != "delete");
    set.cloned()
        .chain(deleted.iter().map(|name| (*name).to_owned()))
        .collect()
}

/// What of these was set before, as `shown` gives it, and the names of those that were not set.
pub fn former(
    before: &Map<String, Value>,
    changed: &[String],
    shown: impl Fn(&Map<String, Value>) -> Map<String, Value>,
) -> Value {
    let mut former = shown(&of(before, changed));
    let unset = changed.iter().filter(|name| !before.contains_key(*name));
    let unset: Vec<&String> = unset.collect();
    if !unset.is_empty() {
        former.insert("not_set".into(), json!(unset));
    }
    former.into()
}

/// Those of the options that have one of these names.
pub fn of(options: &Map<String, Value>, names: &[String]) -> Map<String, Value> {
    let options = options.iter().filter(|(name, _)| names.contains(name));
    options
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
