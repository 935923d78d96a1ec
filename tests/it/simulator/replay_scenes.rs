//! What happened in the lab between two recorded exchanges, without the API.

use crate::sim::guest::{Kind, Snapshot};
use crate::sim::replay::place;
use crate::sim::rights::Who;
use crate::sim::state::State;
use crate::sim::storage::Volume;
use crate::sim::task::{Plan, Script};
use crate::sim::{Fault, World};
use crate::simulator::replay_labs::{arrive, rights, second_lab};

pub(crate) type Names = Vec<(String, String)>;

fn script(state: &mut State, kind: &str, exit: &str) {
    state.scripts.push_back(Script {
        kind: kind.into(),
        exit: exit.into(),
        log: Vec::new(),
    });
}

pub(crate) fn set(state: &mut State, vmid: u32, key: &str, value: &str) {
    if let Some(guest) = state.guests.get_mut(&vmid) {
        if value.is_empty() {
            guest.config.remove(key)
        } else {
            guest.config.insert(key.into(), value.into())
        };
    }
}

pub(crate) fn obeys(state: &mut State, vmid: u32, obeys: bool) {
    state.power_on(vmid);
    if let Some(guest) = state.guests.get_mut(&vmid) {
        guest.obeys = obeys;
    }
}

/// Brings the clusters to where they were just before this exchange. Gives recorded names and ours.
pub(crate) fn before(id: &str, world: &World) -> Names {
    let a = |change: &dyn Fn(&mut State)| world.cluster("A").just_now(|state| change(state));
    let b = |change: &dyn Fn(&mut State)| world.cluster("B").edit(|state| change(state));
    for cluster in &world.clusters {
        cluster.just_now(State::round);
    }
    match id {
        "cluster-tasks-a" => {
            a(&|state| state.past(&root(), Plan::new("pve1", "startall", ""), 90, 1, "OK"))
        }
        "cluster-res-created" => a(&|state| state.statistics.unsay(112)),
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
                    state: None,
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
    let a = |change: &dyn Fn(&mut State)| world.cluster("A").just_now(|state| change(state));
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
            b(&|state| {
                state.stale = true;
                state.severed.insert("b2".into());
            });
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
        "copy-storage-a" => {
            world.mount("/mnt/xfer");
            arrive(world, &[530, 531]);
        }
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
            state.statistics.unsay(180);
        }),
        "rmig2-dead" => second_lab(world),
        _ => return rights(id, world),
    }
    Names::new()
}

pub(crate) fn root() -> Who {
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
