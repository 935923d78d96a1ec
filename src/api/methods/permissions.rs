//! What a method asks of a token: the check as the API's description has it, and the privileges to grant, so
//! that all of what the method is used for works.

/// A privilege on a path and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrivilegeOn {
    pub path: &'static str,
    pub privilege: &'static str,
}

/// What is to be granted.
pub type Grants = &'static [PrivilegeOn];

/// A plain check, alike in Proxmox VE 8 and 9.
#[derive(Clone, Copy)]
pub(super) struct Permissions {
    /// In the words of the description, as JSON.
    pub(super) check: &'static str,
    pub(super) grants: Grants,
}

pub(super) const fn on(path: &'static str, privilege: &'static str) -> PrivilegeOn {
    PrivilegeOn { path, privilege }
}

pub(super) const fn vms(privilege: &'static str) -> PrivilegeOn {
    on("/vms", privilege)
}

/// Disks and archives are put somewhere.
pub(super) const SPACE: PrivilegeOn = on("/storage", "Datastore.AllocateSpace");
/// Cards are plugged into bridges.
pub(super) const BRIDGES: PrivilegeOn = on("/sdn", "SDN.Use");

/// What a list takes that shows to each token what it may see.
pub const SEES_GUESTS: PrivilegeOn = vms("VM.Audit");
pub const SEES_NODES: PrivilegeOn = on("/nodes", "Sys.Audit");
pub const SEES_STORAGES: PrivilegeOn = on("/storage", "Datastore.Audit");
pub const SEES_POOLS: PrivilegeOn = on("/pool", "Pool.Audit");
/// What each may read of its own doing, and with this of everybody's.
pub const SEES_LOGS: PrivilegeOn = on("/", "Sys.Syslog");
/// What each may read of itself, and with this of everybody.
pub const SEES_ACCESS: PrivilegeOn = on("/access", "Sys.Audit");

/// What is the cluster's as a whole.
pub(super) const AUDIT_CLUSTER: Permissions = Permissions {
    check: r#"{"check":["perm","/",["Sys.Audit"]]}"#,
    grants: &[on("/", "Sys.Audit")],
};

const ALLOCATES_POOLS: PrivilegeOn = on("/pool", "Pool.Allocate");
pub(super) const ALLOCATE_POOL: Permissions = Permissions {
    check: r#"{"check":["perm","/pool/{poolid}",["Pool.Allocate"]]}"#,
    grants: &[ALLOCATES_POOLS],
};
/// Beside the check, what is put into a pool or taken out of it must be one's own. Of storages that takes
/// `Datastore.Allocate`, which nobody is given for it: by it storages are defined and removed.
pub(super) const CHANGE_POOL: Permissions = Permissions {
    grants: &[ALLOCATES_POOLS, vms("VM.Allocate")],
    ..ALLOCATE_POOL
};

pub(super) const AUDIT: Permissions = Permissions {
    check: r#"{"check":["perm","/vms/{vmid}",["VM.Audit"]]}"#,
    grants: &[SEES_GUESTS],
};
