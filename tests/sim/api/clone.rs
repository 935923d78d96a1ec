//! Clones and templates.

use super::super::answer::{Answer, Refusal, flag, given};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, Status, drive_size, is_disk_key, size_text, volume};
use super::super::state::State;
use super::super::task::Plan;
use super::create::taken;
use super::restore::new_mac;
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu/{vmid}/clone", clone),
    ("POST", "/nodes/{node}/lxc/{vmid}/clone", clone),
    ("POST", "/nodes/{node}/qemu/{vmid}/template", template),
    ("POST", "/nodes/{node}/lxc/{vmid}/template", template),
];

struct Wish {
    newid: u32,
    node: String,
    target: String,
    full: bool,
    storage: Option<String>,
    format: Option<String>,
    name: Option<String>,
    description: Option<String>,
    pool: Option<String>,
}

fn clone(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let params = call.params.clone();
    call.quorate()?;
    let guest = call.guest()?.clone();
    locked(&guest).map_err(Refusal::die)?;
    let full = given(&params, "full").map_or(!guest.template(), |full| full == "1");
    let wish = Wish {
        newid: call.text("newid").parse().unwrap_or(0),
        target: given(&params, "target").unwrap_or(node.clone()),
        node: node.clone(),
        full,
        storage: given(&params, "storage"),
        format: given(&params, "format"),
        name: given(
            &params,
            if kind == Kind::Qemu {
                "name"
            } else {
                "hostname"
            },
        ),
        description: given(&params, "description"),
        pool: given(&params, "pool"),
    };
    check(call.state, &guest, &wish)?;
    if let Some(storage) = &wish.storage {
        call.state.need(
            &who,
            &format!("/storage/{storage}"),
            &["Datastore.AllocateSpace"],
        )?;
    }
    let config = match given(&params, "snapname") {
        Some(name) => {
            let found = guest
                .snapshots
                .iter()
                .find(|snapshot| snapshot.name == name);
            found
                .ok_or_else(|| Refusal::die(format!("snapshot '{name}' does not exist")))?
                .config
                .clone()
        }
        None => guest.config.clone(),
    };
    let newid = wish.newid;
    let mut stub = Guest::new(newid, kind, &wish.node);
    stub.set("lock", "clone");
    call.state.guests.insert(newid, stub);
    if let Some(pool) = wish
        .pool
        .as_ref()
        .and_then(|pool| call.state.pools.get_mut(pool))
    {
        pool.vms.insert(newid);
    }
    let plan = Plan::new(&node, kind.task("qmclone", "vzclone"), vmid)
        .length(3)
        .undo(move |state| {
            state.guests.remove(&newid);
        });
    let mut source = guest;
    source.config = config;
    Ok(call.state.spawn(&who, plan, move |state, log| {
        log.push(match kind {
            Kind::Qemu => format!("creating a clone of VM {vmid} with ID {newid}"),
            Kind::Lxc => format!("creating a clone of container {vmid} with ID {newid}"),
        });
        let copy = state
            .copy(&source, &wish, log)
            .map_err(|text| format!("clone failed: {text}"))?;
        state.guests.insert(newid, copy);
        Ok(())
    }))
}

fn check(state: &State, guest: &Guest, wish: &Wish) -> Result<(), Refusal> {
    if let Some(storage) = &wish.storage {
        if !wish.full {
            return Err(Refusal::die(
                "parameter 'storage' not allowed for linked clones",
            ));
        }
        if state.storage(storage).is_none() {
            return Err(Refusal::die(format!("storage '{storage}' does not exist")));
        }
    }
    if wish.target != wish.node {
        if !state.nodes.contains_key(&wish.target) {
            return Err(Refusal::die(format!(
                "no such cluster node '{}'",
                wish.target
            )));
        }
        let disks = guest.disks();
        let local = disks.iter().any(|(_, value)| {
            volume(value)
                .split_once(':')
                .and_then(|(id, _)| state.storage(id))
                .is_some_and(|storage| !storage.shared)
        });
        if local {
            return Err(Refusal::die(format!(
                "can't clone VM to node '{}' (VM uses local storage)",
                wish.target
            )));
        }
    }
    if let Some(pool) = wish
        .pool
        .as_ref()
        .filter(|pool| !state.pools.contains_key(*pool))
    {
        return Err(Refusal::forbidden(&format!("pool '{pool}' does not exist")));
    }
    if let Some(text) = taken(state, wish.newid) {
        return Err(Refusal::die(match guest.kind {
            Kind::Qemu => format!(
                "unable to create VM {}: config file already exists",
                wish.newid
            ),
            Kind::Lxc => text,
        }));
    }
    if !wish.full && !guest.template() {
        let disks = guest.disks();
        let Some((key, value)) = disks.first() else {
            return Ok(());
        };
        return Err(Refusal::die(match guest.kind {
            Kind::Qemu => format!(
                "Linked clone feature is not supported for '{}' ({key})",
                volume(value)
            ),
            Kind::Lxc => format!(
                "Linked clone feature for '{}' is not available",
                volume(value)
            ),
        }));
    }
    if guest.kind == Kind::Lxc && guest.running() && wish.full {
        return Err(Refusal::die(
            "Full clone of running container is only possible from a snapshot.",
        ));
    }
    Ok(())
}

impl State {
    fn copy(
        &mut self,
        source: &Guest,
        wish: &Wish,
        log: &mut Vec<String>,
    ) -> Result<Guest, String> {
        let kind = source.kind;
        let mut copy = Guest::new(wish.newid, kind, &wish.target);
        copy.addresses.clear();
        for (key, value) in &source.config {
            if key == "template" || key == "lock" || key.starts_with("unused") {
                continue;
            }
            if !is_disk_key(key, kind)
                || value.contains("media=cdrom")
                || !volume(value).contains(':')
            {
                copy.set(key, value);
                continue;
            }
            let size = drive_size(value).unwrap_or(0);
            let from = volume(value);
            let own = from.split(':').next().unwrap_or("local");
            let storage = wish.storage.clone().unwrap_or(own.into());
            let format = wish.format.clone().or_else(|| {
                self.volume(from, &source.node)
                    .map(|volume| volume.format.clone())
            });
            let word = if kind == Kind::Qemu {
                "drive"
            } else {
                "mountpoint"
            };
            log.push(format!(
                "create {} clone of {word} {key} ({from})",
                if wish.full { "full" } else { "linked" }
            ));
            let format = if wish.full {
                format
            } else {
                Some("qcow2".into())
            };
            let mut volid = self.allocate(
                &storage,
                &wish.target,
                wish.newid,
                kind,
                size,
                format.as_deref(),
            )?;
            if !wish.full {
                volid = self.link(&volid, from, &wish.target);
            }
            if wish.full {
                log.push(format!("transferred {size} B of {size} B (100.00%)"));
            }
            let rest: String = value
                .split(',')
                .skip(1)
                .filter(|part| !part.starts_with("size="))
                .map(|part| format!(",{part}"))
                .collect();
            copy.set(key, &format!("{volid}{rest},size={}", size_text(size)));
        }
        let nets: Vec<String> = copy
            .config
            .keys()
            .filter(|key| key.starts_with("net") && key[3..].parse::<u32>().is_ok())
            .cloned()
            .collect();
        for key in nets {
            let fresh = new_mac(self, &copy.config[&key], kind);
            copy.set(&key, &fresh);
        }
        if kind == Kind::Qemu {
            copy.set("smbios1", &format!("uuid={}", self.uuid()));
            copy.set("vmgenid", &self.uuid());
        }
        let unnamed = if kind == Kind::Qemu {
            format!("Copy-of-VM-{}", source.name())
        } else {
            format!("Copy-of-CT-{}", source.name())
        };
        let name = wish.name.clone().unwrap_or(unnamed);
        copy.set(
            if kind == Kind::Qemu {
                "name"
            } else {
                "hostname"
            },
            &name,
        );
        if let Some(description) = &wish.description {
            copy.set("description", description);
        }
        Ok(copy)
    }

    /// A linked clone's volume names its base.
    fn link(&mut self, volid: &str, base: &str, node: &str) -> String {
        let (id, name) = volid.split_once(':').unwrap_or(("", volid));
        let (_, below) = base.split_once(':').unwrap_or(("", base));
        let linked = format!("{id}:{below}/{name}");
        let base = below.to_string();
        if let Some(volume) = self.volume_mut(volid, node) {
            volume.volid = linked.clone();
            volume.parent = Some(base);
        }
        linked
    }
}

fn template(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let guest = call.guest()?;
    locked(guest).map_err(Refusal::die)?;
    if guest.template() {
        return Err(Refusal::die(match kind {
            Kind::Qemu => "you can't convert a template to a template",
            Kind::Lxc => "you can't convert a template to a template",
        }));
    }
    if !guest.snapshots.is_empty() {
        return Err(Refusal::die(format!(
            "unable to create template, because {} contains snapshots",
            kind.short()
        )));
    }
    if guest.status != Status::Stopped {
        return Err(Refusal::die(format!(
            "you can't convert a running {} to a template",
            if kind == Kind::Qemu { "VM" } else { "CT" }
        )));
    }
    let work = move |state: &mut State| -> Result<(), String> {
        let mut guest = state
            .guests
            .remove(&vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        for (key, value) in guest.disks() {
            let old = volume(&value).to_string();
            let new = old.replace("/vm-", "/base-").replace(":vm-", ":base-");
            if let Some(volume) = state.volume_mut(&old, &guest.node) {
                volume.volid = new.clone();
            }
            guest.set(&key, &value.replacen(&old, &new, 1));
        }
        guest.set("template", "1");
        state.guests.insert(vmid, guest);
        Ok(())
    };
    if kind == Kind::Lxc {
        work(call.state).map_err(Refusal::die)?;
        return super::NULL;
    }
    let disk = flag(&call.params, "disk");
    let _ = disk;
    let node = call.node.clone();
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "qmtemplate", vmid),
        move |state, _| work(state),
    ))
}
