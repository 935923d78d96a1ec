//! The three clusters that sessions, the demo and the documents play with.

use super::spec::{ClusterSpec, GuestSpec, NodeSpec, StorageSpec, UPTIME_S};

fn nodes(names: &[&str]) -> Vec<NodeSpec> {
    names
        .iter()
        .map(|name| NodeSpec {
            name: name.to_string(),
            cpus: 16,
            memory_gib: 64,
            uptime_s: UPTIME_S,
        })
        .collect()
}

fn storage(
    id: &str,
    kind: &str,
    content: &str,
    shared: bool,
    total_gib: u64,
    used_gib: u64,
) -> StorageSpec {
    StorageSpec {
        id: id.into(),
        kind: kind.into(),
        content: content.into(),
        shared,
        total_gib,
        used_gib,
        files: Vec::new(),
    }
}

/// `local` with an ISO and a container template, `local-lvm`, shared `nas`.
fn storages() -> Vec<StorageSpec> {
    let mut local = storage("local", "dir", "iso,vztmpl,backup", false, 96, 14);
    local.files = vec![
        ("iso/debian-12.11.0-amd64-netinst.iso".into(), 702_545_920),
        (
            "vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".into(),
            126_515_062,
        ),
    ];
    let mut nas = storage("nas", "nfs", "backup,iso", true, 4000, 2600);
    nas.files = vec![("iso/virtio-win-0.1.266.iso".into(), 727_029_760)];
    vec![
        local,
        storage("local-lvm", "lvmthin", "images,rootdir", false, 800, 240),
        nas,
    ]
}

fn guest(vmid: u32, name: &str, node: &str, running: bool, config: &[(&str, &str)]) -> GuestSpec {
    GuestSpec {
        vmid,
        name: name.into(),
        node: node.into(),
        running,
        config: config
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
        ..GuestSpec::default()
    }
}

fn lxc(spec: GuestSpec) -> GuestSpec {
    GuestSpec { lxc: true, ..spec }
}

fn at(mut spec: GuestSpec, address: &str) -> GuestSpec {
    let interface = if spec.lxc { "eth0" } else { "ens18" };
    spec.addresses = vec![(interface.into(), address.into())];
    spec
}

fn backed_up(mut spec: GuestSpec, storage: &str, hours: i64) -> GuestSpec {
    spec.backups.push((storage.into(), hours));
    spec
}

fn template(node: &str, storage: &str) -> GuestSpec {
    let drive = format!("{storage}:8");
    guest(
        9000,
        "debian-12-template",
        node,
        false,
        &[
            ("template", "1"),
            ("cores", "2"),
            ("memory", "2048"),
            ("scsihw", "virtio-scsi-single"),
            ("ostype", "l26"),
            ("scsi0", &drive),
            ("net0", "virtio,bridge=vmbr0"),
            ("agent", "1"),
        ],
    )
}

fn cluster(name: &str, secret: &str, pattern: &str, region: &str, tier: &str) -> ClusterSpec {
    ClusterSpec {
        name: name.into(),
        token_id: "mcp@pve!mcp".into(),
        token_secret: secret.into(),
        pattern: pattern.into(),
        region: region.into(),
        tier: tier.into(),
        default_storage: "local-lvm".into(),
        storages: storages(),
        ..ClusterSpec::default()
    }
}

fn production() -> ClusterSpec {
    let mut web = backed_up(
        at(
            guest(
                100,
                "prod-web-01",
                "prod-pve1",
                true,
                &[
                    ("cores", "4"),
                    ("memory", "8192"),
                    ("cpu", "x86-64-v2-AES"),
                    ("scsihw", "virtio-scsi-single"),
                    ("ostype", "l26"),
                    ("scsi0", "ceph-vm:32,iothread=1"),
                    ("net0", "virtio,bridge=vmbr0,tag=20"),
                    ("agent", "1"),
                    ("tags", "prod;web"),
                    ("onboot", "1"),
                    ("description", "Front end of the shop.\n"),
                ],
            ),
            "10.20.0.11/24",
        ),
        "nas",
        6,
    );
    web.snapshots = vec!["before-upgrade".into()];
    let db = backed_up(
        at(
            guest(
                101,
                "prod-db-01",
                "prod-pve2",
                true,
                &[
                    ("cores", "8"),
                    ("memory", "32768"),
                    ("scsihw", "virtio-scsi-single"),
                    ("ostype", "l26"),
                    ("scsi0", "ceph-vm:64,iothread=1"),
                    ("scsi1", "ceph-vm:500,iothread=1"),
                    ("net0", "virtio,bridge=vmbr0,tag=30"),
                    ("agent", "1"),
                    ("tags", "db;prod"),
                    ("onboot", "1"),
                ],
            ),
            "10.30.0.11/24",
        ),
        "nas",
        30,
    );
    let cache = at(
        lxc(guest(
            102,
            "prod-cache",
            "prod-pve1",
            true,
            &[
                ("cores", "2"),
                ("memory", "4096"),
                ("swap", "512"),
                ("rootfs", "local-lvm:16"),
                (
                    "net0",
                    "name=eth0,bridge=vmbr0,ip=10.20.0.12/24,gw=10.20.0.1",
                ),
                ("tags", "cache;prod"),
                ("onboot", "1"),
            ],
        )),
        "10.20.0.12/24",
    );
    let billing = guest(
        110,
        "billing",
        "prod-pve3",
        false,
        &[
            ("cores", "2"),
            ("memory", "4096"),
            ("scsihw", "virtio-scsi-single"),
            ("ostype", "l26"),
            ("scsi0", "local-lvm:40"),
            ("net0", "virtio,bridge=vmbr0"),
        ],
    );
    let mut spec = cluster(
        "production",
        "5ec7e700-1111-4111-8111-aaaaaaaaaaaa",
        "prod-",
        "eu-central",
        "production",
    );
    spec.nodes = nodes(&["prod-pve1", "prod-pve2", "prod-pve3"]);
    spec.default_storage = "ceph-vm".into();
    spec.storages.push(storage(
        "ceph-vm",
        "rbd",
        "images,rootdir",
        true,
        8000,
        3100,
    ));
    spec.guests = vec![web, db, cache, billing, template("prod-pve1", "ceph-vm")];
    spec.pools = vec![("shop".into(), vec![100, 101])];
    spec
}

fn staging() -> ClusterSpec {
    let twin = |vmid, node| {
        guest(
            vmid,
            "twin",
            node,
            false,
            &[
                ("memory", "512"),
                ("scsi0", "local-lvm:4"),
                ("net0", "virtio,bridge=vmbr0"),
            ],
        )
    };
    let mut spec = cluster(
        "staging",
        "5ec7e700-2222-4222-8222-bbbbbbbbbbbb",
        "stg-",
        "eu-west",
        "staging",
    );
    spec.nodes = nodes(&["stg-pve1", "stg-pve2"]);
    spec.guests = vec![
        guest(
            100,
            "stg-web-01",
            "stg-pve1",
            false,
            &[
                ("cores", "2"),
                ("memory", "2048"),
                ("scsihw", "virtio-scsi-single"),
                ("ostype", "l26"),
                ("scsi0", "local-lvm:16"),
                ("net0", "virtio,bridge=vmbr0"),
                ("agent", "1"),
                ("tags", "stg;web"),
            ],
        ),
        backed_up(
            at(
                lxc(guest(
                    101,
                    "stg-db-01",
                    "stg-pve2",
                    true,
                    &[
                        ("cores", "2"),
                        ("memory", "2048"),
                        ("swap", "512"),
                        ("rootfs", "local-lvm:20"),
                        (
                            "net0",
                            "name=eth0,bridge=vmbr0,ip=10.40.0.11/24,gw=10.40.0.1",
                        ),
                        ("tags", "db;stg"),
                    ],
                )),
                "10.40.0.11/24",
            ),
            "nas",
            50,
        ),
        at(
            guest(
                103,
                "stg-web-02",
                "stg-pve2",
                true,
                &[
                    ("cores", "2"),
                    ("memory", "2048"),
                    ("scsihw", "virtio-scsi-single"),
                    ("ostype", "l26"),
                    ("scsi0", "local-lvm:16"),
                    ("net0", "virtio,bridge=vmbr0"),
                    ("agent", "1"),
                    ("tags", "stg;web"),
                ],
            ),
            "10.40.0.12/24",
        ),
        guest(
            120,
            "lab",
            "stg-pve1",
            false,
            &[
                ("cores", "1"),
                ("memory", "1024"),
                ("scsi0", "local-lvm:8"),
                ("net0", "virtio,bridge=vmbr0"),
            ],
        ),
        twin(130, "stg-pve1"),
        twin(131, "stg-pve2"),
        template("stg-pve1", "local-lvm"),
    ];
    spec
}

fn disaster_recovery() -> ClusterSpec {
    let mut spec = cluster(
        "disaster-recovery",
        "5ec7e700-3333-4333-8333-cccccccccccc",
        "dr-",
        "us-east",
        "dr",
    );
    spec.standalone = true;
    spec.nodes = nodes(&["dr-pve1"]);
    spec.guests = vec![
        backed_up(
            at(
                guest(
                    200,
                    "dr-web-01",
                    "dr-pve1",
                    true,
                    &[
                        ("cores", "2"),
                        ("memory", "4096"),
                        ("scsihw", "virtio-scsi-single"),
                        ("ostype", "l26"),
                        ("scsi0", "local-lvm:32"),
                        ("net0", "virtio,bridge=vmbr0"),
                        ("agent", "1"),
                        ("tags", "dr;web"),
                    ],
                ),
                "10.50.0.11/24",
            ),
            "nas",
            20,
        ),
        at(
            lxc(guest(
                300,
                "vault",
                "dr-pve1",
                true,
                &[
                    ("cores", "1"),
                    ("memory", "1024"),
                    ("swap", "256"),
                    ("rootfs", "local-lvm:8"),
                    (
                        "net0",
                        "name=eth0,bridge=vmbr0,ip=10.50.0.12/24,gw=10.50.0.1",
                    ),
                    ("protection", "1"),
                ],
            )),
            "10.50.0.12/24",
        ),
    ];
    spec
}

pub fn three() -> Vec<ClusterSpec> {
    vec![production(), staging(), disaster_recovery()]
}
