//! How much of Proxmox's API the tools reach, and that what they send is in its description.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proxmox_mcp::api::methods;
use proxmox_mcp::api::methods::sending::ANY;
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::tools;
use serde_json::{Map, Value};

use crate::sim::schema::{self, Method};

/// The methods that have a tool of their own now. It only grows.
const TYPED_MIN: usize = 179;

/// Method and path with nameless slots, as `GET /nodes/{}/tasks`.
fn bare(verb: &str, path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty());
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    format!("{verb} /{}", parts.collect::<Vec<_>>().join("/"))
}

/// What each tool that is not of the API as a whole sends.
fn sent() -> Vec<(&'static str, Verb, &'static str)> {
    let mut sent = Vec::new();
    for tool in tools::all() {
        for action in tool.actions() {
            let all = action.sends.iter().flat_map(|sends| sends.iter());
            let all = all.filter(|sending| sending.path != ANY);
            sent.extend(all.map(|sending| (tool.name, sending.verb, sending.path)));
        }
    }
    sent
}

/// A path for each of what `{kind}` stands for.
fn kinds(path: &str) -> Vec<String> {
    if path.contains("{kind}") {
        ["qemu", "lxc"]
            .map(|kind| path.replace("{kind}", kind))
            .into()
    } else {
        vec![path.into()]
    }
}

fn is_withheld(method: &Method) -> bool {
    let verb = match method.verb.as_str() {
        "GET" => Verb::Get,
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        _ => Verb::Delete,
    };
    let path = method.path.split('/').skip(1);
    let request = Request {
        verb,
        path: path
            .map(|part| part.trim_matches(['{', '}']).to_string())
            .collect(),
        params: Map::new(),
    };
    methods::withheld(&request).is_some()
}

#[test]
fn every_method_that_a_tool_sends_is_described() {
    let known: BTreeSet<String> = schema::methods()
        .iter()
        .map(|one| bare(&one.verb, &one.path))
        .collect();
    let mut wrong = Vec::new();
    for (tool, verb, path) in sent() {
        let found = kinds(path)
            .iter()
            .any(|path| known.contains(&bare(verb.name(), path)));
        // Those of Proxmox VE 8 alone, and what is no method.
        let is_other = path.starts_with("/cluster/ha/groups") || path.starts_with("/pve-docs");
        if !found && !is_other {
            wrong.push(format!("{tool}: {} {path}", verb.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// By a tool of its own, by `api_*` only, by no token; and the whole.
#[test]
fn the_coverage_is_told() {
    let typed: BTreeSet<String> = sent()
        .iter()
        .flat_map(|(_, verb, path)| kinds(path).into_iter().map(|path| bare(verb.name(), &path)))
        .collect();
    let (mut by_tool, mut by_api, mut by_none) = (0, 0, 0);
    for method in schema::methods() {
        if typed.contains(&bare(&method.verb, &method.path)) {
            by_tool += 1;
        } else if !method.allowtoken || is_withheld(method) {
            by_none += 1;
        } else {
            by_api += 1;
        }
    }
    let all = schema::methods().len();
    println!("| methods | by a tool of its own | by api_* only | by no token |");
    println!("|---|---|---|---|");
    println!("| {all} | {by_tool} | {by_api} | {by_none} |");
    assert_eq!(by_tool + by_api + by_none, all);
    assert!(
        by_tool >= TYPED_MIN,
        "{by_tool} methods have a tool of their own"
    );
    assert!(by_none * 10 < all, "{by_none} of {all} cannot be called");
}

/// What the golden sessions show to have been sent.
#[test]
fn every_parameter_that_a_tool_sends_is_described() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let (mut looked_at, mut wrong) = (0, BTreeSet::new());
    for file in fs::read_dir(folder).expect("tests/transcripts") {
        let written = fs::read_to_string(file.expect("an entry").path()).expect("a transcript");
        for line in written.lines().filter_map(|line| line.strip_prefix("@ ")) {
            let mut words = line.splitn(4, ' ').skip(1);
            let (Some(verb), Some(path), Some(rest)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            // What was refused was sent by a person's own words.
            let params = match serde_json::from_str::<Map<String, Value>>(rest) {
                Ok(params) => params,
                Err(_) => continue,
            };
            let Some((method, _)) = schema::find(verb, path) else {
                wrong.insert(format!("{verb} {path} is no method"));
                continue;
            };
            for (name, value) in &params {
                looked_at += 1;
                match method.param(name) {
                    None if method.extra => {}
                    None => drop(wrong.insert(format!("{verb} {} knows no `{name}`", method.path))),
                    Some(schema) if !fits(schema, value) => {
                        wrong.insert(format!(
                            "{verb} {} takes no {value} as `{name}`",
                            method.path
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(looked_at > 500, "{looked_at} parameters");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a value is of the type that is described; what differs from run to run stands as `*`.
fn fits(schema: &Value, value: &Value) -> bool {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('*') {
        return true;
    }
    match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().is_ok() || text == "0" || value.is_boolean(),
        Some("number") => text.parse::<f64>().is_ok(),
        Some("boolean") => matches!(
            text.as_str(),
            "0" | "1" | "true" | "false" | "on" | "off" | "yes" | "no"
        ),
        Some("array") => value.is_array() || value.is_string(),
        _ => !value.is_object(),
    }
}
