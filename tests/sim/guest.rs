//! Guests: virtual machines and containers, their configuration, snapshots and running state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::digest::sha1;
use super::schema;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Qemu,
    Lxc,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Qemu => "qemu",
            Kind::Lxc => "lxc",
        }
    }

    /// How Proxmox calls one in its messages.
    pub fn short(self) -> &'static str {
        match self {
            Kind::Qemu => "VM",
            Kind::Lxc => "CT",
        }
    }

    pub fn conf(self) -> &'static str {
        match self {
            Kind::Qemu => "qemu-server",
            Kind::Lxc => "lxc",
        }
    }

    /// `qmstart` or `vzstart`.
    pub fn task(self, qemu: &'static str, lxc: &'static str) -> &'static str {
        match self {
            Kind::Qemu => qemu,
            Kind::Lxc => lxc,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Stopped,
    Running,
    Paused,
}

pub type Config = BTreeMap<String, String>;

#[derive(Clone)]
pub struct Guest {
    pub vmid: u32,
    pub kind: Kind,
    pub node: String,
    pub config: Config,
    /// Changes that wait for a restart; an empty value stands for a removal.
    pub pending: Config,
    /// Disks whose pending removal destroys their volumes.
    pub forced: BTreeSet<String>,
    /// Takes devices that are plugged in and gives them back while it runs.
    pub plugs: bool,
    pub snapshots: Vec<Snapshot>,
    /// The snapshot that the present state comes from.
    pub parent: Option<String>,
    pub status: Status,
    pub uptime: u64,
    pub cpu: f64,
    pub pid: u32,
    /// Addresses by interface; what the agent (or the container) tells.
    pub addresses: Vec<(String, String)>,
    /// The agent in the guest answers.
    pub agent: bool,
    /// Its agent holds the file systems still.
    pub frozen: bool,
    /// Reacts to a shutdown request.
    pub obeys: bool,
}

#[derive(Clone)]
pub struct Snapshot {
    pub name: String,
    pub parent: Option<String>,
    pub time: i64,
    pub description: String,
    pub vmstate: bool,
    /// What is being done to it, or was when its task died: `prepare`, `delete`.
    pub state: Option<String>,
    pub config: Config,
}

impl Guest {
    pub fn new(vmid: u32, kind: Kind, node: &str) -> Guest {
        Guest {
            vmid,
            kind,
            node: node.into(),
            config: Config::new(),
            pending: Config::new(),
            forced: BTreeSet::new(),
            plugs: true,
            snapshots: Vec::new(),
            parent: None,
            status: Status::Stopped,
            uptime: 0,
            cpu: 0.0,
            pid: 0,
            addresses: Vec::new(),
            agent: true,
            frozen: false,
            obeys: true,
        }
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.config.get(key).map(String::as_str)
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.config.insert(key.into(), value.into());
    }

    pub fn running(&self) -> bool {
        self.status != Status::Stopped
    }

    pub fn lock(&self) -> Option<&str> {
        self.get("lock")
    }

    pub fn name(&self) -> String {
        let key = if self.kind == Kind::Qemu {
            "name"
        } else {
            "hostname"
        };
        let unnamed = || {
            format!(
                "{}{}",
                if self.kind == Kind::Qemu { "VM " } else { "CT" },
                self.vmid
            )
        };
        self.get(key).map(String::from).unwrap_or_else(unnamed)
    }

    pub fn set_name(&mut self, name: &str) {
        let key = match self.kind {
            Kind::Qemu => "name",
            Kind::Lxc => "hostname",
        };
        self.set(key, name);
    }

    pub fn template(&self) -> bool {
        self.get("template") == Some("1")
    }

    pub fn protected(&self) -> bool {
        self.get("protection") == Some("1")
    }

    /// The digest of the configuration file.
    pub fn digest(&self) -> String {
        let mut text = file(&self.config);
        if !self.pending.is_empty() {
            text += "[PENDING]\n";
            text += &file(&self.pending);
        }
        for snapshot in &self.snapshots {
            text += &format!(
                "[{}]\n{}\nsnaptime: {}\n",
                snapshot.name,
                file(&snapshot.config),
                snapshot.time
            );
        }
        if let Some(parent) = &self.parent {
            text += &format!("parent: {parent}\n");
        }
        sha1(text.as_bytes())
    }

    pub fn cpus(&self) -> u64 {
        let of = |key: &str| self.get(key).and_then(|text| text.parse::<u64>().ok());
        match self.kind {
            Kind::Qemu => of("sockets").unwrap_or(1) * of("cores").unwrap_or(1),
            Kind::Lxc => of("cores").unwrap_or(2),
        }
    }

    pub fn memory(&self) -> u64 {
        let text = self.get("memory").unwrap_or("512");
        let number: u64 = text
            .trim_start_matches("current=")
            .split(',')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(512);
        number << 20
    }

    pub fn maxdisk(&self) -> u64 {
        match self.kind {
            Kind::Qemu => {
                let boot = self
                    .get("boot")
                    .unwrap_or("")
                    .trim_start_matches("order=")
                    .split(';');
                let first = boot
                    .filter_map(|key| self.get(key).filter(|_| is_disk_key(key, Kind::Qemu)))
                    .find(|drive| !drive.contains("media=cdrom"));
                first.and_then(drive_size).unwrap_or(0)
            }
            Kind::Lxc => self
                .get("rootfs")
                .and_then(drive_size)
                .filter(|size| *size > 0)
                .unwrap_or(4 << 30),
        }
    }

    /// Disks and mount points: key and value, without CD-ROM drives and `unused`.
    pub fn disks(&self) -> Vec<(String, String)> {
        let all = self
            .config
            .iter()
            .filter(|(key, _)| is_disk_key(key, self.kind));
        all.filter(|(_, value)| !value.contains("media=cdrom"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The storages of its disks.
    pub fn storages(&self) -> Vec<String> {
        let ids = self.disks().into_iter().filter_map(|(_, value)| {
            let (storage, _) = volume(&value).split_once(':')?;
            Some(storage.to_string())
        });
        ids.collect()
    }

    /// All volumes that the configuration names, `unused` included.
    pub fn volumes(&self) -> Vec<String> {
        let named = |config: &Config| -> Vec<String> {
            let keys = config
                .iter()
                .filter(|(key, _)| is_disk_key(key, self.kind) || key.starts_with("unused"));
            keys.map(|(_, value)| volume(value).to_string())
                .filter(|id| id.contains(':'))
                .collect()
        };
        let mut all = named(&self.config);
        for snapshot in &self.snapshots {
            all.extend(named(&snapshot.config));
        }
        all.sort();
        all.dedup();
        all
    }
}

/// The volume of a drive's or mount point's value.
pub fn volume(value: &str) -> &str {
    let first = value.split(',').next().unwrap_or("");
    first
        .strip_prefix("file=")
        .or_else(|| first.strip_prefix("volume="))
        .unwrap_or(first)
}

/// One option of a drive's value.
pub fn option<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    value
        .split(',')
        .find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
}

pub fn drive_size(value: &str) -> Option<u64> {
    bytes(option(value, "size")?)
}

/// `32G`, `528K`, `512` to bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 1u64 << 10),
        (at, 'M') => (&text[..at], 1 << 20),
        (at, 'G') => (&text[..at], 1 << 30),
        (at, 'T') => (&text[..at], 1 << 40),
        _ => (text, 1),
    };
    number
        .parse::<f64>()
        .ok()
        .map(|number| (number * unit as f64) as u64)
}

/// Bytes as a drive's `size` writes them.
pub fn size_text(bytes: u64) -> String {
    for (unit, letter) in [
        (1u64 << 40, 'T'),
        (1 << 30, 'G'),
        (1 << 20, 'M'),
        (1 << 10, 'K'),
    ] {
        if bytes.is_multiple_of(unit) && bytes >= unit {
            return format!("{}{letter}", bytes / unit);
        }
    }
    bytes.to_string()
}

pub fn is_disk_key(key: &str, kind: Kind) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    match kind {
        Kind::Qemu => {
            stem != key
                && matches!(
                    stem,
                    "ide" | "sata" | "scsi" | "virtio" | "efidisk" | "tpmstate"
                )
        }
        Kind::Lxc => key == "rootfs" || (stem != key && stem == "mp"),
    }
}

/// A configuration as its file has it.
pub fn file(config: &Config) -> String {
    let lines = config.iter().filter(|(key, _)| *key != "description");
    let mut text: String = config
        .get("description")
        .map(|notes| notes.lines().map(|line| format!("#{line}\n")).collect())
        .unwrap_or_default();
    text.extend(lines.map(|(key, value)| format!("{key}: {value}\n")));
    text
}

/// A value with the type that the API gives it: whole numbers only where the schema says so.
pub fn typed(kind: Kind, key: &str, value: &str) -> Value {
    static METHODS: OnceLock<[Option<&'static schema::Method>; 2]> = OnceLock::new();
    let config = |kind: Kind| {
        schema::find("PUT", &format!("/nodes/x/{}/100/config", kind.word()))
            .map(|(method, _)| method)
    };
    let methods = METHODS.get_or_init(|| [config(Kind::Qemu), config(Kind::Lxc)]);
    let found = methods[kind as usize]
        .and_then(|method| method.param(key))
        .map(|param| param["type"].clone());
    let numeric = found
        .is_some_and(|kind| kind == "integer" || kind == "boolean" || kind == "number")
        || key == "template";
    match (numeric, value.parse::<i64>(), value.parse::<f64>()) {
        (true, Ok(number), _) => number.into(),
        (true, _, Ok(number)) => number.into(),
        _ => value.into(),
    }
}

/// A whole configuration as the API gives it.
pub fn object(kind: Kind, config: &Config) -> Map<String, Value> {
    let mut all = Map::new();
    for (key, value) in config {
        let shown = if key == "cipassword" {
            "**********".into()
        } else {
            typed(kind, key, value)
        };
        all.insert(key.clone(), shown);
    }
    all
}
