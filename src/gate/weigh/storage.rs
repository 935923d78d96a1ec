//! The rows of storages and of what is on them.

use super::row::{CHANGE, DESTROYS, FULL, Marked, Named, Row, STORAGE, Sent, delete, post, put};
use crate::gate::mark::Mark;

#[rustfmt::skip] // One row a line.
pub(super) static ROWS: &[Row] = &[
    post("/storage", CHANGE, STORAGE),
    put("/storage/{storage}", Marked::By(define), STORAGE),
    delete("/storage/{storage}", FULL, STORAGE),

    post("/nodes/{node}/storage/{storage}/content", CHANGE, STORAGE),
    put("/nodes/{node}/storage/{storage}/content/{volume}", CHANGE, &[Named::Volume]),
    post("/nodes/{node}/storage/{storage}/content/{volume}", CHANGE, &[Named::Volume]),
    // Proxmox does it whether or not a guest uses the volume.
    delete("/nodes/{node}/storage/{storage}/content/{volume}", DESTROYS, &[Named::Volume]),
    delete("/nodes/{node}/storage/{storage}/prunebackups", FULL, STORAGE),
    post("/nodes/{node}/storage/{storage}/upload", CHANGE, STORAGE),
    post("/nodes/{node}/storage/{storage}/download-url", CHANGE, STORAGE),
    post("/nodes/{node}/storage/{storage}/oci-registry-pull", CHANGE, STORAGE),
    post("/nodes/{node}/aplinfo", CHANGE, STORAGE),
];

/// A storage that is switched off is taken from the guests whose disks are there.
fn define(sent: &Sent) -> Mark {
    if sent.is_set("disable") {
        Mark::FULL
    } else {
        Mark::CHANGE
    }
}
