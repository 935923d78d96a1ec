//! `guest_configure`: any setting of a guest. Disks and network cards are taken away by tools of
//! their own, which are marked for it.

use serde_json::{Map, Value};

use super::no_effect::{self, RevertedChanges};
use super::place::{self, Problems};
use super::property::{self, DiskContent, Properties};
use super::settings::{self, SETTINGS};
use super::{GUEST, answer_for, change, encoded};
use crate::api::loose::plain;
use crate::api::mark::Mark;
use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::repeated;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, SizeUnit, Word};
use crate::tool::step::StepResult;
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::current;

/// The most tags and options that one call changes.
const NAMES_MAX: usize = 50;

pub(super) const CONFIGURE: Tool = Tool {
    name: "guest_configure",
    title: "Configure a guest",
    about: "Changes settings of a guest; returns what changed and what is `pending` until a reboot. Not disks (guest_disk) and cards (guest_network).",
    actions: Actions::one(&[
        change::READS,
        current::READS,
        &change::at_once(Mark::CHANGE),
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new("name", ParamKind::Word(Word::DnsName), "a new one")
            .optional()
            .cleared_by("name `name` in `delete` to unset it"),
        Param::new("cores", ParamKind::Int(1, 8192), "").optional(),
        Param::new(
            "memory",
            ParamKind::Size(SizeUnit::MiB, 16, 16_777_216),
            "MiB",
        )
        .optional(),
        Param::new("onboot", ParamKind::Bool, "start with its node").optional(),
        Param::new("startup", ParamKind::Text(100), "`order=2,up=30,down=60`")
            .optional()
            .cleared_by("name `startup` in `delete` to unset it"),
        Param::new("protection", ParamKind::Bool, "against deletion").optional(),
        Param::new("tags_add", ParamKind::Texts(NAMES_MAX), "")
            .optional()
            .cleared_by("name in `tags_remove` what is to go"),
        Param::new("tags_remove", ParamKind::Texts(NAMES_MAX), "").optional(),
        SETTINGS,
        Param::new(
            "delete",
            ParamKind::Texts(NAMES_MAX),
            "options to unset, by the API's names",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer"), ("state", "string")],
    task: false,
    plan: None,
    run: RunFn::Steps(configure),
};

/// Parameters of the API that stand for an argument or are another tool's.
const TAKEN: &[(&str, &str)] = &[
    ("cores", "the argument `cores`"),
    ("memory", "the argument `memory`"),
    ("onboot", "the argument `onboot`"),
    ("startup", "the argument `startup`"),
    ("protection", "the argument `protection`"),
    ("delete", "the argument `delete`"),
    ("force", "guest_disk"),
    (
        "template",
        "the web interface, since what is made a template is one for good",
    ),
];

/// What a call wants, checked as far as that goes without reading the guest.
struct WantedSettings {
    settings: Map<String, Value>,
    deleted: Vec<String>,
    /// Other guests of the new name.
    namesakes: Option<String>,
}

impl WantedSettings {
    fn of(reach: &Reach, args: &Args) -> Result<WantedSettings, Error> {
        let guest = reach.guest()?;
        let mut problems = Problems::default();
        let settings = problems.take(free(args, guest.kind))?;
        let deleted = problems.take(deleted(args, guest.kind))?;
        let tags = args.texts("tags_add").into_iter();
        let tags = tags.chain(args.texts("tags_remove"));
        for tag in tags.filter(|tag| !property::is_tag(tag)) {
            problems.add(format!(
                "`{}` is no tag: letters, digits, `_`, `-`, `+`, `.`, the first no sign",
                repeated(tag)
            ));
        }
        if !args.iter().any(|(name, _)| name != "guest") {
            problems.add("nothing to change is given".into());
        }
        let mut namesakes = None;
        if let Some(name) = args.text("name") {
            problems.take(reach.check_second_name(name))?;
            namesakes = place::namesakes(reach, name, Some(guest.vmid))?;
        }
        problems.end()?;
        Ok(WantedSettings {
            settings: settings.unwrap_or_default(),
            deleted: deleted.unwrap_or_default(),
            namesakes,
        })
    }
}

fn configure(reach: &Reach, args: &Args) -> StepResult {
    let kind = reach.guest()?.kind;
    let WantedSettings {
        settings,
        mut deleted,
        namesakes,
    } = WantedSettings::of(reach, args)?;
    let config = change::unlocked(reach)?;
    let mut params = named(args, kind);
    params.extend(settings);
    let (add, remove) = (args.texts("tags_add"), args.texts("tags_remove"));
    let mut tags = None;
    if !add.is_empty() || !remove.is_empty() {
        let now = config.get("tags").map(plain).unwrap_or_default();
        let after = property::retag(&now, &add, &remove);
        if after.is_empty() && !property::tags(&now).is_empty() {
            // An empty text does not unset them: it leaves a blank.
            deleted.push("tags".into());
        } else if after != property::tags(&now) {
            params.insert("tags".into(), after.join(";").into());
        }
        tags = Some(after);
    }
    let mut answer = answer_for(reach)?;
    if let Some(name) = args.text("name") {
        answer.insert("name".into(), name.into());
    }
    let mut changed = changed(&config, &params, &deleted);
    let told = no_effect::told(kind, &config, &params, &deleted);
    if !deleted.is_empty() {
        params.insert("delete".into(), deleted.join(",").into());
    }
    let told_of = move |changed: Vec<String>, sent: Map<String, Value>| {
        answer.insert("changed".into(), changed.into());
        if let Some(tags) = tags {
            answer.insert("tags".into(), tags.into());
        }
        answer.extend(sent);
        answer
    };
    if params.is_empty() {
        let sent = Map::from_iter([("state".to_string(), "ok".into())]);
        return Ok(told_of(changed, sent).into());
    }
    let request = change::request(reach, Verb::Put, &config, params)?;
    if args.has("settings") {
        reach.check(&request)?;
    }
    let reverted = RevertedChanges::read(reach, &request.params)?;
    change::send(reach, args, request, config, move |_, _, mut sent| {
        let notes = namesakes.into_iter().chain(told);
        let notes = notes.chain(reverted.as_ref().and_then(RevertedChanges::told));
        let notes: Vec<String> = notes.collect();
        if !notes.is_empty() {
            sent.insert("notes".into(), notes.into());
        }
        changed.extend(reverted.into_iter().flat_map(|reverted| reverted.pending));
        Ok(told_of(changed, sent).into())
    })
}

/// The options that have another value after it.
fn changed(
    config: &Map<String, Value>,
    params: &Map<String, Value>,
    deleted: &[String],
) -> Vec<String> {
    let is_option = |key: &&String| !matches!(key.as_str(), "digest" | "revert");
    let set = params
        .iter()
        .filter(|(key, value)| !is_so(key, config.get(*key), value));
    let unset = deleted.iter().filter(|key| config.contains_key(*key));
    let changed = set.map(|(key, _)| key).chain(unset);
    changed.filter(is_option).cloned().collect()
}

/// Whether an option has this value already.
fn is_so(key: &str, now: Option<&Value>, value: &Value) -> bool {
    now.is_some_and(|now| encoded::is_same(key, &plain(now), &plain(value)))
}

fn free(args: &Args, kind: GuestKind) -> Result<Map<String, Value>, Error> {
    let name = match kind {
        GuestKind::Qemu => "name",
        GuestKind::Lxc => "hostname",
    };
    let mut taken = TAKEN.to_vec();
    taken.push((name, "the argument `name`"));
    if args.has("tags_add") || args.has("tags_remove") {
        taken.push(("tags", "`tags_add` and `tags_remove`"));
    }
    let mut problems = Problems::default();
    let free = problems.take(settings::free(args, &taken))?;
    for (key, value) in args.settings("settings") {
        if let Some(tool) = tool_of(kind, &key, &value) {
            problems.add(format!("`settings` may not have `{key}`: use {tool}"));
        }
    }
    problems.end()?;
    Ok(free.unwrap_or_default())
}

/// The tool that a disk or a network card is changed by. What is put into a CD drive is a setting,
/// and so is the drive of cloud-init.
fn tool_of(kind: GuestKind, key: &str, value: &Value) -> Option<&'static str> {
    let value = plain(value);
    let medium = property::held(&Properties::parse(&value)) == DiskContent::Cd
        || property::is_cloud_init(&value);
    if property::is_card(key) {
        Some("guest_network")
    } else if property::is_unused(key) || (property::is_disk(kind, key) && !medium) {
        Some("guest_disk")
    } else {
        None
    }
}

/// The arguments that are parameters of the API.
fn named(args: &Args, kind: GuestKind) -> Map<String, Value> {
    let mut params = Map::new();
    if let Some(name) = args.text("name") {
        let key = match kind {
            GuestKind::Qemu => "name",
            GuestKind::Lxc => "hostname",
        };
        params.insert(key.into(), name.into());
    }
    for name in ["cores", "memory", "onboot", "startup", "protection"] {
        match args.get(name) {
            // The API's `memory` of a VM is a property string.
            Some(value) if name == "memory" && kind == GuestKind::Qemu => {
                params.insert(name.into(), plain(value).into());
            }
            Some(value) => {
                params.insert(name.into(), value.clone());
            }
            None => {}
        }
    }
    params
}

/// The options to unset.
///
/// # Errors
/// Disks and network cards are among them.
fn deleted(args: &Args, kind: GuestKind) -> Result<Vec<String>, Error> {
    let given = args.texts("delete");
    let keys: Vec<String> = given.iter().flat_map(|one| property::names(one)).collect();
    let problems = keys.iter().filter_map(|key| {
        if property::is_disk(kind, key) || property::is_unused(key) {
            Some(format!(
                "`delete` has the disk `{key}`: use guest_disk with `detach` or `remove`"
            ))
        } else if property::is_card(key) {
            Some(format!(
                "`delete` has the network card `{key}`: use guest_network with `remove`"
            ))
        } else if key == "vmstate" {
            Some(
                "`delete` has `vmstate`, the saved memory of a hibernated guest, which would be lost: \
                 guest_power with `start` goes on from it"
                    .into(),
            )
        } else {
            None
        }
    });
    let problems: Vec<String> = problems.collect();
    if problems.is_empty() {
        Ok(keys)
    } else {
        Err(Error::bad_arguments(problems))
    }
}
