//! `network_list`: the interfaces of a node.

use serde_json::Value;

use super::{NODE, NodeNetwork, PATH};
use crate::api::loose::{flag, plain};
use crate::api::methods::sending;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

const TEXT_MAX_CHARS: usize = 500;
const COLUMNS: &[&str] = &[
    "iface",
    "type",
    "active",
    "autostart",
    "cidr",
    "gateway",
    "cidr6",
    "gateway6",
    "ports",
    "vlan_aware",
    "vlan",
    "vlan_on",
    "bond_mode",
    "mtu",
    "untrusted_text",
];

pub(super) const LIST: Tool = Tool {
    name: "network_list",
    title: "List a node's network interfaces",
    about: "Lists the network interfaces of a node: bridges, bonds, VLANs and cards with addresses, ports and VLAN tags; and \
            which changes wait until they are applied.",
    actions: Actions::one(&[&[sending::get(PATH)]]),
    subject: Subject::Node,
    params: &[
        NODE,
        Param::new(
            "type",
            ParamKind::OneOf(&["bridge", "bond", "eth", "vlan", "any_bridge"]),
            "those only",
        )
        .optional(),
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(list),
};

fn list(reach: &Reach, args: &Args) -> HandlerResult {
    rows::check(args, COLUMNS)?;
    let network = NodeNetwork::read(reach, args.need("node")?)?;
    let wanted = args.text("type");
    let fits = |one: &&Value| is_of(one, wanted);
    let mut found: Vec<Row> = network.interfaces.iter().filter(fits).map(row).collect();
    room::note(found.len() * ROW_BYTES);
    found.sort_by_cached_key(|row| row.text("iface").to_owned());
    let mut answer = rows::page(found, COLUMNS, COLUMNS, args)?;
    network.name_changes(&mut answer);
    Ok(answer)
}

/// Whether an interface is of this type; Open vSwitch's count with those of the kernel.
fn is_of(interface: &Value, wanted: Option<&str>) -> bool {
    let kind = text(interface, "type");
    match wanted {
        None => true,
        Some("any_bridge" | "bridge") => matches!(kind.as_str(), "bridge" | "OVSBridge"),
        Some("bond") => matches!(kind.as_str(), "bond" | "OVSBond"),
        Some("vlan") => matches!(kind.as_str(), "vlan" | "OVSIntPort"),
        Some(wanted) => kind == wanted,
    }
}

fn text(interface: &Value, key: &str) -> String {
    let text = interface.get(key).map(plain).unwrap_or_default();
    printable(text.trim_end(), TEXT_MAX_CHARS)
}

fn row(interface: &Value) -> Row {
    // The first of these that says something.
    let of = |keys: &[&str]| {
        let texts = keys.iter().map(|key| text(interface, key));
        Value::from(
            texts
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
        )
    };
    Row::from([
        ("iface", of(&["iface"])),
        ("type", of(&["type"])),
        ("active", flag(interface.get("active")).into()),
        ("autostart", flag(interface.get("autostart")).into()),
        ("cidr", of(&["cidr", "address"])),
        ("gateway", of(&["gateway"])),
        ("cidr6", of(&["cidr6", "address6"])),
        ("gateway6", of(&["gateway6"])),
        (
            "ports",
            of(&["bridge_ports", "slaves", "ovs_ports", "ovs_bonds"]),
        ),
        (
            "vlan_aware",
            flag(interface.get("bridge_vlan_aware")).into(),
        ),
        ("vlan", of(&["vlan-id", "ovs_tag"])),
        ("vlan_on", of(&["vlan-raw-device"])),
        ("bond_mode", of(&["bond_mode"])),
        ("mtu", of(&["mtu"])),
        ("untrusted_text", of(&["comments", "comments6"])),
    ])
}

/// The interface of this name.
pub(super) fn find<'n>(network: &'n NodeNetwork, iface: &str) -> Option<&'n Value> {
    network
        .interfaces
        .iter()
        .find(|one| one.get("iface").map(plain).as_deref() == Some(iface))
}

/// The names of all, for a sentence.
pub(super) fn names(network: &NodeNetwork) -> String {
    let mut names: Vec<String> = network
        .interfaces
        .iter()
        .map(|one| text(one, "iface"))
        .collect();
    names.sort();
    names.join(", ")
}
