//! `guest_create_vm` and `guest_create_container`: new guests, with a free VMID, on a storage and a
//! bridge that are there.

use serde_json::{Map, Value};

use super::image;
use super::no_effect;
use super::place::{self, ChosenNode, DiskStorage, Problems};
use super::property::{self, DiskContent};
use super::settings::{self, SETTINGS};
use super::vmid;
use crate::api::loose;
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sends};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::{LONG_NAME_MAX_CHARS, repeated};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, SizeUnit, Word};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::state::{self, GuestLocation};

const CORES_MAX: i64 = 8192;
const MEMORY_MAX_MIB: i64 = 16_777_216;
const DISK_MAX_GIB: i64 = 131_072;
/// The longest list of keys, in characters.
const KEYS_MAX_CHARS: usize = 8192;
/// What a guest has where the call does not say, as in the web interface.
const VM_DISK_GIB: i64 = 32;
const VM_MEMORY_MIB: i64 = 2048;
const CONTAINER_DISK_GIB: i64 = 8;

pub(super) const NEW_NAME: Param = Param::new("name", ParamKind::Word(Word::DnsName), "a DNS name");
pub(super) const NEW_VMID: Param = Param::new(
    "vmid",
    ParamKind::Int(100, 999_999_999),
    "else the next free",
)
.optional();
const NODE: Param = Param::new(
    "node",
    ParamKind::Word(Word::Node),
    "else the default, or the one with most free memory",
)
.optional();
const CORES: Param = Param::new("cores", ParamKind::Int(1, CORES_MAX), "else 1").optional();
const STORAGE: Param = Param::new(
    "storage",
    ParamKind::Word(Word::Storage),
    "for the disk; else the default",
)
.optional();
const BRIDGE: Param = Param::new(
    "bridge",
    ParamKind::Word(Word::Id),
    "as vmbr0; else the default",
)
.optional();
const START: Param = Param::new("start", ParamKind::Bool, "start it when made").optional();

const SENDS: Sends = &[
    vmid::READS,
    place::READS,
    image::READS,
    state::READS,
    &[sending::post("/nodes/{node}/{kind}").weighing(Mark::CHANGE)],
];

const ANSWER: &[(&str, &str)] = &[
    ("vmid", "integer"),
    ("node", "string"),
    ("task", "string"),
    ("state", "string"),
];

pub(super) const VM: Tool = Tool {
    name: "guest_create_vm",
    title: "Create a virtual machine",
    about: "Creates a VM, on default node, storage and bridge. From a template: guest_clone.",
    actions: Actions::one(SENDS),
    subject: Subject::New("name"),
    params: &[
        NEW_NAME,
        NEW_VMID,
        NODE,
        CORES,
        Param::new(
            "memory",
            ParamKind::Size(SizeUnit::MiB, 16, MEMORY_MAX_MIB),
            "MiB; else 2048",
        )
        .optional(),
        Param::new(
            "disk_gib",
            ParamKind::Size(SizeUnit::GiB, 0, DISK_MAX_GIB),
            "else 32; 0: no disk",
        )
        .optional(),
        STORAGE,
        BRIDGE,
        Param::new(
            "iso",
            ParamKind::Text(LONG_NAME_MAX_CHARS),
            "volume, as `local:iso/x.iso`",
        )
        .optional(),
        START,
        SETTINGS,
    ],
    answer: ANSWER,
    task: true,
    plan: None,
    run: RunFn::Write(vm),
};

pub(super) const CONTAINER: Tool = Tool {
    name: "guest_create_container",
    title: "Create a container",
    about: "Creates a container, unprivileged at first, with DHCP unless `settings` has `net0`.",
    actions: Actions::one(SENDS),
    subject: Subject::New("name"),
    params: &[
        NEW_NAME,
        Param::new(
            "ostemplate",
            ParamKind::Text(LONG_NAME_MAX_CHARS),
            "volume, as `local:vztmpl/x.tar.zst`",
        ),
        NEW_VMID,
        NODE,
        CORES,
        Param::new(
            "memory",
            ParamKind::Size(SizeUnit::MiB, 16, MEMORY_MAX_MIB),
            "MiB; else 512",
        )
        .optional(),
        Param::new(
            "disk_gib",
            ParamKind::Size(SizeUnit::GiB, 1, DISK_MAX_GIB),
            "else 8",
        )
        .optional(),
        STORAGE,
        BRIDGE,
        Param::new("password", ParamKind::Text(256), "of root").optional(),
        Param::new(
            "ssh_public_keys",
            ParamKind::Text(KEYS_MAX_CHARS),
            "of root, one a line",
        )
        .optional(),
        Param::new("unprivileged", ParamKind::Bool, "else true").optional(),
        START,
        SETTINGS,
    ],
    answer: ANSWER,
    task: true,
    plan: None,
    run: RunFn::Write(container),
};

/// Parameters of the API that stand for an argument, or make something else than a new guest.
const VM_TAKEN: &[(&str, &str)] = &[
    ("name", "the argument `name`"),
    ("vmid", "the argument `vmid`"),
    ("node", "the argument `node`"),
    ("cores", "the argument `cores`"),
    ("memory", "the argument `memory`"),
    ("storage", "the argument `storage`"),
    ("start", "the argument `start`"),
    ("archive", "backup_restore"),
    ("force", "backup_restore"),
    ("unique", "backup_restore"),
    ("live-restore", "backup_restore"),
];
const CONTAINER_TAKEN: &[(&str, &str)] = &[
    ("hostname", "the argument `name`"),
    ("ostemplate", "the argument `ostemplate`"),
    ("vmid", "the argument `vmid`"),
    ("node", "the argument `node`"),
    ("cores", "the argument `cores`"),
    ("memory", "the argument `memory`"),
    ("storage", "the argument `storage`"),
    ("start", "the argument `start`"),
    ("password", "the argument `password`"),
    ("ssh-public-keys", "the argument `ssh_public_keys`"),
    ("unprivileged", "the argument `unprivileged`"),
    ("restore", "backup_restore"),
    ("force", "backup_restore"),
    ("unique", "backup_restore"),
];

/// What a new guest will be.
struct Draft {
    kind: GuestKind,
    node: ChosenNode,
    /// Where its first disk goes; none where the settings say it.
    storage: Option<DiskStorage>,
    params: Map<String, Value>,
}

fn vm(reach: &Reach, args: &Args) -> WriteResult {
    vm_draft(reach, args).and_then(|draft| make(reach, args, draft))
}

fn vm_draft(reach: &Reach, args: &Args) -> Result<Draft, Error> {
    let mut problems = Problems::default();
    let taken = taken(
        args,
        VM_TAKEN,
        &[("scsi0", "disk_gib"), ("net0", "bridge"), ("ide2", "iso")],
    );
    let free = problems
        .take(settings::free(args, &taken))?
        .unwrap_or_default();
    let node = problems.must(place::node(reach, args.text("node")))?;
    let mut params = Map::new();
    params.insert("name".into(), args.need("name")?.into());
    params.insert("ostype".into(), "l26".into());
    params.insert("scsihw".into(), "virtio-scsi-single".into());
    params.insert("cores".into(), args.int("cores").unwrap_or(1).into());
    // The API's `memory` of a VM is a property string.
    let memory = args.int("memory").unwrap_or(VM_MEMORY_MIB);
    params.insert("memory".into(), memory.to_string().into());
    let gib = args.int("disk_gib").unwrap_or(VM_DISK_GIB);
    let mut storage = None;
    if gib > 0 && (args.has("disk_gib") || !has_disk(&free)) {
        let given = args.text("storage");
        storage = problems.take(place::storage(reach, &node.name, "images", given))?;
        if let Some(store) = &storage {
            let (named, format) = (&store.name, store.format_part(GuestKind::Qemu, place::DISK));
            let disk = format!("{named}:{gib}{format},iothread=1");
            params.insert("scsi0".into(), disk.into());
        }
    }
    if !free.contains_key("net0") {
        let bridge = problems.take(place::bridge(reach, &node.name, args.text("bridge")))?;
        let bridge = bridge.unwrap_or_default();
        params.insert("net0".into(), format!("virtio,bridge={bridge}").into());
    }
    if let Some(iso) = args.text("iso") {
        problems.take(image::check(reach, &node.name, iso, "iso"))?;
        if iso.contains([',', '=']) {
            problems.add(format!(
                "`{}` cannot be inserted: Proxmox takes a `,` or `=` in its name for settings of the drive",
                repeated(iso)
            ));
        }
        params.insert("ide2".into(), format!("{iso},media=cdrom").into());
    }
    problems.end()?;
    params.extend(free);
    Ok(Draft {
        kind: GuestKind::Qemu,
        node,
        storage,
        params,
    })
}

fn container(reach: &Reach, args: &Args) -> WriteResult {
    container_draft(reach, args).and_then(|draft| make(reach, args, draft))
}

fn container_draft(reach: &Reach, args: &Args) -> Result<Draft, Error> {
    let mut problems = Problems::default();
    let taken = taken(
        args,
        CONTAINER_TAKEN,
        &[("rootfs", "disk_gib"), ("net0", "bridge")],
    );
    let free = problems
        .take(settings::free(args, &taken))?
        .unwrap_or_default();
    let node = problems.must(place::node(reach, args.text("node")))?;
    let template = args.need("ostemplate")?;
    problems.take(image::check(reach, &node.name, template, "vztmpl"))?;
    let mut params = Map::new();
    params.insert("hostname".into(), args.need("name")?.into());
    params.insert("ostemplate".into(), template.into());
    let unprivileged = args.bool("unprivileged").unwrap_or(true);
    params.insert("unprivileged".into(), unprivileged.into());
    for name in ["cores", "memory", "password"] {
        if let Some(value) = args.get(name) {
            params.insert(name.into(), value.clone());
        }
    }
    if let Some(keys) = args.text("ssh_public_keys") {
        params.insert("ssh-public-keys".into(), keys.into());
    }
    let mut storage = None;
    if !free.contains_key("rootfs") {
        let given = args.text("storage");
        storage = problems.take(place::storage(reach, &node.name, "rootdir", given))?;
        let named = storage.as_ref().map_or("", |store| store.name.as_str());
        let gib = args.int("disk_gib").unwrap_or(CONTAINER_DISK_GIB);
        params.insert("rootfs".into(), format!("{named}:{gib}").into());
    }
    if !free.contains_key("net0") {
        let bridge = problems.take(place::bridge(reach, &node.name, args.text("bridge")))?;
        let bridge = bridge.unwrap_or_default();
        params.insert(
            "net0".into(),
            format!("name=eth0,bridge={bridge},ip=dhcp").into(),
        );
    }
    problems.end()?;
    params.extend(free);
    Ok(Draft {
        kind: GuestKind::Lxc,
        node,
        storage,
        params,
    })
}

/// What may not be among the settings: always, and where the argument that makes it is given.
fn taken(
    args: &Args,
    always: &'static [(&'static str, &'static str)],
    made_by: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str)> {
    let made = made_by.iter().filter(|(_, argument)| args.has(argument));
    always.iter().chain(made).copied().collect()
}

/// Whether the settings bring a disk, so that none is made beside it.
fn has_disk(settings: &Map<String, Value>) -> bool {
    settings.iter().any(|(key, value)| {
        let properties = property::Properties::parse(&loose::plain(value));
        let disk = property::is_disk(GuestKind::Qemu, key) && !property::is_state(key);
        disk && property::held(&properties) != DiskContent::Cd
    })
}

/// Makes the guest and waits for the end of that.
fn make(reach: &Reach, args: &Args, draft: Draft) -> WriteResult {
    let Draft {
        kind,
        node,
        storage,
        mut params,
    } = draft;
    if args.yes("start") {
        params.insert("start".into(), true.into());
    }
    let told = no_effect::told(kind, &Map::new(), &params, &[]);
    let values = [node.name.as_str(), kind.name()];
    let mut request = Request::new(Verb::Post, "/nodes/{node}/{kind}", &values)?;
    request.params = params;
    let build = |vmid: u32| request.clone().with("vmid", vmid);
    let mut raw = Vec::new();
    if args.has("settings") {
        // Which VMID it will be is no matter here.
        reach.check(&build(100))?;
        let free = args.settings("settings");
        raw = place::disks_without_snapshots(reach, &node.name, kind, &free)?;
    }
    let namesakes = place::namesakes(reach, args.need("name")?, None)?;
    let (vmid, reply) = vmid::make(reach, args, &|vmid| reach.send(&build(vmid)))?;
    let mut answer = Map::new();
    answer.insert("vmid".into(), vmid.into());
    answer.insert("name".into(), args.need("name")?.into());
    answer.insert("type".into(), kind.word().into());
    answer.insert("node".into(), node.name.clone().into());
    answer.insert("node_chosen_by".into(), node.chosen_by.into());
    if let Some(store) = storage {
        store.tell(reach, kind, place::DISK);
        answer.insert("storage".into(), store.name.into());
        answer.insert("storage_chosen_by".into(), store.chosen_by.into());
    }
    let notes: Vec<String> = namesakes.into_iter().chain(told).chain(raw).collect();
    if !notes.is_empty() {
        answer.insert("notes".into(), notes.into());
    }
    let made = GuestLocation {
        node: node.name,
        kind,
        vmid,
    };
    let write = Write::sent(reply, answer);
    if !args.yes("start") {
        return Ok(write);
    }
    Ok(write.then(|reach, args, answer| state::told(reach, args, made, true, answer)))
}
