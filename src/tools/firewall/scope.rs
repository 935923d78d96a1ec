//! Whose firewall a call is about, where its API is, and whether it is on.

use serde_json::{Map, Value};

use super::{OPTIONS, TEXT_MAX_CHARS};
use crate::api::loose::{flag, number, plain};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tools::guest::property::{self, Properties};

/// What is on in a guest's card where its rules hold for it.
const FIREWALL: &str = "firewall";

/// The paths of one thing, by whose it is.
pub(super) struct Place {
    pub(super) cluster: &'static str,
    /// Empty where nodes have no such thing.
    pub(super) node: &'static str,
    pub(super) guest: &'static str,
}

impl Place {
    pub(super) const fn everywhere(
        cluster: &'static str,
        node: &'static str,
        guest: &'static str,
    ) -> Place {
        Place {
            cluster,
            node,
            guest,
        }
    }

    pub(super) const fn but_nodes(cluster: &'static str, guest: &'static str) -> Place {
        Place::everywhere(cluster, "", guest)
    }
}

/// Whose firewall it is.
pub(super) enum FirewallScope {
    Cluster,
    Node(String),
    /// Its node, its kind and its VMID, as paths have them.
    Guest([String; 3]),
}

impl FirewallScope {
    pub(super) fn of(reach: &Reach, args: &Args) -> Result<FirewallScope, Error> {
        if args.has("guest") {
            let guest = reach.guest()?;
            let slots = [
                guest.node.clone(),
                guest.kind.name().into(),
                guest.vmid.to_string(),
            ];
            return Ok(FirewallScope::Guest(slots));
        }
        Ok(match args.text("node") {
            Some(node) => FirewallScope::Node(node.into()),
            None => FirewallScope::Cluster,
        })
    }

    pub(super) fn request(
        &self,
        verb: Verb,
        place: &Place,
        more: &[&str],
    ) -> Result<Request, Error> {
        let (path, mut slots): (&str, Vec<&str>) = match self {
            FirewallScope::Cluster => (place.cluster, Vec::new()),
            FirewallScope::Node(node) => (place.node, vec![node]),
            FirewallScope::Guest(slots) => {
                (place.guest, slots.iter().map(String::as_str).collect())
            }
        };
        if path.is_empty() {
            return Err(Error::bad(
                "a node has rules and options only: aliases, sets and groups are the cluster's or a guest's; leave `node` out",
            ));
        }
        slots.extend(more);
        Request::new(verb, path, &slots)
    }

    /// `cluster`, `node` or `guest`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            FirewallScope::Cluster => "cluster",
            FirewallScope::Node(_) => "node",
            FirewallScope::Guest(_) => "guest",
        }
    }

    /// For a sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            FirewallScope::Cluster => "the firewall of the cluster".into(),
            FirewallScope::Node(node) => format!("the firewall of node `{node}`"),
            FirewallScope::Guest([_, _, vmid]) => format!("the firewall of guest {vmid}"),
        }
    }

    /// What every answer says first.
    pub(super) fn answer(&self) -> Map<String, Value> {
        let mut answer = Map::from_iter([("scope".to_string(), self.word().into())]);
        match self {
            FirewallScope::Cluster => {}
            FirewallScope::Node(node) => {
                answer.insert("node".into(), node.as_str().into());
            }
            FirewallScope::Guest([_, _, vmid]) => {
                answer.insert("vmid".into(), vmid.parse::<u32>().unwrap_or(0).into());
            }
        }
        answer
    }

    /// Its options, and what Proxmox knows this state of them by.
    pub(super) fn options(&self, reach: &Reach) -> Result<(Map<String, Value>, String), Error> {
        let request = self.request(Verb::Get, &OPTIONS, &[])?;
        let mut options = reach.object(&request, &[])?.clone();
        let digest = options.remove("digest").map(|digest| plain(&digest));
        Ok((options, digest.unwrap_or_default()))
    }

    /// Says why its rules have no effect as things stand, where that is so.
    ///
    /// # Errors
    /// The call was withdrawn. What else cannot be read is said.
    pub(super) fn name_effect(
        &self,
        reach: &Reach,
        options: &Map<String, Value>,
        answer: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        let (mut off, mut unknown) = (Vec::new(), Vec::new());
        let is_on = |options: &Map<String, Value>| number(options.get("enable")) > 0;
        match self {
            FirewallScope::Cluster if !is_on(options) => off.push("it is off".to_string()),
            FirewallScope::Cluster => {}
            FirewallScope::Node(_) | FirewallScope::Guest(_) => {
                let is_off = match self {
                    // A node's is on unless it is said to be off.
                    FirewallScope::Node(_) => {
                        options.contains_key("enable") && !flag(options.get("enable"))
                    }
                    _ => !flag(options.get("enable")),
                };
                if is_off {
                    off.push(format!("{} is off", self.sentence()));
                }
                match FirewallScope::Cluster.options(reach) {
                    Ok((cluster, _)) if is_on(&cluster) => {}
                    Ok(_) => off.push("the cluster's is off, and with it all others".into()),
                    Err(error) if error.is_cancelled() => return Err(error),
                    Err(error) => unknown.push(unread("whether the cluster's is on", &error)),
                }
            }
        }
        if let FirewallScope::Guest(_) = self {
            match cards_without(reach) {
                Ok(Some(cards)) => off.push(cards),
                Ok(None) => {}
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => unknown.push(unread("for which cards", &error)),
            }
        }
        if !unknown.is_empty() {
            answer.insert("not_known".into(), unknown.join("; ").into());
        }
        if !off.is_empty() {
            answer.insert("no_effect".into(), off.join("; ").into());
        }
        Ok(())
    }
}

/// What could not be read, and why.
fn unread(what: &str, error: &Error) -> String {
    let why = format!("{what}: {}: {}", error.sentence, error.cause);
    printable(&why, TEXT_MAX_CHARS)
}

/// Which of a guest's cards its rules do not hold for.
fn cards_without(reach: &Reach) -> Result<Option<String>, Error> {
    let config = reach.get_of_guest("/config")?;
    let config = config.as_object().into_iter().flatten();
    let cards = config.filter(|(key, _)| property::is_card(key));
    let without = cards.filter(|(_, card)| {
        let card = Properties::parse(&plain(card));
        !card.get(FIREWALL).is_some_and(|on| flag(Some(&on.into())))
    });
    let without: Vec<&str> = without.map(|(key, _)| key.as_str()).collect();
    Ok((!without.is_empty()).then(|| {
        format!(
            "not for {}: `guest_network` sets `firewall`",
            without.join(", ")
        )
    }))
}
