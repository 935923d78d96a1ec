//! The rows of what a cluster has as a whole: options, pools, high availability, mappings,
//! notifications, membership, many guests at once.

use super::method::{
    CHANGE, CLUSTER, FULL, FULL_STOPS, Marked, Method, Named, OPERATE, STOPS, Sent, delete, get,
    get_as, guest, post, put,
};
use super::permissions::{ALLOCATE_POOL, AUDIT_CLUSTER, CHANGE_POOL, SEES_NODES, SEES_POOLS};
use super::{Touch, lets};
use crate::api::mark::Mark;

const SID: &[Named] = &[Named::Sid];
const POOL: &[Named] = &[Named::Pool];
const MEMBERS: &[Named] = &[Named::Pool, Named::Guests("vms")];
const WHOLE_POOL: &[Named] = &[Named::Pool, Named::By(members)];
const CHOSEN: &[Named] = &[Named::By(chosen)];

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    get("/cluster/status").permitted(AUDIT_CLUSTER),
    get("/cluster/tasks").taking(&[SEES_NODES]),
    // A server of the caller's choice is asked.
    get_as("/cluster/acme/tos", OPERATE),
    get("/cluster/options").taking(AUDIT_CLUSTER.grants),
    put("/cluster/options", Marked::By(options), CLUSTER),

    get("/pools").taking(&[SEES_POOLS]),
    post("/pools", CHANGE, POOL).making("poolid").permitted(ALLOCATE_POOL),
    put("/pools", CHANGE, MEMBERS).permitted(CHANGE_POOL),
    put("/pools/{poolid}", CHANGE, MEMBERS).permitted(CHANGE_POOL),
    delete("/pools", FULL, WHOLE_POOL).permitted(ALLOCATE_POOL),
    delete("/pools/{poolid}", FULL, WHOLE_POOL).permitted(ALLOCATE_POOL),

    post("/cluster/ha/resources", Marked::By(ha), SID).making("sid"),
    put("/cluster/ha/resources/{sid}", Marked::By(ha), SID),
    delete("/cluster/ha/resources/{sid}", CHANGE, SID),
    post("/cluster/ha/resources/{sid}/migrate", Marked::By(ha_migrate), SID).letting(lets::ha_migrate),
    post("/cluster/ha/resources/{sid}/relocate", Marked::As(Mark::OPERATE.interrupts()), SID),
    post("/cluster/ha/rules", CHANGE, CLUSTER),
    put("/cluster/ha/rules/{rule}", CHANGE, CLUSTER),
    delete("/cluster/ha/rules/{rule}", CHANGE, CLUSTER),
    post("/cluster/ha/groups", CHANGE, CLUSTER).making("group"),
    put("/cluster/ha/groups/{group}", CHANGE, CLUSTER),
    delete("/cluster/ha/groups/{group}", CHANGE, CLUSTER),
    post("/cluster/ha/status/arm-ha", CHANGE, CLUSTER),
    post("/cluster/ha/status/disarm-ha", FULL, CLUSTER),

    post("/cluster/bulk-action/guest/start", OPERATE, CHOSEN).letting(lets::all),
    post("/cluster/bulk-action/guest/shutdown", STOPS, CHOSEN),
    post("/cluster/bulk-action/guest/suspend", STOPS, CHOSEN),
    // Containers are stopped and started again on the other node.
    post("/cluster/bulk-action/guest/migrate", STOPS, CHOSEN),

    post("/cluster/mapping/dir", CHANGE, CLUSTER).making("id"),
    put("/cluster/mapping/dir/{id}", CHANGE, CLUSTER),
    delete("/cluster/mapping/dir/{id}", FULL, CLUSTER),
    post("/cluster/mapping/pci", CHANGE, CLUSTER).making("id"),
    put("/cluster/mapping/pci/{id}", CHANGE, CLUSTER),
    delete("/cluster/mapping/pci/{id}", FULL, CLUSTER),
    post("/cluster/mapping/usb", CHANGE, CLUSTER).making("id"),
    put("/cluster/mapping/usb/{id}", CHANGE, CLUSTER),
    delete("/cluster/mapping/usb/{id}", FULL, CLUSTER),
    post("/cluster/qemu/custom-cpu-models", CHANGE, CLUSTER).making("cputype"),
    put("/cluster/qemu/custom-cpu-models/{cputype}", CHANGE, CLUSTER),
    delete("/cluster/qemu/custom-cpu-models/{cputype}", FULL, CLUSTER),
    post("/cluster/metrics/server/{id}", CHANGE, CLUSTER),
    put("/cluster/metrics/server/{id}", CHANGE, CLUSTER),
    delete("/cluster/metrics/server/{id}", FULL, CLUSTER),

    post("/cluster/notifications/endpoints/gotify", CHANGE, CLUSTER).making("name"),
    put("/cluster/notifications/endpoints/gotify/{name}", CHANGE, CLUSTER),
    delete("/cluster/notifications/endpoints/gotify/{name}", FULL, CLUSTER),
    post("/cluster/notifications/endpoints/sendmail", CHANGE, CLUSTER).making("name"),
    put("/cluster/notifications/endpoints/sendmail/{name}", CHANGE, CLUSTER),
    delete("/cluster/notifications/endpoints/sendmail/{name}", FULL, CLUSTER),
    post("/cluster/notifications/endpoints/smtp", CHANGE, CLUSTER).making("name"),
    put("/cluster/notifications/endpoints/smtp/{name}", CHANGE, CLUSTER),
    delete("/cluster/notifications/endpoints/smtp/{name}", FULL, CLUSTER),
    post("/cluster/notifications/endpoints/webhook", CHANGE, CLUSTER).making("name"),
    put("/cluster/notifications/endpoints/webhook/{name}", CHANGE, CLUSTER),
    delete("/cluster/notifications/endpoints/webhook/{name}", FULL, CLUSTER),
    post("/cluster/notifications/matchers", CHANGE, CLUSTER).making("name"),
    put("/cluster/notifications/matchers/{name}", CHANGE, CLUSTER),
    delete("/cluster/notifications/matchers/{name}", FULL, CLUSTER),
    post("/cluster/notifications/targets/{name}/test", OPERATE, CLUSTER),

    post("/cluster/acme/account", FULL, CLUSTER).making("name"),
    put("/cluster/acme/account/{name}", FULL, CLUSTER),
    delete("/cluster/acme/account/{name}", FULL, CLUSTER),
    post("/cluster/acme/plugins", FULL, CLUSTER).making("id"),
    put("/cluster/acme/plugins/{id}", FULL, CLUSTER),
    delete("/cluster/acme/plugins/{id}", FULL, CLUSTER),
    // Who belongs to the cluster; a quorum may be lost by it, and its nodes with it.
    post("/cluster/config", FULL_STOPS, CLUSTER),
    post("/cluster/config/join", FULL_STOPS, CLUSTER),
    post("/cluster/config/nodes/{node}", FULL_STOPS, CLUSTER),
    delete("/cluster/config/nodes/{node}", FULL_STOPS, &[Named::Cluster, Named::By(of_node)]),
];

/// Some options decide who may log in, or set tags.
fn options(sent: &Sent) -> Mark {
    let who = ["u2f", "webauthn", "user-tag-access", "registered-tags"];
    let deleted = sent.items("delete");
    let says = |name: &&str| sent.has(name) || deleted.iter().any(|key| key == name);
    if who.iter().any(says) {
        Mark::FULL
    } else {
        Mark::CHANGE
    }
}

/// What is not to run is stopped.
fn ha(sent: &Sent) -> Mark {
    match sent.text("state").as_deref() {
        None | Some("started" | "enabled" | "ignored") => Mark::CHANGE,
        Some(_) => Mark::CHANGE.interrupts(),
    }
}

/// A container is stopped and started again on the other node.
fn ha_migrate(sent: &Sent) -> Mark {
    if sent.slot("sid").starts_with("vm:") {
        Mark::OPERATE
    } else {
        Mark::OPERATE.interrupts()
    }
}

fn members(sent: &Sent) -> Vec<Touch> {
    vec![Touch::GuestsIn(sent.value("poolid"))]
}

/// The guests that are named, else all there are.
fn chosen(sent: &Sent) -> Vec<Touch> {
    match sent.items("vms").as_slice() {
        [] => vec![Touch::AllGuests],
        named => named.iter().map(|vmid| guest(vmid)).collect(),
    }
}

fn of_node(sent: &Sent) -> Vec<Touch> {
    vec![Touch::GuestsOn(sent.slot("node").into())]
}
