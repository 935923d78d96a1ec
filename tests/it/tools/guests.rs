//! What of the guest tools is pure: property strings, keys, sizes, tags, network cards, names.

use proxmox_mcp::fleet::index::GuestKind;
use proxmox_mcp::size;
use proxmox_mcp::tools::guest::image::nearest;
use proxmox_mcp::tools::guest::network::CardChange;
use proxmox_mcp::tools::guest::property::{self, DiskContent, Properties};
use serde_json::{Map, Value, json};

use crate::session::Session;
use crate::sim::{Fault, World};

fn config(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

#[test]
fn property_strings_keep_what_they_do_not_understand() {
    let text = "virtio=BC:24:11:00:00:01,bridge=vmbr0,queues=4,trunks=10;20";
    let mut card = Properties::parse(text);
    assert_eq!(card.to_string(), text);
    card.set("bridge", "vmbr1");
    card.set("mtu", "1500");
    card.remove("queues");
    assert_eq!(
        card.to_string(),
        "virtio=BC:24:11:00:00:01,bridge=vmbr1,trunks=10;20,mtu=1500"
    );
    assert_eq!(Properties::parse(" a , b=c=d ,, ").to_string(), "a,b=c=d");
}

#[test]
fn what_a_disks_key_holds() {
    let check = |text: &str, expected: DiskContent| {
        assert_eq!(property::held(&Properties::parse(text)), expected, "{text}");
    };
    let volume = |text: &str| DiskContent::Volume(text.into());
    check(
        "local-lvm:vm-100-disk-0,size=32G",
        volume("local-lvm:vm-100-disk-0"),
    );
    check(
        "file=fast:100/vm-100-disk-0.raw",
        volume("fast:100/vm-100-disk-0.raw"),
    );
    check(
        "volume=fast:subvol-1-disk-0,mp=/data",
        volume("fast:subvol-1-disk-0"),
    );
    check("local:iso/x.iso,media=cdrom,size=1M", DiskContent::Cd);
    check("none,media=cdrom", DiskContent::Cd);
    check(
        "local:112/vm-112-cloudinit.qcow2,media=cdrom",
        DiskContent::Cd,
    );
    check("/dev/disk/by-id/x:1,size=1T", DiskContent::OfNode);
    check("/srv/bind,mp=/data", DiskContent::OfNode);
}

#[test]
fn keys_of_disks_and_cards() {
    let check = |kind: GuestKind, key: &str, disk: bool| {
        assert_eq!(property::is_disk(kind, key), disk, "{key}");
    };
    for key in [
        "scsi0",
        "scsi30",
        "virtio15",
        "sata5",
        "ide3",
        "efidisk0",
        "tpmstate0",
    ] {
        check(GuestKind::Qemu, key, true);
        check(GuestKind::Lxc, key, false);
    }
    for key in ["rootfs", "mp0", "mp255"] {
        check(GuestKind::Lxc, key, true);
        check(GuestKind::Qemu, key, false);
    }
    for key in [
        "scsi31",
        "scsi",
        "scsihw",
        "virtiofs0",
        "net0",
        "unused0",
        "mp256",
        "",
        "7",
    ] {
        check(GuestKind::Qemu, key, false);
        check(GuestKind::Lxc, key, false);
    }
    assert!(property::is_card("net31") && !property::is_card("net32") && !property::is_card("net"));
    assert!(property::is_unused("unused7") && !property::is_unused("unused"));
}

#[test]
fn the_next_free_key() {
    let check = |kind: GuestKind, there: Value, bus: &str, expected: Option<&str>| {
        assert_eq!(
            property::free_key(kind, &config(there), bus).as_deref(),
            expected,
            "{bus}"
        );
    };
    check(
        GuestKind::Qemu,
        json!({"scsi0": "a", "scsi2": "b"}),
        "scsi",
        Some("scsi1"),
    );
    check(GuestKind::Qemu, json!({}), "virtio", Some("virtio0"));
    check(GuestKind::Lxc, json!({"mp0": "a"}), "mp", Some("mp1"));
    check(GuestKind::Lxc, json!({}), "scsi", None);
    check(
        GuestKind::Qemu,
        json!({"ide0": 1, "ide1": 1, "ide2": 1, "ide3": 1}),
        "ide",
        None,
    );
    check(GuestKind::Qemu, json!({"net0": "a"}), "net", Some("net1"));
}

#[test]
fn sizes() {
    let check =
        |text: &str, expected: Option<u64>| assert_eq!(size::bytes(text, 1), expected, "{text}");
    check("32G", Some(32 << 30));
    check("1.5g", Some(3 << 29));
    check("528K", Some(528 << 10));
    check("1 GiB", Some(1 << 30));
    check("0T", Some(0));
    check("1073741824", Some(1 << 30));
    for bad in [
        "",
        "G",
        "1.G",
        "-1G",
        "1X",
        "9999999999G",
        "1.2.3G",
        "999999999T9",
        "1e3",
    ] {
        check(bad, None);
    }
    assert_eq!(size::bytes("32", 1 << 30), Some(32 << 30));
    assert_eq!(size::bytes("512b", 1 << 30), Some(512));
    assert_eq!(size::text(2 << 40), "2T");
    assert_eq!(size::text(2 << 10), "2K");
    assert_eq!(size::text(32 << 30), "32G");
    assert_eq!(size::text(3 << 29), "1536M");
    assert_eq!(size::text(513), "513");
}

#[test]
fn tags_after_adding_and_removing() {
    let check = |now: &str, add: &[&str], remove: &[&str], expected: &[&str]| {
        assert_eq!(property::retag(now, add, remove), expected, "{now}");
    };
    check("prod;web", &["blue"], &["WEB"], &["prod", "blue"]);
    check("a,b c", &["a"], &[], &["a", "b", "c"]);
    check(" ", &[], &["x"], &[]);
    check("web", &["web"], &["web"], &["web"]);
    for (tag, good) in [
        ("web", true),
        ("a-b+c.d_e", true),
        ("_x", true),
        ("-x", false),
        ("", false),
        ("a;b", false),
    ] {
        assert_eq!(property::is_tag(tag), good, "{tag}");
    }
}

#[test]
fn a_card_is_changed_where_it_stands() {
    let check = |wish: &CardChange, before: Option<&str>, expected: &str| {
        let card = wish.on_vm(before.map(Properties::parse));
        assert_eq!(card.to_string(), expected, "{before:?}");
    };
    let bridge = |bridge: &str| CardChange {
        bridge: Some(bridge.into()),
        ..CardChange::default()
    };
    check(&bridge("vmbr0"), None, "virtio,bridge=vmbr0");
    check(
        &bridge("vmbr1"),
        Some("virtio=AA:BB:CC:00:00:01,bridge=vmbr0,queues=2"),
        "virtio=AA:BB:CC:00:00:01,bridge=vmbr1,queues=2",
    );
    let model = CardChange {
        model: Some("e1000".into()),
        ..CardChange::default()
    };
    check(
        &model,
        Some("virtio=AA:BB:CC:00:00:01,bridge=vmbr0"),
        "e1000=AA:BB:CC:00:00:01,bridge=vmbr0",
    );
    check(
        &model,
        Some("model=virtio,macaddr=AA:BB:CC:00:00:01"),
        "model=e1000,macaddr=AA:BB:CC:00:00:01",
    );
    let no_tag = CardChange {
        tag: Some(0),
        firewall: Some(false),
        ..CardChange::default()
    };
    check(
        &no_tag,
        Some("virtio=AA:BB:CC:00:00:01,tag=5,firewall=1,mtu=1"),
        "virtio=AA:BB:CC:00:00:01,mtu=1",
    );
    let mac = CardChange {
        mac: Some("AA:BB:CC:00:00:09".into()),
        tag: Some(7),
        ..CardChange::default()
    };
    check(
        &mac,
        Some("virtio=AA:BB:CC:00:00:01"),
        "virtio=AA:BB:CC:00:00:09,tag=7",
    );
}

#[test]
fn a_containers_card_has_a_name_of_its_own() {
    let there = config(json!({"net0": "name=eth0,bridge=vmbr0", "net3": "name=eth2,bridge=vmbr0"}));
    let wish = CardChange {
        bridge: Some("vmbr0".into()),
        ip: Some("10.0.0.9/24".into()),
        gw: Some("10.0.0.1".into()),
        ..CardChange::default()
    };
    let card = wish.on_container(None, &there);
    assert_eq!(
        card.to_string(),
        "name=eth1,bridge=vmbr0,ip=10.0.0.9/24,gw=10.0.0.1"
    );
    // An address by DHCP has no gateway of its own.
    let dhcp = CardChange {
        ip: Some("dhcp".into()),
        ..CardChange::default()
    };
    let card = dhcp.on_container(Some(card), &there);
    assert_eq!(card.to_string(), "name=eth1,bridge=vmbr0,ip=dhcp");
}

#[test]
fn the_names_most_like_the_wanted_come_first() {
    let there = vec![
        "local:iso/alpine-3.iso",
        "local:iso/debian-12.11.0-netinst.iso",
        "local:iso/debian-11.iso",
    ];
    let sorted = nearest("local:iso/debian-12.iso", there);
    assert_eq!(sorted[0], "local:iso/debian-12.11.0-netinst.iso");
    assert_eq!(sorted[2], "local:iso/alpine-3.iso");
}

#[test]
fn a_lost_race_for_a_vmid_is_run_again() {
    let world = World::three();
    let mut session = Session::with(&world, "");
    world
        .cluster("staging")
        .fault(Fault::Race.on("POST", "/nodes/stg-pve1/qemu").times(2));
    let answer = session
        .call("guest_create_vm", &json!({"name": "stg-new"}))
        .ok();
    assert_eq!(
        answer["vmid"], 105,
        "102 and 104 went to others, 103 was taken"
    );
    assert_eq!(answer["state"], "ok");
}

#[test]
fn a_drive_for_cloud_init_is_told_from_other_drives() {
    let check = |value: &str, expected: bool| {
        assert_eq!(property::is_cloud_init(value), expected, "{value}");
    };
    check("local-lvm:cloudinit", true);
    check("local-lvm:cloudinit,format=raw", true);
    check("file=nas:cloudinit", true);
    check("local:112/vm-112-cloudinit.qcow2,media=cdrom", true);
    check("local-lvm:vm-112-cloudinit,media=cdrom,size=4M", true);
    check("local-lvm:vm-112-disk-0,size=4M", false);
    check("local:iso/cloudinit.iso,media=cdrom", false);
    check("local:iso/my-cloudinit.iso,media=cdrom", false);
    check("local:112/vm-112-cloudinit-old.raw", false);
    check("local:112/vm-x-cloudinit.raw", false);
    check("none,media=cdrom", false);
    check("cloudinit", false);
    check("", false);
}
