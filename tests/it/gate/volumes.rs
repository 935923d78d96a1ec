//! Whose a volume is that a write names or changes: by its storage and by who uses it, whatever its name
//! says; and that what is a guest's own costs next to nothing.

use proxmox_mcp::api::methods::{ChangedVolumes, weigh};
use proxmox_mcp::error::Code;
use proxmox_mcp::tool::call::AppState;
use serde_json::{Value, json};

use crate::gate::protect::{app, passes, refused, request, send, world};
use crate::session::Session;
use crate::sim::guest::{Config, Snapshot, Status};
use crate::sim::storage::Volume;
use crate::sim::{Fault, World};

/// 103 on stg-pve2 is protected; 120 and 130 are VMs on stg-pve1.
fn shared_world() -> World {
    let world = world();
    world.cluster("staging").edit(|state| {
        for vmid in [103, 120, 130] {
            let guest = state.guests.get_mut(&vmid).expect("a guest");
            guest.node = "stg-pve1".into();
        }
        let other = state.guests.get_mut(&120).expect("120");
        other.set("scsi5", "local-lvm:vm-103-disk-0,size=8G");
        other.set("scsi6", "local-lvm:vm-120-disk-9,size=8G");
        other.set("unused0", "local-lvm:vm-103-disk-0");
        other.snapshots.push(Snapshot {
            name: "held".into(),
            parent: None,
            time: 1_700_000_000,
            description: String::new(),
            vmstate: false,
            state: None,
            config: Config::from_iter([("scsi9".into(), "local-lvm:odd,size=8G".into())]),
        });
        let protected = state.guests.get_mut(&103).expect("103");
        protected.set("scsi7", "local-lvm:vm-120-disk-9,size=8G");
        protected.set("scsi8", "local-lvm:odd,size=8G");
    });
    world
}

/// As [`shared_world`], with a container that shares volumes with the guest of the others.
fn with_container() -> World {
    let world = shared_world();
    world.cluster("staging").edit(|state| {
        let container = state.guests.get_mut(&101).expect("101");
        container.node = "stg-pve1".into();
        // No rule of the other guest covers it.
        container.config.remove("tags");
        container.set("mp5", "local-lvm:vm-103-disk-0,mp=/of-103,size=8G");
        container.set("mp6", "local-lvm:vm-101-disk-9,mp=/of-both,size=8G");
        let protected = state.guests.get_mut(&103).expect("103");
        protected.set("scsi9", "local-lvm:vm-101-disk-9,size=8G");
        let core = state.pools.get_mut("core").expect("core");
        core.vms.retain(|vmid| *vmid != 101);
    });
    world
}

const VM: &str = "/nodes/stg-pve1/qemu/120";
const CONTAINER: &str = "/nodes/stg-pve1/lxc/101";

#[test]
#[rustfmt::skip] // One row a line.
fn what_a_protected_guest_uses_is_not_touched_by_way_of_another() {
    let world = with_container();
    for rule in ["103", "name:STG-web-02", "tag:stg", "pool:core"] {
        let app = app(&world, &format!("PROXMOX_PROTECT={rule}"));
        let said = "which is a volume of it";
        for (rest, params) in [
            ("PUT {}/config", json!({"scsi9": "local-lvm:vm-103-disk-0"})),
            ("POST {}/config", json!({"scsi9": "file=local-lvm:vm-103-disk-0,ssd=1"})),
            ("PUT {}/config", json!({"scsi9": "ssd=1,file=local-lvm:vm-103-disk-0"})),
            ("PUT {}/config", json!({"unused3": "local-lvm:vm-103-disk-0"})),
            ("PUT {}/config", json!({"efidisk0": "local-lvm:vm-103-disk-0"})),
            ("PUT {}/config", json!({"ide2": "local-lvm:vm-103-disk-0,media=cdrom"})),
            ("PUT {}/config", json!({"scsi9": "local-lvm:0,import-from=local-lvm:vm-103-disk-0"})),
            ("PUT {}/config", json!({"scsi9": "local-lvm:odd"})),
            ("PUT {}/config", json!({"later": "local-lvm:vm-103-disk-0"})),
            ("PUT {}/config", json!({"scsi9": "local-lvm:vm-120-disk-9"})),
            ("PUT {}/config", json!({"delete": "unused0"})),
            ("PUT {}/config", json!({"delete": "scsi5", "force": 1})),
            ("PUT {}/config", json!({"delete": "scsi6", "force": 1})),
            ("PUT {}/unlink", json!({"idlist": "scsi5", "force": 1})),
            ("PUT {}/resize", json!({"disk": "scsi5", "size": "+1G"})),
            ("POST {}/move_disk", json!({"disk": "scsi5", "storage": "local", "delete": 1})),
            ("POST {}/move_disk", json!({"disk": "scsi6", "storage": "local", "delete": 1})),
            ("POST {}/move_disk", json!({"disk": "scsi5", "target-vmid": 130})),
            ("POST {}/snapshot", json!({"snapname": "a"})),
            ("DELETE {}/snapshot/held", json!({})),
            ("POST {}/snapshot/held/rollback", json!({})),
            ("POST {}/template", json!({})),
            ("POST {}/remote_migrate", json!({"target-endpoint": "x", "delete": 1})),
            ("POST {}/migrate", json!({"target": "stg-pve2", "with-local-disks": 1})),
            ("DELETE {}", json!({})),
        ] {
            refused(&world, &app, &rest.replace("{}", VM), &params, said);
        }
        for (rest, params) in [
            ("PUT {}/config", json!({"mp1": "local-lvm:vm-103-disk-0,mp=/srv"})),
            ("PUT {}/resize", json!({"disk": "mp5", "size": "+1G"})),
            ("POST {}/move_volume", json!({"volume": "mp5", "storage": "local", "delete": 1})),
            ("POST {}/move_volume", json!({"volume": "mp6", "storage": "local", "delete": 1})),
            ("POST {}/migrate", json!({"target": "stg-pve2"})),
            ("DELETE {}", json!({})),
        ] {
            refused(&world, &app, &rest.replace("{}", CONTAINER), &params, said);
        }
        // By what the snapshot has, and not by what the guest has now.
        for rest in ["DELETE {}/snapshot/held", "POST {}/snapshot/held/rollback"] {
            let said = "touches `local-lvm:odd`, which is a volume of it";
            refused(&world, &app, &rest.replace("{}", VM), &json!({}), said);
        }
        let content = "DELETE /nodes/stg-pve1/storage/local-lvm/content";
        for volume in ["vm-103-disk-0", "vm-120-disk-9", "odd"] {
            refused(&world, &app, &format!("{content}/{volume}"), &json!({}), "guest 103");
        }
        let create = "POST /nodes/stg-pve1/qemu";
        refused(&world, &app, create, &json!({"vmid": 120, "force": 1, "archive": "nas:backup/x"}), said);
    }
}

#[test]
fn what_is_a_guests_own_costs_no_search() {
    let world = world();
    world.cluster("staging").edit(|state| {
        let guest = state.guests.get_mut(&120).expect("120");
        guest.set("unused0", "local-lvm:vm-120-disk-5");
    });
    let bare = app(&world, "");
    for (rest, params) in [
        ("PUT {}/config", json!({"scsi3": "local-lvm:1"})),
        (
            "PUT {}/config",
            json!({"cores": 2, "description": "see local-lvm:vm-103-disk-0"}),
        ),
        (
            "PUT {}/config",
            json!({"ide2": "nas:iso/virtio-win-0.1.266.iso,media=cdrom"}),
        ),
        ("POST {}/status/start", json!({})),
    ] {
        let reads = passes(&world, &bare, &rest.replace("{}", VM), &params);
        assert_eq!(asked(&reads), [""; 0], "{rest} {params}");
    }
    // Its own configuration at most.
    for (rest, params) in [
        ("PUT {}/resize", json!({"disk": "scsi0", "size": "+1G"})),
        ("PUT {}/config", json!({"delete": "unused0"})),
        ("POST {}/snapshot", json!({"snapname": "a"})),
    ] {
        let reads = passes(&world, &bare, &rest.replace("{}", VM), &params);
        let asked = asked(&reads);
        assert!(asked.len() <= 1, "{rest} {params}: {asked:?}");
    }
    // A rule has those looked at whom it protects, and nobody else.
    let ruled = app(&world, "PROXMOX_PROTECT=130");
    let line = format!("PUT {VM}/config");
    let reads = passes(
        &world,
        &ruled,
        &line,
        &json!({"scsi3": "local-lvm:vm-120-disk-5"}),
    );
    let looked: Vec<&String> = reads
        .iter()
        .filter(|path| path.ends_with("/pending"))
        .collect();
    assert_eq!(looked, ["/nodes/stg-pve1/qemu/130/pending"], "{reads:?}");
}

/// It is no more than confirmed first, and nothing is sent.
fn asked_for(world: &World, app: &AppState, line: &str, params: &Value) {
    world.seen();
    let error = send(app, &request(line, params)).expect_err("it asks");
    let said = "touches volumes of other guests, which is confirmed first";
    assert!(error.to_string().contains(said), "{line} {params}: {error}");
    let mut seen = world.seen().into_iter();
    assert!(seen.all(|seen| seen.method == "GET"), "{line} {params}");
}

/// What was read beside permissions and what a cluster is asked anyway.
fn asked(reads: &[String]) -> Vec<&str> {
    let reads = reads.iter().map(String::as_str);
    let own = |path: &&str| path.ends_with("/config") || path.ends_with("/content");
    reads.filter(own).collect()
}

/// A cluster that is not reached is called that, and nobody is asked about what it does not say.
#[test]
fn a_cluster_that_is_silent_is_not_asked_about() {
    let world = world();
    let app = app(&world, "");
    let attach = request(
        &format!("PUT {VM}/config"),
        &json!({"scsi9": "local-lvm:vm-130-disk-0"}),
    );
    world.cluster("staging").fault(Fault::Refuse);
    let error = send(&app, &attach).expect_err("its owner is not told");
    assert_eq!(error.code, Code::ClusterConnection, "{error}");
}

/// What cannot be found out may be anybody's: with a rule it is refused, without one it is asked for.
#[test]
fn what_cannot_be_found_out_protects() {
    let world = world();
    let app = app(&world, "PROXMOX_PROTECT=103");
    let staging = world.cluster("staging");
    let line = format!("PUT {VM}/config");
    let untold = "cannot be told";
    refused(
        &world,
        &app,
        &line,
        &json!({"scsi9": "local-lvm:nobody"}),
        untold,
    );
    refused(&world, &app, &line, &json!({"scsi9": "/dev/sdb"}), untold);
    // More guests than are looked at.
    staging.edit(|state| {
        let like = state.guests.get(&130).expect("130").clone();
        for vmid in 3000..3070 {
            let mut more = like.clone();
            more.vmid = vmid;
            more.config.remove("scsi0");
            state.guests.insert(vmid, more);
        }
    });
    refused(
        &world,
        &app,
        &line,
        &json!({"scsi9": "local-lvm:vm-130-disk-0"}),
        "more than 64 guests",
    );
    staging.edit(|state| state.guests.retain(|vmid, _| !(3000..3070).contains(vmid)));
    asked_for(
        &world,
        &app,
        &line,
        &json!({"scsi9": "local-lvm:vm-130-disk-0"}),
    );
    staging.fault(Fault::TokenLacks(vec!["VM.Audit".into()]));
    refused(
        &world,
        &app,
        &line,
        &json!({"scsi9": "local-lvm:vm-130-disk-0"}),
        "VM.Audit",
    );
}

/// Without any rule: who gets another guest's volume, and who makes another lose one, is asked.
#[test]
#[rustfmt::skip] // One row a line.
fn anothers_volume_asks() {
    let world = with_container();
    let app = app(&world, "");
    for (rest, params) in [
        ("PUT {}/config", json!({"scsi9": "local-lvm:vm-103-disk-0"})),
        ("POST {}/move_disk", json!({"disk": "scsi5", "storage": "local", "delete": 1})),
        ("DELETE {}", json!({})),
        ("POST {}/template", json!({})),
        ("PUT {}/config", json!({"delete": "unused0"})),
    ] {
        asked_for(&world, &app, &rest.replace("{}", VM), &params);
    }
    for (rest, params) in [
        ("PUT {}/config", json!({"mp1": "local-lvm:vm-103-disk-0,mp=/srv"})),
        ("POST {}/move_volume", json!({"volume": "mp5", "storage": "local", "delete": 1})),
        ("POST {}/migrate", json!({"target": "stg-pve2"})),
    ] {
        asked_for(&world, &app, &rest.replace("{}", CONTAINER), &params);
    }
    // What leaves it whole is done: a disk on a storage that is everywhere is not moved along.
    world.cluster("staging").edit(|state| {
        let guest = state.guests.get_mut(&130).expect("130");
        guest.set("scsi4", "nas:103/vm-103-disk-7.qcow2,size=8G");
    });
    let migrate = "POST /nodes/stg-pve1/qemu/130/migrate";
    let along = json!({"target": "stg-pve2", "with-local-disks": 1});
    passes(&world, &app, migrate, &along);
    world.cluster("staging").edit(|state| {
        let mut stores = state.storages.iter_mut();
        let store = stores.find(|one| one.id == "nas").expect("nas");
        store.shared = false;
    });
    asked_for(&world, &app, migrate, &along);
    let resize = format!("PUT {VM}/resize");
    passes(&world, &app, &resize, &json!({"disk": "scsi5", "size": "+1G"}));
}

/// Nothing but the storage's own list says whose this one is: no name, no configuration.
#[test]
fn the_storage_says_whose_a_volume_is() {
    let world = shared_world();
    world.cluster("staging").edit(|state| {
        let mut stores = state.storages.iter_mut();
        let store = stores.find(|one| one.id == "local-lvm").expect("local-lvm");
        store.volumes.push(Volume {
            volid: "local-lvm:left".into(),
            node: "stg-pve1".into(),
            content: "images".into(),
            format: "raw".into(),
            size: 1 << 30,
            vmid: Some(103),
            ..Volume::default()
        });
    });
    let params = json!({"scsi9": "local-lvm:left"});
    let line = format!("PUT {VM}/config");
    let kept = app(&world, "PROXMOX_PROTECT=103");
    refused(&world, &kept, &line, &params, "guest 103");
    let bare = app(&world, "");
    asked_for(&world, &bare, &line, &params);
}

/// A call that turns out heavier than it looked is bound to what was shown, as any plan.
#[test]
fn what_was_shown_of_anothers_volume_is_what_is_done() {
    let world = shared_world();
    let attach = json!({"guest": 120, "cluster": "staging", "action": "add", "disk": "unused0"});
    let mut session = Session::with(&world, "PROXMOX_CONFIRM=code\n");
    let plan = session.call("guest_disk", &attach).ok();
    let others = &plan["plan"]["used_by_others"];
    assert_eq!(others[0]["vmid"], json!(103), "{plan:?}");
    world.cluster("staging").edit(|state| {
        let guest = state.guests.get_mut(&120).expect("120");
        guest.set("cores", "7");
    });
    let mut confirmed = attach.clone();
    confirmed["confirm"] = plan["confirm"].clone();
    let again = session.call("guest_disk", &confirmed).ok();
    let changed = "what the call addresses has changed since the plan was made";
    assert_eq!(again["because"], json!(changed), "{again:?}");
    let mut seen = world.seen().into_iter();
    assert!(seen.all(|seen| seen.method == "GET"));
    // The guest itself counts beside the other.
    let limited = "PROXMOX_CONFIRM=code\nPROXMOX_BULK_LIMIT=1\n";
    let mut session = Session::with(&world, limited);
    let refused = session.call("guest_disk", &attach).error();
    assert!(refused.contains("the plan covers 2 guests"), "{refused}");
}

/// Who loses a volume by it counts as who is destroyed.
#[test]
fn who_loses_a_volume_counts() {
    let world = shared_world();
    world.cluster("staging").edit(|state| {
        let guest = state.guests.get_mut(&120).expect("120");
        guest.status = Status::Stopped;
    });
    let limit = |limit: u32| format!("PROXMOX_BULK_LIMIT={limit}\nPROXMOX_CONFIRM=code\n");
    let mut delete = json!({"guest": 120, "cluster": "staging"});
    let mut session = Session::with(&world, &limit(1));
    let refused = session.call("guest_delete", &delete).error();
    let covers = "the plan covers 2 guests or objects, more than PROXMOX_BULK_LIMIT (1)";
    assert!(refused.contains(covers), "{refused}");
    let mut session = Session::with(&world, &limit(2));
    let plan = session.call("guest_delete", &delete).ok();
    delete["confirm"] = plan["confirm"].clone();
    session.call("guest_delete", &delete).ok();
    let reboot = json!({"guest": 103, "cluster": "staging", "action": "reboot"});
    let refused = session.call("guest_power", &reboot).error();
    let counted = "2 guests or objects were destroyed or interrupted";
    assert!(refused.contains(counted), "{refused}");
}

#[test]
#[rustfmt::skip] // One row a line.
fn what_a_request_names_and_changes() {
    let check = |line: &str, params: Value, named: &[&str], held: &str| {
        let weight = weigh(&request(line, &params));
        assert_eq!(weight.volumes.named, named, "{line} {params}");
        let of = match &weight.volumes.held {
            ChangedVolumes::None => String::new(),
            ChangedVolumes::Under(keys) => keys.join(" "),
            ChangedVolumes::OfNode => "of the node".into(),
            ChangedVolumes::All => "all".into(),
        };
        let lost = if weight.volumes.lost { " lost" } else { "" };
        assert_eq!(format!("{of}{lost}").trim(), held, "{line} {params}");
    };
    let config = "PUT /nodes/n/qemu/100/config";
    check(config, json!({"scsi1": "s:8"}), &[], "lost");
    check(config, json!({"scsi1": "s:8.5,format=qcow2", "ide2": "none,media=cdrom"}), &[], "lost");
    check(config, json!({"scsi1": "s:cloudinit", "ide0": "cdrom,media=cdrom"}), &[], "lost");
    check(config, json!({"scsi1": "s:vm-1-disk-0"}), &["s:vm-1-disk-0"], "lost");
    check(config, json!({"scsi1": "s:lun0"}), &["s:lun0"], "lost");
    check(config, json!({"scsi1": "/dev/sdb"}), &["/dev/sdb"], "lost");
    check(config, json!({"scsi1": "ssd=1,file=s:vm-1-disk-0"}), &["s:vm-1-disk-0"], "lost");
    check(config, json!({"scsi1": "s:0,import-from=s:vm-1-disk-0"}), &["s:vm-1-disk-0"], "lost");
    check(config, json!({"scsi1": "s:0,import-from=s:import/a.qcow2"}), &[], "lost");
    check(config, json!({"ide2": "s:iso/a.iso,media=cdrom"}), &[], "lost");
    check(config, json!({"mp0": "volume=s:1/vm-1-disk-0.raw,mp=/srv"}), &["s:1/vm-1-disk-0.raw"], "lost");
    check(config, json!({"rootfs": "s:subvol-1-disk-0"}), &["s:subvol-1-disk-0"], "lost");
    check(config, json!({"vmstate": "s:vm-1-state-a"}), &["s:vm-1-state-a"], "lost");
    check(config, json!({"args": "-drive s:vm-1-disk-0"}), &["s:vm-1-disk-0"], "lost");
    check(config, json!({"description": "s:vm-1-disk-0"}), &[], "lost");
    check(config, json!({"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0"}), &[], "lost");
    check(config, json!({"virtiofs0": "share"}), &[], "lost");
    check(config, json!({"delete": "scsi1,unused0,vmstate"}), &[], "unused0 vmstate lost");
    check(config, json!({"delete": "scsi1", "force": 1}), &[], "scsi1 lost");
    check(config, json!({"template": 1}), &[], "all lost");
    check("POST /nodes/n/qemu", json!({"vmid": 1, "scsi0": "s:vm-2-disk-0"}), &["s:vm-2-disk-0"], "");
    check("POST /nodes/n/qemu", json!({"vmid": 1, "force": 1, "archive": "s:backup/a"}), &[], "all lost");
    check("POST /nodes/n/qemu/100/move_disk", json!({"disk": "scsi1", "storage": "s"}), &[], "");
    check("POST /nodes/n/qemu/100/move_disk", json!({"disk": "scsi1", "delete": 1}), &[], "scsi1 lost");
    check("POST /nodes/n/lxc/100/move_volume", json!({"volume": "mp0", "target-vmid": 1}), &[], "mp0 lost");
    check("POST /nodes/n/lxc/100/move_volume", json!({"volume": "mp0", "delete": 1}), &[], "mp0 lost");
    check("POST /nodes/n/lxc/100/migrate", json!({"target": "m"}), &[], "of the node lost");
    check("POST /nodes/n/qemu/100/migrate", json!({"target": "m", "with-local-disks": 1}), &[], "of the node lost");
    check("POST /nodes/n/qemu/100/migrate", json!({"target": "m", "with-local-disks": 0}), &[], "");
    check("PUT /nodes/n/lxc/100/resize", json!({"disk": "mp0"}), &[], "mp0");
    check("POST /nodes/n/lxc/100/snapshot", json!({}), &[], "all");
    check("DELETE /nodes/n/lxc/100/snapshot/a", json!({}), &[], "all");
    check("POST /nodes/n/lxc/100/snapshot/a/rollback", json!({}), &[], "all lost");
    check("DELETE /nodes/n/qemu/100", json!({}), &[], "all lost");
    check("POST /of/a/later/version", json!({"a": ["x", "s:vm-1-disk-0"]}), &["s:vm-1-disk-0"], "");
}
