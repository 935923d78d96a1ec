//! What a request weighs by its arguments, and what it touches: one row a case.

use proxmox_mcp::api::methods::{self, Touch, weigh};
use proxmox_mcp::api::request::{Request, Verb};
use serde_json::{Map, Value, json};

/// The mark, with `x` behind it where guests or their disks are lost.
fn check(line: &str, params: Value, mark: &str, touches: &str) {
    let (verb, path) = line.split_once(' ').expect("a method and a path");
    let verb = match verb {
        "GET" => Verb::Get,
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        _ => Verb::Delete,
    };
    let weight = weigh(&Request {
        verb,
        path: path.split('/').skip(1).map(str::to_string).collect(),
        params: params.as_object().expect("an object").clone(),
    });
    let lost = if weight.mark.destroys { "x" } else { "" };
    assert_eq!(format!("{}{lost}", weight.mark), mark, "{line} {params}");
    let touched: Vec<String> = weight.touches.iter().map(Touch::to_string).collect();
    assert_eq!(touched.join(", "), touches, "{line} {params}");
}

/// Whose volumes they are is looked up later; that they are named is told by the request alone.
#[test]
fn volumes_that_a_write_names() {
    let named = |path: &str, params: Value| {
        let request = Request {
            verb: Verb::Put,
            path: path.split('/').skip(1).map(str::to_string).collect(),
            params: params.as_object().expect("an object").clone(),
        };
        weigh(&request).volumes.named
    };
    let volume = "ceph-vm:vm-100-disk-0";
    // In a row of the table, and in no row.
    for path in ["/nodes/n/qemu/101/config", "/nodes/n/no-such/method"] {
        assert_eq!(named(path, json!({"scsi5": volume, "cores": 2})), [volume]);
        assert_eq!(named(path, json!({"cores": 2})), [""; 0]);
    }
}

#[test]
#[rustfmt::skip] // One row a line.
fn guests() {
    let config = "PUT /nodes/n/qemu/100/config";
    check("GET /whatever", json!({}), "R", "");
    check(config, json!({"cores": 2}), "C", "guest 100");
    check(config, json!({"delete": "scsi1"}), "C", "guest 100");
    check(config, json!({"delete": "net1"}), "C!", "guest 100");
    check(config, json!({"delete": "cores net1"}), "C!", "guest 100");
    check(config, json!({"delete": ["cores", "net1"]}), "C!", "guest 100");
    check(config, json!({"delete": "scsi1,unused0"}), "F?x", "guest 100");
    check(config, json!({"delete": "net0;unused0"}), "F!?x", "guest 100");
    check(config, json!({"delete": "scsi1", "force": 1}), "F?x", "guest 100");
    check(config, json!({"delete": "scsi1", "force": "0"}), "C", "guest 100");
    check(config, json!({"delete": "vmstate"}), "F?x", "guest 100");
    check(config, json!({"delete": "cores;vmstate"}), "F?x", "guest 100");
    check(config, json!({"template": 1}), "F!?", "guest 100");
    check("PUT /nodes/n/qemu/100/unlink", json!({"idlist": "scsi1"}), "C", "guest 100");
    check("PUT /nodes/n/qemu/100/unlink", json!({"idlist": "unused0"}), "F?x", "guest 100");
    check("PUT /nodes/n/qemu/100/unlink", json!({"idlist": "scsi1 vmstate"}), "F?x", "guest 100");
    check("POST /nodes/n/qemu", json!({"vmid": 200}), "C", "guest 200");
    check("POST /nodes/n/qemu", json!({"vmid": 200, "force": true}), "F!?x", "guest 200");
    check("POST /nodes/n/storage", json!({"vmid": 200}), "F?x", "something unlisted");
    check("DELETE /nodes/n/qemu/100", json!({}), "F?x", "guest 100");
    check("DELETE /nodes/n/qemu/100/x", json!({}), "F?x", "something unlisted");
    check("POST /nodes/n/qemu/100/move_disk", json!({"disk": "scsi0", "delete": 1}), "C", "guest 100");
    check("POST /nodes/n/qemu/100/move_disk", json!({"target-vmid": 101}), "Cx", "guest 100, guest 101");
    check("POST /nodes/n/qemu/100/migrate", json!({"online": 1}), "O", "guest 100");
    check("POST /nodes/n/lxc/100/migrate", json!({"restart": 1}), "O!", "guest 100");
    check("POST /nodes/n/qemu/100/remote_migrate", json!({}), "C!", "guest 100");
    check("POST /nodes/n/qemu/100/remote_migrate", json!({"delete": 1}), "F!?x", "guest 100");
    check("POST /nodes/n/lxc/100/template", json!({}), "F!?", "guest 100");
    check("POST /nodes/n/qemu/100/agent", json!({"command": "ping"}), "O", "guest 100");
    for looks in ["get-osinfo", "network-get-interfaces", "fsfreeze-status"] {
        check("POST /nodes/n/qemu/100/agent", json!({"command": looks}), "O", "guest 100");
    }
    check("POST /nodes/n/qemu/100/agent", json!({"command": "shutdown"}), "O!", "guest 100");
    check("POST /nodes/n/qemu/100/agent", json!({"command": "suspend-ram"}), "O!", "guest 100");
    check("POST /nodes/n/qemu/100/agent/shutdown", json!({}), "O!", "guest 100");
    check("POST /nodes/n/qemu/100/agent/exec", json!({}), "F?", "guest 100");
    check("POST /nodes/n/qemu/100/monitor", json!({"command": "quit"}), "F!?x", "guest 100");
    check("PUT /nodes/n/qemu/100/sendkey", json!({"key": "ctrl-alt-delete"}), "O!?", "guest 100");
    check("POST /nodes/n/qemu/100/vncproxy", json!({}), "F?", "guest 100");
    check("POST /nodes/n/lxc/100/snapshot/a/rollback", json!({}), "F!?x", "guest 100");
    check("DELETE /nodes/n/lxc/100/snapshot/a", json!({}), "F?", "guest 100");
    check("PUT /nodes/n/qemu/100/firewall/options", json!({}), "C!?", "guest 100");
    check("POST /nodes/n/qemu/100/firewall/rules", json!({}), "C", "guest 100");
    check("DELETE /nodes/n/qemu/100/firewall/rules/0", json!({}), "C!", "guest 100");
}

#[test]
#[rustfmt::skip] // One row a line.
fn backups() {
    let vzdump = "POST /nodes/n/vzdump";
    let snapshot = |more: Value| {
        let mut params = json!({"remove": 0, "mode": "snapshot"});
        for (key, value) in more.as_object().expect("an object") {
            params[key] = value.clone();
        }
        params
    };
    check(vzdump, snapshot(json!({"vmid": "100"})), "O", "guest 100");
    check(vzdump, snapshot(json!({"vmid": "100,101"})), "O", "guest 100, guest 101");
    check(vzdump, snapshot(json!({"vmid": "100;x"})), "O", "guest 100, something unlisted");
    check(vzdump, snapshot(json!({"vmid": "100", "mode": "stop"})), "O!", "guest 100");
    // The node's own mode may be `stop`.
    check(vzdump, json!({"vmid": "100", "remove": 0}), "O!", "guest 100");
    check(vzdump, snapshot(json!({"vmid": "100", "remove": 1})), "F?", "guest 100");
    check(vzdump, json!({"vmid": "100", "mode": "snapshot"}), "F?", "guest 100");
    check(vzdump, snapshot(json!({"vmid": "100", "prune-backups": "keep-last=1"})), "F?", "guest 100");
    check(vzdump, snapshot(json!({"vmid": "100", "script": "/x"})), "F!?x", "guest 100, guests that it does not name");
    check(vzdump, snapshot(json!({"all": 1})), "F?", "the guests of node n");
    check(vzdump, json!({"remove": 0, "all": 1, "mode": "stop"}), "F!?", "the guests of node n");
    check(vzdump, snapshot(json!({"pool": "p"})), "F?", "the guests of pool p");
    let jobs = "POST /cluster/backup";
    check(jobs, json!({"id": "j", "mode": "snapshot", "all": 1}), "C", "job j");
    check(jobs, json!({"id": "j", "mode": "stop", "vmid": "100"}), "C!", "job j, guest 100");
    check(jobs, json!({"id": "j", "mode": "stop", "pool": "p"}), "C!", "job j, the guests of pool p");
    check(jobs, json!({"id": "j", "all": 1}), "C!", "job j, all guests");
    check(jobs, json!({"id": "j", "mode": "snapshot", "all": 1, "prune-backups": "keep-last=1"}), "F?", "job j, all guests");
    let job = "PUT /cluster/backup/j";
    check(job, json!({"prune-backups": "keep-last=1"}), "F?", "job j, guests that it does not name");
    check(job, json!({"delete": "prune-backups"}), "F?", "job j, guests that it does not name");
    check(job, json!({"remove": 1}), "F?", "job j, guests that it does not name");
    check(job, json!({"comment": "x"}), "C", "job j");
    check(job, json!({"enabled": 0}), "C", "job j");
    check(job, json!({"mode": "snapshot", "vmid": "100"}), "C", "job j");
    check(job, json!({"vmid": "100"}), "C!", "job j, guests that it does not name");
    check(job, json!({"delete": "mode"}), "C!", "job j, guests that it does not name");
    check("DELETE /cluster/backup/j", json!({}), "F?", "job j");
    let replication = "PUT /cluster/replication/100-0";
    check("POST /cluster/replication", json!({"id": "100-0", "target": "m"}), "C", "job 100-0, guest 100");
    check(replication, json!({"schedule": "*/15"}), "C", "job 100-0, guest 100");
    check(replication, json!({"remove_job": "full"}), "F?", "job 100-0, guest 100");
    check("DELETE /cluster/replication/100-0", json!({}), "F?", "job 100-0, guest 100");
    check("POST /nodes/n/replication/100-0/schedule_now", json!({}), "O", "job 100-0, guest 100");
}

/// A backup is that of the guest in its name.
#[test]
fn backups_are_their_guests() {
    let named = |volume: &str| {
        let path = ["nodes", "n", "storage", "s", "content", volume];
        let weight = weigh(&Request {
            verb: Verb::Delete,
            path: path.map(str::to_string).to_vec(),
            params: Map::new(),
        });
        let touches = weight.touches.iter().map(Touch::to_string);
        let touches = touches.skip(1).collect::<Vec<_>>().join(", ");
        // The guest and its disks are what they were.
        assert_eq!(weight.mark.destroys, touches.is_empty(), "{volume}");
        assert_eq!(weight.mark.to_string(), "F?", "{volume}");
        touches
    };
    for (volume, guest) in [
        (
            "s:backup/vzdump-lxc-101-2026_10_04-15_52_42.tar.zst",
            "guest 101",
        ),
        (
            "backup/vzdump-qemu-101-2026_10_04-15_52_42.vma",
            "guest 101",
        ),
        ("s:backup/vm/101/2026-10-04T15:52:42Z", "guest 101"),
        ("s:backup/vzdump-qemu-x-2026_10_04-15_52_42.vma", ""),
        ("s:backup/vzdump-qemu-101-", ""),
        ("s:iso/vzdump-qemu-101-2026.iso", ""),
    ] {
        assert_eq!(named(volume), guest, "{volume}");
    }
}

#[test]
#[rustfmt::skip] // One row a line.
fn storages() {
    let content = "/nodes/n/storage/s/content";
    check(&format!("DELETE {content}/vm-100-disk-0"), json!({}), "F?x", "volume s:vm-100-disk-0");
    check(&format!("DELETE {content}/s:iso"), json!({}), "F?x", "volume s:iso");
    check(&format!("PUT {content}/s:b"), json!({"notes": "x"}), "C", "volume s:b");
    check("POST /nodes/n/storage/s/upload", json!({}), "C", "storage s");
    check("DELETE /nodes/n/storage/s/prunebackups", json!({}), "F?", "storage s, all guests");
    check("DELETE /nodes/n/storage/s/prunebackups", json!({"vmid": "100"}), "F?", "storage s, guest 100");
    check("POST /storage", json!({"storage": "s"}), "C", "storage s");
    check("PUT /storage/s", json!({"content": "iso"}), "C", "storage s");
    check("POST /storage", json!({"storage": "s", "prune-backups": "keep-last=1"}), "F?", "storage s");
    check("PUT /storage/s", json!({"disable": 1}), "F?", "storage s");
    check("PUT /storage/s", json!({"disable": 0}), "C", "storage s");
    check("PUT /storage/s", json!({"nodes": "n"}), "F?", "storage s");
    check("PUT /storage/s", json!({"delete": "server,prune-backups"}), "F?", "storage s");
    check("PUT /storage/s", json!({"delete": "prune-backups"}), "F?", "storage s");
    check("PUT /storage/s", json!({"delete": "comment;nodes"}), "F?", "storage s");
    check("PUT /storage/s", json!({"delete": "comment"}), "C", "storage s");
    check("PUT /storage/s", json!({"prune-backups": "keep-last=1"}), "F?", "storage s");
    check("DELETE /storage/s", json!({}), "F?", "storage s");
}

#[test]
#[rustfmt::skip] // One row a line.
fn nodes() {
    let some = "node n, guests that it does not name";
    check("POST /nodes/n/status", json!({"command": "reboot"}), "F!?", "node n, the guests of node n");
    check("POST /nodes/n/startall", json!({}), "O", "node n");
    check("POST /nodes/n/stopall", json!({}), "O!?", "node n, the guests of node n");
    check("POST /nodes/n/stopall", json!({"vms": "100,101"}), "O!?", "node n, guest 100, guest 101");
    check("POST /nodes/n/suspendall", json!({}), "O!?", "node n, the guests of node n");
    check("POST /nodes/n/migrateall", json!({"target": "m"}), "O!?", "node n, the containers of node n");
    check("POST /nodes/n/services/pveproxy/restart", json!({}), "C!?", "node n");
    check("POST /nodes/n/services/corosync/stop", json!({}), "C!?", "node n, the guests of node n");
    check("POST /nodes/n/services/cron/start", json!({}), "C", "node n");
    check("PUT /nodes/n/disks/wipedisk", json!({"disk": "/dev/sdb"}), "F?x", some);
    check("POST /nodes/n/disks/initgpt", json!({}), "F?x", some);
    check("DELETE /nodes/n/disks/zfs/tank", json!({}), "F?x", some);
    check("POST /nodes/n/disks/lvm", json!({}), "F?", "node n");
    check("POST /nodes/n/execute", json!({"commands": "[]"}), "F!?x", some);
    check("POST /nodes/n/termproxy", json!({}), "F?", "node n");
    check("DELETE /nodes/n/subscription", json!({}), "F?", "node n");
    check("POST /nodes/n/apt/update", json!({}), "C", "node n");
    check("POST /nodes/n/certificates/custom", json!({}), "F!?", "node n");
    check("PUT /nodes/n/network", json!({}), "C!?", "node n");
    check("DELETE /nodes/n/network", json!({}), "C", "node n");
    check("DELETE /nodes/n/network/vmbr1", json!({}), "C", "node n");
    check("POST /nodes/n/ceph/osd/1/out", json!({}), "O!?", "node n");
    check("DELETE /nodes/n/ceph/pool/rbd", json!({}), "F?x", some);
    check("DELETE /nodes/n/tasks/UPID:x", json!({}), "O!", "task UPID:x");
}

#[test]
#[rustfmt::skip] // One row a line.
fn clusters_and_access() {
    check("PUT /cluster/options", json!({"description": "x"}), "C", "the cluster");
    check("PUT /cluster/options", json!({"delete": "webauthn"}), "F?", "the cluster");
    check("PUT /cluster/options", json!({"delete": "description,u2f"}), "F?", "the cluster");
    check("PUT /cluster/options", json!({"delete": "description"}), "C", "the cluster");
    check("DELETE /cluster/config/nodes/n", json!({}), "F!?", "the cluster, the guests of node n");
    check("PUT /cluster/sdn", json!({}), "C!?", "the cluster");
    check("PUT /cluster/firewall/options", json!({"enable": 0}), "C!?", "the cluster");
    check("POST /cluster/ha/resources", json!({"sid": "vm:100"}), "C", "guest 100");
    check("POST /cluster/ha/resources", json!({"sid": "ct:100", "state": "stopped"}), "C!", "guest 100");
    check("PUT /cluster/ha/resources/vm:100", json!({"state": "disabled"}), "C!", "guest 100");
    check("PUT /cluster/ha/resources/100", json!({"state": "started"}), "C", "guest 100");
    check("POST /cluster/ha/resources/vm:100/migrate", json!({"node": "m"}), "O", "guest 100");
    check("POST /cluster/ha/resources/ct:100/migrate", json!({"node": "m"}), "O!", "guest 100");
    check("POST /cluster/ha/resources/vm:100/relocate", json!({"node": "m"}), "O!", "guest 100");
    check("POST /cluster/bulk-action/guest/shutdown", json!({"vms": [100, 101]}), "O!?", "guest 100, guest 101");
    check("POST /cluster/bulk-action/guest/shutdown", json!({}), "O!?", "all guests");
    check("PUT /pools/p", json!({"vms": "100", "delete": 1}), "C", "pool p, guest 100");
    check("PUT /pools", json!({"poolid": "p/q", "vms": "100"}), "C", "pool p/q, guest 100");
    check("DELETE /pools/p", json!({}), "F?", "pool p, the guests of pool p");
    check("PUT /cluster/ceph/flags/pause", json!({"value": 1}), "F!?", "the cluster, guests that it does not name");
    check("PUT /cluster/ceph/flags/noout", json!({"value": 1}), "C", "the cluster");
    check("POST /access/ticket", json!({"username": "a@pam"}), "F?", "the access of a@pam");
    check("PUT /access/password", json!({"userid": "a@pve"}), "F!?", "the access of a@pve");
    check("PUT /access/users/a@pve", json!({"comment": "x"}), "F?", "the access of a@pve");
    check("PUT /access/users/a@pve", json!({"enable": 0}), "F!?", "the access of a@pve");
    check("PUT /access/users/a@pve", json!({"expire": 1}), "F!?", "the access of a@pve");
    check("PUT /access/users/a@pve/token/t", json!({"comment": "x"}), "F?", "the access of a@pve");
    check("PUT /access/users/a@pve/token/t", json!({"expire": 1}), "F!?", "the access of a@pve");
    check("PUT /access/users/a@pve/token/t", json!({"regenerate": 1}), "F!?", "the access of a@pve");
    check("POST /access/users/a@pve/token/t", json!({}), "F?", "the access of a@pve");
    check("DELETE /access/users/a@pve/token/t", json!({}), "F!?", "the access of a@pve");
    check("PUT /access/acl", json!({"path": "/vms"}), "F?", "the access of /vms");
    check("PUT /access/acl", json!({"path": "/vms", "delete": 1}), "F!?", "the access of /vms");
}

/// A guest that a request makes is another's business than one that is there.
#[test]
fn what_is_made_is_no_guest_yet() {
    let create = |params: Value| {
        let path = ["nodes", "n", "qemu"].map(str::to_string);
        let weight = weigh(&Request {
            verb: Verb::Post,
            path: path.into(),
            params: params.as_object().expect("an object").clone(),
        });
        weight.touches
    };
    assert_eq!(create(json!({"vmid": 200})), [Touch::NewGuest(200)]);
    let over = json!({"vmid": 200, "force": 1});
    assert_eq!(create(over), [Touch::Guest(200)]);
    assert_eq!(create(json!({"vmid": "x"})), [Touch::Unlisted]);
}

#[test]
fn a_row_is_for_its_own_path() {
    let listed = |path: &str| {
        methods::of(&Request {
            verb: Verb::Delete,
            path: path.split('/').skip(1).map(str::to_string).collect(),
            params: Map::new(),
        })
        .is_some()
    };
    assert!(listed("/nodes/n/qemu/100"));
    assert!(!listed("/nodes/n/qemu/100/x"));
}

/// Who may touch a node, a pool or the cluster may touch what is in it, and in no other.
#[test]
fn what_is_addressed_covers_what_is_in_it() {
    let touches = [
        Touch::Guest(100),
        Touch::NewGuest(100),
        Touch::Node("a".into()),
        Touch::Pool("a".into()),
        Touch::Cluster,
        Touch::GuestsOn("a".into()),
        Touch::GuestsOn("b".into()),
        Touch::ContainersOn("a".into()),
        Touch::ContainersOn("b".into()),
        Touch::GuestsIn("a".into()),
        Touch::GuestsIn("b".into()),
        Touch::AllGuests,
        Touch::SomeGuests,
        Touch::Unlisted,
    ];
    let many: Vec<String> = touches
        .iter()
        .filter(|touch| touch.is_many())
        .map(Touch::to_string)
        .collect();
    assert_eq!(
        many.join(", "),
        "the guests of node a, the guests of node b, the containers of node a, \
         the containers of node b, the guests of pool a, the guests of pool b, all guests"
    );
    let covered = |by: Touch| {
        let covered = touches.iter().filter(|touch| by.covers(touch));
        let covered: Vec<String> = covered.map(Touch::to_string).collect();
        covered.join(", ")
    };
    for (by, expected) in [
        (
            Touch::Node("a".into()),
            "node a, the guests of node a, the containers of node a",
        ),
        (
            Touch::Pool("a".into()),
            "guest 100, pool a, the guests of pool a",
        ),
        (Touch::Cluster, "the cluster, all guests"),
        (Touch::Guest(100), "guest 100"),
        (Touch::AllGuests, "all guests"),
    ] {
        assert_eq!(covered(by), expected);
    }
}

/// What a row says of the object that a POST makes is so: the parameter is there, and a GET reads it by
/// that name. A POST whose object can be read so says it.
#[test]
fn what_a_method_makes_can_be_read_by_its_name() {
    // Found by their place among others, by two names, by a task, or later than the answer.
    const OTHERWISE: [&str; 13] = [
        "/firewall/rules",
        "/firewall/groups/{group}",
        "/firewall/ipset/{name}",
        "/{vmid}/snapshot",
        "/nodes/{node}/network",
        "/nodes/{node}/ceph/pool",
        "/nodes/{node}/disks/zfs",
        "/cluster/sdn/vnets/{vnet}/subnets",
        "/cluster/sdn/fabrics/fabric",
        "/cluster/sdn/fabrics/node/{fabric_id}",
        "/cluster/sdn/prefix-lists",
        "/cluster/sdn/route-maps/entries",
        "/storage/{storage}/content",
    ];
    let api: Value = serde_json::from_str(include_str!("../../sim/api.json")).expect("api.json");
    let endpoints = api["endpoints"].as_array().expect("endpoints");
    let of = |verb: &str, path: &str| {
        let is_it = |one: &&Value| one["method"] == json!(verb) && one["path"] == json!(path);
        endpoints.iter().find(is_it)
    };
    let mut made = 0;
    let mut problems = Vec::new();
    for method in methods::all().filter(|one| one.verb == Verb::Post) {
        for kind in ["qemu", "lxc"] {
            let path = method.path.replace("{kind}", kind);
            let takes =
                |param: &str| of("POST", &path).is_some_and(|one| one["params"][param].is_object());
            let behind = endpoints.iter().filter_map(|one| {
                let rest = one["path"]
                    .as_str()?
                    .strip_prefix(&path)?
                    .strip_prefix("/{")?;
                rest.strip_suffix('}')
                    .filter(|_| one["method"] == json!("GET"))
            });
            let mut behind = behind.filter(|param| takes(param));
            let is_otherwise = OTHERWISE.iter().any(|part| path.ends_with(part));
            match (method.makes, behind.next()) {
                (Some(param), Some(read)) if param == read => made += 1,
                (None, Some(_)) if is_otherwise => {}
                (None, None) => {}
                (makes, read) => problems.push(format!("{path}: {makes:?}, not {read:?}")),
            }
        }
    }
    assert_eq!(problems, [""; 0]);
    assert!(made > 50, "{made}");
}
