//! Endpoints and clusters that fail: what is remembered, what is asked elsewhere, what is repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proxmox_mcp::api::request::Reply;
use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::fan_out;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::wait::{self, ListeningCall, Wake};

use crate::proxmox::node::{self, Act, Node, closed_port, full, get, ok, post, refuse};

const ONE: &str = r#"{"data":1}"#;
/// A cluster that was down is tried for so long: what is quicker comes from memory.
const TRY: Duration = Duration::from_secs(1);
const LOCKED: &str = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout";
const NO_WORKER: &str = "got no worker upid - start worker failed";

/// One request as a fleet-wide read makes it, with `time` for the cluster.
fn shared(client: &ClusterClient, time: Duration) -> (Result<Reply, Error>, Duration) {
    let begun = Instant::now();
    let outcome = wait::sharing(time, || client.send(&get("/x")));
    (outcome, begun.elapsed())
}

#[track_caller]
fn says(outcome: Result<Reply, Error>, code: &str, parts: &[&str]) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code.as_str(), code, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "no `{part}` in: {error}");
    }
}

#[test]
fn a_cluster_that_drops_packets_costs_its_time_once() {
    let dead = [full(), full(), full()];
    let endpoints = dead.iter().map(|full| full.endpoint.clone()).collect();
    let client = ClusterClient::new(node::settings(endpoints));
    let limit = Duration::from_millis(1600);
    let (outcome, took) = shared(&client, limit);
    says(outcome, "ClusterConnectionError", &["no connection within"]);
    // Not a node's time for each of the three.
    assert!(took < limit * 5 / 2, "{took:?}");
    assert!(client.is_down());
    for again in [
        shared(&client, limit),
        // Somebody who asks for just this cluster has to wait a moment too.
        {
            let begun = Instant::now();
            (client.send(&get("/x")), begun.elapsed())
        },
    ] {
        let known = [
            "tried in vain",
            "s ago (the next try is in",
            "no connection within",
        ];
        says(again.0, "ClusterConnectionError", &known);
        assert!(again.1 < TRY, "{:?}", again.1);
    }
    // Behind the pause, the next try has a second for all nodes.
    let (mut text, mut took) = (String::from("in vain"), Duration::ZERO);
    while text.contains("in vain") {
        let tried = shared(&client, Duration::from_secs(5));
        text = tried.0.unwrap_err().to_string();
        took = tried.1;
    }
    assert!(took < TRY * 5 / 2, "{took:?}");
    let status = client.status();
    assert!(status.outage.unwrap().contains("2 times in"));
    assert_eq!(status.down.len(), 3);
}

#[test]
fn a_node_that_refuses_is_asked_every_time() {
    let client = ClusterClient::new(node::settings(vec![closed_port(), closed_port()]));
    for _ in 0..3 {
        let (outcome, _) = shared(&client, Duration::from_secs(5));
        let error = outcome.unwrap_err().to_string();
        assert!(
            error.contains("refused") && !error.contains("in vain"),
            "{error}"
        );
    }
    assert!(client.is_down());
}

#[test]
fn the_first_answer_clears_what_was_held_against_a_cluster() {
    let silent = Arc::new(AtomicBool::new(true));
    let node = Node::start({
        let silent = Arc::clone(&silent);
        move |_| match silent.load(Ordering::SeqCst) {
            true => Act::Hang(Vec::new()),
            false => ok(ONE),
        }
    });
    let client = node.client();
    let limit = Duration::from_millis(2500);
    let (outcome, _) = shared(&client, limit);
    says(outcome, "ReplyError", &["no answer in time"]);
    let (outcome, took) = shared(&client, limit);
    says(
        outcome,
        "ClusterConnectionError",
        &["in vain", "no answer in time"],
    );
    assert!(took < TRY, "{took:?}");
    silent.store(false, Ordering::SeqCst);
    // A call that is about this cluster alone asks it: only its answer was late.
    client.send(&get("/x")).unwrap();
    assert!(!client.is_down());
    assert_eq!(client.status().outage, None);
    assert_eq!(client.status().down, Vec::<String>::new());
    shared(&client, limit).0.unwrap();
}

#[test]
fn a_slow_request_of_one_call_is_not_held_against_the_cluster() {
    let node = Node::start(|hit| match hit.target.ends_with("/slow") {
        true => Act::Hang(Vec::new()),
        false => ok(ONE),
    });
    let client = node.client();
    let time = Duration::from_secs(2);
    says(client.send_within(&get("/slow"), time), "ReplyError", &[]);
    assert!(!client.is_down());
    shared(&client, Duration::from_secs(5)).0.unwrap();
}

#[test]
fn a_read_is_made_once_more_elsewhere() {
    for act in [
        || Act::SendClose(Vec::new()),
        || Act::SendClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        || refuse(595, "No route to host", ""),
        || refuse(596, "Connection timed out", ""),
        || refuse(599, "Too many redirections", ""),
    ] {
        let (first, second) = (Node::start(move |_| act()), Node::start(|_| ok(ONE)));
        let endpoints = vec![first.endpoint(), second.endpoint()];
        let client = ClusterClient::new(node::settings(endpoints));
        client.send(&get("/x")).unwrap();
        assert_eq!(
            (first.lines(), second.lines().len()),
            (vec!["GET /x".into()], 1)
        );
        // And no more than once.
        let third = Node::start(|_| ok(ONE));
        let again = Node::start(move |_| act());
        let endpoints = vec![first.endpoint(), again.endpoint(), third.endpoint()];
        let client = ClusterClient::new(node::settings(endpoints));
        client.send(&get("/x")).unwrap_err();
        assert_eq!(third.connections(), 0);
    }
}

#[test]
fn a_cluster_of_which_a_node_answered_is_not_down() {
    let node = Node::start(|_| refuse(595, "No route to host", ""));
    let endpoints = vec![node.endpoint(), closed_port()];
    let client = ClusterClient::new(node::settings(endpoints));
    says(client.send(&get("/x")), "ProxmoxError", &["(595)"]);
    assert!(!client.is_down());
    assert_eq!(client.status().down.len(), 1);
}

#[test]
fn a_silent_node_leaves_time_for_another() {
    let (first, second) = (
        Node::start(|_| Act::Hang(Vec::new())),
        Node::start(|_| ok(ONE)),
    );
    let endpoints = vec![first.endpoint(), second.endpoint()];
    let client = ClusterClient::new(node::settings(endpoints));
    shared(&client, Duration::from_secs(5)).0.unwrap();
    // Now it comes last.
    client.send(&post("/y")).unwrap();
    assert_eq!(second.lines(), ["GET /x", "POST /y"]);
    assert_eq!(first.lines(), ["GET /x"]);
}

#[test]
fn a_write_goes_elsewhere_only_where_it_was_not_executed() {
    for (status, code) in [(595, None), (596, Some("InterruptedError"))] {
        let (first, second) = (
            Node::start(move |_| refuse(status, "no", "")),
            Node::start(|_| ok(ONE)),
        );
        let endpoints = vec![first.endpoint(), second.endpoint()];
        let client = ClusterClient::new(node::settings(endpoints));
        let outcome = client.send(&post("/x"));
        assert_eq!(
            outcome.err().map(|error| error.code.as_str()),
            code,
            "{status}"
        );
        let repeated = usize::from(code.is_none());
        assert_eq!((first.hits().len(), second.hits().len()), (1, repeated));
    }
}

#[test]
fn what_was_not_begun_is_repeated_and_nothing_else() {
    let asked = AtomicUsize::new(0);
    let node = Node::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => refuse(500, NO_WORKER, r#"{"data":null}"#),
        _ => ok(ONE),
    });
    node.client().send(&post("/x")).unwrap();
    assert_eq!(node.lines(), ["POST /x", "POST /x"]);
    // It has been waited for already, 10 s long.
    let node = Node::start(|_| refuse(500, LOCKED, ""));
    let outcome = node.client().send(&post("/x"));
    says(outcome, "ProxmoxError", &["can't lock file"]);
    assert_eq!(node.hits().len(), 1);
    let node = Node::start(|_| refuse(500, "VM 100 qmp command 'x' failed - got timeout", ""));
    let outcome = node.client().send(&post("/x"));
    says(outcome, "InterruptedError", &["qmp command 'x' failed"]);
    assert_eq!(node.hits().len(), 1);
    let outcome = node.client().send(&get("/x"));
    says(outcome, "ProxmoxError", &["qmp command 'x' failed"]);
}

#[test]
fn no_write_is_repeated_late() {
    let node = Node::start(|hit| match hit.method.as_str() {
        "GET" => ok(ONE),
        _ => refuse(500, NO_WORKER, ""),
    });
    let client = node.client();
    // The connection is there: the time is for the pauses.
    client.send(&get("/x")).unwrap();
    let listen = |time| {
        std::thread::sleep(time);
        Wake::Nothing
    };
    let deadline = Instant::now() + Duration::from_millis(11_400);
    wait::during(ListeningCall::new(Some(deadline), listen), || {
        says(
            client.send(&post("/x")),
            "ProxmoxError",
            &["got no worker upid"],
        );
    });
    // One pause of half a second fits, the next one, of a whole, does not.
    assert_eq!(node.lines(), ["GET /x", "POST /x", "POST /x"]);
}

#[test]
fn a_read_of_several_clusters_has_an_end() {
    let listen = |time| {
        std::thread::sleep(time);
        Wake::Nothing
    };
    // The end of the call stands for the 25 s, which are counted from its beginning.
    for at_a_time in [1, 2] {
        let deadline = Instant::now() + Duration::from_millis(1500);
        let results = wait::during(ListeningCall::new(Some(deadline), listen), || {
            let wait_out = |place: usize| {
                if place > 0 {
                    let left = wait::remaining().expect("there is an end");
                    std::thread::sleep(left);
                }
                (place, wait::is_shared())
            };
            fan_out::fan_out(&[0, 1, 2, 3, 4], at_a_time, wait_out)
        });
        assert_eq!(results[0], Some((0, true)));
        assert_eq!(results[4], None, "{at_a_time}: {results:?}");
    }
}
