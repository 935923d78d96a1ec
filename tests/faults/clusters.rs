//! The two clusters that the calls meet: in `one` everything goes wrong, `two` is always well.

use super::row::Writes;
use crate::sim::api::firewall::Firewall;
use crate::sim::guest::{Kind, Status};
use crate::sim::rights::Who;
use crate::sim::task::Plan;
use crate::sim::{ClusterSpec, GuestSpec, NodeSpec, StorageSpec, World};

/// The cluster where things go wrong.
pub const ONE: &str = "one";
/// The first is the one that is asked first, and the guests are there.
pub const NODES: [&str; 3] = ["one-a", "one-b", "one-c"];
/// Guests by what they are: a machine that runs, one that is stopped, a container that runs, one that
/// is stopped, a machine that is paused, a template.
pub const GUESTS: [&str; 6] = ["web", "db", "box", "jar", "still", "mould"];

/// When the volumes were made, in seconds since 1970.
const MADE: i64 = 1_700_000_000;
/// A task of the node that runs for longer than any cell.
const TASK_LENGTH: u64 = 1_000_000;

fn storage(id: &str, kind: &str, content: &str, shared: bool) -> StorageSpec {
    StorageSpec {
        id: id.into(),
        kind: kind.into(),
        content: content.into(),
        shared,
        total_gib: 1000,
        used_gib: 100,
        files: Vec::new(),
    }
}

fn guest(vmid: u32, name: &str, running: bool, config: &[(&str, &str)]) -> GuestSpec {
    GuestSpec {
        vmid,
        name: name.into(),
        node: NODES[0].into(),
        running,
        config: config
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        snapshots: vec!["before".into()],
        backups: vec![("nas".into(), 6)],
        ..GuestSpec::default()
    }
}

fn machine(vmid: u32, name: &str, running: bool) -> GuestSpec {
    let config = [
        ("memory", "1024"),
        ("ostype", "l26"),
        ("agent", "1"),
        ("scsihw", "virtio-scsi-single"),
        ("scsi0", "ceph-vm:8"),
        ("scsi1", "ceph-vm:4"),
        ("net0", "virtio,bridge=vmbr0"),
        ("net1", "virtio,bridge=vmbr0"),
        ("tags", "a;web"),
        ("description", "theirs"),
    ];
    let mut spec = guest(vmid, name, running, &config);
    spec.addresses = vec![("ens18".into(), format!("10.1.0.{vmid}/24"))];
    spec
}

fn container(vmid: u32, name: &str, running: bool) -> GuestSpec {
    let config = [
        ("memory", "512"),
        ("rootfs", "ceph-vm:8"),
        ("mp0", "ceph-vm:4,mp=/srv"),
        ("net0", "name=eth0,bridge=vmbr0,ip=dhcp"),
        ("tags", "a;web"),
    ];
    let mut spec = guest(vmid, name, running, &config);
    spec.lxc = true;
    spec
}

fn cluster(name: &str, nodes: &[&str], guests: Vec<GuestSpec>) -> ClusterSpec {
    let mut local = storage("local", "dir", "iso,vztmpl,backup", false);
    local.files = vec![
        ("iso/debian.iso".into(), 1 << 20),
        ("vztmpl/debian-12.tar.zst".into(), 1 << 20),
    ];
    ClusterSpec {
        name: name.into(),
        standalone: nodes.len() == 1,
        nodes: nodes
            .iter()
            .map(|node| NodeSpec {
                name: (*node).into(),
                cpus: 8,
                memory_gib: 32,
                uptime_s: 864_000,
            })
            .collect(),
        guests,
        storages: vec![
            local,
            storage("nas", "nfs", "backup,iso", true),
            storage("ceph-vm", "rbd", "images,rootdir", true),
            storage("ceph-more", "rbd", "images,rootdir", true),
        ],
        pools: vec![("shop".into(), Vec::new())],
        token_id: "mcp@pve!mcp".into(),
        token_secret: format!("secret-of-{name}"),
        default_storage: "ceph-vm".into(),
        ..ClusterSpec::default()
    }
}

/// Both clusters, always the same.
pub fn start() -> World {
    let mut mould = machine(106, "mould", false);
    mould.config.push(("template".into(), "1".into()));
    mould.snapshots.clear();
    // One to be made a template.
    let mut jar = container(104, "jar", false);
    jar.snapshots.clear();
    let mut away = machine(200, "away", true);
    away.node = "two-a".into();
    let guests = vec![
        machine(101, "web", true),
        machine(102, "db", false),
        container(103, "box", true),
        jar,
        machine(105, "still", true),
        mould,
    ];
    let world = World::start(vec![
        cluster(ONE, &NODES, guests),
        cluster("two", &["two-a"], vec![away]),
    ]);
    world.cluster(ONE).edit(|state| {
        // Made in one second or in two, they would be listed in another order.
        let volumes = state.storages.iter_mut().flat_map(|one| &mut one.volumes);
        for volume in volumes.filter(|volume| volume.content != "backup") {
            volume.ctime = MADE;
        }
        // A change of a network waits to be applied.
        for node in state.nodes.values_mut() {
            node.planned = Some(node.interfaces.clone());
        }
        // Of the cluster, and of one guest: two rules, and what rules go by.
        for scope in ["cluster", "guest/101"] {
            *state.firewall.entry(scope.into()).or_default() = Firewall::furnished("office");
        }
        if let Some(still) = state.guests.get_mut(&105) {
            still.status = Status::Paused;
        }
        // What a stopped machine no longer uses.
        let spare = state.allocate_as("ceph-vm", NODES[0], 102, Kind::Qemu, 1 << 30, None, "vm");
        if let (Ok(spare), Some(db)) = (spare, state.guests.get_mut(&102)) {
            db.set("unused0", &spare);
            if let Some(volume) = state.volume_mut(&spare, NODES[0]) {
                volume.ctime = MADE;
            }
        }
        // Its older backup is one to prune.
        if let Some(db) = state.guests.get(&102).cloned() {
            state.archive(&db, "nas", MADE, None, false, "vma.zst");
        }
        let who = Who {
            user: "mcp@pve".into(),
            token: Some("mcp".into()),
            ..Who::default()
        };
        let plan = Plan::new(NODES[1], "vzdump", "").length(TASK_LENGTH);
        state.spawn(&who, plan, |_, _| Ok(()));
    });
    let job =
        format!("job {ONE} fresh schedule=2:00 storage=nas vmid=102 prune-backups=keep-last=1");
    world.direct(&job).expect("an order");
    world
}

/// What stands for something that is new in each world.
pub fn filled(world: &World, text: &str) -> String {
    let cluster = world.cluster(ONE);
    match text {
        "$task" => cluster.edit(|state| {
            let task = state.tasks.iter().find(|task| task.end.is_none());
            task.map_or(String::new(), |task| format!("{ONE}!{}", task.upid))
        }),
        "$archive" => cluster.edit(|state| {
            let volumes = state.storages.iter().flat_map(|storage| &storage.volumes);
            let mut backups = volumes.filter(|volume| volume.content == "backup");
            let of_db = backups.find(|volume| volume.vmid == Some(102));
            of_db.map_or(String::new(), |volume| volume.volid.clone())
        }),
        "$digest" => cluster.just_now(|state| {
            let firewall = state.firewall.get("guest/101");
            firewall.map_or(String::new(), Firewall::rules_digest)
        }),
        other => other.into(),
    }
}

/// Waits for the tasks that end.
pub fn settle(world: &World) {
    let running = || {
        world.cluster(ONE).just_now(|state| {
            let running = state.tasks.iter().filter(|task| task.end.is_none());
            running
                .filter(|task| !(task.kind == "vzdump" && task.id.is_empty()))
                .count()
        })
    };
    for _ in 0..500 {
        if running() == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// The VMID of a guest of `one`.
pub fn vmid(world: &World, name: &str) -> Option<u32> {
    world.cluster(ONE).just_now(|state| {
        let found = state.guests.values().find(|guest| guest.name() == name);
        found.map(|guest| guest.vmid)
    })
}

/// What was done to the guest that has taken a VMID over, by these writes or unseen; nothing where
/// none has.
pub fn harm(world: &World, vmid: u32, done: &Writes) -> Option<String> {
    world.cluster(ONE).just_now(|state| {
        let placed = state.successors.get(&vmid)?;
        let what = match (state.guests.get(&vmid), done.keys().next()) {
            (_, Some(write)) => format!("was addressed by `{write}`"),
            (None, _) => "is gone".into(),
            (Some(guest), _) if guest.config != placed.config => "was configured".into(),
            (Some(guest), _) if guest.status != placed.status => "was started or stopped".into(),
            _ => return None,
        };
        Some(format!("the guest that had taken the VMID over {what}"))
    })
}
