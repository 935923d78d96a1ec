//! Migration to another cluster: what the source checks by itself, and the lock that stays.
//! The other end is not modelled: a task's outcome has to come from a script.

use super::super::answer::{Answer, Refusal, flag};
use super::super::gate::Call;
use super::super::task::Plan;
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu/{vmid}/remote_migrate", remote),
    ("POST", "/nodes/{node}/lxc/{vmid}/remote_migrate", remote),
];

/// One id, or `source:target,...`, at most one of them without a source.
fn storage_map(text: &str) -> Result<(), Refusal> {
    let fail = |why: String| {
        Refusal::param(
            "target-storage",
            format!("failed to parse storage map: {why}\n"),
        )
    };
    let parts: Vec<&str> = text.split(',').collect();
    if parts == ["1"] {
        return Err(Refusal::die(
            "remote migration requires explicit storage mapping!",
        ));
    }
    if parts.contains(&"1") {
        return Err(fail(
            "identity mapping cannot be combined with other mappings".into(),
        ));
    }
    let (mapped, plain): (Vec<&str>, Vec<&str>) =
        parts.into_iter().partition(|part| part.contains(':'));
    if plain.len() > 1 {
        return Err(fail("default target ID can only be provided once".into()));
    }
    let mut sources: Vec<&str> = mapped
        .iter()
        .filter_map(|part| part.split(':').next())
        .collect();
    sources.sort();
    match sources.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(fail(format!("duplicate mapping for source '{}'", pair[0]))),
        None => Ok(()),
    }
}

fn remote(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let delete = flag(&call.params, "delete");
    let guest = call.guest()?;
    locked(guest).map_err(Refusal::die)?;
    storage_map(&call.text("target-storage"))?;
    if let Some(guest) = call.state.guests.get_mut(&vmid) {
        guest.set("lock", "migrate");
    }
    let plan = Plan::new(&node, kind.task("qmigrate", "vzmigrate"), vmid)
        .length(5)
        .undo(move |state| {
            if let Some(guest) = state.guests.get_mut(&vmid) {
                guest.config.remove("lock");
            }
        });
    let scripted = call
        .state
        .scripts
        .iter()
        .any(|script| script.kind == kind.task("qmigrate", "vzmigrate"));
    Ok(call.state.spawn(&who, plan, move |state, log| {
        if !scripted {
            log.push("the other end is not modelled by the simulator".into());
            return Err("migration aborted".into());
        }
        let guest = state
            .guest(&node, kind, vmid)
            .ok_or_else(|| missing(&node, kind, vmid))?;
        if delete {
            for id in guest.volumes() {
                state.free(&id, &node);
            }
            state.guests.remove(&vmid);
        }
        Ok(())
    }))
}
