//! The rows of storages and of what is on them.

use super::Touch;
use super::method::{
    CHANGE, FILE, FULL, Marked, Method, Named, OPERATE, OPERATE_ASKED, STORAGE, Sent, delete, get,
    get_as, guest, post, put,
};
use super::permissions::{Permissions, SEES_STORAGES};
use crate::api::mark::Mark;
use crate::api::volume;

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    get("/storage").taking(&[SEES_STORAGES]),
    get("/nodes/{node}/storage/{storage}/content").permitted(CONTENT),
    get("/nodes/{node}/storage/{storage}/rrddata").permitted(CONTENT),
    // A small VM is started to look into the backup.
    get_as("/nodes/{node}/storage/{storage}/file-restore/list", OPERATE),
    get_as("/nodes/{node}/storage/{storage}/file-restore/download", OPERATE_ASKED),

    post("/storage", Marked::By(retention), STORAGE).making("storage"),
    put("/storage/{storage}", Marked::By(define), STORAGE),
    delete("/storage/{storage}", FULL, STORAGE),

    post("/nodes/{node}/storage/{storage}/content", CHANGE, STORAGE),
    put("/nodes/{node}/storage/{storage}/content/{volume}", CHANGE, &[Named::Volume]),
    post("/nodes/{node}/storage/{storage}/content/{volume}", CHANGE, &[Named::Volume]),
    // Proxmox does it whether or not a guest uses the volume.
    delete("/nodes/{node}/storage/{storage}/content/{volume}", Marked::By(removed), &[Named::Volume, Named::By(backed_up)]),
    delete("/nodes/{node}/storage/{storage}/prunebackups", FULL, &[Named::Storage, Named::By(pruned)]),
    post("/nodes/{node}/storage/{storage}/upload", CHANGE, STORAGE).withheld(FILE),
    post("/nodes/{node}/storage/{storage}/download-url", CHANGE, STORAGE),
    post("/nodes/{node}/storage/{storage}/oci-registry-pull", CHANGE, STORAGE),
    post("/nodes/{node}/aplinfo", CHANGE, STORAGE),
];

const CONTENT: Permissions = Permissions {
    check: r#"{"check":["perm","/storage/{storage}",["Datastore.Audit","Datastore.AllocateSpace"],"any",1]}"#,
    grants: &[SEES_STORAGES],
};

/// A backup is a copy: its guest and its disks are what they were.
fn removed(sent: &Sent) -> Mark {
    match volume::backed_up(sent.slot("volume")) {
        Some(_) => Mark::FULL,
        None => Mark::FULL.destroys(),
    }
}

/// A backup is its guest's.
fn backed_up(sent: &Sent) -> Vec<Touch> {
    let guest = volume::backed_up(sent.slot("volume"));
    guest
        .map(|(_, vmid)| Touch::Guest(vmid))
        .into_iter()
        .collect()
}

/// Whose backups are pruned: one guest's, or those of all.
fn pruned(sent: &Sent) -> Vec<Touch> {
    let vmid = sent.text("vmid");
    vec![vmid.map_or(Touch::AllGuests, |vmid| guest(&vmid))]
}

/// Backups beyond what is kept are pruned with the next one.
fn retention(sent: &Sent) -> Mark {
    if sent.has("prune-backups") || sent.has("maxfiles") {
        Mark::FULL
    } else {
        Mark::CHANGE
    }
}

/// Where a storage is, or for which nodes: with another value it is taken from the guests whose disks
/// are there.
const PLACES: [&str; 14] = [
    "disable",
    "nodes",
    "server",
    "export",
    "path",
    "pool",
    "share",
    "subdir",
    "monhost",
    "namespace",
    "datastore",
    "vgname",
    "thinpool",
    "content-dirs",
];

/// A storage that is switched off or elsewhere is taken from the guests whose disks are there.
fn define(sent: &Sent) -> Mark {
    let deleted = sent.items("delete");
    let keeps_fewer = deleted.iter().any(|key| key == "prune-backups");
    let switched = |name: &&str| match *name {
        "disable" => sent.is_set("disable"),
        name => sent.has(name) || deleted.iter().any(|key| key == name),
    };
    if keeps_fewer || PLACES.iter().any(switched) {
        Mark::FULL
    } else {
        retention(sent)
    }
}
