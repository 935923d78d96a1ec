//! The access levels of tokens: which of Proxmox's privileges each takes, and why what is left out is
//! left out.

use std::collections::BTreeSet;

use super::needs::{EXTRAS, ExtraNeed, needs};
use crate::api::mark::Effect;

/// A major version of Proxmox VE whose privileges are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PveRelease {
    Pve8,
    Pve9,
}

/// The access levels by name, from light to heavy.
pub const LEVELS: &[(&str, Effect)] = &[
    ("read", Effect::Read),
    ("operate", Effect::Operate),
    ("change", Effect::Change),
    ("full", Effect::Full),
];

/// What a token of this level is given, on `/`, in the order of the alphabet.
pub fn privileges(level: Effect, release: PveRelease) -> BTreeSet<&'static str> {
    let needs = needs().into_iter().filter(|need| need.effect <= level);
    let mut privileges: BTreeSet<&str> = needs.map(|need| need.privilege).collect();
    let is_known = |extra: &&ExtraNeed| release == PveRelease::Pve9 || extra.before_9.is_none();
    let extras = EXTRAS.iter().filter(|extra| extra.is_in_levels);
    let extras = extras.filter(is_known);
    privileges.extend(extras.filter_map(|extra| extra.privileges.first()));
    privileges
}

/// What a token of this level cannot do or see, or can do beside what its level says, since Proxmox
/// has no finer privilege; a sentence each.
pub fn remarks(level: Effect) -> Vec<&'static str> {
    let mut remarks = vec![
        "On version 8 the addresses of running machines stay hidden: there they take VM.Monitor, which also runs commands inside guests.",
    ];
    if level == Effect::Read {
        remarks.push(
            "Backups and disks stay out of lists of volumes, which say so: to see them takes VM.Backup and VM.Config.Disk.",
        );
    } else {
        remarks.push(
            "Tasks of others are not stopped: that takes Sys.Modify, which also configures nodes.",
        );
        remarks.push(
            "VM.Snapshot also deletes snapshots and rolls back to them, and VM.Backup with Datastore.AllocateSpace also deletes backups and restores over a guest: Proxmox has nothing finer.",
        );
    }
    if level == Effect::Operate {
        remarks.push(
            "Machines are not hibernated: that takes VM.Config.Disk, which also destroys disks.",
        );
    }
    if level >= Effect::Change {
        remarks.push("VM.Allocate also deletes guests: Proxmox has nothing finer.");
        remarks.push(
            "Containers with more rights than `unprivileged`, and a start order, take Sys.Modify, which is not granted.",
        );
    }
    remarks
}
