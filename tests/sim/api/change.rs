//! What a changed configuration does: disks allocated and detached, values brought into form.

use super::super::answer::{Params, Refusal, flag, given, list, scalar};
use super::super::guest::{Guest, Kind, is_disk_key, volume};
use super::super::state::State;
use super::config::CONTROL;

/// Options that stay pending, each with why.
pub type Refused = Vec<(String, String)>;

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

    /// Changes a guest's configuration as a request says. What the running guest did not take or give
    /// back stays pending, and is named; all else takes effect.
    pub fn change(
        &mut self,
        vmid: u32,
        params: Params,
        log: &mut Vec<String>,
    ) -> Result<Refused, String> {
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
    ) -> Result<Refused, String> {
        let mut refused = Refused::new();
        for key in list(&given(params, "revert").unwrap_or_default()) {
            guest.revert(&key);
        }
        let force = flag(params, "force");
        for key in list(&given(params, "delete").unwrap_or_default()) {
            if guest.kind == Kind::Lxc && key == "rootfs" {
                return Err("unable to delete required option 'rootfs'".into());
            }
            if let Some(text) = self.remove_option(guest, &key, force) {
                refused.push((key, text));
            }
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
            if let Some(text) = self.set_option(guest, key, value) {
                refused.push((key.clone(), text));
            }
        }
        Ok(refused)
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
            let size = self.source_size(value, &guest.node)?.unwrap_or(size);
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
