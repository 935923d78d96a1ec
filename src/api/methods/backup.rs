//! The rows of backups, backup jobs and replications.

use super::method::{FULL, Marked, Method, Named, OPERATE, Sent, delete, get, guest, post, put};
use super::permissions::{AUDIT_CLUSTER, SPACE, vms};
use super::{Touch, lets};
use crate::api::mark::Mark;

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    post("/nodes/{node}/vzdump", Marked::By(backup), &[Named::By(backed_up)]).letting(lets::backup).running("vzdump").taking(&[vms("VM.Backup"), SPACE]),

    get("/cluster/backup").permitted(AUDIT_CLUSTER),
    post("/cluster/backup", Marked::By(job), &[Named::Job, Named::By(of_job)]).making("id"),
    put("/cluster/backup/{id}", Marked::By(changed_job), &[Named::Job, Named::By(of_changed_job)]),
    delete("/cluster/backup/{id}", FULL, &[Named::Job]),

    post("/cluster/replication", Marked::By(replication), REPLICATED).letting(lets::replicate).making("id"),
    put("/cluster/replication/{id}", Marked::By(replication), REPLICATED).letting(lets::replicate),
    delete("/cluster/replication/{id}", FULL, REPLICATED),
    post("/nodes/{node}/replication/{id}/schedule_now", OPERATE, REPLICATED).letting(lets::bare),
];

const REPLICATED: &[Named] = &[Named::Job, Named::By(replicated)];

/// The guest in a replication's id: `100-0`.
fn replicated(sent: &Sent) -> Vec<Touch> {
    let id = sent.value("id");
    let vmid = id.split_once('-').map_or(id.as_str(), |(vmid, _)| vmid);
    vec![guest(vmid)]
}

/// A replication that is marked for removal goes with its copies.
fn replication(sent: &Sent) -> Mark {
    if sent.has("remove_job") {
        Mark::FULL
    } else {
        Mark::CHANGE
    }
}

/// What lets a backup write or run anything on the node.
const ANYTHING: [&str; 3] = ["dumpdir", "script", "tmpdir"];

fn does_anything(sent: &Sent) -> bool {
    ANYTHING.iter().any(|name| sent.has(name))
}

/// Only mode `snapshot` lets a guest run on. A request without a mode has the node's own.
fn lets_run(sent: &Sent) -> bool {
    sent.text("mode").as_deref() == Some("snapshot")
}

/// A backup is a copy, unless it prunes older ones (which the API does where `remove` is not sent),
/// writes to a folder of the caller's, runs a script, or takes whatever guests there are.
fn backup(sent: &Sent) -> Mark {
    if does_anything(sent) {
        return Mark::FULL.interrupts().destroys();
    }
    let keeps = sent.has("remove") && !sent.is_set("remove");
    let heavy = ["all", "pool", "stop", "prune-backups"];
    let is_copy = keeps && sent.has("vmid") && !heavy.iter().any(|name| sent.has(name));
    let mark = if is_copy { Mark::OPERATE } else { Mark::FULL };
    // `stop` ends the backups that run.
    if lets_run(sent) && !sent.is_set("stop") {
        mark
    } else {
        mark.interrupts()
    }
}

fn backed_up(sent: &Sent) -> Vec<Touch> {
    let mut touches: Vec<Touch> = sent.items("vmid").iter().map(|vmid| guest(vmid)).collect();
    if let Some(pool) = sent.text("pool") {
        touches.push(Touch::GuestsIn(pool));
    }
    if touches.is_empty() || sent.is_set("all") {
        touches.push(Touch::GuestsOn(sent.slot("node").into()));
    }
    if does_anything(sent) {
        touches.push(Touch::SomeGuests);
    }
    touches
}

/// Whether a job sets or lowers how many backups are kept: the next run prunes those beyond.
fn prunes(sent: &Sent) -> bool {
    sent.has("prune-backups") || sent.has("maxfiles")
}

/// A job does later, again and again, what its backups do.
fn job(sent: &Sent) -> Mark {
    if does_anything(sent) {
        return Mark::FULL.interrupts().destroys();
    }
    let mark = if prunes(sent) {
        Mark::FULL
    } else {
        Mark::CHANGE
    };
    if lets_run(sent) {
        mark
    } else {
        mark.interrupts()
    }
}

/// Whose backups a job prunes and whom it stops, where it does: one that lets guests run on touches
/// none of them.
fn of_job(sent: &Sent) -> Vec<Touch> {
    if does_anything(sent) {
        return vec![Touch::SomeGuests];
    }
    if lets_run(sent) && !prunes(sent) {
        return Vec::new();
    }
    match (sent.has("vmid"), sent.text("pool")) {
        (_, Some(pool)) => vec![Touch::GuestsIn(pool)],
        (true, None) => sent.items("vmid").iter().map(|vmid| guest(vmid)).collect(),
        (false, None) => vec![Touch::AllGuests],
    }
}

/// What a change says neither of the mode nor of the guests stays as it is. Where it says something of
/// one of them the other is not known from here.
fn changed_job(sent: &Sent) -> Mark {
    if does_anything(sent) {
        return Mark::FULL.interrupts().destroys();
    }
    let mark = if prunes_more(sent) {
        Mark::FULL
    } else {
        Mark::CHANGE
    };
    if stops_some(sent) {
        mark.interrupts()
    } else {
        mark
    }
}

/// Without a retention of its own, a job goes by the storage's.
fn prunes_more(sent: &Sent) -> bool {
    let mut deleted = sent.items("delete").into_iter();
    prunes(sent) || sent.is_set("remove") || deleted.any(|key| key == "prune-backups")
}

fn of_changed_job(sent: &Sent) -> Vec<Touch> {
    if does_anything(sent) || stops_some(sent) || prunes_more(sent) {
        vec![Touch::SomeGuests]
    } else {
        Vec::new()
    }
}

fn stops_some(sent: &Sent) -> bool {
    let deleted = sent.items("delete");
    let says = |name: &&str| sent.has(name) || deleted.iter().any(|key| key == name);
    let widens = ["mode", "vmid", "all", "pool", "exclude", "node"];
    (widens.iter().any(says) || sent.is_set("enabled")) && !lets_run(sent)
}
