//! The transport listens while it waits: cancellation, and the end of input.

use std::cell::Cell;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::settings::Endpoint;
use proxmox_mcp::wait::{self, ListeningCall, Wake};
use serde_json::json;

use crate::proxmox::node::{self, Act, Node, get, mute, ok, post};
use crate::proxmox::transport::pipe;

/// Long before the time of a request is up; how long exactly is measured by `make bench`.
const SOON: Duration = Duration::from_secs(5);
const ONE: &str = r#"{"data":1}"#;

/// Runs `work` while a listener says `wake` from the moment that `when` holds.
fn woken<T>(
    wake: Wake,
    when: impl Fn() -> bool + 'static,
    work: impl FnOnce() -> T,
) -> (T, Duration) {
    let since = Rc::new(Cell::new(None));
    let listen = {
        let since = Rc::clone(&since);
        move |time| {
            std::thread::sleep(time);
            if !when() {
                return Wake::Nothing;
            }
            since.set(Some(since.get().unwrap_or_else(Instant::now)));
            wake
        }
    };
    let result = wait::during(ListeningCall::new(None, listen), work);
    let since: Instant = since.get().expect("it was never woken");
    (result, since.elapsed())
}

#[test]
fn a_hanging_answer_is_given_up_when_the_call_is_cancelled() {
    for request in [get("/x"), post("/x")] {
        let asked = Arc::new(AtomicBool::new(false));
        let node = Node::start({
            let asked = Arc::clone(&asked);
            move |_| {
                asked.store(true, Ordering::SeqCst);
                Act::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec())
            }
        });
        let client = node.client();
        let (outcome, after) = woken(
            Wake::Cancelled,
            move || asked.load(Ordering::SeqCst),
            || client.send(&request),
        );
        assert_eq!(outcome.unwrap_err(), Error::cancelled());
        assert!(after < SOON, "{after:?}");
    }
}

#[test]
fn connecting_is_given_up_when_the_call_is_cancelled() {
    let (_listener, endpoint) = mute();
    let client = ClusterClient::new(node::settings(vec![endpoint.clone(), endpoint]));
    let begun = Instant::now();
    let (outcome, after) = woken(
        Wake::Cancelled,
        move || begun.elapsed() > Duration::from_millis(60),
        || client.send(&post("/x")),
    );
    assert_eq!(outcome.unwrap_err(), Error::cancelled());
    assert!(after < SOON, "{after:?}");
}

#[test]
fn at_end_of_input_a_read_is_given_up_and_a_write_is_followed_for_a_second() {
    let hang = |asked: &Arc<AtomicBool>| {
        let asked = Arc::clone(asked);
        Node::start(move |_| {
            asked.store(true, Ordering::SeqCst);
            Act::Hang(Vec::new())
        })
    };
    let asked = Arc::new(AtomicBool::new(false));
    let node = hang(&asked);
    let client = node.client();
    let (outcome, after) = woken(
        Wake::Closed,
        move || asked.load(Ordering::SeqCst),
        || client.send(&get("/x")),
    );
    assert_eq!(outcome.unwrap_err().code.as_str(), "ReplyError");
    assert!(after < SOON, "{after:?}");

    let asked = Arc::new(AtomicBool::new(false));
    let node = hang(&asked);
    let client = node.client();
    let (outcome, after) = woken(
        Wake::Closed,
        move || asked.load(Ordering::SeqCst),
        || client.send(&post("/x")),
    );
    assert_eq!(outcome.unwrap_err().code.as_str(), "InterruptedError");
    assert!(
        after > Duration::from_millis(900) && after < SOON,
        "{after:?}"
    );

    // An answer within that second is still an answer.
    let asked = Arc::new(AtomicBool::new(false));
    let node = Node::start({
        let asked = Arc::clone(&asked);
        move |_| {
            asked.store(true, Ordering::SeqCst);
            Act::Drip(node::answer(200, "OK", ONE), Duration::from_millis(5))
        }
    });
    let client = node.client();
    let (outcome, _) = woken(
        Wake::Closed,
        move || asked.load(Ordering::SeqCst),
        || client.send(&post("/x")),
    );
    assert_eq!(outcome.unwrap().data.let_go(), json!(1));
}

#[test]
fn nothing_begins_after_the_end_of_input() {
    let node = Node::start(|_| ok(ONE));
    let client = node.client();
    for request in [get("/x"), post("/x")] {
        let (outcome, _) = woken(Wake::Closed, || true, || client.send(&request));
        assert_eq!(outcome.unwrap_err().code.as_str(), "ClusterConnectionError");
    }
    assert_eq!(node.connections(), 0);
}

#[test]
fn no_write_begins_when_input_ends_while_connecting() {
    // The handshake hangs until the input has ended; the write must not follow it.
    let node = Node::start(|_| ok(ONE));
    let target = node.address;
    let ended = Arc::new(AtomicBool::new(false));
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::new("127.0.0.1", gate.local_addr().unwrap().port());
    std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let (stream, _) = gate.accept().unwrap();
            ended.store(true, Ordering::SeqCst);
            pipe(stream, TcpStream::connect(target).unwrap());
        }
    });
    let client = ClusterClient::new(node::settings(vec![endpoint]));
    let (outcome, _) = woken(
        Wake::Closed,
        move || ended.load(Ordering::SeqCst),
        || client.send(&post("/x")),
    );
    assert_eq!(outcome.unwrap_err().code.as_str(), "ClusterConnectionError");
    assert_eq!(node.hits().len(), 0);
}
