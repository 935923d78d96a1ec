//! The names of what the Python package did with guests.

use super::how::How::{As, Guest, List, Number, Same, Search, Set, Setting};
use super::how::{How, Old, old};

const START: &[How] = &[Guest, Set("action", "start")];
const STOP: &[How] = &[Guest, Set("action", "stop")];
const REBOOT: &[How] = &[Guest, Set("action", "reboot")];
const SHUTDOWN: &[How] = &[Guest, Set("action", "shutdown"), Same("timeout")];
const CREATE_VM: &[How] = &[
    Same("vmid"),
    Same("name"),
    Same("node"),
    Same("cores"),
    As("memory_mb", "memory"),
    As("disk_gb", "disk_gib"),
    Same("storage"),
    Same("bridge"),
    Same("iso"),
];
const CREATE_LXC: &[How] = &[
    Same("vmid"),
    As("hostname", "name"),
    Same("node"),
    Same("ostemplate"),
    Same("cores"),
    As("memory_mb", "memory"),
    As("rootfs_gb", "disk_gib"),
    Same("storage"),
    Same("bridge"),
];
const CLOUDINIT: &[How] = &[
    Guest,
    Setting("ipconfig0"),
    Setting("sshkeys"),
    Setting("ciuser"),
    Setting("cipassword"),
];
const GENTLE: &str = "`shutdown` is the gentle way";
const FROM_TEMPLATE: &str = "a cloud image is made a template once, and cloned for each guest";

pub(super) static GUESTS: &[Old] = &[
    // Guests.
    old(&["list-vms"], "fleet_search", &[Search("vm")]).when("search"),
    old(
        &["list-vms"],
        "guest_list",
        &[Set("type", "vm"), Same("status"), Same("node")],
    ),
    old(&["list-lxc"], "fleet_search", &[Search("container")]).when("search"),
    old(
        &["list-lxc"],
        "guest_list",
        &[Set("type", "container"), Same("status"), Same("node")],
    ),
    old(
        &["list-all-vms-from-all-clusters"],
        "guest_list",
        &[Set("cluster", "all"), Set("type", "vm")],
    ),
    old(
        &["resolve-vm", "resolve-lxc", "vm-info", "lxc-info"],
        "guest_get",
        &[Guest],
    ),
    old(
        &["vm-config", "lxc-config"],
        "guest_get",
        &[Guest, List("include", "config")],
    ),
    old(
        &["register-vm-as-host"],
        "guest_get",
        &[Guest, List("include", "addresses")],
    )
    .note("the line of an inventory is yours to write"),
    old(&["create-vm"], "guest_create_vm", CREATE_VM),
    old(&["create-lxc"], "guest_create_container", CREATE_LXC)
        .note("it takes its address from DHCP; guest_network sets another"),
    old(
        &["clone-vm"],
        "guest_clone",
        &[
            As("source_vmid", "guest"),
            As("new_vmid", "vmid"),
            As("target_node", "target"),
            Same("name"),
            Same("storage"),
            Same("full"),
        ],
    ),
    old(
        &["delete-vm", "delete-lxc"],
        "guest_delete",
        &[Guest, Same("purge")],
    ),
    old(&["start-vm", "start-lxc"], "guest_power", START),
    old(&["stop-vm", "stop-lxc"], "guest_power", STOP).note(GENTLE),
    old(&["reboot-vm"], "guest_power", REBOOT),
    old(&["shutdown-vm"], "guest_power", SHUTDOWN),
    old(
        &["migrate-vm"],
        "guest_migrate",
        &[Guest, As("target_node", "target")],
    ),
    old(
        &["resize-vm-disk"],
        "guest_disk",
        &[
            Guest,
            Set("action", "resize"),
            Same("disk"),
            Number("grow_gb", "size", "+", "G"),
        ],
    ),
    old(
        &["configure-vm", "configure-lxc"],
        "guest_configure",
        &[Guest, As("params", "settings")],
    ),
    old(&["template-vm"], "guest_template", &[Guest]),
    old(&["cloudinit-set"], "guest_cloudinit", CLOUDINIT),
    old(&["cloudinit-set"], "guest_configure", CLOUDINIT),
    old(
        &["configure-cloudinit-advanced"],
        "guest_cloudinit",
        &[Guest],
    ),
    old(
        &["create-vm-cloudinit", "create-preset-vm"],
        "guest_clone",
        &[Same("name"), Same("vmid"), As("node", "target")],
    )
    .note(FROM_TEMPLATE),
    // Their networks.
    old(
        &["vm-nic-add"],
        "guest_network",
        &[
            Guest,
            Set("action", "set"),
            Same("bridge"),
            Same("model"),
            As("vlan", "tag"),
        ],
    ),
    old(
        &["vm-nic-remove"],
        "guest_network",
        &[
            Guest,
            Set("action", "remove"),
            Number("slot", "net", "net", ""),
        ],
    ),
    old(&["vm-firewall-get"], "firewall_get", &[Guest]),
    old(
        &["vm-firewall-set"],
        "firewall_rule",
        &[Guest, Same("rules")],
    )
    .when("rules"),
    old(
        &["vm-firewall-set"],
        "firewall_options",
        &[Guest, Same("enable")],
    ),
    // Snapshots and backups.
    old(&["list-snapshots"], "snapshot_list", &[Guest]),
    old(
        &["create-snapshot"],
        "snapshot_create",
        &[
            Guest,
            Same("snapname"),
            Same("description"),
            Same("vmstate"),
        ],
    ),
    old(
        &["delete-snapshot"],
        "snapshot_delete",
        &[Guest, Same("snapname")],
    ),
    old(
        &["rollback-snapshot"],
        "snapshot_rollback",
        &[Guest, Same("snapname")],
    ),
    old(
        &["backup-vm"],
        "backup_create",
        &[Guest, Same("mode"), Same("compress"), Same("storage")],
    ),
    old(
        &["restore-vm"],
        "backup_restore",
        &[
            Same("node"),
            Same("vmid"),
            Same("archive"),
            Same("storage"),
            Same("force"),
        ],
    ),
    // What a guest tells.
    old(
        &["vm-metrics"],
        "guest_metrics",
        &[Guest, Same("timeframe"), Same("cf")],
    ),
    old(
        &[
            "vm-notes-read",
            "lxc-notes-read",
            "vm-notes-get",
            "lxc-notes-get",
        ],
        "guest_notes",
        &[Guest, Set("action", "get")],
    ),
    old(
        &[
            "vm-notes-read",
            "lxc-notes-read",
            "vm-notes-get",
            "lxc-notes-get",
        ],
        "guest_get",
        &[Guest, List("include", "config")],
    )
    .note("the notes stand under `untrusted_text`"),
    old(
        &[
            "vm-notes-update",
            "lxc-notes-update",
            "vm-notes-set",
            "lxc-notes-set",
        ],
        "guest_notes",
        &[Guest, Set("action", "set"), As("content", "text")],
    ),
    old(
        &["vm-notes-append", "lxc-notes-append"],
        "guest_notes",
        &[Guest, Set("action", "append"), As("content", "text")],
    ),
    old(
        &[
            "vm-notes-remove",
            "lxc-notes-remove",
            "vm-notes-clear",
            "lxc-notes-clear",
        ],
        "guest_notes",
        &[Guest, Set("action", "clear")],
    ),
    old(
        &["guest-exec"],
        "agent_exec",
        &[
            Guest,
            Same("command"),
            Same("args"),
            As("input_data", "input"),
        ],
    ),
];
