//! What happens to the clusters, in words: of transcripts, and of a person who runs the simulator.

use serde_json::{Map, Value};

use super::fault::{Fault, FrontBody, Limited};
use super::guest::{Guest, Snapshot};
use super::rights::Who;
use super::state::State;
use super::storage::Volume;
use super::task::Plan;
use super::world::{SimCluster, World};

impl World {
    /// Carries out one order: `fault CLUSTER WORD [ARGUMENT] [at NODE] [on METHOD PATH]` (`*` for any method),
    /// `heal CLUSTER`, `config CLUSTER VMID KEY=VALUE`, `ha CLUSTER SID STATE`,
    /// `lodge CLUSTER VMID NODE` (the guest is on a node of that name, which may be no name),
    /// `backup-failed CLUSTER VMID WHY` (a job's backup of it did),
    /// `storage-down CLUSTER STORAGE NODE` (the node does not reach it), `pool CLUSTER POOL VMID...`
    /// (those are in that pool, which is made where it is not there), `backup CLUSTER STORAGE VMID HOURS...` (it
    /// has backups of these ages there), `job CLUSTER ID KEY=VALUE...` (a backup
    /// job; `_` stands for a blank), `volume CLUSTER VOLUME` (it is on a
    /// shared storage), `task CLUSTER NODE USER ID` (a volume was deleted),
    /// `hold CLUSTER` (no task ends), `release CLUSTER` (all have ended), `rename CLUSTER VMID NAME`
    /// (somebody did so just now), `10 s later` (the statistics have gone round, see `statistics`),
    /// `hangs CLUSTER VMID` (the guest does not obey a shutdown), `busy CLUSTER VMID` (it takes no
    /// device and gives none back), `silent CLUSTER VMID` (its agent does not answer),
    /// `addresses CLUSTER VMID INTERFACE=ADDRESS...` (it has those), `maintenance CLUSTER NODE`, `content CLUSTER STORAGE LIST` (what
    /// it holds), `half CLUSTER VMID SNAPSHOT STATE` (it was never finished),
    /// `dropped CLUSTER VMID COUNT` (the firewall logged so many lines). A value of `config` may
    /// hold blanks and the escapes of JSON; it has stood there for a while.
    ///
    /// # Errors
    /// It is not understood.
    pub fn direct(&self, order: &str) -> Result<(), String> {
        let words: Vec<&str> = order.split(' ').collect();
        let cluster = |name: &str| {
            let found = self
                .clusters
                .iter()
                .find(|cluster| cluster.spec.name == name);
            found.ok_or_else(|| format!("there is no cluster `{name}`"))
        };
        match words.as_slice() {
            ["heal", name] => cluster(name)?.heal(),
            ["fault", name, rest @ ..] => {
                let fault = limited(rest).ok_or_else(|| format!("no such fault: {order}"))?;
                cluster(name)?.fault(fault);
            }
            ["config", name, vmid, change @ ..] => cluster(name)?.edit(|state| {
                let change = unescaped(&change.join(" "));
                let (key, value) = change.split_once('=').unwrap_or((&change, ""));
                let guest = vmid
                    .parse()
                    .ok()
                    .and_then(|vmid: u32| state.guests.get_mut(&vmid));
                let guest = guest.ok_or_else(|| format!("no such guest: {order}"))?;
                guest.config.insert(key.into(), value.into());
                Ok::<(), String>(())
            })?,
            ["dropped", name, vmid, count] => cluster(name)?.edit(|state| {
                let scope = format!("guest/{vmid}");
                let firewall = state.firewall.entry(scope).or_default();
                let count: usize = count.parse().map_err(|_| format!("no number: {order}"))?;
                let lines = (1..=count).map(|at| {
                    format!(
                        "{vmid} 6 tap{vmid}i0-IN policy DROP: SRC=192.0.2.{at} PROTO=TCP DPT=23"
                    )
                });
                firewall.log.extend(lines);
                Ok::<(), String>(())
            })?,
            ["lodge", name, vmid, node] => cluster(name)?.edit(|state| {
                let known = state.nodes.keys().next().cloned().unwrap_or_default();
                let copy = state.nodes.get(&known).cloned();
                let copy = copy.ok_or_else(|| format!("there is no node: {order}"))?;
                state.nodes.insert((*node).into(), copy);
                let guest = vmid
                    .parse()
                    .ok()
                    .and_then(|vmid: u32| state.guests.get_mut(&vmid));
                guest.ok_or_else(|| format!("no such guest: {order}"))?.node = (*node).into();
                Ok::<(), String>(())
            })?,
            ["hangs", name, vmid] => cluster(name)?.of_guest(vmid, |guest| guest.obeys = false)?,
            ["busy", name, vmid] => cluster(name)?.of_guest(vmid, |guest| guest.plugs = false)?,
            ["silent", name, vmid] => cluster(name)?.of_guest(vmid, |guest| guest.agent = false)?,
            ["addresses", name, vmid, addresses @ ..] => {
                cluster(name)?.of_guest(vmid, |guest| {
                    let pairs = addresses.iter().filter_map(|one| one.split_once('='));
                    let pairs =
                        pairs.map(|(name, address)| (name.to_string(), address.to_string()));
                    guest.addresses = pairs.collect();
                })?
            }
            ["maintenance", name, node] => cluster(name)?.edit(|state| {
                state.maintenance.insert((*node).into());
            }),
            ["content", name, storage, list] => cluster(name)?.edit(|state| {
                let storage = state.storage_mut(storage);
                let storage = storage.ok_or_else(|| format!("no such storage: {order}"))?;
                storage.content = list.split(',').map(str::to_string).collect();
                Ok::<(), String>(())
            })?,
            ["half", name, vmid, snapshot, state] => cluster(name)?.of_guest(vmid, |guest| {
                let config = guest.config.clone();
                guest.snapshots.push(Snapshot {
                    name: (*snapshot).into(),
                    parent: guest.parent.clone(),
                    time: super::clock(),
                    description: String::new(),
                    vmstate: false,
                    state: Some((*state).into()),
                    config,
                });
            })?,
            ["ha", name, sid, state] => cluster(name)?.edit(|known| {
                let resource = Map::from_iter([("state".to_string(), Value::from(*state))]);
                known.ha.insert((*sid).into(), resource);
            }),
            ["pool", name, pool, vmids @ ..] => cluster(name)?.edit(|state| {
                let vmids: Vec<u32> = vmids.iter().filter_map(|vmid| vmid.parse().ok()).collect();
                for other in state.pools.values_mut() {
                    other.vms.retain(|vmid| !vmids.contains(vmid));
                }
                let known = state.pools.entry((*pool).into()).or_default();
                known.vms.extend(vmids);
            }),
            ["backup", name, storage, vmid, hours @ ..] => cluster(name)?.edit(|state| {
                let guest = vmid
                    .parse()
                    .ok()
                    .and_then(|vmid: u32| state.guests.get(&vmid));
                let guest = guest.cloned();
                let guest = guest.ok_or_else(|| format!("no such guest: {order}"))?;
                for ago in hours.iter().filter_map(|hours| hours.parse::<i64>().ok()) {
                    let time = state.now() - ago * 3600;
                    state.archive(&guest, storage, time, None, false, "vma.zst");
                }
                Ok::<(), String>(())
            })?,
            ["job", name, id, settings @ ..] => cluster(name)?.edit(|state| {
                let known = [("id", *id), ("type", "vzdump"), ("enabled", "1")];
                let settings = settings.iter().filter_map(|one| one.split_once('='));
                let all = known.into_iter().chain(settings);
                let job = all.map(|(key, value)| (key.into(), value.replace('_', " ").into()));
                state.backup_jobs.insert((*id).into(), job.collect());
            }),
            ["volume", name, volid @ ..] => cluster(name)?.edit(|state| {
                let volid = unescaped(&volid.join(" "));
                let (id, path) = volid.split_once(':').unwrap_or_default();
                let folder = path.split('/').next().unwrap_or_default();
                // Disks are in a folder of their guest's.
                let vmid: Option<u32> = folder.parse().ok();
                let (content, format) = match vmid {
                    Some(_) => ("images", "raw"),
                    None => (folder, "iso"),
                };
                let known = state.storage_mut(id);
                let known = known.ok_or_else(|| format!("no such storage: {order}"))?;
                known.volumes.push(Volume {
                    volid: volid.clone(),
                    content: content.into(),
                    format: format.into(),
                    vmid,
                    size: 1 << 30,
                    ..Volume::default()
                });
                Ok::<(), String>(())
            })?,
            ["task", name, node, user, id] => cluster(name)?.edit(|state| {
                let (user, token) = match user.split_once('!') {
                    Some((user, token)) => (user, Some(token.to_string())),
                    None => (*user, None),
                };
                let who = Who {
                    user: user.into(),
                    token,
                    lacks: Vec::new(),
                };
                let plan = Plan::new(node, "imgdel", id);
                state.spawn(&who, plan, |_, _| Ok(()));
                state.settle_all();
            }),
            ["backup-failed", name, vmid, why @ ..] => cluster(name)?.edit(|state| {
                let guest = vmid
                    .parse()
                    .ok()
                    .and_then(|vmid: u32| state.guests.get(&vmid));
                let guest = guest
                    .ok_or_else(|| format!("no such guest: {order}"))?
                    .clone();
                let (what, why) = (guest.kind.short(), why.join(" "));
                let vmid = guest.vmid;
                let who = Who {
                    user: "root@pam".into(),
                    ..Who::default()
                };
                let plan = Plan::new(&guest.node, "vzdump", vmid);
                state.spawn(&who, plan, move |_, log| {
                    log.push(format!(
                        "INFO: starting new backup job: vzdump {vmid} --storage nas --mode snapshot"
                    ));
                    log.push(format!("INFO: Starting Backup of {what} {vmid}"));
                    log.push(format!("ERROR: Backup of {what} {vmid} failed - {why}"));
                    log.push("INFO: Backup job finished with errors".into());
                    Err("job errors".into())
                });
                state.settle_all();
                Ok::<(), String>(())
            })?,
            ["storage-down", name, storage, node] => cluster(name)?.edit(|state| {
                let known = state.storage_mut(storage);
                let known = known.ok_or_else(|| format!("no such storage: {order}"))?;
                known.down.push((*node).into());
                Ok::<(), String>(())
            })?,
            ["hold", name] => cluster(name)?.just_now(|state| state.hold = true),
            ["release", name] => cluster(name)?.just_now(|state| {
                state.hold = false;
                state.settle_all();
            }),
            ["10", "s", "later"] => {
                for cluster in &self.clusters {
                    cluster.just_now(State::round);
                }
            }
            ["rename", name, vmid, new] => cluster(name)?.just_now(|state| {
                let guest = vmid
                    .parse()
                    .ok()
                    .and_then(|vmid: u32| state.guests.get_mut(&vmid));
                let guest = guest.ok_or_else(|| format!("no such guest: {order}"))?;
                guest.set_name(new);
                Ok::<(), String>(())
            })?,
            _ => return Err(format!("no such order: {order}")),
        }
        Ok(())
    }
}

impl SimCluster {
    fn of_guest(&self, vmid: &str, change: impl FnOnce(&mut Guest)) -> Result<(), String> {
        self.edit(|state| {
            let vmid = vmid.parse::<u32>().unwrap_or_default();
            let guest = state.guests.get_mut(&vmid);
            change(guest.ok_or_else(|| format!("no such guest: {vmid}"))?);
            Ok(())
        })
    }
}

fn unescaped(text: &str) -> String {
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_string())
}

/// `WORD [ARGUMENT] [at NODE] [on METHOD PATH]`.
fn limited(words: &[&str]) -> Option<Limited> {
    let on = words.iter().position(|word| *word == "on");
    let (words, on) = words.split_at(on.unwrap_or(words.len()));
    let limited = match words {
        [words @ .., "at", node] => fault(words)?.on_node(node),
        words => Limited::from(fault(words)?),
    };
    match on {
        [] => Some(limited),
        ["on", method, path] => Some(limited.on(method.trim_matches('*'), path)),
        _ => None,
    }
}

fn fault(words: &[&str]) -> Option<Fault> {
    Some(match words {
        ["refuse"] => Fault::Refuse,
        ["hang-before"] => Fault::HangBefore,
        ["hang-after"] => Fault::HangAfter,
        ["cut-before-execute"] => Fault::CutBeforeExecute,
        ["cut-after-execute"] => Fault::CutAfterExecute,
        ["cut-in-header"] => Fault::CutInHeader,
        ["cut-in-body"] => Fault::CutInBody,
        ["slow-bytes", ms] => Fault::SlowBytes(ms.parse().ok()?),
        ["latency", ms] => Fault::Latency(ms.parse().ok()?),
        ["huge", bytes] => Fault::Huge(bytes.parse().ok()?),
        ["wrong-length"] => Fault::WrongLength,
        ["short-length"] => Fault::ShortLength,
        ["chunked"] => Fault::Chunked,
        ["empty"] => Fault::Empty,
        ["redirect"] => Fault::Redirect,
        ["deep-json", depth] => Fault::DeepJson(depth.parse().ok()?),
        ["bad-utf8"] => Fault::BadUtf8,
        ["swapped-types"] => Fault::SwappedTypes,
        ["listed-fields"] => Fault::ListedFields,
        ["numbers-as-text"] => Fault::NumbersAsText,
        ["lost-before", status] => lost(status, false)?,
        ["lost-after", status] => lost(status, true)?,
        ["front-before", status, with] => front(status, with, false)?,
        ["front-after", status, with] => front(status, with, true)?,
        ["other-certificate"] => Fault::OtherCertificate,
        ["clock-off", seconds] => Fault::ClockOff(seconds.parse().ok()?),
        ["drop-every", number] => Fault::DropEvery(number.parse().ok()?),
        ["move-guest", vmid] => Fault::MoveGuest(vmid.parse().ok()?),
        ["reuse-vmid", vmid] => Fault::ReuseVmid(vmid.parse().ok()?),
        ["html"] => Fault::Html,
        ["bad-json"] => Fault::BadJson,
        ["node-offline", node] => Fault::NodeOffline((*node).into()),
        ["no-quorum"] => Fault::NoQuorum,
        ["old-errors"] => Fault::OldErrors,
        ["no-apidoc"] => Fault::NoApiDoc,
        ["race"] => Fault::Race,
        ["hostile", "notes"] => Fault::Hostile(false),
        ["hostile", "all"] => Fault::Hostile(true),
        ["echo"] => Fault::Echo,
        ["huge"] => Fault::Huge(100 << 20),
        ["deep"] => Fault::DeepJson(200),
        ["not-utf8"] => Fault::Body(b"{\"data\":[{\"node\":\"\xff\xfe\"}]}".to_vec()),
        ["body", body] => Fault::Body(body.as_bytes().to_vec()),
        ["status-401"] => Fault::Status401,
        ["token-lacks", privileges] => {
            Fault::TokenLacks(privileges.split(',').map(str::to_string).collect())
        }
        _ => return None,
    })
}

fn lost(status: &str, executed: bool) -> Option<Fault> {
    let status = status.parse().ok()?;
    Some(Fault::Lost { status, executed })
}

fn front(status: &str, with: &str, executed: bool) -> Option<Fault> {
    Some(Fault::Front {
        status: status.parse().ok()?,
        with: match with {
            "nothing" => FrontBody::Nothing,
            "page" => FrontBody::Page,
            "text" => FrontBody::Text,
            "login" => FrontBody::Login,
            "redirect" => FrontBody::Redirect,
            _ => return None,
        },
        executed,
    })
}
