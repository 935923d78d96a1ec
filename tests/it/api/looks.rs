//! What was decided of each GET that is not behind an `*.Audit` privilege alone: whether it is a look, does
//! more, or is kept from callers.

use proxmox_mcp::api::methods::{weigh, withheld};
use proxmox_mcp::api::request::{Request, Verb};
use serde_json::{Map, Value};

use crate::golden;

/// The privileges that a check names.
fn privileges(check: &Value) -> Vec<String> {
    match check {
        Value::String(text) if text.contains('.') && !text.starts_with('/') => vec![text.clone()],
        Value::Array(entries) => entries.iter().flat_map(privileges).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn each_get_is_decided() {
    let api: Value = serde_json::from_str(include_str!("../../sim/api.json")).expect("api.json");
    let endpoints = api["endpoints"].as_array().expect("endpoints");
    let mut lines = Vec::new();
    for endpoint in endpoints.iter().filter(|one| one["method"] == "GET") {
        let named = privileges(&endpoint["perms"]["check"]);
        let is_audit = named.iter().all(|one| one.contains("Audit"));
        if is_audit && !named.is_empty() {
            continue;
        }
        let path = endpoint["path"].as_str().expect("a path");
        let request = Request {
            verb: Verb::Get,
            path: path.split('/').skip(1).map(str::to_string).collect(),
            params: Map::new(),
        };
        let decided = match withheld(&request) {
            Some(_) => "kept".to_string(),
            None => weigh(&request).mark.to_string(),
        };
        lines.push(format!("{decided}\t{path}\n"));
    }
    golden::compare("tests/it/api/looks.txt", &lines.concat());
}
