//! One rule: what Proxmox takes for one, and what is wrong with one whose names are gone.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::super::super::answer::{Params, Refusal, given, list, number, scalar, text};
use super::super::super::format::firewall::is_reference;
use super::Names;

const ACTIONS: &[&str] = &["ACCEPT", "DROP", "REJECT"];
const MACROS: &str = "Amanda Auth BGP BitTorrent BitTorrent32 Ceph CVS DCC DHCPfwd DHCPv6 DNS Distcc FTP Finger GNUnet \
     GRE Git HKP HTTP HTTPS ICPV2 ICQ IMAP IMAPS IPIP IPsec IPsecah IPsecnat IRC Jetdirect L2TP LDAP LDAPS MDNS MSNP \
     MSSQL Mail Munin MySQL NNTP NNTPS NTP NeighborDiscovery OSPF OpenVPN PCA PMG POP3 POP3S PPtP Ping PostgreSQL \
     Printer RDP RIP RNDC Razor Rdate Rsync SANE SMB SMBswat SMTP SMTPS SNMP SPAMD SPICEproxy SSH SVN SixXS Squid \
     Submission Syslog TFTP Telnet Telnets Time Trcrt VNC VNCL Web Webcache Webmin Whois";
/// What some of them say themselves.
const TCP: &[&str] = &["SSH", "HTTP", "HTTPS", "RDP", "MySQL", "PostgreSQL"];

/// Where a rule stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Cluster,
    Node,
    Guest,
    Group,
    Vnet,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Cluster => "cluster",
            Place::Node => "host",
            Place::Guest => "vm",
            Place::Group => "group",
            Place::Vnet => "vnet",
        }
    }

    fn types(self) -> &'static [&'static str] {
        match self {
            Place::Cluster | Place::Node => &["in", "out", "forward", "group"],
            Place::Guest => &["in", "out", "group"],
            Place::Group => &["in", "out", "forward"],
            Place::Vnet => &["forward", "group"],
        }
    }
}

pub fn macros() -> impl Iterator<Item = &'static str> {
    MACROS.split_whitespace()
}

/// Checks a rule as it is to be.
pub fn verify(rule: &Params, place: Place, names: &Names) -> Result<(), Refusal> {
    let text = |key: &str| given(rule, key).filter(|text| !text.is_empty());
    let kind = text("type").unwrap_or_default();
    if !place.types().contains(&kind.as_str()) {
        let name = place.name();
        let problem = format!("invalid rule type '{kind}' for rule_env '{name}'");
        return Err(Refusal::param("type", problem));
    }
    if let Some(iface) = text("iface") {
        let digits = iface.strip_prefix("net").unwrap_or_default();
        let is_card = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if place == Place::Guest && !is_card {
            let problem = "value does not match the regex pattern 'net\\d+'";
            return Err(Refusal::param("iface", problem));
        }
    }
    let action = text("action").unwrap_or_default();
    if kind == "group" {
        return Ok(());
    }
    if !ACTIONS.contains(&action.as_str()) {
        return Err(Refusal::param(
            "action",
            format!("unknown action '{action}'"),
        ));
    }
    if let Some(name) = text("macro") {
        if !macros().any(|known| known == name) {
            return Err(Refusal::param("macro", format!("unknown macro '{name}'")));
        }
        if TCP.contains(&name.as_str()) && text("proto").is_some() {
            let problem = "parameter 'proto' already define in macro (value = 'tcp')";
            return Err(Refusal::param("proto", problem));
        }
    } else if let Some(port) = ["dport", "sport"]
        .into_iter()
        .find(|key| text(key).is_some())
        && text("proto").is_none()
    {
        let problem = format!("missing property - '{port}' requires this property");
        return Err(Refusal::param("proto", problem));
    }
    let mut version = None;
    for key in ["source", "dest"] {
        let Some(value) = text(key) else { continue };
        if let Some(problem) = unknown(&value, names) {
            return Err(Refusal::param(key, problem));
        }
        match (version, version_of(&value, names)) {
            (Some(one), Some(other)) if one != other => {
                let problem = "detected mixed ipv4/ipv6 addresses in rule";
                return Err(Refusal::param(key, problem));
            }
            (_, found) => version = version.or(found),
        }
    }
    Ok(())
}

/// What is wrong with a name that is not there.
pub fn unknown(value: &str, names: &Names) -> Option<String> {
    if !is_reference(value) {
        return None;
    }
    let (is_set, name) = match value.strip_prefix('+') {
        Some(name) => (true, name),
        None => (false, value),
    };
    let (known, what) = match is_set {
        true => (&names.sets, "ipset"),
        false => (&names.aliases, "alias"),
    };
    let (of_guest, of_cluster) = (name.strip_prefix("guest/"), name.strip_prefix("dc/"));
    let bare = of_guest.or(of_cluster).unwrap_or(name);
    let is_there = known.iter().any(|(scope, known, _)| {
        known.eq_ignore_ascii_case(bare)
            && (of_guest.is_none() || *scope == "guest")
            && (of_cluster.is_none() || *scope == "dc")
    });
    (!is_there).then(|| format!("no such {what} '{bare}'"))
}

/// 4 or 6, where the addresses are said.
fn version_of(value: &str, names: &Names) -> Option<i64> {
    let first = value.split([',', '-']).next().unwrap_or(value);
    let first = match is_reference(value) {
        true if value.starts_with('+') => return None,
        true => {
            let bare = value.rsplit('/').next().unwrap_or(value);
            let mut aliases = names.aliases.iter();
            let found = aliases.find(|(_, name, _)| name.eq_ignore_ascii_case(bare));
            found.map(|(_, _, cidr)| cidr.as_str()).unwrap_or_default()
        }
        false => first,
    };
    let host = first.split('/').next().unwrap_or(first);
    match host.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => Some(4),
        IpAddr::V6(_) => Some(6),
    }
}

/// A rule as it is listed.
pub fn listed(rule: &Params, pos: Value, digest: &str, names: &Names) -> Value {
    let mut all = rule.clone();
    let mut errors = Map::new();
    // Where a rule with a macro was made one of a group, Proxmox writes the two as one word.
    if text(rule, "type") == "group"
        && let Some(name) = all.remove("macro")
    {
        let action = format!("{}({})", scalar(&name), text(rule, "action"));
        all.insert("action".into(), action.into());
        let problem = "invalid characters in security group name";
        errors.insert("action".into(), problem.into());
    }
    if text(rule, "proto") == "icmp" {
        all.insert("ipversion".into(), 4.into());
    }
    for key in ["source", "dest"] {
        let Some(value) = given(rule, key) else {
            continue;
        };
        if let Some(version) = version_of(&value, names) {
            all.insert("ipversion".into(), version.into());
        }
        if let Some(problem) = unknown(&value, names) {
            errors.insert(key.into(), problem.into());
        }
    }
    if !errors.is_empty() {
        all.insert("errors".into(), errors.into());
    }
    all.insert("pos".into(), pos);
    all.insert("digest".into(), digest.into());
    all.into()
}

/// The parameters that a rule is made of.
pub fn of(params: &Params) -> Params {
    const OTHERS: &[&str] = &[
        "node", "vmid", "pos", "digest", "delete", "moveto", "vnet", "group",
    ];
    let kept = params
        .iter()
        .filter(|(key, _)| !OTHERS.contains(&key.as_str()));
    let mut rule: Params = kept
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(enable) = rule.get_mut("enable")
        && let Ok(number) = scalar(enable).parse::<i64>()
    {
        *enable = number.into();
    }
    rule
}

/// A list of rules, and what is asked of it.
pub fn handle(
    rules: &mut Vec<Params>,
    verb: &str,
    params: &Params,
    is_one: bool,
    (place, names): (Place, &Names),
) -> Result<Value, Refusal> {
    let digest = super::digest_of(&*rules);
    if !is_one && verb == "GET" {
        let rows = rules.iter().enumerate();
        return Ok(rows
            .map(|(pos, rule)| listed(rule, pos.into(), &digest, names))
            .collect());
    }
    super::unchanged(params, &digest)?;
    if !is_one {
        let mut rule = of(params);
        verify(&rule, place, names)?;
        rule.entry("enable").or_insert(0.into());
        rules.insert(0, rule);
        return Ok(Value::Null);
    }
    let pos = number(params, "pos").unwrap_or(0) as usize;
    let Some(rule) = rules.get(pos) else {
        return Err(Refusal::die(format!("no rule at position {pos}")));
    };
    match (verb, number(params, "moveto")) {
        ("GET", _) => return Ok(listed(rule, pos.to_string().into(), &digest, names)),
        ("DELETE", _) => {
            rules.remove(pos);
        }
        // Before the rule that is there now; what else was sent is dropped.
        (_, Some(to)) => {
            let rule = rules.remove(pos);
            let to = (to.max(0) as usize).min(rules.len() + 1);
            let to = if to > pos { to - 1 } else { to };
            rules.insert(to, rule);
        }
        _ => {
            let mut rule = rule.clone();
            for key in list(&given(params, "delete").unwrap_or_default()) {
                rule.remove(&key);
            }
            rule.extend(of(params));
            verify(&rule, place, names)?;
            rules[pos] = rule;
        }
    }
    Ok(Value::Null)
}
