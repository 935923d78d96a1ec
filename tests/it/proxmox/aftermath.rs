//! A write whose answer did not come: what is looked at, what is said of it, and that it is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::aftermath;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::wait::{self, ListeningCall, Wake};
use serde_json::{Value, json};

use crate::proxmox::node::{self, Act, Hit, Node, TOKEN, get, refuse};
use crate::sim::http;

/// How far the cluster's clock is ahead of ours, in seconds.
const AHEAD_S: u64 = 7200;

fn their_now() -> u64 {
    let ours = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    ours.as_secs() + AHEAD_S
}

fn ok(data: &Value) -> Act {
    let body = json!({ "data": data }).to_string();
    let date = http::date(i64::try_from(their_now()).expect("a time"));
    Act::Send(
        format!(
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

fn upid(ago_s: u64, kind: &str, id: &str, user: &str) -> String {
    let started = their_now() - ago_s;
    format!("UPID:pve1:000003E8:000004D2:{started:08X}:{kind}:{id}:{user}:")
}

fn rows(upids: &[String]) -> Value {
    upids
        .iter()
        .map(|upid| json!({"upid": upid, "status": "RUNNING"}))
        .collect()
}

/// A node that cuts off every write, and answers reads so.
fn node(read: impl Fn(&Hit) -> Act + Send + Sync + 'static) -> Node {
    Node::start(move |hit| match hit.method.as_str() {
        "GET" => read(hit),
        _ => Act::SendClose(Vec::new()),
    })
}

fn sent(client: &ClusterClient, request: &Request) -> Error {
    let begun = Instant::now();
    let error = client.send(request).expect_err("it is cut off");
    aftermath::investigate(error, client, request, begun)
}

fn start() -> Request {
    let template = "/nodes/{node}/qemu/{vmid}/status/start";
    Request::new(Verb::Post, template, &["pve1", "100"]).expect("a request")
}

#[test]
fn its_task_is_found_by_time_type_guest_and_token() {
    for (ago_s, kind, id, user, found) in [
        (0, "qmstart", "100", TOKEN, true),
        (3600, "qmstart", "100", TOKEN, false),
        (0, "qmstop", "100", TOKEN, false),
        (0, "qmstart", "101", TOKEN, false),
        // One that names no guest may be its own.
        (0, "qmstart", "", TOKEN, true),
        (0, "qmstart", "100", "root@pam", false),
        (0, "qmstart", "100", "mcp@pve", false),
    ] {
        let listed = upid(ago_s, kind, id, user);
        let task = listed.clone();
        let node = node(move |_| ok(&rows(std::slice::from_ref(&task))));
        let error = sent(&node.client(), &start());
        assert_eq!(error.code.as_str(), "InterruptedError");
        let text = error.to_string();
        assert!(text.starts_with("prod: `POST /nodes/pve1/qemu/100/status/start` was cut off: "));
        assert_eq!(text.contains(&format!("`prod!{listed}`")), found, "{text}");
        assert_eq!(
            text.contains("nothing of it is seen so far"),
            !found,
            "{text}"
        );
        let hint = error.hint.clone().expect("a hint");
        assert_eq!(hint.starts_with("it was begun"), found, "{hint}");
        assert_eq!(
            hint.starts_with("it may have taken effect"),
            !found,
            "{hint}"
        );
        let writes = node
            .lines()
            .iter()
            .filter(|line| line.starts_with("POST"))
            .count();
        assert_eq!(writes, 1, "it is never repeated");
    }
}

#[test]
fn a_task_that_was_told_is_not_taken_for_another() {
    let listed = upid(0, "qmstart", "100", TOKEN);
    let node = node(move |_| ok(&rows(std::slice::from_ref(&listed))));
    let client = node.client();
    assert!(
        sent(&client, &start())
            .to_string()
            .contains("was started by this token")
    );
    assert!(
        sent(&client, &start())
            .to_string()
            .contains("nothing of it is seen")
    );
}

#[test]
fn a_change_is_compared_with_what_was_sent() {
    let config = Request::new(
        Verb::Put,
        "/nodes/{node}/qemu/{vmid}/config",
        &["pve1", "100"],
    );
    let config = config
        .expect("a request")
        .with("cores", 4)
        .with("onboot", true);
    for (now, delete, expected, hint) in [
        (
            json!({"cores": "4", "onboot": 1}),
            None,
            "reads as it was sent",
            "it took effect",
        ),
        (
            json!({"cores": 2}),
            None,
            "nothing of what was sent",
            "it may have",
        ),
        (
            json!({"cores": 4}),
            None,
            "as it was sent, except `onboot`",
            "it may have",
        ),
        (
            json!({"cores": 4, "onboot": 1, "tags": "a"}),
            Some("tags"),
            "except `tags`",
            "it may",
        ),
        (
            json!({"cores": 4, "onboot": 1}),
            Some("tags"),
            "reads as it was sent",
            "it took",
        ),
    ] {
        let node = node(move |hit| match hit.target.contains("/tasks") {
            true => ok(&json!([])),
            false => ok(&now),
        });
        let request = match delete {
            Some(names) => config.clone().with("delete", names),
            None => config.clone(),
        };
        let error = sent(&node.client(), &request);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(
            error.hint.clone().expect("a hint").starts_with(hint),
            "{error}"
        );
    }
}

#[test]
fn what_no_node_runs_is_seen_at_the_object() {
    let pool = |verb, path: &[&str]| Request {
        verb,
        path: path.iter().map(|part| (*part).to_string()).collect(),
        params: serde_json::Map::new(),
    };
    let there: fn(&Hit) -> Act = |_| ok(&json!({}));
    let gone: fn(&Hit) -> Act = |_| refuse(500, "pool 'web' does not exist", "");
    let made = pool(Verb::Post, &["pools"]).with("poolid", "web");
    let removed = pool(Verb::Delete, &["pools", "web"]);
    let within = pool(Verb::Delete, &["pools"]).with("poolid", "web/db");
    let found: fn(&Hit) -> Act = |_| ok(&json!([{"poolid": "web/db", "comment": "x"}]));
    let changed = pool(Verb::Put, &["pools"])
        .with("poolid", "web/db")
        .with("comment", "x");
    let defined = pool(Verb::Post, &["storage"]).with("storage", "nas");
    let undefined = pool(Verb::Delete, &["storage", "nas"]);
    // What a node does is a task, and is looked for there alone.
    let freed = pool(
        Verb::Delete,
        &["nodes", "pve1", "storage", "nas", "content", "nas:1"],
    );
    let sent_there = pool(
        Verb::Post,
        &["nodes", "pve1", "storage", "nas", "download-url"],
    )
    .with("storage", "nas");
    let aliases = ["nodes", "pve1", "qemu", "100", "firewall", "aliases"];
    let aliased = pool(Verb::Post, &aliases).with("name", "db");
    let zone = pool(Verb::Post, &["cluster", "sdn", "zones"]).with("zone", "z1");
    let no_task: fn(&Hit) -> Act = |hit| match hit.target.contains("/tasks") {
        true => ok(&json!([])),
        false => ok(&json!({})),
    };
    let described = pool(Verb::Put, &["storage", "nas"]).with("nodes", "pve1");
    let described_so: fn(&Hit) -> Act = |_| ok(&json!({"storage": "nas", "nodes": "pve1"}));
    let config = ["nodes", "pve1", "qemu", "100", "config"];
    let configured = pool(Verb::Post, &config).with("cores", 4);
    let otherwise: fn(&Hit) -> Act = |hit| match hit.target.contains("/tasks") {
        true => ok(&json!([])),
        false => ok(&json!({"cores": 2})),
    };
    // What reads as a list has no properties to compare.
    let applied = pool(Verb::Put, &["cluster", "sdn"]).with("lock-token", "x");
    let listed: fn(&Hit) -> Act = |_| ok(&json!([{"id": "zones"}]));
    let forbidden: fn(&Hit) -> Act = |_| refuse(403, "Permission check failed", "");
    for (request, read, expected) in [
        (
            &described,
            described_so,
            "`/storage/nas` reads as it was sent",
        ),
        (
            &configured,
            otherwise,
            "nothing of what was sent is in `/nodes/pve1/qemu/100/config` so far",
        ),
        (&applied, listed, "nothing of it is seen so far"),
        (&removed, forbidden, "Permission check failed"),
        (&within, found, "`/pools/web/db` is still there"),
        (&changed, found, "`/pools/web/db` reads as it was sent"),
        (&defined, there, "`/storage/nas` exists now"),
        (&undefined, there, "`/storage/nas` is still there"),
        (&undefined, gone, "`/storage/nas` is gone"),
        (&freed, no_task, "nothing of it is seen so far"),
        (&sent_there, no_task, "nothing of it is seen so far"),
        (
            &aliased,
            no_task,
            "`/nodes/pve1/qemu/100/firewall/aliases/db` exists now",
        ),
        (&zone, there, "`/cluster/sdn/zones/z1` exists now"),
        (&within, gone, "`/pools/web/db` is gone"),
        (&made, there, "`/pools/web` exists now"),
        (&made, gone, "`/pools/web` cannot be read, or is not there"),
        (&removed, there, "`/pools/web` is still there"),
        (&removed, gone, "`/pools/web` is gone"),
    ] {
        let node = node(read);
        let text = sent(&node.client(), request).to_string();
        assert!(text.ends_with(expected), "{text}");
        // One within another has a slash in its name: a pool is asked for in a parameter.
        if request.path[0] == "pools" {
            let last = node.lines().pop().expect("a look");
            assert!(last.starts_with("GET /pools?poolid=web"), "{last}");
        }
    }
}

#[test]
fn a_task_that_was_to_be_stopped_is_looked_at() {
    let upid = upid(60, "vzdump", "100", TOKEN);
    let stop = Request::new(Verb::Delete, "/nodes/{node}/tasks/{upid}", &["pve1", &upid]);
    let stop = stop.expect("a request");
    for (status, expected, hint) in [
        (
            json!({"status": "running"}),
            "the task still runs",
            "it may have taken effect",
        ),
        (
            json!({"status": "stopped", "exitstatus": "received interrupt"}),
            "the task has ended with `received interrupt`",
            "the task has ended",
        ),
    ] {
        let node = node(move |hit| match hit.target.contains("/status") {
            true => ok(&status),
            false => ok(&json!([])),
        });
        let error = sent(&node.client(), &stop);
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(
            error.hint.clone().expect("a hint").starts_with(hint),
            "{error}"
        );
    }
}

#[test]
fn looking_has_its_limits() {
    // A cluster that no longer answers: that is said, and within the time that a write leaves for it.
    let silent = node(|_| Act::Hang(Vec::new()));
    let begun = Instant::now();
    let error = sent(&silent.client(), &start());
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        error.to_string().contains("it could not be looked at: "),
        "{error}"
    );
    assert!(
        error
            .hint
            .clone()
            .expect("a hint")
            .starts_with("it may have taken effect")
    );
    // One that takes no connection any more: nothing is said that could be taken for the write.
    let mut gone = silent.settings();
    gone.endpoints = vec![node::closed_port()];
    let cut = silent
        .client()
        .send_within(&start(), Duration::from_secs(2));
    let told = aftermath::investigate(cut.unwrap_err(), &ClusterClient::new(gone), &start(), begun);
    let told = told.to_string();
    assert!(
        told.contains("could not be looked at: 127.0.0.1:") && !told.contains("nothing was sent"),
        "{told}"
    );
    // Nothing of this for what changes nothing, was not sent, or was withdrawn.
    let node = node(|_| Act::SendClose(Vec::new()));
    let client = node.client();
    for (error, wake) in [
        (client.send(&get("/x")).unwrap_err(), Wake::Nothing),
        (
            ClusterClient::new(node::settings(vec![node::closed_port()]))
                .send(&start())
                .unwrap_err(),
            Wake::Nothing,
        ),
        (client.send(&start()).unwrap_err(), Wake::Closed),
    ] {
        let before = node.hits().len();
        let call = ListeningCall::new(None, move |_| wake);
        let same = wait::during(call, || {
            aftermath::investigate(error.clone(), &client, &start(), Instant::now())
        });
        assert_eq!(same, error);
        assert_eq!(node.hits().len(), before);
    }
}

#[test]
fn a_call_that_is_withdrawn_while_it_looks_is_withdrawn() {
    let looked = Arc::new(AtomicBool::new(false));
    let node = node({
        let looked = Arc::clone(&looked);
        move |_| {
            looked.store(true, Ordering::SeqCst);
            ok(&json!([]))
        }
    });
    let client = node.client();
    let listen = move |time| {
        std::thread::sleep(time);
        match looked.load(Ordering::SeqCst) {
            true => Wake::Cancelled,
            false => Wake::Nothing,
        }
    };
    let error = wait::during(ListeningCall::new(None, listen), || sent(&client, &start()));
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn a_write_leaves_time_to_look() {
    let node = Node::start(|hit| match hit.method.as_str() {
        "GET" => ok(&json!([])),
        _ => Act::Hang(Vec::new()),
    });
    let client = node.client();
    let listen = |time| {
        std::thread::sleep(time);
        Wake::Nothing
    };
    let deadline = Instant::now() + Duration::from_secs(13);
    let error = wait::during(ListeningCall::new(Some(deadline), listen), || {
        sent(&client, &start())
    });
    assert!(
        error.to_string().contains("nothing of it is seen so far"),
        "{error}"
    );
    assert!(Instant::now() < deadline + Duration::from_secs(1));
}

#[test]
fn behind_a_write_that_was_accepted_nothing_denies_it() {
    let all = [
        Error::unreachable("prod", "refused"),
        Error::not_allowed("prod", "too many"),
        Error::bad("prod: no such disk"),
    ];
    let codes = ["InterruptedError", "NotAllowedError", "BadArgumentsError"];
    for (then, code) in all.into_iter().zip(codes) {
        let error = then.after(vec!["POST /nodes/pve1/qemu".into()]);
        let said = error.to_string();
        assert_eq!(error.code.as_str(), code, "{said}");
        assert!(
            said.starts_with("prod: ") && !said.contains("nothing was"),
            "{said}"
        );
        assert!(said.ends_with("was accepted and takes effect"), "{said}");
    }
}
