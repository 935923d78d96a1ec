//! A request as bytes: the path and query of its target, and its JSON body.

use serde_json::{Map, Value};

use crate::api::loose::plain;
use crate::api::request::{Request, Verb};
use crate::text::percent_encode;

/// The JSON body of a POST or PUT; empty for the other methods. Unset parameters are left out:
/// Proxmox takes a null for all sorts of things.
pub fn body_of(request: &Request) -> Vec<u8> {
    if matches!(request.verb, Verb::Get | Verb::Delete) {
        return Vec::new();
    }
    let params: Map<String, Value> = request
        .params
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(params).to_string().into_bytes()
}

/// Path and query, encoded. Proxmox wants 1 and 0 in a query, and takes a list as a repeated name.
pub fn target_of(request: &Request) -> String {
    let mut target = String::new();
    for part in &request.path {
        target.push('/');
        // The slashes of a volume become `%2F`, as Proxmox wants them (measured on 9.2).
        percent_encode(part, &mut target);
    }
    if matches!(request.verb, Verb::Post | Verb::Put) {
        return target;
    }
    let mut separator = '?';
    let mut add = |name: &str, value: &Value| {
        let text = match value {
            Value::Null => return,
            value => plain(value),
        };
        target.push(separator);
        separator = '&';
        percent_encode(name, &mut target);
        target.push('=');
        percent_encode(&text, &mut target);
    };
    for (name, value) in &request.params {
        match value {
            Value::Array(values) => values.iter().for_each(|value| add(name, value)),
            value => add(name, value),
        }
    }
    target
}
