//! The firewalls of the cluster, of nodes and of guests: options, rules, and what rules go by.

mod get;
mod object;
mod options;
mod rule;
mod scope;

use serde_json::{Map, Value};

use crate::api::loose::{flag, plain};
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::Request;
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::Tool;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::Row;
use scope::Place;

pub static TOOLS: &[Tool] = &[get::GET, options::OPTIONS, rule::RULE, object::OBJECT];

const GUEST: Param = Param::new("guest", ParamKind::Guest, "whose; else the cluster's").optional();
const NODE: Param = Param::new(
    "node",
    ParamKind::Word(Word::Node),
    "whose own, not its guests'",
)
.optional();

const TEXT_MAX_CHARS: usize = 500;

const OPTIONS: Place = Place::everywhere(
    "/cluster/firewall/options",
    "/nodes/{node}/firewall/options",
    "/nodes/{node}/{kind}/{vmid}/firewall/options",
);
const RULES: Place = Place::everywhere(
    "/cluster/firewall/rules",
    "/nodes/{node}/firewall/rules",
    "/nodes/{node}/{kind}/{vmid}/firewall/rules",
);
const RULE: Place = Place::everywhere(
    "/cluster/firewall/rules/{pos}",
    "/nodes/{node}/firewall/rules/{pos}",
    "/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}",
);
const ALIASES: Place = Place::but_nodes(
    "/cluster/firewall/aliases",
    "/nodes/{node}/{kind}/{vmid}/firewall/aliases",
);
const ALIAS: Place = Place::but_nodes(
    "/cluster/firewall/aliases/{name}",
    "/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}",
);
const SETS: Place = Place::but_nodes(
    "/cluster/firewall/ipset",
    "/nodes/{node}/{kind}/{vmid}/firewall/ipset",
);
const SET: Place = Place::but_nodes(
    "/cluster/firewall/ipset/{name}",
    "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}",
);
const ENTRY: Place = Place::but_nodes(
    "/cluster/firewall/ipset/{name}/{cidr}",
    "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}",
);
const GROUPS: &str = "/cluster/firewall/groups";
const GROUP: &str = "/cluster/firewall/groups/{group}";
const GROUP_RULE: &str = "/cluster/firewall/groups/{group}/{pos}";
const CONFIG: &str = "/nodes/{node}/{kind}/{vmid}/config";

/// What [`scope::FirewallScope::name_effect`] sends.
const EFFECT: &[Sending] = &[
    sending::get(OPTIONS.cluster),
    sending::get(OPTIONS.node),
    sending::get(OPTIONS.guest),
    sending::get(CONFIG).beside(),
];
/// The rules that are read.
const READS: &[Sending] = &[
    sending::get(RULES.cluster),
    sending::get(RULES.node),
    sending::get(RULES.guest),
    sending::get(GROUP),
];

/// What a rule is made of: our name, and the API's. `action` is what a tool does, so that what a rule does with
/// what it fits is its `verdict`.
const FIELDS: &[(&str, &str)] = &[
    ("type", "type"),
    ("verdict", "action"),
    ("macro", "macro"),
    ("proto", "proto"),
    ("source", "source"),
    ("sport", "sport"),
    ("dest", "dest"),
    ("dport", "dport"),
    ("icmp_type", "icmp-type"),
    ("iface", "iface"),
    ("log", "log"),
];
/// The name of a rule's comment in the API.
const COMMENT: &str = "comment";

/// Rules in the order in which they are tried, and what Proxmox knows this state of them by.
struct Rules {
    rows: Vec<Value>,
    digest: Option<String>,
}

impl Rules {
    fn read(reach: &Reach, request: &Request) -> Result<Rules, Error> {
        let rows = reach.rows(request, "type")?.to_vec();
        let digest = rows.first().and_then(|row| row.get("digest")).map(plain);
        Ok(Rules { rows, digest })
    }

    /// Says by what this state of them is known.
    fn name_digest(&self, answer: &mut Map<String, Value>) {
        if let Some(digest) = &self.digest {
            let digest = printable(digest, TEXT_MAX_CHARS);
            answer.insert("digest".into(), digest.into());
        }
    }
}

fn text(row: &Value, key: &str) -> String {
    let text = row.get(key).map(plain).unwrap_or_default();
    printable(text.trim_end(), TEXT_MAX_CHARS)
}

/// A rule for an answer. The position is a text: it may be 0, and what is 0 is left out of rows.
fn row(rule: &Value, pos: usize) -> Row {
    let mut row = Row::from([
        ("pos", pos.to_string().into()),
        ("disabled", (!flag(rule.get("enable"))).into()),
    ]);
    for (name, of_api) in FIELDS {
        row.insert(name, text(rule, of_api).into());
    }
    let wrong = rule.get("errors").and_then(Value::as_object);
    let wrong = wrong.into_iter().flatten().map(|(key, what)| {
        let name = FIELDS.iter().find(|(_, of_api)| of_api == key);
        let name = name.map_or(key.as_str(), |(name, _)| name);
        format!("{name}: {}", plain(what).trim_end())
    });
    let wrong: Vec<String> = wrong.collect();
    let wrong = printable(&wrong.join("; "), TEXT_MAX_CHARS);
    row.insert("wrong", wrong.into());
    row.insert("untrusted_text", text(rule, COMMENT).into());
    row
}

/// Refuses arguments that belong to others.
fn only(args: &crate::tool::args::Args, takes: &[&str], what: &str) -> Result<(), Error> {
    let others = args.iter().map(|(name, _)| name.as_str());
    let others: Vec<&str> = others.filter(|name| !takes.contains(name)).collect();
    match others.as_slice() {
        [] => Ok(()),
        others => Err(Error::bad(format!(
            "{what} takes no `{}`",
            others.join("`, `")
        ))),
    }
}
