//! Each tool name of the Python package with the tool here, and how its arguments become ours.
//!
//! A name may stand in several rows: the first whose argument was given and whose tool is built is
//! taken.

/// Tools of one kind there, and what they are here.
pub(super) struct Old {
    /// Without the prefix `proxmox-`, with hyphens.
    pub(super) names: &'static [&'static str],
    pub(super) tool: &'static str,
    pub(super) how: &'static [How],
    /// Only where this argument was given.
    pub(super) when: Option<&'static str>,
    /// What else should be known.
    pub(super) note: Option<&'static str>,
}

/// How an argument is translated.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// `vmid` or `name` to `guest`.
    Guest,
    /// It has the same name here.
    Same(&'static str),
    /// Another name.
    As(&'static str, &'static str),
    /// Another name, and text before and behind its value: `grow_gb: 5` to `size: "+5G"`.
    Number(&'static str, &'static str, &'static str, &'static str),
    /// An entry of `settings`.
    Setting(&'static str),
    /// Always this text.
    Set(&'static str, &'static str),
    /// Always true.
    Yes(&'static str),
    /// Always a list of this one word.
    List(&'static str, &'static str),
    /// `upid` to `task`.
    Task,
    /// `search`, `status` and `node` to a search for this type.
    Search(&'static str),
}

use How::{As, Guest, List, Number, Same, Search, Set, Setting, Task, Yes};

const fn old(names: &'static [&'static str], tool: &'static str, how: &'static [How]) -> Old {
    Old {
        names,
        tool,
        how,
        when: None,
        note: None,
    }
}

impl Old {
    const fn when(self, argument: &'static str) -> Old {
        Old {
            when: Some(argument),
            ..self
        }
    }

    const fn note(self, note: &'static str) -> Old {
        Old {
            note: Some(note),
            ..self
        }
    }
}

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
const POOL_MEMBER: &[How] = &[Same("poolid"), Guest];

const GENTLE: &str = "`shutdown` is the gentle way";
const FROM_TEMPLATE: &str = "a cloud image is made a template once, and cloned for each guest";

pub(super) static TABLE: &[Old] = &[
    // Clusters.
    old(
        &[
            "list-all-clusters",
            "get-cluster-info",
            "list-all-clusters-info",
        ],
        "cluster_list",
        &[],
    ),
    old(&["validate-all-clusters"], "cluster_list", &[Yes("check")]),
    old(&["get-all-cluster-status"], "fleet_summary", &[]),
    // Nodes.
    old(&["list-nodes"], "node_list", &[]),
    old(
        &["list-all-nodes-from-all-clusters"],
        "node_list",
        &[Set("cluster", "all")],
    ),
    old(
        &["node-status", "get-node-status"],
        "node_get",
        &[Same("node")],
    ),
    old(
        &["node-metrics"],
        "node_metrics",
        &[Same("node"), Same("timeframe"), Same("cf")],
    ),
    old(
        &["list-bridges"],
        "network_list",
        &[Same("node"), Set("type", "any_bridge")],
    ),
    old(
        &["list-bridges"],
        "node_get",
        &[Same("node"), List("include", "bridges")],
    ),
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
    // Storages.
    old(&["list-storage", "storage-status"], "storage_list", &[]),
    old(
        &["storage-content"],
        "storage_content",
        &[Same("storage"), Same("node")],
    ),
    old(
        &["upload-iso"],
        "storage_upload",
        &[
            Same("storage"),
            Same("node"),
            As("file_path", "file"),
            Set("content", "iso"),
        ],
    ),
    old(
        &["upload-template"],
        "storage_upload",
        &[
            Same("storage"),
            Same("node"),
            As("file_path", "file"),
            Set("content", "vztmpl"),
        ],
    ),
    old(&["list-os-templates"], "template_list", &[Same("node")]),
    old(
        &["list-os-templates"],
        "storage_content",
        &[Same("storage"), Same("node"), Set("content", "vztmpl")],
    )
    .note("it lists the templates that are on the storage"),
    old(
        &["download-os-template"],
        "template_download",
        &[
            Same("storage"),
            Same("node"),
            As("template_name", "template"),
        ],
    ),
    // Tasks.
    old(
        &["list-tasks"],
        "task_list",
        &[Same("node"), Same("user"), Same("limit")],
    ),
    old(&["task-status", "wait-task"], "task_get", &[Task]),
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
    // Pools and rights.
    old(&["list-pools"], "pool_list", &[]),
    old(
        &["create-pool"],
        "pool_set",
        &[Same("poolid"), Same("comment")],
    ),
    old(&["delete-pool"], "pool_delete", &[Same("poolid")]),
    old(&["pool-add", "pool-remove"], "pool_set", POOL_MEMBER),
    old(&["list-users", "list-roles"], "access_list", &[]),
    old(
        &["assign-permission"],
        "access_acl",
        &[
            Same("path"),
            Same("roles"),
            Same("users"),
            Same("groups"),
            Same("propagate"),
        ],
    ),
];
