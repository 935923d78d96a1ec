//! The second lab of the recordings: guests to be sent and copied to other clusters, and the rights for it.

use crate::sim::World;
use crate::sim::guest::Kind;
use crate::sim::replay::{container, place};
use crate::sim::rights::{Rule, Token, User};
use crate::simulator::replay_scenes::{Names, set};

/// What the tokens of the copies were given, step by step.
pub(crate) fn rights(id: &str, world: &World) -> Names {
    let give = |cluster: &str, path: &str, role: &str, token: &str| {
        world.cluster(cluster).edit(|state| {
            let rule = Rule {
                path: path.into(),
                propagate: true,
                role: role.into(),
                ugid: token.into(),
                kind: "user".into(),
            };
            state.access.acl.push(rule);
        });
    };
    match id {
        "rmig2-delete" => give("A", "/vms/504", "RMig", "rmig@pve"),
        "rmig2-peronly" => give("A", "/vms/505", "RMig", "rmig@pve"),
        "copy-src-vm" => give("A", "/vms/530", "RBk", "rmig@pve"),
        "copy-src-ok" => give("A", "/storage/xfer", "RSp", "rmig@pve"),
        "copy-restore1" => give("B", "/storage/local", "RSp", "rmig@pve"),
        "copy-restore2" => give("B", "/vms/630", "RAl", "rmig@pve"),
        "copy-restore3" => give("B", "/storage/xfer", "RSp", "rmig@pve"),
        "copy-list-b-backup" => give("B", "/vms/530", "RBk", "rmig@pve"),
        "copy-override-rights" => give("B", "/vms/636", "RAl", "rmig@pve"),
        "copy-restore5-acl" => give("B", "/sdn/zones/localnetwork/vmbr0", "RNet", "rmig@pve"),
        "copy-restore5" => give("B", "/vms/630", "RAl", "rmig@pve"),
        _ => {}
    }
    Names::new()
}

/// The second lab: guest 530, a user with two tokens on every cluster.
fn copies(world: &World) {
    for cluster in ["A", "B", "C"] {
        world.cluster(cluster).edit(|state| {
            let tokens = [("out", "rsrc"), ("in", "rin")]
                .into_iter()
                .map(|(name, role)| {
                    let whole = crate::sim::recording::token(cluster, role).unwrap_or_default();
                    let secret = whole
                        .split_once('=')
                        .map_or(String::new(), |(_, secret)| secret.to_string());
                    (
                        name.to_string(),
                        Token {
                            secret,
                            ..Token::default()
                        },
                    )
                });
            state.access.users.insert(
                "rmig@pve".into(),
                User {
                    enable: true,
                    tokens: tokens.collect(),
                    ..User::default()
                },
            );
            for (role, privileges) in [
                ("RMig", "VM.Migrate"),
                ("RBk", "VM.Backup"),
                ("RSp", "Datastore.AllocateSpace"),
                ("RAl", "VM.Allocate"),
                ("RNet", "SDN.Use"),
            ] {
                state.access.roles.insert(
                    role.into(),
                    privileges.split(' ').map(String::from).collect(),
                );
            }
        });
    }
}

/// The lab was set up anew, with guests to be sent to other clusters.
pub(crate) fn second_lab(world: &World) {
    world.cluster("B").heal();
    copies(world);
    world.cluster("B").edit(|state| state.guests.remove(&211));
    world.cluster("A").edit(|state| {
        let keep = [100, 101, 201, 9000];
        let gone: Vec<u32> = state
            .guests
            .keys()
            .copied()
            .filter(|vmid| !keep.contains(vmid))
            .collect();
        for vmid in gone {
            for volume in state.guests[&vmid].volumes() {
                state.free(&volume, "pve1");
            }
            state.guests.remove(&vmid);
        }
        set(state, 101, "tags", "");
        set(state, 101, "lock", "migrate");
    });
    arrive(world, &[501]);
    world
        .cluster("C")
        .edit(|state| place(state, 401, Kind::Qemu, "c1", "name: db1"));
}

/// Guests that the lab made to be sent away.
pub(crate) fn arrive(world: &World, vmids: &[u32]) {
    world.cluster("A").edit(|state| {
        for vmid in vmids.iter().copied() {
            let disk = match vmid {
                503 | 504 | 522..=530 => format!("fast:{vmid}/vm-{vmid}-disk-0.qcow2,size=52429K"),
                _ => format!("local:{vmid}/vm-{vmid}-disk-0.raw,size=52429K"),
            };
            match vmid {
                202 | 203 => place(
                    state,
                    vmid,
                    Kind::Lxc,
                    "pve1",
                    &container(&format!("ct{vmid}"), vmid),
                ),
                _ => place(state, vmid, Kind::Qemu, "pve1", &sent(vmid, &disk)),
            }
        }
    });
}

fn sent(vmid: u32, disk: &str) -> String {
    format!(
        "boot: order=scsi0;net0\nname: mig{vmid}\nmeta: creation-qemu=10.1.2,ctime=1791132762\nvmgenid: e1a6ab23-1be7-43d0-8fad-374f29374552\n\
         cores: 1\nnet0: virtio=BC:24:11:42:44:C9,bridge=vmbr0\nscsi0: {disk}\nmemory: 64\nsmbios1: uuid=f4c97ad2-1d97-42d2-ab71-5ca2dece7b53"
    )
}
