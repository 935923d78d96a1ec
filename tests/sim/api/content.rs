//! What lies on a storage: lists, attributes, allocation, upload, removal, pruning.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, flag, given, number};
use super::super::gate::Call;
use super::super::guest::bytes;
use super::super::storage::Volume;
use super::super::task::Plan;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/storage/{storage}/content", all),
    ("POST", "/nodes/{node}/storage/{storage}/content", allocate),
    (
        "GET",
        "/nodes/{node}/storage/{storage}/content/{volume}",
        one,
    ),
    (
        "PUT",
        "/nodes/{node}/storage/{storage}/content/{volume}",
        change,
    ),
    (
        "DELETE",
        "/nodes/{node}/storage/{storage}/content/{volume}",
        remove,
    ),
];

pub fn usable(call: &Call) -> Result<String, Refusal> {
    let id = call.text("storage");
    let Some(storage) = call.state.storage(&id) else {
        return Err(Refusal::die(format!("storage '{id}' does not exist")));
    };
    if storage.disabled {
        return Err(Refusal::die(format!("storage '{id}' is disabled")));
    }
    if !storage.on(&call.node) {
        return Err(Refusal::die(format!(
            "storage '{id}' is not available on node '{}'",
            call.node
        )));
    }
    if !storage.active(&call.node) {
        return Err(Refusal::die(format!("storage '{id}' is not online")));
    }
    Ok(id)
}

fn row(volume: &Volume) -> Value {
    let mut row = json!({"volid": volume.volid, "content": volume.content, "format": volume.format, "size": volume.size, "ctime": volume.ctime});
    if let Some(vmid) = volume.vmid {
        row["vmid"] = vmid.into();
    }
    match volume.content.as_str() {
        "backup" => {
            row["subtype"] = if volume.volid.contains("-lxc-") {
                "lxc"
            } else {
                "qemu"
            }
            .into();
            if let Some(notes) = &volume.notes {
                row["notes"] = notes.clone().into();
            }
            if volume.protected {
                row["protected"] = 1.into();
            }
        }
        "images" | "rootdir" => {
            row["used"] = volume.used.into();
            row["parent"] = volume.parent.clone().into();
        }
        _ => {}
    }
    row
}

/// A backup is shown to who may back up its guest (or allocate on the storage), a disk to who may
/// allocate there, the rest to all who see the storage.
fn visible(call: &Call, storage: &str, volume: &Volume) -> bool {
    let (state, who, path) = (&*call.state, &call.who, format!("/storage/{storage}"));
    if state.may(who, &path, &["Datastore.Allocate"]) {
        return true;
    }
    match volume.content.as_str() {
        "backup" => {
            let of_guest = format!("/vms/{}", volume.vmid.unwrap_or(0));
            state.may(who, &path, &["Datastore.AllocateSpace"])
                && state.may(who, &of_guest, &["VM.Backup"])
        }
        "images" | "rootdir" => volume
            .vmid
            .is_some_and(|vmid| state.may(who, &format!("/vms/{vmid}"), &["VM.Config.Disk"])),
        _ => true,
    }
}

fn all(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (content, vmid) = (given(&call.params, "content"), number(&call.params, "vmid"));
    let Some(storage) = call.state.storage(&id) else {
        return NULL;
    };
    let fits = |volume: &&Volume| {
        content
            .as_ref()
            .is_none_or(|content| volume.content == *content)
            && vmid.is_none_or(|vmid| volume.vmid == Some(vmid as u32))
    };
    let seen = storage
        .seen_from(&call.node)
        .filter(fits)
        .filter(|volume| visible(call, &id, volume));
    let mut rows: Vec<Value> = seen.map(row).collect();
    // Ceph does not keep when an image was made.
    let is_untimed = storage.kind == "rbd";
    for row in rows.iter_mut().filter(|_| is_untimed) {
        row.as_object_mut().map(|row| row.remove("ctime"));
    }
    Ok(rows.into())
}

/// The volume of the path, in its full spelling.
fn volid(call: &Call) -> String {
    let volume = call.text("volume");
    if volume.contains(':') {
        volume
    } else {
        format!("{}:{volume}", call.text("storage"))
    }
}

fn allocate(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (vmid, name) = (call.vmid(), call.text("filename"));
    let size = call.text("size");
    let size = if size.ends_with(|c: char| c.is_ascii_digit()) {
        size.parse::<u64>().unwrap_or(0) << 10
    } else {
        bytes(&size).unwrap_or(0)
    };
    let (node, now) = (call.node.clone(), call.state.now());
    let Some(storage) = call.state.storage_mut(&id) else {
        return NULL;
    };
    let volid = if storage.files() {
        format!("{id}:{vmid}/{name}")
    } else {
        format!("{id}:{name}")
    };
    if storage.seen_from(&node).any(|volume| volume.volid == volid) {
        return Err(Refusal::die(format!(
            "disk image '{}' already exists",
            storage.file(&volid)
        )));
    }
    let format = given(&call.params, "format").unwrap_or(
        name.rsplit_once('.')
            .map_or("raw".into(), |(_, format)| format.into()),
    );
    let node = if storage.shared { String::new() } else { node };
    storage.volumes.push(Volume {
        volid: volid.clone(),
        node,
        content: "images".into(),
        format,
        size,
        used: 4096,
        ctime: now,
        vmid: Some(vmid),
        ..Volume::default()
    });
    Ok(volid.into())
}

fn may_see(call: &Call, volid: &str) -> Result<(), Refusal> {
    let id = call.text("storage");
    let vmid = call
        .state
        .volume(volid, &call.node)
        .and_then(|volume| volume.vmid);
    let own = vmid.is_some_and(|vmid| {
        call.state.may(
            &call.who,
            &format!("/vms/{vmid}"),
            &["VM.Backup", "VM.Config.Disk"],
        )
    });
    if own {
        Ok(())
    } else {
        call.state.need_any(
            &call.who,
            &format!("/storage/{id}"),
            &["Datastore.Audit", "Datastore.AllocateSpace"],
        )
    }
}

fn one(call: &mut Call) -> Answer {
    usable(call)?;
    let volid = volid(call);
    may_see(call, &volid)?;
    let Some(found) = call.state.volume(&volid, &call.node) else {
        return Err(Refusal::die(format!(
            "volume_size_info on '{volid}' failed - no format"
        )));
    };
    if found.size == 0 {
        return Err(Refusal::die(format!("volume '{volid}' has size zero")));
    }
    let path = call
        .state
        .storage(&call.text("storage"))
        .map(|storage| storage.file(&volid))
        .unwrap_or_default();
    let format = if found.content == "iso" {
        "raw"
    } else {
        found.format.as_str()
    };
    let mut answer =
        json!({"path": path, "size": found.size, "used": found.used, "format": format});
    if found.content == "backup" {
        answer["protected"] = u8::from(found.protected).into();
        answer["notes"] = found.notes.clone().unwrap_or_default().into();
    }
    Ok(answer)
}

fn change(call: &mut Call) -> Answer {
    usable(call)?;
    let (volid, node, params) = (volid(call), call.node.clone(), call.params.clone());
    may_see(call, &volid)?;
    let Some(found) = call.state.volume_mut(&volid, &node) else {
        return Err(Refusal::die(format!("volume '{volid}' does not exist")));
    };
    if let Some(notes) = given(&params, "notes") {
        found.notes = Some(notes).filter(|notes| !notes.is_empty());
    }
    if params.contains_key("protected") {
        found.protected = flag(&params, "protected");
    }
    NULL
}

fn remove(call: &mut Call) -> Answer {
    let id = usable(call)?;
    let (volid, node, who) = (volid(call), call.node.clone(), call.who.clone());
    let found = call.state.volume(&volid, &node).cloned();
    let backup = found
        .as_ref()
        .filter(|volume| volume.content == "backup")
        .and_then(|volume| volume.vmid);
    let own = backup.is_some_and(|vmid| {
        call.state
            .may(&who, &format!("/vms/{vmid}"), &["VM.Backup"])
    });
    let space = call.state.may(
        &who,
        &format!("/storage/{id}"),
        &["Datastore.AllocateSpace"],
    );
    if !(own && space) {
        call.state
            .need(&who, &format!("/storage/{id}"), &["Datastore.Allocate"])?;
    }
    let name = found
        .as_ref()
        .and_then(|volume| volume.vmid)
        .map_or(id.clone(), |vmid| format!("{vmid}@{id}"));
    let upid = call
        .state
        .spawn(&who, Plan::new(&node, "imgdel", name), move |state, log| {
            let (_, short) = volid.split_once(':').unwrap_or(("", &volid));
            state.alterable(std::slice::from_ref(&id))?;
            match state.volume(&volid, &node) {
                Some(volume) if volume.protected => {
                    return Err(format!(
                        "cannot remove protected volume '{short}' on '{id}'"
                    ));
                }
                Some(_) => {
                    state.free(&volid, &node);
                }
                None => {
                    let path = state
                        .storage(&id)
                        .map(|storage| storage.file(&volid))
                        .unwrap_or_default();
                    log.push(format!("disk image '{path}' does not exist"));
                }
            }
            log.push(format!("Removed volume '{volid}'"));
            Ok(())
        });
    // With a delay the server waits for the task, and gives nothing if it was quick.
    if call.params.contains_key("delay") {
        call.state.settle_all();
        return NULL;
    }
    Ok(upid)
}
