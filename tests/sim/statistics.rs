//! What lists tell late. Each node tells the cluster every ten seconds how its guests are: their names,
//! states and numbers. `/cluster/resources` and the members of pools repeat what was told last of a
//! VMID, so that a new guest has no name there, a renamed one its old name, one that was started is
//! stopped, and one whose VMID was given again bears the name of the dead. That a guest is there, its
//! node, tags, pool and lock are true at once; so is all that its node is asked itself.
//!
//! A round is an event. Where nobody says so (`% 10 s later`, `State::round`) there is none, unless
//! `Pace::round_ms` gives them a pace of their own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::api::live;
use super::guest::Guest;
use super::state::State;

type Row = Map<String, Value>;

/// What was told last, by VMID; of one that is gone too, since nobody takes that back.
#[derive(Default)]
pub struct Statistics {
    told: BTreeMap<u32, Row>,
    at: Option<Instant>,
}

impl Statistics {
    pub fn of(&self, vmid: u32) -> Row {
        self.told.get(&vmid).cloned().unwrap_or_default()
    }

    /// Nothing was told of this VMID yet.
    pub fn unsay(&mut self, vmid: u32) {
        self.told.remove(&vmid);
    }
}

impl State {
    /// Every node that is there tells how its guests are.
    pub fn round(&mut self) {
        let here = self.guests.values().filter(|guest| {
            let node = self.nodes.get(&guest.node);
            node.is_some_and(|node| node.online)
        });
        let told: Vec<(u32, Row)> = here.map(|guest| (guest.vmid, told(guest))).collect();
        self.statistics.told.extend(told);
        self.statistics.at = Some(Instant::now());
    }

    /// The same where the pace says that it is time.
    pub fn round_in_time(&mut self) {
        let every = Duration::from_millis(self.pace.round_ms);
        let is_due = self.statistics.at.is_none_or(|at| at.elapsed() >= every);
        if !every.is_zero() && is_due {
            self.round();
        }
    }
}

fn told(guest: &Guest) -> Row {
    let live = live(guest);
    let row = json!({
        "status": live["status"], "name": guest.name(), "maxcpu": guest.cpus(), "maxmem": guest.memory(), "maxdisk": guest.maxdisk(),
        "cpu": live["cpu"], "mem": live["mem"], "memhost": live["mem"], "disk": live["disk"], "uptime": live["uptime"],
        "netin": live["netin"], "netout": live["netout"], "diskread": live["diskread"], "diskwrite": live["diskwrite"],
        "template": u8::from(guest.template()),
    });
    row.as_object().cloned().unwrap_or_default()
}
