//! The formats of firewall rules and of what they name, in the words in which Proxmox refuses them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::answer::list;
use super::{Checked, cidr, need};

const PROTOCOLS: &[&str] = &[
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "ipv6-icmp",
    "esp",
    "gre",
    "igmp",
    "sctp",
    "ah",
    "ospf",
    "vrrp",
];
const ICMP_TYPES: &[&str] = &[
    "any",
    "echo-reply",
    "destination-unreachable",
    "network-unreachable",
    "host-unreachable",
    "protocol-unreachable",
    "port-unreachable",
    "fragmentation-needed",
    "source-quench",
    "redirect",
    "echo-request",
    "router-advertisement",
    "router-solicitation",
    "time-exceeded",
    "parameter-problem",
    "timestamp-request",
    "timestamp-reply",
    "neighbour-solicitation",
    "neighbour-advertisement",
];
/// A few of the services that every system names.
const SERVICES: &[&str] = &[
    "ssh", "http", "https", "domain", "smtp", "ntp", "imap", "ldap",
];

pub fn named(format: &str, text: &str) -> Checked {
    match format {
        "pve-fw-protocol-spec" => {
            let fits = PROTOCOLS.contains(&text) || text.parse::<u8>().is_ok();
            need(fits, &format!("unknown protocol '{text}'"))
        }
        "pve-fw-dport-spec" | "pve-fw-sport-spec" => {
            list(text).iter().try_for_each(|part| ports(part))
        }
        "pve-fw-icmp-type-spec" => {
            let fits = ICMP_TYPES.contains(&text) || text.parse::<u8>().is_ok();
            need(fits, &format!("invalid icmp-type value '{text}'"))
        }
        "pve-fw-addr-spec" => addresses(text),
        "IPorCIDR" => need(is_network(text), NO_NETWORK),
        "IPorCIDRorAlias" => need(is_network(text) || is_reference(text), NO_NETWORK),
        _ => Ok(()),
    }
}

const NO_NETWORK: &str = "value does not look like a valid IP address or CIDR network";

fn is_network(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || cidr(text, false) || cidr(text, true)
}

/// Whether it names an alias, or with `+` a set of addresses.
pub fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix('+').unwrap_or(text);
    let name = name.strip_prefix("dc/").unwrap_or(name);
    let name = name.strip_prefix("guest/").unwrap_or(name);
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn ports(part: &str) -> Checked {
    let port = |text: &str| -> Result<u16, String> {
        match text.parse::<u16>() {
            Ok(port) => Ok(port),
            Err(_) if SERVICES.contains(&text) => Ok(0),
            Err(_) => Err(format!("invalid port '{text}'\n")),
        }
    };
    match part.split_once(':') {
        None => port(part).map(drop),
        Some((first, last)) => need(
            port(first)? <= port(last)?,
            &format!("backwards range '{part}' not allowed, did you mean '{last}:{first}'?"),
        ),
    }
}

fn addresses(text: &str) -> Checked {
    if is_reference(text) {
        return Ok(());
    }
    let parts: Vec<&str> = text.split(',').collect();
    for part in &parts {
        if part.contains('-') && parts.len() > 1 {
            return Err("you can't use a range in a list\n".into());
        }
        for address in part.split('-') {
            let (host, bits) = match address.split_once('/') {
                Some((host, bits)) => (host, Some(bits)),
                None => (address, None),
            };
            let most = if host.contains(':') { 128 } else { 32 };
            let problem = if let Some(bits) = bits
                && bits.parse::<u16>().is_ok_and(|bits| bits > most)
            {
                format!("Prefix length {bits} is longer than IP address ({most})")
            } else if host.parse::<Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
                continue;
            } else if let Some(quad) = host
                .split('.')
                .find(|quad| quad.parse::<u32>().is_ok_and(|quad| quad > 255))
            {
                format!("Invalid quad in IP address {host} - {quad}")
            } else {
                format!("Invalid chars in IP {host}")
            };
            return Err(format!("invalid IP address: {problem}\n"));
        }
    }
    Ok(())
}
