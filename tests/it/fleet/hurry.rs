//! A read of the whole fleet does not wait for whoever takes no connection once enough of the others
//! have answered. What is said tells how long each was waited for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proxmox_mcp::answer_count::AnswerCount;
use proxmox_mcp::counted::Cost;
use proxmox_mcp::fleet::fan_out;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::settings::Endpoint;
use proxmox_mcp::room::Charge;
use proxmox_mcp::wait;
use serde_json::{Map, Value, json};

use crate::proxmox::node::{self, Act, Full, Node, answer, closed_port, full, get, mute, ok};
use crate::proxmox::transport::pipe;
use crate::session::Session;
use crate::sim::World;

const ONE: &str = r#"{"data":1}"#;
const LEFT: &str = "no connection within 1.3 s, when the others had answered";
const WAITED_FOR: &str = "no connection within 5.0 s";
/// What a cluster has in a read of several.
const SHARE: Duration = Duration::from_secs(5);

/// The three clusters of a world, and as many more as there are lists of endpoints, in front of them.
fn session(world: &World, more: &[(&str, &[Endpoint])], lines: &str) -> Session {
    let own = world.env();
    let staging = own
        .lines()
        .filter_map(|line| line.strip_prefix("PROXMOX_CLUSTER_staging_"));
    let staging: Vec<&str> = staging
        .filter(|line| !line.starts_with("API_URL="))
        .collect();
    let mut text = String::from(lines);
    let mut names = Vec::new();
    for (name, endpoints) in more {
        let urls = endpoints
            .iter()
            .map(|endpoint| format!("https://{endpoint}"));
        let urls = urls.collect::<Vec<_>>().join(",");
        let _ = writeln!(text, "\nPROXMOX_CLUSTER_{name}_API_URL={urls}");
        for line in &staging {
            let _ = writeln!(text, "PROXMOX_CLUSTER_{name}_{line}");
        }
        names.push(*name);
    }
    names.extend(["production", "staging", "disaster-recovery"]);
    let text = format!("PROXMOX_CLUSTERS={}\n{text}", names.join(","));
    Session::with(world, &text)
}

/// What is said of the clusters that did not answer, by name.
fn said(answer: &Map<String, Value>) -> Vec<(&str, &str)> {
    let errors = answer["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| {
            let text = |name: &str| error[name].as_str().expect("a text");
            (text("cluster"), text("message"))
        })
        .collect()
}

#[track_caller]
fn only(answer: &Map<String, Value>, cluster: &str, parts: &[&str]) {
    let said = said(answer);
    let [(name, message)] = said.as_slice() else {
        panic!("one is silent: {said:?}")
    };
    assert_eq!(*name, cluster);
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

fn search(session: &mut Session, query: &str) -> Map<String, Value> {
    let arguments = json!({"query": query, "limit": 100});
    session.call("fleet_search", &arguments).ok()
}

/// The row of a cluster in `cluster_list`, which asks nobody.
fn row(session: &mut Session, cluster: &str) -> Value {
    let listed = session.call("cluster_list", &json!({})).ok();
    let rows = listed["items"].as_array().expect("items");
    let row = rows.iter().find(|row| row["cluster"] == json!(cluster));
    row.expect("it is listed").clone()
}

#[test]
fn once_three_in_four_have_answered_the_silent_one_is_left() {
    let (world, dead) = (World::three(), full());
    let mut session = session(
        &world,
        &[("dead", std::slice::from_ref(&dead.endpoint))],
        "",
    );
    for _ in 0..2 {
        // Also the second time: that it was left is not held against it.
        let answer = search(&mut session, "type:guest");
        only(
            &answer,
            "dead",
            &["not reached", &dead.endpoint.to_string(), LEFT],
        );
        assert!(json!(answer["items"]).to_string().contains("dr-web-01"));
        let row = row(&mut session, "dead");
        assert_eq!(row["state"], json!("not asked yet"), "{row}");
        assert_eq!(
            (&row["outage"], &row["endpoints_down"]),
            (&json!(null), &json!(null))
        );
    }
}

#[test]
fn before_that_it_has_its_time_and_then_all_that_answered_last_time_are_enough() {
    let (world, dead) = (World::three(), [full(), full()]);
    let more: Vec<(&str, Vec<Endpoint>)> = ["dead-a", "dead-b"]
        .into_iter()
        .zip(&dead)
        .map(|(name, full)| (name, vec![full.endpoint.clone()]))
        .collect();
    let more: Vec<(&str, &[Endpoint])> = more
        .iter()
        .map(|(name, all)| (*name, all.as_slice()))
        .collect();
    // Three of five are not enough, whatever is known.
    let mut first = session(&world, &more, "");
    let answer = search(&mut first, "type:guest");
    for (_, message) in said(&answer) {
        assert!(
            message.contains(WAITED_FOR) && !message.contains("others"),
            "{message}"
        );
    }
    // They are where all of them answered the last time.
    let mut second = session(&world, &more, "");
    let answer = search(&mut second, "type:guest -cluster:dead-a -cluster:dead-b");
    assert_eq!(said(&answer), []);
    let answer = search(&mut second, "type:guest");
    assert_eq!(said(&answer).len(), 2, "{answer:?}");
    for (_, message) in said(&answer) {
        assert!(message.contains(LEFT), "{message}");
    }
}

#[test]
fn the_next_endpoint_is_tried_and_the_cluster_given_up_with_the_last() {
    let world = World::three();
    let (one, two) = (full(), full());
    let own = |world: &World| {
        let env = world.env();
        let url = env
            .lines()
            .find_map(|line| line.strip_prefix("PROXMOX_CLUSTER_staging_API_URL=https://"));
        let url = url.and_then(|urls| urls.split(',').next());
        let (host, port) = url.expect("an address").rsplit_once(':').expect("a port");
        Endpoint::new(
            host.trim_matches(['[', ']']),
            port.parse().expect("a number"),
        )
    };
    let refuses = closed_port();
    let refusing = refuses.to_string();
    let (dead, half) = (
        [one.endpoint.clone(), refuses, two.endpoint.clone()],
        [one.endpoint.clone(), own(&world)],
    );
    // Five of six answer.
    let more: [(&str, &[Endpoint]); 5] = [
        ("dead", &dead),
        ("half", &half),
        ("a", &[own(&world)]),
        ("b", &[own(&world)]),
        ("c", &[own(&world)]),
    ];
    let mut session = session(&world, &more, "");
    let answer = search(&mut session, "type:guest cluster:*");
    let one = format!("{}: {LEFT}", one.endpoint);
    let two = format!("{}: {LEFT}", two.endpoint);
    only(&answer, "dead", &[&one, "refused", &two]);
    // Only the one that refused is known to.
    let dead = row(&mut session, "dead");
    assert_eq!(
        (&dead["outage"], &dead["endpoints_down"]),
        (&json!(null), &json!([refusing]))
    );
    // Where another answers, it is asked first from then on.
    let down = row(&mut session, "half")["endpoints_down"].clone();
    assert_eq!(down, json!([half[0].to_string()]));
}

#[test]
fn who_asks_for_one_or_checks_or_writes_waits_to_the_end() {
    let (world, dead) = (World::three(), full());
    let more: [(&str, &[Endpoint]); 1] = [("dead", std::slice::from_ref(&dead.endpoint))];
    let waits = |work: &(dyn Fn(&mut Session) -> String + Sync)| {
        let text = work(&mut session(&world, &more, ""));
        assert!(
            text.contains(WAITED_FOR) && !text.contains("others"),
            "{text}"
        );
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            waits(&|session| {
                let checked = session.call("cluster_list", &json!({"check": true})).ok();
                json!(checked["errors"]).to_string()
            });
        });
        scope.spawn(|| {
            waits(&|session| {
                session
                    .call("node_list", &json!({"cluster": "dead"}))
                    .error()
            });
        });
        scope.spawn(|| {
            waits(&|session| {
                let stop = json!({"guest": 120, "action": "start"});
                let refused = session.call("guest_power", &stop).error();
                assert!(refused.contains("dead"), "{refused}");
                row(session, "dead")["outage"].to_string()
            });
        });
        scope.spawn(|| {
            // What is read is placed without it.
            let session = &mut session(&world, &more, "");
            let found = session.call("guest_get", &json!({"guest": 120})).ok();
            assert_eq!(found["cluster"], json!("staging"));
            assert_eq!(row(session, "dead")["outage"], json!(null));
        });
    });
}

/// One request as a read of several clusters makes it, when the others have answered.
fn hurried(client: &ClusterClient, share: Duration) -> String {
    let answer_count = Arc::new(AnswerCount::new(0, 0));
    let outcome = wait::sharing(share, || {
        wait::counting_answers(&answer_count, || client.send(&get("/x"))).0
    });
    outcome.map_or_else(|error| error.to_string(), |_| "an answer".into())
}

#[test]
fn who_took_the_connection_keeps_its_time() {
    let (_listener, mute) = mute();
    let client = ClusterClient::new(node::settings(vec![mute]));
    let said = hurried(&client, Duration::from_secs(2));
    assert!(said.contains("no connection within 2.0 s"), "{said}");
    let silent = Node::start(|_| Act::Hang(Vec::new()));
    let said = hurried(&silent.client(), Duration::from_secs(2));
    assert!(said.contains("no answer in time"), "{said}");
    // Half of the handshake takes longer than an endpoint is waited for, and the answer is slow.
    let slow = Node::start(|_| {
        thread::sleep(Duration::from_millis(1500));
        ok(ONE)
    });
    assert_eq!(hurried(&slow.client(), SHARE), "an answer");
}

/// A port that passes one connection on, and drops what else comes.
fn one_connection(node: &Node) -> (Endpoint, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (target, is_full) = (node.address, Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&is_full);
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        pipe(client, TcpStream::connect(target).unwrap());
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(stream);
        }
        told.store(true, Ordering::SeqCst);
        loop {
            thread::park();
            let _ = (&listener, &queue);
        }
    });
    (Endpoint::new("127.0.0.1", address.port()), is_full)
}

#[test]
fn who_was_slow_before_has_three_times_as_long() {
    let node = Node::start(|_| {
        thread::sleep(Duration::from_millis(600));
        Act::SendClose(answer(200, "OK", ONE))
    });
    let (endpoint, is_full) = one_connection(&node);
    let client = ClusterClient::new(node::settings(vec![endpoint]));
    client.send(&get("/x")).unwrap();
    crate::cli::binary::until("nobody is taken any longer", || {
        is_full.load(Ordering::SeqCst)
    });
    let said = hurried(&client, SHARE);
    let after = said.split("no connection within ").nth(1).expect("a time");
    let seconds: f64 = after.split(' ').next().unwrap().parse().unwrap();
    assert!(seconds >= 1.8 && said.contains("the others"), "{said}");
}

/// A port that drops what comes for half a second: who connects stands when what was lost is sent again,
/// after one.
fn drops_at_first(node: &Node) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
    }
    let target = node.address;
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        let is_queued = |client: &TcpStream| {
            let of = client.peer_addr().unwrap();
            queue.iter().any(|one| one.local_addr().unwrap() == of)
        };
        let mut clients = listener.incoming().map(|client| client.unwrap());
        if let Some(client) = clients.find(|client| !is_queued(client)) {
            pipe(client, TcpStream::connect(target).unwrap());
        }
    });
    Endpoint::new("127.0.0.1", address.port())
}

#[test]
fn one_lost_packet_is_waited_for() {
    let node = Node::start(|_| ok(ONE));
    // Where the machine was too busy, it is tried again.
    let answers = (0..5).any(|_| {
        let client = ClusterClient::new(node::settings(vec![drops_at_first(&node)]));
        hurried(&client, SHARE) == "an answer"
    });
    assert!(answers);
}

/// The local ports from which somebody connects to this one now.
fn connecting_from(port: u16) -> BTreeSet<String> {
    const SYN_SENT: &str = "02";
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let rows = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (from, to, state) = (words.next()?, words.next()?, words.next()?);
        let is_it = to.ends_with(&format!(":{port:04X}")) && state == SYN_SENT;
        is_it.then(|| from.to_string())
    });
    rows.collect()
}

#[test]
fn connecting_is_not_begun_anew_before_it_is_left() {
    let dead: Full = full();
    let port = dead.endpoint.port;
    let client = ClusterClient::new(node::settings(vec![dead.endpoint.clone()]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                seen.extend(connecting_from(port));
                thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        let said = hurried(&client, SHARE);
        over.store(true, Ordering::SeqCst);
        assert!(said.contains(LEFT), "{said}");
        assert_eq!(watch.join().unwrap().len(), 1);
    });
}

#[test]
fn a_cluster_that_answered_half_of_it_is_not_held_to_be_silent() {
    let node = Node::start(|hit| match hit.nth {
        0 => ok(ONE),
        _ => Act::Hang(Vec::new()),
    });
    let client = node.client();
    wait::sharing(Duration::from_secs(2), || {
        client.send(&get("/list")).unwrap();
        client.send(&get("/rights")).unwrap_err();
    });
    assert!(!client.is_down());
}

#[test]
fn all_are_asked_at_once_on_small_stacks() {
    let all: Vec<usize> = (0..128).collect();
    let barrier = std::sync::Barrier::new(all.len());
    // The deepest that is read.
    let json = "[".repeat(127) + &"]".repeat(127);
    let depths = fan_out::fan_out(&all, 128, |_| {
        barrier.wait();
        let mut charge = Charge::default();
        Cost::held_by(&mut charge).read(&json).is_ok()
    });
    assert!(depths.iter().all(|read| *read == Some(true)));
}
