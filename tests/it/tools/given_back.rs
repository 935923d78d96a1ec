//! What a list shows is taken back by the tools, however unusual its name is: a fleet with such names
//! is listed, and everything that was shown is given to the tools that take it.

use serde_json::{Map, Value, json};

use crate::session::{Answer, Session};
use crate::sim::World;

const ORDERS: &[&str] = &[
    "volume staging nas:iso/Windows Server 2022 (x64).iso",
    "volume staging nas:iso/x'y\\\"z;a&b?c+d%20#e[1]{2}ß.iso",
    "volume staging nas:iso/..hidden...iso",
    "volume staging nas:iso/back\\\\slash.iso",
    "config staging 120 tags=c++;_x.y-z",
    "pool staging core 120",
    "pool staging core/db 103",
    "pool staging core/db/x_1.2-3 100",
    "task staging stg-pve1 DOM\\user@ad nas",
    "task staging stg-pve1 o'neil+x=1&2#3@my.realm!a.b-c_d nas",
    "task staging stg-pve1 \u{fc}ser@ad 101@nas",
];

fn rows(session: &mut Session, tool: &str, arguments: Value) -> Vec<Map<String, Value>> {
    let answer = session.call(tool, &arguments).ok();
    assert_eq!(answer.get("next"), None, "all of it: {answer:?}");
    let items = answer["items"].as_array().expect("items");
    let items = items.iter().filter_map(Value::as_object);
    items.cloned().collect()
}

fn texts(rows: &[Map<String, Value>], column: &str) -> Vec<String> {
    let mut texts: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(row.get(column)?.as_str()?.to_string()))
        .collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Whatever came of the call, it was not for the form of the name.
#[track_caller]
fn taken(session: &mut Session, tool: &str, arguments: Value) -> Option<Map<String, Value>> {
    match session.call(tool, &arguments) {
        Answer::Structured(answer) => Some(answer),
        Answer::Error(text) => {
            for refusal in ["may not be", "cannot be the", "is no UPID", "is no tag"] {
                assert!(!text.contains(refusal), "{tool} {arguments}: {text}");
            }
            None
        }
    }
}

#[test]
fn every_name_that_is_shown_is_taken_back() {
    let world = World::three();
    for order in ORDERS {
        world.direct(order).expect("an order");
    }
    let mut session = Session::start(&world);
    let here = |more: Value| {
        let mut arguments = more;
        arguments["cluster"] = json!("staging");
        arguments["limit"] = json!(500);
        arguments
    };
    let on = |more: Value| {
        let mut arguments = more;
        arguments["cluster"] = json!("staging");
        arguments
    };

    let volumes = rows(
        &mut session,
        "storage_content",
        here(json!({"storage": "nas"})),
    );
    let isos: Vec<String> = texts(&volumes, "volume");
    let isos = isos.iter().filter(|volid| volid.starts_with("nas:iso/"));
    let isos: Vec<&String> = isos.collect();
    assert!(isos.len() >= 4, "{isos:?}");
    for (number, iso) in isos.into_iter().enumerate() {
        let name = format!("back-{number}");
        let made = json!({"name": name, "node": "stg-pve1", "disk_gib": 0, "iso": iso});
        let made = taken(&mut session, "guest_create_vm", on(made)).expect("it is made");
        assert_eq!(made["state"], "ok", "{iso}");
        let made = session.call("guest_get", &on(json!({"guest": made["vmid"]})));
        let drive = format!("{iso},media=cdrom");
        assert_eq!(
            made.ok()["config"]["ide2"]
                .as_str()
                .map(|it| it.starts_with(&drive)),
            Some(true)
        );
    }

    let tasks = rows(&mut session, "task_list", here(json!({"type": "imgdel"})));
    let tasks = texts(&tasks, "task");
    assert_eq!(tasks.len(), 3, "{tasks:?}");
    for task in tasks {
        let seen = taken(&mut session, "task_get", json!({"task": task})).expect("it is known");
        assert_eq!(
            (&seen["task"], &seen["state"]),
            (&json!(task), &json!("ok"))
        );
    }

    let guests = json!({"fields": ["vmid", "tags", "pool", "node"]});
    let guests = rows(&mut session, "guest_list", here(guests));
    let tags = texts(&guests, "tags");
    let tags = tags.iter().flat_map(|tags| tags.split(';'));
    let tags: Vec<&str> = tags.collect();
    assert!(tags.contains(&"c++"), "{tags:?}");
    for tag in tags {
        let listed = taken(&mut session, "guest_list", on(json!({"tag": tag})));
        assert_ne!(listed.expect("a list")["total"], 0, "{tag}");
        let query = format!("tag:\"{tag}\"");
        let listed = taken(&mut session, "fleet_search", json!({"query": query}));
        assert_ne!(listed.expect("a list")["total"], 0, "{tag}");
        let twice = json!({"guest": 120, "tags_add": [tag]});
        taken(&mut session, "guest_configure", on(twice));
    }
    let pools = texts(&guests, "pool");
    assert!(pools.contains(&"core/db/x_1.2-3".to_string()), "{pools:?}");
    for (number, pool) in pools.iter().enumerate() {
        let query = format!("type:guest pool:{pool}");
        let listed = taken(&mut session, "fleet_search", json!({"query": query}));
        assert_ne!(listed.expect("a list")["total"], 0, "{pool}");
        let copy = json!({"guest": 120, "name": format!("copy-{number}"), "pool": pool});
        taken(&mut session, "guest_clone", on(copy)).expect("it is made");
    }

    for node in texts(&guests, "node") {
        taken(&mut session, "node_get", on(json!({"node": node}))).expect("a node");
        taken(&mut session, "guest_list", on(json!({"node": node}))).expect("a list");
    }
    for storage in texts(
        &rows(&mut session, "storage_list", here(json!({}))),
        "storage",
    ) {
        taken(
            &mut session,
            "storage_content",
            on(json!({"storage": storage})),
        )
        .expect("a list");
    }
    for volume in texts(
        &rows(&mut session, "backup_list", here(json!({}))),
        "volume",
    ) {
        let again = json!({"archive": volume, "name": "again"});
        taken(&mut session, "backup_restore", on(again)).expect("it is restored, or planned");
    }
}
