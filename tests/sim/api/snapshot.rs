//! Snapshots: list, create, describe, roll back, delete.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, flag, given};
use super::super::gate::Call;
use super::super::guest::{Kind, Snapshot, object, volume};
use super::super::task::Plan;
use super::{Handler, NULL, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/qemu/{vmid}/snapshot", all),
    ("GET", "/nodes/{node}/lxc/{vmid}/snapshot", all),
    ("POST", "/nodes/{node}/qemu/{vmid}/snapshot", create),
    ("POST", "/nodes/{node}/lxc/{vmid}/snapshot", create),
    (
        "DELETE",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}",
        delete,
    ),
    (
        "DELETE",
        "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}",
        delete,
    ),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback",
        rollback,
    ),
    (
        "POST",
        "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback",
        rollback,
    ),
    (
        "GET",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
        config,
    ),
    (
        "GET",
        "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config",
        config,
    ),
    (
        "PUT",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
        describe,
    ),
    (
        "PUT",
        "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config",
        describe,
    ),
];

fn all(call: &mut Call) -> Answer {
    let guest = call.guest()?;
    let mut rows: Vec<Value> = Vec::new();
    for snapshot in &guest.snapshots {
        let mut row = json!({"name": snapshot.name, "snaptime": snapshot.time, "description": snapshot.description});
        if guest.kind == Kind::Qemu {
            row["vmstate"] = u8::from(snapshot.vmstate).into();
        }
        if let Some(parent) = &snapshot.parent {
            row["parent"] = parent.clone().into();
        }
        if let Some(state) = &snapshot.state {
            row["snapstate"] = state.clone().into();
        }
        rows.push(row);
    }
    let mut now = json!({"name": "current", "description": "You are here!", "digest": guest.digest(), "running": u8::from(guest.running())});
    if let Some(parent) = &guest.parent {
        now["parent"] = parent.clone().into();
    }
    rows.push(now);
    Ok(rows.into())
}

fn absent(name: &str) -> String {
    format!("snapshot '{name}' does not exist")
}

fn create(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let (name, description) = (call.text("snapname"), call.text("description"));
    let vmstate = flag(&call.params, "vmstate");
    if name == "current" {
        return Err(Refusal::die(
            "unable to use snapshot name 'current' (reserved name)",
        ));
    }
    if name == "vzdump" {
        return Err(Refusal::die(
            "unable to use snapshot name 'vzdump' (reserved name)",
        ));
    }
    let plan = Plan::new(&node, kind.task("qmsnapshot", "vzsnapshot"), vmid)
        .holds(vmid)
        .length(2);
    Ok(call.state.spawn(&who, plan, move |state, log| {
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        locked(guest)?;
        if guest.snapshots.iter().any(|snapshot| snapshot.name == name) {
            return Err(format!("snapshot name '{name}' already used"));
        }
        if !state.can_snapshot(guest) {
            return Err("snapshot feature is not available".into());
        }
        let stem = if kind == Kind::Qemu { "drive-" } else { "" };
        state.writable(&node, kind, vmid)?;
        for (key, value) in guest.disks() {
            log.push(format!("snapshotting '{stem}{key}' ({})", volume(&value)));
        }
        let time = state.now();
        if let Some(guest) = state.guests.get_mut(&vmid) {
            let parent = guest.parent.replace(name.clone());
            let vmstate = vmstate && guest.running();
            let mut config = guest.config.clone();
            config.remove("lock");
            guest.snapshots.push(Snapshot {
                name,
                parent,
                time,
                description,
                vmstate,
                state: None,
                config,
            });
        }
        Ok(())
    }))
}

fn delete(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let name = call.text("snapname");
    let plan = Plan::new(&node, kind.task("qmdelsnapshot", "vzdelsnapshot"), vmid)
        .holds(vmid)
        .length(2);
    Ok(call.state.spawn(&who, plan, move |state, _| {
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        locked(guest)?;
        state.writable(&node, kind, vmid)?;
        let Some(guest) = state.guests.get_mut(&vmid) else {
            return Ok(());
        };
        let at = guest
            .snapshots
            .iter()
            .position(|snapshot| snapshot.name == name)
            .ok_or_else(|| absent(&name))?;
        let gone = guest.snapshots.remove(at);
        for snapshot in guest
            .snapshots
            .iter_mut()
            .filter(|snapshot| snapshot.parent.as_ref() == Some(&name))
        {
            snapshot.parent = gone.parent.clone();
        }
        if guest.parent.as_ref() == Some(&name) {
            guest.parent = gone.parent;
        }
        Ok(())
    }))
}

fn rollback(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let (name, start) = (call.text("snapname"), flag(&call.params, "start"));
    let plan = Plan::new(&node, kind.task("qmrollback", "vzrollback"), vmid)
        .holds(vmid)
        .length(2);
    Ok(call.state.spawn(&who, plan, move |state, _| {
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        locked(guest)?;
        let found = guest
            .snapshots
            .iter()
            .find(|snapshot| snapshot.name == name)
            .ok_or_else(|| absent(&name))?;
        if let Some(state) = &found.state {
            return Err(format!(
                "unable to rollback to incomplete snapshot (snapstate = {state})"
            ));
        }
        let (config, awake) = (found.config.clone(), found.vmstate);
        // It is stopped before anything is written.
        state.power_off(vmid);
        state.writable(&node, kind, vmid)?;
        if let Some(guest) = state.guests.get_mut(&vmid) {
            guest.config = config;
            guest.parent = Some(name);
        }
        if start || awake {
            state.power_on(vmid);
        }
        Ok(())
    }))
}

fn config(call: &mut Call) -> Answer {
    let (guest, name) = (call.guest()?, call.text("snapname"));
    let found = guest
        .snapshots
        .iter()
        .find(|snapshot| snapshot.name == name)
        .ok_or_else(|| Refusal::die(absent(&name)))?;
    let mut all = object(guest.kind, &found.config);
    all.insert("snaptime".into(), found.time.into());
    if !found.description.is_empty() {
        all.insert("description".into(), found.description.clone().into());
    }
    if let Some(parent) = &found.parent {
        all.insert("parent".into(), parent.clone().into());
    }
    if let Some(state) = &found.state {
        all.insert("snapstate".into(), state.clone().into());
    }
    Ok(all.into())
}

fn describe(call: &mut Call) -> Answer {
    call.writable()?;
    let (name, description) = (call.text("snapname"), given(&call.params, "description"));
    let guest = call.guest_mut()?;
    let found = guest
        .snapshots
        .iter_mut()
        .find(|snapshot| snapshot.name == name)
        .ok_or_else(|| Refusal::die(absent(&name)))?;
    if let Some(description) = description {
        found.description = description;
    }
    NULL
}
