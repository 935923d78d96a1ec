//! The end of a guest.

use super::super::answer::{Answer, Refusal, flag};
use super::super::gate::Call;
use super::super::guest::Kind;
use super::super::state::State;
use super::super::task::Plan;
use super::{Handler, locked, missing};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("DELETE", "/nodes/{node}/qemu/{vmid}", destroy),
    ("DELETE", "/nodes/{node}/lxc/{vmid}", destroy),
];

impl State {
    /// Takes a guest out of pools, jobs, access rules and high availability.
    fn purge(&mut self, vmid: u32, everywhere: bool) {
        for pool in self.pools.values_mut() {
            pool.vms.remove(&vmid);
        }
        self.access
            .acl
            .retain(|rule| rule.path != format!("/vms/{vmid}"));
        if everywhere {
            for sid in [format!("vm:{vmid}"), format!("ct:{vmid}")] {
                self.ha.remove(&sid);
            }
            for job in self.backup_jobs.values_mut() {
                let vmids = super::super::answer::list(&super::super::answer::text(job, "vmid"));
                if !vmids.is_empty() {
                    let left: Vec<String> = vmids
                        .into_iter()
                        .filter(|id| *id != vmid.to_string())
                        .collect();
                    job.insert("vmid".into(), left.join(",").into());
                }
            }
        }
    }

    /// A volume that linked clones stand on.
    fn based_on(&self, volid: &str) -> bool {
        let name = volid.split_once(':').map_or(volid, |(_, name)| name);
        let bare = name.rsplit('/').next().unwrap_or(name);
        self.guests
            .values()
            .flat_map(|guest| guest.volumes())
            .any(|other| other != volid && other.contains(&format!("{bare}/")))
    }
}

fn destroy(call: &mut Call) -> Answer {
    let (node, kind, vmid, who) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.who.clone(),
    );
    let (short, purge, force) = (
        kind.short(),
        flag(&call.params, "purge"),
        flag(&call.params, "force"),
    );
    let unreferenced = super::super::answer::given(&call.params, "destroy-unreferenced-disks")
        .is_some_and(|value| value == "1");
    if flag(&call.params, "skiplock") && !who.is_root() {
        return Err(Refusal::param("skiplock", "Only root may use this option."));
    }
    let guest = call.guest()?;
    if guest.protected() {
        return Err(Refusal::die(format!(
            "can't remove {short} {vmid} - protection mode enabled"
        )));
    }
    if call.state.ha.contains_key(&guest.sid()) && !purge {
        let sid = guest.sid();
        return Err(Refusal::die(format!(
            "unable to remove {short} {vmid} - used in HA resources and purge parameter not set.\nresource ID '{sid}'"
        )));
    }
    if guest.running() && !force {
        let text = if short == "VM" {
            format!("VM {vmid} is running - destroy failed")
        } else {
            format!("unable to destroy CT {vmid} - container is running")
        };
        return Err(Refusal::die(text));
    }
    if short == "CT" {
        locked(guest).map_err(Refusal::die)?;
    }
    let skip = flag(&call.params, "skiplock");
    let plan = Plan::new(&node, kind.task("qmdestroy", "vzdestroy"), vmid)
        .holds(vmid)
        .length(2);
    Ok(call.state.spawn(&who, plan, move |state, log| {
        let guest = state.guest(&node, kind, vmid).ok_or_else(|| missing(&node, kind, vmid))?;
        let sleeps = kind == Kind::Qemu && guest.lock() == Some("suspended");
        if !skip && !sleeps {
            locked(guest)?;
        }
        if kind == Kind::Lxc {
            state.alterable(&guest.storages())?;
        }
        if !state.has_quorum() {
            return Err(format!("unable to open file '/etc/pve/nodes/{node}/{}/{vmid}.conf.tmp.2683' - Permission denied", kind.conf()));
        }
        let volumes = guest.volumes();
        for id in &volumes {
            if state.based_on(id) {
                return Err(format!("base volume '{id}' is still in use by linked cloned"));
            }
        }
        let own = |volume: &super::super::storage::Volume| volume.vmid == Some(vmid) && volume.content != "backup";
        for id in volumes {
            if state.volume(&id, &node).is_some_and(own) {
                state.free(&id, &node);
            }
        }
        if unreferenced {
            for storage in &mut state.storages {
                let shared = storage.shared;
                storage.volumes.retain(|volume| !(own(volume) && (shared || volume.node == node)));
            }
        }
        if purge {
            log.push(format!("purging {short} {vmid} from related configurations.."));
        }
        state.guests.remove(&vmid);
        state.firewall.remove(&format!("guest/{vmid}"));
        state.purge(vmid, purge);
        Ok(())
    }))
}
