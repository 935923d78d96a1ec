//! The rows of firewalls: of a guest, a node, the cluster, a virtual network.

use super::method::{
    CHANGE, CHANGE_CUTS, CHANGE_STOPS, CLUSTER, Marked, Method, NODE, PATH, Sent, delete, post, put,
};
use super::permissions::{Permissions, vms};
use crate::api::mark::Mark;

/// What the cluster asks of a token for the firewall of a guest.
const NETWORK: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Network"]]}"#,
    grants: &[vms("VM.Config.Network")],
};

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    put("/nodes/{node}/{kind}/{vmid}/firewall/options", CHANGE_STOPS, PATH).permitted(NETWORK),
    post("/nodes/{node}/{kind}/{vmid}/firewall/rules", Marked::By(rule), PATH).permitted(NETWORK),
    put("/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}", CHANGE_CUTS, PATH).permitted(NETWORK),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}", CHANGE_CUTS, PATH).permitted(NETWORK),
    post("/nodes/{node}/{kind}/{vmid}/firewall/aliases", CHANGE, PATH).permitted(NETWORK).making("name"),
    put("/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}", CHANGE_CUTS, PATH).permitted(NETWORK),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}", CHANGE_CUTS, PATH).permitted(NETWORK),
    post("/nodes/{node}/{kind}/{vmid}/firewall/ipset", CHANGE, PATH).permitted(NETWORK).making("name"),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}", CHANGE_CUTS, PATH).permitted(NETWORK),
    post("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}", CHANGE, PATH).permitted(NETWORK),
    put("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, PATH).permitted(NETWORK),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, PATH).permitted(NETWORK),

    put("/nodes/{node}/firewall/options", CHANGE_STOPS, NODE),
    post("/nodes/{node}/firewall/rules", Marked::By(rule), NODE),
    put("/nodes/{node}/firewall/rules/{pos}", CHANGE_CUTS, NODE),
    delete("/nodes/{node}/firewall/rules/{pos}", CHANGE_CUTS, NODE),

    put("/cluster/firewall/options", CHANGE_STOPS, CLUSTER),
    post("/cluster/firewall/rules", Marked::By(rule), CLUSTER),
    put("/cluster/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/aliases", CHANGE, CLUSTER).making("name"),
    put("/cluster/firewall/aliases/{name}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/aliases/{name}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/ipset", CHANGE, CLUSTER).making("name"),
    delete("/cluster/firewall/ipset/{name}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/ipset/{name}", CHANGE, CLUSTER),
    put("/cluster/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/groups", CHANGE, CLUSTER).making("group"),
    delete("/cluster/firewall/groups/{group}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/groups/{group}", Marked::By(rule), CLUSTER),
    put("/cluster/firewall/groups/{group}/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/groups/{group}/{pos}", CHANGE_CUTS, CLUSTER),

    put("/cluster/sdn/vnets/{vnet}/firewall/options", CHANGE_STOPS, CLUSTER),
    post("/cluster/sdn/vnets/{vnet}/firewall/rules", Marked::By(rule), CLUSTER),
    put("/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
];

/// A new rule stands above all others: it keeps out what they let in, or the other way round, unless it is
/// disabled, as it is where nothing is said.
fn rule(sent: &Sent) -> Mark {
    match sent.is_set("enable") {
        true => Mark::CHANGE.interrupts(),
        false => Mark::CHANGE,
    }
}
