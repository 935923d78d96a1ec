//! What a protected guest is let: every row of the gate's table with every parameter that Proxmox
//! knows for it, one at a time, and what is let only as the guest is now.

use std::collections::BTreeSet;

use proxmox_mcp::api::methods::{self, Condition, Lets, Touch, weigh};
use proxmox_mcp::api::request::{Request, Verb};
use serde_json::{Map, Value, json};

use crate::gate::protect::{app, passes, refused, request, world};
use crate::sim::guest::Status;
use crate::sim::schema;

const CONFIG: &[&str] = &[
    "background_delay",
    "delete",
    "description",
    "digest",
    "hostname",
    "name",
    "onboot",
    "protection",
    "revert",
    "startup",
    "tags",
];
const CONTAINER: &[&str] = &["cores", "memory"];

/// What is let: the row, what has to be sent for that, and the parameters that may be sent beside it.
/// Everything else is refused.
#[rustfmt::skip] // One row a line.
fn let_rows() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let config = |more: &[&'static str]| [CONFIG, CONTAINER, more].concat();
    let backup = vec![
        "all", "bwlimit", "compress", "exclude", "exclude-path", "fleecing", "ionice", "lockwait",
        "mailnotification", "mailto", "notes-template", "notification-mode",
        "pbs-change-detection-mode", "performance", "pigz", "pool", "protected", "quiet",
        "stdexcludes", "storage", "vmid", "zstd",
    ];
    let drives = ["cdrom", "efidisk0", "ide[n]", "net[n]", "sata[n]", "scsi[n]", "tpmstate0", "unused[n]", "virtio[n]"];
    let volumes = ["mp[n]", "net[n]", "rootfs", "unused[n]"];
    vec![
        ("POST /nodes/{node}/qemu/{vmid}/clone", json!({}), vec!["*"]),
        ("POST /nodes/{node}/lxc/{vmid}/clone", json!({}), vec!["*"]),
        ("PUT /nodes/{node}/qemu/{vmid}/config", json!({}), config(&drives)),
        ("POST /nodes/{node}/qemu/{vmid}/config", json!({}), config(&drives)),
        ("PUT /nodes/{node}/lxc/{vmid}/config", json!({}), config(&volumes)),
        ("PUT /nodes/{node}/qemu/{vmid}/resize", json!({}), vec!["digest", "disk", "size"]),
        ("PUT /nodes/{node}/lxc/{vmid}/resize", json!({}), vec!["digest", "disk", "size"]),
        ("POST /nodes/{node}/qemu/{vmid}/move_disk", json!({}), vec!["bwlimit", "digest", "disk", "format", "storage"]),
        ("POST /nodes/{node}/lxc/{vmid}/move_volume", json!({}), vec!["bwlimit", "digest", "storage", "volume"]),
        ("PUT /nodes/{node}/qemu/{vmid}/cloudinit", json!({}), vec![]),
        ("POST /nodes/{node}/qemu/{vmid}/migrate", json!({}), vec![
            "bwlimit", "migration_network", "online", "target", "targetstorage", "with-conntrack-state", "with-local-disks",
        ]),
        ("POST /nodes/{node}/lxc/{vmid}/migrate", json!({}), vec!["bwlimit", "online", "restart", "target", "target-storage", "timeout"]),
        ("POST /nodes/{node}/qemu/{vmid}/status/start", json!({}), vec!["timeout"]),
        ("POST /nodes/{node}/lxc/{vmid}/status/start", json!({}), vec![]),
        ("POST /nodes/{node}/qemu/{vmid}/status/resume", json!({}), vec![]),
        ("POST /nodes/{node}/lxc/{vmid}/status/resume", json!({}), vec![]),
        ("POST /nodes/{node}/qemu/{vmid}/snapshot", json!({}), vec!["description", "snapname"]),
        ("POST /nodes/{node}/lxc/{vmid}/snapshot", json!({}), vec!["description", "snapname"]),
        ("POST /nodes/{node}/qemu/{vmid}/agent", json!({"command": "ping"}), vec!["command"]),
        ("POST /nodes/{node}/qemu/{vmid}/agent/ping", json!({}), vec![]),
        ("POST /nodes/{node}/qemu/{vmid}/agent/fstrim", json!({}), vec![]),
        ("POST /nodes/{node}/qemu/{vmid}/agent/fsfreeze-status", json!({}), vec![]),
        ("POST /nodes/{node}/vzdump", json!({"mode": "snapshot", "remove": 0}), backup),
        ("POST /cluster/replication", json!({}), vec!["comment", "id", "rate", "schedule", "target", "type"]),
        ("PUT /cluster/replication/{id}", json!({}), vec!["comment", "delete", "digest", "rate", "schedule"]),
        ("POST /nodes/{node}/replication/{id}/schedule_now", json!({}), vec![]),
        ("POST /cluster/ha/resources/{sid}/migrate", json!({}), vec!["node"]),
        ("POST /cluster/bulk-action/guest/start", json!({}), vec!["*"]),
    ]
}

/// A value under which a parameter does the least that is let of it.
fn value_of(path: &str, name: &str) -> Value {
    match name {
        "delete" if path.contains("replication") => json!("comment"),
        "delete" | "revert" => json!("description"),
        "mp[n]" => json!("nas:8,mp=/srv"),
        "cdrom" | "efidisk0" | "ide[n]" | "sata[n]" | "scsi[n]" | "tpmstate0" | "unused[n]"
        | "virtio[n]" | "rootfs" => json!("nas:8"),
        "command" => json!("ping"),
        _ => json!("1"),
    }
}

fn weighed(verb: Verb, path: &str, params: &Map<String, Value>) -> Lets {
    let fill = |part: &str| match part {
        "{kind}" => "qemu".to_string(),
        "{vmid}" => "100".to_string(),
        "{sid}" => "vm:100".to_string(),
        "{id}" => "100-0".to_string(),
        "{upid}" => "UPID:n:0000C530:001E8480:67E00000:vzdump:100:root@pam:".to_string(),
        part => part.trim_matches(['{', '}']).to_string(),
    };
    let request = Request {
        verb,
        path: path.split('/').skip(1).map(fill).collect(),
        params: params.clone(),
    };
    weigh(&request).lets
}

/// The table's paths with a kind stand for two of Proxmox's.
fn of_both(path: &str) -> Vec<String> {
    match path.contains("{kind}") {
        true => vec![
            path.replace("{kind}", "qemu"),
            path.replace("{kind}", "lxc"),
        ],
        false => vec![path.to_string()],
    }
}

#[test]
fn every_row_and_parameter_has_its_decision() {
    let expected = let_rows();
    let mut decisions = 0;
    let mut met = 0;
    let mut wrong = Vec::new();
    for method in methods::all().filter(|method| method.verb != Verb::Get) {
        let verb = method.verb;
        for path in of_both(method.path) {
            let line = format!("{} {path}", verb.name());
            let row = expected.iter().find(|(known, ..)| *known == line);
            met += usize::from(row.is_some());
            let base = row.map_or(json!({}), |(_, base, _)| base.clone());
            let base = base.as_object().cloned().unwrap_or_default();
            let known: &[&str] = row.map_or(&[], |(.., known)| known.as_slice());
            let names = schema::methods().iter();
            let method = names
                .filter(|method| method.verb == verb.name() && method.path == path)
                .flat_map(|method| method.params.iter().map(|(name, _)| name.clone()));
            let names: Vec<String> = method
                .filter(|name| !path.contains(&format!("{{{name}}}")))
                .collect();
            for name in std::iter::once(String::new()).chain(names) {
                let mut params = base.clone();
                if !name.is_empty() {
                    params.insert(name.replace("[n]", "1"), value_of(&path, &name));
                }
                let is_known = name.is_empty() || base.contains_key(&name);
                let is_let = row.is_some()
                    && (is_known && name != "mode" && name != "remove"
                        || name.is_empty()
                        || known.contains(&"*")
                        || known.contains(&name.as_str()));
                let lets = weighed(verb, &path, &params);
                decisions += 1;
                println!("{line} {}: {lets:?}", Value::Object(params.clone()));
                if matches!(lets, Lets::Where(_)) != is_let {
                    wrong.push(format!("{line} {}: {lets:?}", Value::Object(params)));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(met, expected.len(), "a row that the table does not have");
    assert!(decisions > 2000, "{decisions}");
}

/// Whatever reaches a protected guest and is not let is refused by its rule, with each parameter that Proxmox
/// knows for it: sent, and not only decided.
#[test]
fn what_is_not_let_is_refused_as_it_is_sent() {
    let world = world();
    let app = app(&world, "PROXMOX_PROTECT=100,101");
    let mut sent = 0;
    let mut rows = BTreeSet::new();
    for method in methods::all().filter(|method| method.verb != Verb::Get) {
        for path in of_both(method.path) {
            let (node, vmid) = match path.split('/').nth(3) {
                Some("lxc") => ("stg-pve2", "101"),
                _ => ("stg-pve1", "100"),
            };
            let filled = [
                ("{node}", node),
                ("{vmid}", vmid),
                ("{sid}", "vm:100"),
                ("{id}", "100-0"),
            ];
            let line = filled
                .iter()
                .fold(path.clone(), |line, (part, with)| line.replace(part, with));
            let line = format!("{} {}", method.verb.name(), line.replace(['{', '}'], ""));
            let known = schema::methods().iter();
            let known = known.filter(|one| one.verb == method.verb.name() && one.path == path);
            let names = known.flat_map(|one| one.params.iter().map(|(name, _)| name.as_str()));
            let names = names.filter(|name| !path.contains(&format!("{{{name}}}")));
            for name in std::iter::once("").chain(names) {
                let mut params = Map::new();
                if !name.is_empty() {
                    let value = match name {
                        "vmid" | "vms" => json!(vmid),
                        "sid" => json!("vm:100"),
                        name => value_of(&path, name),
                    };
                    params.insert(name.replace("[n]", "1"), value);
                }
                let weight = weigh(&request(&line, &params.clone().into()));
                let reaches = weight.touches.iter().any(|touch| match touch {
                    Touch::Guest(touched) => *touched == 100 || *touched == 101,
                    Touch::GuestsOn(_) | Touch::AllGuests | Touch::SomeGuests | Touch::Unlisted => {
                        true
                    }
                    _ => false,
                });
                if reaches && matches!(weight.lets, Lets::Nothing(_)) {
                    refused(&world, &app, &line, &params.into(), "(PROXMOX_PROTECT)");
                    sent += 1;
                    rows.insert(line.clone());
                }
            }
        }
    }
    println!("{sent} of {} rows: {rows:#?}", rows.len());
    assert!(sent > 500 && rows.len() > 100, "{sent} {}", rows.len());
}

/// What a setting is let depends on its value, and on what is there.
#[test]
#[rustfmt::skip] // One row a line.
fn a_setting_has_its_decision() {
    let check = |params: Value, expected: Option<Vec<Condition>>| {
        let params = params.as_object().expect("an object");
        let path = "/nodes/{node}/qemu/{vmid}/config";
        match (weighed(Verb::Put, path, params), expected) {
            (Lets::Where(met), Some(expected)) => assert_eq!(met, expected, "{params:?}"),
            (Lets::Nothing(_), None) => {}
            (met, expected) => panic!("{params:?}: {met:?}, not {expected:?}"),
        }
    };
    let all = || Some(vec![]);
    let unset = |key: &str| Some(vec![Condition::Unset(key.into())]);
    let cd = |key: &str| Some(vec![Condition::Cd(key.into())]);
    let most = |key: &str, number| Some(vec![Condition::AtMost(key.into(), number)]);
    check(json!({"onboot": 0, "startup": "order=2", "description": ""}), all());
    check(json!({"delete": "onboot,startup;description name"}), all());
    check(json!({"delete": "onboot,cores"}), None);
    check(json!({"delete": ["tags", "net0"]}), None);
    check(json!({"revert": "memory"}), None);
    check(json!({"protection": 1}), all());
    check(json!({"protection": true}), all());
    check(json!({"protection": 0}), None);
    check(json!({"protection": "off"}), None);
    check(json!({"skiplock": 1, "onboot": 1}), None);
    check(json!({"force": 1, "delete": "description"}), None);
    check(json!({"skiplock": 0, "onboot": 1}), all());
    check(json!({"force": "0", "delete": "description"}), all());
    check(json!({"memory": 4096}), most("memory", 4096));
    check(json!({"memory": "current=4096"}), most("memory", 4096));
    check(json!({"memory": "much"}), None);
    check(json!({"cores": "4"}), most("cores", 4));
    check(json!({"sockets": 1}), None);
    check(json!({"cpulimit": "0.01"}), None);
    check(json!({"balloon": 0}), None);
    check(json!({"net0": "virtio,bridge=vmbr0,link_down=1"}), unset("net0"));
    check(json!({"network": "x"}), None);
    check(json!({"scsi1": "nas:8"}), unset("scsi1"));
    check(json!({"scsi1": "file=nas:8.5,ssd=1"}), unset("scsi1"));
    check(json!({"scsi": "nas:8"}), None);
    check(json!({"scsi1": "nas:vm-100-disk-1"}), None);
    check(json!({"scsi1": "nas:0,import-from=nas:import/a.qcow2"}), None);
    check(json!({"scsi1": "nas:8,file=nas:vm-1-disk-0"}), None);
    check(json!({"scsi1": "ssd=1,nas:8"}), None);
    check(json!({"scsi1": "nas:cloudinit"}), None);
    check(json!({"scsi1": "/dev/sdb"}), None);
    check(json!({"scsi1": "none"}), None);
    check(json!({"unused0": "nas:vm-100-disk-1"}), None);
    check(json!({"ide2": "none,media=cdrom"}), cd("ide2"));
    check(json!({"cdrom": "none,media=cdrom"}), cd("ide2"));
    check(json!({"ide2": "nas:iso/a.iso,media=cdrom"}), cd("ide2"));
    check(json!({"ide2": "nas:iso/a.iso"}), None);
    check(json!({"ide2": "nas:iso/a.iso,media=disk,media=cdrom"}), None);
    check(json!({"ide2": "nas:vm-100-cloudinit,media=cdrom"}), None);
    check(json!({"ide2": "/dev/sdb,media=cdrom"}), None);
    check(json!({"virtiofs0": "share"}), None);
    check(json!({"hookscript": "nas:snippets/a.pl"}), None);
    check(json!({"cores": 4, "scsi1": "nas:8"}), Some(vec![
        Condition::AtMost("cores".into(), 4),
        Condition::Unset("scsi1".into()),
    ]));
    check(json!({"cores": 4, "vga": "std"}), None);
}

/// What only looks is let, by the older way as well; a move while it runs wants to be asked for.
#[test]
fn an_argument_has_its_decision() {
    let lets = |path: &str, params: Value| {
        let params = params.as_object().expect("an object");
        weighed(Verb::Post, path, params)
    };
    let agent = "/nodes/{node}/qemu/{vmid}/agent";
    for (command, is_let) in [
        ("ping", true),
        ("get-osinfo", true),
        ("network-get-interfaces", true),
        ("fsfreeze-freeze", false),
        ("set-time", false),
        ("shutdown", false),
    ] {
        let lets = lets(agent, json!({"command": command}));
        assert_eq!(lets == Lets::ALL, is_let, "{command}: {lets:?}");
    }
    let migrate = "/nodes/{node}/qemu/{vmid}/migrate";
    let stopped = Lets::Where(vec![Condition::Stopped]);
    assert_eq!(
        lets(migrate, json!({"target": "b", "online": 1})),
        Lets::ALL
    );
    assert_eq!(lets(migrate, json!({"target": "b", "online": 0})), stopped);
    assert_eq!(lets(migrate, json!({"target": "b"})), stopped);
}

/// 101 is a container, 103 a VM, both on stg-pve2.
#[test]
fn what_a_guest_is_let_depends_on_what_it_has() {
    let world = world();
    world.cluster("staging").edit(|state| {
        let vm = state.guests.get_mut(&103).expect("103");
        vm.status = Status::Running;
        vm.set("memory", "2048");
        vm.set("cores", "2");
        vm.set("ide2", "none,media=cdrom");
        vm.set("ide0", "local-lvm:vm-103-cloudinit,media=cdrom");
        vm.pending.insert("memory".into(), "4096".into());
        let container = state.guests.get_mut(&101).expect("101");
        container.status = Status::Running;
        container.set("memory", "1024");
        container.config.remove("cores");
    });
    for rule in ["103,101", "name:stg-*", "tag:stg", "pool:core"] {
        let app = app(&world, &format!("PROXMOX_PROTECT={rule}"));
        let said = "(PROXMOX_PROTECT), and";
        let vm = "PUT /nodes/stg-pve2/qemu/103/config";
        let container = "PUT /nodes/stg-pve2/lxc/101/config";
        for (line, params) in [
            (
                vm,
                json!({"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0,link_down=1"}),
            ),
            (vm, json!({"net0": "virtio,bridge=vmbr0,tag=66"})),
            (vm, json!({"delete": "scsi0"})),
            (vm, json!({"scsi0": "none,media=cdrom"})),
            (vm, json!({"scsi0": "local-lvm:8"})),
            (vm, json!({"ide0": "none,media=cdrom"})),
            (vm, json!({"delete": "ide2"})),
            (vm, json!({"memory": "1024"})),
            (vm, json!({"memory": "2048"})),
            (vm, json!({"cores": 1})),
            (vm, json!({"boot": "order=net0"})),
            (container, json!({"memory": 16})),
            (container, json!({"cpulimit": 0.01})),
            (container, json!({"cores": 64})),
            (
                "POST /nodes/stg-pve2/qemu/103/snapshot",
                json!({"snapname": "a", "vmstate": 1}),
            ),
            ("DELETE /nodes/stg-pve2/qemu/103/snapshot/a", json!({})),
            (
                "POST /nodes/stg-pve2/qemu/103/migrate",
                json!({"target": "stg-pve1"}),
            ),
            (
                "POST /nodes/stg-pve2/lxc/101/migrate",
                json!({"target": "stg-pve1"}),
            ),
            (
                "POST /nodes/stg-pve2/qemu/103/move_disk",
                json!({"disk": "scsi0", "storage": "local", "delete": 1}),
            ),
            (
                "POST /nodes/stg-pve2/qemu/103/firewall/rules",
                json!({"type": "in", "action": "ACCEPT"}),
            ),
            (
                "POST /nodes/stg-pve2/qemu/103/agent/exec",
                json!({"command": ["true"]}),
            ),
            (
                "POST /nodes/stg-pve2/qemu/103/agent/fsfreeze-thaw",
                json!({}),
            ),
            ("POST /nodes/stg-pve2/qemu/103/vncproxy", json!({})),
            (
                "POST /nodes/stg-pve2/vzdump",
                json!({"vmid": "103", "mode": "snapshot"}),
            ),
            (
                "POST /cluster/ha/resources",
                json!({"sid": "vm:103", "state": "started"}),
            ),
            ("PUT /pools/other", json!({"vms": "103", "allow-move": 1})),
            ("DELETE /cluster/replication/103-0", json!({})),
            ("PUT /cluster/replication/103-0", json!({"disable": 1})),
        ] {
            refused(&world, &app, line, &params, said);
        }
        for (line, params) in [
            (
                vm,
                json!({"memory": "4096", "cores": 3, "description": "x"}),
            ),
            (
                vm,
                json!({"ide2": "nas:iso/virtio-win-0.1.266.iso,media=cdrom"}),
            ),
            (vm, json!({"ide2": "none,media=cdrom"})),
            (
                container,
                json!({"memory": 2048, "onboot": 1, "delete": "startup"}),
            ),
            (
                "PUT /nodes/stg-pve2/qemu/103/resize",
                json!({"disk": "scsi0", "size": "+1G"}),
            ),
            (
                "POST /nodes/stg-pve2/qemu/103/snapshot",
                json!({"snapname": "a"}),
            ),
            ("POST /nodes/stg-pve2/qemu/103/status/resume", json!({})),
            ("POST /nodes/stg-pve2/qemu/103/agent/ping", json!({})),
            (
                "POST /nodes/stg-pve2/vzdump",
                json!({"vmid": "101,103", "remove": 0, "mode": "snapshot"}),
            ),
        ] {
            passes(&world, &app, line, &params);
        }
    }
}

/// What is not set is what Proxmox takes then, where that is a number.
#[test]
fn less_than_what_is_not_set_is_less() {
    let world = world();
    world.cluster("staging").edit(|state| {
        for vmid in [101, 103] {
            let guest = state.guests.get_mut(&vmid).expect("the guest");
            guest.config.remove("memory");
            guest.config.remove("cores");
        }
    });
    let app = app(&world, "PROXMOX_PROTECT=101,103");
    let vm = "PUT /nodes/stg-pve2/qemu/103/config";
    let container = "PUT /nodes/stg-pve2/lxc/101/config";
    for line in [vm, container] {
        let less = "would leave it with less than its `memory`";
        refused(&world, &app, line, &json!({"memory": 511}), less);
        passes(&world, &app, line, &json!({"memory": 512}));
    }
    let fewer = "would leave it with less than its `cores`";
    refused(&world, &app, container, &json!({"cores": 64}), fewer);
    passes(&world, &app, vm, &json!({"cores": 1}));
}

/// High availability moves a VM while it runs, and stops a container for that.
#[test]
fn a_managed_guest_is_moved_where_that_stops_nothing() {
    let world = world();
    let staging = world.cluster("staging");
    let in_state = |status: Status| {
        staging.edit(|state| {
            for vmid in [101, 103] {
                state.guests.get_mut(&vmid).expect("the guest").status = status;
            }
        });
    };
    let app = app(&world, "PROXMOX_PROTECT=101,103");
    let to = json!({"node": "stg-pve1"});
    let vm = "POST /cluster/ha/resources/vm:103/migrate";
    let container = "POST /cluster/ha/resources/ct:101/migrate";
    in_state(Status::Running);
    passes(&world, &app, vm, &to);
    refused(&world, &app, container, &to, "would stop it to move it");
    in_state(Status::Stopped);
    passes(&world, &app, container, &to);
}

/// A container on a storage without snapshots is suspended by a backup, whatever its mode says.
#[test]
fn a_backup_that_would_suspend_is_refused() {
    let world = world();
    let backup = json!({"vmid": "101", "remove": 0, "mode": "snapshot"});
    let line = "POST /nodes/stg-pve2/vzdump";
    let staging = world.cluster("staging");
    staging.edit(|state| {
        let container = state.guests.get_mut(&101).expect("101");
        container.status = Status::Running;
        container.set("mp0", "local:101/vm-101-disk-1.raw,mp=/srv,size=1G");
    });
    let app = app(&world, "PROXMOX_PROTECT=tag:stg");
    refused(
        &world,
        &app,
        line,
        &backup,
        "would suspend it, since its storage has no snapshots",
    );
    let all = json!({"all": 1, "remove": 0, "mode": "snapshot"});
    refused(&world, &app, line, &all, "guest 101");
    staging.edit(|state| state.guests.get_mut(&101).expect("101").status = Status::Stopped);
    passes(&world, &app, line, &backup);
}

/// A task is the guest's that it is about; one that does not say whose it is may be anybody's.
#[test]
fn a_task_is_its_guests() {
    let world = world();
    let app = app(&world, "PROXMOX_PROTECT=103");
    let task = |kind: &str, id: &str| {
        format!(
            "DELETE /nodes/stg-pve2/tasks/UPID:stg-pve2:0000C530:001E8480:67E00000:{kind}:{id}:root@pam:"
        )
    };
    for (kind, id) in [
        ("vzdump", "103"),
        ("qmigrate", "103"),
        ("qmclone", "103"),
        ("hamigrate", "103"),
        ("imgdel", "103@local-lvm"),
        ("qmmove", "100-scsi1>103-scsi1"),
        ("qmmove", "103-scsi1>100-scsi1"),
    ] {
        refused(
            &world,
            &app,
            &task(kind, id),
            &json!({}),
            "guest 103 is protected by `103`",
        );
    }
    for (kind, id) in [
        ("vzdump", ""),
        ("migrateall", ""),
        ("stopall", ""),
        ("later", "x"),
    ] {
        refused(
            &world,
            &app,
            &task(kind, id),
            &json!({}),
            "the task does not say which guests",
        );
    }
    for (kind, id) in [
        ("vzdump", "130"),
        ("aptupdate", ""),
        ("imgdel", "local"),
        ("srvreload", "pveproxy"),
    ] {
        passes(&world, &app, &task(kind, id), &json!({}));
    }
}
