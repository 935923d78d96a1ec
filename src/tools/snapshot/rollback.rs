//! What a rollback takes away, and what makes it fail.

use serde_json::Value;

use super::plan_of;
use super::tree::{NAME_MAX_CHARS, Snapshot, Snapshots, age, wrong};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::rows::says_something;
use crate::tools::current::GuestStatus;
use crate::tools::disks;
use crate::tools::fleet::quorum;

/// Types of storages that roll back to the youngest snapshot only.
const YOUNGEST_ONLY: &[&str] = &["zfspool", "zfs"];

pub(super) fn rollback_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let snapshots = Snapshots::read(reach)?;
    let snapshot = snapshots.need_whole(reach, args.need("snapname")?)?;
    let younger = snapshots.younger(snapshot);
    if !younger.is_empty() {
        refuse_where_younger_block(reach, snapshot, &younger)?;
    }
    // The guest would be stopped, and then nothing set back, nor started again.
    quorum::held(reach, "a rollback")?;
    let lost = format!(
        "everything since {} ({} ago): the disks' contents and the configuration",
        time::iso(snapshot.time),
        age(snapshot)
    );
    let mut plan = plan_of(reach, snapshot)?;
    let is_stopped = GuestStatus::of(&plan.subject).is_stopped();
    let afterwards = match (snapshot.vmstate, args.yes("start")) {
        (true, _) => "it runs on from the memory in the snapshot",
        (false, true) => "it is started",
        (false, false) => "it is stopped",
    };
    let cut_off = "the guest runs, and is stopped at once";
    let consequences = [
        ("lost", lost.into()),
        ("younger_snapshots", younger.into()),
        (
            "cut_off",
            if is_stopped {
                Value::Null
            } else {
                cut_off.into()
            },
        ),
        ("afterwards", afterwards.into()),
        ("undo", "cannot be undone".into()),
    ];
    let consequences = consequences
        .into_iter()
        .filter(|(_, value)| says_something(value));
    let consequences = consequences.map(|(key, value)| (key.to_string(), value));
    plan.shown.extend(consequences);
    Ok(plan)
}

/// Refuses a rollback that younger snapshots would make fail.
fn refuse_where_younger_block(
    reach: &Reach,
    snapshot: &Snapshot,
    younger: &[String],
) -> Result<(), Error> {
    let guest = reach.guest()?;
    let storages = reach.rows_at("/nodes/{node}/storage", &[&guest.node], "storage")?;
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(str::to_string);
    let blocking = |storage: &str| {
        let mut rows = storages.iter();
        let row = rows.find(|row| text(row, "storage").as_deref() == Some(storage));
        let kind = row.and_then(|row| text(row, "type")).unwrap_or_default();
        YOUNGEST_ONLY.contains(&kind.as_str())
    };
    let disks = disks::of(&*reach.get_of_guest("/config")?, guest.kind);
    match disks.iter().find(|disk| blocking(&disk.storage)) {
        None => Ok(()),
        Some(disk) => Err(wrong(
            reach,
            &format!(
                "cannot be set back to `{}`: storage `{}` is ZFS, which goes back to the youngest \
                 snapshot only; younger ones, to be deleted first: {}",
                snapshot.name,
                printable(&disk.storage, NAME_MAX_CHARS),
                younger.join(", ")
            ),
        )?),
    }
}
