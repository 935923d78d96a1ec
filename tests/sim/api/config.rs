//! A guest's configuration: reading, changing, pending changes, unlinking disks.

use serde_json::{Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given, list, scalar};
use super::super::gate::Call;
use super::super::guest::{Config, Guest, Kind, is_disk_key, object, typed, volume};
use super::super::state::State;
use super::super::task::Plan;
use super::{Handler, NULL, locked};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/nodes/{node}/qemu/{vmid}/config", get),
    ("GET", "/nodes/{node}/lxc/{vmid}/config", get),
    ("PUT", "/nodes/{node}/qemu/{vmid}/config", put),
    ("PUT", "/nodes/{node}/lxc/{vmid}/config", put),
    ("POST", "/nodes/{node}/qemu/{vmid}/config", post),
    ("GET", "/nodes/{node}/qemu/{vmid}/pending", pending),
    ("GET", "/nodes/{node}/lxc/{vmid}/pending", pending),
    ("PUT", "/nodes/{node}/qemu/{vmid}/unlink", unlink),
    ("GET", "/nodes/{node}/qemu/{vmid}/cloudinit", cloudinit),
];

/// What the request says beside options of the guest.
const CONTROL: &[&str] = &[
    "node",
    "vmid",
    "digest",
    "delete",
    "revert",
    "force",
    "skiplock",
    "background_delay",
];
const ROOT_ONLY: &[&str] = &["args", "lock", "hookscript"];
/// What a running virtual machine takes at once, beside disks and network cards.
const FAST: &[&str] = &[
    "name",
    "onboot",
    "shares",
    "startup",
    "description",
    "protection",
    "vmstatestorage",
    "hookscript",
    "tags",
    "lock",
];

fn get(call: &mut Call) -> Answer {
    let guest = call.guest()?;
    let mut config = guest.config.clone();
    if let Some(name) = given(&call.params, "snapshot") {
        let found = guest
            .snapshots
            .iter()
            .find(|snapshot| snapshot.name == name);
        let found =
            found.ok_or_else(|| Refusal::die(format!("snapshot '{name}' does not exist")))?;
        config = found.config.clone();
    } else if !flag(&call.params, "current") {
        let mut whole = guest.clone();
        whole.apply_pending();
        config = whole.config;
    }
    let mut all = object(guest.kind, &config);
    if let Some(parent) = guest
        .parent
        .as_ref()
        .filter(|_| !call.params.contains_key("snapshot"))
    {
        all.insert("parent".into(), parent.clone().into());
    }
    all.insert("digest".into(), guest.digest().into());
    Ok(all.into())
}

fn pending(call: &mut Call) -> Answer {
    let guest = call.guest()?;
    let mut rows: Vec<Value> = Vec::new();
    for (key, value) in &object(guest.kind, &guest.config) {
        let mut row = json!({"key": key, "value": value});
        match guest.pending.get(key) {
            Some(next) if next.is_empty() => row["delete"] = 1.into(),
            Some(next) => row["pending"] = typed(guest.kind, key, next),
            None => {}
        }
        rows.push(row);
    }
    for (key, next) in guest
        .pending
        .iter()
        .filter(|(key, _)| !guest.config.contains_key(*key))
    {
        rows.push(json!({"key": key, "pending": typed(guest.kind, key, next)}));
    }
    rows.push(json!({"key": "digest", "value": guest.digest()}));
    Ok(rows.into())
}

/// The checks that come before a change is made or its task started.
fn precheck(call: &Call) -> Result<(), Refusal> {
    let params = &call.params;
    let kind = call.kind();
    if flag(params, "skiplock") && !call.who.is_root() {
        return Err(Refusal::param("skiplock", "Only root may use this option."));
    }
    let delete = list(&given(params, "delete").unwrap_or_default());
    let changed = params.keys().any(|key| !CONTROL.contains(&key.as_str()));
    if !changed && delete.is_empty() && !params.contains_key("revert") {
        return Err(Refusal::die("no options specified"));
    }
    for key in &delete {
        if call.method.param(key).is_none() || CONTROL.contains(&key.as_str()) {
            return Err(Refusal::param("delete", format!("unknown option '{key}'")));
        }
        if params.contains_key(key) {
            return Err(Refusal::param(
                "delete",
                format!("you can't use '-{key}' and -delete {key}' at the same time"),
            ));
        }
    }
    for key in params
        .keys()
        .chain(&delete)
        .filter(|key| !CONTROL.contains(&key.as_str()))
    {
        if kind == Kind::Qemu && ROOT_ONLY.contains(&key.as_str()) && !call.who.is_root() {
            return Err(Refusal::die(format!("only root can set '{key}' config")));
        }
        call.state.need(
            &call.who,
            &format!("/vms/{}", call.vmid()),
            &[privilege(key, kind)],
        )?;
    }
    call.guest()?;
    call.state.volumes_exist(params, kind)?;
    call.quorum_for_file()
}

impl Call<'_> {
    /// Without quorum the configuration file cannot be written.
    fn quorum_for_file(&self) -> Result<(), Refusal> {
        if self.state.has_quorum() {
            return Ok(());
        }
        let (conf, vmid) = (self.kind().conf(), self.vmid());
        Err(Refusal::die(format!(
            "unable to open file '/etc/pve/nodes/{}/{conf}/{vmid}.conf.tmp.180' - Permission denied",
            self.node
        )))
    }
}

/// The privilege that an option wants.
pub fn privilege(key: &str, kind: Kind) -> &'static str {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    if is_disk_key(key, kind) || stem == "unused" {
        return "VM.Config.Disk";
    }
    match stem {
        "net" | "nameserver" | "searchdomain" | "hostname" => "VM.Config.Network",
        "cores" | "sockets" | "vcpus" | "cpulimit" | "cpuunits" | "numa" | "affinity" => {
            "VM.Config.CPU"
        }
        "memory" | "balloon" | "shares" | "swap" => "VM.Config.Memory",
        "cpu" | "machine" | "bios" | "scsihw" | "vga" | "serial" | "hostpci" | "usb" | "audio"
        | "rng" => "VM.Config.HWType",
        "ciuser" | "cipassword" | "citype" | "cicustom" | "sshkeys" | "ipconfig" | "ciupgrade" => {
            "VM.Config.Cloudinit"
        }
        "cdrom" => "VM.Config.CDROM",
        _ => "VM.Config.Options",
    }
}

/// The part that needs the guest's lock: digest, lock, then the change.
fn guarded(call: &Call) -> Result<(), Refusal> {
    call.unheld(call.vmid())?;
    let guest = call.guest()?;
    if let Some(digest) = given(&call.params, "digest").filter(|digest| *digest != guest.digest()) {
        let _ = digest;
        return Err(Refusal::die(match guest.kind {
            Kind::Qemu => "checksum mismatch (file change by other user?)",
            Kind::Lxc => "detected modified configuration - file changed by other user? Try again.",
        }));
    }
    if flag(&call.params, "skiplock") {
        Ok(())
    } else {
        locked(guest).map_err(Refusal::die)
    }
}

fn put(call: &mut Call) -> Answer {
    precheck(call)?;
    guarded(call)?;
    let (vmid, params) = (call.vmid(), call.params.clone());
    call.state
        .change(vmid, params, &mut Vec::new())
        .map_err(Refusal::die)?;
    NULL
}

fn post(call: &mut Call) -> Answer {
    precheck(call)?;
    guarded(call)?;
    let (node, vmid, who, params) = (
        call.node.clone(),
        call.vmid(),
        call.who.clone(),
        call.params.clone(),
    );
    if params.contains_key("background_delay") {
        call.state
            .change(vmid, params, &mut Vec::new())
            .map_err(Refusal::die)?;
        return NULL;
    }
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "qmconfig", vmid).holds(vmid),
        move |state, log| {
            let words: Vec<String> = params
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "node" | "vmid" | "digest"))
                .map(|(key, value)| format!("-{key} {}", scalar(value)))
                .collect();
            log.push(format!("update VM {vmid}: {}", words.join(" ")));
            state.change(vmid, params, log)
        },
    ))
}

impl State {
    /// Storages named by drives exist, and volumes of installation media do.
    pub fn volumes_exist(&self, params: &Params, kind: Kind) -> Result<(), Refusal> {
        for (_, value) in params.iter().filter(|(key, _)| is_disk_key(key, kind)) {
            let value = scalar(value);
            let id = volume(&value);
            if let Some((storage, _)) = id.split_once(':')
                && self.storage(storage).is_none()
            {
                return Err(Refusal::die(format!("storage '{storage}' does not exist")));
            }
        }
        Ok(())
    }

    /// Changes a guest's configuration as a request says.
    pub fn change(
        &mut self,
        vmid: u32,
        params: Params,
        log: &mut Vec<String>,
    ) -> Result<(), String> {
        let Some(mut guest) = self.guests.remove(&vmid) else {
            return Err(format!("VM {vmid} does not exist"));
        };
        let result = self.change_guest(&mut guest, &params, log);
        self.guests.insert(vmid, guest);
        result
    }

    fn change_guest(
        &mut self,
        guest: &mut Guest,
        params: &Params,
        log: &mut Vec<String>,
    ) -> Result<(), String> {
        for key in list(&given(params, "revert").unwrap_or_default()) {
            guest.pending.remove(&key);
        }
        let force = flag(params, "force");
        for key in list(&given(params, "delete").unwrap_or_default()) {
            self.remove_option(guest, &key, force);
        }
        for (key, value) in params
            .iter()
            .filter(|(key, _)| !CONTROL.contains(&key.as_str()))
        {
            if value.is_null() {
                if key == "tags" {
                    guest.set("tags", " ");
                }
                continue;
            }
            let value = self.value_for(guest, key, &scalar(value), log)?;
            let fast = FAST.contains(&key.as_str())
                || is_disk_key(key, guest.kind)
                || key.starts_with("net")
                || key.starts_with("unused");
            if guest.running() && guest.kind == Kind::Qemu && !fast {
                if guest.config.get(key) == Some(&value) {
                    guest.pending.remove(key);
                } else {
                    guest.pending.insert(key.clone(), value);
                }
            } else {
                guest.config.insert(key.clone(), value);
            }
        }
        Ok(())
    }

    fn remove_option(&mut self, guest: &mut Guest, key: &str, force: bool) {
        guest.pending.remove(key);
        let Some(value) = guest.config.get(key).cloned() else {
            return;
        };
        let id = volume(&value).to_string();
        if key.starts_with("unused")
            || (is_disk_key(key, guest.kind) && (force || id.contains("cloudinit")))
        {
            self.free(&id, &guest.node);
        } else if is_disk_key(key, guest.kind) && !value.contains("media=cdrom") {
            guest.keep_unused(&id);
        } else if guest.running()
            && guest.kind == Kind::Qemu
            && !FAST.contains(&key)
            && !key.starts_with("net")
        {
            guest.pending.insert(key.into(), String::new());
            return;
        }
        guest.config.remove(key);
    }

    /// A value as the configuration keeps it: disks allocated, addresses made, tags in order.
    pub fn value_for(
        &mut self,
        guest: &mut Guest,
        key: &str,
        value: &str,
        log: &mut Vec<String>,
    ) -> Result<String, String> {
        if is_disk_key(key, guest.kind) {
            return self.drive(guest, key, value, log);
        }
        let net = key.starts_with("net") && key[3..].parse::<u32>().is_ok();
        match key {
            "tags" => {
                let mut tags: Vec<String> =
                    list(value).iter().map(|tag| tag.to_lowercase()).collect();
                tags.sort();
                tags.dedup();
                Ok(tags.join(";"))
            }
            "description" if guest.kind == Kind::Lxc => Ok(format!("{}\n", value.trim_end())),
            _ if net => Ok(self.with_mac(key, value, guest.kind)),
            _ => Ok(value.to_string()),
        }
    }

    /// A drive's value: `storage:8` allocates, an existing volume is attached, media get their size.
    fn drive(
        &mut self,
        guest: &mut Guest,
        key: &str,
        value: &str,
        log: &mut Vec<String>,
    ) -> Result<String, String> {
        let id = volume(value).to_string();
        let rest: Vec<String> = value.split(',').skip(1).map(String::from).collect();
        let kept = |drop: &[&str]| -> Vec<String> {
            rest.iter()
                .filter(|part| !drop.iter().any(|key| part.starts_with(&format!("{key}="))))
                .cloned()
                .collect()
        };
        let Some((storage, name)) = id.split_once(':') else {
            return Ok(value.into());
        };
        if name == "cloudinit" {
            return self.cloudinit_drive(guest, key, storage, log);
        }
        if let Ok(gib) = name.parse::<f64>() {
            let size = match (key.starts_with("efidisk"), key.starts_with("tpmstate")) {
                (true, _) => 540_672,
                (_, true) => 4 << 20,
                _ => (gib * f64::from(1 << 30)) as u64,
            };
            let files = self.storage(storage).is_some_and(|storage| storage.files());
            let format = rest
                .iter()
                .find_map(|part| part.strip_prefix("format="))
                .map(String::from);
            let volid = self.allocate(
                storage,
                &guest.node,
                guest.vmid,
                guest.kind,
                size,
                format.as_deref(),
            )?;
            let mut parts = kept(&["format", "size", "import-from"]);
            parts.push(format!(
                "size={}",
                if guest.kind == Kind::Lxc && size == 0 {
                    "0T".into()
                } else {
                    super::super::guest::size_text(size)
                }
            ));
            parts.sort();
            let whole = format!("{volid},{}", parts.join(","));
            if guest.kind == Kind::Qemu {
                if files {
                    log.push(format!(
                        "Formatting '{}', fmt={} size={size}",
                        self.storage(storage)
                            .map(|s| s.file(&volid))
                            .unwrap_or_default(),
                        format.unwrap_or("raw".into())
                    ));
                }
                log.push(format!("{key}: successfully created disk '{whole}'"));
            }
            return Ok(whole);
        }
        let Some(found) = self.volume(&id, &guest.node).cloned() else {
            return Err(format!("volume '{id}' does not exist"));
        };
        guest
            .config
            .retain(|key, value| !(key.starts_with("unused") && *value == id));
        let mut parts = kept(&["size"]);
        parts.push(format!(
            "size={}",
            super::super::guest::size_text(found.size)
        ));
        parts.sort();
        Ok(format!("{id},{}", parts.join(",")))
    }

    fn cloudinit_drive(
        &mut self,
        guest: &Guest,
        key: &str,
        storage: &str,
        log: &mut Vec<String>,
    ) -> Result<String, String> {
        let (vmid, now) = (guest.vmid, self.now());
        let Some(known) = self.storage_mut(storage) else {
            return Err(format!("storage '{storage}' does not exist"));
        };
        let (files, shared) = (known.files(), known.shared);
        let volid = if files {
            format!("{storage}:{vmid}/vm-{vmid}-cloudinit.qcow2")
        } else {
            format!("{storage}:vm-{vmid}-cloudinit")
        };
        known.volumes.push(super::super::storage::Volume {
            volid: volid.clone(),
            node: if shared {
                String::new()
            } else {
                guest.node.clone()
            },
            content: "images".into(),
            format: if files { "qcow2" } else { "raw" }.into(),
            size: 4 << 20,
            used: 4 << 20,
            ctime: now,
            vmid: Some(vmid),
            ..Default::default()
        });
        log.push(format!(
            "{key}: successfully created disk '{volid},media=cdrom'"
        ));
        Ok(format!("{volid},media=cdrom"))
    }
}

impl Guest {
    /// Keeps a detached volume as `unusedN`.
    pub fn keep_unused(&mut self, id: &str) -> String {
        let key = (0..)
            .map(|n| format!("unused{n}"))
            .find(|key| !self.config.contains_key(key))
            .unwrap_or_default();
        self.config.insert(key.clone(), id.into());
        key
    }
}

fn unlink(call: &mut Call) -> Answer {
    call.unheld(call.vmid())?;
    locked(call.guest()?).map_err(Refusal::die)?;
    let (vmid, force) = (call.vmid(), flag(&call.params, "force"));
    let mut params = Params::new();
    params.insert("delete".into(), call.text("idlist").into());
    params.insert("force".into(), u8::from(force).to_string().into());
    call.state
        .change(vmid, params, &mut Vec::new())
        .map_err(Refusal::die)?;
    NULL
}

fn cloudinit(call: &mut Call) -> Answer {
    const KEYS: &[&str] = &[
        "ciuser",
        "cipassword",
        "nameserver",
        "searchdomain",
        "sshkeys",
    ];
    let guest = call.guest()?;
    let shown: Config = guest
        .config
        .iter()
        .filter(|(key, _)| KEYS.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Ok(object(guest.kind, &shown)
        .into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect())
}
