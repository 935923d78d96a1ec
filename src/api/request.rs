//! A request to the Proxmox API as a value: method, path parts and parameters.
//!
//! A path is kept as its parts, each checked and percent-encoded by itself, so that no name can add
//! a part, a query or a header. Parameters go to the query of a GET or DELETE and to the JSON body
//! of a POST or PUT, never to both.

use serde_json::{Map, Value};

use crate::charged::Charged;
use crate::error::Error;
use crate::text::printable;

/// How much of a value that is refused is shown.
const SHOWN_MAX_CHARS: usize = 100;

/// The four methods that the Proxmox API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }
}

/// One request to one cluster, relative to `/api2/json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub verb: Verb,
    /// The parts between the slashes, not encoded.
    pub path: Vec<String>,
    pub params: Map<String, Value>,
}

impl Request {
    /// Fills the `{slots}` of `template` in their order with `values`.
    ///
    /// # Errors
    /// A value that is empty, `.`, `..`, or holds a control character, or a number of values other
    /// than that of the slots. A slash is allowed in `{volume}` and `{cidr}` only: it is encoded.
    pub fn new(verb: Verb, template: &str, values: &[&str]) -> Result<Request, Error> {
        let mut values_left = values.iter();
        let mut path = Vec::new();
        for part in template.split('/').filter(|part| !part.is_empty()) {
            if !part.starts_with('{') {
                path.push(part.to_string());
                continue;
            }
            let slot = part.trim_matches(['{', '}']);
            let Some(value) = values_left.next() else {
                return Err(Error::internal(format!(
                    "`{slot}` of `{template}` is not given"
                )));
            };
            check_part(slot, value)?;
            path.push((*value).to_string());
        }
        if values_left.next().is_some() {
            return Err(Error::internal(format!("too many values for `{template}`")));
        }
        Ok(Request {
            verb,
            path,
            params: Map::new(),
        })
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Request {
        self.params.insert(name.to_string(), value.into());
        self
    }

    /// The values of the slots of `template`, where the path is one of it. A `{kind}` is `qemu` or
    /// `lxc`.
    pub fn slots<'t>(&self, template: &'t str) -> Option<Vec<(&'t str, &str)>> {
        let mut slots = Vec::new();
        let mut parts = self.path.iter();
        for part in template.split('/').skip(1) {
            let given = parts.next()?;
            let slot = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            match slot {
                Some("kind") if given != "qemu" && given != "lxc" => return None,
                Some(slot) => slots.push((slot, given.as_str())),
                None if part == given => {}
                None => return None,
            }
        }
        parts.next().is_none().then_some(slots)
    }

    /// Whether the path is one of `template`.
    pub fn is_at(&self, template: &str) -> bool {
        let mut parts = self.path.iter();
        let fits = template.split('/').skip(1).all(|part| {
            let given = parts.next().map(String::as_str);
            match part {
                "{kind}" => matches!(given, Some("qemu" | "lxc")),
                slot if slot.starts_with('{') => given.is_some(),
                part => given == Some(part),
            }
        });
        fits && parts.next().is_none()
    }

    /// The path as people write it, for messages: `/nodes/pve1/qemu/100`.
    pub fn path_text(&self) -> String {
        self.path.iter().fold(String::new(), |mut text, part| {
            text.push('/');
            text.push_str(part);
            text
        })
    }

    /// Method and path, for messages: `POST /nodes/pve1/qemu`.
    pub fn line(&self) -> String {
        format!("{} {}", self.verb.name(), self.path_text())
    }
}

/// Values come from callers and from clusters alike.
fn check_part(slot: &str, value: &str) -> Result<(), Error> {
    let slash_allowed = matches!(slot, "volume" | "cidr");
    // Names of files and of users may have one; it is no separator there.
    let backslash_allowed = matches!(slot, "volume" | "upid" | "userid");
    let bad = |c: &char| {
        c.is_control() || (*c == '\\' && !backslash_allowed) || (*c == '/' && !slash_allowed)
    };
    // An address of version 6 has colons of its own.
    let mut parts = value.split(|c| slash_allowed && (c == '/' || (c == ':' && slot == "volume")));
    let why = if value.is_empty() {
        "it is empty".to_owned()
    } else if let Some(c) = value.chars().find(bad) {
        format!("it holds {c:?}")
    } else if parts.any(|part| matches!(part, "" | "." | "..")) {
        "it would lead elsewhere".to_owned()
    } else {
        return Ok(());
    };
    let shown = printable(value, SHOWN_MAX_CHARS);
    Err(Error::bad(format!(
        "`{shown}` cannot be the `{slot}` of a path: {why}"
    )))
}

/// What Proxmox answered to a request that it accepted.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub data: Charged<Value>,
    /// Where the API pages: how many there are in all.
    pub total: Option<u64>,
    /// Of a node's network: what waits to be applied, as a `diff`.
    pub changes: Option<String>,
}
