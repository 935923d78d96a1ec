//! `guest_disk`: disks of a VM and volumes of a container: added, grown, moved to another storage,
//! detached, removed.

use serde_json::{Map, Value, json};

use super::property::{self, DiskContent, Properties};
use super::{GUEST, answer_for, change, place, unused};
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::size;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::gib;
use crate::tool::step::{self, StepResult};
use crate::tool::write::Write;
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::disks;
use crate::tools::fleet::quorum;
use crate::tools::plan;

pub(super) const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
/// A size without a letter is in these.
const GIB: u64 = 1 << 30;

pub(super) const DISK: Tool = Tool {
    name: "guest_disk",
    title: "Change a guest's disks",
    about: "Adds a disk (`unused0`: attaches it again), grows it (`size` 100G or +10G), moves it to `storage`, detaches it to an `unusedN`, or removes it with its data, which asks first.",
    actions: Actions::ByWord(&[
        Action::new(
            "add",
            &[
                change::READS,
                current::READS,
                place::READS,
                &change::slowly(Mark::CHANGE),
            ],
        ),
        Action::new(
            "resize",
            &[
                change::READS,
                current::READS,
                quorum::READS,
                &[
                    sending::put("/nodes/{node}/qemu/{vmid}/resize"),
                    sending::put("/nodes/{node}/lxc/{vmid}/resize"),
                ],
            ],
        ),
        Action::new(
            "move",
            &[
                change::READS,
                current::READS,
                place::READS,
                quorum::READS,
                &[
                    sending::post("/nodes/{node}/qemu/{vmid}/move_disk").weighing(Mark::CHANGE),
                    sending::post("/nodes/{node}/lxc/{vmid}/move_volume").weighing(Mark::CHANGE),
                ],
            ],
        ),
        Action::new(
            "detach",
            &[
                change::READS,
                current::READS,
                &change::at_once(Mark::CHANGE),
            ],
        ),
        Action::new(
            "remove",
            &[
                change::READS,
                current::READS,
                plan::READS,
                unused::READS,
                quorum::READS,
                &change::slowly(Mark::FULL.destroys()),
            ],
        ),
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::ACTION,
        Param::new(
            "disk",
            ParamKind::Word(Word::Id),
            "as scsi1, mp0, unused0; for `add` else the next free",
        )
        .optional(),
        Param::new("size", ParamKind::Text(20), "100G in all, or +10G more").optional(),
        Param::new("storage", ParamKind::Word(Word::Storage), "where it goes").optional(),
        Param::new(
            "mp",
            ParamKind::Text(200),
            "path in the container, for `add`",
        )
        .optional(),
        Param::new(
            "delete",
            ParamKind::Bool,
            "the source of a move; else kept as `unusedN`",
        )
        .optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(unused::plan),
    run: RunFn::Steps(disk),
};

fn disk(reach: &Reach, args: &Args) -> StepResult {
    let action = args.need("action")?;
    let fits: &[&str] = match action {
        "add" => match args.text("disk") {
            Some(key) if property::is_unused(key) => &["disk", "mp"],
            _ => &["disk", "size", "storage", "mp"],
        },
        "resize" => &["disk", "size"],
        "move" => &["disk", "storage", "delete"],
        _ => &["disk"],
    };
    let other = args.iter().map(|(name, _)| name.as_str());
    let other = other.filter(|name| !["guest", "action"].contains(name) && !fits.contains(name));
    let problems: Vec<String> = other
        .map(|name| format!("`{name}` is not for action `{action}`"))
        .collect();
    if !problems.is_empty() {
        return Err(Error::bad_arguments(problems));
    }
    match action {
        "add" => add(reach, args),
        "resize" => resize(reach, args),
        "move" => relocate(reach, args),
        "detach" => unused::detach(reach, args),
        _ => unused::remove(reach, args),
    }
}

/// A disk that the guest has.
pub(super) struct FoundDisk {
    pub key: String,
    pub volume: String,
    pub properties: Properties,
}

impl FoundDisk {
    /// In bytes, where the configuration says it.
    pub(super) fn size(&self) -> Option<u64> {
        self.properties
            .get("size")
            .and_then(|size| size::bytes(size, 1))
    }
}

/// The disk in the argument, which has to hold a volume.
///
/// # Errors
/// It is not there; with those that are.
pub(super) fn find(
    reach: &Reach,
    args: &Args,
    config: &Map<String, Value>,
) -> Result<FoundDisk, Error> {
    let kind = reach.guest()?.kind;
    let wrong = |problem: String| {
        let vmid = reach.guest().map(|guest| guest.vmid).unwrap_or_default();
        Err(Error::bad(format!(
            "{}: guest {vmid} {problem}",
            reach.cluster_name()
        )))
    };
    let is_disk = |key: &str| property::is_disk(kind, key) || property::is_unused(key);
    let mut there: Vec<&str> = config
        .keys()
        .map(String::as_str)
        .filter(|key| is_disk(key))
        .collect();
    there.sort_unstable();
    let Some(key) = args.text("disk") else {
        let there = place::names(there.into_iter());
        return wrong(format!(
            "has these disks, and `disk` does not say which: {there}"
        ));
    };
    let Some(properties) = property::at(config, key).filter(|_| is_disk(key)) else {
        let there = place::names(there.into_iter());
        return wrong(format!("has no disk `{key}`; it has: {there}"));
    };
    match property::held(&properties) {
        DiskContent::Volume(volume) => Ok(FoundDisk {
            key: key.to_string(),
            volume,
            properties,
        }),
        DiskContent::Cd => wrong(format!(
            "has a CD drive at `{key}`; eject it by guest_configure with `settings` {{\"{key}\": \
             \"none,media=cdrom\"}}"
        )),
        DiskContent::OfNode => wrong(format!(
            "has at `{key}` a device or folder of its node, no volume"
        )),
    }
}

fn add(reach: &Reach, args: &Args) -> StepResult {
    if args.text("disk").is_some_and(property::is_unused) {
        return unused::attach(reach, args);
    }
    let guest = reach.guest()?;
    let mut problems = place::Problems::default();
    let size = args
        .text("size")
        .and_then(|size| size::bytes(size, GIB))
        .filter(|size| *size > 0);
    if size.is_none() {
        problems.add("`size` of the new disk is given as `32G`, or in GiB".into());
    }
    let content = place::disks_of(guest.kind);
    let storage = place::storage(reach, &guest.node, content, args.text("storage"));
    let store = problems.take(storage)?;
    let config = change::unlocked(reach)?;
    let key = problems
        .take(new_key(guest.kind, &config, args.text("disk")))?
        .unwrap_or_default();
    let mp = problems.take(mount_point(guest.kind, args))?.flatten();
    problems.end()?;
    let gib = size.map(in_gib).unwrap_or_default();
    let mut value = String::new();
    if let Some(store) = &store {
        value = format!("{}:{gib}", store.name);
        value.push_str(&store.format_part(guest.kind, &key));
        store.tell(reach, guest.kind, &key);
    }
    if let Some(mp) = mp {
        value.push_str(&format!(",mp={mp}"));
    }
    let params = Map::from_iter([(key.clone(), Value::from(value))]);
    let verb = change::slow_verb(guest.kind);
    let request = change::request(reach, verb, &config, params)?;
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), key.clone().into());
    answer.insert("storage".into(), store.map(|store| store.name).into());
    change::send(reach, args, request, config, move |reach, _, changed| {
        answer.extend(changed);
        if step::has_ended(&answer)
            && let Ok(config) = change::config(reach)
        {
            let made = property::at(&config, &key).map(|made| property::held(&made));
            if let Some(DiskContent::Volume(volume)) = made {
                answer.insert("volume".into(), printable(&volume, VOLUME_MAX_CHARS).into());
            }
        }
        Ok(answer.into())
    })
}

/// A new disk's size as Proxmox takes it: GiB, perhaps with three digits behind the point.
fn in_gib(bytes: u64) -> String {
    let whole = bytes / GIB;
    let thousandths = (bytes % GIB).saturating_mul(1000) / GIB;
    if thousandths == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{thousandths:03}");
    text.trim_end_matches('0').to_string()
}

/// The key that is given, or the next free one of its bus.
pub(super) fn new_key(
    kind: GuestKind,
    config: &Map<String, Value>,
    given: Option<&str>,
) -> Result<String, Error> {
    let usual = match kind {
        GuestKind::Qemu => "scsi",
        GuestKind::Lxc => "mp",
    };
    let given = given.unwrap_or(usual);
    if property::is_disk(kind, given) {
        if config.contains_key(given) {
            return Err(Error::bad(format!(
                "`{given}` is in use; without `disk` the next free one is taken"
            )));
        }
        return Ok(given.to_string());
    }
    property::free_key(kind, config, given).ok_or_else(|| {
        Error::bad(format!(
            "`{given}` is no disk that this guest can have more of"
        ))
    })
}

pub(super) fn mount_point(kind: GuestKind, args: &Args) -> Result<Option<String>, Error> {
    match (kind, args.text("mp")) {
        (GuestKind::Qemu, None) => Ok(None),
        (GuestKind::Qemu, Some(_)) => Err(Error::bad("`mp` is for containers only")),
        (GuestKind::Lxc, Some(path)) if path.starts_with('/') && !path.contains([',', '\n']) => {
            Ok(Some(path.to_string()))
        }
        (GuestKind::Lxc, _) => Err(Error::bad(
            "`mp` is the path in the container, as `/srv/data`, and has no comma",
        )),
    }
}

fn resize(reach: &Reach, args: &Args) -> StepResult {
    let config = change::unlocked(reach)?;
    let found = find(reach, args, &config)?;
    let cluster = reach.cluster_name();
    let key = &found.key;
    if property::is_unused(key) {
        return Err(Error::bad(format!(
            "{cluster}: `{key}` is used by no disk, so it cannot grow"
        )));
    }
    let given = args.text("size").unwrap_or_default();
    let (more, amount) = match given.strip_prefix('+') {
        Some(amount) => (true, amount),
        None => (false, given),
    };
    let Some(amount) = size::bytes(amount, GIB).filter(|amount| *amount > 0) else {
        return Err(Error::bad(
            "`size` is the new size as `100G`, or what is added as `+10G`",
        ));
    };
    let now = found.size();
    let then = if more {
        now.map(|now| now.saturating_add(amount))
    } else {
        Some(amount)
    };
    if let (Some(now), Some(then)) = (now, then)
        && then <= now
    {
        return Err(Error::bad(format!(
            "{cluster}: `{key}` has {} already, and a disk is never made smaller",
            size::text(now)
        )));
    }
    // Without quorum the image would grow, and the configuration keep the old size.
    quorum::held(reach, "a resize")?;
    let plus = if more { "+" } else { "" };
    let request = reach.on_guest(Verb::Put, "/resize", &[])?;
    let request = request.with("disk", key.as_str());
    let request = request.with("size", format!("{plus}{}", size::text(amount)));
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), key.as_str().into());
    if let Some(now) = now {
        answer.insert("old_gib".into(), json!(gib(now)));
    }
    if let Some(then) = then {
        answer.insert("new_gib".into(), json!(gib(then)));
    }
    let request = change::with_digest(request, &config);
    Write::new(request, answer).step(reach, args)
}

/// Moves a disk to another storage. The old volume stays as `unusedN` unless `delete` is set.
fn relocate(reach: &Reach, args: &Args) -> StepResult {
    let guest = reach.guest()?;
    let config = change::unlocked(reach)?;
    let found = find(reach, args, &config)?;
    let cluster = reach.cluster_name();
    let key = &found.key;
    let mut problems = place::Problems::default();
    if property::is_unused(key) {
        problems.add(format!(
            "{cluster}: `{key}` is used by no disk, so it is not moved"
        ));
    }
    let Some(storage) = args.text("storage") else {
        problems.add("`storage` to move it to is missing".into());
        return problems.end().map(|()| Map::new().into());
    };
    if disks::storage_of(&found.volume) == Some(storage) {
        problems.add(format!("{cluster}: `{key}` is on `{storage}` already"));
    }
    let content = place::disks_of(guest.kind);
    let store = problems.take(place::storage(reach, &guest.node, content, Some(storage)))?;
    problems.end()?;
    // Without quorum all would be copied before it fails.
    quorum::held(reach, "a move")?;
    let (path, name) = match guest.kind {
        GuestKind::Qemu => ("/move_disk", "disk"),
        GuestKind::Lxc => ("/move_volume", "volume"),
    };
    let request = reach.on_guest(Verb::Post, path, &[])?;
    let request = request.with(name, key.as_str()).with("storage", storage);
    let mut request = request.with("delete", args.yes("delete"));
    if let Some(store) = store {
        store.tell(reach, guest.kind, key);
        if let Some(format) = store.format(guest.kind, key) {
            request = request.with("format", format);
        }
    }
    let mut answer = answer_for(reach)?;
    answer.insert("disk".into(), key.as_str().into());
    answer.insert("storage".into(), storage.into());
    let write = Write::new(change::with_digest(request, &config), answer);
    let write = write.then(move |reach, args, mut answer| {
        if !args.yes("delete") {
            unused::name_kept(reach, &found.volume, &mut answer)?;
        }
        Ok(answer.into())
    });
    write.step(reach, args)
}
