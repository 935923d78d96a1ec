//! The tools of the Python package `proxmox-mcp`, and what does the same here.

/// Tools of one kind there, and a tool that does it here.
pub(super) struct OldTool {
    /// Without the prefix `proxmox-`, with hyphens.
    pub(super) names: &'static [&'static str],
    pub(super) tool: &'static str,
    /// What the tool here is given: its argument, and a text in which `{name}` stands for an argument
    /// there. A word of the text whose argument is not given is left out; of two texts for one argument,
    /// the first that comes to something is taken. What has the same name in both needs no text.
    pub(super) given: &'static [(&'static str, &'static str)],
    /// Only where this argument was given.
    pub(super) when: Option<&'static str>,
    /// What else should be known.
    pub(super) note: Option<&'static str>,
}

/// A name may stand in several rows: the first whose argument was given and whose tool is built is
/// taken.
#[rustfmt::skip] // One row a line.
pub(super) static TABLE: &[OldTool] = &[
    // Clusters and nodes.
    old(&["list-all-clusters", "get-cluster-info", "list-all-clusters-info"], "cluster_list", &[]),
    old(&["validate-all-clusters"], "cluster_list", &[("check", "true")]),
    old(&["get-all-cluster-status"], "fleet_summary", &[]),
    old(&["list-nodes"], "node_list", &[]),
    old(&["list-all-nodes-from-all-clusters"], "node_list", &[("cluster", "all")]),
    old(&["node-status", "get-node-status"], "node_get", &[]),
    old(&["node-metrics"], "node_metrics", &[]),
    old(&["list-bridges"], "network_list", &[("type", "any_bridge")]),
    old(&["list-bridges"], "node_get", &[("include", "bridges")]),

    // Guests.
    old(&["list-vms"], "fleet_search", &[("query", "type:vm {search} status:{status} node:{node}")]).when("search"),
    old(&["list-vms"], "guest_list", &[("type", "vm")]),
    old(&["list-lxc"], "fleet_search", &[("query", "type:container {search} status:{status} node:{node}")]).when("search"),
    old(&["list-lxc"], "guest_list", &[("type", "container")]),
    old(&["list-all-vms-from-all-clusters"], "guest_list", &[("cluster", "all"), ("type", "vm")]),
    old(&["resolve-vm", "resolve-lxc", "vm-info", "lxc-info"], "guest_get", &[]),
    old(&["vm-config", "lxc-config"], "guest_get", &[("include", "config")]),
    old(&["register-vm-as-host"], "guest_get", &[("include", "addresses")]).note("the line of an inventory is yours to write"),
    old(&["create-vm"], "guest_create_vm", &[("memory", "{memory_mb}"), ("disk_gib", "{disk_gb}")]),
    old(&["create-lxc"], "guest_create_container", &[("name", "{hostname}"), ("memory", "{memory_mb}"), ("disk_gib", "{rootfs_gb}")]).note("it takes its address from DHCP; guest_network sets another"),
    old(&["clone-vm"], "guest_clone", &[("guest", "{source_vmid}"), ("vmid", "{new_vmid}"), ("target", "{target_node}")]),
    old(&["create-vm-cloudinit", "create-preset-vm"], "guest_clone", &[("target", "{node}")]).note("a cloud image is made a template once, and cloned for each guest"),
    old(&["delete-vm", "delete-lxc"], "guest_delete", &[]),
    old(&["start-vm", "start-lxc"], "guest_power", &[("action", "start")]),
    old(&["stop-vm", "stop-lxc"], "guest_power", &[("action", "stop")]).note("`shutdown` is the gentle way"),
    old(&["reboot-vm"], "guest_power", &[("action", "reboot")]),
    old(&["shutdown-vm"], "guest_power", &[("action", "shutdown"), ("timeout", "{timeout}")]),
    old(&["migrate-vm"], "guest_migrate", &[("target", "{target_node}")]),
    old(&["resize-vm-disk"], "guest_disk", &[("action", "resize"), ("size", "+{grow_gb}G")]),
    old(&["configure-vm", "configure-lxc"], "guest_configure", &[("settings", "{params}")]),
    old(&["template-vm"], "guest_template", &[]),
    old(&["cloudinit-set"], "guest_configure", &[("settings", "{ipconfig0} {sshkeys} {ciuser} {cipassword}")]).when("ipconfig0"),
    old(&["cloudinit-set"], "guest_cloudinit", &[("user", "{ciuser}"), ("password", "{cipassword}"), ("keys", "{sshkeys}")]),
    old(&["configure-cloudinit-advanced"], "guest_cloudinit", &[]),

    // Their networks.
    old(&["vm-nic-add"], "guest_network", &[("action", "set"), ("tag", "{vlan}")]),
    old(&["vm-nic-remove"], "guest_network", &[("action", "remove"), ("net", "net{slot}")]),
    old(&["vm-firewall-get"], "firewall_get", &[]),
    old(&["vm-firewall-set"], "firewall_rule", &[]).when("rules"),
    old(&["vm-firewall-set"], "firewall_options", &[]),

    // Snapshots and backups.
    old(&["list-snapshots"], "snapshot_list", &[]),
    old(&["create-snapshot"], "snapshot_create", &[]),
    old(&["delete-snapshot"], "snapshot_delete", &[]),
    old(&["rollback-snapshot"], "snapshot_rollback", &[]),
    old(&["backup-vm"], "backup_create", &[]),
    old(&["restore-vm"], "backup_restore", &[("force", "{force}")]),

    // What a guest tells.
    old(&["vm-metrics"], "guest_metrics", &[]),
    old(&["vm-notes-read", "lxc-notes-read", "vm-notes-get", "lxc-notes-get"], "guest_notes", &[("action", "get")]),
    old(&["vm-notes-read", "lxc-notes-read", "vm-notes-get", "lxc-notes-get"], "guest_get", &[("include", "config")]).note("the notes stand under `untrusted_text`"),
    old(&["vm-notes-update", "lxc-notes-update", "vm-notes-set", "lxc-notes-set"], "guest_notes", &[("action", "set"), ("text", "{content}")]),
    old(&["vm-notes-append", "lxc-notes-append"], "guest_notes", &[("action", "append"), ("text", "{content}")]),
    old(&["vm-notes-remove", "lxc-notes-remove", "vm-notes-clear", "lxc-notes-clear"], "guest_notes", &[("action", "clear")]),
    old(&["guest-exec"], "agent_exec", &[("input", "{input_data}")]),

    // Storages.
    old(&["list-storage", "storage-status"], "storage_list", &[]),
    old(&["storage-content"], "storage_content", &[]),
    old(&["upload-iso"], "storage_upload", &[("file", "{file_path}"), ("content", "iso")]),
    old(&["upload-template"], "storage_upload", &[("file", "{file_path}"), ("content", "vztmpl")]),
    old(&["list-os-templates"], "storage_content", &[("content", "vztmpl")]).note("it lists the templates that are on the storage; `template_list` shows those on offer"),
    old(&["download-os-template"], "template_download", &[("template", "{template_name}")]),

    // Tasks, pools and permissions.
    old(&["list-tasks"], "task_list", &[("user", "{user}")]),
    old(&["task-status", "wait-task"], "task_get", &[("task", "{cluster}!{upid}")]).when("cluster"),
    old(&["task-status", "wait-task"], "task_get", &[("task", "{upid}")]),
    old(&["list-pools"], "pool_list", &[]),
    old(&["create-pool"], "pool_set", &[("pool", "{poolid}")]),
    old(&["delete-pool"], "pool_delete", &[("pool", "{poolid}")]),
    old(&["pool-add"], "pool_set", &[("pool", "{poolid}"), ("add", "{vmid}"), ("add", "{name}")]),
    old(&["pool-remove"], "pool_set", &[("pool", "{poolid}"), ("remove", "{vmid}"), ("remove", "{name}")]),
    old(&["list-users", "list-roles"], "access_list", &[]),
    old(&["assign-permission"], "access_acl", &[]),
];

const fn old(
    names: &'static [&'static str],
    tool: &'static str,
    given: &'static [(&'static str, &'static str)],
) -> OldTool {
    OldTool {
        names,
        tool,
        given,
        when: None,
        note: None,
    }
}

impl OldTool {
    const fn when(self, argument: &'static str) -> OldTool {
        OldTool {
            when: Some(argument),
            ..self
        }
    }

    const fn note(self, note: &'static str) -> OldTool {
        OldTool {
            note: Some(note),
            ..self
        }
    }
}
