//! The receiving end of a migration between clusters: the stub that keeps the id, the disks
//! that arrive, the tunnel's task, the rights that the configuration wants.

use super::super::guest::{Config, Guest, Kind, is_disk_key, option};
use super::super::rights::Who;
use super::super::state::State;
use super::super::task::Plan;
use super::config::privilege;
use super::create::taken;

/// A guest about to arrive.
pub struct Arrival {
    pub node: String,
    pub kind: Kind,
    pub vmid: u32,
    pub who: Who,
    /// Storages and bridges that it wants, each once.
    pub storages: Vec<String>,
    pub bridges: Vec<String>,
    /// The cluster sends it to itself under its own id, which the sender's task holds.
    pub own: bool,
}

/// The order in which a configuration's rights were seen to be asked for.
const ASKED: &[&str] = &[
    "VM.Config.CPU",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Config.HWType",
    "VM.Config.Disk",
    "VM.Config.Memory",
    "VM.Config.Cloudinit",
    "VM.Config.CDROM",
];

const GREETING: &[&str] = &["mtunnel started"];
const RECEIVED: &[&str] = &[
    "received command 'version'",
    "received command 'bwlimit'",
    "received command 'disk-import'",
    "ready",
    "",
    "received command 'ticket'",
];

fn lines(of: &[&str]) -> Vec<String> {
    of.iter().map(|line| line.to_string()).collect()
}

impl Arrival {
    /// Checks what is checked first, makes the stub and starts the tunnel's task; gives its UPID.
    /// `connects`: somebody will come through the tunnel.
    pub fn open(&self, state: &mut State, connects: bool) -> Result<String, String> {
        self.allowed(state)?;
        let (kind, vmid, node) = (self.kind, self.vmid, self.node.clone());
        let refused = |why: String| {
            let short = kind.short();
            format!(
                "400 Parameter verification failed.\nvmid: unable to create empty {short} config - {why}"
            )
        };
        if self.own {
            let file = match kind {
                Kind::Qemu => format!("/var/lock/qemu-server/lock-{vmid}.conf"),
                Kind::Lxc => format!("/run/lock/lxc/pve-config-{vmid}.lock"),
            };
            return Err(refused(format!("can't lock file '{file}' - got timeout")));
        }
        if let Some(text) = taken(state, vmid) {
            return Err(refused(text));
        }
        let mut stub = Guest::new(vmid, kind, &node);
        stub.set("lock", "create");
        state.guests.insert(vmid, stub);
        let mut plan = Plan::new(&node, kind.task("qmtunnel", "vzmtunnel"), vmid);
        // Half a minute in which nothing comes stands for five; a copy takes as long as it takes.
        plan = plan.length(if connects { 1 << 30 } else { 750 });
        if !connects {
            plan = plan.stop(move |state, log| {
                log.push("Failed to accept tunnel connection - received interrupt".into());
                state.give_up(vmid, log)
            });
        }
        let upid = state.spawn(&self.who, plan, move |state, log| {
            if connects {
                return Err("mtunnel exited unexpectedly".into());
            }
            log.push("Failed to accept tunnel connection - got timeout".into());
            Err(state.give_up(vmid, log))
        });
        let upid = upid.as_str().unwrap_or_default().to_string();
        state.say(&upid, lines(GREETING));
        if connects {
            state.say(&upid, lines(RECEIVED));
        }
        Ok(upid)
    }

    fn allowed(&self, state: &State) -> Result<(), String> {
        let need = |path: &str, privilege: &str| {
            let refused =
                |refusal: super::super::answer::Refusal| format!("403 {}", refusal.reason());
            state.need(&self.who, path, &[privilege]).map_err(refused)
        };
        need(&format!("/vms/{}", self.vmid), "VM.Allocate")?;
        need("/", "Sys.Incoming")?;
        for id in &self.storages {
            let Some(storage) = state.storage(id) else {
                return Err(format!("500 storage '{id}' does not exist"));
            };
            if storage.disabled {
                return Err(format!("500 storage '{id}' is disabled"));
            }
            if !storage.on(&self.node) {
                let node = &self.node;
                return Err(format!(
                    "500 storage '{id}' is not available on node '{node}'"
                ));
            }
            need(&format!("/storage/{id}"), "Datastore.AllocateSpace")?;
            let content = if self.kind == Kind::Qemu {
                "images"
            } else {
                "rootdir"
            };
            if !storage.holds(content) {
                let what = if self.kind == Kind::Qemu {
                    "vm images"
                } else {
                    "CT rootdirs"
                };
                return Err(format!("500 storage '{id}' does not support {what}"));
            }
        }
        let known = |bridge: &&String| {
            let node = state.nodes.get(&self.node);
            node.is_some_and(|node| node.interfaces.contains_key(*bridge))
        };
        match self.bridges.iter().find(|bridge| !known(bridge)) {
            Some(bridge) => Err(format!("500 bridge '{bridge}' does not exist")),
            None => Ok(()),
        }
    }
}

impl State {
    /// Nobody came through a tunnel.
    fn give_up(&mut self, vmid: u32, log: &mut Vec<String>) -> String {
        self.guests.remove(&vmid);
        log.extend(lines(&[
            "",
            "Removing tunnel socket..",
            "Removing temporary VM config..",
        ]));
        "Exiting mtunnel".into()
    }

    /// May a guest with this configuration arrive? Or what is refused first.
    pub fn may_arrive(
        &self,
        who: &Who,
        vmid: u32,
        kind: Kind,
        config: &Config,
    ) -> Result<(), String> {
        let need = |path: &str, privilege: &str| {
            let refused =
                |refusal: super::super::answer::Refusal| format!("403 {}", refusal.reason());
            self.need(who, path, &[privilege]).map_err(refused)
        };
        if kind == Kind::Lxc && config.get("unprivileged").map(String::as_str) != Some("1") {
            need("/", "Sys.Modify")?;
        }
        let wanted: Vec<&str> = config.keys().map(|key| on_arrival(key, kind)).collect();
        for privilege in ASKED.iter().filter(|privilege| wanted.contains(privilege)) {
            need(&format!("/vms/{vmid}"), privilege)?;
        }
        let nets = config.iter().filter(|(key, _)| key.starts_with("net"));
        for bridge in nets.filter_map(|(_, value)| option(value, "bridge")) {
            need(&format!("/sdn/zones/localnetwork/{bridge}"), "SDN.Use")?;
        }
        Ok(())
    }

    /// Takes a stub and its disks away again, and ends its tunnel in good order.
    pub fn turn_away(&mut self, upid: &str, node: &str, vmid: u32, disks: &[String]) {
        if !self.running(upid) {
            return;
        }
        for id in disks {
            self.free(id, node);
        }
        self.guests.remove(&vmid);
        self.say(upid, lines(&["received command 'quit'"]));
        self.end_as(upid, Ok(()));
    }
}

fn on_arrival(key: &str, kind: Kind) -> &'static str {
    match key {
        "lock" | "digest" | "unprivileged" | "arch" | "ostype" if kind == Kind::Lxc => "",
        "lock" => "",
        "boot" => "VM.Config.Disk",
        "smbios1" | "vmgenid" => "VM.Config.HWType",
        _ if is_disk_key(key, kind) => "VM.Config.Disk",
        _ => privilege(key, kind),
    }
}
