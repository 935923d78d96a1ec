//! `guest_cloudinit`: what a VM learns from its cloud-init drive: who may log in, and by which addresses it is
//! reached. The drive is added where there is none.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde_json::{Map, Value};

use super::no_effect::{free_drive_key, has_drive};
use super::place::Problems;
use super::property::{self, Properties};
use super::{GUEST, answer_for, change, encoded};
use crate::api::loose::{flag, plain};
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::repeated;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::StepResult;
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::disks;

const KEYS_MAX: usize = 50;
const NAME_MAX_CHARS: usize = 64;
const SECRET_MAX_CHARS: usize = 200;
const ADDRESS_MAX_CHARS: usize = 43;
const CARD_MAX: i64 = 31;
/// How a public key begins.
const KEY_KINDS: &[&str] = &["ssh-", "ecdsa-", "sk-"];
/// Our names, and the API's, of what is an option of its own.
const OPTIONS: &[(&str, &str)] = &[
    ("user", "ciuser"),
    ("password", "cipassword"),
    ("nameserver", "nameserver"),
    ("searchdomain", "searchdomain"),
];
/// Parts of an option for a card.
const ADDRESSES: &[&str] = &["ip", "gw", "ip6", "gw6"];
const UPGRADE: &str = "ciupgrade";
const KEYS: &str = "sshkeys";

pub(super) const CLOUDINIT: Tool = Tool {
    name: "guest_cloudinit",
    title: "Set what cloud-init tells a VM",
    about: "Sets user, password, SSH keys, addresses and name servers of a VM by cloud-init, keeping what is not given; adds the \
            drive where it is missing. The VM reads it at its next start. A container's addresses: guest_network.",
    actions: Actions::one(&[
        change::READS,
        current::READS,
        &[
            sending::put("/nodes/{node}/qemu/{vmid}/config").weighing(Mark::CHANGE),
            sending::post("/nodes/{node}/qemu/{vmid}/config").weighing(Mark::CHANGE),
            sending::put("/nodes/{node}/qemu/{vmid}/cloudinit"),
        ],
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new(
            "user",
            ParamKind::Text(NAME_MAX_CHARS),
            "else the image's own",
        )
        .optional(),
        Param::new(
            "password",
            ParamKind::Text(SECRET_MAX_CHARS),
            "rather give keys",
        )
        .optional(),
        Param::new(
            "keys",
            ParamKind::Texts(KEYS_MAX),
            "SSH public keys, all that may log in",
        )
        .optional(),
        Param::new(
            "net",
            ParamKind::Int(0, CARD_MAX),
            "which card the addresses are of; else 0",
        )
        .optional(),
        Param::new(
            "ip",
            ParamKind::Text(ADDRESS_MAX_CHARS),
            "dhcp or 10.0.0.5/24",
        )
        .optional(),
        Param::new("gw", ParamKind::Text(ADDRESS_MAX_CHARS), "gateway").optional(),
        Param::new(
            "ip6",
            ParamKind::Text(ADDRESS_MAX_CHARS),
            "auto, dhcp or 2001:db8::5/64",
        )
        .optional(),
        Param::new("gw6", ParamKind::Text(ADDRESS_MAX_CHARS), "gateway").optional(),
        Param::new(
            "nameserver",
            ParamKind::Text(SECRET_MAX_CHARS),
            "addresses, a blank between",
        )
        .optional(),
        Param::new(
            "searchdomain",
            ParamKind::Word(Word::DnsName),
            "where bare names are looked for",
        )
        .optional(),
        Param::new("upgrade", ParamKind::Bool, "packages at its first start").optional(),
        Param::new(
            "delete",
            ParamKind::SomeOf(&[
                "user",
                "password",
                "keys",
                "ip",
                "gw",
                "ip6",
                "gw6",
                "nameserver",
                "searchdomain",
            ]),
            "to unset",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer"), ("state", "string")],
    task: false,
    plan: None,
    run: RunFn::Steps(cloudinit),
};

fn cloudinit(reach: &Reach, args: &Args) -> StepResult {
    let guest = reach.guest()?;
    let cluster = reach.cluster_name();
    if guest.kind == GuestKind::Lxc {
        return Err(Error::bad(format!(
            "{cluster}: guest {} is a container, which knows no cloud-init: `guest_network` sets its addresses, and \
             `guest_create_container` its keys",
            guest.vmid
        )));
    }
    fit(args)?;
    let config = change::unlocked(reach)?;
    let mut wanted = WantedCloudInit::default();
    wanted.options(args, &config);
    wanted.addresses(reach, args, &config)?;
    if wanted.params.is_empty() && wanted.deleted.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: nothing of what cloud-init tells guest {} would be changed by it",
            guest.vmid
        )));
    }
    let drive = match has_drive(&config) {
        true => None,
        false => Some(drive(reach, &config)?),
    };
    let changed: Vec<String> = wanted
        .params
        .keys()
        .chain(&wanted.deleted)
        .cloned()
        .collect();
    let mut params = wanted.params;
    encoded::encode(&mut params);
    if !wanted.deleted.is_empty() {
        params.insert("delete".into(), wanted.deleted.join(",").into());
    }
    let verb = match &drive {
        Some((key, value)) => {
            params.insert(key.clone(), value.as_str().into());
            change::slow_verb(guest.kind)
        }
        None => Verb::Put,
    };
    let request = change::request(reach, verb, &config, params)?;
    let mut answer = answer_for(reach)?;
    change::send(reach, args, request, config, move |reach, _, sent| {
        answer.insert("changed".into(), changed.into());
        match drive {
            Some((key, _)) => {
                answer.insert("drive_added".into(), key.into());
            }
            // One that is new is written when it is made. What was changed stands whatever becomes of this:
            // Proxmox writes the drive at the next start as well.
            None => match reach.send(&reach.on_guest(Verb::Put, "/cloudinit", &[])?) {
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => {
                    answer.insert("drive_not_written".into(), error.to_string().into());
                }
                Ok(_) => {}
            },
        }
        answer.extend(sent);
        answer.insert(
            "notes".into(),
            vec!["the VM reads it at its next start"].into(),
        );
        Ok(answer.into())
    })
}

/// Refuses what cannot be meant, before the guest is read.
fn fit(args: &Args) -> Result<(), Error> {
    let mut problems = Problems::default();
    for key in args.texts("keys") {
        let is_key = KEY_KINDS.iter().any(|kind| key.trim().starts_with(kind));
        if !is_key || key.split_whitespace().count() < 2 {
            problems.add(format!(
                "`{}` is no public key as `ssh-ed25519 AAAA... name`",
                repeated(key)
            ));
        }
    }
    for (name, forms, is_one) in FORMS {
        let address = args.text(name).filter(|address| !is_one(address));
        if let Some(address) = address {
            problems.add(format!("`{name}` is {forms}, not `{}`", repeated(address)));
        }
    }
    let both = args
        .texts("delete")
        .into_iter()
        .filter(|name| args.has(name));
    for name in both {
        problems.add(format!("`{name}` is to be set and unset"));
    }
    problems.end()
}

/// A name of an address, how it is written, and whether a text is one.
type AddressForm = (&'static str, &'static str, fn(&str) -> bool);

const FORMS: &[AddressForm] = &[
    ("ip", "dhcp, or an address as 10.0.0.5/24", |text| {
        text == "dhcp" || is_in_network::<Ipv4Addr>(text, 32)
    }),
    ("gw", "an address as 10.0.0.1", |text| {
        text.parse::<Ipv4Addr>().is_ok()
    }),
    (
        "ip6",
        "auto, dhcp, or an address as 2001:db8::5/64",
        |text| text == "auto" || text == "dhcp" || is_in_network::<Ipv6Addr>(text, 128),
    ),
    ("gw6", "an address as 2001:db8::1", |text| {
        text.parse::<Ipv6Addr>().is_ok()
    }),
];

/// Whether it is an address with its prefix.
fn is_in_network<A: FromStr>(text: &str, most: u8) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<A>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    })
}

/// What is changed, by the API's names.
#[derive(Default)]
struct WantedCloudInit {
    params: Map<String, Value>,
    deleted: Vec<String>,
}

impl WantedCloudInit {
    fn set(&mut self, config: &Map<String, Value>, name: &str, value: Value) {
        let is_so = config
            .get(name)
            .is_some_and(|now| encoded::is_same(name, &plain(now), &plain(&value)));
        if !is_so {
            self.params.insert(name.into(), value);
        }
    }

    fn options(&mut self, args: &Args, config: &Map<String, Value>) {
        for (name, of_api) in OPTIONS {
            if let Some(text) = args.text(name) {
                self.set(config, of_api, text.into());
            }
        }
        let keys = args.texts("keys");
        if !keys.is_empty() {
            let keys: Vec<&str> = keys.into_iter().map(str::trim).collect();
            self.set(config, KEYS, keys.join("\n").into());
        }
        if let Some(upgrade) = args.bool("upgrade")
            && config
                .get(UPGRADE)
                .is_none_or(|now| flag(Some(now)) != upgrade)
        {
            self.params.insert(UPGRADE.into(), u8::from(upgrade).into());
        }
        for name in args.texts("delete") {
            let mut options = OPTIONS.iter().chain(&[("keys", KEYS)]);
            let found = options.find(|(known, _)| *known == name);
            if let Some((_, of_api)) = found.filter(|(_, of_api)| config.contains_key(*of_api)) {
                self.deleted.push((*of_api).into());
            }
        }
    }

    /// The addresses of one card, with what of it is not given.
    fn addresses(
        &mut self,
        reach: &Reach,
        args: &Args,
        config: &Map<String, Value>,
    ) -> Result<(), Error> {
        let deleted = args.texts("delete");
        let is_meant = |name: &&&str| args.has(name) || deleted.contains(*name);
        if !ADDRESSES.iter().any(|name| is_meant(&name)) {
            return match args.has("net") {
                true => Err(Error::bad(
                    "`net` goes with the addresses that it is to have",
                )),
                false => Ok(()),
            };
        }
        let number = args.int("net").unwrap_or(0);
        if !config.contains_key(&format!("net{number}")) {
            return Err(Error::bad(format!(
                "{}: guest {} has no card net{number}: `guest_network` adds one",
                reach.cluster_name(),
                reach.guest()?.vmid
            )));
        }
        let key = format!("ipconfig{number}");
        let mut properties = property::at(config, &key).unwrap_or_else(|| Properties::parse(""));
        for name in ADDRESSES {
            if let Some(address) = args.text(name) {
                properties.set(name, address);
            } else if deleted.contains(name) {
                properties.remove(name);
            }
        }
        for (gateway, address, words) in [
            ("gw", "ip", &["dhcp"][..]),
            ("gw6", "ip6", &["dhcp", "auto"]),
        ] {
            let is_given = properties
                .get(address)
                .is_some_and(|address| words.contains(&address));
            if is_given && properties.get(gateway).is_some() {
                if args.has(gateway) {
                    return Err(Error::bad(format!(
                        "`{gateway}` is for an address that is given: with {} it comes along",
                        words.join(" or ")
                    )));
                }
                // That of the former address.
                properties.remove(gateway);
            }
        }
        match properties.to_string() {
            none if none.is_empty() && config.contains_key(&key) => self.deleted.push(key),
            none if none.is_empty() => {}
            text => self.set(config, &key, text.into()),
        }
        Ok(())
    }
}

/// Where a drive for cloud-init goes, and its value: on the storage of the first disk, which takes such a drive
/// too.
fn drive(reach: &Reach, config: &Map<String, Value>) -> Result<(String, String), Error> {
    let disks = disks::of(&Value::Object(config.clone()), GuestKind::Qemu);
    let storage = disks.first().map(|disk| disk.storage.clone());
    match (free_drive_key(config), storage) {
        (Some(key), Some(storage)) => Ok((key, format!("{storage}:cloudinit"))),
        _ => Err(Error::bad(format!(
            "{}: guest {} has no cloud-init drive, and none can be added for it: it has no disk, or no free place for one",
            reach.cluster_name(),
            reach.guest()?.vmid
        ))),
    }
}
