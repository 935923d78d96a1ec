//! The rows of Ceph.

use super::Touch;
use super::method::{
    CHANGE, CLUSTER, DESTROYS, FULL, Marked, Method, NODE, Named, OPERATE, STOPS, Sent, delete,
    post, put,
};
use crate::api::mark::Mark;

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    put("/cluster/ceph/flags", Marked::By(flags), &[Named::Cluster, Named::By(paused)]),
    put("/cluster/ceph/flags/{flag}", Marked::By(flags), &[Named::Cluster, Named::By(paused)]),
    put("/cluster/ceph/health-mute/{code}", OPERATE, CLUSTER),
    post("/cluster/ceph/restart-bulk", STOPS, CLUSTER),
    post("/nodes/{node}/ceph/init", FULL, NODE),
    post("/nodes/{node}/ceph/mon/{monid}", CHANGE, NODE),
    delete("/nodes/{node}/ceph/mon/{monid}", FULL, NODE),
    post("/nodes/{node}/ceph/mgr/{id}", CHANGE, NODE),
    delete("/nodes/{node}/ceph/mgr/{id}", FULL, NODE),
    post("/nodes/{node}/ceph/mds/{name}", CHANGE, NODE),
    delete("/nodes/{node}/ceph/mds/{name}", FULL, NODE),
    // A disk is taken; or its copies of everything are given up.
    post("/nodes/{node}/ceph/osd", FULL, NODE),
    delete("/nodes/{node}/ceph/osd/{osdid}", DESTROYS, DISKS),
    post("/nodes/{node}/ceph/osd/{osdid}/in", OPERATE, NODE),
    post("/nodes/{node}/ceph/osd/{osdid}/out", STOPS, NODE),
    post("/nodes/{node}/ceph/osd/{osdid}/scrub", OPERATE, NODE),
    post("/nodes/{node}/ceph/pool", CHANGE, NODE),
    put("/nodes/{node}/ceph/pool/{name}", CHANGE, NODE),
    delete("/nodes/{node}/ceph/pool/{name}", DESTROYS, DISKS),
    post("/nodes/{node}/ceph/fs/{name}", CHANGE, NODE),
    delete("/nodes/{node}/ceph/fs/{name}", DESTROYS, DISKS),
    post("/nodes/{node}/ceph/start", OPERATE, NODE).running("start"),
    post("/nodes/{node}/ceph/stop", STOPS, &[Named::Node, Named::By(some)]).running("stop"),
    post("/nodes/{node}/ceph/restart", STOPS, NODE),
    post("/nodes/{node}/ceph/restart-bulk", STOPS, NODE),
];

/// Whose disks are there is not in the request.
const DISKS: &[Named] = &[Named::Node, Named::By(some)];

fn some(_: &Sent) -> Vec<Touch> {
    vec![Touch::SomeGuests]
}

/// The flag `pause` halts every read and write of every guest.
fn pauses(sent: &Sent) -> bool {
    sent.is_set("pause") || (sent.slot("flag") == "pause" && sent.is_set("value"))
}

fn flags(sent: &Sent) -> Mark {
    if pauses(sent) {
        Mark::FULL.interrupts()
    } else {
        Mark::CHANGE
    }
}

fn paused(sent: &Sent) -> Vec<Touch> {
    if pauses(sent) { some(sent) } else { Vec::new() }
}
