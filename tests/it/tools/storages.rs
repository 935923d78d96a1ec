//! Lists of storages: each storage once, however many nodes have it, and where its space comes from.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::session::Session;
use crate::sim::storage::Storage;
use crate::sim::{Fault, World};

const GIB: u64 = 1 << 30;

/// Options of a definition.
type Options = &'static [(&'static str, &'static str)];

fn list(session: &mut Session, arguments: Value) -> Value {
    Value::Object(session.call("storage_list", &arguments).ok())
}

/// The row of a storage.
fn row<'a>(answer: &'a Value, storage: &str) -> &'a Value {
    let rows = answer["items"].as_array().expect("items");
    let found = rows.iter().find(|row| row["storage"] == json!(storage));
    found.unwrap_or_else(|| panic!("no {storage}: {answer}"))
}

#[test]
fn where_the_space_comes_from_is_told_by_its_type() {
    let rows: [(&str, Options, &str); 16] = [
        (
            "nfs",
            &[("server", "10.0.0.5"), ("export", "/tank/pve")],
            "10.0.0.5:/tank/pve",
        ),
        (
            "cifs",
            &[("server", "10.0.0.6"), ("share", "pve")],
            "//10.0.0.6/pve",
        ),
        (
            "cifs",
            &[("server", "nas"), ("share", "pve"), ("subdir", "/dump")],
            "//nas/pve/dump",
        ),
        (
            "pbs",
            &[("server", "pbs1"), ("datastore", "main")],
            "pbs1:main",
        ),
        (
            "pbs",
            &[
                ("server", "pbs1"),
                ("datastore", "main"),
                ("namespace", "prod"),
            ],
            "pbs1:main/prod",
        ),
        ("rbd", &[("pool", "vm")], "vm"),
        (
            "rbd",
            &[
                ("pool", "vm"),
                ("monhost", "10.1.0.1;10.1.0.2"),
                ("namespace", "a"),
            ],
            "10.1.0.1;10.1.0.2:vm/a",
        ),
        ("cephfs", &[], "cephfs"),
        ("cephfs", &[("fs-name", "isos"), ("subdir", "/x")], "isos/x"),
        ("zfspool", &[("pool", "rpool/data")], "rpool/data"),
        (
            "zfs",
            &[
                ("pool", "tank"),
                ("portal", "10.2.0.1"),
                ("target", "iqn.a"),
            ],
            "10.2.0.1:tank",
        ),
        (
            "iscsi",
            &[("portal", "10.2.0.1"), ("target", "iqn.a")],
            "10.2.0.1/iqn.a",
        ),
        ("lvm", &[("vgname", "vg0")], "vg0"),
        (
            "lvmthin",
            &[("vgname", "pve"), ("thinpool", "data")],
            "pve/data",
        ),
        ("btrfs", &[], "/mnt/here"),
        ("dir", &[], "/mnt/here"),
    ];
    let world = World::three();
    world.cluster("staging").edit(|state| {
        for (place, (kind, options, _)) in rows.iter().enumerate() {
            let mut storage = Storage::new(&format!("s{place}"), kind, "images", false);
            let options = options.iter();
            storage.options = options
                .map(|(key, value)| ((*key).to_string(), (*value).to_string()))
                .collect();
            // Where a node mounts it is told too, of whatever it mounts.
            if matches!(*kind, "nfs" | "cifs" | "cephfs" | "btrfs" | "dir") {
                storage.path = "/mnt/here".into();
            }
            state.storages.push(storage);
        }
    });
    let mut session = Session::start(&world);
    let answer = list(&mut session, json!({"cluster": "staging"}));
    for (place, (kind, _, source)) in rows.iter().enumerate() {
        let row = row(&answer, &format!("s{place}"));
        assert_eq!(row["source"], json!(source), "{kind}: {row}");
    }
}

#[test]
fn a_storage_that_every_node_has_is_said_once_with_the_use_of_each() {
    let world = World::three();
    world.cluster("production").edit(|state| {
        let local = state.storages.iter_mut().find(|one| one.id == "local");
        let local = local.expect("local");
        local.used_on = BTreeMap::from([("prod-pve2".to_string(), 95 * GIB)]);
        local.down = vec!["prod-pve3".into()];
    });
    let mut session = Session::start(&world);
    let answer = list(&mut session, json!({"cluster": "production"}));
    let local = row(&answer, "local");
    assert_eq!(
        local,
        &json!({
            "cluster": "production", "storage": "local", "type": "dir", "status": "unknown on 1 of 3",
            "unreachable_from": ["prod-pve3"], "content": "backup,iso,vztmpl",
            "total_gib": 192.0, "used_gib": 109.0, "used_percent": 99.0,
            "by_node": {"prod-pve1": [14.6, 96.0], "prod-pve2": [99.0, 96.0], "prod-pve3": null},
            "source": "/var/lib/vz",
        })
    );
    // A shared one is not another on each node.
    let nas = row(&answer, "nas");
    assert_eq!(nas["nodes"], json!(["prod-pve1", "prod-pve2", "prod-pve3"]));
    assert_eq!(nas["by_node"], Value::Null);
    assert_eq!(nas["total_gib"], json!(4000.0));
    // The fullest node decides in an order, and each column can be had.
    let fields = json!(["storage", "nodes", "used_percent"]);
    let asked =
        json!({"cluster": "production", "sort": "-used_percent", "limit": 1, "fields": fields});
    let first = list(&mut session, asked);
    assert_eq!(
        first["items"],
        json!([{
            "storage": "local", "nodes": ["prod-pve1", "prod-pve2", "prod-pve3"], "used_percent": 99.0,
        }])
    );
    assert_eq!((&first["total"], &first["next"]), (&json!(4), &json!("1")));
    let rest = json!({"cluster": "production", "cursor": "1", "fields": ["storage"]});
    assert_eq!(
        list(&mut session, rest)["items"],
        json!([{"storage": "local"}, {"storage": "local-lvm"}, {"storage": "nas"}])
    );
}

/// As a stopped container's `interfaces` are answered: `data` is null where nothing is to be listed.
#[test]
fn null_in_place_of_a_list_is_an_empty_one() {
    let world = World::three();
    let mut session = Session::with(&world, "");
    let content = "/nodes/stg-pve1/storage/local/content";
    let null = Fault::Body(br#"{"data":null}"#.to_vec());
    world.cluster("staging").fault(null.on("GET", content));
    let arguments = json!({"storage": "local", "node": "stg-pve1", "cluster": "staging"});
    let answer = session.call("storage_content", &arguments).ok();
    assert_eq!(answer["items"], json!([]), "{answer:?}");
}

/// The size of an unused volume stands on its storage only, which may write it as text.
#[test]
fn the_size_of_an_unused_volume_is_a_number_or_a_text() {
    let world = World::three();
    let mut session = Session::with(&world, "");
    let disk =
        |action: &str, disk: &str| json!({"guest": "stg-web-01", "action": action, "disk": disk});
    session.call("guest_disk", &disk("detach", "scsi0")).ok();
    let content = "/nodes/stg-pve1/storage/local-lvm/content";
    for (size, expected) in [
        (json!(34_359_738_368_u64), "32G"),
        (json!("34359738368"), "32G"),
        (json!("large"), "unknown"),
        (json!(null), "unknown"),
    ] {
        let listed = json!({"data": [{"volid": "local-lvm:vm-100-disk-0", "size": size}]});
        let fault = Fault::Body(listed.to_string().into_bytes());
        world.cluster("staging").fault(fault.on("GET", content));
        let answer = session.call("guest_disk", &disk("remove", "unused0")).ok();
        assert_eq!(answer["plan"]["size"], json!(expected), "{size}");
        world.cluster("staging").heal();
    }
}
