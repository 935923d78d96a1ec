//! What happened in the lab of the later recordings between two exchanges, without the API.

use crate::sim::guest::{Snapshot, Status};
use crate::sim::rights::{Rule, Token, User};
use crate::sim::state::State;
use crate::sim::task::Plan;
use crate::sim::{Fault, World};
use crate::simulator::replay_scenes::{obeys, root, set};

const LOCKS: &[&str] = &[
    "backup",
    "migrate",
    "snapshot-delete",
    "snapshot",
    "rollback",
    "clone",
    "create",
    "suspended",
    "suspending",
    "disk",
    "mounted",
    "destroyed",
    "fstrim",
];

/// The user that guests are sent to other clusters as; and how old the lab is.
pub(crate) fn people(world: &World) {
    for cluster in ["A", "B", "C"] {
        world.cluster(cluster).edit(|state| {
            state.recorded_s = 5400;
            if let Some(user) = state.access.users.get_mut("mcp@pve") {
                user.fields.clear();
            }
        });
    }
    for cluster in ["A", "C"] {
        world.cluster(cluster).edit(|state| {
            let token = Token {
                secret: "00000000-0000-4000-8000-000000000000".into(),
                ..Token::default()
            };
            state.access.users.insert(
                "rmig@pve".into(),
                User {
                    enable: true,
                    tokens: [("t3in".to_string(), token)].into(),
                    ..User::default()
                },
            );
            state.access.acl.push(Rule {
                path: "/".into(),
                propagate: true,
                role: "Administrator".into(),
                ugid: "rmig@pve".into(),
                kind: "user".into(),
            });
        });
    }
}

/// Guests that ran by no request's doing.
pub(crate) fn run(id: &str, world: &World) {
    let (cluster, vmid) = match id {
        "t3-rrd-ct" => ("A", 110),
        "t3-rrd-b-ct" => ("B", 110),
        "t3-rrd-other" => ("B", 100),
        _ => return,
    };
    world.cluster(cluster).just_now(|state| {
        if let Some(guest) = state.guests.get_mut(&vmid) {
            guest.status = Status::Running;
        }
    });
}

/// Guests of the same numbers were made anew for each look at a cluster without quorum.
pub(crate) fn clear(id: &str, world: &World) {
    if id == "t3-nq-status" || id == "t3-nq2-hotplug" {
        world.cluster("B").just_now(|state| {
            (884..888).for_each(|vmid| drop(state.guests.remove(&vmid)));
        });
    }
}

/// Brings the clusters to where they were just before this exchange.
pub(crate) fn before(id: &str, world: &World) {
    locks(id, world);
    let on = |cluster: &str, vmid| {
        world
            .cluster(cluster)
            .just_now(|state| state.power_on(vmid))
    };
    let off = |cluster: &str, vmid| {
        world
            .cluster(cluster)
            .just_now(|state| state.power_off(vmid))
    };
    let agent = |answers: bool| {
        world.cluster("C").just_now(|state| {
            set(state, 860, "agent", "1");
            if let Some(guest) = state.guests.get_mut(&860) {
                guest.agent = answers;
            }
        });
    };
    match id {
        "agent-get-memory-blocks" | "agent-ifs-ro" => {
            on("A", 101);
            world.cluster("A").just_now(|state| {
                set(state, 101, "agent", "1");
                addressed(state, 101);
            });
        }
        "t3-nq-status" | "t3-nq2-hotplug" => {
            world.cluster("B").fault(Fault::NodeOffline("b2".into()));
            world.cluster("B").fault(Fault::NoQuorum);
        }
        "t3-hp-disk-fail" => plugs(world, false),
        "t3-hp-hotplug0" => plugs(world, true),
        "t3-lk-hang-shutdown" => world
            .cluster("B")
            .just_now(|state| obeys(state, 842, false)),
        "vm-shutdown-hang" => world
            .cluster("A")
            .just_now(|state| obeys(state, 105, false)),
        // It had been hibernated.
        "vm-cloudinit-put" => world
            .cluster("A")
            .just_now(|state| set(state, 105, "lock", "suspended")),
        "t3-nq2-ct-stop" => on("B", 887),
        "t3-nq-put" => world.cluster("B").just_now(|state| {
            state.power_on(885);
            set(state, 885, "lock", "backup");
            snapshot(state, 886, "s0");
            let plan = Plan::new("b1", "vzdump", 885).stop(|_, _| "interrupted by signal".into());
            state.spawn(&root(), plan, |_, _| Ok(()));
        }),
        "t3-nq-back-status" | "t3-nq2-back-start" => world.cluster("B").heal(),
        "t3-bj-all" => world.cluster("B").just_now(|state| {
            state.pools.entry("t3bk".into()).or_default();
        }),
        "t3-bj-list" => world.cluster("B").just_now(jobs),
        "t3-nq-get-backup" => world.cluster("B").just_now(|state| {
            state.backup_jobs.retain(|id, _| !id.starts_with("t3-"));
        }),
        "fresh-resources" => world.cluster("C").just_now(State::round),
        "t3-ha-migrate-managed" => on("B", 880),
        "t3-ag-network-get-interfaces" => {
            world.cluster("C").just_now(|state| addressed(state, 860))
        }
        "t3-ag-stopped" => {
            off("C", 860);
            agent(true);
        }
        "t3-ag-silent-ping" => {
            on("C", 860);
            agent(false);
        }
        "t3-ag-ping" => agent(true),
        "t3-ha2-start-again" => {
            off("B", 883);
            world.cluster("B").just_now(|state| {
                let wanted = serde_json::Map::from_iter([("state".to_string(), "stopped".into())]);
                state.ha.insert("vm:883".into(), wanted);
            });
        }
        "t3-ha2-destroy-purge" => world.cluster("B").just_now(|state| state.power_off(883)),
        "t3-ha-repl-mig" => world.cluster("B").just_now(|state| {
            set(state, 882, "scsi0", "data:882/vm-882-disk-0.raw,size=1G");
        }),
        "bulk-tasks" | "t3-bj-ctasks" | "t3-ha2-migrate-tasks" => {
            world.cluster("B").just_now(State::settle_all);
        }
        _ => {}
    }
}

/// The lab sets each lock and tries everything: `t3-lk-backup-put`.
fn locks(id: &str, world: &World) {
    let (cluster, vmid, rest) = if let Some(rest) = id.strip_prefix("t3-lk-ct-") {
        ("B", 841, rest)
    } else if let Some(rest) = id.strip_prefix("t3-lk-") {
        ("B", 840, rest)
    } else if let Some(rest) = id.strip_prefix("t3-lkr-") {
        ("C", 864, rest)
    } else {
        return;
    };
    if id.ends_with(".status") || id.ends_with(".log") {
        return;
    }
    let lock = LOCKS.iter().find(|lock| rest.starts_with(*lock));
    world.cluster(cluster).just_now(|state| {
        if let Some(lock) = lock {
            set(state, vmid, "lock", lock);
        }
        // What was tried here was tried on a running guest.
        let stopped = state
            .guests
            .get(&vmid)
            .is_some_and(|guest| !guest.running());
        if vmid == 864 && stopped {
            state.power_on(vmid);
        }
        if rest == "hib-start" {
            set(state, vmid, "lock", "");
        }
        if vmid == 840 {
            snapshot(state, vmid, "s0");
        }
    });
}

fn plugs(world: &World, plugs: bool) {
    world.cluster("B").just_now(|state| {
        if let Some(guest) = state.guests.get_mut(&830) {
            guest.plugs = plugs;
        }
    });
}

fn addressed(state: &mut State, vmid: u32) {
    if let Some(guest) = state.guests.get_mut(&vmid) {
        guest.addresses = vec![("eth0".into(), "192.0.2.15/24".into())];
    }
}

/// A snapshot that the lab made, if the guest has none.
pub(crate) fn snapshot(state: &mut State, vmid: u32, name: &str) {
    let Some(guest) = state
        .guests
        .get_mut(&vmid)
        .filter(|guest| guest.snapshots.is_empty())
    else {
        return;
    };
    guest.snapshots.push(Snapshot {
        name: name.into(),
        parent: None,
        time: 1_790_972_650,
        description: String::new(),
        vmstate: false,
        state: None,
        config: guest.config.clone(),
    });
    guest.parent = Some(name.into());
}

/// The name that a job without one was given, and what the lab's calendar took beyond what Proxmox's own
/// takes.
fn jobs(state: &mut State) {
    let unnamed = |id: &&String| !id.starts_with("t3-");
    if let Some(id) = state.backup_jobs.keys().find(unnamed).cloned()
        && let Some(mut job) = state.backup_jobs.remove(&id)
    {
        let id = "6f265a08-e218-4531-8655-f23d155f1c93";
        job.insert("id".into(), id.into());
        state.backup_jobs.insert(id.into(), job);
    }
    let job = [
        ("id", "t3-s6"),
        ("type", "vzdump"),
        ("storage", "shared"),
        ("schedule", "0 3 * * *"),
        ("vmid", "870"),
        ("enabled", "0"),
    ];
    let job = job.map(|(key, value)| (key.to_string(), value.into()));
    state
        .backup_jobs
        .insert("t3-s6".into(), job.into_iter().collect());
}
