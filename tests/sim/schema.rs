//! The API's methods, read from `api.json`: which exist, what they take, who may call them.

use std::sync::OnceLock;

use serde_json::{Map, Value};

/// One method of one path.
pub struct Method {
    pub verb: String,
    pub path: String,
    pub segments: Vec<String>,
    pub params: Map<String, Value>,
    pub returns: Value,
    pub perms: Value,
    /// Runs in the privileged daemon.
    pub protected: bool,
    /// Runs on the node that this parameter names.
    pub proxyto: Option<String>,
    pub allowtoken: bool,
    /// Takes parameters beyond those listed.
    pub extra: bool,
}

/// The rule that `api.json` leaves open: `POST` and `PUT` of HA rules take more than they list.
const OPEN: &[(&str, &str)] = &[
    ("POST", "/cluster/ha/rules"),
    ("PUT", "/cluster/ha/rules/{rule}"),
];

pub fn methods() -> &'static [Method] {
    static METHODS: OnceLock<Vec<Method>> = OnceLock::new();
    METHODS.get_or_init(|| {
        let all: Value = serde_json::from_str(include_str!("api.json")).expect("api.json is JSON");
        let rows = all["endpoints"].as_array().expect("api.json has endpoints");
        let root = serde_json::json!({"path": "/", "method": "GET", "perms": {"user": "all"}});
        rows.iter().chain([&root]).map(Method::new).collect()
    })
}

impl Method {
    fn new(row: &Value) -> Method {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_string();
        let (verb, path) = (word("method"), word("path"));
        Method {
            segments: split(&path),
            params: row["params"].as_object().cloned().unwrap_or_default(),
            returns: row["returns"].clone(),
            perms: row["perms"].clone(),
            protected: row["protected"] == 1,
            proxyto: row["proxyto"].as_str().map(String::from),
            allowtoken: row["allowtoken"] != 0,
            extra: row["extra"] == 1 || OPEN.contains(&(verb.as_str(), path.as_str())),
            verb,
            path,
        }
    }

    /// The schema of a parameter, numbered families (`net[n]`) included.
    pub fn param(&self, name: &str) -> Option<&Value> {
        if let Some(found) = self.params.get(name) {
            return Some(found);
        }
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem == name {
            return None;
        }
        self.params.get(&format!("{stem}[n]"))
    }
}

pub fn split(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(String::from)
        .collect()
}

/// The method that answers a path, and the parameters that its slots give.
/// A literal segment wins over a slot. `{volume}` and the like take the rest of the path.
pub fn find(verb: &str, path: &str) -> Option<(&'static Method, Map<String, Value>)> {
    let asked = split(path);
    let mut best: Option<(usize, &'static Method, Map<String, Value>)> = None;
    for method in methods().iter().filter(|method| method.verb == verb) {
        if let Some((slots, params)) = fit(&method.segments, &asked)
            && best.as_ref().is_none_or(|(fewest, ..)| slots < *fewest)
        {
            best = Some((slots, method, params));
        }
    }
    best.map(|(_, method, params)| (method, params))
}

fn fit(template: &[String], asked: &[String]) -> Option<(usize, Map<String, Value>)> {
    let rest = template
        .last()
        .is_some_and(|last| last == "{volume}" || last == "{cidr}");
    if asked.len() < template.len() || (asked.len() > template.len() && !rest) {
        return None;
    }
    let literal = template
        .iter()
        .zip(asked)
        .all(|(part, asked)| part.starts_with('{') || part == asked);
    if !literal {
        return None;
    }
    let (mut slots, mut params) = (0, Map::new());
    for (i, part) in template.iter().enumerate() {
        let last = i + 1 == template.len();
        match part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        {
            Some(_) if !last && asked[i].contains(char::is_whitespace) => return None,
            Some(slot) => {
                let value = if last {
                    asked[i..].join("/")
                } else {
                    asked[i].clone()
                };
                params.insert(slot.into(), Value::String(value));
                slots += 1;
            }
            None if part == &asked[i] => {}
            None => return None,
        }
    }
    Some((slots, params))
}
