//! Disks in configurations, and what names and listings of backups tell.

use proxmox_mcp::api::volume;
use proxmox_mcp::fleet::index::GuestKind;
use proxmox_mcp::fleet::permissions::TokenPermissions;
use proxmox_mcp::fleet::resource;
use proxmox_mcp::tools::backup::archives::{self, ArchiveName};
use proxmox_mcp::tools::backup::{create, source};
use proxmox_mcp::tools::disks;
use serde_json::{Value, json};

fn check_disks(kind: GuestKind, config: &Value, expected: &[(&str, &str, Option<f64>)]) {
    let disks = disks::of(config, kind);
    let found: Vec<(&str, &str, Option<f64>)> = disks
        .iter()
        .map(|disk| (disk.key.as_str(), disk.volume.as_str(), disk.size_gib))
        .collect();
    assert_eq!(found, expected, "{config}");
    for disk in disks {
        assert!(disk.volume.starts_with(&format!("{}:", disk.storage)));
    }
}

#[test]
fn disks_are_read_out_of_a_configuration() {
    check_disks(
        GuestKind::Qemu,
        &json!({
            "scsi10": "fast:101/vm-101-disk-1.qcow2,iothread=1,size=4G",
            "scsi2": "file=local-lvm:vm-101-disk-0,size=52429K",
            "virtio0": "/dev/disk/by-id/ata-x,size=1T",
            "ide2": "local:iso/tiny.iso,media=cdrom,size=1M",
            "ide3": "none,media=cdrom",
            "ide1": "local:112/vm-112-cloudinit.qcow2,media=cdrom",
            "efidisk0": "local:162/vm-162-disk-0.raw,efitype=4m,size=528K",
            "tpmstate0": "local:162/vm-162-disk-1.raw,size=4M,version=v2.0",
            "unused0": "fast:100/vm-100-disk-0.raw",
            "scsihw": "virtio-scsi-single",
            "boot": "order=scsi0;net0",
            "net0": "virtio=BC:24:11:B6:50:01,bridge=vmbr0",
            "scsi0": 7,
        }),
        &[
            ("scsi2", "local-lvm:vm-101-disk-0", Some(0.05)),
            ("scsi10", "fast:101/vm-101-disk-1.qcow2", Some(4.0)),
            ("efidisk0", "local:162/vm-162-disk-0.raw", Some(0.001)),
            ("tpmstate0", "local:162/vm-162-disk-1.raw", Some(0.004)),
            ("unused0", "fast:100/vm-100-disk-0.raw", None),
        ],
    );
    check_disks(
        GuestKind::Lxc,
        &json!({
            "rootfs": "local:211/subvol-211-disk-0.subvol,size=0T",
            "mp0": "local-zfs:subvol-211-disk-1,mp=/data,size=8G",
            "mp1": "/srv/share,mp=/share",
            "mp": "x:y",
            "scsi0": "x:y",
            "memory": 256,
        }),
        &[
            ("rootfs", "local:211/subvol-211-disk-0.subvol", Some(0.0)),
            ("mp0", "local-zfs:subvol-211-disk-1", Some(8.0)),
        ],
    );
    check_disks(GuestKind::Lxc, &json!({}), &[]);
    check_disks(GuestKind::Lxc, &json!([]), &[]);
}

#[test]
fn sizes_are_read() {
    for (text, expected) in [
        ("32G", Some(32.0)),
        ("1T", Some(1024.0)),
        ("512M", Some(0.5)),
        ("1.5G", Some(1.5)),
        ("1073741824", Some(1.0)),
        ("32X", None),
        ("G", None),
        ("", None),
    ] {
        assert_eq!(disks::size_gib(text), expected, "{text}");
    }
}

#[test]
fn linked_clones_are_known_by_name_or_parent() {
    for (volume, volid, parent, expected) in [
        (
            "local:9000/base-9000-disk-0.raw",
            "local:9000/base-9000-disk-0.raw/120/vm-120-disk-0.qcow2",
            json!("../9000/base-9000-disk-0.raw"),
            true,
        ),
        (
            "zfs:base-9000-disk-0",
            "zfs:base-9000-disk-0/vm-120-disk-0",
            Value::Null,
            true,
        ),
        (
            "rbd:base-9-disk-0",
            "rbd:vm-120-disk-0",
            json!("base-9-disk-0@__base__"),
            true,
        ),
        (
            "zfs:base-9-disk-0",
            "zfs:vm-9-disk-0",
            json!("rpool/data/base-9-disk-0@x"),
            true,
        ),
        (
            "zfs:base-9000-disk-0",
            "zfs:base-9000-disk-0",
            Value::Null,
            false,
        ),
        (
            "zfs:base-9000-disk-0",
            "zfs:base-9000-disk-01/vm-1-disk-0",
            Value::Null,
            false,
        ),
        (
            "local:9000/base-9000-disk-0.raw",
            "local:100/vm-100-disk-0.raw",
            Value::Null,
            false,
        ),
    ] {
        let row = json!({"volid": volid, "parent": parent});
        assert_eq!(volume::is_clone_of(&row, volume), expected, "{row}");
    }
}

#[test]
fn an_archive_s_name_tells_kind_and_guest() {
    let name = |kind, vmid| Some(ArchiveName { kind, vmid });
    for (volume, expected) in [
        (
            "nas:backup/vzdump-qemu-100-2026_10_04-15_52_42.vma.zst",
            name(GuestKind::Qemu, 100),
        ),
        (
            "nas:backup/vzdump-lxc-211-2026_10_04-15_52_42.tar.zst",
            name(GuestKind::Lxc, 211),
        ),
        (
            "pbs:backup/vm/100/2026-10-04T15:52:42Z",
            name(GuestKind::Qemu, 100),
        ),
        (
            "pbs:backup/ct/211/2026-10-04T15:52:42Z",
            name(GuestKind::Lxc, 211),
        ),
        ("pbs:backup/host/x/2026-10-04T15:52:42Z", None),
        ("nas:backup/vzdump-qemu-web.vma", None),
        ("nas:backup/vzdump-qemu-100", None),
        ("nas:iso/vzdump-qemu-100-2026.iso", None),
        ("/mnt/dump/vzdump-qemu-100-2026.vma", None),
        ("nas:100/vm-100-disk-0.raw", None),
    ] {
        assert_eq!(archives::name(volume), expected, "{volume}");
    }
}

#[test]
fn a_shared_storage_is_asked_once_where_it_can_be() {
    let node = |node: &str, status: &str| json!({"type": "node", "node": node, "status": status});
    let row = |storage: &str, node: &str, shared: u8, content: &str, status: &str| {
        json!({"type": "storage", "storage": storage, "node": node, "shared": shared,
               "content": content, "status": status})
    };
    // In the order of nobody.
    let list = json!({"data": [
        node("b1", "online"),
        row("nas", "b2", 1, "iso,backup", "available"),
        row("nas", "b1", 1, "iso,backup", "unknown"),
        row("nas", "b3", 1, "iso,backup", "available"),
        row("local", "b1", 0, "backup,images", "available"),
        row("local", "b2", 0, "backup,images", "unknown"),
        row("fast", "b1", 0, "images", "available"),
        row("pbs", "b1", 1, "backup", "available"),
        row("pbs", "b3", 1, "backup", "available"),
        {"type": "qemu", "vmid": 100, "node": "b1", "status": "running"},
        node("b2", "offline"),
        node("b3", "online"),
    ]});
    let places = |near| {
        let mut listed = archives::ListedStorages::default();
        let body = list.to_string();
        resource::each(body.as_bytes(), &mut |row| listed.add(row)).expect("a list");
        let places = listed.places(near);
        let lines = places.iter().map(|place| {
            let state = if place.online { "" } else { " offline" };
            format!("{}@{}{state}", place.storage, place.node)
        });
        lines.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(places(None), "nas@b3, pbs@b1, local@b1, local@b2 offline");
    assert_eq!(
        places(Some("b3")),
        "nas@b3, pbs@b3, local@b1, local@b2 offline"
    );
}

#[test]
fn an_empty_listing_may_mean_a_missing_right() {
    let place = |storage: &str| archives::BackupStorage {
        storage: storage.into(),
        node: "b1".into(),
        shared: true,
        online: true,
    };
    let all = json!({"VM.Backup": 1, "Datastore.AllocateSpace": 1});
    for (permissions, vmid, expected) in [
        (json!({"/": all}), None, None),
        (
            json!({"/vms": {"VM.Backup": 1}, "/storage": {"Datastore.Allocate": 1}}),
            Some(100),
            None,
        ),
        (
            json!({"/vms/100": {"VM.Backup": 0}, "/storage/nas": {"Datastore.AllocateSpace": 0}}),
            Some(100),
            None,
        ),
        // What is not handed down does not reach the guest.
        (
            json!({"/vms": {"VM.Backup": 0}, "/storage": {"Datastore.AllocateSpace": 1}}),
            Some(100),
            Some("VM.Backup` on `/vms/100`"),
        ),
        // An entry of its own replaces what comes from above.
        (
            json!({"/": all, "/vms/100": {"VM.Audit": 1}}),
            Some(100),
            Some("VM.Backup` on `/vms/100`"),
        ),
        (
            json!({"/": all, "/vms": {}}),
            None,
            Some("VM.Backup` on `/vms`"),
        ),
        (
            json!({"/vms": all}),
            None,
            Some("Datastore.AllocateSpace` on `/storage/nas`"),
        ),
        (json!({}), None, Some("VM.Backup` on `/vms`, `Datastore")),
    ] {
        let found = archives::hidden_by(
            &TokenPermissions::of(&permissions),
            &[place("nas"), place("nas")],
            vmid,
        );
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{permissions}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_backup_s_log_names_its_volume() {
    for (line, expected) in [
        (
            "INFO: creating vzdump archive '/mnt/xfer/dump/vzdump-qemu-530-2026_10_04-16_59_43.vma.zst'",
            Some("nas:backup/vzdump-qemu-530-2026_10_04-16_59_43.vma.zst"),
        ),
        (
            "INFO: creating Proxmox Backup Server archive 'vm/100/2026-10-04T15:52:42Z'",
            Some("nas:backup/vm/100/2026-10-04T15:52:42Z"),
        ),
        ("INFO: creating vzdump archive '", None),
        ("INFO: creating vzdump archive ''", None),
        ("INFO: starting kvm to execute backup task", None),
    ] {
        assert_eq!(
            create::archive_in(line, "nas").as_deref(),
            expected,
            "{line}"
        );
    }
}

#[test]
fn the_configuration_in_an_archive_is_read() {
    // As recorded; then what a snapshot adds.
    let text = "#a b\nagent: 1\nboot: order=scsi0;net0\nname: web1\n\
                net0: virtio=BC:24:11:00:AA:01,bridge=vmbr0,link_down=1\nide2: none,media=cdrom\n\
                scsi1: local:100/vm-100-disk-1.raw,size=1G\nscsi0: fast:100/vm-100-disk-0.raw,size=1G\n\
                unused0: old:100/vm-100-disk-2.raw\n#qmdump#map:scsi0:drive-scsi0:local:raw:\n\
                [s1]\nscsi0: gone:100/vm-100-disk-0.raw,size=1G\n";
    let config = source::config_of(text);
    assert_eq!(config["name"], "web1");
    assert_eq!(disks::storages(&config, GuestKind::Qemu), ["fast", "local"]);
    let config = source::config_of("rootfs: local-lvm:subvol-1,size=8G\nmp0: /srv,mp=/srv\n");
    assert_eq!(disks::storages(&config, GuestKind::Lxc), ["local-lvm"]);
    assert!(disks::storages(&source::config_of(""), GuestKind::Qemu).is_empty());
}
