//! New guests: created from nothing, from a template archive, or restored from a backup.

use super::super::answer::{Answer, Params, Refusal, flag, given, scalar};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, is_disk_key};
use super::super::state::State;
use super::super::task::Plan;
use super::Handler;
use super::restore::{may_restore, restore};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu", qemu),
    ("POST", "/nodes/{node}/lxc", lxc),
];

/// What a request says beside options of the guest.
pub const CONTROL: &[&str] = &[
    "node",
    "vmid",
    "archive",
    "force",
    "pool",
    "restore",
    "start",
    "storage",
    "unique",
    "bwlimit",
    "ostemplate",
    "password",
    "ssh-public-keys",
    "ignore-unpack-errors",
    "live-restore",
    "import-working-storage",
    "ha-managed",
];

/// `VM 100 already exists on node 'pve1'`, whatever kind it is.
pub fn taken(state: &State, vmid: u32) -> Option<String> {
    let guest = state.guests.get(&vmid)?;
    Some(format!(
        "{} {vmid} already exists on node '{}'",
        guest.kind.short(),
        guest.node
    ))
}

/// A new guest wants VM.Allocate on its id or its pool, whatever else.
fn allowed(call: &Call) -> Result<(), Refusal> {
    let vmid = call.vmid();
    let pool = given(&call.params, "pool");
    let on_pool = pool.as_ref().is_some_and(|pool| {
        call.state
            .may(&call.who, &format!("/pool/{pool}"), &["VM.Allocate"])
    });
    if let Some(archive) = given(&call.params, "archive")
        .or_else(|| given(&call.params, "ostemplate").filter(|_| flag(&call.params, "restore")))
    {
        return may_restore(call, &archive);
    }
    if !on_pool
        && !call
            .state
            .may(&call.who, &format!("/vms/{vmid}"), &["VM.Allocate"])
    {
        return Err(Refusal::forbidden(""));
    }
    if let Some(pool) = pool
        && !call.state.pools.contains_key(&pool)
    {
        return Err(Refusal::die(format!("pool '{pool}' does not exist")));
    }
    Ok(())
}

/// Options beside those of the archive want the rights that changing them wants.
fn may_set(call: &Call) -> Result<(), Refusal> {
    let mut keys: Vec<&String> = call
        .params
        .keys()
        .filter(|key| !CONTROL.contains(&key.as_str()))
        .collect();
    keys.sort();
    let path = format!("/vms/{}", call.vmid());
    let pool = given(&call.params, "pool").is_some_and(|pool| {
        call.state
            .may(&call.who, &format!("/pool/{pool}"), &["VM.Allocate"])
    });
    keys.into_iter().filter(|_| !pool).try_for_each(|key| {
        call.state.need(
            &call.who,
            &path,
            &[super::config::privilege(key, call.kind())],
        )
    })
}

fn qemu(call: &mut Call) -> Answer {
    allowed(call)?;
    call.quorate()?;
    if call.params.contains_key("args") && !call.who.is_root() {
        return Err(Refusal::die("only root can set 'args' config"));
    }
    may_set(call)?;
    let (node, vmid, who, params) = (
        call.node.clone(),
        call.vmid(),
        call.who.clone(),
        call.params.clone(),
    );
    if let Some(archive) = given(&params, "archive") {
        return restore(call, &archive);
    }
    call.state
        .imports(&params, Kind::Qemu, call.who.is_root())?;
    call.state.volumes_exist(&params, Kind::Qemu)?;
    if let Some(text) = taken(call.state, vmid) {
        return Err(Refusal::die(format!("unable to create VM {vmid} - {text}")));
    }
    reserve(call, Kind::Qemu);
    let start = flag(&params, "start");
    let plan = Plan::new(&node, "qmcreate", vmid)
        .holds(vmid)
        .length(2)
        .undo(move |state| {
            state.guests.remove(&vmid);
        });
    let starter = who.clone();
    Ok(call.state.spawn(&who, plan, move |state, log| {
        state
            .build(vmid, &node, Kind::Qemu, &params, log)
            .map_err(|text| format!("unable to create VM {vmid} - {text}"))?;
        if start {
            state.begin_start(&starter, &node, Kind::Qemu, vmid);
        }
        Ok(())
    }))
}

/// The empty configuration, locked, that keeps the VMID.
pub fn reserve(call: &mut Call, kind: Kind) {
    let (node, vmid) = (call.node.clone(), call.vmid());
    let mut guest = Guest::new(vmid, kind, &node);
    guest.set("lock", "create");
    call.state.guests.insert(vmid, guest);
    if let Some(pool) = given(&call.params, "pool").and_then(|pool| call.state.pools.get_mut(&pool))
    {
        pool.vms.insert(vmid);
    }
}

impl State {
    /// Another client makes a guest of the VMID that a request is about to take.
    pub fn outrun(&mut self, params: &Params, node: &str) {
        let vmid = given(params, "vmid")
            .or(given(params, "newid"))
            .and_then(|vmid| vmid.parse().ok());
        if let Some(vmid) = vmid {
            self.guests
                .entry(vmid)
                .or_insert_with(|| Guest::new(vmid, Kind::Qemu, node));
        }
    }

    /// Makes a new guest of a request's options.
    fn build(
        &mut self,
        vmid: u32,
        node: &str,
        kind: Kind,
        params: &Params,
        log: &mut Vec<String>,
    ) -> Result<(), String> {
        let mut guest = Guest::new(vmid, kind, node);
        let (mut disks, mut rest): (Vec<_>, Vec<_>) = params
            .iter()
            .filter(|(key, _)| !CONTROL.contains(&key.as_str()))
            .partition(|(key, _)| is_disk_key(key, kind));
        disks.sort_by_key(|(key, _)| key.to_string());
        rest.sort_by_key(|(key, _)| key.to_string());
        for (key, value) in disks.into_iter().chain(rest) {
            let value = match self.value_for(&mut guest, key, &scalar(value), log) {
                Ok(value) => value,
                Err(text) => {
                    for id in guest
                        .volumes()
                        .iter()
                        .filter(|id| id.contains(&format!("-{vmid}-")))
                    {
                        self.free(id, node);
                    }
                    return Err(text);
                }
            };
            guest.set(key, &value);
        }
        match kind {
            Kind::Qemu => {
                guest.set(
                    "meta",
                    &format!("creation-qemu=10.1.2,ctime={}", self.now()),
                );
                guest.set("smbios1", &format!("uuid={}", self.uuid()));
                guest.set("vmgenid", &self.uuid());
                if guest.get("boot").is_none() {
                    let order = boot_order(&guest);
                    guest.set("boot", &order);
                }
            }
            Kind::Lxc => {
                for (key, value) in [
                    ("arch", "amd64"),
                    ("ostype", "debian"),
                    ("swap", "512"),
                    ("memory", "512"),
                ] {
                    if guest.get(key).is_none() {
                        guest.set(key, value);
                    }
                }
            }
        }
        self.guests.insert(vmid, guest);
        Ok(())
    }
}

fn boot_order(guest: &Guest) -> String {
    let stem = |key: &str| {
        key.trim_end_matches(|c: char| c.is_ascii_digit())
            .to_string()
    };
    let drives = guest
        .config
        .iter()
        .filter(|(key, _)| matches!(stem(key).as_str(), "scsi" | "virtio" | "sata" | "ide"));
    let (media, disks): (Vec<_>, Vec<_>) =
        drives.partition(|(_, value)| value.contains("media=cdrom"));
    let first = |all: Vec<(&String, &String)>| all.first().map(|(key, _)| key.to_string());
    let net = guest
        .config
        .keys()
        .find(|key| key.starts_with("net"))
        .cloned();
    let order: Vec<String> = [first(disks), first(media), net]
        .into_iter()
        .flatten()
        .collect();
    if order.is_empty() {
        " ".into()
    } else {
        format!("order={}", order.join(";"))
    }
}

fn lxc(call: &mut Call) -> Answer {
    allowed(call)?;
    call.quorate()?;
    may_set(call)?;
    let (node, vmid, who, params) = (
        call.node.clone(),
        call.vmid(),
        call.who.clone(),
        call.params.clone(),
    );
    let unprivileged = given(&params, "unprivileged").is_none_or(|value| value == "1");
    if flag(&params, "restore") {
        return restore(call, &call.text("ostemplate"));
    }
    if !unprivileged {
        call.state.need(&who, "/", &["Sys.Modify"])?;
        if params.contains_key("features") && !who.is_root() {
            return Err(Refusal::forbidden(
                "changing feature flags for privileged container is only allowed for root@pam",
            ));
        }
    }
    call.state.volumes_exist(&params, Kind::Lxc)?;
    if let Some(text) = taken(call.state, vmid) {
        return Err(Refusal::die(text));
    }
    reserve(call, Kind::Lxc);
    let template = call.text("ostemplate");
    let start = flag(&params, "start");
    let plan = Plan::new(&node, "vzcreate", vmid)
        .holds(vmid)
        .length(3)
        .undo(move |state| {
            state.guests.remove(&vmid);
        });
    let starter = who.clone();
    Ok(call.state.spawn(&who, plan, move |state, log| {
        if state.volume(&template, &node).is_none() {
            log.push(format!("volume '{template}' does not exist"));
            return Err(format!(
                "unable to create CT {vmid} - volume '{template}' does not exist"
            ));
        }
        let mut params = params;
        if !params.contains_key("rootfs") {
            let storage = given(&params, "storage").unwrap_or("local".into());
            params.insert("rootfs".into(), format!("{storage}:4").into());
        }
        if unprivileged {
            params.insert("unprivileged".into(), "1".into());
        } else {
            params.remove("unprivileged");
        }
        let file = template
            .split_once(':')
            .and_then(|(id, _)| state.storage(id))
            .map(|storage| storage.file(&template))
            .unwrap_or_default();
        log.push(format!("extracting archive '{file}'"));
        state
            .build(vmid, &node, Kind::Lxc, &params, log)
            .map_err(|text| format!("unable to create CT {vmid} - {text}"))?;
        if start {
            state.begin_start(&starter, &node, Kind::Lxc, vmid);
        }
        Ok(())
    }))
}
