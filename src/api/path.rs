//! A path of the API as callers write it.

use super::request::{Request, Verb};
use crate::error::Error;
use crate::text::{percent_decoded, repeated};

/// What stands before the paths of the API on the wire.
const ROOTS: [&str; 2] = ["/api2/json", "/api2/extjs"];

/// Its parts, each as a request has them.
pub struct ApiPath(Vec<String>);

impl ApiPath {
    /// Reads `/nodes/pve1/dns`, with or without `/api2/json` before it.
    ///
    /// # Errors
    /// It is no path, with what to write instead.
    pub fn parse(text: &str) -> Result<ApiPath, Error> {
        let text = text.trim();
        let wrong = |why: &str| {
            let shown = repeated(text);
            Err(Error::bad(format!("`path` may not be `{shown}`: {why}")))
        };
        if text.contains(['?', '#']) {
            return wrong("parameters stand in `params`");
        }
        if text.contains("://") {
            return wrong("it begins behind the server's name, as `/nodes/pve1/dns`");
        }
        let verb = text.split_once(' ').map(|(verb, _)| verb);
        if verb.is_some_and(|verb| matches!(verb, "GET" | "POST" | "PUT" | "DELETE")) {
            return wrong("the method is no part of it");
        }
        let inner = ROOTS.iter().find_map(|root| text.strip_prefix(root));
        let inner = inner.unwrap_or(text).trim_matches('/');
        let mut parts = Vec::new();
        for part in inner.split('/').filter(|part| !part.is_empty()) {
            match percent_decoded(part) {
                Some(part) => parts.push(part),
                None => return wrong("what is encoded in it is no text"),
            }
        }
        if let Some((at, _)) = last_part(&parts) {
            let last = parts.split_off(at).join("/");
            parts.push(last);
        }
        let path = ApiPath(parts);
        path.request(Verb::Get)?;
        Ok(path)
    }

    pub fn parts(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// The node that it is about.
    pub fn node(&self) -> Option<&str> {
        match self.0.as_slice() {
            [nodes, node, ..] if nodes == "nodes" && !node.starts_with('{') => Some(node),
            _ => None,
        }
    }

    /// The guest that it is about.
    pub fn vmid(&self) -> Option<u32> {
        match self.0.as_slice() {
            [nodes, _, kind, vmid, ..] if nodes == "nodes" && (kind == "qemu" || kind == "lxc") => {
                vmid.parse().ok()
            }
            _ => None,
        }
    }

    /// A request to it.
    ///
    /// # Errors
    /// A part of it cannot be one, as `..`.
    pub fn request(&self, verb: Verb) -> Result<Request, Error> {
        // Each part is checked like what is put into a slot. A slash within one would be another path for
        // Proxmox, save where the last part may have some.
        let last = last_part(&self.0);
        let slot = |at: usize| match last {
            Some((last, slot)) if last == at => slot,
            _ => "/{part}",
        };
        let template: String = (0..self.0.len()).map(slot).collect();
        Request::new(verb, &template, &self.parts())
    }
}

/// Where the last part of a path begins that may have slashes, and its slot: the name of a volume, or a network as
/// `10.0.0.0/8` in a firewall's set.
fn last_part(parts: &[String]) -> Option<(usize, &'static str)> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["nodes", _, "storage", _, "content", _, ..] => Some((5, "/{volume}")),
        ["cluster", "firewall", "ipset", _, _, ..] => Some((4, "/{cidr}")),
        ["nodes", _, _, _, "firewall", "ipset", _, _, ..] => Some((7, "/{cidr}")),
        _ => None,
    }
}
