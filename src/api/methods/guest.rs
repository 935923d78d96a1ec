//! The rows of guests: their life, configuration, snapshots, agent and consoles.

use super::method::{
    CHANGE, CUTS_OFF, DESTROYS, FULL, FULL_STOPS, Marked, Method, Named, OPERATE, OPERATE_ASKED,
    OVERWRITES, PATH, STOPS, Sent, TICKET, WEBSOCKET, changes_all, delete, get, get_as, loses_all,
    post, put, takes_along,
};
use super::permissions::{AUDIT, BRIDGES, Grants, Permissions, SEES_GUESTS, SPACE, vms};
use super::{ChangedVolumes, Changes, Volumes, lets};
use crate::api::mark::Mark;

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    get("/nodes/{node}/{kind}/{vmid}/status/current").permitted(AUDIT),
    get("/nodes/{node}/{kind}/{vmid}/config").permitted(AUDIT),
    get("/nodes/{node}/{kind}/{vmid}/pending").permitted(AUDIT),
    get("/nodes/{node}/{kind}/{vmid}/feature").permitted(AUDIT),
    get("/nodes/{node}/{kind}/{vmid}/snapshot").permitted(AUDIT),
    get("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config").permitted(SNAPSHOT_READ),
    get("/nodes/{node}/{kind}/{vmid}/migrate").permitted(MIGRATE),
    get("/nodes/{node}/{kind}/{vmid}/rrddata").permitted(AUDIT),
    get("/nodes/{node}/lxc/{vmid}/interfaces").permitted(AUDIT),
    get_as("/nodes/{node}/qemu/{vmid}/agent/file-read", OPERATE_ASKED),
    get("/nodes/{node}/{kind}/{vmid}/vncwebsocket").withheld(WEBSOCKET),
    get("/nodes/{node}/{kind}/{vmid}/mtunnelwebsocket").withheld(WEBSOCKET),

    post("/nodes/{node}/{kind}", Marked::By(create), &[Named::New("vmid")]).about(overwritten).making("vmid").taking(CREATE),
    delete("/nodes/{node}/{kind}/{vmid}", DESTROYS, PATH).about(loses_all).permitted(ALLOCATE),
    post("/nodes/{node}/{kind}/{vmid}/clone", CHANGE, &[Named::Path, Named::New("newid")]).letting(lets::all).permitted(CLONE).running("clone"),
    put("/nodes/{node}/lxc/{vmid}/config", Marked::By(configure), PATH).changing(Changes::Config).letting(lets::configure).about(freed).permitted(CONFIGURE_LXC),
    put("/nodes/{node}/qemu/{vmid}/config", Marked::By(configure), PATH).changing(Changes::Config).letting(lets::configure).about(freed).permitted(CONFIGURE_QEMU),
    post("/nodes/{node}/qemu/{vmid}/config", Marked::By(configure), PATH).changing(Changes::Config).letting(lets::configure).about(freed).permitted(CONFIGURE_QEMU),
    put("/nodes/{node}/qemu/{vmid}/unlink", Marked::By(unlink), PATH).about(unlinked).permitted(DISK),
    put("/nodes/{node}/lxc/{vmid}/resize", CHANGE, PATH).letting(lets::resize).about(resized).permitted(RESIZE_LXC),
    put("/nodes/{node}/qemu/{vmid}/resize", CHANGE, PATH).letting(lets::resize).about(resized).permitted(DISK),
    post("/nodes/{node}/qemu/{vmid}/move_disk", Marked::By(move_volume), MOVED).letting(lets::relocate).about(moved).permitted(DISK),
    post("/nodes/{node}/lxc/{vmid}/move_volume", Marked::By(move_volume), MOVED).letting(lets::relocate).about(moved).permitted(DISK),
    put("/nodes/{node}/qemu/{vmid}/cloudinit", CHANGE, PATH).letting(lets::bare).permitted(CLOUDINIT),
    // It never runs again.
    post("/nodes/{node}/{kind}/{vmid}/template", FULL_STOPS, PATH).about(loses_all).permitted(ALLOCATE).running("template"),

    post("/nodes/{node}/qemu/{vmid}/migrate", OPERATE, PATH).letting(lets::migrate_vm).about(migrated).permitted(MIGRATE).running("migrate"),
    post("/nodes/{node}/lxc/{vmid}/migrate", Marked::By(migrate_container), PATH).letting(lets::migrate_container).about(takes_along).permitted(MIGRATE).running("migrate"),
    post("/nodes/{node}/{kind}/{vmid}/remote_migrate", Marked::By(remote_migrate), PATH).about(left).permitted(MIGRATE).running("migrate"),

    post("/nodes/{node}/{kind}/{vmid}/status/start", OPERATE, PATH).letting(lets::start).permitted(POWER).running("start"),
    post("/nodes/{node}/{kind}/{vmid}/status/resume", OPERATE, PATH).letting(lets::bare).permitted(POWER).running("resume"),
    post("/nodes/{node}/{kind}/{vmid}/status/shutdown", CUTS_OFF, PATH).permitted(POWER).running("shutdown"),
    post("/nodes/{node}/{kind}/{vmid}/status/reboot", CUTS_OFF, PATH).permitted(POWER).running("reboot"),
    post("/nodes/{node}/{kind}/{vmid}/status/suspend", CUTS_OFF, PATH).permitted(POWER),
    post("/nodes/{node}/{kind}/{vmid}/status/stop", STOPS, PATH).permitted(POWER).running("stop"),
    post("/nodes/{node}/qemu/{vmid}/status/reset", STOPS, PATH).permitted(POWER).running("reset"),

    post("/nodes/{node}/{kind}/{vmid}/snapshot", OPERATE, PATH).letting(lets::snapshot).about(changes_all).permitted(SNAPSHOT).running("snapshot"),
    put("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config", CHANGE, PATH).permitted(SNAPSHOT),
    post("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/rollback", OVERWRITES, PATH).about(loses_all).permitted(ROLLBACK).running("rollback"),
    delete("/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}", FULL, PATH).about(changes_all).permitted(SNAPSHOT).running("delsnapshot"),

    post("/nodes/{node}/qemu/{vmid}/agent", Marked::By(agent), PATH).letting(lets::agent),
    post("/nodes/{node}/qemu/{vmid}/agent/ping", OPERATE, PATH).letting(lets::bare),
    post("/nodes/{node}/qemu/{vmid}/agent/fstrim", OPERATE, PATH).letting(lets::bare),
    post("/nodes/{node}/qemu/{vmid}/agent/fsfreeze-status", OPERATE, PATH).letting(lets::bare),
    post("/nodes/{node}/qemu/{vmid}/agent/fsfreeze-freeze", CUTS_OFF, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/fsfreeze-thaw", OPERATE, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/shutdown", CUTS_OFF, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/suspend-disk", CUTS_OFF, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/suspend-hybrid", CUTS_OFF, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/suspend-ram", CUTS_OFF, PATH),
    // What a program in the guest does cannot be told.
    post("/nodes/{node}/qemu/{vmid}/agent/exec", FULL, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/file-write", FULL, PATH),
    post("/nodes/{node}/qemu/{vmid}/agent/set-user-password", FULL, PATH),

    // Keys and the monitor's commands can do anything to a machine.
    put("/nodes/{node}/qemu/{vmid}/sendkey", STOPS, PATH),
    post("/nodes/{node}/qemu/{vmid}/monitor", OVERWRITES, PATH),
    post("/nodes/{node}/qemu/{vmid}/dbus-vmstate", OPERATE, PATH),
    // Each of them gives a ticket to the guest's console.
    post("/nodes/{node}/{kind}/{vmid}/vncproxy", FULL, PATH).withheld(TICKET),
    post("/nodes/{node}/{kind}/{vmid}/termproxy", FULL, PATH).withheld(TICKET),
    post("/nodes/{node}/{kind}/{vmid}/spiceproxy", FULL, PATH).withheld(TICKET),
    // The way in of a guest from another cluster: by it the guest is written.
    post("/nodes/{node}/{kind}/{vmid}/mtunnel", OVERWRITES, PATH).withheld(TICKET),
];

// What the cluster asks of a token, as its description has it, so that it is known without reading that:
// it is over 4 MB. These are alike in Proxmox VE 8 and 9; those of the guest agent are not. A row without
// is judged by the cluster's own description where it is at hand.
const ALLOCATE: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Allocate"]]}"#,
    grants: &[vms("VM.Allocate")],
};
const CLONE: Permissions = Permissions {
    check: r#"{"check":["and",["perm","/vms/{vmid}",["VM.Clone"]],["or",["perm","/vms/{newid}",["VM.Allocate"]],["perm","/pool/{pool}",["VM.Allocate"],"require_param","pool"]]]}"#,
    grants: &[vms("VM.Clone"), vms("VM.Allocate"), SPACE],
};
const CONFIGURE_LXC: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk","VM.Config.CPU","VM.Config.Memory","VM.Config.Network","VM.Config.Options"],"any",1]}"#,
    grants: CONFIGURE,
};
const MIGRATE: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Migrate"]]}"#,
    grants: &[vms("VM.Migrate")],
};
const DISK: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk"]]}"#,
    grants: &[vms("VM.Config.Disk"), SPACE],
};
const RESIZE_LXC: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk"],"any",1]}"#,
    grants: &[vms("VM.Config.Disk"), SPACE],
};
const SNAPSHOT: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Snapshot"]]}"#,
    grants: &[vms("VM.Snapshot")],
};
const ROLLBACK: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Snapshot","VM.Snapshot.Rollback"],"any",1]}"#,
    grants: &[vms("VM.Snapshot"), vms("VM.Snapshot.Rollback")],
};
const POWER: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.PowerMgmt"]]}"#,
    grants: &[vms("VM.PowerMgmt")],
};
const CLOUDINIT: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Cloudinit"]]}"#,
    grants: &[vms("VM.Config.Cloudinit")],
};
const CONFIGURE_QEMU: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk","VM.Config.CDROM","VM.Config.CPU","VM.Config.Memory","VM.Config.Network","VM.Config.HWType","VM.Config.Options","VM.Config.Cloudinit"],"any",1]}"#,
    grants: CONFIGURE,
};
const SNAPSHOT_READ: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Snapshot","VM.Snapshot.Rollback","VM.Audit"],"any",1]}"#,
    grants: &[SEES_GUESTS],
};

/// The description says it in prose.
const CREATE: Grants = &[vms("VM.Allocate"), SPACE];
/// Any of them lets some options be changed; what an option takes more is in no description.
const CONFIGURE: Grants = &[
    vms("VM.Config.Disk"),
    vms("VM.Config.CDROM"),
    vms("VM.Config.CPU"),
    vms("VM.Config.Memory"),
    vms("VM.Config.Network"),
    vms("VM.Config.HWType"),
    vms("VM.Config.Options"),
    vms("VM.Config.Cloudinit"),
    SPACE,
    BRIDGES,
];

const MOVED: &[Named] = &[Named::Path, Named::Guests("target-vmid")];

/// With `force` an existing guest is overwritten.
fn create(sent: &Sent) -> Mark {
    if sent.is_set("force") {
        Mark::FULL.interrupts().destroys()
    } else {
        Mark::CHANGE
    }
}

/// Removing `unusedN` destroys its volume, `vmstate` the memory of a hibernated guest, and `force`
/// whatever is removed; removing a disk that is in use only detaches it. Removing a network card cuts
/// the guest off. What is made a template never runs again.
fn configure(sent: &Sent) -> Mark {
    let removed = sent.items("delete");
    let mut mark = Mark::CHANGE;
    if sent.is_set("force") || removed.iter().any(|key| is_freed(key)) {
        mark = mark.or(Mark::FULL.destroys());
    }
    if sent.is_set("template") {
        mark = mark.or(Mark::FULL.interrupts());
    }
    if removed.iter().any(|key| key.starts_with("net")) {
        mark = mark.or(Mark::CHANGE.interrupts());
    }
    mark
}

fn unlink(sent: &Sent) -> Mark {
    if sent.is_set("force") || sent.items("idlist").iter().any(|key| is_freed(key)) {
        Mark::FULL.destroys()
    } else {
        Mark::CHANGE
    }
}

/// Whether an option's volume is freed where the option is removed, and not kept as `unusedN`.
fn is_freed(key: &str) -> bool {
    key.starts_with("unused") || key == "vmstate"
}

/// To another storage a disk stays the guest's own, `delete` or not; to another guest it is lost.
fn move_volume(sent: &Sent) -> Mark {
    if sent.has("target-vmid") {
        Mark::CHANGE.destroys()
    } else {
        Mark::CHANGE
    }
}

/// The volumes under keys, lost to whoever else uses them.
fn lost(keys: Vec<String>) -> Volumes {
    Volumes {
        held: ChangedVolumes::Under(keys),
        lost: true,
        ..Volumes::default()
    }
}

/// What a configuration's change frees: all that it removes by `force`, else what nobody keeps. What is
/// made a template changes every volume's name.
fn freed(sent: &Sent) -> Volumes {
    if sent.is_set("template") {
        return loses_all(sent);
    }
    let force = sent.is_set("force");
    let keys = sent.items("delete").into_iter();
    lost(keys.filter(|key| force || is_freed(key)).collect())
}

fn unlinked(sent: &Sent) -> Volumes {
    let force = sent.is_set("force");
    let keys = sent.items("idlist").into_iter();
    lost(keys.filter(|key| force || is_freed(key)).collect())
}

fn resized(sent: &Sent) -> Volumes {
    Volumes {
        held: ChangedVolumes::Under(sent.text("disk").into_iter().collect()),
        ..Volumes::default()
    }
}

/// With `delete` Proxmox frees the source without asking whose it is; to another guest it gets another
/// name. A copy leaves it as it is.
fn moved(sent: &Sent) -> Volumes {
    if sent.is_set("delete") || sent.has("target-vmid") {
        let key = sent.text("disk").or_else(|| sent.text("volume"));
        lost(key.into_iter().collect())
    } else {
        Volumes::default()
    }
}

/// What was there is freed where an existing guest is overwritten.
fn overwritten(sent: &Sent) -> Volumes {
    if sent.is_set("force") {
        loses_all(sent)
    } else {
        Volumes::default()
    }
}

/// What goes to another cluster with `delete` is not here any more.
fn left(sent: &Sent) -> Volumes {
    if sent.is_set("delete") {
        loses_all(sent)
    } else {
        Volumes::default()
    }
}

/// A VM's local disks stay unless that is asked for, and it with them.
fn migrated(sent: &Sent) -> Volumes {
    if sent.is_set("with-local-disks") {
        takes_along(sent)
    } else {
        Volumes::default()
    }
}

/// A container that runs moves only by being stopped and started again, which has to be asked for.
fn migrate_container(sent: &Sent) -> Mark {
    if sent.is_set("restart") || sent.is_set("online") {
        Mark::OPERATE.interrupts()
    } else {
        Mark::OPERATE
    }
}

/// With `delete` the guest is gone from here; without, it stays stopped and locked for good.
fn remote_migrate(sent: &Sent) -> Mark {
    if sent.is_set("delete") {
        Mark::FULL.interrupts().destroys()
    } else {
        Mark::CHANGE.interrupts()
    }
}

/// The older way, with the command as a parameter.
fn agent(sent: &Sent) -> Mark {
    let command = sent.text("command").unwrap_or_default();
    let reads = command.starts_with("get-") || command.starts_with("network-get");
    match command.as_str() {
        "ping" | "info" | "fstrim" | "fsfreeze-status" | "fsfreeze-thaw" => Mark::OPERATE,
        _ if reads => Mark::OPERATE,
        _ => Mark::OPERATE.interrupts(),
    }
}
