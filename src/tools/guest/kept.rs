//! What a copy keeps of its original that may hurt where both are there, as its configuration says.

use serde_json::Value;

use super::place::names;
use super::property::{Properties, numbered};
use crate::api::loose::{flag, plain};
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::config::rule::{Rule, RuleTarget};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::tools::state::GuestLocation;

/// What [`config`] sends.
pub const READS: &[Sending] = &[sending::get("/nodes/{node}/{kind}/{vmid}/config")];

/// The configuration of the copy that was made; where it cannot be read, what it was made of.
///
/// # Errors
/// The call was withdrawn.
pub fn config(reach: &Reach, made: &GuestLocation, of: Value) -> Result<Value, Error> {
    let path = "/nodes/{node}/{kind}/{vmid}/config";
    let values = [made.node.as_str(), made.kind.name(), &made.vmid.to_string()];
    match reach.get(path, &values) {
        Ok(config) => Ok(config.let_go()),
        Err(error) if error.is_cancelled() => Err(error),
        // The copy is made: that it cannot be read must not hide that.
        Err(_) => Ok(of),
    }
}

/// A sentence for each thing. `cards`: its MAC addresses and, of a machine, its SMBIOS uuid are the
/// original's as well, as after a restore that is not told `unique` (measured on 9.2; a clone gets
/// new ones, and so does the `vmgenid` of either).
///
/// # Errors
/// There is no such cluster.
pub fn notes(
    reach: &Reach,
    kind: GuestKind,
    config: &Value,
    cards: bool,
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    if flag(config.get("onboot")) {
        notes.push("it starts whenever its node boots, as the original (`onboot`)".to_string());
    }
    notes.extend(tags(config, &reach.cluster()?.protect));
    if cards {
        notes.extend(identity(kind, config));
    }
    let addresses = addresses(config);
    if !addresses.is_empty() {
        let addresses = names(addresses.iter().map(String::as_str));
        notes.push(format!(
            "it is configured for the original's address: {addresses}"
        ));
    }
    Ok(notes)
}

/// The tags, and the rules that protect whoever has one of them.
fn tags(config: &Value, rules: &[Rule]) -> Option<String> {
    let text = config.get("tags").map(plain).unwrap_or_default();
    let split = text.split([';', ',', ' ']).filter(|tag| !tag.is_empty());
    let tags: Vec<&str> = split.collect();
    if tags.is_empty() {
        return None;
    }
    let holds = |rule: &&Rule| match &rule.what {
        RuleTarget::Tag(pattern) => tags.iter().any(|tag| pattern.is(tag)),
        _ => false,
    };
    let rules: Vec<String> = rules
        .iter()
        .filter(holds)
        .map(|rule| format!("`{}` of {}", rule.text, rule.variable))
        .collect();
    let protects = match rules.join(", ") {
        none if none.is_empty() => String::new(),
        rules => format!("; it is protected by {rules}"),
    };
    Some(format!(
        "it has the original's tags, and whatever goes by them means it too: {}{protects}",
        names(tags.into_iter())
    ))
}

/// By what a network and the system in it tell it from others.
fn identity(kind: GuestKind, config: &Value) -> Option<String> {
    let has_card = keyed(config, "net").next().is_some();
    let has_uuid = kind == GuestKind::Qemu && config.get("smbios1").is_some();
    let what = match (has_card, has_uuid) {
        (true, true) => "its MAC addresses and its machine id (the SMBIOS uuid) are",
        (true, false) => "its MAC addresses are",
        (false, true) => "its machine id (the SMBIOS uuid) is",
        (false, false) => return None,
    };
    Some(format!(
        "{what} the original's: the two may not run in one network; `unique` gives new ones"
    ))
}

/// The addresses that do not come from the network: of a container's cards, of cloud-init.
fn addresses(config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in keyed(config, "net").chain(keyed(config, "ipconfig")) {
        let properties = Properties::parse(&value);
        let given = ["ip", "ip6"].iter().filter_map(|name| properties.get(name));
        // Not `dhcp`, `auto` or `manual`.
        let fixed = given.filter(|address| address.contains(['.', ':']));
        found.extend(fixed.map(|address| format!("{key} {address}")));
    }
    found.sort();
    found
}

/// The entries whose keys are this word with a number.
fn keyed<'c>(config: &'c Value, word: &'c str) -> impl Iterator<Item = (&'c str, String)> {
    let entries = config.as_object().into_iter().flatten();
    let of_word =
        entries.filter(move |(key, _)| numbered(key).is_some_and(|(name, _)| name == word));
    of_word.map(|(key, value)| (key.as_str(), plain(value)))
}
