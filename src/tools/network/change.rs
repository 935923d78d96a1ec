//! `network_change`: interfaces of a node are made, changed or removed. All of it waits, and cuts nothing off, until
//! it is applied.

use serde_json::{Map, Value, json};

use super::list::{find, names};
use super::{CHANGES_MAX_CHARS, NODE, NodeNetwork, PATH};
use crate::api::loose::plain;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::{printable, repeated};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::StepResult;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};

const INTERFACE: &str = "/nodes/{node}/network/{iface}";
const DELETE_MAX: usize = 20;

pub(super) const CHANGE: Tool = Tool {
    name: "network_change",
    title: "Change a node's network",
    about: "Stages network changes of a node: makes or changes an interface, removes one; `revert` drops all that waits, \
            `apply` puts it in force, which may cut the node off and asks first.",
    actions: Actions::ByWord(&[
        Action::new(
            "set",
            &[&[
                sending::get(PATH),
                sending::post(PATH),
                sending::put(INTERFACE),
            ]],
        ),
        Action::new("remove", &[&[sending::get(PATH), sending::delete(INTERFACE)]]),
        Action::new("apply", &[&[sending::get(PATH), sending::put(PATH)]]),
        Action::new("revert", &[&[sending::get(PATH), sending::delete(PATH)]]),
    ]),
    subject: Subject::Node,
    params: &[
        NODE,
        Param::ACTION,
        Param::new("iface", ParamKind::Word(Word::Id), "as vmbr1; of set and remove").optional(),
        Param::new(
            "type",
            ParamKind::OneOf(&["bridge", "bond", "vlan", "eth", "OVSBridge", "OVSBond", "OVSIntPort"]),
            "of a new one",
        )
        .optional(),
        Param::new(
            "settings",
            ParamKind::Settings,
            "by the API's names: `cidr`, `gateway`, `bridge_ports`, `bridge_vlan_aware`, `slaves`, `bond_mode`, `vlan-id`, `mtu`, `autostart`, `comments`",
        )
        .optional(),
        Param::new("delete", ParamKind::Texts(DELETE_MAX), "settings to unset").optional(),
    ],
    answer: &[("node", "string"), ("action", "string")],
    task: true,
    plan: Some(planned),
    run: RunFn::Write(change),
};

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let (cluster, node) = (reach.cluster_name(), args.need("node")?);
    only(args, "apply")?;
    let network = NodeNetwork::read(reach, node)?;
    let Some(changes) = &network.changes else {
        return Err(nothing_waits(reach, node));
    };
    let facts = [
        ("cluster", cluster.into()),
        ("name", node.into()),
        ("untrusted_text", json!({"changes": printable(changes, CHANGES_MAX_CHARS)})),
        ("lost", "connections over interfaces that change are cut off for moments; a mistake in an address, a gateway or a port takes the node off the network".into()),
        ("undo", "only on the node itself, if it cannot be reached any more".into()),
    ];
    // The times in its head are those of files, which nobody changes but who stages something.
    Ok(Plan {
        subject: json!({"cluster": cluster, "node": node, "changes": changes}),
        shown: facts
            .map(|(key, value)| (key.to_string(), value))
            .into_iter()
            .collect(),
        objects: 1,
        ..Plan::default()
    })
}

fn change(reach: &Reach, args: &Args) -> WriteResult {
    let (node, action) = (args.need("node")?, args.need("action")?);
    only(args, action)?;
    let network = NodeNetwork::read(reach, node)?;
    let mut answer = Map::from_iter([
        ("node".to_string(), node.into()),
        ("action".to_string(), action.into()),
    ]);
    let request = match action {
        "apply" | "revert" if network.changes.is_none() => return Err(nothing_waits(reach, node)),
        "apply" => Request::new(Verb::Put, PATH, &[node])?,
        "revert" => Request::new(Verb::Delete, PATH, &[node])?,
        _ => {
            let iface = args.text("iface");
            let iface =
                iface.ok_or_else(|| Error::bad(format!("action `{action}` needs `iface`")))?;
            answer.insert("iface".into(), printable(iface, iface.len()).into());
            match action {
                "remove" => removal(reach, &network, node, iface)?,
                _ => setting(reach, args, &network, node, iface)?,
            }
        }
    };
    let write = Write::new(request, answer);
    Ok(match action {
        "apply" => write,
        _ => write.then(told),
    })
}

/// Refuses arguments that belong to other actions.
fn only(args: &Args, action: &str) -> Result<(), Error> {
    let takes: &[&str] = match action {
        "set" => &["iface", "type", "settings", "delete"],
        "remove" => &["iface"],
        _ => &[],
    };
    let others = ["iface", "type", "settings", "delete"].into_iter();
    let others: Vec<&str> = others
        .filter(|name| args.has(name) && !takes.contains(name))
        .collect();
    match others.as_slice() {
        [] => Ok(()),
        others => Err(Error::bad(format!(
            "action `{action}` takes no `{}`",
            others.join("`, `")
        ))),
    }
}

fn nothing_waits(reach: &Reach, node: &str) -> Error {
    let cluster = reach.cluster_name();
    Error::bad(format!(
        "{cluster}: no network change of node `{node}` waits"
    ))
}

fn removal(
    reach: &Reach,
    network: &NodeNetwork,
    node: &str,
    iface: &str,
) -> Result<Request, Error> {
    if find(network, iface).is_none() {
        return Err(Error::bad(format!(
            "{}: node `{node}` has no interface `{}`; it has: {}",
            reach.cluster_name(),
            repeated(iface),
            names(network)
        )));
    }
    Request::new(Verb::Delete, INTERFACE, &[node, iface])
}

/// The request that makes an interface, or changes one.
fn setting(
    reach: &Reach,
    args: &Args,
    network: &NodeNetwork,
    node: &str,
    iface: &str,
) -> Result<Request, Error> {
    let cluster = reach.cluster_name();
    let (settings, deleted) = (args.settings("settings"), args.texts("delete"));
    let known = find(network, iface);
    let kind = known.and_then(|known| known.get("type").map(plain));
    let mut request = match (&kind, args.text("type")) {
        (Some(kind), Some(wanted)) if kind != wanted => {
            return Err(Error::bad(format!(
                "{cluster}: `{}` is of type `{}`: remove it first to make it another",
                repeated(iface),
                repeated(kind)
            )));
        }
        // Proxmox wants the type said again.
        (Some(kind), _) => {
            Request::new(Verb::Put, INTERFACE, &[node, iface])?.with("type", kind.as_str())
        }
        (None, Some(wanted)) => Request::new(Verb::Post, PATH, &[node])?
            .with("iface", iface)
            .with("type", wanted),
        (None, None) => {
            return Err(Error::bad(format!(
                "{cluster}: node `{node}` has no interface `{}`: a new one needs `type`; it has: {}",
                repeated(iface),
                names(network)
            )));
        }
    };
    let is_so = |(name, value): &(&String, &Value)| {
        let now = known.and_then(|known| known.get(name.as_str()));
        now.is_some_and(|now| plain(now).trim_end() == plain(value).trim_end())
    };
    let not_set = deleted
        .iter()
        .find(|name| known.is_none_or(|known| known.get(**name).is_none()));
    if let Some(name) = not_set {
        return Err(Error::bad(format!(
            "{cluster}: `{}` is not set on `{}`",
            repeated(name),
            repeated(iface)
        )));
    }
    if known.is_some() && deleted.is_empty() && settings.iter().all(|one| is_so(&one)) {
        return Err(Error::bad(format!(
            "{cluster}: nothing of `{}` would be changed by it",
            repeated(iface)
        )));
    }
    let taken = settings
        .keys()
        .find(|name| matches!(name.as_str(), "iface" | "type" | "delete" | "node"));
    if let Some(name) = taken {
        return Err(Error::bad(format!(
            "`settings` may not have `{name}`: it is an argument of its own"
        )));
    }
    // What is not sent stays, but for the address: Proxmox takes one that is not said again for none.
    if let Some(known) = known {
        for key in ADDRESSES {
            let stays = known
                .get(*key)
                .map(plain)
                .filter(|_| !deleted.contains(key));
            if let Some(value) = stays {
                request = request.with(key, value);
            }
        }
    }
    for (name, value) in settings {
        request.params.insert(name, value);
    }
    if !deleted.is_empty() {
        request = request.with("delete", deleted.join(","));
    }
    reach.check(&request)?;
    Ok(request)
}

/// What an interface is reached by.
const ADDRESSES: &[&str] = &["cidr", "gateway", "cidr6", "gateway6"];

/// What waits now.
fn told(reach: &Reach, args: &Args, mut answer: Map<String, Value>) -> StepResult {
    match NodeNetwork::read(reach, args.need("node")?) {
        Ok(network) => network.name_changes(&mut answer),
        Err(error) if error.is_cancelled() => return Err(error),
        // It is staged, whatever can be read of it.
        Err(_) => {}
    }
    Ok(answer.into())
}
