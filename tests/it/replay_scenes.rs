//! What happened in the lab between two recorded exchanges, without the API.

use std::time::{Duration, Instant};

use crate::sim::guest::{Kind, Snapshot};
use crate::sim::replay::{container, place};
use crate::sim::rights::{Rule, Token, User, Who};
use crate::sim::state::State;
use crate::sim::storage::Volume;
use crate::sim::task::{Plan, Script};
use crate::sim::{Fault, World};

type Names = Vec<(String, String)>;

fn script(state: &mut State, kind: &str, exit: &str) {
    state.scripts.push_back(Script {
        kind: kind.into(),
        exit: exit.into(),
        log: Vec::new(),
    });
}

fn set(state: &mut State, vmid: u32, key: &str, value: &str) {
    if let Some(guest) = state.guests.get_mut(&vmid) {
        if value.is_empty() {
            guest.config.remove(key)
        } else {
            guest.config.insert(key.into(), value.into())
        };
    }
}

fn obeys(state: &mut State, vmid: u32, obeys: bool) {
    state.power_on(vmid);
    if let Some(guest) = state.guests.get_mut(&vmid) {
        guest.obeys = obeys;
    }
}

/// Only these guests are so new that no statistics know them.
fn fresh(state: &mut State, vmid: u32) {
    state.pace.round_ms = 10_000;
    let long_ago = Instant::now()
        .checked_sub(Duration::from_secs(60))
        .unwrap_or_else(Instant::now);
    for guest in state.guests.values_mut() {
        guest.made = if guest.vmid == vmid {
            Instant::now()
        } else {
            long_ago
        };
    }
}

/// Brings the clusters to where they were just before this exchange. Gives recorded names and ours.
pub(crate) fn before(id: &str, world: &World) -> Names {
    let a = |change: &dyn Fn(&mut State)| world.cluster("A").edit(|state| change(state));
    let b = |change: &dyn Fn(&mut State)| world.cluster("B").edit(|state| change(state));
    match id {
        "cluster-tasks-a" => {
            a(&|state| state.past(&root(), Plan::new("pve1", "startall", ""), 90, 1, "OK"))
        }
        "cluster-res-created" => a(&|state| fresh(state, 112)),
        "cfg-get" => a(&|state| state.pace.round_ms = 0),
        "start-fail" => {
            a(&|state| script(state, "qmstart", "start failed: QEMU exited with code 1"))
        }
        "shutdown-timeout" => a(&|state| obeys(state, 100, false)),
        "agent-index" => a(&|state| obeys(state, 100, true)),
        "agent-notrunning" => a(&|state| {
            state.power_on(101);
            if let Some(guest) = state.guests.get_mut(&101) {
                guest.agent = false;
            }
        }),
        "snap-list0" => a(&|state| {
            state.power_off(100);
            state.power_off(101);
        }),
        "clone-snap" => a(&|state| {
            if let Some(guest) = state.guests.get_mut(&111) {
                let config = guest.config.clone();
                guest.snapshots.push(Snapshot {
                    name: "s1".into(),
                    parent: None,
                    time: 1,
                    description: String::new(),
                    vmstate: false,
                    config,
                });
            }
        }),
        "mig-running" => b(&|state| state.power_on(100)),
        "mig-ro" => b(&|state| state.power_off(100)),
        "destroy-protected" => a(&|state| set(state, 122, "protection", "1")),
        "locked-put" => a(&|state| {
            set(state, 122, "protection", "");
            set(state, 122, "lock", "backup");
        }),
        "flock-put" => a(&|state| {
            set(state, 122, "lock", "");
            state.flocks.insert(122);
        }),
        "vzdump" => a(&|state| {
            state.flocks.clear();
            set(state, 100, "onboot", "0");
            set(state, 100, "description", "a b");
        }),
        // The lab's archives were empty files.
        "backup-content" => a(&|state| {
            let archives = state
                .storages
                .iter_mut()
                .flat_map(|storage| &mut storage.volumes)
                .filter(|volume| volume.volid.ends_with(".vma"));
            archives.for_each(|volume| volume.size = 0);
        }),
        "restore" => a(&|state| {
            let volid = "local:150/vm-150-disk-0.raw".to_string();
            if let Some(local) = state.storage_mut("local") {
                local.volumes.push(Volume {
                    volid,
                    node: "pve1".into(),
                    content: "images".into(),
                    format: "raw".into(),
                    size: 1 << 30,
                    vmid: Some(150),
                    ..Volume::default()
                });
            }
        }),
        "pools" => a(&|state| {
            state
                .pools
                .values_mut()
                .for_each(|pool| pool.vms = [100].into())
        }),
        "perms-full" => a(&|state| {
            state
                .pools
                .entry("prod".into())
                .or_default()
                .vms
                .insert(111);
        }),
        "tasks" => a(&|state| killed(state)),
        "poll-post" | "int-post" => a(&|state| obeys(state, 100, false)),
        "kill-post" => a(&|state| script(state, "qmshutdown", "unexpected status")),
        "log-page1" => return vec![vzdump_of_two(world)],
        _ => return later(id, world),
    }
    Names::new()
}

fn later(id: &str, world: &World) -> Names {
    let a = |change: &dyn Fn(&mut State)| world.cluster("A").edit(|state| change(state));
    let b = |change: &dyn Fn(&mut State)| world.cluster("B").edit(|state| change(state));
    let c = |change: &dyn Fn(&mut State)| world.cluster("C").edit(|state| change(state));
    match id {
        "daemon-down-protected" => c(&|state| {
            state.guests.remove(&401);
            state.daemon = Some((595, "Connection refused".into()));
        }),
        "before-nodes" => c(&|state| state.daemon = None),
        "down-proxied" => {
            world.cluster("B").fault(Fault::NodeOffline("b2".into()));
            b(&|state| state.stale = true);
        }
        "offline-nodes" => b(&|state| state.stale = false),
        "rmig2-locked-resize" => {
            arrive(world, &[502, 503, 504, 505]);
            a(&|state| set(state, 502, "lock", "migrate"));
        }
        "rmig2-padmin" => a(&|state| set(state, 502, "lock", "")),
        "rmig2-src-none" => a(&|state| set(state, 502, "lock", "")),
        "rmig2-kill" => arrive(world, &[511, 512, 513, 514]),
        "rmig2-wait" => arrive(world, &[521, 522, 523]),
        "rmig2-snap" => a(&|state| {
            if let Some(guest) = state.guests.get_mut(&522) {
                guest.config.remove("cores");
                guest.config.remove("net0");
                guest.parent = Some("sn1".into());
            }
        }),
        "rmig2-ct" => arrive(world, &[202, 203]),
        "copy-storage-a" => arrive(world, &[530, 531]),
        "copy-list-b" => share(world, "A", &["B", "C"]),
        "copy-list-a2" => share(world, "B", &["A", "C"]),
        "copy-stub" => c(&|state| place(state, 613, Kind::Qemu, "c1", "lock: create")),
        "copy-restore5-again" => b(&|state| {
            let guest = state.guests.get(&631).cloned();
            if let Some(mut guest) = guest {
                guest.vmid = 530;
                state.archive(&guest, "xfer", 1_791_133_232, None, false, "vma.zst");
            }
        }),
        "agent-off2" => a(&|state| {
            state.power_off(100);
            set(state, 101, "agent", "");
        }),
        "race-create-1" => a(&|state| place(state, 170, Kind::Qemu, "pve1", "")),
        "race-create-2" => a(&|state| {
            state.guests.remove(&170);
        }),
        "warn-start" => a(&|state| place(state, 160, Kind::Qemu, "pve1", "bios: ovmf")),
        "daemon-hung" => a(&|state| state.daemon = Some((596, "Connection timed out".into()))),
        "daemon-hung-after" => a(&|state| state.daemon = None),
        "res-fresh" => a(&|state| {
            state
                .pools
                .entry("prod".into())
                .or_default()
                .vms
                .insert(123);
            state.guests.remove(&170);
            place(state, 180, Kind::Qemu, "pve1", "");
            fresh(state, 180);
        }),
        "rmig-stub" => c(&|state| place(state, 401, Kind::Qemu, "c1", "lock: create")),
        "rmig2-dead" => second_lab(world),
        _ => return rights(id, world),
    }
    Names::new()
}

/// What the tokens of the copies were given, step by step.
fn rights(id: &str, world: &World) -> Names {
    let give = |cluster: &str, path: &str, role: &str, token: &str| {
        world.cluster(cluster).edit(|state| {
            let rule = Rule {
                path: path.into(),
                propagate: role != "RSys",
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
        "rmig2-priv-perms" => {
            give("C", "/", "RSys", "rmig@pve");
            give("C", "/vms", "RVm", "rmig@pve");
            give("C", "/storage/local", "RSp", "rmig@pve");
            give("C", "/sdn/zones/localnetwork/vmbr0", "RNet", "rmig@pve");
        }
        "rmig2-peronly-perms" => world.cluster("C").edit(|state| {
            state
                .access
                .acl
                .iter_mut()
                .filter(|rule| rule.path == "/vms")
                .for_each(|rule| rule.path = "/vms/605".into());
        }),
        _ => {}
    }
    Names::new()
}

/// What a guest that arrives from another cluster wants on its new id.
const MOVED: &str = "VM.Allocate VM.Config.CPU VM.Config.Memory VM.Config.Disk VM.Config.Network VM.Config.HWType VM.Config.Options";

/// The second lab: guest 530, a user with two tokens on every cluster.
fn copies(world: &World) {
    for cluster in ["A", "B", "C"] {
        world.cluster(cluster).edit(|state| {
            let tokens = [("out", "rsrc"), ("in", "rin")]
                .into_iter()
                .map(|(name, role)| {
                    let whole = crate::sim::replay::token(cluster, role).unwrap_or_default();
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
                ("RSys", "Sys.Audit Sys.Incoming"),
                ("RVm", MOVED),
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

/// The directory that all clusters mount as `xfer`.
fn share(world: &World, from: &str, to: &[&str]) {
    let volumes = world.cluster(from).edit(|state| {
        state
            .storage("xfer")
            .map(|storage| storage.volumes.clone())
            .unwrap_or_default()
    });
    for cluster in to {
        world.cluster(cluster).edit(|state| {
            if let Some(storage) = state.storage_mut("xfer") {
                storage.volumes = volumes.clone();
            }
        });
    }
}

/// The lab was set up anew, with guests to be sent to other clusters.
fn second_lab(world: &World) {
    world.cluster("B").heal();
    copies(world);
    world.cluster("B").edit(|state| state.guests.remove(&211));
    world.cluster("A").edit(|state| {
        state.pace.round_ms = 0;
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
        .edit(|state| place(state, 401, Kind::Qemu, "c1", ""));
}

/// Guests that the lab made to be sent away.
fn arrive(world: &World, vmids: &[u32]) {
    world.cluster("A").edit(|state| {
        for vmid in vmids.iter().copied() {
            let disk = match vmid {
                522..=530 => format!("fast:{vmid}/vm-{vmid}-disk-0.qcow2,size=52429K"),
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

fn root() -> Who {
    Who {
        user: "root@pam".into(),
        token: Some("full".into()),
        lacks: Vec::new(),
    }
}

/// A task of an earlier run whose worker was killed.
fn killed(state: &mut State) {
    let who = Who {
        user: "mcp@pve".into(),
        token: Some("full".into()),
        lacks: Vec::new(),
    };
    state.past(
        &who,
        Plan::new("pve1", "qmshutdown", 100),
        500,
        3,
        "unexpected status",
    );
}

/// The backup of two guests, one missing, of an earlier run.
fn vzdump_of_two(world: &World) -> (String, String) {
    let ours = world.cluster("A").edit(|state| {
        state.past(
            &root(),
            Plan::new("pve1", "vzdump", ""),
            500,
            3,
            "job errors",
        );
        let task = state.tasks.last_mut();
        task.map(|task| {
            let last = task.log.pop();
            task.log.extend((1..=22).map(|n| format!("INFO: line {n}")));
            task.log.extend(last);
            task.upid.clone()
        })
    });
    (
        "UPID:pve1:00001528:000770A6:6AC275FF:vzdump::root@pam!full:".into(),
        ours.unwrap_or_default(),
    )
}
