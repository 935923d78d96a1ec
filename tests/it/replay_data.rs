//! Which families of the recordings the tools use, and which exchanges are excepted, each with its reason.

/// Method and path template.
pub(crate) const FAMILIES: &[&str] = &[
    "GET /version",
    "GET /cluster/status",
    "GET /cluster/resources",
    "GET /cluster/nextid",
    "GET /cluster/tasks",
    "GET /cluster/options",
    "GET /cluster/ha/status/current",
    "GET /cluster/ha/resources",
    "GET /cluster/backup",
    "GET /cluster/backup-info/not-backed-up",
    "GET /access/permissions",
    "GET /pools",
    "GET /nodes",
    "GET /nodes/{node}/status",
    "GET /nodes/{node}/network",
    "GET /nodes/{node}/storage",
    "GET /nodes/{node}/storage/{storage}/status",
    "GET /nodes/{node}/storage/{storage}/content",
    "GET /nodes/{node}/storage/{storage}/content/{volume}",
    "PUT /nodes/{node}/storage/{storage}/content/{volume}",
    "DELETE /nodes/{node}/storage/{storage}/content/{volume}",
    "GET /storage",
    "GET /nodes/{node}/tasks",
    "GET /nodes/{node}/tasks/{upid}/status",
    "GET /nodes/{node}/tasks/{upid}/log",
    "DELETE /nodes/{node}/tasks/{upid}",
    "GET /nodes/{node}/qemu",
    "POST /nodes/{node}/qemu",
    "DELETE /nodes/{node}/qemu/{vmid}",
    "GET /nodes/{node}/qemu/{vmid}/config",
    "PUT /nodes/{node}/qemu/{vmid}/config",
    "POST /nodes/{node}/qemu/{vmid}/config",
    "GET /nodes/{node}/qemu/{vmid}/pending",
    "PUT /nodes/{node}/qemu/{vmid}/unlink",
    "GET /nodes/{node}/qemu/{vmid}/status/current",
    "POST /nodes/{node}/qemu/{vmid}/status/start",
    "POST /nodes/{node}/qemu/{vmid}/status/stop",
    "POST /nodes/{node}/qemu/{vmid}/status/shutdown",
    "POST /nodes/{node}/qemu/{vmid}/status/reboot",
    "POST /nodes/{node}/qemu/{vmid}/status/reset",
    "POST /nodes/{node}/qemu/{vmid}/status/suspend",
    "POST /nodes/{node}/qemu/{vmid}/status/resume",
    "GET /nodes/{node}/qemu/{vmid}/snapshot",
    "POST /nodes/{node}/qemu/{vmid}/snapshot",
    "DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}",
    "POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback",
    "GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
    "PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
    "GET /nodes/{node}/qemu/{vmid}/feature",
    "POST /nodes/{node}/qemu/{vmid}/clone",
    "POST /nodes/{node}/qemu/{vmid}/template",
    "PUT /nodes/{node}/qemu/{vmid}/resize",
    "POST /nodes/{node}/qemu/{vmid}/move_disk",
    "GET /nodes/{node}/qemu/{vmid}/migrate",
    "POST /nodes/{node}/qemu/{vmid}/migrate",
    "GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces",
    "GET /nodes/{node}/lxc",
    "POST /nodes/{node}/lxc",
    "DELETE /nodes/{node}/lxc/{vmid}",
    "GET /nodes/{node}/lxc/{vmid}/config",
    "PUT /nodes/{node}/lxc/{vmid}/config",
    "GET /nodes/{node}/lxc/{vmid}/pending",
    "GET /nodes/{node}/lxc/{vmid}/status/current",
    "POST /nodes/{node}/lxc/{vmid}/status/start",
    "POST /nodes/{node}/lxc/{vmid}/status/stop",
    "POST /nodes/{node}/lxc/{vmid}/status/shutdown",
    "POST /nodes/{node}/lxc/{vmid}/status/reboot",
    "GET /nodes/{node}/lxc/{vmid}/interfaces",
    "GET /nodes/{node}/lxc/{vmid}/snapshot",
    "POST /nodes/{node}/lxc/{vmid}/snapshot",
    "DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}",
    "POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback",
    "GET /nodes/{node}/lxc/{vmid}/feature",
    "POST /nodes/{node}/lxc/{vmid}/clone",
    "PUT /nodes/{node}/lxc/{vmid}/resize",
    "POST /nodes/{node}/lxc/{vmid}/move_volume",
    "GET /nodes/{node}/lxc/{vmid}/migrate",
    "POST /nodes/{node}/vzdump",
    "GET /nodes/{node}/vzdump/extractconfig",
    "GET /pve-docs/api-viewer/apidoc.js",
];


/// Id and reason.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "down-proxied",
        "the first call on a proxy connection that was open when the node died; the lab's timing",
    ),
    (
        "sdn-apply.status",
        "PUT /cluster/sdn is not modelled, so there is no task",
    ),
    (
        "sdn-apply.log",
        "PUT /cluster/sdn is not modelled, so there is no task",
    ),
];

/// Why a line of differences, which begins with its id, is excepted.
pub(crate) fn excuse(line: &str) -> Option<&'static str> {
    let id = line.split(' ').next().unwrap_or("");
    EXCEPTIONS
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, reason)| *reason)
}
