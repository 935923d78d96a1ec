//! Which of Proxmox's privileges each access level takes, and why what is left out is left out.

use super::mark::Effect;

/// A major version of Proxmox VE whose privileges are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Pve8,
    Pve9,
}

/// One privilege that the tools of a level need, beside those of the lighter levels.
struct Need {
    effect: Effect,
    privilege: &'static str,
    /// Whether version 8 has it already.
    in_8: bool,
}

const fn need(effect: Effect, privilege: &'static str) -> Need {
    Need {
        effect,
        privilege,
        in_8: true,
    }
}

/// All of them, granted on `/`.
const NEEDS: &[Need] = &[
    need(Effect::Read, "Datastore.Audit"),
    need(Effect::Read, "Pool.Audit"),
    need(Effect::Read, "SDN.Audit"),
    need(Effect::Read, "Sys.Audit"),
    need(Effect::Read, "VM.Audit"),
    // Addresses of running machines. Before 9 this was VM.Monitor, which also runs commands in
    // guests, and so is in no level.
    Need {
        in_8: false,
        ..need(Effect::Read, "VM.GuestAgent.Audit")
    },
    need(Effect::Operate, "Datastore.AllocateSpace"),
    need(Effect::Operate, "VM.Backup"),
    need(Effect::Operate, "VM.Migrate"),
    need(Effect::Operate, "VM.PowerMgmt"),
    need(Effect::Operate, "VM.Snapshot"),
    need(Effect::Change, "SDN.Use"),
    need(Effect::Change, "VM.Allocate"),
    need(Effect::Change, "VM.Clone"),
    need(Effect::Change, "VM.Config.CDROM"),
    need(Effect::Change, "VM.Config.CPU"),
    need(Effect::Change, "VM.Config.Cloudinit"),
    need(Effect::Change, "VM.Config.Disk"),
    need(Effect::Change, "VM.Config.HWType"),
    need(Effect::Change, "VM.Config.Memory"),
    need(Effect::Change, "VM.Config.Network"),
    need(Effect::Change, "VM.Config.Options"),
    need(Effect::Full, "VM.Snapshot.Rollback"),
];

/// The access levels by name, from light to heavy.
pub const LEVELS: &[(&str, Effect)] = &[
    ("read", Effect::Read),
    ("operate", Effect::Operate),
    ("change", Effect::Change),
    ("full", Effect::Full),
];

/// What a token of this level needs, in the order of the alphabet.
pub fn of(level: Effect, release: Release) -> Vec<&'static str> {
    let has = |need: &&Need| need.effect <= level && (need.in_8 || release == Release::Pve9);
    let mut privileges: Vec<&str> = NEEDS
        .iter()
        .filter(has)
        .map(|need| need.privilege)
        .collect();
    privileges.sort_unstable();
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
            "Containers with more rights than `unprivileged` take Sys.Modify, which is not granted.",
        );
    }
    remarks
}
