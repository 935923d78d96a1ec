//! Backups: vzdump, and what an archive says of its guest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given, list, scalar};
use super::super::gate::Call;
use super::super::guest::{Guest, Kind, Status, drive_size, file, size_text, volume};
use super::super::http::civil;
use super::super::retention::Keeps;
use super::super::state::State;
use super::super::task::Plan;
use super::Handler;

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/vzdump", vzdump),
    ("GET", "/nodes/{node}/vzdump/defaults", defaults),
    ("GET", "/nodes/{node}/vzdump/extractconfig", extract),
];

fn defaults(_: &mut Call) -> Answer {
    Ok(json!({
        "all": 0, "bwlimit": 0, "compress": "0", "fleecing": {"enabled": 0}, "ionice": 7, "lockwait": 180, "mailnotification": "always",
        "mode": "snapshot", "notes-template": "{{guestname}}", "pigz": 0, "prune-backups": {"keep-all": "1"}, "protected": 0, "remove": 1,
        "repeat-missed": 0, "stop": 0, "stopwait": 10, "storage": "local", "tmpdir": "/var/tmp", "zstd": 1,
    }))
}

fn vzdump(call: &mut Call) -> Answer {
    let (node, who, params) = (call.node.clone(), call.who.clone(), call.params.clone());
    let ids = list(&given(&params, "vmid").unwrap_or_default());
    for key in ["tmpdir", "dumpdir", "script", "job-id"] {
        if params.contains_key(key) && !who.is_root() {
            return Err(Refusal::param(key, "Only root may set this option."));
        }
    }
    let all = flag(&params, "all") || params.contains_key("pool") || params.contains_key("exclude");
    if ids.is_empty() && !all {
        return Err(Refusal::param("vmid", "property is missing"));
    }
    let storage = given(&params, "storage").unwrap_or("local".into());
    call.state.need(
        &who,
        &format!("/storage/{storage}"),
        &["Datastore.AllocateSpace"],
    )?;
    for id in &ids {
        call.state
            .need(&who, &format!("/vms/{id}"), &["VM.Backup"])?;
    }
    let wanted: Vec<u32> = match given(&params, "pool") {
        _ if !ids.is_empty() => ids.iter().filter_map(|id| id.parse().ok()).collect(),
        Some(pool) => call
            .state
            .pools
            .get(&pool)
            .map(|pool| pool.vms.iter().copied().collect())
            .unwrap_or_default(),
        None => call.state.guests.keys().copied().collect(),
    };
    let out: BTreeSet<String> = list(&given(&params, "exclude").unwrap_or_default())
        .into_iter()
        .collect();
    let here = |vmid: &u32| {
        !all || call
            .state
            .guests
            .get(vmid)
            .is_some_and(|guest| guest.node == node && !guest.template())
    };
    let wanted: Vec<u32> = wanted
        .into_iter()
        .filter(here)
        .filter(|vmid| !out.contains(&vmid.to_string()))
        .collect();
    if let Some(found) = call
        .state
        .guests
        .get(wanted.first().unwrap_or(&0))
        .filter(|guest| guest.node != node && wanted.len() == 1)
    {
        let _ = found;
    }
    let name = if wanted.len() == 1 && !all {
        wanted[0].to_string()
    } else {
        String::new()
    };
    let locked: Vec<u32> = wanted
        .iter()
        .copied()
        .filter(|vmid| {
            call.state
                .guests
                .get(vmid)
                .is_some_and(|guest| guest.lock().is_none() && guest.node == node)
        })
        .collect();
    // Without quorum no lock can be written.
    let locked = match call.state.has_quorum() {
        true => locked,
        false => Vec::new(),
    };
    for vmid in &locked {
        if let Some(guest) = call.state.guests.get_mut(vmid) {
            guest.set("lock", "backup");
        }
    }
    let (unlock, undone) = (locked.clone(), locked.clone());
    let plan = Plan::new(&node, "vzdump", name)
        .length(3)
        .undo(move |state| state.unlock(&undone))
        .stop(move |state, _| {
            // What cannot be written stays, and so does the lock.
            if state.has_quorum() {
                state.unlock(&unlock);
            }
            "interrupted by signal".into()
        });
    Ok(call.state.spawn(&who, plan, move |state, log| {
        state.unlock(&locked);
        state.dump(&node, &wanted, &storage, &params, log)
    }))
}

impl State {
    fn unlock(&mut self, vmids: &[u32]) {
        for vmid in vmids {
            if let Some(guest) = self.guests.get_mut(vmid) {
                guest.config.remove("lock");
            }
        }
    }

    fn dump(
        &mut self,
        node: &str,
        vmids: &[u32],
        storage: &str,
        params: &Params,
        log: &mut Vec<String>,
    ) -> Result<(), String> {
        let Some(target) = self.storage(storage) else {
            return Err(format!(
                "could not get storage information for '{storage}': storage '{storage}' does not exist"
            ));
        };
        if !target.holds("backup") {
            return Err(format!(
                "could not get storage information for '{storage}': can't use storage '{storage}' for backups - wrong content type"
            ));
        }
        let words = params
            .iter()
            .filter(|(key, _)| key.as_str() != "vmid")
            .map(|(key, value)| {
                let value = scalar(value);
                format!(
                    "--{key} {}",
                    if value.contains([' ', '{']) {
                        format!("'{value}'")
                    } else {
                        value
                    }
                )
            });
        let ids: Vec<String> = vmids.iter().map(u32::to_string).collect();
        log.push(format!(
            "INFO: starting new backup job: vzdump {} {}",
            ids.join(" "),
            words.collect::<Vec<_>>().join(" ")
        ));
        let mut failed = false;
        for vmid in vmids {
            let found = self
                .guests
                .get(vmid)
                .filter(|guest| guest.node == node)
                .cloned();
            match found {
                Some(guest) => failed |= !self.dump_one(&guest, storage, params, log),
                None => {
                    log.push(format!(
                        "ERROR: Backup of VM {vmid} failed - unable to find VM '{vmid}'"
                    ));
                    log.push(format!("INFO: Failed at {}", self.stamp()));
                    failed = true;
                }
            }
        }
        log.push(format!(
            "INFO: Backup job finished {}",
            if failed {
                "with errors"
            } else {
                "successfully"
            }
        ));
        if failed {
            Err("job errors".into())
        } else {
            Ok(())
        }
    }

    fn stamp(&self) -> String {
        let [year, month, day, hour, minute, second] = civil(self.now());
        format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    fn dump_one(
        &mut self,
        guest: &Guest,
        storage: &str,
        params: &Params,
        log: &mut Vec<String>,
    ) -> bool {
        let vmid = guest.vmid;
        log.push(format!(
            "INFO: Starting Backup of VM {vmid} ({})",
            guest.kind.word()
        ));
        log.push(format!("INFO: Backup started at {}", self.stamp()));
        log.push(format!(
            "INFO: status = {}",
            if guest.status == Status::Stopped {
                "stopped"
            } else {
                "running"
            }
        ));
        let locked = super::locked(guest);
        if let Err(text) = locked.and_then(|()| self.writable(&guest.node, guest.kind, vmid)) {
            log.push(format!("ERROR: Backup of VM {vmid} failed - {text}"));
            log.push(format!("INFO: Failed at {}", self.stamp()));
            return false;
        }
        let mode = if guest.running() {
            given(params, "mode").unwrap_or("snapshot".into())
        } else {
            "stop".into()
        };
        log.push(format!("INFO: backup mode: {mode}"));
        log.push("INFO: ionice priority: 7".into());
        log.push(format!(
            "INFO: {} Name: {}",
            guest.kind.short(),
            guest.name()
        ));
        for (key, value) in guest.disks() {
            log.push(match guest.kind {
                Kind::Qemu => format!(
                    "INFO: include disk '{key}' '{}' {}",
                    volume(&value),
                    size_text(drive_size(&value).unwrap_or(0))
                ),
                Kind::Lxc => "INFO: including mount point rootfs ('/') in backup".into(),
            });
        }
        let notes = given(params, "notes-template").map(|template| {
            let cluster = if self.standalone {
                format!("standalone node {}", guest.node)
            } else {
                self.name.clone()
            };
            let words = [
                ("cluster", cluster),
                ("node", guest.node.clone()),
                ("guestname", guest.name()),
                ("vmid", vmid.to_string()),
            ];
            words.iter().fold(template, |text, (word, value)| {
                text.replace(&format!("{{{{{word}}}}}"), value)
            })
        });
        let format = match given(params, "compress").as_deref() {
            None | Some("0") => "vma",
            Some("gzip" | "1") => "vma.gz",
            Some("lzo") => "vma.lzo",
            Some(_) => "vma.zst",
        };
        let node = guest.node.clone();
        let volid = self.archive(
            guest,
            storage,
            self.now(),
            notes.clone(),
            flag(params, "protected"),
            format,
        );
        let path = self
            .storage(storage)
            .map(|storage| storage.file(&volid))
            .unwrap_or_default();
        log.push(format!("INFO: creating vzdump archive '{path}'"));
        if flag(params, "remove") || !params.contains_key("remove") {
            self.retain(vmid, &node, storage, params);
        }
        if notes.is_some() {
            log.push("INFO: adding notes to backup".into());
        }
        log.push(format!("INFO: Finished Backup of VM {vmid} (00:00:01)"));
        log.push(format!("INFO: Backup finished at {}", self.stamp()));
        true
    }

    /// Prunes as `prune-backups` of the request says, or that of the storage.
    fn retain(&mut self, vmid: u32, node: &str, storage: &str, params: &Params) {
        let of_storage = || self.storage(storage)?.options.get("prune-backups").cloned();
        let Some(rule) = given(params, "prune-backups").or_else(of_storage) else {
            return;
        };
        for volid in self.prunable(storage, node, Some(vmid), &rule) {
            if let Some(storage) = self.storage_mut(storage) {
                storage.volumes.retain(|volume| volume.volid != volid);
            }
        }
    }

    /// What a rule does not keep of each guest's backups, protected ones left out.
    pub fn prunable(
        &self,
        storage: &str,
        node: &str,
        vmid: Option<u32>,
        rule: &str,
    ) -> Vec<String> {
        let volumes = self.storage(storage).into_iter();
        let volumes = volumes.flat_map(|storage| storage.seen_from(node));
        let mut of: BTreeMap<Option<u32>, Vec<(i64, String)>> = BTreeMap::new();
        for volume in volumes.filter(|volume| volume.content == "backup" && !volume.protected) {
            if vmid.is_none() || volume.vmid == vmid {
                let backup = (volume.ctime, volume.volid.clone());
                of.entry(volume.vmid).or_default().push(backup);
            }
        }
        let keeps = Keeps::parse(rule);
        let mut out = Vec::new();
        for mut backups in of.into_values() {
            backups.sort_by(|one, other| other.cmp(one));
            let times: Vec<i64> = backups.iter().map(|(time, _)| *time).collect();
            let marks = keeps.kept(&times).into_iter().zip(backups);
            out.extend(marks.filter(|(kept, _)| !kept).map(|(_, (_, volid))| volid));
        }
        out
    }
}

fn extract(call: &mut Call) -> Answer {
    let volid = call.text("volume");
    let Some((storage, _)) = volid.split_once(':') else {
        return Err(Refusal::die(format!("unable to parse volume ID '{volid}'")));
    };
    call.state.need(
        &call.who,
        &format!("/storage/{storage}"),
        &["Datastore.AllocateSpace"],
    )?;
    let found = call.state.volume(&volid, &call.node);
    let Some((kind, config)) = found.and_then(|volume| volume.archived.clone()) else {
        return Err(Refusal::die(format!("volume '{volid}' does not exist")));
    };
    let vmid = found.and_then(|volume| volume.vmid).unwrap_or(0);
    call.state
        .need(&call.who, &format!("/vms/{vmid}"), &["VM.Backup"])?;
    let mut guest = Guest::new(vmid, kind, &call.node);
    guest.config = config;
    let maps: String = guest
        .disks()
        .iter()
        .map(|(key, value)| {
            let storage = volume(value).split(':').next().unwrap_or("");
            format!("#qmdump#map:{key}:drive-{key}:{storage}:raw:\n")
        })
        .collect();
    let text = file(&guest.config)
        + if kind == Kind::Qemu {
            maps.as_str()
        } else {
            ""
        };
    Ok(Value::String(text))
}
