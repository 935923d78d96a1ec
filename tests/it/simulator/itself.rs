//! The simulator itself, looked at over TLS.

use serde_json::{Value, json};

use crate::sim::client::Reply;
use crate::sim::task::Script;
use crate::sim::{ClusterSpec, Fault, SimCluster, World};

pub(crate) fn get(cluster: &SimCluster, path: &str) -> Value {
    let reply = cluster.ask("GET", path, &Value::Null);
    assert_eq!(reply.status, 200, "GET {path}: {}", reply.reason);
    reply.data()
}

pub(crate) fn refused(reply: &Reply, status: u16, reason: &str) {
    assert_eq!((reply.status, reply.reason.as_str()), (status, reason));
}

pub(crate) fn token(cluster: &SimCluster) -> String {
    format!("{}={}", cluster.spec.token_id, cluster.spec.token_secret)
}

#[test]
fn three_clusters_answer() {
    let world = World::three();
    let version = get(world.cluster("production"), "/version");
    assert_eq!(version["version"], "9.2.11");
    assert_eq!(
        get(world.cluster("staging"), "/nodes")
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let rows = get(world.cluster("production"), "/cluster/resources");
    let web = rows
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["id"] == "qemu/100")
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (&web["name"], &web["status"], &web["pool"]),
        (&json!("prod-web-01"), &json!("running"), &json!("shop"))
    );
    assert!(
        world
            .env()
            .contains("PROXMOX_CLUSTERS=production,staging,disaster-recovery")
    );
    assert!(world.ca_file("staging").is_file());
}

#[test]
fn requests_are_recorded() {
    let world = World::three();
    let cluster = world.cluster("staging");
    cluster.ask("GET", "/cluster/resources?type=vm", &Value::Null);
    let seen = cluster.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (
            seen[0].path.as_str(),
            seen[0].params["type"].as_str(),
            seen[0].status
        ),
        ("/cluster/resources", Some("vm"), 200)
    );
    assert!(cluster.seen().is_empty());
}

#[test]
fn errors_speak_like_proxmox() {
    let world = World::three();
    let cluster = world.cluster("staging");
    let reply = cluster.ask(
        "POST",
        "/nodes/stg-pve1/qemu",
        &json!({"vmid": 99, "cores": 0, "bogus": 1}),
    );
    refused(&reply, 400, "Parameter verification failed.");
    assert_eq!(
        reply.json()["errors"],
        json!({
            "vmid": "invalid format - value does not look like a valid VM ID\n",
            "cores": "value must have a minimum value of 1",
            "bogus": "property is not defined in schema and the schema does not allow additional properties",
        })
    );
    assert_eq!(reply.json()["message"], "Parameter verification failed.\n");
    refused(
        &cluster.ask("GET", "/nodes/stg-pve1/qemu/999/config", &Value::Null),
        500,
        "Configuration file 'nodes/stg-pve1/qemu-server/999.conf' does not exist",
    );
    refused(
        &cluster.ask("GET", "/nosuch", &Value::Null),
        501,
        "Method 'GET /nosuch' not implemented",
    );
    refused(
        &cluster.ask(
            "POST",
            "/access/ticket",
            &json!({"username": "x", "password": "y"}),
        ),
        403,
        "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket.",
    );
    let old = world.cluster("disaster-recovery");
    old.fault(Fault::OldErrors);
    let reply = old.ask("GET", "/nodes/dr-pve1/qemu/999/config", &Value::Null);
    assert_eq!(reply.json(), json!({"data": null}));
}

#[test]
fn guests_start_and_stop() {
    let world = World::three();
    let cluster = world.cluster("staging");
    let base = "/nodes/stg-pve1/qemu/100/status";
    assert_eq!(
        cluster.task("POST", &format!("{base}/start"), &json!({})),
        "OK"
    );
    assert_eq!(
        get(cluster, &format!("{base}/current"))["status"],
        "running"
    );
    assert_eq!(
        cluster.task("POST", &format!("{base}/start"), &json!({})),
        "VM 100 already running"
    );
    assert_eq!(
        cluster.task("POST", &format!("{base}/shutdown"), &json!({})),
        "OK"
    );
    assert_eq!(
        get(cluster, &format!("{base}/current"))["status"],
        "stopped"
    );
    refused(
        &cluster.ask("POST", &format!("{base}/reset"), &json!({})),
        500,
        "VM 100 not running",
    );
    assert_eq!(
        cluster.task("POST", "/nodes/stg-pve1/qemu/999/status/start", &json!({})),
        "Configuration file 'nodes/stg-pve1/qemu-server/999.conf' does not exist"
    );
    cluster.edit(|state| {
        state.scripts.push_back(Script {
            kind: "qmstart".into(),
            exit: "start failed: QEMU exited with code 1".into(),
            log: vec!["kvm: no".into()],
        })
    });
    assert_eq!(
        cluster.task("POST", &format!("{base}/start"), &json!({})),
        "start failed: QEMU exited with code 1"
    );
    assert_eq!(
        get(cluster, &format!("{base}/current"))["status"],
        "stopped"
    );
}

#[test]
fn a_guest_is_made_cloned_backed_up_restored_and_destroyed() {
    let world = World::three();
    let cluster = world.cluster("production");
    let node = "/nodes/prod-pve1";
    let wish = json!({"vmid": 105, "name": "prod-new-01", "memory": 2048, "cores": 2, "scsi0": "ceph-vm:8", "net0": "virtio,bridge=vmbr0", "ide2": "local:iso/debian-12.11.0-amd64-netinst.iso,media=cdrom"});
    assert_eq!(cluster.task("POST", &format!("{node}/qemu"), &wish), "OK");
    let config = get(cluster, &format!("{node}/qemu/105/config"));
    assert_eq!(config["scsi0"], "ceph-vm:vm-105-disk-0,size=8G");
    assert_eq!(
        (&config["memory"], &config["cores"]),
        (&json!("2048"), &json!(2))
    );
    assert!(
        config["net0"]
            .as_str()
            .is_some_and(|net| net.starts_with("virtio=BC:24:11:"))
    );
    assert_eq!(
        cluster.task(
            "POST",
            &format!("{node}/qemu/105/snapshot"),
            &json!({"snapname": "one"})
        ),
        "OK"
    );
    assert_eq!(
        get(cluster, &format!("{node}/qemu/105/snapshot"))
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(
        cluster.task(
            "POST",
            &format!("{node}/qemu/9000/clone"),
            &json!({"newid": 106, "name": "prod-web-09", "full": 1})
        ),
        "OK"
    );
    assert_eq!(
        cluster.task(
            "PUT",
            &format!("{node}/qemu/106/resize"),
            &json!({"disk": "scsi0", "size": "+2G"})
        ),
        "OK"
    );
    assert_eq!(
        get(cluster, &format!("{node}/qemu/106/config"))["scsi0"],
        "ceph-vm:vm-106-disk-0,size=10G"
    );
    assert_eq!(
        cluster.task(
            "POST",
            &format!("{node}/qemu/106/migrate"),
            &json!({"target": "prod-pve2"})
        ),
        "OK"
    );
    assert_eq!(
        cluster.task(
            "POST",
            &format!("{node}/vzdump"),
            &json!({"vmid": 105, "storage": "nas", "remove": 0, "compress": "zstd"})
        ),
        "OK"
    );
    let backups = get(
        cluster,
        &format!("{node}/storage/nas/content?content=backup&vmid=105"),
    );
    let archive = backups[0]["volid"].as_str().unwrap_or("").to_string();
    assert_eq!(
        cluster.task(
            "POST",
            &format!("{node}/qemu"),
            &json!({"vmid": 107, "archive": archive, "unique": 1})
        ),
        "OK"
    );
    assert_eq!(
        get(cluster, &format!("{node}/qemu/107/config"))["scsi0"],
        "ceph-vm:vm-107-disk-0,size=8G"
    );
    assert_eq!(
        cluster.task("DELETE", &format!("{node}/qemu/105?purge=1"), &Value::Null),
        "OK"
    );
    assert!(
        get(cluster, &format!("{node}/storage/ceph-vm/content?vmid=105"))
            .as_array()
            .is_some_and(Vec::is_empty)
    );
}

#[test]
fn two_creates_at_once() {
    let world = World::three();
    let cluster = world.cluster("staging");
    let ask = || cluster.ask("POST", "/nodes/stg-pve1/qemu", &json!({"vmid": 170}));
    assert_eq!(ask().status, 200);
    refused(
        &ask(),
        500,
        "unable to create VM 170 - VM 170 already exists on node 'stg-pve1'",
    );
}

#[test]
fn tasks_run_are_stopped_and_belong_to_a_node() {
    let world = World::three();
    let cluster = world.cluster("production");
    cluster.edit(|state| state.hold = true);
    let upid = cluster
        .ask(
            "POST",
            "/nodes/prod-pve1/qemu/100/status/shutdown",
            &json!({}),
        )
        .data();
    let upid = upid.as_str().unwrap_or("").to_string();
    let status = get(cluster, &format!("/nodes/prod-pve1/tasks/{upid}/status"));
    assert_eq!(
        (&status["status"], &status["user"], &status["tokenid"]),
        (&json!("running"), &json!("mcp@pve"), &json!("mcp"))
    );
    assert_eq!(
        get(cluster, &format!("/nodes/prod-pve1/tasks/{upid}/log"))[0]["t"],
        "no content"
    );
    assert_eq!(
        get(cluster, "/nodes/prod-pve1/tasks?source=active")[0]["user"],
        "mcp@pve!mcp"
    );
    refused(
        &cluster.ask(
            "PUT",
            "/nodes/prod-pve1/qemu/100/config",
            &json!({"onboot": 0}),
        ),
        500,
        "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout",
    );
    let wrong = cluster.ask(
        "GET",
        &format!("/nodes/prod-pve2/tasks/{upid}/status"),
        &Value::Null,
    );
    assert_eq!(wrong.json()["errors"]["upid"], "no such task");
    assert_eq!(
        cluster
            .ask(
                "DELETE",
                &format!("/nodes/prod-pve1/tasks/{upid}"),
                &Value::Null
            )
            .status,
        200
    );
    assert_eq!(
        get(cluster, &format!("/nodes/prod-pve1/tasks/{upid}/status"))["exitstatus"],
        "received interrupt"
    );
}

#[test]
fn worlds_may_be_large() {
    let specs = (0..40)
        .map(|i| ClusterSpec::sized(&format!("c{i}"), 2, 50))
        .collect();
    let world = World::start(specs);
    assert_eq!(
        get(world.cluster("c39"), "/cluster/resources?type=vm")
            .as_array()
            .map(Vec::len),
        Some(50)
    );
}
