//! Arguments as clients and models send them: what each odd form is taken for, and what stays an
//! error.

use proxmox_mcp::error::Code;
use proxmox_mcp::tool::Tool;
use proxmox_mcp::tool::args;
use proxmox_mcp::tool::param::{Param, ParamKind, Word};
use proxmox_mcp::tools;
use serde_json::{Map, Value, json};

fn tool(name: &str) -> &'static Tool {
    let found = tools::all().find(|tool| tool.name == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// What the arguments are taken for, with `cluster`, `confirm` and `wait` where they are not as usual.
fn taken(tool: &Tool, given: &Value) -> Result<Value, Vec<String>> {
    match args::check(tool, &object(given)) {
        Ok((args, injected)) => {
            let mut taken: Map<String, Value> = args
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if let Some(cluster) = injected.cluster {
                taken.insert("cluster".into(), cluster.into());
            }
            if let Some(confirm) = injected.confirm {
                taken.insert("confirm".into(), confirm.into());
            }
            if let Some(wait_s) = injected.wait_s {
                taken.insert("wait".into(), wait_s.into());
            }
            Ok(taken.into())
        }
        Err(error) if error.code == Code::BadArguments => Err(error.problems.clone()),
        Err(other) => panic!("{other}"),
    }
}

fn check(name: &str, given: Value, expected: Value) {
    assert_eq!(taken(tool(name), &given), Ok(expected), "{name} {given}");
}

fn check_problem(name: &str, given: Value, expected: &str) {
    let problems = taken(tool(name), &given).expect_err("a problem");
    assert_eq!(problems.join("\n"), expected, "{name} {given}");
}

#[test]
fn odd_forms_are_taken_for_what_they_mean() {
    // Numbers.
    for number in [
        json!(5),
        json!(5.0),
        json!("5"),
        json!("5.0"),
        json!(" 5 "),
        json!(5e0),
    ] {
        check("guest_list", json!({"limit": number}), json!({"limit": 5}));
    }
    for guest in [
        json!(100),
        json!(100.0),
        json!(1e2),
        json!("100"),
        json!(" 100 "),
    ] {
        check(
            "guest_get",
            json!({"guest": guest}),
            json!({"guest": "100"}),
        );
    }
    check(
        "guest_get",
        json!({"guest": " web-01 "}),
        json!({"guest": "web-01"}),
    );
    // Yes and no.
    for yes in [
        json!(true),
        json!("true"),
        json!("True"),
        json!("yes"),
        json!("on"),
        json!(1),
        json!(1.0),
        json!("1"),
    ] {
        check(
            "cluster_list",
            json!({"check": yes}),
            json!({"check": true}),
        );
    }
    for no in [
        json!(false),
        json!("False"),
        json!("no"),
        json!("off"),
        json!(0),
        json!("0"),
    ] {
        check(
            "cluster_list",
            json!({"check": no}),
            json!({"check": false}),
        );
    }
    // Words.
    check(
        "guest_power",
        json!({"guest": "100", "action": "Start"}),
        json!({"guest": "100", "action": "start"}),
    );
    check("guest_list", json!({"type": "qemu"}), json!({"type": "vm"}));
    check(
        "guest_list",
        json!({"type": "LXC"}),
        json!({"type": "container"}),
    );
    // Lists.
    for fields in [
        json!(["name", "node"]),
        json!("name,node"),
        json!("name, node"),
        json!("[\"name\", \"node\"]"),
        json!(["name", "", null, "node"]),
    ] {
        check(
            "guest_list",
            json!({"fields": fields}),
            json!({"fields": ["name", "node"]}),
        );
    }
    check(
        "guest_get",
        json!({"guest": "100", "include": "status"}),
        json!({"guest": "100", "include": ["status"]}),
    );
    // Maps, and whole numbers in them.
    for settings in [
        json!({"balloon": 512.0}),
        json!({"balloon": 512}),
        json!("{\"balloon\": 512.0}"),
    ] {
        check(
            "guest_configure",
            json!({"guest": "100", "settings": settings}),
            json!({"guest": "100", "settings": {"balloon": 512}}),
        );
    }
    check(
        "guest_configure",
        json!({"guest": "100", "settings": {"cpulimit": 1.5}}),
        json!({"guest": "100", "settings": {"cpulimit": 1.5}}),
    );
    // Sizes, in the parameter's unit.
    for memory in [
        json!(8192),
        json!(8192.0),
        json!("8192"),
        json!("8G"),
        json!("8GiB"),
        json!("8 GB"),
        json!("8g"),
        json!("8192M"),
        json!("0.0078125T"),
    ] {
        check(
            "guest_configure",
            json!({"guest": "100", "memory": memory}),
            json!({"guest": "100", "memory": 8192}),
        );
    }
    check(
        "guest_create_vm",
        json!({"name": "a", "disk_gib": "1T"}),
        json!({"name": "a", "disk_gib": 1024}),
    );
    check(
        "guest_create_vm",
        json!({"name": "a", "disk_gib": 0}),
        json!({"name": "a", "disk_gib": 0}),
    );
    // Names with the other sign.
    check(
        "guest_configure",
        json!({"guest": "100", "tags-add": ["a"]}),
        json!({"guest": "100", "tags_add": ["a"]}),
    );
    check(
        "guest_migrate",
        json!({"guest": "100", "target": "b", "with-local-disks": true}),
        json!({"guest": "100", "target": "b", "with_local_disks": true}),
    );
}

#[test]
fn what_says_nothing_counts_as_not_given() {
    for nothing in [json!(null), json!(""), json!("  "), json!([]), json!({})] {
        for name in [
            "cluster", "node", "tag", "status", "type", "cursor", "fields", "limit",
        ] {
            check("guest_list", json!({name: nothing}), json!({}));
        }
        check(
            "guest_power",
            json!({"guest": 100, "action": "start", "wait": nothing, "confirm": nothing, "timeout": nothing}),
            json!({"guest": "100", "action": "start"}),
        );
        check(
            "guest_configure",
            json!({"guest": 100, "settings": nothing, "cores": nothing}),
            json!({"guest": "100"}),
        );
        check_problem("guest_get", json!({"guest": nothing}), "`guest` is missing");
    }
    check("guest_list", json!({"limit": 0}), json!({}));
    check(
        "guest_create_vm",
        json!({"name": "a", "vmid": 0}),
        json!({"name": "a"}),
    );
    // Where none is an amount, it is one.
    check(
        "guest_power",
        json!({"guest": 100, "action": "start", "wait": 0}),
        json!({"guest": "100", "action": "start", "wait": 0}),
    );
    check(
        "task_get",
        json!({"task": "UPID:a", "lines": 0}),
        json!({"task": "UPID:a", "lines": 0}),
    );
}

/// Of a value that is written, empty may mean "clear it", which is done by another way.
#[test]
fn an_empty_value_to_write_names_how_to_clear_it() {
    check_problem(
        "guest_configure",
        json!({"guest": 100, "startup": ""}),
        "`startup` is empty: name `startup` in `delete` to unset it",
    );
    check_problem(
        "guest_configure",
        json!({"guest": 100, "settings": {"description": ""}}),
        "`settings` has `description`, which is empty: to unset an option, name it in `delete`",
    );
    check_problem(
        "guest_configure",
        json!({"guest": 100, "tags_add": " "}),
        "`tags_add` is empty: name in `tags_remove` what is to go",
    );
    check_problem(
        "backup_create",
        json!({"guest": 100, "notes": ""}),
        "`notes` is empty: leave it out for notes with the guest's name, or write one",
    );
    check_problem(
        "snapshot_create",
        json!({"guest": 100, "snapname": "a", "description": "\n"}),
        "`description` is empty: leave it out for none",
    );
    check(
        "guest_configure",
        json!({"guest": 100, "startup": null}),
        json!({"guest": "100"}),
    );
}

#[test]
fn what_hosts_add_is_dropped() {
    let n8n = json!({"guest": 100, "toolCallId": "call_0", "sessionId": "s", "chatInput": "show it", "action": "sendMessage", "tool": "proxmox", "_meta": {"a": 1}, "random_string": "dummy"});
    check("guest_get", n8n, json!({"guest": "100"}));
    // Where a tool has the parameter, it is the tool's.
    check_problem(
        "guest_power",
        json!({"guest": 100, "action": "sendMessage"}),
        "`action` must be one of: start, resume, shutdown, reboot, suspend, hibernate, stop, reset",
    );
}

#[test]
fn what_is_not_known_says_what_is() {
    let takes =
        "which takes: guest, action, net, bridge, model, tag, firewall, macaddr, ip, gw, cluster";
    let rows = [
        ("address", "; `ip` is meant by it here"),
        ("gateway", "; `gw` is meant by it here"),
        ("ip-address", "; `ip` is meant by it here"),
        ("vlan", "; `tag` is meant by it here"),
        ("mac", "; `macaddr` is meant by it here"),
        ("brdige", "; did you mean `bridge`?"),
        ("dest", ""),
        ("colour", ""),
    ];
    for (word, meant) in rows {
        let mut given = object(&json!({"guest": 100, "action": "set"}));
        given.insert(word.into(), "x".into());
        check_problem(
            "guest_network",
            given.into(),
            &format!("`{word}` is no argument of `guest_network`, {takes}{meant}"),
        );
    }
    let said = |name: &str, word: &str| {
        taken(tool(name), &json!({word: "x"}))
            .expect_err("a problem")
            .join("\n")
    };
    for (name, word, meant) in [
        ("guest_create_vm", "cpus", "cores"),
        ("guest_create_vm", "ram", "memory"),
        ("guest_migrate", "dest", "target"),
        ("task_list", "from", "since"),
        ("guest_get", "vmid", "guest"),
        ("snapshot_delete", "snapshot", "snapname"),
        ("guest_list", "kind", "type"),
        ("backup_restore", "volid", "archive"),
    ] {
        let problem = format!("`{meant}` is meant by it here");
        assert!(
            said(name, word).contains(&problem),
            "{name}: {}",
            said(name, word)
        );
    }
}

#[test]
fn what_could_mean_two_things_stays_an_error() {
    let most = "must be a whole number from 1 to 500";
    for limit in [
        json!(5.5),
        json!("five"),
        json!(-1),
        json!(1e300),
        json!("0x5"),
        json!(true),
    ] {
        check_problem(
            "guest_list",
            json!({"limit": limit}),
            &format!("`limit` {most}"),
        );
    }
    check_problem(
        "cluster_list",
        json!({"check": "maybe"}),
        "`check` must be true or false",
    );
    check_problem(
        "cluster_list",
        json!({"check": 2}),
        "`check` must be true or false",
    );
    check_problem(
        "guest_configure",
        json!({"guest": 100, "memory": "100K"}),
        "`memory` may not be `100K`: a whole number of MiB from 16 to 16777216, or a size as `8G` (K, M, G, T)",
    );
    check_problem(
        "guest_create_vm",
        json!({"name": "a", "memory": "8Q"}),
        "`memory` may not be `8Q`: a whole number of MiB from 16 to 16777216, or a size as `8G` (K, M, G, T)",
    );
    check_problem(
        "fleet_search",
        json!({"group_by": "host"}),
        "`group_by` must be one of: cluster, node, status, type, pool, tag; `node` is meant by it here",
    );
    check_problem(
        "guest_configure",
        json!({"guest": 100, "tags-add": ["a"], "tags_add": ["b"]}),
        "`tags_add` is given twice, once as `tags_add`",
    );
    check_problem(
        "guest_configure",
        json!({"guest": 100, "settings": "balloon=1"}),
        "`settings` must be an object of API parameters",
    );
    check_problem(
        "guest_get",
        json!({"guest": 0}),
        "`guest` must be a VMID from 100 to 999999999, or a guest's name; one of digits only goes by its VMID",
    );
    check_problem(
        "guest_get",
        json!({"guest": 100.5}),
        "`guest` must be a VMID from 100 to 999999999, or a guest's name",
    );
}

/// A value that the parameter takes.
fn plain(tool: &Tool, param: &Param) -> Value {
    match param.kind {
        ParamKind::Guest => json!("100"),
        ParamKind::Text(_) => json!("1"),
        ParamKind::Word(Word::Volume) => json!("local:iso/a.iso"),
        ParamKind::Word(_) => json!("a"),
        ParamKind::Int(least, most) | ParamKind::Size(_, least, most) => {
            json!(100.clamp(least, most))
        }
        ParamKind::Moment => json!("2026-02-03"),
        ParamKind::Bool => json!(true),
        ParamKind::ActionWord => json!(tool.words()[0]),
        ParamKind::OneOf(words) => json!(words[0]),
        ParamKind::SomeOf(words) => json!(words),
        ParamKind::Texts(_) => json!(["a", "b"]),
        ParamKind::Settings => json!({"balloon": 512}),
    }
}

/// The forms in which the same is sent.
fn forms(tool: &Tool, param: &Param) -> Vec<Value> {
    let value = plain(tool, param);
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match param.kind {
        ParamKind::Guest => vec![json!(100), json!(100.0), json!(1e2)],
        ParamKind::Int(..) | ParamKind::Size(..) => {
            let float = value.as_f64().expect("a number");
            vec![
                json!(float),
                json!(as_text(&value)),
                json!(format!("{float:.1}")),
            ]
        }
        ParamKind::Bool => vec![json!("true"), json!("True"), json!("yes"), json!(1)],
        ParamKind::Text(_) => vec![json!(1), json!(1.0)],
        ParamKind::Moment => vec![json!("2026-02-03T00:00Z"), json!(1_770_076_800)],
        ParamKind::Word(_) | ParamKind::ActionWord | ParamKind::OneOf(_) => {
            vec![json!(format!(" {} ", as_text(&value)))]
        }
        ParamKind::SomeOf(_) | ParamKind::Texts(_) => vec![json!(as_text(&value))],
        ParamKind::Settings => vec![json!(as_text(&value)), json!({"balloon": 512.0})],
    }
}

/// Out of the table of tools: each parameter of each tool, in each form.
#[test]
fn every_tool_takes_every_form() {
    for tool in tools::all() {
        let needed: Map<String, Value> = tool
            .params
            .iter()
            .filter(|param| param.required)
            .map(|param| (param.name.to_string(), plain(tool, param)))
            .collect();
        let of = |name: &str, value: Value| {
            let mut given = needed.clone();
            given.insert(name.to_string(), value);
            taken(tool, &given.into())
        };
        for param in tool.params {
            let expected = of(param.name, plain(tool, param));
            assert!(
                expected.is_ok(),
                "{}.{}: {expected:?}",
                tool.name,
                param.name
            );
            for form in forms(tool, param) {
                let what = format!("{}.{} {form}", tool.name, param.name);
                assert_eq!(of(param.name, form), expected, "{what}");
            }
            let other = param.name.replace('_', "-");
            if !param.required && other != param.name {
                assert_eq!(
                    of(&other, plain(tool, param)),
                    expected,
                    "{}.{other}",
                    tool.name
                );
            }
            let mut nothings = vec![json!(null), json!(""), json!([]), json!({})];
            match param.kind {
                ParamKind::SomeOf(_) | ParamKind::Texts(_) => {
                    nothings.extend([json!("[]"), json!("[\"\"]"), json!(",")]);
                }
                ParamKind::Settings => nothings.push(json!("{}")),
                _ => {}
            }
            for nothing in nothings {
                let none = of(param.name, nothing.clone());
                let what = format!("{}.{} {nothing}: {none:?}", tool.name, param.name);
                let is_left_out = none == taken(tool, &needed.clone().into());
                let is_told = param.required || param.cleared_by.is_some();
                assert!(if none.is_err() { is_told } else { is_left_out }, "{what}");
            }
        }
    }
}
