//! Starting, stopping and all between.

use serde_json::Value;

use super::super::answer::{Answer, Refusal, flag, number};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, Status, option};
use super::super::rights::Who;
use super::super::state::State;
use super::super::task::{Plan, Task};
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu/{vmid}/status/start", start),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/start", start),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/stop", stop),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/stop", stop),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/status/shutdown",
        shutdown,
    ),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/shutdown", shutdown),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/reboot", reboot),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/reboot", reboot),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/reset", reset),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/suspend", suspend),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/suspend", suspend),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/resume", resume),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/resume", resume),
];

/// How long a shutdown waits where it is not said.
const SHUTDOWN_S: i64 = 180;

impl State {
    /// Ends the shutdowns of a guest that run; gives their UPIDs.
    fn overrule(&mut self, vmid: u32) -> Vec<String> {
        let is_its = |task: &&Task| {
            let is_shutdown = matches!(task.kind.as_str(), "qmshutdown" | "vzshutdown");
            is_shutdown && task.id == vmid.to_string() && task.end.is_none()
        };
        let found = self.tasks.iter().filter(is_its);
        let upids: Vec<String> = found.map(|task| task.upid.clone()).collect();
        for upid in &upids {
            self.interrupt(upid);
        }
        upids
    }

    /// Why a guest cannot start, if it cannot.
    fn startable(&self, node: &str, kind: Kind, vmid: u32) -> Result<(), String> {
        let guest = self
            .guest(node, kind, vmid)
            .ok_or_else(|| missing(node, kind, vmid))?;
        if guest.template() {
            return Err(match kind {
                Kind::Qemu => "you can't start a vm if it's a template".into(),
                Kind::Lxc => "you can't start a CT if it's a template".into(),
            });
        }
        match (guest.lock(), kind) {
            (Some("suspended"), _) | (Some("mounted"), Kind::Lxc) => {}
            // It goes on as it was.
            (Some("backup"), Kind::Qemu) if guest.running() => return Ok(()),
            _ => locked(guest)?,
        }
        if guest.running() {
            return Err(format!("{} {vmid} already running", guest.kind.short()));
        }
        let nets = guest
            .config
            .iter()
            .filter(|(key, _)| key.starts_with("net") && key[3..].parse::<u32>().is_ok());
        for bridge in nets.filter_map(|(_, value)| option(value, "bridge")) {
            if !self
                .nodes
                .get(node)
                .is_some_and(|node| node.interfaces.contains_key(bridge))
            {
                return Err(format!("bridge '{bridge}' does not exist"));
            }
        }
        let drives = guest
            .config
            .iter()
            .filter(|(key, _)| super::super::guest::is_disk_key(key, kind));
        for (_, value) in drives {
            let id = super::super::guest::volume(value);
            if id.contains(':') && self.volume(id, node).is_none() {
                return Err(format!("volume '{id}' does not exist"));
            }
        }
        Ok(())
    }

    /// Runs a guest: pending changes come true.
    /// The task that starts a guest, also one that was just made: the request that made it has ended by
    /// then.
    pub fn begin_start(&mut self, who: &Who, node: &str, kind: Kind, vmid: u32) -> Value {
        let plan = Plan::new(node, kind.task("qmstart", "vzstart"), vmid).holds(vmid);
        let node = node.to_string();
        self.spawn(who, plan, move |state, log| {
            state.startable(&node, kind, vmid)?;
            let ovmf = state.guests.get(&vmid).is_some_and(|guest| {
                guest.get("bios") == Some("ovmf") && guest.get("efidisk0").is_none()
            });
            if ovmf {
                log.push("WARN: no efidisk configured! Using temporary efivars disk.".into());
            }
            state.power_on(vmid);
            Ok(())
        })
    }

    pub fn power_on(&mut self, vmid: u32) {
        self.next_pid += 9;
        let pid = self.next_pid;
        self.come_true(vmid);
        if let Some(guest) = self.guests.get_mut(&vmid) {
            if guest.lock() == Some("suspended") {
                guest.config.remove("lock");
            }
            (guest.status, guest.uptime, guest.cpu, guest.pid) = (Status::Running, 1, 0.01, pid);
        }
    }

    pub fn power_off(&mut self, vmid: u32) {
        self.come_true(vmid);
        if let Some(guest) = self.guests.get_mut(&vmid) {
            (guest.status, guest.uptime, guest.cpu, guest.pid) = (Status::Stopped, 0, 0.0, 0);
        }
    }
}

impl Guest {
    /// The configuration as it will be, which is how it is read.
    pub fn apply_pending(&mut self) {
        for (key, value) in std::mem::take(&mut self.pending) {
            if value.is_empty() {
                self.config.remove(&key);
            } else {
                self.config.insert(key, value);
            }
        }
    }
}

fn root_only(call: &Call) -> Result<(), Refusal> {
    if flag(&call.params, "skiplock") && !call.who.is_root() {
        return Err(Refusal::param("skiplock", "Only root may use this option."));
    }
    Ok(())
}

/// A guest under high availability: the manager is told, and acts in its own time.
fn managed(call: &mut Call, kind: &'static str, state: &str) -> Option<Value> {
    let sid = call.state.guests.get(&call.vmid())?.sid();
    let ha = call.state.ha.get_mut(&sid)?;
    ha.insert("state".into(), state.into());
    let (node, vmid, who) = (call.node.clone(), call.vmid(), call.who.clone());
    let on = state == "started";
    let root = super::super::rights::Who {
        user: "root@pam".into(),
        ..Default::default()
    };
    let word = call.kind().task(
        if on { "qmstart" } else { "qmstop" },
        if on { "vzstart" } else { "vzstop" },
    );
    Some(
        call.state
            .spawn(&who, Plan::new(&node, kind, vmid), move |state, _| {
                state.spawn(&root, Plan::new(&node, word, vmid), move |state, _| {
                    if on {
                        state.power_on(vmid)
                    } else {
                        state.power_off(vmid)
                    }
                    Ok(())
                });
                Ok(())
            }),
    )
}

fn start(call: &mut Call) -> Answer {
    root_only(call)?;
    call.quorate()?;
    if let Some(upid) = managed(call, "hastart", "started") {
        return Ok(upid);
    }
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let held = call.state.guest(&node, kind, vmid);
    if kind == Kind::Lxc && held.is_some_and(Guest::running) {
        return Err(Refusal::die(format!("CT {vmid} already running")));
    }
    Ok(call.state.begin_start(&who, &node, kind, vmid))
}

fn stop(call: &mut Call) -> Answer {
    root_only(call)?;
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    if kind == Kind::Lxc {
        running(call.guest()?)?;
    }
    if let Some(upid) = managed(call, "hastop", "stopped") {
        return Ok(upid);
    }
    let overruled = match flag(&call.params, "overrule-shutdown") {
        true => call.state.overrule(vmid),
        false => Vec::new(),
    };
    let plan = Plan::new(&node, kind.task("qmstop", "vzstop"), vmid).holds(vmid);
    Ok(call.state.spawn(&who, plan, move |state, log| {
        if !overruled.is_empty() {
            let word = kind.task("qmshutdown", "vzshutdown");
            log.push(format!("overruled {word} tasks: {}", overruled.join(", ")));
        }
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        if !guest.running() {
            return Ok(());
        }
        locked(guest)?;
        state.power_off(vmid);
        Ok(())
    }))
}

fn running(guest: &Guest) -> Result<(), Refusal> {
    if guest.running() {
        Ok(())
    } else {
        Err(Refusal::die(format!(
            "{} {} not running",
            guest.kind.short(),
            guest.vmid
        )))
    }
}

fn shutdown(call: &mut Call) -> Answer {
    root_only(call)?;
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let force = flag(&call.params, "forceStop");
    // A guest that does not obey is waited for as long as the request says, 3 minutes at first.
    let timeout = number(&call.params, "timeout").unwrap_or(SHUTDOWN_S);
    let timeout = u64::try_from(timeout).unwrap_or(1).max(1);
    if kind == Kind::Lxc {
        running(call.guest()?)?;
    }
    if let Some(upid) = managed(call, "hastop", "stopped") {
        return Ok(upid);
    }
    let obeys = call
        .state
        .guests
        .get(&vmid)
        .is_none_or(|guest| guest.obeys && guest.status != Status::Paused || !guest.running());
    let plan = Plan::new(&node, kind.task("qmshutdown", "vzshutdown"), vmid)
        .holds(vmid)
        .length(if obeys { 2 } else { timeout });
    Ok(call.state.spawn(&who, plan, move |state, log| {
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        if !guest.running() {
            return Ok(());
        }
        locked(guest)?;
        if !obeys && !force {
            return Err(match kind {
                Kind::Qemu => "VM quit/powerdown failed - got timeout".into(),
                Kind::Lxc => "container did not stop".into(),
            });
        }
        if !obeys {
            log.push("VM still running - terminating now with SIGTERM".into());
        }
        state.power_off(vmid);
        Ok(())
    }))
}

fn reboot(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let guest = call.guest()?;
    if !guest.running() {
        return Err(Refusal::die(format!("VM {vmid} not running")));
    }
    let plan = Plan::new(&node, kind.task("qmreboot", "vzreboot"), vmid)
        .holds(vmid)
        .length(3);
    Ok(call.state.spawn(&who, plan, move |state, _| {
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        locked(guest)?;
        if !guest.obeys {
            return Err("VM quit/powerdown failed - got timeout".into());
        }
        // Its second half is a start, which is refused without a word.
        if state.has_quorum() {
            state.power_on(vmid);
        } else {
            state.power_off(vmid);
        }
        Ok(())
    }))
}

fn reset(call: &mut Call) -> Answer {
    root_only(call)?;
    let (node, vmid, who) = (call.node.clone(), call.vmid(), call.who.clone());
    running(call.guest()?)?;
    Ok(call
        .state
        .spawn(&who, Plan::new(&node, "qmreset", vmid), move |state, _| {
            if let Some(guest) = state.guests.get_mut(&vmid) {
                locked(guest)?;
                guest.uptime = 1;
            }
            Ok(())
        }))
}

fn suspend(call: &mut Call) -> Answer {
    root_only(call)?;
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let disk = flag(&call.params, "todisk");
    running(call.guest()?)?;
    if disk {
        call.state
            .need(&call.who, &format!("/vms/{vmid}"), &["VM.Config.Disk"])?;
    }
    let word = kind.task(if disk { "qmsuspend" } else { "qmpause" }, "vzsuspend");
    Ok(call
        .state
        .spawn(&who, Plan::new(&node, word, vmid), move |state, _| {
            let storages = state.guests.get(&vmid).map(Guest::storages);
            if let Some(guest) = state.guests.get_mut(&vmid) {
                match guest.lock() {
                    Some("backup") if disk => {
                        return Err("cannot suspend to disk during backup".into());
                    }
                    Some("backup") if kind == Kind::Qemu => {}
                    _ => locked(guest)?,
                }
            }
            if disk {
                state.alterable(&storages.unwrap_or_default())?;
            }
            if let Some(guest) = state.guests.get_mut(&vmid) {
                if disk {
                    guest.set("lock", "suspended");
                    guest.status = Status::Stopped;
                } else {
                    guest.status = Status::Paused;
                }
            }
            Ok(())
        }))
}

fn resume(call: &mut Call) -> Answer {
    root_only(call)?;
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let guest = call.guest()?;
    let asleep = guest.lock() == Some("suspended");
    if !asleep {
        running(guest)?;
    }
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, kind.task("qmresume", "vzresume"), vmid),
        move |state, _| {
            if let Some(guest) = state.guests.get_mut(&vmid) {
                if asleep {
                    guest.config.remove("lock");
                }
                guest.status = Status::Running;
            }
            Ok(())
        },
    ))
}
