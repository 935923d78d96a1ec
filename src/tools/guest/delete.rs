//! `guest_delete`: a guest with its disks, for good.

use serde_json::{Value, json};

use super::{GUEST, answer_for};
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::backup::archives;
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::fleet::quorum;
use crate::tools::plan;

pub(super) const DELETE: Tool = Tool {
    name: "guest_delete",
    title: "Delete a guest",
    about: "Deletes a stopped guest with its disks and snapshots; asks first.",
    actions: Actions::one(&[
        plan::READS,
        current::READS,
        archives::READS,
        quorum::READS,
        &[sending::delete("/nodes/{node}/{kind}/{vmid}")],
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new("purge", ParamKind::Bool, "also from backup jobs and HA").optional(),
        Param::new(
            "destroy_unreferenced_disks",
            ParamKind::Bool,
            "also its volumes that it does not name",
        )
        .optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(delete_plan),
    run: RunFn::Write(delete),
};

fn delete_plan(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    deletable(reach)?;
    let mut consequences = vec![
        (
            "lost",
            json!("the guest, its disks, its snapshots, its firewall rules and access rules"),
        ),
        ("undo", json!(plan::BY_BACKUP)),
    ];
    if args.yes("purge") {
        consequences.push((
            "purge",
            json!("also taken out of backup jobs, replication and HA"),
        ));
    }
    plan::of_guest(reach, &consequences)
}

fn delete(reach: &Reach, args: &Args) -> WriteResult {
    deletable(reach)?;
    let mut request = reach.on_guest(Verb::Delete, "", &[])?;
    for (name, option) in [
        ("purge", "purge"),
        ("destroy_unreferenced_disks", "destroy-unreferenced-disks"),
    ] {
        if let Some(yes) = args.bool(name) {
            request = request.with(option, yes);
        }
    }
    Ok(Write::new(request, answer_for(reach)?))
}

/// A guest that runs is not deleted, and a task that is bound to fail is not begun: without quorum the
/// disks on storages of one node would be gone, and the guest stay.
fn deletable(reach: &Reach) -> Result<(), Error> {
    let current = reach.get_of_guest("/status/current")?;
    let status = current.get("status").and_then(Value::as_str);
    if status == Some("stopped") {
        let current = GuestStatus::of(&current);
        // One that is hibernated goes with its saved memory.
        if current.lock.as_deref() != Some("suspended") {
            current.unlocked(reach)?;
        }
        return quorum::held(reach, "a deletion");
    }
    let sentence = format!(
        "guest {} is {}, and only a stopped guest can be deleted",
        reach.guest()?.vmid,
        crate::text::printable(status.unwrap_or("in an unknown state"), 40)
    );
    Err(Error::not_allowed(reach.cluster_name(), sentence)
        .hint("shut it down first: guest_power with action `shutdown`"))
}
