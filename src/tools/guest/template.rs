//! `guest_template`: a guest becomes a template, for good.

use serde_json::json;

use super::{GUEST, answer_for};
use crate::api::loose::flag;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::tool::args::Args;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::backup::archives;
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::fleet::quorum;
use crate::tools::plan;

pub(super) const TEMPLATE: Tool = Tool {
    name: "guest_template",
    title: "Make a guest a template",
    about: "Makes a stopped guest without snapshots a template, which guest_clone copies quickly. It never runs \
            again. Asks first.",
    actions: Actions::one(&[
        plan::READS,
        current::READS,
        archives::READS,
        quorum::READS,
        &[sending::post("/nodes/{node}/{kind}/{vmid}/template")],
    ]),
    subject: Subject::Guest,
    params: &[GUEST],
    answer: &[("vmid", "integer"), ("state", "string")],
    task: true,
    plan: Some(planned),
    run: RunFn::Write(template),
};

fn planned(reach: &Reach, _: &Args) -> Result<Plan, Error> {
    fit(reach)?;
    let lost = "the guest as one that runs: it is a template for good";
    let undo = "cannot be undone; a full clone of it is a guest that runs, under another VMID";
    plan::of_guest(reach, &[("lost", json!(lost)), ("undo", json!(undo))])
}

fn template(reach: &Reach, _: &Args) -> WriteResult {
    fit(reach)?;
    let request = reach.on_guest(Verb::Post, "/template", &[])?;
    Ok(Write::new(request, answer_for(reach)?))
}

/// Refuses what Proxmox would refuse, some of it only in the task.
fn fit(reach: &Reach) -> Result<(), Error> {
    let guest = reach.guest()?;
    let current = GuestStatus::read(reach)?;
    let snapshots = plan::snapshot_names(&reach.rows_of_guest("/snapshot", "name")?);
    let cluster = reach.cluster_name();
    // What is listed of it may be older.
    let config = reach.get_of_guest("/config")?;
    let (problem, hint) = if flag(config.get("template")) {
        ("is a template already".to_string(), None)
    } else if !current.is_stopped() {
        let hint = "shut it down first: guest_power with action `shutdown`";
        (format!("is {}", current.status), Some(hint))
    } else if !snapshots.is_empty() {
        let hint = "delete them first: snapshot_delete";
        let problem = format!("has snapshots: {}", snapshots.join(", "));
        (problem, Some(hint))
    } else {
        current.unlocked(reach)?;
        return quorum::held(reach, "that");
    };
    let sentence = format!(
        "guest {} {problem}, and cannot be made a template",
        guest.vmid
    );
    let error = Error::not_allowed(cluster, sentence);
    Err(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}
