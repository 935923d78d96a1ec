//! Privileges known before the call: what must fail is not sent, what is not certain is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use proxmox_mcp::api::methods;
use proxmox_mcp::api::permission::{CallValues, PermissionCheck, judge};
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::api::schema;
use proxmox_mcp::error::{Code, Happened};
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::fleet::permissions::TokenPermissions;
use proxmox_mcp::gate::{CallOrigin, privileges};
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Value, json};

use crate::cli::tokens::{call, commands, configuration_of, printed, pveum, with_token};
use crate::session::configuration;
use crate::sim::rights::Who;
use crate::sim::roles::PRIVILEGES;
use crate::sim::{Fault, World, apidoc};

const API: &str = include_str!("../../sim/api.json");

/// `may`, `unclear`, `no token`, or what is missing.
fn said(check: &PermissionCheck) -> String {
    match check {
        PermissionCheck::May => "may".into(),
        PermissionCheck::Unclear => "unclear".into(),
        PermissionCheck::NoToken => "no token".into(),
        PermissionCheck::Lacks(lacks) => {
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            lacks.join(", ")
        }
    }
}

#[track_caller]
fn check(permissions: &Value, params: Value, rights: &Value, expected: &str) {
    let params = params.as_object().expect("an object");
    let rights = TokenPermissions::of(rights);
    let values = CallValues {
        slots: &[("vmid", "100"), ("node", "pve1")],
        params,
    };
    let text = permissions.to_string();
    let check = judge::<Infallible>(Some(&text), &values, &mut |path, privilege| {
        Ok(rights.holds(path, privilege))
    });
    let Ok(check) = check;
    assert_eq!(said(&check), expected, "{permissions} {params:?}");
}

#[test]
fn a_plain_check_is_judged() {
    let power = json!({"check": ["perm", "/vms/{vmid}", ["VM.PowerMgmt"]]});
    let lacks = "`VM.PowerMgmt` on `/vms/100`";
    for (rights, expected) in [
        (json!({"/vms/100": {"VM.PowerMgmt": 0}}), "may"),
        (json!({"/vms": {"VM.PowerMgmt": 1}}), "may"),
        (json!({"/": {"VM.PowerMgmt": 1}}), "may"),
        (json!({"/vms": {"VM.PowerMgmt": 0}}), lacks),
        (json!({"/vms/1000": {"VM.PowerMgmt": 1}}), lacks),
        (
            json!({"/vms": {"VM.PowerMgmt": 1}, "/vms/100": {"VM.Audit": 1}}),
            lacks,
        ),
        (json!({"/vms": {"VM.Audit": 1}}), lacks),
        (json!({}), lacks),
    ] {
        check(&power, json!({}), &rights, expected);
    }
    let some = json!({"/vms": {"A": 1, "B": 1}});
    let on = |privileges: Value| json!(["perm", "/vms/{vmid}", privileges]);
    let rule = |check: Value| json!({"check": check});
    for (permissions, expected) in [
        (rule(on(json!(["A", "B"]))), "may"),
        (
            rule(on(json!(["A", "C", "D"]))),
            "`C` and `D` on `/vms/100`",
        ),
        (
            rule(json!(["perm", "/vms/{vmid}", ["C", "A"], "any", 1])),
            "may",
        ),
        (
            rule(json!(["perm", "/vms/{vmid}", ["C", "D"], "any", 1])),
            "`C` or `D` on `/vms/100`",
        ),
        (
            rule(json!(["and", on(json!(["A"])), on(json!(["B"]))])),
            "may",
        ),
        (
            rule(json!(["and", on(json!(["C"])), ["perm", "/", ["D"]]])),
            "`C` on `/vms/100`, `D` on `/`",
        ),
        (
            rule(json!(["or", on(json!(["C"])), on(json!(["B"]))])),
            "may",
        ),
        (
            rule(json!(["or", on(json!(["C"])), on(json!(["D"]))])),
            "`C` on `/vms/100`",
        ),
        // Fails for certain, or passes for certain, beside what is not certain.
        (
            rule(json!(["and", ["userid-group"], on(json!(["C"]))])),
            "`C` on `/vms/100`",
        ),
        (
            rule(json!(["and", ["userid-group"], on(json!(["A"]))])),
            "unclear",
        ),
        (
            rule(json!(["or", ["userid-group"], on(json!(["C"]))])),
            "unclear",
        ),
        (
            rule(json!(["or", ["userid-group"], on(json!(["A"]))])),
            "may",
        ),
        (json!({"user": "all"}), "may"),
        (json!({"user": "world"}), "may"),
        (json!({"user": "all", "check": on(json!(["C"]))}), "may"),
        (
            json!({"userParam": "userid", "check": on(json!(["C"]))}),
            "unclear",
        ),
        (json!({"user": "somebody"}), "unclear"),
        (json!({}), "unclear"),
        (json!([]), "unclear"),
        (rule(json!("perm")), "unclear"),
        (rule(json!(["perm-modify", "{path}"])), "unclear"),
        (rule(json!(["perm", "/vms/{vmid}", []])), "unclear"),
        (rule(json!(["perm", "/vms/{vmid}", "C"])), "unclear"),
        (rule(json!(["perm", "/vms/{vmid}", ["C; rm"]])), "unclear"),
        (
            rule(json!(["perm", "/vms/{vmid}", ["C"], "unless", 1])),
            "unclear",
        ),
        (
            rule(json!(["perm", "/vms/{vmid}", ["C"], "unless", "newid"])),
            "unclear",
        ),
        (
            rule(json!(["perm", "/vms/{vmid}", ["C"], "unless", "storage"])),
            "unclear",
        ),
        // A slot without a value, or with one that Proxmox might read otherwise.
        (rule(json!(["perm", "/vms/{newid}", ["C"]])), "unclear"),
        (rule(json!(["perm", "/storage/{odd}", ["C"]])), "unclear"),
        (rule(json!(["perm", "/storage/{list}", ["C"]])), "unclear"),
        (
            rule(json!(["perm", "/storage/{storage}", ["C"]])),
            "`C` on `/storage/nas`",
        ),
    ] {
        let params = json!({"odd": "a'/../b", "list": ["a"], "storage": "nas"});
        check(&permissions, params, &some, expected);
    }
    // A clone: into a pool, where the pool's privilege will do.
    let clone = json!({"check": ["and", ["perm", "/vms/{vmid}", ["A"]], ["or",
        ["perm", "/vms/{newid}", ["X"]],
        ["perm", "/pool/{pool}", ["X"], "require_param", "pool"]]]});
    let pool = json!({"/vms/100": {"A": 0}, "/pool/dev": {"X": 1}});
    check(&clone, json!({"newid": 120, "pool": "dev"}), &pool, "may");
    // One within another inherits from it.
    let above = json!({"/vms/100": {"A": 0}, "/pool/dev": {"X": 1}, "/pool/ops": {"Y": 1}});
    check(
        &clone,
        json!({"newid": 120, "pool": "dev/db"}),
        &above,
        "may",
    );
    check(
        &clone,
        json!({"newid": 120, "pool": "ops/db"}),
        &above,
        "`X` on `/vms/120`",
    );
    check(
        &clone,
        json!({"newid": 120, "pool": "dev//db"}),
        &above,
        "unclear",
    );
    check(&clone, json!({"newid": 120}), &pool, "`X` on `/vms/120`");
    check(&clone, json!({"newid": "0120"}), &pool, "`X` on `/vms/120`");
}

fn endpoints() -> Vec<Value> {
    let api: Value = serde_json::from_str(API).expect("JSON");
    api["endpoints"].as_array().expect("a list").clone()
}

/// Method and path to `perms`.
fn written() -> BTreeMap<(String, String), Value> {
    let endpoints = endpoints().into_iter();
    let rows = endpoints.map(|row| {
        let text = |key: &str| row[key].as_str().expect("a text").to_string();
        ((text("method"), text("path")), row["perms"].clone())
    });
    rows.collect()
}

fn kinds(path: &str) -> Vec<String> {
    let kinds = if path.contains("{kind}") {
        &["qemu", "lxc"][..]
    } else {
        &["-"]
    };
    let paths = kinds.iter().map(|kind| path.replace("{kind}", kind));
    paths.collect()
}

/// The rules that are built in are those of the API description, word for word.
#[test]
fn the_built_in_rules_are_the_cluster_s_own() {
    let written = written();
    let mut known = Vec::new();
    for row in methods::all() {
        let Some(permissions) = row.permissions else {
            continue;
        };
        let built_in: Value = serde_json::from_str(permissions).expect("JSON");
        for path in kinds(row.path) {
            let key = (row.verb.name().to_string(), path);
            assert_eq!(written.get(&key), Some(&built_in), "{key:?}");
            assert!(!known.contains(&key), "{key:?} stands twice");
            known.push(key);
        }
    }
    // Whatever the gate weighs and touches a guest has one, or has no plain rule, or differs between
    // the releases.
    for row in methods::all() {
        for path in kinds(row.path)
            .into_iter()
            .filter(|path| path.contains("{vmid}"))
        {
            let key = (row.verb.name().to_string(), path);
            let is_plain = written[&key].get("check").is_some();
            // No tool sends the last ones.
            let without = [
                "/agent",
                "/monitor",
                "proxy",
                "/dbus",
                "/sendkey",
                "mtunnel",
                "websocket",
            ];
            let differs = without.iter().any(|part| key.1.contains(part));
            assert!(!is_plain || differs || known.contains(&key), "{key:?}");
        }
    }
}

/// By the description, all of it, for tokens with less and more: what must fail fails in the cluster,
/// and what may pass passes its plain check.
#[test]
fn the_cluster_s_own_description_is_judged_as_the_cluster_does() {
    let schema = schema::read(&mut apidoc::text().as_bytes()).expect("a description");
    let world = World::three();
    let token = |name: &str, lacks: &[&str]| Who {
        user: "mcp@pve".into(),
        token: Some(name.into()),
        lacks: lacks.iter().map(ToString::to_string).collect(),
    };
    let every_other: Vec<&str> = PRIVILEGES.iter().step_by(2).copied().collect();
    let some = [
        (token("mcp", PRIVILEGES), 350),
        (token("mcp", &every_other), 80),
        (token("mcp", &[]), 0),
    ];
    for (who, at_least) in some {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for endpoint in endpoints() {
            let request = example(&endpoint);
            let mut params = request.params.clone();
            let template = endpoint["path"].as_str().expect("a path");
            let slots = request.slots(template).expect("of this path");
            params.extend(
                slots
                    .iter()
                    .map(|(slot, value)| (slot.to_string(), json!(value))),
            );
            let (check, allowed) = world.cluster("staging").edit(|state| {
                let check =
                    privileges::permission_check(&request, Some(&schema), &mut |path, one| {
                        Ok(state.may(&who, path, &[one]))
                    });
                let allowed = state.permitted(&who, &endpoint["perms"], &params);
                (check.expect("no error"), allowed.is_ok())
            });
            let allowed = allowed && endpoint["allowtoken"] != 0;
            let (kind, agrees) = match check {
                PermissionCheck::May => ("may", allowed),
                PermissionCheck::Unclear => ("unclear", true),
                PermissionCheck::NoToken => ("no token", !allowed),
                PermissionCheck::Lacks(_) => ("lacks", !allowed),
            };
            let line = request.line();
            assert!(agrees, "{line}: {check:?}, and the cluster: {allowed}");
            *counts.entry(kind).or_default() += 1;
        }
        println!("{counts:?}");
        // 15 without an entry, 5 that say so.
        assert_eq!(counts["no token"], 20, "{counts:?}");
        let lacks = counts.get("lacks").copied().unwrap_or_default();
        assert!(lacks >= at_least, "{counts:?}");
        assert!(counts["unclear"] < 60, "{counts:?}");
    }
}

/// A request of a method, with a value for each slot and each required parameter.
fn example(endpoint: &Value) -> Request {
    let verbs = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete];
    let mut verbs = verbs.into_iter();
    let path = endpoint["path"].as_str().expect("a path");
    let value = |name: &str| match name {
        "vmid" | "newid" => "100".to_string(),
        name => name.replace('_', "-"),
    };
    let slot = |part: &str| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            .map(value)
    };
    let parts = path.split('/').skip(1);
    let params = endpoint["params"].as_object().expect("parameters").iter();
    let params = params
        .filter(|(name, param)| param["optional"] != 1 && !path.contains(&format!("{{{name}}}")));
    Request {
        verb: verbs
            .find(|verb| endpoint["method"] == verb.name())
            .expect("a verb"),
        path: parts
            .map(|part| slot(part).unwrap_or_else(|| part.into()))
            .collect(),
        params: params
            .map(|(name, _)| (name.clone(), json!(value(name))))
            .collect(),
    }
}

#[test]
fn without_a_privilege_what_is_missing_is_named() {
    let schema = schema::read(&mut apidoc::text().as_bytes()).expect("a description");
    for (verb, path, expected) in [
        (Verb::Post, "/nodes/pve1/execute", "no token"),
        (Verb::Put, "/access/password", "no token"),
        (
            Verb::Post,
            "/nodes/pve1/status",
            "`Sys.PowerMgmt` on `/nodes/pve1`",
        ),
        (Verb::Post, "/nodes/pve1/qemu", "may"),
        (Verb::Post, "/no/such/path", "unclear"),
    ] {
        let request = Request::new(verb, path, &[]).expect("a path");
        let check = privileges::permission_check(&request, Some(&schema), &mut |_, _| Ok(false));
        assert_eq!(said(&check.expect("no error")), expected, "{path}");
    }
}

/// Method and path of all that was sent, but for the looks at tasks.
fn seen(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter();
    let lines = seen.map(|seen| {
        let path = seen.params.get("path").and_then(Value::as_str);
        let path = path.map_or(String::new(), |path| format!("?path={path}"));
        format!("{} {}{path}", seen.method, seen.path)
    });
    lines.filter(|line| !line.contains("/tasks/")).collect()
}

fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(what)).count()
}

const START: &str = r#"{"guest":100,"action":"start","wait":5}"#;
const OF_100: &str = "GET /access/permissions?path=/vms/100";

/// The commands in a hint, run as it says.
fn carry_out(world: &World, hint: &str) {
    let quoted = hint.split('`').skip(1).step_by(2);
    let run = quoted
        .filter(|text| text.starts_with("pveum role add") || text.starts_with("pveum acl modify"));
    let run: Vec<&str> = run.collect();
    assert_eq!(run.len(), 2, "{hint}");
    let token = run[1].split('\'').nth(1).expect("a token");
    let user = token.split('!').next().expect("a user");
    let option = format!("--tokens '{token}'");
    let for_user = run[1].replace(&option, &format!("--users '{user}'"));
    let text = format!("{}\n{}\n{for_user}", run[0], run[1]);
    for words in commands(&text) {
        pveum(world.cluster("staging"), &words);
    }
}

#[test]
fn what_must_fail_is_not_sent_and_works_once_the_commands_were_run() {
    let (world, env) = with_token(&printed("read"));
    let mut app = AppState::new(
        Fleet::new(configuration_of(&env)),
        TOOLSETS,
        CallOrigin::CommandLine,
    );
    let _ = seen(&world);
    let error = call(&mut app, "guest_power", START).expect_err("it must fail");
    assert!(
        error.code == Code::Permission && error.happened == Happened::Nothing,
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "staging: the token would be refused: `POST /nodes/stg-pve1/qemu/100/status/start` needs \
         `VM.PowerMgmt` on `/vms/100`; nothing was sent"
    );
    let sent = seen(&world);
    assert_eq!(count(&sent, "POST"), 0, "{sent:?}");
    assert_eq!(count(&sent, OF_100), 1, "{sent:?}");
    // Two privileges on two paths, and one command.
    let clone = r#"{"guest":100,"name":"stg-copy","vmid":650}"#;
    let both = call(&mut app, "guest_clone", clone).expect_err("it must fail");
    let hint = both.hint.clone().unwrap_or_default();
    assert!(
        hint.starts_with("missing: `VM.Clone` on `/vms/100`, `VM.Allocate` on `/vms/650`; ")
            && hint.contains("--privs VM.Allocate,VM.Clone`"),
        "{both} {hint}"
    );
    assert_eq!(count(&seen(&world), "POST"), 0);
    carry_out(&world, &error.hint.clone().expect("the commands"));
    let _ = seen(&world);
    // What is known of the token's rights is older than the grant, and does not refuse.
    call(&mut app, "guest_power", START).expect("it is allowed now");
    let sent = seen(&world);
    assert_eq!(count(&sent, OF_100), 1, "{sent:?}");
    assert_eq!(
        count(&sent, "POST /nodes/stg-pve1/qemu/100/status/start"),
        1
    );
}

#[test]
fn what_is_allowed_costs_one_look_a_minute() {
    let (world, env) = with_token(&printed("operate"));
    let mut fleet = Fleet::new(configuration_of(&env));
    fleet.permissions_age = Duration::from_secs(3600);
    let mut app = AppState::new(fleet, TOOLSETS, CallOrigin::CommandLine);
    let _ = seen(&world);
    let mut sent = Vec::new();
    for action in ["start", "shutdown", "start"] {
        let arguments = START.replace("start", action);
        call(&mut app, "guest_power", &arguments).expect("it is allowed");
        sent.extend(seen(&world));
    }
    assert_eq!(count(&sent, "POST"), 3, "{sent:?}");
    assert_eq!(count(&sent, OF_100), 0, "{sent:?}");
    assert_eq!(count(&sent, "GET /access/permissions"), 1, "{sent:?}");
}

#[test]
fn what_is_not_certain_is_sent() {
    let lacking = || {
        let world = World::three();
        let fault = Fault::TokenLacks(vec!["VM.PowerMgmt".into(), "VM.Allocate".into()]);
        world.cluster("staging").fault(fault);
        let app = AppState::new(
            Fleet::new(configuration(&world, "")),
            TOOLSETS,
            CallOrigin::CommandLine,
        );
        (world, app)
    };
    let start = r#"{"guest":"stg-web-01","action":"start"}"#;
    // A rule in prose only.
    let (world, mut app) = lacking();
    let create = r#"{"name":"stg-new","cluster":"staging"}"#;
    let error = call(&mut app, "guest_create_vm", create).expect_err("the cluster refuses");
    assert!(
        error.code == Code::Permission && error.happened == Happened::Done,
        "{error:?}"
    );
    assert_eq!(count(&seen(&world), "POST /nodes"), 1);
    // The cluster does not say what the token may do.
    for fault in [
        Fault::Html,
        Fault::Empty,
        Fault::BadJson,
        Fault::DeepJson(500),
    ] {
        let (world, mut app) = lacking();
        let fault = fault.on("GET", "/access/permissions");
        world.cluster("staging").fault(fault.clone());
        let error = call(&mut app, "guest_power", start).expect_err("the cluster refuses");
        assert!(
            error.code == Code::Permission && error.happened == Happened::Done,
            "{fault:?}: {error:?}"
        );
        assert_eq!(count(&seen(&world), "POST"), 1, "{fault:?}");
    }
}
