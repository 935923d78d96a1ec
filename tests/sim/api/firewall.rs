//! Firewall options and rules, of the cluster, a node or a guest.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, given, list, number, scalar};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::NULL;

#[derive(Clone, Debug, Default)]
pub struct Firewall {
    pub options: Map<String, Value>,
    pub rules: Vec<Params>,
}

impl Firewall {
    fn digest(&self) -> String {
        if self.options.is_empty() && self.rules.is_empty() {
            return sha1(b"");
        }
        sha1(format!("{self:?}").as_bytes())
    }
}

const NUMBERS: &[&str] = &[
    "enable",
    "ebtables",
    "dhcp",
    "macfilter",
    "ndp",
    "ipfilter",
    "radv",
];

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
fn scope(call: &Call) -> (String, String) {
    let (before, below) = call.method.path.split_once("/firewall").unwrap_or(("", ""));
    let scope = match before {
        "/cluster" => "cluster".into(),
        "/nodes/{node}" => format!("node/{}", call.node),
        _ => format!("guest/{}", call.vmid()),
    };
    (scope, below.trim_start_matches('/').into())
}

pub fn handle(call: &mut Call) -> Answer {
    let (scope, below) = scope(call);
    let (verb, params) = (call.method.verb.clone(), call.params.clone());
    let own = |params: &Params| -> Params {
        let kept = params.iter().filter(|(key, _)| {
            !matches!(
                key.as_str(),
                "node" | "vmid" | "pos" | "digest" | "delete" | "moveto"
            )
        });
        kept.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let firewall = call.state.firewall.entry(scope).or_default();
    if given(&params, "digest").is_some_and(|digest| digest != firewall.digest()) {
        return Err(Refusal::die(
            "detected modified configuration - file changed by other user? Try again.",
        ));
    }
    let gone = list(&given(&params, "delete").unwrap_or_default());
    match (verb.as_str(), below.as_str()) {
        ("GET", "options") => {
            let mut all = firewall.options.clone();
            all.insert("digest".into(), firewall.digest().into());
            Ok(all.into())
        }
        ("PUT", "options") => {
            firewall.options.extend(typed(&own(&params)));
            for key in gone {
                firewall.options.remove(&key);
            }
            NULL
        }
        ("GET", "rules") => Ok((0..firewall.rules.len())
            .map(|pos| rule(firewall, pos))
            .collect()),
        ("POST", "rules") => {
            let mut rule = typed(&own(&params));
            rule.entry("enable").or_insert(0.into());
            firewall.rules.insert(0, rule);
            NULL
        }
        (_, "rules/{pos}") => one(firewall, &verb, &params, typed(&own(&params)), gone),
        ("GET", "aliases" | "ipset" | "groups" | "refs") => Ok(json!([])),
        ("GET", "log") => {
            Ok(json!([{"n": 1, "t": "unable to open file - No such file or directory"}]))
        }
        _ => Err(Refusal::http(
            501,
            format!("{verb} {}: not modelled by the simulator", call.method.path),
        )),
    }
}

fn rule(firewall: &Firewall, pos: usize) -> Value {
    let mut rule = firewall.rules[pos].clone();
    rule.insert("pos".into(), pos.into());
    rule.insert("digest".into(), firewall.digest().into());
    rule.into()
}

fn one(
    firewall: &mut Firewall,
    verb: &str,
    params: &Params,
    own: Params,
    gone: Vec<String>,
) -> Answer {
    let pos = number(params, "pos").unwrap_or(0) as usize;
    if pos >= firewall.rules.len() {
        return Err(Refusal::die(format!("no rule at position {pos}")));
    }
    match (verb, number(params, "moveto")) {
        ("GET", _) => return Ok(rule(firewall, pos)),
        ("DELETE", _) => {
            firewall.rules.remove(pos);
        }
        (_, Some(to)) => {
            let rule = firewall.rules.remove(pos);
            firewall
                .rules
                .insert((to as usize).min(firewall.rules.len()), rule);
        }
        _ => {
            firewall.rules[pos].extend(own);
            for key in gone {
                firewall.rules[pos].remove(&key);
            }
        }
    }
    NULL
}
