//! A guest's configuration: reading, changing, pending changes, unlinking disks.

use serde_json::{Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given, list, scalar};
use super::super::gate::Call;
use super::super::guest::{Config, Kind, is_disk_key, object, typed};
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
    ("PUT", "/nodes/{node}/qemu/{vmid}/cloudinit", |call| {
        locked(call.guest()?).map_err(Refusal::die)?;
        NULL
    }),
];

/// What the request says beside options of the guest.
pub const CONTROL: &[&str] = &[
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
pub const FAST: &[&str] = &[
    "name",
    "hotplug",
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
            Some(next) if next.is_empty() => {
                row["delete"] = if guest.forced.contains(key) { 2 } else { 1 }.into();
            }
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
    if let Some(parent) = &guest.parent {
        rows.push(json!({"key": "parent", "value": parent}));
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
        if key == "startup" {
            call.state.need(&call.who, "/", &["Sys.Modify"])?;
        }
    }
    call.guest()?;
    if kind == Kind::Lxc && params.contains_key("unprivileged") {
        return Err(Refusal::die(
            "unable to modify read-only option: 'unprivileged'",
        ));
    }
    unplanned(call, &delete)?;
    call.state.imports(params, kind, call.who.is_root())?;
    call.state.volumes_exist(params, kind)
}

/// What is reverted is an option, and not changed in the same call.
fn unplanned(call: &Call, delete: &[String]) -> Result<(), Refusal> {
    let params = &call.params;
    for key in list(&given(params, "revert").unwrap_or_default()) {
        if call.method.param(&key).is_none() || CONTROL.contains(&key.as_str()) {
            return Err(Refusal::param("revert", format!("unknown option '{key}'")));
        }
        if params.contains_key(&key) || delete.contains(&key) {
            return Err(Refusal::param(
                "delete",
                format!("you can't use '-{key}' and -revert {key}' at the same time"),
            ));
        }
    }
    Ok(())
}

impl Call<'_> {
    /// Without quorum the guest's configuration file cannot be written.
    pub fn writable(&self) -> Result<(), Refusal> {
        let (kind, vmid) = (self.kind(), self.vmid());
        self.state
            .writable(&self.node, kind, vmid)
            .map_err(Refusal::die)
    }
}

impl State {
    /// As [`Call::writable`], in a task.
    pub fn writable(&self, node: &str, kind: Kind, vmid: u32) -> Result<(), String> {
        if self.has_quorum() {
            return Ok(());
        }
        let conf = kind.conf();
        Err(format!(
            "unable to open file '/etc/pve/nodes/{node}/{conf}/{vmid}.conf.tmp.180' - Permission denied"
        ))
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
    call.writable()?;
    let (vmid, params) = (call.vmid(), call.params.clone());
    if call.kind() == Kind::Qemu {
        let message = told(vmid, &params);
        call.log(message);
    }
    let refused = call
        .state
        .change(vmid, params, &mut Vec::new())
        .map_err(Refusal::die)?;
    if refused.is_empty() {
        return NULL;
    }
    let errors = refused.into_iter();
    Err(Refusal::params(
        errors.map(|(key, text)| (key, text.into())).collect(),
    ))
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
        return put(call);
    }
    let node_of_task = node.clone();
    Ok(call.state.spawn(
        &who,
        Plan::new(&node, "qmconfig", vmid).holds(vmid),
        move |state, log| {
            state.writable(&node_of_task, Kind::Qemu, vmid)?;
            log.push(told(vmid, &params));
            match state.change(vmid, params, log)?.first() {
                None => Ok(()),
                Some((key, text)) => {
                    let text = text.replace('\n', " ");
                    Err(format!("400 Parameter verification failed. {key}: {text}"))
                }
            }
        },
    ))
}

/// How a change of a virtual machine is told of, without its password.
fn told(vmid: u32, params: &Params) -> String {
    let said = params
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "node" | "vmid" | "digest"));
    let words: Vec<String> = said
        .map(|(key, value)| match key.as_str() {
            "cipassword" => format!("-{key} <hidden>"),
            _ => format!("-{key} {}", scalar(value)),
        })
        .collect();
    format!("update VM {vmid}: {}", words.join(" "))
}

fn unlink(call: &mut Call) -> Answer {
    call.unheld(call.vmid())?;
    locked(call.guest()?).map_err(Refusal::die)?;
    call.writable()?;
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
