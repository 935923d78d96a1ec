//! The tool names of the Python package, and what is said to a call by one of them.

use proxmox_mcp::tools;
use proxmox_mcp::tools::renamed::{names, sentence};
use regex::Regex;
use serde_json::{Value, json};

/// What its tools were called with, as its own documents show it.
const CALLS: &str = r#"
list-all-clusters {}
validate-all-clusters {}
get-all-cluster-status {}
list-nodes {}
list-all-nodes-from-all-clusters {}
node-status {"node":"pve1"}
list-vms {"node":"pve1","status":"running"}
list-vms {"search":"web server","status":"running"}
list-lxc {"status":"stopped"}
list-all-vms-from-all-clusters {}
vm-info {"vmid":100,"node":"pve1"}
lxc-config {"name":"cache"}
list-storage {}
storage-content {"node":"pve1","storage":"local"}
list-bridges {"node":"pve1"}
list-tasks {"node":"pve1","limit":10}
task-status {"upid":"UPID:pve1:00000D72:0006CAEA:6AC27457:qmresume:100:mcp@pve!full:","node":"pve1"}
wait-task {"upid":"UPID:pve1:00000D72:0006CAEA:6AC27457:qmresume:100:mcp@pve!full:","timeout":60,"cluster":"production"}
clone-vm {"source_vmid":9000,"new_vmid":120,"name":"web-02","target_node":"pve2","storage":"nas","full":true,"confirm":true,"wait":true}
create-vm {"node":"pve1","vmid":120,"name":"web-02","cores":2,"memory_mb":2048,"disk_gb":20,"storage":"nas","bridge":"vmbr0","iso":"local:iso/a.iso","confirm":true}
delete-vm {"name":"web-02","purge":true,"confirm":true}
start-vm {"name":"web-02","wait":true,"timeout":300}
stop-vm {"vmid":100}
reboot-vm {"vmid":100}
shutdown-vm {"vmid":100,"timeout":60}
migrate-vm {"vmid":100,"target_node":"pve2"}
resize-vm-disk {"vmid":100,"disk":"scsi0","grow_gb":5,"confirm":true}
configure-vm {"vmid":100,"params":{"memory":4096},"confirm":true}
create-lxc {"node":"pve1","vmid":210,"hostname":"cache","ostemplate":"local:vztmpl/debian.tar.zst","cores":1,"memory_mb":512,"rootfs_gb":8,"storage":"local-lvm","bridge":"vmbr0","confirm":true}
start-lxc {"vmid":210}
cloudinit-set {"vmid":100,"ipconfig0":"ip=dhcp","ciuser":"debian"}
vm-nic-add {"vmid":100,"bridge":"vmbr1","model":"virtio","vlan":20}
vm-nic-remove {"vmid":100,"slot":1}
list-os-templates {"node":"pve1","storage":"local"}
list-snapshots {"vmid":100}
create-snapshot {"vmid":100,"snapname":"before","description":"x","vmstate":false}
delete-snapshot {"vmid":100,"snapname":"before","confirm":true}
rollback-snapshot {"vmid":100,"snapname":"before"}
backup-vm {"vmid":100,"mode":"snapshot","compress":"zstd","storage":"nas"}
restore-vm {"node":"pve1","vmid":150,"archive":"nas:backup/vzdump-qemu-100-2026_01_01-00_00_00.vma.zst","storage":"nas"}
register-vm-as-host {"vmid":100}
vm-notes-read {"vmid":100}
"#;

fn said(name: &str, arguments: &Value) -> Option<String> {
    sentence(name, arguments.as_object().expect("an object"))
}

#[test]
fn every_method_of_the_last_table_is_known() {
    let methods = "list_all_clusters get_cluster_info list_all_clusters_info validate_all_clusters \
        get-all-cluster-status list_nodes get_node_status list-all-nodes-from-all-clusters node-metrics \
        list_vms list_lxc list-all-vms-from-all-clusters resolve_vm resolve_lxc vm_config lxc_config vm-info \
        lxc-info list_storage storage_status storage_content list_bridges list_tasks task_status wait-task \
        clone_vm create_vm delete_vm start_vm stop_vm reboot_vm shutdown_vm migrate_vm resize_vm_disk \
        configure_vm template-vm create_lxc delete_lxc start_lxc stop_lxc configure_lxc cloudinit-set \
        configure-cloudinit-advanced create-vm-cloudinit create-preset-vm vm-nic-add vm-nic-remove \
        vm-firewall-get vm-firewall-set upload-iso upload-template list-os-templates download-os-template \
        list-snapshots create-snapshot delete-snapshot rollback-snapshot backup-vm restore-vm vm-metrics \
        vm-notes-read vm-notes-update vm-notes-remove lxc-notes-read lxc-notes-update lxc-notes-remove \
        guest-exec register-vm-as-host list-pools create-pool delete-pool pool-add pool-remove list-users \
        list-roles assign-permission";
    for method in methods.split_whitespace() {
        let hyphens = method.replace('_', "-");
        let underscores = method.replace('-', "_");
        let spelled = [
            format!("proxmox-{hyphens}"),
            format!("proxmox_{underscores}"),
            hyphens,
            underscores,
        ];
        for name in spelled {
            assert!(said(&name, &json!({})).is_some(), "{name}");
        }
    }
    for name in ["proxmox-", "", "list", "proxmox-fly", "fleet_search"] {
        assert_eq!(said(name, &json!({})), None, "{name}");
    }
}

/// What is not built yet is not shown as if it were, and what is named exists.
#[test]
fn no_missing_tool_is_named_as_if_it_were_there() {
    let rule = Regex::new("^`[a-z-]+` (is|will be) `([a-z_]+)` here").expect("a rule");
    for name in names() {
        let said = said(&name, &json!({})).expect("a sentence");
        let found = rule.captures(&said).unwrap_or_else(|| panic!("{said}"));
        let built = tools::find(&found[2]).is_some();
        assert_eq!(&found[1] == "is", built, "{said}");
        assert_eq!(said.contains("not built yet"), !built, "{said}");
    }
}

#[test]
fn its_arguments_become_ours_ready_to_be_sent() {
    let mut wrong = Vec::new();
    for line in CALLS.trim().lines() {
        let (method, arguments) = line.split_once(' ').expect("a call");
        let arguments: Value = serde_json::from_str(arguments).expect("arguments");
        let said = said(&format!("proxmox-{method}"), &arguments).expect("a sentence");
        if said.contains("save that") || said.contains("without a counterpart") {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn check(name: &str, arguments: Value, expected: &str) {
    assert_eq!(said(name, &arguments).as_deref(), Some(expected), "{name}");
}

#[test]
fn the_sentences_are_whole() {
    check(
        "proxmox-list-vms",
        json!({"status": "running", "colour": 1}),
        "`proxmox-list-vms` is `guest_list` here, with the arguments {\"type\":\"vm\",\"status\":\"running\"}; \
         without a counterpart: `colour`",
    );
    check(
        "proxmox_list_vms",
        json!({"search": "web \"x", "node": "pve-1"}),
        "`proxmox-list-vms` is `fleet_search` here, with the arguments \
         {\"query\":\"type:vm \\\"web x\\\" node:\\\"pve-1\\\"\"}",
    );
    check(
        "proxmox-delete-vm",
        json!({"name": "web-02", "vmid": null, "confirm": true, "cluster": "staging"}),
        "`proxmox-delete-vm` is `guest_delete` here, with the arguments \
         {\"guest\":\"web-02\",\"cluster\":\"staging\"}; the first call shows a plan and its code, which the \
         second bears in `confirm`",
    );
    check(
        "proxmox-start-vm",
        json!({}),
        "`proxmox-start-vm` is `guest_power` here, with the arguments {\"action\":\"start\"}, save that \
         `guest` is missing",
    );
    check(
        "proxmox-guest-exec",
        json!({"vmid": 100}),
        "`proxmox-guest-exec` will be `agent_exec` here, which is not built yet in this version",
    );
}
