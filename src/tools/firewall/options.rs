//! `firewall_options`: a firewall is switched on or off, and decides about what no rule fits.

use serde_json::{Map, Value, json};

use super::get::shown;
use super::scope::FirewallScope;
use super::{EFFECT, GUEST, NODE, OPTIONS as PATHS, READS, RULES, Rules};
use crate::api::loose::{flag, number, plain};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::settings;

const DELETE_MAX: usize = 20;
const VALUE_MAX_CHARS: usize = 200;
/// What holds for connections into it that no rule fits, where nothing is said.
const POLICY_IN: &str = "DROP";

pub(super) const OPTIONS: Tool = Tool {
    name: "firewall_options",
    title: "Change a firewall's options",
    about: "Switches the firewall of the cluster, of a node or of a guest on or off, and sets what becomes of connections \
            that no rule fits. Asks first; returns the former values.",
    actions: Actions::one(&[
        READS,
        EFFECT,
        &[
            sending::put(PATHS.cluster),
            sending::put(PATHS.node),
            sending::put(PATHS.guest),
        ],
    ]),
    subject: Subject::GuestNodeOrCluster,
    params: &[
        GUEST,
        NODE,
        Param::new(
            "settings",
            ParamKind::Settings,
            "by the API's names: `enable`, `policy_in`, `policy_out` (ACCEPT, REJECT, DROP), `log_level_in`, `macfilter`, `ipfilter`",
        )
        .optional(),
        Param::new("delete", ParamKind::Texts(DELETE_MAX), "options to unset").optional(),
    ],
    answer: &[("scope", "string")],
    task: false,
    plan: Some(planned),
    run: RunFn::AtOnce(options),
};

/// A change of options, as it is to be sent.
struct OptionsChange {
    scope: FirewallScope,
    before: Map<String, Value>,
    changed: Vec<String>,
    request: Request,
}

impl OptionsChange {
    fn read(reach: &Reach, args: &Args) -> Result<OptionsChange, Error> {
        let scope = FirewallScope::of(reach, args)?;
        let (before, digest) = scope.options(reach)?;
        let (wanted, deleted) = (args.settings("settings"), args.texts("delete"));
        let own = ["digest", "delete", "node", "vmid"].into_iter();
        let own = own.filter(|name| wanted.contains_key(*name));
        let problems: Vec<String> = own
            .map(|name| format!("`settings` may not have `{name}`"))
            .collect();
        let request = scope.request(Verb::Put, &PATHS, &[])?;
        let request = settings::change(reach, request, &before, wanted, &deleted, problems)?;
        let changed = settings::changed(&request, &deleted);
        Ok(OptionsChange {
            scope,
            before,
            changed,
            request: request.with("digest", digest),
        })
    }

    /// An option as it will be.
    fn will_be(&self, name: &str) -> Option<&Value> {
        let before = || {
            let is_unset = self.changed.iter().any(|one| one == name);
            self.before.get(name).filter(|_| !is_unset)
        };
        self.request.params.get(name).or_else(before)
    }

    /// What it may cut off.
    fn lost(&self, accepts: usize) -> String {
        let is_on = |value: Option<&Value>| match &self.scope {
            FirewallScope::Node(_) => value.is_none_or(|value| flag(Some(value))),
            _ => number(value) > 0 || flag(value),
        };
        if !is_on(self.will_be("enable")) {
            return match is_on(self.before.get("enable")) {
                true => "its rules hold no longer: what they keep out gets in".into(),
                false => "nothing: it stays off".into(),
            };
        }
        let policy = self.will_be("policy_in").map(plain);
        let policy = policy.unwrap_or_else(|| POLICY_IN.into());
        let policy = printable(&policy, VALUE_MAX_CHARS);
        let rules = match accepts {
            0 => "none of its own rules lets any in".to_string(),
            1 => "one of its own rules lets some in".to_string(),
            count => format!("{count} of its own rules let some in"),
        };
        match &self.scope {
            FirewallScope::Guest(_) | FirewallScope::Node(_) if policy == "ACCEPT" => {
                "connections that its rules refuse".into()
            }
            FirewallScope::Guest(_) => {
                format!("connections into the guest that no rule fits ({policy}); {rules}")
            }
            FirewallScope::Node(_) => format!("connections to the node that no rule fits; {rules}"),
            FirewallScope::Cluster if policy == "ACCEPT" => "connections that rules refuse".into(),
            FirewallScope::Cluster => format!(
                "connections to all nodes that no rule fits ({policy}), SSH and the web interface from outside the nodes' own \
                 network among them; {rules}"
            ),
        }
    }
}

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let change = OptionsChange::read(reach, args)?;
    reach.foresee(&change.request)?;
    let rules = Rules::read(reach, &change.scope.request(Verb::Get, &RULES, &[])?)?;
    let accepts = rules.rows.iter().filter(|rule| {
        let is = |key: &str, text: &str| rule.get(key).map(plain).as_deref() == Some(text);
        flag(rule.get("enable")) && is("type", "in") && is("action", "ACCEPT")
    });
    let accepts = accepts.count();
    let changes = change.changed.iter().map(|name| {
        let shown = |value: Option<&Value>| {
            let value = value.map_or_else(|| "not set".into(), plain);
            printable(&value, VALUE_MAX_CHARS)
        };
        let (from, to) = (change.before.get(name), change.request.params.get(name));
        json!({"option": name, "from": shown(from), "to": shown(to)})
    });
    let changes: Vec<Value> = changes.collect();
    let cluster = reach.cluster_name();
    let guest = match &change.scope {
        FirewallScope::Guest(_) => reach.guest_name(),
        _ => None,
    };
    let facts: [(&str, Value); 7] = [
        ("cluster", cluster.into()),
        ("name", change.scope.sentence().into()),
        ("guest", guest.into()),
        ("changes", changes.clone().into()),
        ("rules", rules.rows.len().into()),
        ("lost", change.lost(accepts).into()),
        (
            "undo",
            "by the former values, if the cluster can still be reached".into(),
        ),
    ];
    let facts = facts.into_iter();
    let facts = facts.filter(|(_, value)| !value.is_null());
    Ok(Plan {
        subject: json!({"cluster": cluster, "of": change.scope.sentence(), "changes": changes, "accepts": accepts}),
        shown: facts.map(|(key, value)| (key.to_string(), value)).collect(),
        objects: 1,
        ..Plan::default()
    })
}

fn options(reach: &Reach, args: &Args) -> HandlerResult {
    let change = OptionsChange::read(reach, args)?;
    reach.send(&change.request)?;
    let mut answer = change.scope.answer();
    let former = settings::former(&change.before, &change.changed, shown);
    answer.insert("former".into(), former);
    // It is changed, whatever can be read of it.
    match change.scope.options(reach) {
        Ok((now, _)) => {
            change.scope.name_effect(reach, &now, &mut answer)?;
            answer.insert("options".into(), shown(&now).into());
        }
        Err(error) if error.is_cancelled() => return Err(error),
        Err(_) => {}
    }
    Ok(answer)
}
