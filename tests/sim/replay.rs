//! The recorded exchanges, the three clusters that they were recorded on, and how an answer is compared.

use std::collections::BTreeMap;

use super::guest::{Guest, Kind, bytes, drive_size, is_disk_key, option, volume};
use super::recording::token;
use super::rights::{Rule, Token, User};
use super::spec::{ClusterSpec, NodeSpec};
use super::state::{Pool, State};
use super::storage::{Storage, Volume};
use super::world::World;

/// The clusters as they were before the first exchange.
pub fn world() -> World {
    let world = labs();
    for (cluster, fill) in [
        ("A", first_a as fn(&mut State)),
        ("B", first_b),
        ("C", first_c),
    ] {
        world.cluster(cluster).edit(|state| {
            storages(state);
            fill(state);
        });
    }
    world
}

/// The clusters of the later recordings: staging, production, disaster-recovery. Their guests come as
/// the recordings name them.
pub fn later_world() -> World {
    let world = labs();
    for cluster in ["A", "B", "C"] {
        world.cluster(cluster).edit(|state| {
            let here: Vec<String> = state.nodes.keys().cloned().collect();
            state.storages = vec![
                Storage::new(
                    "local",
                    "dir",
                    "images,iso,vztmpl,rootdir,import,snippets,backup",
                    false,
                ),
                Storage::new("data", "dir", "rootdir,images", false),
                Storage::new("shared", "dir", "images,rootdir,backup", true),
            ];
            for (node, name, content) in here.iter().flat_map(|node| {
                [
                    (node, "iso/debian-13.iso", "iso"),
                    (
                        node,
                        "vztmpl/debian-12-standard_12.7-1_amd64.tar.zst",
                        "vztmpl",
                    ),
                ]
            }) {
                let volume = Volume {
                    volid: format!("local:{name}"),
                    node: node.clone(),
                    content: content.into(),
                    format: if content == "iso" { "iso" } else { "tzst" }.into(),
                    size: 2 << 20,
                    ..Volume::default()
                };
                if let Some(local) = state.storage_mut("local") {
                    local.volumes.push(volume);
                }
            }
            for node in state.nodes.values_mut() {
                if let Some(mut bridge) = node.interfaces.get("vmbr0").cloned() {
                    bridge.insert("iface".into(), "vmbr1".into());
                    bridge.insert("bridge_ports".into(), "".into());
                    bridge.insert("method".into(), "manual".into());
                    for key in ["address", "cidr", "gateway", "netmask"] {
                        bridge.remove(key);
                    }
                    node.interfaces.insert("vmbr1".into(), bridge);
                }
            }
        });
    }
    world
}

fn labs() -> World {
    let node = |name: &str| NodeSpec {
        name: name.into(),
        cpus: 2,
        memory_gib: 24,
        uptime_s: 3900,
    };
    let spec = |name: &str, nodes: &[&str]| ClusterSpec {
        name: name.into(),
        standalone: nodes.len() == 1,
        nodes: nodes.iter().map(|name| node(name)).collect(),
        token_id: "mcp@pve!full".into(),
        ..ClusterSpec::default()
    };
    let world = World::start(vec![
        spec("A", &["pve1"]),
        spec("B", &["b1", "b2"]),
        spec("C", &["c1"]),
    ]);
    for cluster in ["A", "B", "C"] {
        world.cluster(cluster).edit(|state| {
            people(state, cluster);
            state.options.clear();
            state.templates.clear();
            // The labs were made half an hour before, or an hour and a half.
            state.recorded_s = 1800;
            (state.hold, state.pace.refuse_ms, state.pace.lock_ms) = (true, 0, 10);
            let past = super::task::Plan::new(
                &state.nodes.keys().next().cloned().unwrap_or_default(),
                "qmcreate",
                100,
            );
            state.past(
                &super::rights::Who {
                    user: "root@pam".into(),
                    ..Default::default()
                },
                past,
                60,
                1,
                "OK",
            );
        });
    }
    world
}

fn people(state: &mut State, cluster: &str) {
    let access = &mut state.access;
    access.users.clear();
    access.roles.clear();
    access.acl.clear();
    for role in ["root", "full", "priv", "ro"] {
        let whole = token(cluster, role).unwrap_or_default();
        let (id, secret) = whole.split_once('=').unwrap_or_default();
        let (user, name) = id.split_once('!').unwrap_or_default();
        let known = access.users.entry(user.into()).or_insert_with(|| User {
            enable: true,
            ..User::default()
        });
        known.tokens.insert(
            name.into(),
            Token {
                secret: secret.into(),
                privsep: role == "priv",
                ..Token::default()
            },
        );
    }
    for (id, password) in [
        ("mcp@pve", "mcppass123"),
        ("aud@pve", "audpass123"),
        ("root@pam", "rootpass1"),
    ] {
        if let Some(user) = access.users.get_mut(id) {
            user.password = password.into();
        }
    }
    if let Some(user) = access.users.get_mut("mcp@pve") {
        user.fields = BTreeMap::from([
            ("comment".into(), "MCP test".into()),
            ("email".into(), String::new()),
        ]);
    }
    for (ugid, role) in [("mcp@pve", "PVEAdmin"), ("aud@pve", "PVEAuditor")] {
        access.acl.push(Rule {
            path: "/".into(),
            propagate: true,
            role: role.into(),
            ugid: ugid.into(),
            kind: "user".into(),
        });
    }
}

fn storages(state: &mut State) {
    let mut local = Storage::new(
        "local",
        "dir",
        "iso,vztmpl,snippets,images,backup,import,rootdir",
        false,
    );
    for node in state.nodes.keys() {
        for (name, format, size) in [
            ("iso/tiny.iso", "iso", 1 << 20),
            ("vztmpl/debian-12-tiny_12.5_amd64.tar.gz", "tgz", 282),
        ] {
            let content = name.split('/').next().unwrap_or("").to_string();
            local.volumes.push(Volume {
                volid: format!("local:{name}"),
                node: node.clone(),
                content,
                format: format.into(),
                size,
                used: size,
                ..Volume::default()
            });
        }
    }
    let mut nas = Storage::new("nas", "dir", "iso,vztmpl,images,backup", true);
    nas.path = "/var/lib/nas".into();
    let mut fast = Storage::new("fast", "dir", "rootdir,images", false);
    fast.options.insert("shared".into(), "0".into());
    state.storages = vec![local, nas, fast];
}

/// Puts a guest with its disks there; the configuration as lines of its file.
pub fn place(state: &mut State, vmid: u32, kind: Kind, node: &str, lines: &str) {
    let mut guest = Guest::new(vmid, kind, node);
    for line in lines.lines() {
        if let Some((key, value)) = line.trim().split_once(": ") {
            guest.set(key, value);
        }
    }
    for (key, value) in guest
        .config
        .iter()
        .filter(|(key, _)| is_disk_key(key, kind))
    {
        let id = volume(value);
        let _ = key;
        let Some((storage, name)) = id.split_once(':') else {
            continue;
        };
        if value.contains("media=cdrom") && !id.contains("cloudinit") {
            continue;
        }
        let Some(storage) = state.storage_mut(storage) else {
            continue;
        };
        let subvol = name.ends_with(".subvol");
        let format = name
            .rsplit_once('.')
            .map_or("raw", |(_, format)| format)
            .to_string();
        let size = if subvol {
            0
        } else {
            option(value, "size")
                .and_then(bytes)
                .or(drive_size(value))
                .unwrap_or(1 << 30)
        };
        let content = if kind == Kind::Lxc {
            "rootdir"
        } else {
            "images"
        };
        let node = if storage.shared {
            String::new()
        } else {
            node.into()
        };
        storage.volumes.push(Volume {
            volid: id.into(),
            node,
            content: content.into(),
            format,
            size,
            used: 4096,
            vmid: Some(vmid),
            ..Volume::default()
        });
    }
    state.guests.insert(vmid, guest);
}

fn qemu(name: &str, disk: &str, more: &str) -> String {
    format!(
        "name: {name}\nmemory: 256\nscsi0: {disk}\nboot: order=scsi0;net0\nmeta: creation-qemu=10.1.2,ctime=1791127742\n\
         smbios1: uuid=26fda1be-b82a-482c-b214-d298a82b7ad9\nvmgenid: a314bb93-4479-4033-8322-4fd00be01c47\n{more}"
    )
}

const NET: &str = "net0: virtio=BC:24:11:B6:50:01,bridge=vmbr0";

pub fn first_a(state: &mut State) {
    let firewall = state.firewall.entry("cluster".into()).or_default();
    firewall.options.extend([
        ("policy_in".into(), "ACCEPT".into()),
        ("ebtables".into(), 1.into()),
    ]);
    place(
        state,
        100,
        Kind::Qemu,
        "pve1",
        &qemu(
            "web1",
            "local:100/vm-100-disk-0.raw,size=1G",
            &format!("{NET}\nagent: 1\ncores: 1\ntags: prod;web\nscsihw: virtio-scsi-single"),
        ),
    );
    if let Some(guest) = state.guests.get_mut(&100) {
        guest.addresses = vec![("ens18".into(), "192.0.2.100/24".into())];
    }
    place(
        state,
        101,
        Kind::Qemu,
        "pve1",
        &qemu(
            "db1",
            "fast:101/vm-101-disk-0.qcow2,size=2G",
            &format!("{NET},firewall=1\ncores: 2\ndescription: db host\nagent: 1"),
        )
        .replace("256", "512"),
    );
    let template = qemu(
        "tmpl",
        "local:9000/base-9000-disk-0.raw,size=1G",
        "template: 1",
    )
    .replace("boot: order=scsi0;net0", "boot: order=scsi0");
    place(state, 9000, Kind::Qemu, "pve1", &template);
    place(state, 201, Kind::Lxc, "pve1", &container("ct201", 201));
    state.pools.insert(
        "prod".into(),
        Pool {
            comment: Some("production".into()),
            vms: [100].into(),
            ..Pool::default()
        },
    );
}

pub fn container(name: &str, vmid: u32) -> String {
    format!(
        "arch: amd64\nhostname: {name}\nmemory: 128\nswap: 512\nostype: unmanaged\nrootfs: local:{vmid}/subvol-{vmid}-disk-0.subvol,size=0T\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:6A:F9:28,ip=dhcp,type=veth"
    )
}

pub fn first_b(state: &mut State) {
    place(
        state,
        100,
        Kind::Qemu,
        "b1",
        &qemu(
            "b-web1",
            "nas:100/vm-100-disk-6.raw,size=1G",
            &format!("{NET}\nagent: 1\ntags: prod;web\nscsihw: virtio-scsi-single"),
        ),
    );
    if let Some(nas) = state.storage_mut("nas") {
        for (vmid, n) in [100, 200]
            .into_iter()
            .flat_map(|vmid| (0..6).map(move |n| (vmid, n)))
        {
            let mut left = nas.volumes[0].clone();
            left.volid = format!("nas:{vmid}/vm-{vmid}-disk-{n}.raw");
            left.vmid = Some(vmid);
            nas.volumes.push(left);
        }
    }
    place(
        state,
        200,
        Kind::Qemu,
        "b2",
        &qemu("b-db1", "nas:200/vm-200-disk-6.raw,size=1G", NET),
    );
    place(state, 210, Kind::Lxc, "b1", &container("ct210", 210));
    place(
        state,
        9000,
        Kind::Qemu,
        "b1",
        &qemu(
            "tmpl",
            "local:9000/base-9000-disk-0.raw,size=1G",
            "template: 1",
        ),
    );
    state.pools.insert(
        "prod".into(),
        Pool {
            comment: Some("production".into()),
            vms: [100].into(),
            ..Pool::default()
        },
    );
}

pub fn first_c(state: &mut State) {
    place(
        state,
        300,
        Kind::Qemu,
        "c1",
        &qemu("c-app", "local:300/vm-300-disk-0.raw,size=1G", NET),
    );
    state.pools.insert(
        "prod".into(),
        Pool {
            comment: Some("production".into()),
            ..Pool::default()
        },
    );
}
