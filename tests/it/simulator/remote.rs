//! The simulator itself: guests that go from one simulated cluster to another.

use serde_json::{Value, json};

use crate::sim::World;
use crate::simulator::itself::{get, refused, token};

const BILLING: &str = "/nodes/prod-pve3/qemu/110";

fn to_staging(world: &World, more: Value) -> Value {
    let staging = world.cluster("staging");
    let node = staging.spec.nodes[0].name.as_str();
    let endpoint = format!(
        "apitoken=PVEAPIToken={},host=127.0.0.1,port={},fingerprint={}",
        token(staging),
        staging.port(node),
        staging.fingerprint(node)
    );
    let mut body = json!({
        "target-endpoint": endpoint, "target-vmid": 777,
        "target-storage": "local-lvm", "target-bridge": "vmbr0",
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body
}

#[test]
fn a_guest_goes_to_another_cluster() {
    let world = World::three();
    let (from, to) = (world.cluster("production"), world.cluster("staging"));
    let before = get(from, &format!("{BILLING}/config"));
    let body = to_staging(&world, json!({"delete": 1}));
    let path = format!("{BILLING}/remote_migrate");
    assert_eq!(from.task("POST", &path, &body), "OK");
    let gone = from.ask("GET", &format!("{BILLING}/config"), &Value::Null);
    let text = "Configuration file 'nodes/prod-pve3/qemu-server/110.conf' does not exist";
    refused(&gone, 500, text);
    let after = get(to, "/nodes/stg-pve1/qemu/777/config");
    assert_eq!(after["scsi0"], "local-lvm:vm-777-disk-0,size=40G");
    assert_eq!(
        (&after["net0"], &after["lock"]),
        (&before["net0"], &Value::Null)
    );
}

#[test]
fn a_source_that_stays_is_locked() {
    let world = World::three();
    let from = world.cluster("production");
    let path = format!("{BILLING}/remote_migrate");
    let body = to_staging(&world, json!({}));
    assert_eq!(from.task("POST", &path, &body), "OK");
    assert_eq!(get(from, &format!("{BILLING}/config"))["lock"], "migrate");
    refused(
        &from.ask("POST", &path, &body),
        500,
        "VM is locked (migrate)",
    );
}

#[test]
fn a_stopped_migration_leaves_a_stub() {
    let world = World::three();
    let (from, to) = (world.cluster("production"), world.cluster("staging"));
    from.edit(|state| state.pace.task_ms = 100_000);
    let path = format!("{BILLING}/remote_migrate");
    let reply = from.ask("POST", &path, &to_staging(&world, json!({})));
    let upid = reply.data().as_str().unwrap_or_default().to_string();
    assert_eq!(get(to, "/nodes/stg-pve1/qemu/777/config")["lock"], "create");
    let task = format!("/nodes/prod-pve3/tasks/{upid}");
    assert_eq!(from.ask("DELETE", &task, &Value::Null).status, 200);
    let status = get(from, &format!("{task}/status"));
    assert_eq!(status["exitstatus"], "migration aborted");
    assert_eq!(get(from, &format!("{BILLING}/config"))["lock"], Value::Null);
    assert_eq!(get(to, "/nodes/stg-pve1/qemu/777/config")["lock"], "create");
    assert_eq!(
        to.task("DELETE", "/nodes/stg-pve1/qemu/777", &Value::Null),
        "VM is locked (create)"
    );
}

#[test]
fn an_archive_in_a_common_directory_is_everybodys() {
    let world = World::three();
    world.mount("/mnt/xfer");
    let (from, to) = (world.cluster("production"), world.cluster("staging"));
    let storage = json!({"storage": "xfer", "type": "dir", "path": "/mnt/xfer", "content": "backup", "shared": 1});
    let add = |cluster: &crate::sim::SimCluster, name: &str| {
        let mut storage = storage.clone();
        storage["storage"] = name.into();
        assert_eq!(cluster.ask("POST", "/storage", &storage).status, 200);
    };
    add(from, "xfer");
    add(to, "inbox");
    let backup = json!({"vmid": "110", "storage": "xfer", "remove": 0, "compress": "zstd"});
    assert_eq!(from.task("POST", "/nodes/prod-pve3/vzdump", &backup), "OK");
    let list = "/nodes/stg-pve1/storage/inbox/content?content=backup";
    let archive = get(to, list)[0]["volid"].as_str().unwrap_or("").to_string();
    assert!(
        archive.starts_with("inbox:backup/vzdump-qemu-110-"),
        "{archive}"
    );
    let restore = json!({"vmid": 777, "archive": archive, "storage": "local-lvm"});
    assert_eq!(to.task("POST", "/nodes/stg-pve1/qemu", &restore), "OK");
    let path = format!("/nodes/stg-pve1/storage/inbox/content/{archive}");
    assert_eq!(to.task("DELETE", &path, &Value::Null), "OK");
    let list = "/nodes/prod-pve3/storage/xfer/content?content=backup";
    assert_eq!(get(from, list), json!([]));
}
