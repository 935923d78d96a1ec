//! Clusters that answer nonsense, and requests that would lead elsewhere: nothing passes, nothing
//! crashes, every call is answered. What can be told as a story is in `tests/transcripts/hostile.txt`.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::mcp::inbox::LINE_MAX_BYTES;
use proxmox_mcp::proxmox::encode::{body_of, target_of};
use proxmox_mcp::tools;
use serde_json::{Value, json};

use crate::proxmox::memory::ALL_ROOM;
use crate::session::{Answer, Session};
use crate::sim::{Fault, World};
use crate::transcripts;

const TASK: &str = "staging!UPID:stg-pve1:0000ABCD:00112233:66000000:qmstart:100:root@pam:";
/// Calls of a tool that are tried with each answer.
const CALLS_MAX: usize = 2;
const LANES: usize = 4;
/// Where nonsense comes from: everywhere behind the list that says where a guest is; there too.
const BEHIND: &[&str] = &[
    "/nodes",
    "/access",
    "/storage",
    "/cluster/tasks",
    "/cluster/nextid",
];
const BEHIND_AND_LIST: &[&str] = &["/nodes", "/access", "/storage", "/cluster"];

/// Some calls of every tool, as sessions make them.
pub(crate) fn calls() -> Vec<(String, Value)> {
    let mut by_tool: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (tool, arguments) in transcripts::calls() {
        let arguments = arguments.to_string().replace("$task", TASK);
        let mut arguments: Value = serde_json::from_str(&arguments).expect("JSON");
        let known = by_tool.entry(tool.clone()).or_default();
        if known.len() >= CALLS_MAX || arguments.to_string().contains('$') {
            continue;
        }
        // What is waited for would be waited for here too, in vain.
        if tools::find(&tool).is_some_and(|tool| tool.task) {
            arguments["wait"] = json!(0);
        }
        known.push(arguments);
    }
    let all = by_tool.into_iter().flat_map(|(tool, calls)| {
        let calls = calls.into_iter();
        calls.map(move |arguments| (tool.clone(), arguments))
    });
    all.filter(|(tool, _)| tools::find(tool).is_some())
        .collect()
}

fn bodies() -> Vec<Fault> {
    let long = format!(r#"{{"data":[{{"name":"{}"}}]}}"#, "x".repeat(1 << 16));
    let texts = [
        "",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":1e999}"#,
        r#"{"data":"text"}"#,
        r#"{"data":[1,null,"x",[],{},true]}"#,
        r#"{"data":{"status":[],"vmid":{},"node":7,"name":null,"value":{"a":[]},"result":5}}"#,
        r#"{"data":[{"type":"qemu","vmid":"abc","node":7,"name":{},"status":[],"tags":5}]}"#,
        r#"{"data":[{"type":"qemu","vmid":-1,"node":"n"},{"type":"lxc","vmid":99999999999,"node":"n"}]}"#,
        r#"{"data":[{"type":"qemu","vmid":100,"node":"../../access/users","name":"stg-web-01"},{"type":"node","node":"../../access/users"},{"type":"storage","storage":"../..","node":"a?b=c"}]}"#,
        r#"{"data":[{"storage":"../../access","volid":"../../etc:passwd","content":"backup","size":-5,"ctime":1e300}]}"#,
        r#"{"data":"UPID:../../x:00000001:00000001:66000000:qmstart:100:root@pam:"}"#,
        r#"{"data":"UPID:a\r\nX-Evil: 1:00000001:00000001:66000000:qmstart:100:root@pam:"}"#,
        r#"{"data":[{"upid":"UPID:","starttime":"x","endtime":-1,"n":"a","t":{}}],"total":"many"}"#,
        "{\"data\":[{\"name\":\"\u{0}\"}]}",
        long.as_str(),
    ];
    let mut faults: Vec<Fault> = texts.map(|text| Fault::Body(text.into())).into();
    faults.extend([
        Fault::Body(b"{\"data\":[{\"node\":\"\xff\xfe\"}]}".to_vec()),
        Fault::DeepJson(100),
        Fault::DeepJson(200),
    ]);
    faults
}

/// Calls tools while `fault` answers for these paths; every call ends in an answer.
fn played(world: &World, fault: &Fault, paths: &[&str], calls: &[(String, Value)]) {
    let mut session = Session::start(world);
    for cluster in &world.clusters {
        cluster.heal();
        for path in paths {
            cluster.fault(fault.clone().on("", path));
        }
    }
    for (tool, arguments) in calls {
        // That it is answered, in the form of an answer and without what hides, is seen in there.
        session.call(tool, arguments);
    }
    let elsewhere = |path: &str| path.split('/').any(|part| part == "..");
    for seen in world.seen() {
        assert!(!elsewhere(&seen.path), "{fault:?}: {seen:?}");
    }
    session.request("ping", &json!({}));
}

#[test]
fn nonsense_is_answered_by_every_tool() {
    let calls = calls();
    let tried = |name: &str| calls.iter().any(|(tool, _)| tool == name);
    let missing: Vec<&str> = tools::all()
        .map(|tool| tool.name)
        .filter(|name| !tried(name))
        .collect();
    assert_eq!(missing, [""; 0], "not tried");
    // Without the list of guests little is left to be asked.
    let mut without_list = calls.clone();
    without_list.dedup_by(|one, other| one.0 == other.0);
    let bodies = bodies();
    std::thread::scope(|scope| {
        for lane in bodies.chunks(bodies.len().div_ceil(LANES)) {
            let (calls, without_list) = (&calls, &without_list);
            scope.spawn(move || {
                let world = World::three();
                for fault in lane {
                    played(&world, fault, BEHIND, calls);
                    played(&world, fault, BEHIND_AND_LIST, without_list);
                }
            });
        }
    });
}

#[test]
fn more_than_a_reply_may_have_is_not_read() {
    let _alone = ALL_ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::three();
    let mut session = Session::start(&world);
    world.cluster("staging").fault(Fault::Huge(100 << 20));
    for (tool, arguments) in [
        ("guest_get", json!({"guest": 103, "cluster": "staging"})),
        ("node_list", json!({"cluster": "staging"})),
        ("fleet_summary", json!({})),
    ] {
        match session.call(tool, &arguments) {
            Answer::Error(text) => assert!(text.contains("larger than"), "{text}"),
            Answer::Structured(answer) => {
                let errors = answer["errors"].to_string();
                assert!(errors.contains("larger than"), "{errors}");
            }
        }
    }
}

/// Of a few bytes much can be made: what it would take counts, and the cluster is named.
#[test]
fn more_than_may_be_made_of_a_reply_is_not_made() {
    let _alone = ALL_ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::three();
    let mut session = Session::start(&world);
    let value = r#"{"":{"":0}},"#.repeat(400_000);
    let body = format!(r#"{{"data":[{}0]}}"#, value);
    assert!(body.len() < 5 << 20);
    let staging = world.cluster("staging");
    let body = Fault::Body(body.into_bytes());
    staging.fault(body.clone().on("GET", "/nodes"));
    staging.fault(body.on("GET", "/cluster/tasks"));
    let refused = "are not read: it takes more than";
    let text = session
        .call("guest_get", &json!({"guest": 103, "cluster": "staging"}))
        .error();
    assert!(
        text.starts_with("ReplyError: staging: ") && text.contains(refused),
        "{text}"
    );
    let answer = session.call("task_list", &json!({"cluster": "all"})).ok();
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["cluster"], json!("staging"));
    assert!(errors[0].to_string().contains(refused), "{errors:?}");
}

/// What commands print passes by no client; `leaks` looks at it.
#[test]
fn commands_show_what_hides() {
    let world = World::three();
    let env = world.env();
    let commands: [&[&str]; 6] = [
        &["check"],
        &["check", "--json"],
        &["call", "guest_list", r#"{"cluster":"all"}"#],
        &["call", "node_list", r#"{"cluster":"all"}"#, "--json"],
        &["call", "fleet_summary"],
        &["call", "guest_get", r#"{"guest":100,"cluster":"staging"}"#],
    ];
    for everything in [false, true] {
        for cluster in &world.clusters {
            cluster.heal();
            cluster.fault(Fault::Hostile(everything));
        }
        let mut shown = 0;
        for command in commands {
            let said = crate::cli::check_finds::run(command, &env);
            shown += (said.stdout + &said.stderr).matches("u{202e}").count();
        }
        assert!(shown > 0, "nothing of it arrives");
    }
}

#[test]
fn a_part_of_a_path_stays_one() {
    let check = |template: &str, values: &[&str], expected: Result<&str, &str>| {
        let request = Request::new(Verb::Get, template, values);
        match (request.map(|request| target_of(&request)), expected) {
            (Ok(target), Ok(expected)) => assert_eq!(target, expected, "{values:?}"),
            (Err(error), Err(part)) => {
                let said = error.to_string();
                assert!(said.contains(part), "{values:?}: {said}");
                assert!(said.ends_with("nothing was sent"), "{said}");
            }
            (found, _) => panic!("{template} {values:?}: {found:?}"),
        }
    };
    let node = "/nodes/{node}/status";
    check(node, &["pve1"], Ok("/nodes/pve1/status"));
    // Percent-encoded by itself: no query, no fragment, no second decoding.
    check(node, &["a?b=c&d"], Ok("/nodes/a%3Fb%3Dc%26d/status"));
    check(node, &["a#b"], Ok("/nodes/a%23b/status"));
    check(node, &["%2e%2e"], Ok("/nodes/%252e%252e/status"));
    check(node, &["ä b"], Ok("/nodes/%C3%A4%20b/status"));
    check(node, &["..."], Ok("/nodes/.../status"));
    for elsewhere in ["", ".", ".."] {
        check(node, &[elsewhere], Err("cannot be the `node`"));
    }
    for bad in [
        "../../access/users",
        "a/b",
        "/",
        "a\\b",
        "a\r\nHost: evil",
        "a\n",
        "\u{0}",
        "\u{9b}",
    ] {
        check(node, &[bad], Err("it holds"));
    }
    let volume = "/nodes/{node}/storage/{storage}/content/{volume}";
    check(
        volume,
        &["a", "local", "local:iso/x y.iso"],
        Ok("/nodes/a/storage/local/content/local%3Aiso%2Fx%20y.iso"),
    );
    // In the name of a file or of a user a backslash is a letter as any other.
    check(
        volume,
        &["a", "local", "local:iso/a\\b.iso"],
        Ok("/nodes/a/storage/local/content/local%3Aiso%2Fa%5Cb.iso"),
    );
    check(
        "/nodes/{node}/tasks/{upid}/status",
        &["a", "UPID:a:1:2:3:x::DOM\\u@ad:"],
        Ok("/nodes/a/tasks/UPID%3Aa%3A1%3A2%3A3%3Ax%3A%3ADOM%5Cu%40ad%3A/status"),
    );
    for bad in [
        "..",
        "local:../x",
        "local:iso/../../x",
        "a//b",
        "/a",
        "a/",
        "./a",
        "a/./b",
    ] {
        check(volume, &["a", "local", bad], Err("would lead elsewhere"));
    }
    check(node, &[], Err("is not given"));
    check(node, &["a", "b"], Err("too many values"));
}

#[test]
fn a_parameter_stands_in_the_query_or_in_the_body() {
    let hostile = "a&b=c\r\nX: y#?%";
    for verb in [Verb::Get, Verb::Delete, Verb::Post, Verb::Put] {
        let request = Request::new(verb, "/a/{b}", &["c"]).expect("a request");
        let request = request
            .with("name&x", hostile)
            .with("list", json!(["1", "2"]));
        let request = request.with("unset", Value::Null);
        let (target, body) = (target_of(&request), body_of(&request));
        if matches!(verb, Verb::Get | Verb::Delete) {
            assert_eq!(
                target,
                "/a/c?name%26x=a%26b%3Dc%0D%0AX%3A%20y%23%3F%25&list=1&list=2"
            );
            assert!(body.is_empty());
        } else {
            assert_eq!(target, "/a/c");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(body, json!({"name&x": hostile, "list": ["1", "2"]}));
        }
    }
}

/// No line of any length or depth takes the session down.
#[test]
fn a_hostile_client_is_answered() {
    let world = World::three();
    let mut session = Session::start(&world);
    for arguments in [
        json!({"guest": "x".repeat(LINE_MAX_BYTES / 2)}),
        json!({"guest": {"a": [1, 2]}}),
        json!({"guest": "\u{1b}[2J\u{202e}"}),
        json!({"\u{1b}[2J\r\n": "\u{200b}"}),
        json!({"guest": 1e300, "cluster": ["a"], "include": "config"}),
        json!({"guest": -1}),
        json!({"guest": ""}),
    ] {
        session.call("guest_get", &arguments).error();
    }
    assert!(world.seen().is_empty(), "nothing was sent");
}
