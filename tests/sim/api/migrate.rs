//! Migration inside a cluster: the conditions, then the move.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, drive_size, option, volume};
use super::super::http::civil;
use super::super::rights::Who;
use super::super::state::State;
use super::super::task::Plan;
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/qemu/{vmid}/migrate", conditions),
    ("GET", "/nodes/{node}/lxc/{vmid}/migrate", conditions),
    ("POST", "/nodes/{node}/qemu/{vmid}/migrate", migrate),
    ("POST", "/nodes/{node}/lxc/{vmid}/migrate", migrate),
];

fn conditions(call: &mut Call) -> Answer {
    call.quorate()?;
    let guest = call.guest()?;
    locked(guest).map_err(Refusal::die)?;
    let state = &*call.state;
    let running = u8::from(guest.running());
    let (mut allowed, mut refused) = (Vec::new(), Map::new());
    for node in state.nodes.keys().filter(|node| **node != guest.node) {
        let volumes = guest.disks();
        let storages = volumes
            .iter()
            .filter_map(|(_, value)| volume(value).split_once(':'));
        let missing: Vec<&str> = storages
            .map(|(id, _)| id)
            .filter(|id| state.storage(id).is_some_and(|storage| !storage.on(node)))
            .collect();
        if missing.is_empty() {
            allowed.push(node.clone());
            if guest.kind == Kind::Qemu {
                refused.insert(node.clone(), json!({}));
            }
        } else {
            refused.insert(node.clone(), json!({"unavailable_storages": missing}));
        }
    }
    if guest.kind == Kind::Lxc {
        return Ok(
            json!({"running": running, "allowed-nodes": allowed, "not-allowed-nodes": refused}),
        );
    }
    let images = state.local_images(guest).into_iter().map(|disk| (disk, 1));
    let disks = state
        .local_disks(guest)
        .into_iter()
        .map(|disk| (disk, 0))
        .chain(images);
    let disks: Vec<Value> = disks.map(|((key, value), cdrom)| {
        json!({
            "drivename": key, "volid": volume(&value), "size": drive_size(&value).unwrap_or(0), "cdrom": cdrom, "is_attached": 1, "is_unused": 0,
            "is_cloudinit": 0, "is_tpmstate": 0, "is_vmstate": 0, "shared": 0, "replicate": 1,
        })
    }).collect();
    Ok(json!({
        "running": running, "allowed_nodes": allowed, "not_allowed_nodes": refused, "local_disks": disks, "local_resources": [],
        "mapped-resources": [], "mapped-resource-info": {}, "has-dbus-vmstate": 1,
    }))
}

fn stamp(seconds: i64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn migrate(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let (target, params) = (call.text("target"), call.params.clone());
    call.quorate()?;
    if target == node {
        return Err(Refusal::param("target", "target is local node."));
    }
    let Some(there) = call.state.nodes.get(&target) else {
        return Err(Refusal::die(format!("no such cluster node '{target}'")));
    };
    if !there.online {
        return Err(Refusal::die(format!("node '{target}' is not online")));
    }
    let guest = call.guest()?;
    let running = guest.running();
    if kind == Kind::Lxc {
        return container(call, running, target, params);
    }
    locked(guest).map_err(Refusal::die)?;
    if running && !flag(&params, "online") {
        return Err(Refusal::die("can't migrate running VM without --online"));
    }
    if running && !call.state.local_disks(guest).is_empty() && !flag(&params, "with-local-disks") {
        return Err(Refusal::die(
            "can't live migrate attached local disks without with-local-disks option",
        ));
    }
    if running && !call.state.local_images(guest).is_empty() {
        return Err(Refusal::die("can't migrate VM with local cdrom image"));
    }
    if call.state.ha.contains_key(&guest.sid()) {
        return Ok(told(call, target, params));
    }
    if let Some(guest) = call.state.guests.get_mut(&vmid) {
        guest.set("lock", "migrate");
    }
    let plan = Plan::new(&node, "qmigrate", vmid)
        .length(4)
        .undo(move |state| unlock(state, vmid));
    Ok(call.state.spawn(&who, plan, move |state, log| {
        state.relocate(&node, vmid, &target, &params, log)
    }))
}

fn unlock(state: &mut State, vmid: u32) {
    if let Some(guest) = state.guests.get_mut(&vmid) {
        guest.config.remove("lock");
    }
}

/// The manager of high availability is told, and moves the guest in its own time.
fn told(call: &mut Call, target: String, params: Params) -> Value {
    let (node, kind, vmid) = (call.node.clone(), call.kind(), call.vmid());
    let root = Who {
        user: "root@pam".into(),
        ..Who::default()
    };
    let plan = Plan::new(&node, "hamigrate", vmid);
    let move_it = move |state: &mut State, _: &mut Vec<String>| {
        let plan = Plan::new(&node, kind.task("qmigrate", "vzmigrate"), vmid).length(4);
        state.spawn(&root, plan, move |state, log| {
            state.relocate(&node, vmid, &target, &params, log)
        });
        Ok(())
    };
    call.state.spawn(&call.who.clone(), plan, move_it)
}

/// A container's way of moving is asked for at once; its lock is found in the task only.
fn container(call: &mut Call, running: bool, target: String, params: Params) -> Answer {
    let (node, vmid, who) = (call.node.clone(), call.vmid(), call.who.clone());
    let (online, restart) = (flag(&params, "online"), flag(&params, "restart"));
    if running && !online && !restart {
        return Err(Refusal::die(
            "can't migrate running container without --online or --restart",
        ));
    }
    let guest = call.guest()?;
    if call.state.ha.contains_key(&guest.sid()) {
        return Ok(told(call, target, params));
    }
    let refused = match locked(guest) {
        Ok(()) if running && !restart => {
            Some("lxc live migration is currently not implemented".to_string())
        }
        held => held.err(),
    };
    if let Some(guest) = call
        .state
        .guests
        .get_mut(&vmid)
        .filter(|_| refused.is_none())
    {
        guest.set("lock", "migrate");
    }
    let held = refused.is_none();
    let plan = Plan::new(&node, "vzmigrate", vmid)
        .length(4)
        .undo(move |state| {
            if held {
                unlock(state, vmid);
            }
        });
    Ok(call.state.spawn(&who, plan, move |state, log| {
        if let Some(text) = refused {
            let stamp = stamp(state.now());
            log.push(format!(
                "{stamp} ERROR: migration aborted (duration 00:00:00): {text}"
            ));
            return Err("migration aborted".into());
        }
        state.relocate(&node, vmid, &target, &params, log)
    }))
}

impl State {
    /// The move itself, with what is on storages of the node.
    fn relocate(
        &mut self,
        node: &str,
        vmid: u32,
        target: &str,
        params: &Params,
        log: &mut Vec<String>,
    ) -> Result<(), String> {
        let found = self.guests.get(&vmid).filter(|guest| guest.node == node);
        let mut guest = found
            .ok_or_else(|| missing(node, Kind::Qemu, vmid))?
            .clone();
        let word = guest.kind.short();
        let ip = self
            .nodes
            .get(target)
            .map(|node| node.ip.clone())
            .unwrap_or_default();
        log.push(format!(
            "{} starting migration of {word} {vmid} to node '{target}' ({ip})",
            stamp(self.now() - 1)
        ));
        let storage = given(
            params,
            if guest.kind == Kind::Qemu {
                "targetstorage"
            } else {
                "target-storage"
            },
        );
        for (key, value) in self.local_disks(&guest) {
            let id = volume(&value).to_string();
            let owner = self.volume(&id, node).and_then(|volume| volume.vmid);
            if owner.is_some_and(|owner| owner != vmid) {
                return Err(
                    "Problem found while scanning volumes - can't migrate VM - check log".into(),
                );
            }
            let own = id.split(':').next().unwrap_or("").to_string();
            let size = self
                .volume(&id, node)
                .map(|volume| volume.size)
                .unwrap_or(0);
            let format = self.volume(&id, node).map(|volume| volume.format.clone());
            let to = storage
                .clone()
                .filter(|storage| storage != "1")
                .unwrap_or(own);
            let new = self.allocate(&to, target, vmid, guest.kind, size, format.as_deref())?;
            log.push(format!(
                "{} copying local disk image '{id}'",
                stamp(self.now())
            ));
            self.free(&id, node);
            guest.set(&key, &value.replacen(&id, &new, 1));
        }
        guest.config.remove("lock");
        guest.node = target.into();
        let nets = guest
            .config
            .iter()
            .filter(|(key, _)| key.starts_with("net"));
        let bridge = nets
            .filter_map(|(_, value)| option(value, "bridge"))
            .find(|bridge| !self.nodes[&guest.node].interfaces.contains_key(*bridge));
        if let Some(bridge) = bridge {
            return Err(format!("bridge '{bridge}' does not exist"));
        }
        log.push(format!(
            "{} migration finished successfully (duration 00:00:01)",
            stamp(self.now())
        ));
        self.guests.insert(vmid, guest);
        Ok(())
    }

    /// Images in CD drives that are on storages of the guest's node.
    fn local_images(&self, guest: &Guest) -> Vec<(String, String)> {
        let drives = guest
            .config
            .iter()
            .filter(|(_, value)| value.contains("media=cdrom") && !value.contains("cloudinit"));
        let local = drives.filter(|(_, value)| {
            volume(value)
                .split_once(':')
                .and_then(|(id, _)| self.storage(id))
                .is_some_and(|storage| !storage.shared)
        });
        local
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
