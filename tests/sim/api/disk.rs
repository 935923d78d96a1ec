//! Disks of a guest: resized, moved to another storage or another guest.

use super::super::answer::{Answer, Refusal, flag, given};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, bytes, drive_size, option, size_text, volume};
use super::super::state::State;
use super::super::task::Plan;
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("PUT", "/nodes/{node}/qemu/{vmid}/resize", resize),
    ("PUT", "/nodes/{node}/lxc/{vmid}/resize", resize),
    ("POST", "/nodes/{node}/qemu/{vmid}/move_disk", relocate),
    ("POST", "/nodes/{node}/lxc/{vmid}/move_volume", relocate),
];

/// A drive's value with another size.
fn sized(value: &str, size: u64) -> String {
    let mut parts: Vec<String> = value
        .split(',')
        .filter(|part| !part.starts_with("size="))
        .map(String::from)
        .collect();
    parts.push(format!("size={}", size_text(size)));
    parts.join(",")
}

fn resize(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let (disk, wanted) = (call.text("disk"), call.text("size"));
    if flag(&call.params, "skiplock") && !who.is_root() {
        return Err(Refusal::param("skiplock", "Only root may use this option."));
    }
    let guest = call.guest()?;
    if kind == Kind::Lxc && guest.get(&disk).is_none() {
        let mut refusal = Refusal::die("format error");
        for key in ["volume", "mp"] {
            refusal.errors.insert(
                key.into(),
                "property is missing and it is not optional".into(),
            );
        }
        return Err(refusal);
    }
    if kind == Kind::Lxc {
        locked(guest).map_err(Refusal::die)?;
    }
    let digest = given(&call.params, "digest");
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "resize", vmid).holds(vmid),
        move |state, log| {
            let guest = state
                .guest(&node, kind, vmid)
                .ok_or_else(|| missing(&node, kind, vmid))?;
            locked(guest)?;
            if digest.as_ref().is_some_and(|one| *one != guest.digest()) {
                return Err("checksum mismatch (file change by other user?)".into());
            }
            let value = guest
                .get(&disk)
                .ok_or_else(|| format!("disk '{disk}' does not exist"))?
                .to_string();
            let id = volume(&value).to_string();
            let old = state
                .volume(&id, &node)
                .map(|volume| volume.size)
                .or(drive_size(&value))
                .unwrap_or(0);
            if state
                .volume(&id, &node)
                .is_some_and(|volume| volume.format == "subvol")
            {
                return Err("can't resize this image format".into());
            }
            let size = match wanted.strip_prefix('+') {
                Some(more) => old + bytes(more).unwrap_or(0),
                None => bytes(&wanted).unwrap_or(0),
            };
            if size < old {
                return Err(match kind {
                    Kind::Qemu => "shrinking disks is not supported".into(),
                    Kind::Lxc => "unable to shrink disk size".into(),
                });
            }
            if let Some(volume) = state.volume_mut(&id, &node) {
                volume.size = size;
            }
            if kind == Kind::Qemu {
                log.push("Image resized.".into());
            }
            // The image has grown by now, whether or not that can be written down.
            state.writable(&node, kind, vmid)?;
            if let Some(guest) = state.guests.get_mut(&vmid) {
                guest.set(&disk, &sized(&value, size));
            }
            Ok(())
        },
    ))
}

fn relocate(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let disk = call.text(if kind == Kind::Qemu { "disk" } else { "volume" });
    let guest = call.guest()?;
    locked(guest).map_err(Refusal::die)?;
    if let Some(digest) = given(&call.params, "digest")
        && digest != guest.digest()
    {
        return Err(Refusal::die(
            "checksum mismatch (file change by other user?)",
        ));
    }
    let Some(value) = guest.get(&disk).map(String::from) else {
        return Err(Refusal::die(format!("disk '{disk}' does not exist")));
    };
    if let Some(target) = given(&call.params, "target-vmid") {
        return reassign(call, &disk, &value, target.parse().unwrap_or(0));
    }
    let Some(storage) = given(&call.params, "storage") else {
        return Err(Refusal::param(
            "storage",
            "either target-vmid or storage must be specified",
        ));
    };
    let id = volume(&value).to_string();
    let old = id.split(':').next().unwrap_or("").to_string();
    let Some(target) = call.state.storage(&storage) else {
        return Err(Refusal::die(format!("storage '{storage}' does not exist")));
    };
    call.state.need(
        &who,
        &format!("/storage/{storage}"),
        &["Datastore.AllocateSpace"],
    )?;
    let format = given(&call.params, "format");
    let same = call
        .state
        .volume(&id, &node)
        .map(|volume| volume.format.clone());
    let target_format = if target.files() {
        format.clone().or(same.clone())
    } else {
        Some("raw".into())
    };
    if storage == old && target_format == same {
        return Err(Refusal::die(
            "you can't move to the same storage with same format",
        ));
    }
    let delete = flag(&call.params, "delete");
    let word = kind.task("qmmove", "move_volume");
    Ok(call.state.spawn(&who, Plan::new(&node, word, vmid).holds(vmid).length(4), move |state, log| {
        let size = drive_size(&value).unwrap_or(0);
        if kind == Kind::Qemu {
            log.push(format!("copying volume '{id}' from current storage '{old}' to target storage '{storage}'"));
            log.push(format!("create full clone of drive {disk} ({id})"));
        }
        let volid = state.allocate(&storage, &node, vmid, kind, size, target_format.as_deref())?;
        log.push(format!("allocated target volume '{volid}'"));
        if let Err(text) = state.writable(&node, kind, vmid) {
            state.free(&volid, &node);
            return Err(format!("storage migration failed: {text}"));
        }
        if delete {
            state.free(&id, &node);
        }
        if let Some(guest) = state.guests.get_mut(&vmid) {
            let rest: String = value.split(',').skip(1).map(|part| format!(",{part}")).collect();
            guest.set(&disk, &format!("{volid}{rest}"));
            if !delete {
                let key = guest.keep_unused(&id);
                log.push(format!("adding source volume '{id}' as '{key}' to config"));
            }
        }
        Ok(())
    }))
}

/// Hands a disk to another guest.
fn reassign(call: &mut Call, disk: &str, value: &str, target: u32) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let to = given(
        &call.params,
        if kind == Kind::Qemu {
            "target-disk"
        } else {
            "target-volume"
        },
    )
    .unwrap_or(disk.into());
    call.state
        .need(&who, &format!("/vms/{target}"), &["VM.Config.Disk"])?;
    let other = call
        .state
        .guest(&node, kind, target)
        .ok_or_else(|| Refusal::die(missing(&node, kind, target)))?;
    if other.get(&to).is_some() {
        return Err(Refusal::die(format!(
            "Target disk key '{to}' is already in use for VM '{target}'!"
        )));
    }
    let (disk, id) = (disk.to_string(), volume(value).to_string());
    let name = format!("{vmid}-{disk}>{target}-{to}");
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, kind.task("qmmove", "move_volume"), name),
        move |state, log| {
            log.push(format!(
                "reassign disk '{disk}' from VM '{vmid}' as '{to}' to VM '{target}'"
            ));
            log.push(format!("removing disk '{disk}' from VM '{vmid}' config"));
            let renamed = state.rename(&id, &node, target);
            let whole = match state.volume(&renamed, &node).map(|volume| volume.size) {
                Some(size) if !to.starts_with("unused") => {
                    format!("{renamed},size={}", size_text(size))
                }
                _ => renamed.clone(),
            };
            log.push(format!("update VM {target}: -{to} {renamed}"));
            if let Some(guest) = state.guests.get_mut(&vmid) {
                guest.config.remove(&disk);
            }
            if let Some(guest) = state.guests.get_mut(&target) {
                guest.set(&to, &whole);
            }
            Ok(())
        },
    ))
}

impl State {
    /// Gives a volume the next free name of another guest.
    fn rename(&mut self, id: &str, node: &str, owner: u32) -> String {
        let Some(old) = self.volume(id, node).cloned() else {
            return id.into();
        };
        let storage = id.split(':').next().unwrap_or("").to_string();
        let kind = if old.content == "rootdir" {
            Kind::Lxc
        } else {
            Kind::Qemu
        };
        let Ok(new) = self.allocate(&storage, node, owner, kind, old.size, Some(&old.format))
        else {
            return id.into();
        };
        self.free(id, node);
        new
    }

    /// Volumes of a guest that lie on one node only.
    pub fn local_disks(&self, guest: &Guest) -> Vec<(String, String)> {
        let local = |value: &str| {
            let storage = volume(value)
                .split_once(':')
                .and_then(|(id, _)| self.storage(id));
            storage.is_some_and(|storage| !storage.shared) && option(value, "shared") != Some("1")
        };
        guest
            .disks()
            .into_iter()
            .filter(|(_, value)| local(value))
            .collect()
    }
}
