//! Network interfaces of a node; changes wait until they are applied.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::answer::{Answer, Refusal, given, list, scalar};
use super::super::gate::Call;
use super::super::task::Plan;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/network", all),
    ("POST", "/nodes/{node}/network", add),
    ("PUT", "/nodes/{node}/network", apply),
    ("DELETE", "/nodes/{node}/network", revert),
    ("GET", "/nodes/{node}/network/{iface}", one),
    ("PUT", "/nodes/{node}/network/{iface}", change),
    ("DELETE", "/nodes/{node}/network/{iface}", remove),
];

type Interfaces = BTreeMap<String, Map<String, Value>>;

fn planned(call: &Call) -> Interfaces {
    let node = call.state.nodes.get(&call.node);
    node.map(|node| {
        node.planned
            .clone()
            .unwrap_or_else(|| node.interfaces.clone())
    })
    .unwrap_or_default()
}

fn plan(call: &mut Call, wanted: Interfaces) {
    if let Some(node) = call.state.nodes.get_mut(&call.node) {
        node.planned = Some(wanted);
    }
}

fn all(call: &mut Call) -> Answer {
    let only = given(&call.params, "type");
    let waiting = call
        .state
        .nodes
        .get(&call.node)
        .is_some_and(|node| node.planned.is_some());
    if waiting {
        call.beside.insert(
            "changes".into(),
            "--- /etc/network/interfaces\n+++ /etc/network/interfaces.new\n@@ -1 +1 @@\n".into(),
        );
    }
    let fits = |row: &&Map<String, Value>| match only.as_deref() {
        None => true,
        Some("any_bridge" | "any_local_bridge") => row
            .get("type")
            .is_some_and(|kind| kind == "bridge" || kind == "OVSBridge"),
        Some("include_sdn") => true,
        Some(kind) => row.get("type").is_some_and(|known| known == kind),
    };
    Ok(planned(call)
        .values()
        .filter(fits)
        .cloned()
        .map(Value::Object)
        .collect())
}

fn absent() -> Refusal {
    Refusal::param("iface", "interface does not exist")
}

fn one(call: &mut Call) -> Answer {
    let mut row = planned(call)
        .get(&call.text("iface"))
        .cloned()
        .ok_or_else(absent)?;
    row.remove("iface");
    Ok(row.into())
}

fn filled(call: &Call, mut row: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in call
        .params
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "node" | "delete"))
    {
        let number = matches!(key.as_str(), "autostart" | "mtu" | "bridge_vlan_aware")
            .then(|| scalar(value).parse::<i64>().ok())
            .flatten();
        let value = if key == "comments" {
            format!("{}\n", scalar(value).trim_end()).into()
        } else {
            value.clone()
        };
        row.insert(key.clone(), number.map_or(value, Value::from));
    }
    if let Some(cidr) = given(&call.params, "cidr") {
        let (address, bits) = cidr.split_once('/').unwrap_or((&cidr, "32"));
        row.insert("address".into(), address.into());
        row.insert("netmask".into(), bits.into());
        row.insert("method".into(), "static".into());
    }
    let base = [("method", "manual"), ("method6", "manual")];
    for (key, value) in base {
        row.entry(key).or_insert(value.into());
    }
    row.entry("families").or_insert(serde_json::json!(["inet"]));
    row.entry("priority").or_insert(5.into());
    if row.get("type").is_some_and(|kind| kind == "bridge") {
        for (key, value) in [
            ("bridge_ports", ""),
            ("bridge_stp", "off"),
            ("bridge_fd", "0"),
        ] {
            row.entry(key).or_insert(value.into());
        }
    }
    if row.get("bridge_vlan_aware").is_some_and(|aware| aware == 1) {
        row.entry("bridge_vids").or_insert("2-4094".into());
    }
    row
}

fn add(call: &mut Call) -> Answer {
    let (name, mut wanted) = (call.text("iface"), planned(call));
    if wanted.contains_key(&name) {
        return Err(Refusal::param("iface", "interface already exists"));
    }
    if call.params.contains_key("gateway")
        && let Some((other, _)) = wanted.iter().find(|(_, row)| row.contains_key("gateway"))
    {
        return Err(Refusal::param(
            "gateway",
            format!("Default gateway already exists on interface '{other}'."),
        ));
    }
    let row = filled(call, Map::new());
    ported(&name, &row, &wanted)?;
    wanted.insert(name, row);
    plan(call, wanted);
    NULL
}

/// The ports of a bridge are there, and nobody else's.
fn ported(name: &str, row: &Map<String, Value>, others: &Interfaces) -> Result<(), Refusal> {
    let ports =
        |row: &Map<String, Value>| list(&row.get("bridge_ports").map(scalar).unwrap_or_default());
    for port in ports(row) {
        let user = others
            .iter()
            .find(|(other, row)| *other != name && ports(row).contains(&port));
        if let Some((other, _)) = user {
            let problem = format!("{port} is already used on interface '{other}'.");
            return Err(Refusal::param("bridge_ports", problem));
        }
        if port != "none" && !others.contains_key(&port) {
            return Err(Refusal::die(format!(
                "bridge '{name}' - unable to find bridge port '{port}'"
            )));
        }
    }
    Ok(())
}

fn change(call: &mut Call) -> Answer {
    let (name, mut wanted) = (call.text("iface"), planned(call));
    let mut row = wanted.get(&name).cloned().ok_or_else(absent)?;
    for key in list(&given(&call.params, "delete").unwrap_or_default()) {
        row.remove(&key);
    }
    let row = filled(call, row);
    ported(&name, &row, &wanted)?;
    wanted.insert(name, row);
    plan(call, wanted);
    NULL
}

fn remove(call: &mut Call) -> Answer {
    let mut wanted = planned(call);
    wanted.remove(&call.text("iface")).ok_or_else(absent)?;
    plan(call, wanted);
    NULL
}

fn revert(call: &mut Call) -> Answer {
    if let Some(node) = call.state.nodes.get_mut(&call.node) {
        node.planned = None;
    }
    NULL
}

fn apply(call: &mut Call) -> Answer {
    let (name, who) = (call.node.clone(), call.who.clone());
    Ok(call.state.spawn(
        &who,
        Plan::new(&name.clone(), "srvreload", "networking"),
        move |state, _| {
            if let Some(node) = state.nodes.get_mut(&name)
                && let Some(wanted) = node.planned.take()
            {
                node.interfaces = wanted;
            }
            Ok(())
        },
    ))
}
