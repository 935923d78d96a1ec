//! Paths that only list what is below them.

use serde_json::{Map, Value};

/// Path, the key of its rows, and the names.
const INDEXES: &[(&str, &str, &str)] = &[
    (
        "/cluster",
        "name",
        "acme backup backup-info bulk-action ceph config firewall ha jobs log mapping metrics notifications \
         nextid options qemu replication resources status tasks sdn",
    ),
    (
        "/cluster/firewall",
        "name",
        "aliases rules options groups ipset macros refs",
    ),
    ("/nodes/{node}/firewall", "name", "rules options log"),
    (
        "/nodes/{node}/qemu/{vmid}/firewall",
        "name",
        "rules aliases ipset refs options",
    ),
    (
        "/nodes/{node}/lxc/{vmid}/firewall",
        "name",
        "rules aliases ipset refs options",
    ),
    ("/", "subdir", "version cluster nodes storage access pools"),
    ("/cluster/bulk-action", "name", "guest"),
    (
        "/nodes/{node}",
        "name",
        "aplinfo apt capabilities ceph certificates config disks dns firewall hardware hosts journal lxc \
         migrateall netstat network qemu query-oci-repo-tags query-url-metadata replication report rrd \
         rrddata scan sdn services spiceshell startall status stopall storage subscription suspendall syslog \
         tasks termproxy time version vncshell vzdump wakeonlan",
    ),
    ("/nodes/{node}/scan", "method", "cifs iscsi lvm nfs pbs zfs"),
    (
        "/nodes/{node}/storage/{storage}",
        "subdir",
        "content download-url file-restore import-metadata identity oci-registry-pull prunebackups rrd \
         rrddata status upload",
    ),
    (
        "/nodes/{node}/qemu/{vmid}",
        "subdir",
        "config cloudinit pending status unlink vncproxy termproxy migrate resize move rrd rrddata monitor \
         agent snapshot spiceproxy sendkey firewall mtunnel remote_migrate",
    ),
    (
        "/nodes/{node}/qemu/{vmid}/status",
        "subdir",
        "current start stop reset shutdown suspend reboot",
    ),
    (
        "/nodes/{node}/qemu/{vmid}/agent",
        "name",
        "exec exec-status file-read file-write fsfreeze-freeze fsfreeze-status fsfreeze-thaw fstrim \
         get-fsinfo get-host-name get-memory-block-info get-memory-blocks get-osinfo get-time get-timezone \
         get-users get-vcpus info network-get-interfaces ping set-user-password shutdown suspend-disk \
         suspend-hybrid suspend-ram",
    ),
    (
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}",
        "cmd",
        "rollback config",
    ),
    (
        "/nodes/{node}/lxc/{vmid}",
        "subdir",
        "config pending status vncproxy termproxy vncwebsocket spiceproxy migrate clone rrd rrddata firewall \
         snapshot resize interfaces",
    ),
    (
        "/access",
        "subdir",
        "users groups roles acl domains openid tfa ticket password",
    ),
];

pub fn of(verb: &str, path: &str) -> Option<Value> {
    let (_, key, names) = INDEXES
        .iter()
        .find(|(known, ..)| verb == "GET" && *known == path)?;
    let row = |name: &str| Value::Object(Map::from_iter([(key.to_string(), name.into())]));
    Some(names.split(' ').map(row).collect())
}
