//! How a specified guest comes to be there: with its disks, snapshots, backups.

use super::guest::{Guest, Kind, Snapshot, Status, is_disk_key, size_text, volume};
use super::rights::Who;
use super::spec::GuestSpec;
use super::state::State;
use super::storage::Volume;

impl State {
    /// Puts a guest there, with its disks, snapshots, backups and the tasks that made them.
    pub fn add(&mut self, spec: &GuestSpec) {
        let kind = if spec.lxc { Kind::Lxc } else { Kind::Qemu };
        let mut guest = Guest::new(spec.vmid, kind, &spec.node);
        let made = self.now() - 5_000_000;
        match kind {
            Kind::Qemu => {
                guest.set("name", &spec.name);
                guest.set("meta", &format!("creation-qemu=10.1.2,ctime={made}"));
                guest.set("smbios1", &format!("uuid={}", self.uuid()));
                guest.set("vmgenid", &self.uuid());
            }
            Kind::Lxc => {
                guest.set("hostname", &spec.name);
                guest.set("arch", "amd64");
                guest.set("ostype", "debian");
                guest.set("unprivileged", "1");
            }
        }
        for (key, value) in &spec.config {
            let value = if is_disk_key(key, kind) {
                self.disk(&guest, value)
            } else {
                self.with_mac(key, value, kind)
            };
            guest.set(key, &value);
        }
        if kind == Kind::Qemu && guest.get("boot").is_none() {
            let order: Vec<&str> = ["scsi0", "virtio0", "net0"]
                .into_iter()
                .filter(|key| guest.get(key).is_some())
                .collect();
            guest.set(
                "boot",
                &if order.is_empty() {
                    " ".into()
                } else {
                    format!("order={}", order.join(";"))
                },
            );
        }
        guest.addresses = spec.addresses.clone();
        if spec.running {
            (guest.status, guest.uptime, guest.cpu, guest.pid) =
                (Status::Running, 86_400, 0.03, 1000 + spec.vmid);
        }
        for name in &spec.snapshots {
            let (time, parent) = (self.now() - 172_800, guest.parent.replace(name.clone()));
            guest.snapshots.push(Snapshot {
                name: name.clone(),
                parent,
                time,
                description: String::new(),
                vmstate: false,
                state: None,
                config: guest.config.clone(),
            });
        }
        for (storage, hours) in &spec.backups {
            self.archive(
                &guest,
                storage,
                self.now() - hours * 3600,
                None,
                false,
                "vma.zst",
            );
            let plan = super::task::Plan::new(&guest.node, "vzdump", guest.vmid);
            self.past(
                &Who {
                    user: "root@pam".into(),
                    ..Who::default()
                },
                plan,
                hours * 3600,
                60,
                "OK",
            );
        }
        self.guests.insert(spec.vmid, guest);
    }

    fn disk(&mut self, guest: &Guest, value: &str) -> String {
        let (first, rest) = value
            .split_once(',')
            .map_or((value, String::new()), |(first, rest)| {
                (first, format!(",{rest}"))
            });
        let Some((id, size)) = first.split_once(':') else {
            return value.into();
        };
        let Ok(gib) = size.parse::<u64>() else {
            return value.into();
        };
        let stem = if guest.config.contains_key("template") {
            "base"
        } else {
            "vm"
        };
        match self.allocate_as(
            id,
            &guest.node,
            guest.vmid,
            guest.kind,
            gib << 30,
            None,
            stem,
        ) {
            Ok(volid) => format!("{volid}{rest},size={}", size_text(gib << 30)),
            Err(text) => panic!("guest {}: {text}", guest.vmid),
        }
    }

    /// `virtio,bridge=vmbr0` gets an address, as a request's would.
    pub fn with_mac(&mut self, key: &str, value: &str, kind: Kind) -> String {
        if !key.starts_with("net") || key.trim_start_matches("net").parse::<u32>().is_err() {
            return value.into();
        }
        match kind {
            Kind::Lxc if !value.contains("hwaddr=") => {
                let mut parts: Vec<String> = value.split(',').map(String::from).collect();
                parts.push(format!("hwaddr={}", self.mac()));
                if !value.contains("type=") {
                    parts.push("type=veth".into());
                }
                let name = parts
                    .iter()
                    .position(|part| part.starts_with("name="))
                    .map(|i| parts.remove(i));
                parts.sort();
                name.into_iter().chain(parts).collect::<Vec<_>>().join(",")
            }
            Kind::Qemu => {
                let (model, rest) = value
                    .split_once(',')
                    .map_or((value, String::new()), |(model, rest)| {
                        (model, format!(",{rest}"))
                    });
                let model = model.strip_prefix("model=").unwrap_or(model);
                if model.contains('=') {
                    value.into()
                } else {
                    format!("{model}={}{rest}", self.mac())
                }
            }
            Kind::Lxc => value.into(),
        }
    }

    /// A backup's volume. Gives its id.
    pub fn archive(
        &mut self,
        guest: &Guest,
        storage: &str,
        time: i64,
        notes: Option<String>,
        protected: bool,
        format: &str,
    ) -> String {
        let [year, month, day, hour, minute, second] = super::http::civil(time);
        let format = if guest.kind == Kind::Lxc {
            format.replace("vma", "tar")
        } else {
            format.to_string()
        };
        let word = guest.kind.word();
        let volid = format!(
            "{storage}:backup/vzdump-{word}-{}-{year}_{month:02}_{day:02}-{hour:02}_{minute:02}_{second:02}.{format}",
            guest.vmid
        );
        let size: u64 = guest
            .disks()
            .iter()
            .filter_map(|(_, value)| self.volume(volume(value), &guest.node))
            .map(|volume| volume.size / 20)
            .sum();
        if let Some(known) = self.storage_mut(storage) {
            let node = if known.shared {
                String::new()
            } else {
                guest.node.clone()
            };
            known.volumes.push(Volume {
                volid: volid.clone(),
                node,
                content: "backup".into(),
                format,
                size: size.max(4096),
                used: size,
                ctime: time,
                vmid: Some(guest.vmid),
                parent: None,
                notes,
                protected,
                archived: Some((guest.kind, guest.config.clone())),
            });
        }
        volid
    }

    /// The guest is on another node, with its disks.
    pub fn move_away(&mut self, vmid: u32) {
        let Some(from) = self.guests.get(&vmid).map(|guest| guest.node.clone()) else {
            return;
        };
        let other = |(name, node): &(&String, &super::state::Node)| node.online && **name != from;
        let Some(to) = self.nodes.iter().find(other).map(|(name, _)| name.clone()) else {
            return;
        };
        for storage in self.storages.iter_mut().filter(|storage| !storage.shared) {
            let those =
                |volume: &&mut Volume| volume.vmid == Some(vmid) && volume.content != "backup";
            for volume in storage.volumes.iter_mut().filter(those) {
                volume.node = to.clone();
            }
        }
        if let Some(guest) = self.guests.get_mut(&vmid) {
            guest.node = to;
        }
    }

    /// The guest is gone, and another of the same kind and VMID stands there: [`SUCCESSOR`].
    pub fn reuse(&mut self, vmid: u32) {
        let Some(before) = self.guests.remove(&vmid) else {
            return;
        };
        let after = successor(&before);
        self.successors.insert(vmid, after.clone());
        self.guests.insert(vmid, after);
    }
}

/// The guest that takes the VMID of this one over: other in name and settings, like it in all that
/// an order could be refused for.
fn successor(before: &Guest) -> Guest {
    let mut guest = before.clone();
    let name = match guest.kind {
        Kind::Qemu => "name",
        Kind::Lxc => "hostname",
    };
    guest.set(name, "successor");
    guest.set("description", "Another guest.\n");
    guest
}
