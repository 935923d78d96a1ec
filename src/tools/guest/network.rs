//! `guest_network`: a guest's network cards.

use serde_json::{Map, Value};

use super::place::{self, Problems};
use super::property::{self, Properties};
use super::{GUEST, answer_for, change};
use crate::api::mark::Mark;
use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::StepResult;
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;

/// The longest card that is shown, in characters.
const CARD_MAX_CHARS: usize = 300;

pub(super) const NETWORK: Tool = Tool {
    name: "guest_network",
    title: "Change a guest's network cards",
    about: "Sets up or changes a network card, keeping what is not given; or removes it.",
    actions: Actions::ByWord(&[
        Action::new(
            "set",
            &[
                change::READS,
                current::READS,
                place::READS,
                &change::at_once(Mark::CHANGE),
            ],
        ),
        Action::new(
            "remove",
            &[
                change::READS,
                current::READS,
                &change::at_once(Mark::CHANGE.interrupts()),
            ],
        ),
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::ACTION,
        Param::new("net", ParamKind::Word(Word::Id), "as net0; else a new one").optional(),
        Param::new(
            "bridge",
            ParamKind::Word(Word::Id),
            "as vmbr0; a new card: else the default",
        )
        .optional(),
        Param::new(
            "model",
            ParamKind::Word(Word::Id),
            "of a VM's card; else virtio",
        )
        .optional(),
        Param::new("tag", ParamKind::Int(0, 4094), "VLAN; 0: none").optional(),
        Param::new(
            "firewall",
            ParamKind::Bool,
            "whether its rules hold for the card",
        )
        .optional(),
        Param::new("macaddr", ParamKind::Text(17), "else kept, or a new one").optional(),
        Param::new(
            "ip",
            ParamKind::Text(43),
            "of a container: dhcp, manual or 10.0.0.5/24",
        )
        .optional(),
        Param::new("gw", ParamKind::Text(43), "of a container: gateway").optional(),
    ],
    answer: &[("vmid", "integer"), ("net", "string"), ("state", "string")],
    task: false,
    plan: None,
    run: RunFn::Steps(network),
};

fn network(reach: &Reach, args: &Args) -> StepResult {
    match args.need("action")? {
        "remove" => remove(reach, args),
        _ => set(reach, args),
    }
}

fn remove(reach: &Reach, args: &Args) -> StepResult {
    let config = change::unlocked(reach)?;
    let mut problems = Problems::default();
    let mut more = args.iter().map(|(name, _)| name.as_str());
    if more.any(|name| !["guest", "action", "net"].contains(&name)) {
        problems.add("action `remove` takes `guest` and `net` only".into());
    }
    let key = args.text("net").unwrap_or_default();
    let card = problems.take(card(reach, &config, key))?;
    problems.end()?;
    let params = Map::from_iter([("delete".to_string(), Value::from(key))]);
    let request = change::request(reach, Verb::Put, &config, params)?;
    let mut answer = answer_for(reach)?;
    answer.insert("net".into(), key.into());
    let was = card.unwrap_or_default().to_string();
    answer.insert("removed".into(), printable(&was, CARD_MAX_CHARS).into());
    change::send(reach, args, request, config, |_, _, changed| {
        answer.extend(changed);
        Ok(answer.into())
    })
}

/// The card under a key.
fn card(reach: &Reach, config: &Map<String, Value>, key: &str) -> Result<Properties, Error> {
    let found = property::at(config, key).filter(|_| property::is_card(key));
    found.ok_or_else(|| {
        let mut there: Vec<&str> = config
            .keys()
            .map(String::as_str)
            .filter(|key| property::is_card(key))
            .collect();
        there.sort_unstable();
        let what = if key.is_empty() {
            "`net` does not say which card".to_string()
        } else {
            format!("there is no card `{key}`")
        };
        Error::bad(format!(
            "{}: {what}; guest {} has: {}",
            reach.cluster_name(),
            reach.guest().map(|guest| guest.vmid).unwrap_or_default(),
            place::names(there.into_iter())
        ))
    })
}

fn set(reach: &Reach, args: &Args) -> StepResult {
    let guest = reach.guest()?;
    let config = change::unlocked(reach)?;
    let mut problems = Problems::default();
    problems.take(fits(guest.kind, args))?;
    let key = problems
        .take(key(guest.kind, &config, args))?
        .unwrap_or_default();
    let before = property::at(&config, &key);
    let mut bridge = args.text("bridge").map(str::to_string);
    if bridge.is_some() || before.is_none() {
        bridge = problems.take(place::bridge(reach, &guest.node, args.text("bridge")))?;
    }
    problems.end()?;
    let wish = CardChange {
        bridge,
        ..CardChange::of(args)
    };
    let after = match guest.kind {
        GuestKind::Qemu => wish.on_vm(before.clone()),
        GuestKind::Lxc => wish.on_container(before.clone(), &config),
    };
    let mut answer = answer_for(reach)?;
    answer.insert("net".into(), key.clone().into());
    if before.as_ref() == Some(&after) {
        answer.insert(
            "card".into(),
            printable(&after.to_string(), CARD_MAX_CHARS).into(),
        );
        answer.insert("state".into(), "ok".into());
        answer.insert("unchanged".into(), "it was so already".into());
        return Ok(answer.into());
    }
    let params = Map::from_iter([(key.clone(), Value::from(after.to_string()))]);
    let request = change::request(reach, Verb::Put, &config, params)?;
    change::send(reach, args, request, config, move |reach, _, changed| {
        // Proxmox adds the MAC of a new card.
        let config = change::config(reach).unwrap_or_default();
        let now = property::at(&config, &key).unwrap_or(after);
        let now = printable(&now.to_string(), CARD_MAX_CHARS);
        answer.insert("card".into(), now.into());
        answer.extend(changed);
        Ok(answer.into())
    })
}

/// The key in the argument, or the next free one.
fn key(kind: GuestKind, config: &Map<String, Value>, args: &Args) -> Result<String, Error> {
    match args.text("net") {
        Some(key) if property::is_card(key) => Ok(key.to_string()),
        Some(key) => Err(Error::bad(format!(
            "`{key}` is no network card: net0 to net31"
        ))),
        None => property::free_key(kind, config, "net")
            .ok_or_else(|| Error::bad("all of net0 to net31 are in use")),
    }
}

/// Whether the arguments are for this kind of guest and safe in a property string.
fn fits(kind: GuestKind, args: &Args) -> Result<(), Error> {
    let foreign: &[&str] = match kind {
        GuestKind::Qemu => &["ip", "gw"],
        GuestKind::Lxc => &["model"],
    };
    let given = foreign.iter().filter(|name| args.has(name));
    let mut problems: Vec<String> = given
        .map(|name| format!("`{name}` is not for a {}", kind.word()))
        .collect();
    for name in ["ip", "gw"] {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:/".contains(c);
        if args
            .text(name)
            .is_some_and(|text| text.is_empty() || !text.chars().all(plain))
        {
            problems.push(format!("`{name}` is no address"));
        }
    }
    if args.text("macaddr").is_some_and(|mac| !is_mac(mac)) {
        problems.push("`macaddr` is written as BC:24:11:00:00:01".into());
    }
    let names = ["bridge", "model", "tag", "firewall", "macaddr", "ip", "gw"];
    if args.has("net") && !names.iter().any(|name| args.has(name)) {
        problems.push("nothing to change is given".into());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::bad_arguments(problems))
    }
}

fn is_mac(text: &str) -> bool {
    let pairs: Vec<&str> = text.split(':').collect();
    let hex = |pair: &&str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    pairs.len() == 6 && pairs.iter().all(hex)
}

/// What a card is to be; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct CardChange {
    pub bridge: Option<String>,
    pub model: Option<String>,
    pub tag: Option<i64>,
    pub firewall: Option<bool>,
    pub mac: Option<String>,
    pub ip: Option<String>,
    pub gw: Option<String>,
}

impl CardChange {
    fn of(args: &Args) -> CardChange {
        let text = |name: &str| args.text(name).map(str::to_string);
        CardChange {
            bridge: text("bridge"),
            model: text("model"),
            tag: args.int("tag"),
            firewall: args.bool("firewall"),
            mac: text("macaddr").map(|mac| mac.to_ascii_uppercase()),
            ip: text("ip"),
            gw: text("gw"),
        }
    }

    /// A VM's card, which begins with `model=MAC`.
    pub fn on_vm(&self, before: Option<Properties>) -> Properties {
        let mut card = before.unwrap_or_default();
        let (model, mac) = match (card.first(), card.get("model")) {
            (_, Some(model)) => (Some(model), card.get("macaddr")),
            (Some((Some(model), mac)), None) => (Some(model), Some(mac)),
            (Some((None, model)), None) => (Some(model), None),
            (None, None) => (None, None),
        };
        let model = self
            .model
            .as_deref()
            .or(model)
            .unwrap_or("virtio")
            .to_string();
        let mac = self.mac.as_deref().or(mac).map(str::to_string);
        if card.get("model").is_some() {
            card.set("model", model);
            if let Some(mac) = mac {
                card.set("macaddr", mac);
            }
        } else {
            match mac {
                Some(mac) => card.set_first(Some(&model), &mac),
                None => card.set_first(None, &model),
            }
        }
        self.shared(&mut card);
        card
    }

    /// A container's card, which has a name of its own.
    pub fn on_container(
        &self,
        before: Option<Properties>,
        config: &Map<String, Value>,
    ) -> Properties {
        let mut card = before.unwrap_or_else(|| {
            let mut card = Properties::default();
            card.set("name", free_name(config));
            card
        });
        self.shared(&mut card);
        let texts = [("hwaddr", &self.mac), ("ip", &self.ip), ("gw", &self.gw)];
        for (key, value) in texts {
            if let Some(value) = value {
                card.set(key, value.clone());
            }
        }
        // An address of DHCP comes with its gateway.
        if self.gw.is_none()
            && card
                .get("ip")
                .is_some_and(|ip| ip == "dhcp" || ip == "manual")
        {
            card.remove("gw");
        }
        card
    }

    fn shared(&self, card: &mut Properties) {
        if let Some(bridge) = &self.bridge {
            card.set("bridge", bridge.clone());
        }
        match self.tag {
            None => {}
            Some(0) => card.remove("tag"),
            Some(tag) => card.set("tag", tag.to_string()),
        }
        match self.firewall {
            None => {}
            Some(false) => card.remove("firewall"),
            Some(true) => card.set("firewall", "1"),
        }
    }
}

/// The first `ethN` that no card of the container has.
fn free_name(config: &Map<String, Value>) -> String {
    let cards = config.keys().filter(|key| property::is_card(key));
    let taken: Vec<String> = cards
        .filter_map(|key| property::at(config, key)?.get("name").map(str::to_string))
        .collect();
    let mut names = (0..=taken.len()).map(|number| format!("eth{number}"));
    names
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| "eth0".into())
}
