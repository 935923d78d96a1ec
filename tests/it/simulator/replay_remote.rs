//! The second lab of the recordings: guests sent to other clusters, the tunnels between, the rights for it.

use serde_json::{Value, json};

use crate::sim::World;
use crate::sim::api::firewall::Firewall;
use crate::sim::client::Reply;
use crate::sim::guest::{Kind, Snapshot};
use crate::sim::recording::{Exchange, token};
use crate::sim::replay::place;
use crate::sim::rights::{Rule, Who};
use crate::sim::state::State;
use crate::sim::task::{Plan, Script};
use crate::simulator::replay_scenes::{self, Names, set};

/// Fingerprints and secrets of the recorded endpoints, and ours.
pub(crate) fn endpoints(all: &[Exchange], world: &World) -> Names {
    let mut names = Names::new();
    for exchange in all {
        let Some(text) = exchange.request["body"]["target-endpoint"].as_str() else {
            continue;
        };
        let part = |key: &str| text.split(',').find_map(|part| part.strip_prefix(key));
        let (cluster, node) = match part("host=") {
            Some("10.10.1.1") => ("A", "pve1"),
            Some("10.10.2.2") => ("B", "b2"),
            Some("10.10.3.1") => ("C", "c1"),
            _ => continue,
        };
        if let Some(theirs) = part("fingerprint=").filter(|text| !text.starts_with("AA:AA")) {
            let ours = world.cluster(cluster).fingerprint(node).to_string();
            let lower = theirs.chars().any(|c| c.is_ascii_lowercase());
            let ours = if lower { ours.to_lowercase() } else { ours };
            names.push((theirs.into(), ours));
        }
        let secret = text
            .split_once("rmig@pve!in=")
            .and_then(|(_, rest)| rest.split(',').next());
        let ours = token(cluster, "rin").unwrap_or_default();
        if let (Some(theirs), Some((_, ours))) = (secret, ours.split_once('=')) {
            names.push((theirs.into(), ours.into()));
        }
    }
    names
}

/// Ours for a task which no answer has named (a tunnel's, the lab's own backup): the newest for this
/// guest.
pub(crate) fn acquaint(upid: &str, state: &State) -> Option<String> {
    let [_, node, _, _, _, kind, id, ..] = upid.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    if !kind.ends_with("mtunnel") && kind != "vzdump" {
        return None;
    }
    let mut tasks = state.tasks.iter().rev();
    let found = tasks.find(|task| task.node == node && task.kind == kind && task.id == id);
    found.map(|task| task.upid.clone())
}

/// A log line without what no two runs share: times, the order of keys in a command.
fn bare(line: &str) -> String {
    let pattern = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d | \(duration [\d:]+\)|tunnel command '.*' failed - failed";
    let pattern = regex::Regex::new(pattern).expect("the pattern is valid");
    pattern.replace_all(line, "").into_owned()
}

/// Errors in the log of a migration that ours does not name.
pub(crate) fn errors(exchange: &Exchange, reply: &Reply) -> Vec<String> {
    let path = exchange.request["path"].as_str().unwrap_or("");
    if !path.ends_with("/log") || !path.contains("migrate%3A") {
        return Vec::new();
    }
    let lines = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().into_iter().flatten();
        rows.filter_map(|row| row["t"].as_str()).map(bare).collect()
    };
    let ours = lines(&reply.data());
    let told = |line: &String| line.starts_with("ERROR: ") || line.starts_with("can't migrate");
    let theirs = lines(&exchange.response["body"]["data"]).into_iter();
    let missing = theirs.filter(told).filter(|line| !ours.contains(line));
    missing
        .map(|line| format!("the log lacks '{line}'"))
        .collect()
}

/// Brings the clusters to where they were just before this exchange. Gives recorded names and ours.
pub(crate) fn before(id: &str, world: &World) -> Names {
    let names = replay_scenes::before(id, world);
    let a = |change: &dyn Fn(&mut State)| world.cluster("A").edit(|state| change(state));
    let c = |change: &dyn Fn(&mut State)| world.cluster("C").edit(|state| change(state));
    match id {
        // An earlier run had left its stub.
        "rmig-start" => c(&|state| place(state, 401, Kind::Qemu, "c1", "lock: create")),
        "rmig2-dead" => {
            c(&|state| {
                let root = Who {
                    user: "root@pam".into(),
                    token: Some("full".into()),
                    lacks: Vec::new(),
                };
                state.past(&root, Plan::new("c1", "qmtunnel", 401), 126, 11, "OK");
            });
            a(&|state| state.reach.dies = true);
        }
        "rmig2-wait" => a(&|state| state.reach.dies = true),
        "rmig2-priv0" | "rmig2-wait-stop" => a(&|state| state.reach.dies = false),
        "rmig2-nofp-ca" => a(&|state| {
            state.reach.trusts.insert("C".into());
        }),
        "rmig2-padmin" => a(&|state| big(state)),
        "rmig2-kill.status" => c(&|state| {
            let tunnel = acquaint("UPID:c1::::qmtunnel:611:", state);
            state.end(&tunnel.unwrap_or_default());
        }),
        "rmig2-die" => a(&|state| {
            state.scripts.push_back(Script {
                kind: "qmigrate".into(),
                exit: "unexpected status".into(),
                log: Vec::new(),
            });
        }),
        // Five minutes after its start.
        "rmig2-dead-late" => c(&|state| {
            let tunnel = acquaint("UPID:c1::::qmtunnel:499:", state);
            state.end(&tunnel.unwrap_or_default());
        }),
        "rmig2-snap" => a(&|state| {
            set(state, 523, "ide2", "local:iso/tiny.iso,media=cdrom,size=1M");
            if let Some(guest) = state.guests.get_mut(&522) {
                guest.snapshots.push(Snapshot {
                    name: "sn1".into(),
                    parent: None,
                    time: 1,
                    description: String::new(),
                    vmstate: false,
                    state: None,
                    config: guest.config.clone(),
                });
            }
        }),
        "rmig2-ct-unpriv" => a(&|state| set(state, 203, "unprivileged", "1")),
        _ => {}
    }
    rights(id, world);
    names
}

/// The guest with more to it than a disk: notes, a second card, rules.
fn big(state: &mut State) {
    set(state, 503, "tags", "a;b");
    set(state, 504, "description", "big secret note");
    set(state, 504, "tags", "a;b");
    set(state, 504, "onboot", "1");
    set(state, 504, "net1", "virtio=BC:24:11:F3:89:E0,bridge=vmbr0");
    let rule =
        json!({"type": "in", "action": "ACCEPT", "proto": "tcp", "dport": "22", "enable": 1});
    let rules = vec![rule.as_object().cloned().unwrap_or_default()];
    let firewall = Firewall {
        rules,
        ..Firewall::default()
    };
    state.firewall.insert("guest/504".into(), firewall);
}

/// What the tokens were given, step by step.
fn rights(id: &str, world: &World) {
    let may = |cluster: &str, path: &str, role: &str, privilege: &str| {
        world.cluster(cluster).edit(|state| {
            let privileges = state.access.roles.entry(role.into()).or_default();
            privileges.insert(privilege.to_string());
            let rule = Rule {
                path: path.into(),
                propagate: role != "RSys",
                role: role.into(),
                ugid: "rmig@pve".into(),
                kind: "user".into(),
            };
            if !state.access.acl.contains(&rule) {
                state.access.acl.push(rule);
            }
        });
    };
    let guest = |privilege: &str| may("C", "/vms", "RVm", privilege);
    match id {
        "rmig2-priv1" => may("C", "/", "RSys", "Sys.Audit"),
        "rmig2-priv2" => guest("VM.Allocate"),
        "rmig2-priv3" => may("C", "/", "RSys", "Sys.Incoming"),
        "rmig2-priv4" => may("C", "/storage/local", "RSp", "Datastore.AllocateSpace"),
        "rmig2-priv5" => guest("VM.Config.CPU"),
        "rmig2-priv6" => guest("VM.Config.Network"),
        "rmig2-priv7" => guest("VM.Config.Options"),
        "rmig2-priv8" => guest("VM.Config.HWType"),
        "rmig2-priv9" => guest("VM.Config.Disk"),
        "rmig2-priv10" => guest("VM.Config.Memory"),
        "rmig2-priv11" => may("C", "/sdn/zones/localnetwork/vmbr0", "RNet", "SDN.Use"),
        "rmig2-ct-priv0" => may("C", "/", "RSys", "Sys.Modify"),
        "rmig2-ct-unpriv" => world.cluster("C").edit(|state| {
            let role = state.access.roles.entry("RSys".into()).or_default();
            role.remove("Sys.Modify");
        }),
        "rmig2-peronly" => world.cluster("C").edit(|state| {
            let rules = state.access.acl.iter_mut();
            let wide = rules.filter(|rule| rule.path == "/vms");
            wide.for_each(|rule| rule.path = "/vms/605".into());
        }),
        "rmig2-delete" => {
            for vmid in [502, 503] {
                may("A", &format!("/vms/{vmid}"), "RMig", "VM.Migrate");
            }
        }
        _ => {}
    }
}
