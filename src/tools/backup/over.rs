//! A backup over an existing guest, which is planned first.

use serde_json::{Value, json};

use super::restore::{KeptFromOriginal, named, request, restored, with_hint};
use super::source::{BackupSource, RestoreTarget};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::step::{self, StepResult};
use crate::tools::current::GuestStatus;
use crate::tools::guest::{NAME_MAX_CHARS, answer_for, place};
use crate::tools::state::GuestLocation;
use crate::tools::{disks, plan};

/// What is restored over an existing guest, checked as far as it can be.
pub(super) fn plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let named = named(args)?;
    let guest = reach.guest()?;
    let wrong = |problem: String| {
        let (cluster, vmid) = (reach.cluster_name(), guest.vmid);
        Err(Error::bad(format!("{cluster}: guest {vmid} {problem}")))
    };
    let only_new: Vec<String> = ["vmid", "node"]
        .iter()
        .filter(|key| args.has(key))
        .map(|key| format!("`{key}` is for a new guest: `guest` stays what and where it is"))
        .collect();
    if !only_new.is_empty() {
        return Err(Error::bad_arguments(only_new));
    }
    if guest.kind != named.kind {
        let (is, other) = (guest.kind.word(), named.kind.word());
        return wrong(format!("is a {is}, but the archive is of a {other}"));
    }
    let current = GuestStatus::read(reach)?;
    current.unlocked(reach)?;
    if !current.is_stopped() {
        return wrong(format!("is {}: stop it first", current.status));
    }
    let node = Some(guest.node.as_str());
    let source = BackupSource::find(reach, args.need("archive")?, named, node, node)?;
    let target = RestoreTarget::choose(reach, &source, args.text("storage"))?;
    let archive = &source.archive;
    let mut shown = plan::archive_row(archive);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("size_gib".into(), json!(disks::gib(archive.bytes)));
    }
    let mut consequences = vec![
        ("archive", shown),
        ("storage", json!(target.shown)),
        ("storage_chosen_by", json!(target.chosen_by)),
    ];
    if archive.vmid != guest.vmid {
        let warning = format!("it is a backup of guest {}, not of this one", archive.vmid);
        consequences.push(("archive_of", warning.into()));
    }
    let lost = "the guest's disks, snapshots and configuration as they are: the archive's take their place";
    consequences.push(("lost", json!(lost)));
    consequences.push(("undo", json!(plan::BY_BACKUP)));
    let mut plan = plan::of_guest(reach, &consequences)?;
    let newest = plan.shown.get("last_backup");
    if newest.and_then(|newest| newest.get("volume")?.as_str()) == Some(&archive.volume) {
        let undo = "cannot be undone: there is no newer backup than the one that is restored";
        plan.shown.insert("undo".into(), undo.into());
    }
    if let Some(subject) = plan.subject.as_object_mut() {
        let bound = json!({
            "archive": archive.volume, "of": archive.vmid, "time": archive.time,
            "name": args.text("name").or(source.name()), "storage": target.sent,
            "on": target.shown, "chosen_by": target.chosen_by,
        });
        subject.insert("restore".into(), bound);
    }
    Ok(plan)
}

/// Restores what was planned.
pub(super) fn restore(reach: &Reach, args: &Args) -> StepResult {
    let guest = reach.guest()?;
    let bound = reach.planned().and_then(|planned| planned.get("restore"));
    let said = |key: &str| bound.and_then(|bound| bound.get(key)?.as_str());
    let target = RestoreTarget {
        sent: said("storage").map(str::to_string),
        shown: said("on").unwrap_or_default().to_string(),
        chosen_by: said("chosen_by").unwrap_or_default().to_string(),
    };
    let mut request =
        request(&guest.node, guest.kind, guest.vmid, args, &target)?.with("force", true);
    let unique = args.yes("unique");
    if unique {
        request = request.with("unique", true);
    }
    let mut answer = answer_for(reach)?;
    // From now on it is called as the archive says.
    if let Some(name) = said("name") {
        answer.insert("name".into(), printable(name, NAME_MAX_CHARS).into());
    }
    answer.insert("storage".into(), target.shown.into());
    answer.insert("storage_chosen_by".into(), target.chosen_by.into());
    // Of a backup of itself it keeps what is its own.
    let of = bound.and_then(|bound| bound.get("of")?.as_u64());
    let is_copy = of != Some(u64::from(guest.vmid));
    let namesakes = match said("name").filter(|_| is_copy) {
        Some(name) => place::namesakes(reach, name, Some(guest.vmid))?,
        None => None,
    };
    let reply = reach.send(&request)?;
    let keeps = is_copy.then(|| KeptFromOriginal {
        cards: !unique,
        archived: Value::Null,
        notes: namesakes.into_iter().collect(),
    });
    let made = GuestLocation::of(guest);
    step::follow(reach, args, &reply, |reach, args, task| {
        let vmid = made.vmid;
        answer.extend(task.map_err(|error| {
            let more = format!("guest {vmid} may be left without its disks: look at it first");
            with_hint(error, more)
        })?);
        restored(reach, args, made, keeps, answer)
    })
}
