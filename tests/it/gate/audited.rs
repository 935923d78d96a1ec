//! What the audit file says of calls that were made, and that nothing is written to a cluster without
//! it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proxmox_mcp::api::methods::sending;
use proxmox_mcp::api::request::Verb;
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::{CallOrigin, audit};
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tool::param::{self, Param};
use proxmox_mcp::tool::{Actions, RunFn, Subject, Tool};
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::cli::commands::Shell;
use crate::gate::audit::place;
use crate::session::{Session, call, configuration};
use crate::sim::guest::Status;
use crate::sim::{Fault, Seen, World};

/// The records of the file, without the lines of beginning and end.
fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let is_call = |record: &Value| record.get("tool").is_some();
    lines.filter(is_call).collect()
}

fn audited(world: &World, path: &Path, more: &str) -> Session {
    let line = format!("PROXMOX_AUDIT_LOG={}\n{more}", path.display());
    Session::with(world, &line)
}

fn writes(world: &World) -> Vec<String> {
    let seen = world.seen();
    let writes = seen.iter().filter(|one: &&Seen| one.method != "GET");
    writes
        .map(|one| format!("{} {}", one.method, one.path))
        .collect()
}

/// These keys of a record, as one object.
fn of(record: &Value, keys: &[&str]) -> Value {
    let pick = keys
        .iter()
        .map(|key| ((*key).to_owned(), record[*key].clone()));
    Value::Object(pick.collect())
}

#[test]
fn a_write_has_a_line_before_it_leaves_and_one_when_it_has_ended() {
    let world = World::three();
    let (_folder, path) = place();
    let mut session = audited(&world, &path, "");
    let start = json!({"guest": "stg-web-01", "action": "suspend"});
    world.cluster("staging").edit(|state| {
        let guest = state
            .guests
            .values_mut()
            .find(|one| one.name() == "stg-web-01");
        guest.expect("the guest").status = Status::Running;
    });
    let done = session.call("guest_power", &start).ok();
    let [intent, outcome] = <[Value; 2]>::try_from(records(&path)).expect("two lines");
    let suspend = "POST /nodes/stg-pve1/qemu/100/status/suspend";
    assert_eq!(
        of(
            &intent,
            &[
                "kind",
                "tool",
                "cluster",
                "chosen_by",
                "verdict",
                "rule",
                "confirmed",
                "request",
                "objects"
            ]
        ),
        json!({
            "kind": "intent", "tool": "guest_power", "cluster": "staging",
            "chosen_by": "pattern stg-", "verdict": "go", "rule": "O! is within the access level",
            "confirmed": "no need", "request": suspend, "objects": ["staging/guest 100"],
        })
    );
    assert_eq!(
        of(
            &outcome,
            &[
                "kind",
                "intent",
                "requests",
                "outcome",
                "task",
                "arguments",
                "how"
            ]
        ),
        json!({
            "kind": "outcome", "intent": intent["seq"], "requests": [suspend], "outcome": "ok",
            "task": done["task"], "arguments": start, "how": "mcp",
        })
    );
    assert_eq!(outcome["client"], json!({"name": "it", "version": "0"}));
    assert!(outcome["duration_ms"].is_u64(), "{outcome}");
}

/// What a call came to is not read off the words of its answer.
#[test]
fn an_answer_that_holds_a_plan_was_carried_out() {
    static PLANNER: Tool = Tool {
        name: "plans_a_start",
        title: "For the test",
        about: "Starts a guest, and has a `plan` in its answer.",
        actions: Actions::one(&[&[sending::post("/nodes/{node}/{kind}/{vmid}/status/start")]]),
        subject: Subject::Guest,
        params: &[Param::new("guest", param::ParamKind::Guest, "")],
        answer: &[],
        task: false,
        plan: None,
        run: RunFn::AtOnce(|reach, _| {
            reach.send(&reach.on_guest(Verb::Post, "/status/start", &[])?)?;
            Ok(Map::from_iter([("plan".to_string(), json!("start it"))]))
        }),
    };
    let world = World::three();
    let (_folder, path) = place();
    let line = format!("PROXMOX_AUDIT_LOG={}\n", path.display());
    let fleet = Fleet::new(configuration(&world, &line));
    let mut app = AppState::new(fleet, TOOLSETS, CallOrigin::Mcp);
    let arguments = Map::from_iter([("guest".to_string(), json!("stg-web-01"))]);
    let answer = call(&mut app, &PLANNER, &arguments).expect("it is started");
    assert_eq!(answer["plan"], json!("start it"));
    let [intent, outcome] = <[Value; 2]>::try_from(records(&path)).expect("two lines");
    assert_eq!(
        of(&outcome, &["kind", "intent", "verdict", "outcome"]),
        json!({"kind": "outcome", "intent": intent["seq"], "verdict": "go", "outcome": "ok"}),
    );
}

#[test]
fn what_was_refused_asked_and_confirmed_is_told_with_the_rule() {
    let world = World::three();
    let (_folder, path) = place();
    let more = "PROXMOX_CLUSTER_production_ACCESS=read\n";
    let mut session = audited(&world, &path, more);
    session
        .call(
            "guest_power",
            &json!({"guest": "prod-web-01", "action": "start"}),
        )
        .error();
    session
        .call("guest_get", &json!({"guest": "nobody"}))
        .error();
    world.cluster("staging").edit(|state| {
        state.guests.get_mut(&103).expect("stg-web-02").status = Status::Stopped;
    });
    let mut delete = json!({"guest": "stg-web-02"});
    let planned = session.call("guest_delete", &delete).ok();
    delete["confirm"] = planned["confirm"].clone();
    session.call("guest_delete", &delete).ok();
    session.call("cluster_list", &json!({})).ok();
    let told: Vec<Value> = records(&path)
        .iter()
        .map(|one| {
            of(
                one,
                &["kind", "tool", "cluster", "verdict", "confirmed", "outcome"],
            )
        })
        .collect();
    let row = |kind: &str,
               tool: &str,
               cluster: Value,
               verdict: &str,
               confirmed: Value,
               outcome: Value| {
        json!({"kind": kind, "tool": tool, "cluster": cluster, "verdict": verdict,
               "confirmed": confirmed, "outcome": outcome})
    };
    assert_eq!(
        told,
        [
            row(
                "outcome",
                "guest_power",
                json!("production"),
                "refused",
                json!(null),
                json!("NotAllowedError")
            ),
            row(
                "outcome",
                "guest_get",
                json!(null),
                "refused",
                json!(null),
                json!("BadArgumentsError")
            ),
            row(
                "outcome",
                "guest_delete",
                json!("staging"),
                "asked",
                json!(null),
                json!("asked")
            ),
            row(
                "intent",
                "guest_delete",
                json!("staging"),
                "go",
                json!("code"),
                json!(null)
            ),
            row(
                "outcome",
                "guest_delete",
                json!("staging"),
                "go",
                json!("code"),
                json!("ok")
            ),
            row(
                "outcome",
                "cluster_list",
                json!("all"),
                "go",
                json!(null),
                json!("ok")
            ),
        ]
    );
    let refused = &records(&path)[0];
    assert!(
        refused["rule"]
            .as_str()
            .expect("a rule")
            .contains("PROXMOX_CLUSTER_production_ACCESS"),
        "{refused}"
    );
    drop(session);
    let report = audit::verify(&[&path], &[]).expect("it can be read");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(
        report.runs.iter().all(|run| run.ended),
        "the session ended in order"
    );
}

/// Without its line no write leaves; reads go on.
#[test]
fn what_cannot_be_written_down_is_not_done() {
    let world = World::three();
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing/audit.jsonl");
    let mut session = audited(&world, &missing, "");
    let start = json!({"guest": "stg-web-01", "action": "start"});
    let error = session.call("guest_power", &start).error();
    assert!(
        error.starts_with("NotAllowedError: staging: `POST ")
            && error.contains("first, and the audit file cannot be written")
            && error.contains("; nothing was sent\n"),
        "{error}"
    );
    assert_eq!(writes(&world), [""; 0]);
    session
        .call("guest_get", &json!({"guest": "stg-web-01"}))
        .ok();
    // As soon as it can be written, writes go on.
    fs::create_dir(folder.path().join("missing")).expect("a folder");
    session.call("guest_power", &start).ok();
    assert_eq!(writes(&world).len(), 1);
    assert_eq!(
        missing.metadata().expect("the file").permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn secrets_are_masked() {
    let world = World::three();
    let (_folder, path) = place();
    let mut session = audited(&world, &path, "");
    let create = json!({"name": "stg-new", "settings": {"cipassword": "hunter2-hunter2"}});
    session.call("guest_create_vm", &create).ok();
    let text = fs::read_to_string(&path).expect("the file");
    assert!(
        text.contains("cipassword") && !text.contains("hunter2"),
        "{text}"
    );
}

/// The command line lives for one call: it counts what the file says of the last minute.
#[test]
fn the_bulk_limit_of_the_command_line_goes_by_the_file() {
    let world = World::three();
    world.cluster("staging").edit(|state| {
        for guest in state.guests.values_mut() {
            guest.status = Status::Running;
        }
    });
    let (_folder, path) = place();
    let more = format!(
        "PROXMOX_BULK_LIMIT=2\nPROXMOX_AUDIT_LOG={}\n",
        path.display()
    );
    let shell = Shell::new(&format!("{}{more}", world.env()));
    let reboot = |guest: u32| {
        let arguments = json!({"guest": guest, "cluster": "staging", "action": "reboot"});
        shell.run(&["call", "guest_power", &arguments.to_string()])
    };
    reboot(100).well();
    reboot(120).well();
    world.seen();
    reboot(100).refused(
        1,
        &[
            "2 guests or objects were destroyed or interrupted",
            "PROXMOX_BULK_LIMIT (2)",
        ],
    );
    assert_eq!(writes(&world), [""; 0]);
    let report = audit::verify(&[&path], &[]).expect("it can be read");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.runs.len(), 3);
}

/// The rule that protects a guest is told, whether the call was refused before it was planned or just
/// before its request left.
#[test]
fn what_protection_refused_is_told_with_its_rule() {
    let world = World::three();
    let (_folder, path) = place();
    let mut session = audited(&world, &path, "PROXMOX_PROTECT=tag:stg\n");
    for (tool, arguments) in [
        (
            "guest_power",
            json!({"guest": "stg-web-02", "action": "reboot"}),
        ),
        (
            "guest_configure",
            json!({"guest": "stg-web-02", "tags_remove": ["stg"]}),
        ),
    ] {
        session.call(tool, &arguments).error();
    }
    let told = records(&path);
    assert_eq!(told.len(), 2, "{told:?}");
    for record in told {
        assert_eq!(record["verdict"], json!("refused"), "{record}");
        assert_eq!(record["outcome"], json!("ProtectedError"), "{record}");
        let rule = record["rule"].as_str().expect("a rule");
        assert!(rule.contains("`tag:stg` (PROXMOX_PROTECT)"), "{record}");
    }
}

/// `place` looks at the file when the test ends.
#[test]
fn what_a_cluster_echoes_is_written_without_the_secret_in_it() {
    let world = World::three();
    let (_folder, path) = place();
    let mut session = audited(&world, &path, "");
    world.cluster("staging").fault(Fault::Echo);
    let start = json!({"guest": 100, "cluster": "staging", "action": "start"});
    session.call("guest_power", &start).error();
    let records = records(&path);
    assert!(
        json!(records).to_string().contains("(hidden)"),
        "{records:?}"
    );
}

/// What the cluster refused, or did not answer, was not refused here; what runs on is no end.
#[test]
fn what_came_of_a_call_is_told_as_it_was() {
    let world = World::three();
    let (_folder, path) = place();
    let mut session = audited(&world, &path, "");
    let staging = world.cluster("staging");
    staging.edit(|state| state.pace.task_ms = 60_000);
    let start = json!({"guest": 100, "cluster": "staging", "action": "start", "wait": 0});
    session.call("guest_power", &start).ok();
    staging.fault(Fault::Status401);
    let get = json!({"guest": 100, "cluster": "staging"});
    session.call("guest_get", &get).error();
    let told = records(&path);
    let [_, runs, failed] = <[Value; 3]>::try_from(told).expect("three lines");
    assert_eq!(runs["outcome"], json!("running"), "{runs}");
    assert_eq!(failed["verdict"], json!(null), "{failed}");
    assert!(failed["error"].is_string(), "{failed}");
}
