//! The addresses of a guest: those that it reports and those that it is configured to have, told apart;
//! and where none is reported, why.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::no_effect;
use super::property::{self, Properties};
use crate::api::loose::{number, plain, truth};
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;

const VALUE_MAX_CHARS: usize = 500;
/// What of a card's or a cloud-init option's properties is about addresses.
const ADDRESS_KEYS: &[&str] = &["ip", "gw", "ip6", "gw6"];
/// What Proxmox says where nobody in the guest can report (texts measured on 9.2).
const AGENT_OFF: &str = "No QEMU guest agent configured";
const AGENT_SILENT: &str = "QEMU guest agent is not running";
const VM_STOPPED: &str = "is not running";

/// Why a guest reports no list of its interfaces.
enum Silence {
    Stopped,
    /// The agent is off in the configuration.
    AgentOff,
    /// The agent is on, and does not answer.
    AgentSilent,
    /// Something else, which says nothing about whether there are addresses.
    Other(String),
}

/// What is known where the guest reports nothing that serves.
enum NoAddress {
    None(String),
    Unknown(String),
}

/// Puts into the answer what the guest reports (`addresses`), where that is nothing why
/// (`addresses_none`, or `addresses_unknown` where nobody could say), and what it is configured to have
/// (`addresses_configured`). `status` asks what the guest is doing; it is called where that is why.
///
/// # Errors
/// The guest cannot be reached.
pub(super) fn told(
    reach: &Reach,
    config: &Value,
    status: impl FnOnce() -> Result<String, Error>,
    answer: &mut Map<String, Value>,
) -> Result<(), Error> {
    let kind = reach.guest()?.kind;
    let (interfaces, lack) = match reported(reach, kind)? {
        Ok(interfaces) => {
            let lack = lack_of(kind, &interfaces, status)?;
            (interfaces, lack.map(NoAddress::None))
        }
        Err(silence) => (Vec::new(), Some(silence.why(kind, config, status)?)),
    };
    match &lack {
        Some(NoAddress::Unknown(_)) => {}
        _ => {
            let shown: Vec<Value> = interfaces.iter().map(Interface::shown).collect();
            answer.insert("addresses".into(), shown.into());
        }
    }
    match lack {
        None => {}
        Some(NoAddress::None(why)) => {
            answer.insert("addresses_none".into(), why.into());
        }
        Some(NoAddress::Unknown(why)) => {
            answer.insert("addresses_unknown".into(), why.into());
        }
    }
    let configured = configured(kind, config);
    if !configured.is_empty() {
        answer.insert("addresses_configured".into(), configured.into());
    }
    Ok(())
}

/// What the guest says, or why it says nothing.
///
/// # Errors
/// The guest cannot be reached.
fn reported(reach: &Reach, kind: GuestKind) -> Result<Result<Vec<Interface>, Silence>, Error> {
    let path = match kind {
        GuestKind::Qemu => "/agent/network-get-interfaces",
        GuestKind::Lxc => "/interfaces",
    };
    let reply = match reach.get_of_guest(path) {
        Ok(reply) => reply,
        Err(error) if matches!(error.code, Code::Proxmox | Code::Permission) => {
            return Ok(Err(Silence::of(&error)));
        }
        Err(error) => return Err(error),
    };
    let listed = reply.get("result").unwrap_or(&reply);
    let Some(listed) = listed.as_array() else {
        // Many failures of the agent come with status 200.
        let error = listed.get("error").and_then(|error| error.get("desc"));
        return Ok(Err(match error.and_then(Value::as_str) {
            Some(said) => {
                let said = printable(said, VALUE_MAX_CHARS);
                Silence::Other(format!("the guest agent answers: {said}"))
            }
            // A container that is stopped has no list.
            None if kind == GuestKind::Lxc && listed.is_null() => Silence::Stopped,
            None => Silence::Other("the reply is no list of interfaces".into()),
        }));
    };
    Ok(Ok(listed.iter().filter_map(Interface::read).collect()))
}

/// Why a list of interfaces does not serve, where it does not.
fn lack_of(
    kind: GuestKind,
    interfaces: &[Interface],
    status: impl FnOnce() -> Result<String, Error>,
) -> Result<Option<String>, Error> {
    let addresses = || interfaces.iter().flat_map(|one| &one.addresses);
    if addresses().any(|address| !is_link_local(address)) {
        return Ok(None);
    }
    if addresses().next().is_some() {
        return Ok(Some("no other than link-local ones so far".into()));
    }
    Ok(Some(match (kind, status()?.as_str()) {
        (GuestKind::Lxc, "stopped") => "the container is stopped".into(),
        (GuestKind::Lxc, _) => "the container reports none so far".into(),
        (GuestKind::Qemu, _) => "the guest agent reports none so far".into(),
    }))
}

impl Silence {
    fn of(error: &Error) -> Silence {
        match (error.code, error.cause.as_str()) {
            (Code::Proxmox, message) if message.contains(AGENT_OFF) => Silence::AgentOff,
            (Code::Proxmox, message) if message.contains(AGENT_SILENT) => Silence::AgentSilent,
            (Code::Proxmox, message) if message.trim_end().ends_with(VM_STOPPED) => {
                Silence::Stopped
            }
            _ => Silence::Other(printable(&error.to_string(), VALUE_MAX_CHARS)),
        }
    }

    fn why(
        self,
        kind: GuestKind,
        config: &Value,
        status: impl FnOnce() -> Result<String, Error>,
    ) -> Result<NoAddress, Error> {
        let what = match kind {
            GuestKind::Qemu => "VM",
            GuestKind::Lxc => "container",
        };
        let silent_by = match self {
            Silence::Stopped => return Ok(NoAddress::None(format!("the {what} is stopped"))),
            Silence::Other(why) => return Ok(NoAddress::Unknown(why)),
            // What is configured is read as it will be after a restart.
            Silence::AgentOff if is_agent_on(config) => {
                "the guest agent is off until the next start of the VM"
            }
            Silence::AgentOff => {
                "the guest agent is off in the configuration: guest_configure with `settings` \
                 {\"agent\": \"1\"} turns it on from the next start, and it has to be installed in \
                 the guest"
            }
            Silence::AgentSilent => {
                "the guest agent is on in the configuration and does not answer: it is not installed \
                 or does not run in the guest, or the guest is still starting"
            }
        };
        Ok(match status()?.as_str() {
            "stopped" => NoAddress::None(format!("the {what} is stopped")),
            "paused" => NoAddress::Unknown(format!("the {what} is paused, and says nothing")),
            _ => NoAddress::Unknown(silent_by.into()),
        })
    }
}

fn is_agent_on(config: &Value) -> bool {
    let agent = config.get("agent").map(plain).unwrap_or_default();
    let agent = Properties::parse(&agent);
    let enabled = match agent.first() {
        Some((None, value)) => Some(value),
        _ => agent.get("enabled"),
    };
    enabled.and_then(truth) == Some(true)
}

/// One interface as the guest has it.
struct Interface {
    name: String,
    mac: String,
    addresses: Vec<String>,
}

impl Interface {
    /// Without what reaches only the guest itself: an interface that has nothing else is none.
    fn read(interface: &Value) -> Option<Interface> {
        let text = |key: &str| interface.get(key).and_then(Value::as_str);
        let name = text("name").filter(|name| *name != "lo")?;
        let listed = interface.get("ip-addresses").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(|address| {
            let ip = address.get("ip-address").and_then(Value::as_str)?;
            Some(format!("{ip}/{}", number(address.get("prefix"))))
        });
        let mut addresses: Vec<String> = listed.collect();
        // Containers of releases before the list had one address of each family.
        if addresses.is_empty() {
            let single = ["inet", "inet6"].into_iter().filter_map(text);
            addresses.extend(single.map(str::to_string));
        }
        let is_loopback = |address: &String| ip(address).is_some_and(|ip| ip.is_loopback());
        if !addresses.is_empty() && addresses.iter().all(is_loopback) {
            return None;
        }
        let mac = text("hardware-address").or_else(|| text("hwaddr"));
        Some(Interface {
            name: printable(name, VALUE_MAX_CHARS),
            mac: printable(mac.unwrap_or_default(), VALUE_MAX_CHARS),
            addresses: addresses
                .iter()
                .map(|address| printable(address, VALUE_MAX_CHARS))
                .collect(),
        })
    }

    fn shown(&self) -> Value {
        json!({"interface": self.name, "mac": self.mac, "addresses": self.addresses})
    }
}

fn ip(address: &str) -> Option<IpAddr> {
    let bare = address.split_once('/').map_or(address, |(ip, _)| ip);
    bare.parse().ok()
}

fn is_link_local(address: &str) -> bool {
    match ip(address) {
        Some(IpAddr::V4(ip)) => ip.is_link_local(),
        Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
        None => false,
    }
}

/// The addresses that the configuration gives: of a container by its cards, of a VM by cloud-init.
fn configured(kind: GuestKind, config: &Value) -> Vec<Value> {
    let option = match kind {
        GuestKind::Qemu => "ipconfig",
        GuestKind::Lxc => "net",
    };
    let config = config.as_object();
    let without_drive =
        kind == GuestKind::Qemu && config.is_none_or(|all| !no_effect::has_drive(all));
    let mut found: Vec<(u32, Value)> = Vec::new();
    for (key, value) in config.into_iter().flatten() {
        let Some((name, index)) = property::numbered(key).filter(|(name, _)| *name == option)
        else {
            continue;
        };
        let properties = Properties::parse(&plain(value));
        let mut row = Map::new();
        row.insert("option".into(), format!("{name}{index}").into());
        for key in ADDRESS_KEYS {
            if let Some(value) = properties.get(key) {
                row.insert((*key).into(), printable(value, VALUE_MAX_CHARS).into());
            }
        }
        if row.len() == 1 {
            continue;
        }
        if without_drive {
            let why = "the VM has no cloud-init drive";
            row.insert("no_effect".into(), why.into());
        }
        found.push((index, Value::Object(row)));
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, row)| row).collect()
}
