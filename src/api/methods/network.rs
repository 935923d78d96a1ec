//! The rows of networks: of nodes, and the zones and virtual networks of the cluster.
//!
//! Changes wait until they are applied, which is what cuts off.

use super::method::{CHANGE, CHANGE_CUTS, CHANGE_STOPS, CLUSTER, Method, NODE, delete, post, put};

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    post("/nodes/{node}/network", CHANGE, NODE),
    put("/nodes/{node}/network/{iface}", CHANGE, NODE),
    delete("/nodes/{node}/network/{iface}", CHANGE, NODE),
    put("/nodes/{node}/network", CHANGE_STOPS, NODE),
    delete("/nodes/{node}/network", CHANGE, NODE),

    put("/cluster/sdn", CHANGE_STOPS, CLUSTER),
    post("/cluster/sdn/rollback", CHANGE, CLUSTER),
    post("/cluster/sdn/lock", CHANGE, CLUSTER),
    delete("/cluster/sdn/lock", CHANGE, CLUSTER),
    post("/cluster/sdn/zones", CHANGE, CLUSTER).making("zone"),
    put("/cluster/sdn/zones/{zone}", CHANGE, CLUSTER),
    delete("/cluster/sdn/zones/{zone}", CHANGE, CLUSTER),
    post("/cluster/sdn/vnets", CHANGE, CLUSTER).making("vnet"),
    put("/cluster/sdn/vnets/{vnet}", CHANGE, CLUSTER),
    delete("/cluster/sdn/vnets/{vnet}", CHANGE, CLUSTER),
    post("/cluster/sdn/vnets/{vnet}/subnets", CHANGE, CLUSTER),
    put("/cluster/sdn/vnets/{vnet}/subnets/{subnet}", CHANGE, CLUSTER),
    delete("/cluster/sdn/vnets/{vnet}/subnets/{subnet}", CHANGE, CLUSTER),
    // Addresses are given and taken at once.
    post("/cluster/sdn/vnets/{vnet}/ips", CHANGE, CLUSTER),
    put("/cluster/sdn/vnets/{vnet}/ips", CHANGE_CUTS, CLUSTER),
    delete("/cluster/sdn/vnets/{vnet}/ips", CHANGE_CUTS, CLUSTER),
    post("/cluster/sdn/controllers", CHANGE, CLUSTER).making("controller"),
    put("/cluster/sdn/controllers/{controller}", CHANGE, CLUSTER),
    delete("/cluster/sdn/controllers/{controller}", CHANGE, CLUSTER),
    post("/cluster/sdn/dns", CHANGE, CLUSTER).making("dns"),
    put("/cluster/sdn/dns/{dns}", CHANGE, CLUSTER),
    delete("/cluster/sdn/dns/{dns}", CHANGE, CLUSTER),
    post("/cluster/sdn/ipams", CHANGE, CLUSTER).making("ipam"),
    put("/cluster/sdn/ipams/{ipam}", CHANGE, CLUSTER),
    delete("/cluster/sdn/ipams/{ipam}", CHANGE, CLUSTER),
    post("/cluster/sdn/fabrics/fabric", CHANGE, CLUSTER),
    put("/cluster/sdn/fabrics/fabric/{id}", CHANGE, CLUSTER),
    delete("/cluster/sdn/fabrics/fabric/{id}", CHANGE, CLUSTER),
    post("/cluster/sdn/fabrics/node/{fabric_id}", CHANGE, CLUSTER),
    put("/cluster/sdn/fabrics/node/{fabric_id}/{node_id}", CHANGE, CLUSTER),
    delete("/cluster/sdn/fabrics/node/{fabric_id}/{node_id}", CHANGE, CLUSTER),
    post("/cluster/sdn/prefix-lists", CHANGE, CLUSTER),
    put("/cluster/sdn/prefix-lists/{id}", CHANGE, CLUSTER),
    delete("/cluster/sdn/prefix-lists/{id}", CHANGE, CLUSTER),
    post("/cluster/sdn/prefix-lists/{id}/entries", CHANGE, CLUSTER),
    put("/cluster/sdn/prefix-lists/{id}/entries/{url_seq}", CHANGE, CLUSTER),
    delete("/cluster/sdn/prefix-lists/{id}/entries/{url_seq}", CHANGE, CLUSTER),
    post("/cluster/sdn/route-maps/entries", CHANGE, CLUSTER),
    put("/cluster/sdn/route-maps/entries/{route-map-id}/entry/{order}", CHANGE, CLUSTER),
    delete("/cluster/sdn/route-maps/entries/{route-map-id}/entry/{order}", CHANGE, CLUSTER),
];
