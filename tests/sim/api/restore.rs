//! Guests restored from a backup.

use super::super::answer::{Answer, Refusal, flag, given, scalar};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, is_disk_key, option, size_text, volume};
use super::super::state::State;
use super::super::task::Plan;
use super::create::{CONTROL, reserve, taken};

pub fn may_restore(call: &Call, archive: &str) -> Result<(), Refusal> {
    let (state, who, vmid) = (&*call.state, &call.who, call.vmid());
    let Some((storage, _)) = archive.split_once(':') else {
        return Err(Refusal::die(
            "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.",
        ));
    };
    if let Some(target) =
        given(&call.params, "storage").filter(|target| state.storage(target).is_some())
    {
        state.need(
            who,
            &format!("/storage/{target}"),
            &["Datastore.AllocateSpace"],
        )?;
    }
    if !state.may(who, &format!("/vms/{vmid}"), &["VM.Allocate"]) {
        return Err(Refusal::forbidden(""));
    }
    state.need(
        who,
        &format!("/storage/{storage}"),
        &["Datastore.AllocateSpace"],
    )?;
    if let Some(of) = archive
        .split("-qemu-")
        .nth(1)
        .or(archive.split("-lxc-").nth(1))
        .and_then(|rest| rest.split('-').next())
    {
        state.need(who, &format!("/vms/{of}"), &["VM.Backup"])?;
    }
    Ok(())
}

pub fn restore(call: &mut Call, archive: &str) -> Answer {
    let (node, kind, vmid, who, params) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
        call.params.clone(),
    );
    let force = flag(&params, "force");
    match call.state.guests.get(&vmid) {
        Some(_) if !force => {
            let text = taken(call.state, vmid).unwrap_or_default();
            return Err(Refusal::die(match kind {
                Kind::Qemu => format!("unable to restore VM {vmid} - {text}"),
                Kind::Lxc => text,
            }));
        }
        Some(old) => {
            if old.kind != kind || old.node != node {
                let text = taken(call.state, vmid).unwrap_or_default();
                return Err(Refusal::die(format!(
                    "unable to restore VM {vmid} - {text}"
                )));
            }
            if old.protected() {
                return Err(Refusal::die(format!(
                    "unable to restore {} {vmid} - can't remove {} {vmid} - protection mode enabled",
                    kind.short(),
                    kind.short()
                )));
            }
            if let Err(text) = super::locked(old) {
                return Err(Refusal::die(format!(
                    "unable to restore {} {vmid} - {text}",
                    kind.short()
                )));
            }
            if old.running() {
                return Err(Refusal::die(format!(
                    "unable to restore {} {vmid} - {} is running",
                    kind.short(),
                    if kind == Kind::Qemu { "vm" } else { "ct" }
                )));
            }
        }
        None => {}
    }
    let Some(found) = call
        .state
        .volume(archive, &node)
        .filter(|volume| volume.archived.is_some())
    else {
        return Err(Refusal::die(format!("volume '{archive}' does not exist")));
    };
    let (_, config) = found.archived.clone().unwrap_or((kind, Default::default()));
    if !force {
        reserve(call, kind);
    }
    let file = archive
        .split_once(':')
        .and_then(|(id, _)| call.state.storage(id))
        .map(|storage| storage.file(archive))
        .unwrap_or_default();
    let left = node.clone();
    let plan = Plan::new(&node, kind.task("qmrestore", "vzrestore"), vmid)
        .holds(vmid)
        .length(4)
        .undo(move |state| {
            state.guests.insert(vmid, Guest::new(vmid, kind, &left));
        });
    Ok(call.state.spawn(&who.clone(), plan, move |state, log| {
        let unique = flag(&params, "unique");
        let mut guest = Guest::new(vmid, kind, &node);
        let leave = |state: &mut State, log: &mut Vec<String>, text: String| {
            log.push(format!("error before or during data restore, some or all disks were not completely restored. {} {vmid} state is NOT cleaned up.", kind.short()));
            state.guests.insert(vmid, Guest::new(vmid, kind, &node));
            Err(text)
        };
        for bridge in config.iter().filter(|(key, _)| key.starts_with("net")).filter_map(|(_, value)| option(value, "bridge")) {
            let path = format!("/sdn/zones/localnetwork/{bridge}");
            if !state.may(&who, &path, &["SDN.Use"]) {
                return leave(state, log, format!("403 Permission check failed ({path}, SDN.Use)"));
            }
        }
        log.push(format!("restore {} archive: {file}", if kind == Kind::Qemu { "vma" } else { "tar" }));
        if let Some(old) = state.guests.remove(&vmid) {
            for id in old.volumes() {
                state.free(&id, &node);
            }
        }
        for (key, value) in &config {
            if !is_disk_key(key, kind) || value.contains("media=cdrom") || !volume(value).contains(':') {
                guest.set(key, value);
                continue;
            }
            let source = volume(value).split(':').next().unwrap_or("local");
            let storage = given(&params, "storage").unwrap_or(source.into());
            let size = super::super::guest::drive_size(value).unwrap_or(1 << 30);
            let format = volume(value).rsplit_once('.').map(|(_, format)| format.to_string());
            let volid = match state.allocate(&storage, &node, vmid, kind, size, format.as_deref()) {
                Ok(volid) => volid,
                Err(text) => {
                    let text = if text.contains("does not support") { format!("Content type 'images' is not available on storage '{storage}'") } else { text };
                    return leave(state, log, format!("command 'set -o pipefail && zstd -q -d -c {file} | vma extract' failed: {text}"));
                }
            };
            log.push(format!("new volume ID is '{volid}'"));
            let rest: Vec<&str> = value.split(',').skip(1).filter(|part| !part.starts_with("size=")).collect();
            let rest: String = rest.iter().map(|part| format!(",{part}")).collect();
            guest.set(key, &format!("{volid}{rest},size={}", size_text(size)));
        }
        guest.config.remove("lock");
        guest.config.remove("template");
        if kind == Kind::Qemu {
            guest.set("vmgenid", &state.uuid());
        }
        if unique {
            for key in config.keys().filter(|key| key.starts_with("net")) {
                let fresh = new_mac(state, &config[key], kind);
                guest.set(key, &fresh);
            }
        }
        for (key, value) in params.iter().filter(|(key, _)| !CONTROL.contains(&key.as_str())) {
            let value = state.value_for(&mut guest, key, &scalar(value), log)?;
            guest.set(key, &value);
        }
        if kind == Kind::Qemu {
            log.push("rescan volumes...".into());
            let known = guest.volumes();
            let lost = |volume: &&super::super::storage::Volume| volume.vmid == Some(vmid) && volume.content == "images" && !known.contains(&volume.volid);
            let lost: Vec<String> = state.storages.iter().flat_map(|storage| storage.seen_from(&node)).filter(lost).map(|volume| volume.volid.clone()).collect();
            for id in lost {
                let key = guest.keep_unused(&id);
                log.push(format!("VM {vmid} add unreferenced volume '{id}' as '{key}' to config"));
            }
        }
        state.guests.insert(vmid, guest);
        if flag(&params, "start") {
            if kind == Kind::Qemu {
                log.push("Execute autostart".into());
            }
            state.begin_start(&who, &node, kind, vmid);
        }
        Ok(())
    }))
}

/// A network card with a new address.
pub fn new_mac(state: &mut State, value: &str, kind: Kind) -> String {
    let mac = state.mac();
    let parts =
        value
            .split(',')
            .enumerate()
            .map(|(i, part)| match (kind, i, part.split_once('=')) {
                (Kind::Qemu, 0, Some((model, _))) => format!("{model}={mac}"),
                (Kind::Lxc, _, Some(("hwaddr", _))) => format!("hwaddr={mac}"),
                _ => part.to_string(),
            });
    parts.collect::<Vec<_>>().join(",")
}
