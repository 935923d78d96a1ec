//! The firewalls of the cluster, of nodes, guests and virtual networks: options, rules, aliases, sets of addresses,
//! security groups.

pub mod rule;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given, list, scalar, text};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::super::state::State;
use super::NULL;
use rule::Place;

#[derive(Clone, Debug, Default)]
pub struct Firewall {
    pub options: Map<String, Value>,
    pub rules: Vec<Params>,
    pub aliases: BTreeMap<String, Params>,
    pub sets: BTreeMap<String, IpSet>,
    pub groups: BTreeMap<String, Group>,
    pub log: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct IpSet {
    pub comment: Option<String>,
    pub entries: BTreeMap<String, Params>,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub comment: Option<String>,
    pub rules: Vec<Params>,
}

impl Firewall {
    /// With two rules, and one each of what rules go by, under this name.
    pub fn furnished(name: &str) -> Firewall {
        let params = |value: Value| value.as_object().cloned().unwrap_or_default();
        let rule = |port: &str| {
            params(
                json!({"type": "in", "action": "ACCEPT", "proto": "tcp", "dport": port, "enable": 1}),
            )
        };
        let entry = params(json!({"cidr": "10.3.0.9"}));
        let set = IpSet {
            entries: [("10.3.0.9".to_string(), entry)].into(),
            ..IpSet::default()
        };
        let alias = params(json!({"name": name, "cidr": "198.51.100.0/24"}));
        Firewall {
            rules: vec![rule("22"), rule("25")],
            aliases: [(name.to_string(), alias)].into(),
            sets: [(name.to_string(), set)].into(),
            groups: [(name.to_string(), Group::default())].into(),
            ..Firewall::default()
        }
    }

    pub fn rules_digest(&self) -> String {
        digest_of(&self.rules)
    }
}

/// What a rule may name: of the cluster (`dc`) and of its guest; an alias with its address.
#[derive(Default)]
pub struct Names {
    pub aliases: Vec<(&'static str, String, String)>,
    pub sets: Vec<(&'static str, String, String)>,
}

const CLUSTER: &str = "cluster";
const NUMBERS: &[&str] = &[
    "enable",
    "ebtables",
    "dhcp",
    "macfilter",
    "ndp",
    "ipfilter",
    "radv",
    "nftables",
    "nosmurfs",
    "tcpflags",
];

/// What Proxmox takes for what has not changed; of nothing it is that of no bytes.
fn digest_of<T: Debug>(what: &[T]) -> String {
    match what {
        [] => sha1(b""),
        all => sha1(format!("{all:?}").as_bytes()),
    }
}

fn unchanged(params: &Params, digest: &str) -> Result<(), Refusal> {
    if given(params, "digest").is_some_and(|said| said != digest) {
        return Err(Refusal::die(
            "detected modified configuration - file changed by other user? Try again.",
        ));
    }
    Ok(())
}

fn typed(params: &Params) -> Params {
    let mut all = params.clone();
    for key in NUMBERS {
        if let Some(value) = all.get_mut(*key)
            && let Ok(number) = scalar(value).parse::<i64>()
        {
            *value = number.into();
        }
    }
    all
}

/// The scope that a path is about, and what is asked below it.
fn scope(call: &Call) -> (String, Place, String) {
    let (before, below) = call.method.path.split_once("/firewall").unwrap_or(("", ""));
    let (scope, place) = match before {
        "/cluster" => (CLUSTER.into(), Place::Cluster),
        "/nodes/{node}" => (format!("node/{}", call.node), Place::Node),
        _ if before.contains("vnets") => (format!("vnet/{}", call.text("vnet")), Place::Vnet),
        _ => (format!("guest/{}", call.vmid()), Place::Guest),
    };
    (scope, place, below.trim_start_matches('/').into())
}

fn names(state: &State, scope: &str) -> Names {
    let mut names = Names::default();
    for (word, scope) in [("guest", scope), ("dc", CLUSTER)] {
        let Some(firewall) = state
            .firewall
            .get(scope)
            .filter(|_| word == "dc" || scope != CLUSTER)
        else {
            continue;
        };
        let aliases = firewall.aliases.values();
        names
            .aliases
            .extend(aliases.map(|alias| (word, text(alias, "name"), text(alias, "cidr"))));
        names.sets.extend(
            firewall
                .sets
                .keys()
                .map(|name| (word, name.clone(), String::new())),
        );
    }
    names
}

pub fn handle(call: &mut Call) -> Answer {
    let (scope, place, below) = scope(call);
    let (verb, params) = (call.method.verb.clone(), call.params.clone());
    let (verb, names) = (verb.as_str(), names(call.state, &scope));
    if verb != "GET" && !call.state.has_quorum() {
        let lock = match (place, scope.rsplit('/').next().unwrap_or_default()) {
            (Place::Guest, vmid) => format!("vm-{vmid}"),
            (Place::Node, node) => format!("host-{node}"),
            (_, name) => name.to_string(),
        };
        let problem = format!("cfs-lock 'firewall-{lock}' error: no quorum!");
        return Err(Refusal::die(problem).waiting(call.lock_s()));
    }
    if (verb, below.as_str()) == ("PUT", "options") {
        let gone = list(&given(&params, "delete").unwrap_or_default());
        if let Some(name) = gone
            .iter()
            .find(|name| !call.method.params.contains_key(*name))
        {
            return Err(Refusal::param("delete", format!("no such option '{name}'")));
        }
    }
    if let ("POST", "groups", Some(old)) = (verb, below.as_str(), given(&params, "rename")) {
        rename_in_rules(call.state, &old, &text(&params, "group"));
    }
    let firewall = call.state.firewall.entry(scope).or_default();
    match (verb, below.as_str()) {
        (_, "options") => options(firewall, verb, &params),
        (_, "rules" | "rules/{pos}") => {
            let is_one = below.ends_with("{pos}");
            rule::handle(&mut firewall.rules, verb, &params, is_one, (place, &names))
        }
        (_, "aliases" | "aliases/{name}") => aliases(firewall, verb, &params, below == "aliases"),
        (_, "ipset") => sets(firewall, verb, &params),
        (_, "ipset/{name}") => {
            let cidr = text(&params, "cidr");
            if let Some(problem) = rule::unknown(&cidr, &names).filter(|_| verb == "POST") {
                return Err(Refusal::die(problem));
            }
            set(firewall, verb, &params)
        }
        (_, "ipset/{name}/{cidr}") => entry(firewall, verb, &params),
        (_, "groups") => groups(firewall, verb, &params),
        (_, "groups/{group}" | "groups/{group}/{pos}") => {
            let name = text(&params, "group");
            let Some(group) = firewall.groups.get_mut(&name) else {
                return Err(Refusal::die(format!("no such security group '{name}'")));
            };
            if verb == "DELETE" && below == "groups/{group}" {
                if !group.rules.is_empty() {
                    return Err(Refusal::die(format!(
                        "Security group '{name}' is not empty"
                    )));
                }
                firewall.groups.remove(&name);
                return NULL;
            }
            let is_one = below.ends_with("{pos}");
            rule::handle(
                &mut group.rules,
                verb,
                &params,
                is_one,
                (Place::Group, &names),
            )
        }
        ("GET", "macros") => Ok(rule::macros()
            .map(|name| json!({"macro": name, "descr": "(text)"}))
            .collect()),
        ("GET", "refs") => Ok(refs(&names, given(&params, "type"))),
        ("GET", "log") => {
            let lines: Vec<Value> = log(&firewall.log, &params);
            call.beside
                .insert("total".into(), firewall.log.len().max(1).into());
            Ok(lines.into())
        }
        _ => Err(Refusal::http(
            501,
            format!("{verb} {}: not modelled by the simulator", call.method.path),
        )),
    }
}

fn log(lines: &[String], params: &Params) -> Vec<Value> {
    if lines.is_empty() {
        return vec![json!({"n": 1, "t": "unable to open file - No such file or directory"})];
    }
    let number = |name: &str| given(params, name).and_then(|text| text.parse().ok());
    let (start, limit) = (number("start").unwrap_or(0), number("limit").unwrap_or(50));
    let rows = lines.iter().enumerate().skip(start).take(limit);
    rows.map(|(at, line)| json!({"n": at + 1, "t": line}))
        .collect()
}

fn options(firewall: &mut Firewall, verb: &str, params: &Params) -> Answer {
    let all: Vec<(&String, &Value)> = firewall.options.iter().collect();
    let digest = digest_of(&all);
    if verb == "GET" {
        let mut all = firewall.options.clone();
        all.insert("digest".into(), digest.into());
        return Ok(all.into());
    }
    unchanged(params, &digest)?;
    let gone = list(&given(params, "delete").unwrap_or_default());
    let kept = typed(params);
    let kept = kept
        .into_iter()
        .filter(|(key, _)| !matches!(key.as_str(), "node" | "vmid" | "digest" | "delete" | "vnet"));
    firewall.options.extend(kept);
    firewall.options.retain(|key, _| !gone.contains(key));
    NULL
}

fn aliases(firewall: &mut Firewall, verb: &str, params: &Params, is_list: bool) -> Answer {
    let all: Vec<&Params> = firewall.aliases.values().collect();
    let digest = digest_of(&all);
    let shown = |alias: &Params| {
        let mut row = alias.clone();
        row.insert(
            "ipversion".into(),
            if text(alias, "cidr").contains(':') {
                6
            } else {
                4
            }
            .into(),
        );
        row
    };
    let name = text(params, "name");
    let key = name.to_ascii_lowercase();
    if is_list {
        if verb == "GET" {
            let rows = firewall.aliases.values().map(|alias| {
                let mut row = shown(alias);
                row.insert("digest".into(), digest.clone().into());
                Value::from(row)
            });
            return Ok(rows.collect());
        }
        if firewall.aliases.contains_key(&key) {
            return Err(Refusal::param(
                "name",
                format!("alias '{name}' already exists"),
            ));
        }
        firewall.aliases.insert(key, alias(params, &name));
        return NULL;
    }
    if !firewall.aliases.contains_key(&key) {
        return Err(Refusal::param("name", "no such alias"));
    }
    match verb {
        "GET" => Ok(firewall
            .aliases
            .get(&key)
            .map(shown)
            .unwrap_or_default()
            .into()),
        "DELETE" => {
            unchanged(params, &digest)?;
            firewall.aliases.remove(&key);
            NULL
        }
        _ => {
            unchanged(params, &digest)?;
            let new = given(params, "rename").unwrap_or_else(|| name.clone());
            let is_other = !new.eq_ignore_ascii_case(&name);
            if is_other && firewall.aliases.contains_key(&new.to_ascii_lowercase()) {
                return Err(Refusal::param(
                    "name",
                    format!("alias '{new}' already exists"),
                ));
            }
            firewall.aliases.remove(&key);
            firewall
                .aliases
                .insert(new.to_ascii_lowercase(), alias(params, &new));
            NULL
        }
    }
}

fn alias(params: &Params, name: &str) -> Params {
    let mut alias = Params::from_iter([
        ("name".to_string(), name.into()),
        ("cidr".to_string(), masked(&text(params, "cidr")).into()),
    ]);
    if let Some(comment) = given(params, "comment") {
        alias.insert("comment".into(), comment.into());
    }
    alias
}

/// A network without the bits of a host.
fn masked(cidr: &str) -> String {
    let Some((host, bits)) = cidr.split_once('/') else {
        return cidr.into();
    };
    let bits: u32 = bits.parse().unwrap_or(0);
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
        let network = std::net::Ipv4Addr::from(u32::from(address) & mask);
        return if bits == 32 {
            network.to_string()
        } else {
            format!("{network}/{bits}")
        };
    }
    let Ok(address) = host.parse::<std::net::Ipv6Addr>() else {
        return cidr.into();
    };
    let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
    let network = std::net::Ipv6Addr::from(u128::from(address) & mask);
    format!("{network}/{bits}")
}

fn sets(firewall: &mut Firewall, verb: &str, params: &Params) -> Answer {
    let all: Vec<(&String, &Option<String>)> = firewall
        .sets
        .iter()
        .map(|(name, set)| (name, &set.comment))
        .collect();
    let digest = digest_of(&all);
    if verb == "GET" {
        let rows = firewall.sets.iter().map(|(name, set)| {
            let mut row = json!({"name": name, "digest": digest});
            if let Some(comment) = &set.comment {
                row["comment"] = comment.clone().into();
            }
            row
        });
        return Ok(rows.collect());
    }
    let name = text(params, "name");
    match given(params, "rename") {
        Some(old) => {
            unchanged(params, &digest)?;
            if name != old && firewall.sets.contains_key(&name) {
                return Err(Refusal::param(
                    "name",
                    format!("IPSet '{name}' already exists"),
                ));
            }
            let Some(mut set) = firewall.sets.remove(&old) else {
                return Err(Refusal::param(
                    "name",
                    format!("IPSet '{old}' does not exist"),
                ));
            };
            set.comment = given(params, "comment").or(set.comment);
            firewall.sets.insert(name, set);
        }
        None if firewall.sets.contains_key(&name) => {
            return Err(Refusal::param(
                "name",
                format!("IPSet '{name}' already exists"),
            ));
        }
        None => {
            let comment = given(params, "comment");
            firewall.sets.insert(
                name,
                IpSet {
                    comment,
                    ..IpSet::default()
                },
            );
        }
    }
    NULL
}

fn of_set<'f>(firewall: &'f mut Firewall, params: &Params) -> Result<&'f mut IpSet, Refusal> {
    let name = text(params, "name");
    let set = firewall.sets.get_mut(&name);
    set.ok_or_else(|| Refusal::die(format!("no such IPSet '{name}'")))
}

fn set(firewall: &mut Firewall, verb: &str, params: &Params) -> Answer {
    let name = text(params, "name");
    let set = of_set(firewall, params)?;
    match verb {
        "GET" => {
            let digest = entries_digest(set);
            let rows = set.entries.values().map(|entry| {
                let mut row = entry.clone();
                row.insert("digest".into(), digest.clone().into());
                Value::from(row)
            });
            Ok(rows.collect())
        }
        "POST" => {
            let cidr = masked(&text(params, "cidr"));
            if set.entries.contains_key(&cidr) {
                return Err(Refusal::param(
                    "cidr",
                    format!("address '{cidr}' already exists"),
                ));
            }
            let entry = member(params, &cidr);
            set.entries.insert(cidr, entry);
            NULL
        }
        _ => {
            if !set.entries.is_empty() && !flag(params, "force") {
                return Err(Refusal::die(format!("IPSet '{name}' is not empty")));
            }
            firewall.sets.remove(&name);
            NULL
        }
    }
}

fn entries_digest(set: &IpSet) -> String {
    let all: Vec<&Params> = set.entries.values().collect();
    digest_of(&all)
}

fn member(params: &Params, cidr: &str) -> Params {
    let mut entry = Params::from_iter([("cidr".to_string(), cidr.into())]);
    if flag(params, "nomatch") {
        entry.insert("nomatch".into(), 1.into());
    }
    if let Some(comment) = given(params, "comment") {
        entry.insert("comment".into(), comment.into());
    }
    entry
}

fn entry(firewall: &mut Firewall, verb: &str, params: &Params) -> Answer {
    let set = of_set(firewall, params)?;
    let (cidr, digest) = (text(params, "cidr"), entries_digest(set));
    let Some(found) = set.entries.get(&cidr) else {
        return Err(Refusal::param("cidr", "no such IP/Network"));
    };
    if verb == "GET" {
        let mut row = found.clone();
        row.insert("digest".into(), digest.into());
        return Ok(row.into());
    }
    unchanged(params, &digest)?;
    if verb == "DELETE" {
        set.entries.remove(&cidr);
    } else {
        let entry = member(params, &cidr);
        set.entries.insert(cidr, entry);
    }
    NULL
}

fn groups(firewall: &mut Firewall, verb: &str, params: &Params) -> Answer {
    let all: Vec<(&String, &Option<String>)> = firewall
        .groups
        .iter()
        .map(|(name, group)| (name, &group.comment))
        .collect();
    let digest = digest_of(&all);
    if verb == "GET" {
        let rows = firewall.groups.iter().map(|(name, group)| {
            let mut row = json!({"group": name, "digest": digest});
            if let Some(comment) = &group.comment {
                row["comment"] = comment.clone().into();
            }
            row
        });
        return Ok(rows.collect());
    }
    let name = text(params, "group");
    let comment = given(params, "comment");
    match given(params, "rename") {
        Some(old) => {
            unchanged(params, &digest)?;
            if name != old && firewall.groups.contains_key(&name) {
                return Err(Refusal::param(
                    "group",
                    format!("Security group '{name}' already exists"),
                ));
            }
            let Some(mut group) = firewall.groups.remove(&old) else {
                return Err(Refusal::param(
                    "group",
                    format!("Security group '{old}' does not exist"),
                ));
            };
            group.comment = comment.or(group.comment);
            firewall.groups.insert(name, group);
        }
        None if firewall.groups.contains_key(&name) => {
            return Err(Refusal::param(
                "group",
                format!("Security group '{name}' already exists"),
            ));
        }
        None => {
            firewall.groups.insert(
                name,
                Group {
                    comment,
                    ..Group::default()
                },
            );
        }
    }
    NULL
}

/// The rules of guests and nodes follow a group's new name.
fn rename_in_rules(state: &mut State, old: &str, new: &str) {
    let there = state
        .firewall
        .get(CLUSTER)
        .is_some_and(|cluster| cluster.groups.contains_key(old));
    let rules = state
        .firewall
        .values_mut()
        .flat_map(|firewall| firewall.rules.iter_mut());
    for rule in rules.filter(|_| there) {
        if text(rule, "type") == "group" && text(rule, "action") == old {
            rule.insert("action".into(), new.into());
        }
    }
}

fn refs(names: &Names, wanted: Option<String>) -> Value {
    let is_wanted = |kind: &str| wanted.as_deref().is_none_or(|wanted| wanted == kind);
    let sets = names.sets.iter().filter(|_| is_wanted("ipset"));
    let sets = sets.map(|(scope, name, _)| json!({"type": "ipset", "name": name, "ref": format!("+{name}"), "scope": scope}));
    let aliases = names.aliases.iter().filter(|_| is_wanted("alias"));
    let aliases = aliases.map(
        |(scope, name, _)| json!({"type": "alias", "name": name, "ref": name, "scope": scope}),
    );
    sets.chain(aliases).collect()
}
