//! The rows of nodes: power, services, disks, certificates, packages, all their guests at once.

use super::Touch;
use super::method::{
    CHANGE, CHANGE_STOPS, CUTS_OFF, DESTROYS, FULL, FULL_STOPS, Method, NODE, Named, OPERATE,
    OVERWRITES, STOPS, Sent, TICKET, WEBSOCKET, delete, get, get_as, guest, post, put,
};
use super::permissions::{Permissions, SEES_NODES};

const NODE_AUDIT: Permissions = Permissions {
    check: r#"{"check":["perm","/nodes/{node}",["Sys.Audit"]]}"#,
    grants: &[SEES_NODES],
};

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    get("/nodes").taking(&[SEES_NODES]),
    get("/nodes/{node}/status").permitted(NODE_AUDIT),
    get("/nodes/{node}/rrddata").permitted(NODE_AUDIT),
    get("/nodes/{node}/tasks").taking(&[SEES_NODES]),
    // The node asks others for the answer, or its disks.
    get_as("/nodes/{node}/query-url-metadata", OPERATE),
    get_as("/nodes/{node}/query-oci-repo-tags", OPERATE),
    get_as("/nodes/{node}/apt/changelog", OPERATE),
    get_as("/nodes/{node}/scan/cifs", OPERATE),
    get_as("/nodes/{node}/scan/iscsi", OPERATE),
    get_as("/nodes/{node}/scan/lvm", OPERATE),
    get_as("/nodes/{node}/scan/lvmthin", OPERATE),
    get_as("/nodes/{node}/scan/nfs", OPERATE),
    get_as("/nodes/{node}/scan/pbs", OPERATE),
    get_as("/nodes/{node}/scan/zfs", OPERATE),
    get("/nodes/{node}/vncwebsocket").withheld(WEBSOCKET),

    post("/nodes/{node}/status", FULL_STOPS, &[Named::Node, Named::By(guests_on)]),
    post("/nodes/{node}/startall", OPERATE, NODE),
    post("/nodes/{node}/stopall", STOPS, &[Named::Node, Named::By(chosen)]),
    post("/nodes/{node}/suspendall", STOPS, &[Named::Node, Named::By(chosen)]),
    // Containers are stopped and started again on the other node.
    post("/nodes/{node}/migrateall", STOPS, &[Named::Node, Named::By(containers)]),
    post("/nodes/{node}/wakeonlan", OPERATE, NODE),
    delete("/nodes/{node}/tasks/{upid}", CUTS_OFF, &[Named::Task]),

    post("/nodes/{node}/services/{service}/start", CHANGE, NODE).running("start"),
    post("/nodes/{node}/services/{service}/reload", CHANGE, NODE),
    post("/nodes/{node}/services/{service}/restart", CHANGE_STOPS, SERVICE),
    post("/nodes/{node}/services/{service}/stop", CHANGE_STOPS, SERVICE).running("stop"),

    put("/nodes/{node}/config", CHANGE, NODE),
    put("/nodes/{node}/dns", CHANGE, NODE),
    put("/nodes/{node}/time", CHANGE, NODE),
    // By it the nodes of a cluster find each other.
    post("/nodes/{node}/hosts", FULL, NODE),
    post("/nodes/{node}/apt/update", CHANGE, NODE),
    post("/nodes/{node}/apt/repositories", FULL, NODE),
    put("/nodes/{node}/apt/repositories", FULL, NODE),
    put("/nodes/{node}/subscription", FULL, NODE),
    post("/nodes/{node}/subscription", CHANGE, NODE),
    delete("/nodes/{node}/subscription", FULL, NODE),
    // The API's own service starts again with another certificate.
    post("/nodes/{node}/certificates/custom", FULL_STOPS, NODE),
    delete("/nodes/{node}/certificates/custom", FULL_STOPS, NODE),
    post("/nodes/{node}/certificates/acme/certificate", FULL_STOPS, NODE),
    put("/nodes/{node}/certificates/acme/certificate", FULL_STOPS, NODE),
    delete("/nodes/{node}/certificates/acme/certificate", FULL_STOPS, NODE),

    // Whose disks are on them is not in the request.
    put("/nodes/{node}/disks/wipedisk", DESTROYS, DISKS),
    post("/nodes/{node}/disks/initgpt", DESTROYS, DISKS),
    post("/nodes/{node}/disks/directory", FULL, NODE),
    delete("/nodes/{node}/disks/directory/{name}", DESTROYS, DISKS),
    post("/nodes/{node}/disks/lvm", FULL, NODE),
    delete("/nodes/{node}/disks/lvm/{name}", DESTROYS, DISKS),
    post("/nodes/{node}/disks/lvmthin", FULL, NODE),
    delete("/nodes/{node}/disks/lvmthin/{name}", DESTROYS, DISKS),
    post("/nodes/{node}/disks/zfs", FULL, NODE),
    delete("/nodes/{node}/disks/zfs/{name}", DESTROYS, DISKS),

    // Requests within a request, and tickets to the node's own shell.
    post("/nodes/{node}/execute", OVERWRITES, DISKS).withheld("it is made of other requests, each of which can be sent by itself"),
    post("/nodes/{node}/termproxy", FULL, NODE).withheld(TICKET),
    post("/nodes/{node}/vncshell", FULL, NODE).withheld(TICKET),
    post("/nodes/{node}/spiceshell", FULL, NODE).withheld(TICKET),
];

const SERVICE: &[Named] = &[Named::Node, Named::By(served)];
const DISKS: &[Named] = &[Named::Node, Named::By(some)];

/// Without them a node is fenced, or its containers hang.
const GUESTS_NEED: [&str; 5] = [
    "corosync",
    "pve-cluster",
    "pve-ha-lrm",
    "lxcfs",
    "pve-lxc-syscalld",
];

fn served(sent: &Sent) -> Vec<Touch> {
    if GUESTS_NEED.contains(&sent.slot("service")) {
        guests_on(sent)
    } else {
        Vec::new()
    }
}

fn some(_: &Sent) -> Vec<Touch> {
    vec![Touch::SomeGuests]
}

fn guests_on(sent: &Sent) -> Vec<Touch> {
    vec![Touch::GuestsOn(sent.slot("node").into())]
}

/// The guests of the node that are named, else all of it.
fn chosen(sent: &Sent) -> Vec<Touch> {
    match sent.items("vms").as_slice() {
        [] => guests_on(sent),
        named => named.iter().map(|vmid| guest(vmid)).collect(),
    }
}

fn containers(sent: &Sent) -> Vec<Touch> {
    vec![Touch::ContainersOn(sent.slot("node").into())]
}
