//! A guest on its way to another cluster: the task on the source, from the tunnel to the cleanup.

use std::time::Instant;

use serde_json::json;

use super::super::gate::Call;
use super::super::guest::{Config, Guest, Kind, file, option, volume};
use super::super::http::civil;
use super::super::peers::Peer;
use super::super::rights::Who;
use super::super::state::State;
use super::super::task::Plan;
use super::missing;
use super::remote::Names;
use super::tunnel::Arrival;

/// What the log says, and why the tunnel cannot be opened.
const DIED: (&str, &str) = (
    "CMD websocket tunnel died: command 'proxmox-websocket-tunnel' failed: exit code 1",
    "malformed JSON string, neither tag, array, object, number, string or atom, at character offset 0 (before \"(end of string)\") at /usr/share/perl5/PVE/Tunnel.pm line 312.",
);
const UNWORDED: (&str, &str) = (
    "tunnel: tunnel error: upgrade refused: HTTP/1.1 401 No ticket",
    "received invalid tunnel version string ''",
);
const STOPPED: &str = "failed to decode tunnel reply '' (command '{\"cmd\":\"query-disk-import\"}') - malformed JSON string, neither tag, array, object, number, string or atom, at character offset 0 (before \"(end of string)\") at /usr/share/perl5/PVE/Tunnel.pm line 119, <GEN1952> line 4.";

/// A guest on its way.
#[derive(Clone)]
pub struct Moving {
    pub peer: Peer,
    /// As whom it arrives.
    pub who: Who,
    pub node: String,
    pub kind: Kind,
    pub vmid: u32,
    pub vmid_there: u32,
    pub storages: Names,
    pub bridges: Names,
    pub delete: bool,
    pub host: String,
    pub own: bool,
    pub begun: Instant,
    /// The tunnel's task there.
    pub tunnel: String,
    /// Its volumes, here and there.
    pub disks: Vec<(String, String)>,
}

pub fn stamp(state: &State) -> String {
    let [year, month, day, hour, minute, second] = civil(state.now());
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

impl Moving {
    /// Everything up to the copy of the disks; gives the task's UPID.
    pub fn begin(mut self, call: &mut Call, guest: &Guest, worded: bool) -> String {
        let (state, who) = (&mut *call.state, call.who.clone());
        let connects = worded && !state.reach.dies;
        let opened = self.open(state, guest, connects);
        let plan = Plan::new(
            &self.node,
            self.kind.task("qmigrate", "vzmigrate"),
            self.vmid,
        );
        let name = |upid: serde_json::Value| upid.as_str().unwrap_or_default().to_string();
        self.tunnel = match opened {
            Ok(tunnel) => tunnel,
            Err(text) => {
                let work =
                    move |state: &mut State, log: &mut Vec<String>| self.abort(state, log, &text);
                return name(state.spawn(&who, plan, work));
            }
        };
        let mut said = vec![format!(
            "{} remote: started tunnel worker '{}'",
            stamp(state),
            self.tunnel
        )];
        if !connects {
            let (why, text) = if worded { DIED } else { UNWORDED };
            said.push(why.into());
            said.push(format!(
                "{} tunnel still running - terminating now with SIGTERM",
                stamp(state)
            ));
            let work = move |state: &mut State, log: &mut Vec<String>| {
                log.extend(said);
                self.abort(state, log, &format!("can't open tunnel - {text}"))
            };
            return name(state.spawn(&who, plan, work));
        }
        said.extend(self.announced(state, guest));
        if self.problem(guest).is_none() {
            self.copy(state, guest);
        }
        if let Some(guest) = state.guests.get_mut(&self.vmid) {
            guest.set("lock", "migrate");
        }
        let (undone, stopped) = (self.clone(), self.clone());
        let plan = plan
            .length(5)
            .undo(move |state| undone.undo(state))
            .stop(move |state, log| {
                stopped.unlock(state);
                stopped.peer.with(state, |there| {
                    there.end_as(&stopped.tunnel, Err("mtunnel exited unexpectedly".into()));
                });
                let stamp = stamp(state);
                log.push(format!("{stamp} ERROR: {STOPPED}"));
                log.push(format!("{stamp} aborting phase 1 - cleanup resources"));
                log.push(format!(
                    "{stamp} ERROR: writing to tunnel failed: broken pipe"
                ));
                let _ = stopped.abort(state, log, STOPPED);
                "migration aborted".into()
            });
        let upid = name(state.spawn(&who, plan, move |state, log| {
            let done = self.finish(state, log);
            done.or_else(|text| self.abort(state, log, &text))
        }));
        state.say(&upid, said);
        upid
    }

    fn abort(&self, state: &State, log: &mut Vec<String>, text: &str) -> Result<(), String> {
        let (stamp, took) = (stamp(state), self.begun.elapsed().as_secs());
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        log.push(format!(
            "{stamp} ERROR: migration aborted (duration 00:00:{took:02}): {first}"
        ));
        log.extend(lines.map(|line| format!("{stamp} ERROR: {line}")));
        Err("migration aborted".into())
    }

    /// Asks the other end for a tunnel.
    fn open(&self, state: &mut State, guest: &Guest, connects: bool) -> Result<String, String> {
        let storages = guest.disks().into_iter().filter_map(|(_, value)| {
            volume(&value)
                .split_once(':')
                .map(|(storage, _)| self.storages.to(storage))
        });
        let nets = guest
            .config
            .iter()
            .filter(|(key, _)| key.starts_with("net"));
        let bridges = nets
            .filter_map(|(_, value)| option(value, "bridge"))
            .map(|bridge| self.bridges.to(bridge));
        let (mut storages, mut bridges): (Vec<String>, Vec<String>) =
            (storages.collect(), bridges.collect());
        for all in [&mut storages, &mut bridges] {
            all.sort();
            all.dedup();
        }
        let arrival = Arrival {
            node: self.peer.node.clone(),
            kind: self.kind,
            vmid: self.vmid_there,
            who: self.who.clone(),
            storages,
            bridges,
            own: self.own,
        };
        let opened = self.peer.with(state, |there| arrival.open(there, connects));
        opened.unwrap_or_else(|| Err("500 Connection timed out".into()))
    }

    fn announced(&self, state: &State, guest: &Guest) -> Vec<String> {
        let stamp = stamp(state);
        let mut said: Vec<String> = [
            "local WS tunnel version: 2",
            "remote WS tunnel version: 2",
            "minimum required WS tunnel version: 2",
        ]
        .iter()
        .map(|line| format!("{stamp} {line}"))
        .collect();
        let (short, vmid, node, host) = (self.kind.short(), self.vmid, &self.peer.node, &self.host);
        said.push("websocket tunnel started".into());
        said.push(format!(
            "{stamp} starting migration of {short} {vmid} to node '{node}' ({host})"
        ));
        for (_, value) in guest.disks() {
            said.push(match self.kind {
                Kind::Qemu => format!("{stamp} found local disk '{}' (attached)", volume(&value)),
                Kind::Lxc => format!(
                    "{stamp} found local volume '{}' (in current VM config)",
                    volume(&value)
                ),
            });
        }
        if self.kind == Kind::Qemu && self.problem(guest).is_none() {
            said.push(format!("{stamp} copying local disk images"));
        }
        said
    }

    /// What a scan of the volumes finds that cannot be moved.
    fn problem(&self, guest: &Guest) -> Option<String> {
        if self.kind == Kind::Lxc {
            return None;
        }
        let media = guest
            .config
            .values()
            .find(|value| value.contains("media=cdrom") && volume(value).contains(":iso/"));
        if let Some(media) = media {
            return Some(format!(
                "can't migrate local disk '{}': local cdrom image",
                volume(media)
            ));
        }
        let (_, disk) = guest
            .disks()
            .into_iter()
            .next()
            .filter(|_| !guest.snapshots.is_empty())?;
        Some(format!(
            "can't migrate local disk '{}': remote migration with snapshots not supported yet",
            volume(&disk)
        ))
    }

    /// Makes the disks there.
    fn copy(&mut self, state: &mut State, guest: &Guest) {
        let stem = if guest.template() { "base" } else { "vm" };
        for (_, value) in guest.disks() {
            let id = volume(&value).to_string();
            let Some(found) = state.volume(&id, &self.node).cloned() else {
                continue;
            };
            let (storage, node) = (
                self.storages.to(id.split(':').next().unwrap_or("")),
                self.peer.node.clone(),
            );
            let (vmid, kind, format) = (self.vmid_there, self.kind, found.format.as_str());
            let made = self.peer.with(state, |there| {
                there.allocate_as(&storage, &node, vmid, kind, found.size, Some(format), stem)
            });
            if let Some(Ok(made)) = made {
                self.disks.push((id, made));
            }
        }
    }

    /// The configuration as it is to be there.
    fn config(&self, guest: &Guest, log: &mut Vec<String>, stamp: &str) -> Config {
        let mut config = guest.config.clone();
        for (key, value) in &mut config {
            let found = self.disks.iter().find(|(here, _)| volume(value) == here);
            if let Some((here, there)) = found {
                log.push(format!(
                    "{stamp} volume '{here}' is '{there}' on the target"
                ));
                *value = value.replacen(here.as_str(), there, 1);
            }
            let bridge = option(value, "bridge")
                .map(String::from)
                .filter(|_| key.starts_with("net"));
            if let Some(bridge) = bridge {
                let to = self.bridges.to(&bridge);
                log.push(format!("{stamp} mapped: {key} from {bridge} to {to}"));
                *value = value.replacen(&format!("bridge={bridge}"), &format!("bridge={to}"), 1);
            }
        }
        config
    }

    fn finish(&self, state: &mut State, log: &mut Vec<String>) -> Result<(), String> {
        let (stamp, kind, vmid) = (stamp(state), self.kind, self.vmid);
        if self.peer.with(state, |there| there.running(&self.tunnel)) != Some(true) {
            log.push(format!(
                "{stamp} ERROR: writing to tunnel failed: broken pipe"
            ));
            log.push(format!("{stamp} aborting phase 1 - cleanup resources"));
            return Err("writing to tunnel failed: broken pipe".into());
        }
        let guest = state
            .guest(&self.node, kind, vmid)
            .ok_or_else(|| missing(&self.node, kind, vmid))?
            .clone();
        if let Some(problem) = self.problem(&guest) {
            log.push(format!("{stamp} {problem}"));
            log.push(format!(
                "{stamp} ERROR: Problem found while scanning volumes - can't migrate VM - check log"
            ));
            log.push(format!("{stamp} aborting phase 1 - cleanup resources"));
            return Err(
                "Problem found while scanning volumes - can't migrate VM - check log".into(),
            );
        }
        let config = self.config(&guest, log, &stamp);
        let rules = state.firewall.get(&format!("guest/{vmid}")).cloned();
        let refused = self
            .peer
            .with(state, |there| {
                there
                    .may_arrive(&self.who, self.vmid_there, kind, &config)
                    .err()
            })
            .flatten();
        if let Some(text) = refused {
            let sent = json!({"cmd": "config", "conf": file(&config), "firewall-config": null});
            let text = format!(
                "error - tunnel command '{sent}' failed - failed to handle 'config' command - {text}"
            );
            log.push(format!("{stamp} ERROR: {text}"));
            log.push(format!("{stamp} aborting phase 1 - cleanup resources"));
            for (_, there) in self.disks.iter().filter(|_| kind == Kind::Lxc) {
                let node = &self.peer.node;
                log.push(format!(
                    "{stamp} ERROR: found stale volume copy '{there}' on node '{node}'"
                ));
            }
            return Err(text);
        }
        let mut arrived = Guest {
            vmid: self.vmid_there,
            node: self.peer.node.clone(),
            config,
            ..guest.clone()
        };
        arrived.config.remove("lock");
        if kind == Kind::Lxc && arrived.get("unprivileged") != Some("1") {
            arrived.set("unprivileged", " ");
        }
        self.peer.with(state, |there| {
            there.guests.insert(self.vmid_there, arrived);
            if let Some(rules) = rules {
                there
                    .firewall
                    .insert(format!("guest/{}", self.vmid_there), rules);
            }
            there.say(
                &self.tunnel,
                vec![
                    "received command 'config'".into(),
                    "received command 'quit'".into(),
                ],
            );
            there.end_as(&self.tunnel, Ok(()));
        });
        // Without delete the lock stays for good.
        if self.delete {
            for id in guest.volumes() {
                state.free(&id, &self.node);
            }
            state.guests.remove(&vmid);
        } else {
            state.power_off(vmid);
        }
        let took = self.begun.elapsed().as_secs();
        log.push(format!(
            "{stamp} migration finished successfully (duration 00:00:{took:02})"
        ));
        Ok(())
    }

    fn unlock(&self, state: &mut State) {
        if let Some(guest) = state.guests.get_mut(&self.vmid) {
            guest.config.remove("lock");
        }
    }

    /// After a refusal both ends are as before; a tunnel that is gone leaves the stub.
    fn undo(&self, state: &mut State) {
        self.unlock(state);
        let disks: Vec<String> = self.disks.iter().map(|(_, there)| there.clone()).collect();
        self.peer.with(state, |there| {
            there.turn_away(&self.tunnel, &self.peer.node, self.vmid_there, &disks)
        });
    }
}
