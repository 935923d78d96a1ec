//! The modelled methods: which function answers which, and what all of them need.

mod access;
mod agent;
mod backup;
mod change;
mod clone;
mod cluster;
mod config;
mod content;
mod create;
mod destroy;
mod disk;
mod files;
pub mod firewall;
mod groups;
mod ha;
mod history;
mod import;
mod index;
mod jobs;
mod list;
mod migrate;
mod moving;
mod network;
mod node;
mod plug;
mod pool;
mod power;
mod remote;
mod resources;
mod restore;
mod snapshot;
mod storage;
mod task;
mod tunnel;
mod users;

use serde_json::Value;

pub use resources::live;

use super::answer::{Answer, Refusal, number, text};
use super::gate::Call;
use super::guest::{Guest, Kind};

pub type Handler = fn(&mut Call) -> Answer;

/// Every modelled method.
pub fn table() -> impl Iterator<Item = &'static (&'static str, &'static str, Handler)> {
    [
        access::TABLE,
        agent::TABLE,
        backup::TABLE,
        clone::TABLE,
        cluster::TABLE,
        config::TABLE,
        content::TABLE,
        create::TABLE,
        destroy::TABLE,
        disk::TABLE,
        groups::TABLE,
        ha::TABLE,
        history::TABLE,
        jobs::TABLE,
        list::TABLE,
        migrate::TABLE,
        network::TABLE,
        node::TABLE,
        pool::TABLE,
        power::TABLE,
        remote::TABLE,
        resources::TABLE,
        snapshot::TABLE,
        storage::TABLE,
        task::TABLE,
        files::TABLE,
        users::TABLE,
    ]
    .into_iter()
    .flatten()
}

pub fn handle(call: &mut Call) -> Answer {
    let (verb, path) = (call.method.verb.as_str(), call.method.path.as_str());
    if let Some((.., handler)) = table().find(|(v, p, _)| *v == verb && *p == path) {
        return handler(call);
    }
    if let Some(answer) = index::of(verb, path) {
        return Ok(answer);
    }
    if path.contains("/firewall") {
        return firewall::handle(call);
    }
    Err(Refusal::http(
        501,
        format!("{verb} {path}: not modelled by the simulator"),
    ))
}

impl Call<'_> {
    pub fn text(&self, name: &str) -> String {
        text(&self.params, name)
    }

    pub fn vmid(&self) -> u32 {
        number(&self.params, "vmid").unwrap_or(0) as u32
    }

    /// The kind of guest that the path is about.
    pub fn kind(&self) -> Kind {
        if self.method.path.contains("/lxc") {
            Kind::Lxc
        } else {
            Kind::Qemu
        }
    }

    /// The guest of the path, or what Proxmox says where there is none.
    pub fn guest(&self) -> Result<&Guest, Refusal> {
        let (kind, vmid) = (self.kind(), self.vmid());
        self.state
            .guest(&self.node, kind, vmid)
            .ok_or_else(|| Refusal::die(missing(&self.node, kind, vmid)))
    }

    pub fn guest_mut(&mut self) -> Result<&mut Guest, Refusal> {
        self.guest()?;
        let vmid = self.vmid();
        self.state
            .guests
            .get_mut(&vmid)
            .ok_or_else(|| Refusal::die("gone"))
    }

    /// Refuses while the cluster has no quorum.
    pub fn quorate(&self) -> Result<(), Refusal> {
        if self.state.has_quorum() {
            Ok(())
        } else {
            Err(Refusal::die("cluster not ready - no quorum?"))
        }
    }

    /// Puts something that makes no task into the cluster's log.
    pub fn log(&mut self, message: String) {
        let (time, node, user) = (self.state.now(), self.node.clone(), self.who.id());
        let tasks_before = self.state.tasks.len();
        self.state.done.push(super::state::Done {
            time,
            tasks_before,
            node,
            user,
            message,
        });
    }

    /// Waits for a lock file that a task holds.
    pub fn unheld(&self, vmid: u32) -> Result<(), Refusal> {
        if !self.state.held(vmid) {
            return Ok(());
        }
        let file = match self.kind() {
            Kind::Qemu => format!("/var/lock/qemu-server/lock-{vmid}.conf"),
            Kind::Lxc => format!("/run/lock/lxc/pve-config-{vmid}.lock"),
        };
        let text = format!("can't lock file '{file}' - got timeout");
        Err(Refusal::die(text).waiting(self.lock_s()))
    }

    /// How long a request waits for a lock, of a guest or of a file of the cluster's.
    pub fn lock_s(&self) -> f64 {
        self.state.pace.lock_ms as f64 / 1000.0
    }
}

pub fn missing(node: &str, kind: Kind, vmid: u32) -> String {
    format!(
        "Configuration file 'nodes/{node}/{}/{vmid}.conf' does not exist",
        kind.conf()
    )
}

pub fn locked(guest: &Guest) -> Result<(), String> {
    match guest.lock() {
        Some(lock) => Err(format!("{} is locked ({lock})", guest.kind.short())),
        None => Ok(()),
    }
}

/// Nothing.
pub const NULL: Answer = Ok(Value::Null);
