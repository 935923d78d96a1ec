//! The rows of firewalls: of a guest, a node, the cluster, a virtual network.

use super::row::{CHANGE, CHANGE_CUTS, CHANGE_STOPS, CLUSTER, NODE, PATH, Row, delete, post, put};

#[rustfmt::skip] // One row a line.
pub(super) static ROWS: &[Row] = &[
    put("/nodes/{node}/{kind}/{vmid}/firewall/options", CHANGE_STOPS, PATH),
    post("/nodes/{node}/{kind}/{vmid}/firewall/rules", CHANGE, PATH),
    put("/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}", CHANGE_CUTS, PATH),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}", CHANGE_CUTS, PATH),
    post("/nodes/{node}/{kind}/{vmid}/firewall/aliases", CHANGE, PATH),
    put("/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}", CHANGE_CUTS, PATH),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}", CHANGE_CUTS, PATH),
    post("/nodes/{node}/{kind}/{vmid}/firewall/ipset", CHANGE, PATH),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}", CHANGE_CUTS, PATH),
    post("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}", CHANGE, PATH),
    put("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, PATH),
    delete("/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, PATH),

    put("/nodes/{node}/firewall/options", CHANGE_STOPS, NODE),
    post("/nodes/{node}/firewall/rules", CHANGE, NODE),
    put("/nodes/{node}/firewall/rules/{pos}", CHANGE_CUTS, NODE),
    delete("/nodes/{node}/firewall/rules/{pos}", CHANGE_CUTS, NODE),

    put("/cluster/firewall/options", CHANGE_STOPS, CLUSTER),
    post("/cluster/firewall/rules", CHANGE, CLUSTER),
    put("/cluster/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/aliases", CHANGE, CLUSTER),
    put("/cluster/firewall/aliases/{name}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/aliases/{name}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/ipset", CHANGE, CLUSTER),
    delete("/cluster/firewall/ipset/{name}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/ipset/{name}", CHANGE, CLUSTER),
    put("/cluster/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/ipset/{name}/{cidr}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/groups", CHANGE, CLUSTER),
    delete("/cluster/firewall/groups/{group}", CHANGE_CUTS, CLUSTER),
    post("/cluster/firewall/groups/{group}", CHANGE, CLUSTER),
    put("/cluster/firewall/groups/{group}/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/firewall/groups/{group}/{pos}", CHANGE_CUTS, CLUSTER),

    put("/cluster/sdn/vnets/{vnet}/firewall/options", CHANGE_STOPS, CLUSTER),
    post("/cluster/sdn/vnets/{vnet}/firewall/rules", CHANGE, CLUSTER),
    put("/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
    delete("/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}", CHANGE_CUTS, CLUSTER),
];
