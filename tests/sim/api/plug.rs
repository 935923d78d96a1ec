//! Options of a guest that runs: what takes effect at once, what waits for a restart, and what the
//! guest does not take or give back, which stays pending though the request is refused.

use super::super::guest::{Guest, Kind, is_disk_key, option, volume};
use super::super::state::State;
use super::config::FAST;

/// What can be plugged while a machine runs, where its `hotplug` does not say.
const HOTPLUG_DEFAULT: &str = "network,disk,usb";

fn is_card(key: &str) -> bool {
    key.strip_prefix("net")
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

impl State {
    /// Sets an option; says why where it stays pending.
    pub fn set_option(&mut self, guest: &mut Guest, key: &str, value: String) -> Option<String> {
        match (guest.running(), guest.kind) {
            (true, Kind::Qemu) => {}
            (true, Kind::Lxc) if is_card(key) => {
                let bridge = option(&value, "bridge").unwrap_or_default();
                let node = self.nodes.get(&guest.node);
                if node.is_none_or(|node| !node.interfaces.contains_key(bridge)) {
                    return Some(format!(
                        "unable to hotplug {key}: bridge '{bridge}' does not exist\n"
                    ));
                }
                guest.config.insert(key.into(), value);
                return None;
            }
            _ => {
                guest.config.insert(key.into(), value);
                return None;
            }
        }
        if guest.config.get(key) == Some(&value) {
            guest.pending.remove(key);
            return None;
        }
        let medium = value.contains("media=cdrom") || value.contains("cloudinit");
        if FAST.contains(&key) || key.starts_with("unused") || medium {
            guest.config.insert(key.into(), value);
            return None;
        }
        if guest.plugs && guest.hotplugs(key) {
            guest.pending.remove(key);
            guest.config.insert(key.into(), value);
            return None;
        }
        let refused = guest.hotplugs(key);
        if let Some(before) = guest.pending.insert(key.into(), value)
            && is_disk_key(key, guest.kind)
            && !before.is_empty()
        {
            guest.keep_unused(volume(&before));
        }
        let device = match key.strip_prefix("scsi") {
            Some(number) => format!("virtioscsi{number}"),
            None => key.to_string(),
        };
        refused.then(|| format!("hotplug problem - error on hotplug device '{device}'\n"))
    }

    /// Takes an option away; says why where that stays pending.
    pub fn remove_option(&mut self, guest: &mut Guest, key: &str, force: bool) -> Option<String> {
        guest.pending.remove(key);
        let value = guest.config.get(key).cloned()?;
        let is_disk = is_disk_key(key, guest.kind);
        let is_volume = is_disk && !value.contains("media=cdrom");
        let is_boot = is_volume && guest.boots_from(key);
        let late = match guest.running() && guest.kind == Kind::Qemu {
            _ if FAST.contains(&key) || key.starts_with("unused") => None,
            false => None,
            true if is_disk && !is_volume => None,
            true if !guest.hotplugs(key) => Some(None),
            true if is_boot => Some(Some(format!("can't unplug bootdisk '{key}'\n"))),
            true if !guest.plugs => Some(Some(format!(
                "error on hot-unplugging device '{key}' - still busy in guest?\n"
            ))),
            true => None,
        };
        let order = guest.boot_without(key).filter(|_| is_volume);
        if let Some(why) = late {
            guest.pending.insert(key.into(), String::new());
            if force {
                guest.forced.insert(key.into());
            }
            if let Some(order) = order {
                guest.pending.insert("boot".into(), order);
            }
            return why.map(|why| format!("hotplug problem - {why}"));
        }
        guest.config.remove(key);
        if let Some(order) = order {
            guest.config.insert("boot".into(), order);
        }
        self.lose(guest, key, &value, force);
        None
    }

    /// What becomes of the volume under a key that is gone: it is destroyed, kept as `unusedN`, or,
    /// where it is another guest's, left alone.
    fn lose(&mut self, guest: &mut Guest, key: &str, value: &str, force: bool) {
        let id = volume(value);
        let is_own = |state: &State| {
            let found = state.volume(id, &guest.node);
            found.is_none_or(|volume| volume.vmid == Some(guest.vmid))
        };
        if !is_own(self) {
            return;
        }
        let is_disk = is_disk_key(key, guest.kind);
        if key.starts_with("unused") || (is_disk && (force || id.contains("cloudinit"))) {
            self.free(id, &guest.node);
        } else if is_disk && !value.contains("media=cdrom") {
            guest.keep_unused(id);
        }
    }

    /// Brings what is pending into effect, as a start does.
    pub fn come_true(&mut self, vmid: u32) {
        let Some(mut guest) = self.guests.remove(&vmid) else {
            return;
        };
        let forced = std::mem::take(&mut guest.forced);
        for (key, value) in std::mem::take(&mut guest.pending) {
            if !value.is_empty() {
                guest.config.insert(key, value);
            } else if let Some(before) = guest.config.remove(&key) {
                self.lose(&mut guest, &key, &before, forced.contains(&key));
            }
        }
        self.guests.insert(vmid, guest);
    }
}

impl Guest {
    /// Whether the option of a machine that runs can be changed at once, as its `hotplug` says.
    fn hotplugs(&self, key: &str) -> bool {
        let features = match self.get("hotplug") {
            None | Some("1") => HOTPLUG_DEFAULT,
            Some(features) => features,
        };
        let feature = match key {
            key if is_card(key) => "network",
            key if is_disk_key(key, self.kind) => "disk",
            "cores" | "sockets" | "vcpus" => "cpu",
            "memory" => "memory",
            _ => return false,
        };
        features.split(',').any(|one| one == feature)
    }

    fn boot_order(&self) -> Vec<&str> {
        let order = self.get("boot").unwrap_or_default();
        let order = order.trim_start_matches("order=").split(';');
        order.filter(|key| !key.trim().is_empty()).collect()
    }

    /// Whether this is the disk that the machine starts from.
    fn boots_from(&self, key: &str) -> bool {
        let order = self.boot_order();
        let mut disks = order.iter().filter(|key| is_disk_key(key, self.kind));
        disks.next() == Some(&key)
    }

    /// The boot order without a key, where that is in it.
    fn boot_without(&self, key: &str) -> Option<String> {
        let mut order = self.boot_order();
        let before = order.len();
        order.retain(|one| *one != key);
        let left = match order.join(";") {
            none if none.is_empty() => " ".into(),
            keys => format!("order={keys}"),
        };
        (order.len() < before).then_some(left)
    }

    /// Forgets a pending change; the volume of a disk that was never there stays as `unusedN`.
    pub fn revert(&mut self, key: &str) {
        self.forced.remove(key);
        if let Some(value) = self.pending.remove(key)
            && is_disk_key(key, self.kind)
            && !value.is_empty()
        {
            self.keep_unused(volume(&value));
        }
    }

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
