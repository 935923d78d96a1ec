//! Listening while a call waits, with standard input as a pipe and as a socket pair.

use std::time::{Duration, Instant};

use proxmox_mcp::mcp::wire::{CLOSING_MS, QUEUE_MAX};
use serde_json::{Value, json};

use crate::peer::{Peer, WAYS, Way, call, cancel, legacy, modern, summary};

/// At the latest so, where nothing else is promised: the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

fn sleeping(way: Way) -> Peer {
    let mut peer = Peer::negotiated(way, "2025-11-25");
    peer.send(&call("1", "sleeper"));
    peer.sleeps();
    peer
}

/// Ends the input, and checks all that is still said and how long it takes.
fn check_end(mut peer: Peer, expected: &[&str], limit: Duration) {
    let start = Instant::now();
    let said: Vec<String> = peer.close().iter().map(|line| summary(line)).collect();
    assert_eq!(said, expected);
    peer.join();
    assert!(start.elapsed() < limit, "it took {:?}", start.elapsed());
}

/// The best of a few attempts: a busy machine may spoil some, a deaf server spoils all.
fn check_within(limit: Duration, mut attempt: impl FnMut() -> Duration) {
    let times: Vec<Duration> = (0..5).map(|_| attempt()).collect();
    assert!(times.iter().min() < Some(&limit), "it took {times:?}");
}

#[test]
fn a_ping_is_answered_during_a_wait() {
    for way in WAYS {
        let mut peer = sleeping(way);
        check_within(Duration::from_millis(50), || {
            let start = Instant::now();
            peer.send(&legacy(r#""p""#, "ping", Value::Null));
            assert_eq!(summary(&peer.receive().unwrap()), r#"result "p""#);
            start.elapsed()
        });
        check_end(peer, &["result 1"], SOON);
    }
}

#[test]
fn the_end_of_input_ends_a_wait_at_once() {
    for way in WAYS {
        check_within(Duration::from_millis(100), || {
            let peer = sleeping(way);
            let start = Instant::now();
            check_end(peer, &["result 1"], SOON);
            start.elapsed()
        });
    }
}

#[test]
fn a_cancellation_ends_a_wait_at_once() {
    for way in WAYS {
        check_within(Duration::from_millis(50), || {
            let mut peer = sleeping(way);
            let start = Instant::now();
            peer.send(&cancel("1"));
            peer.send(&call("2", "echo"));
            assert_eq!(summary(&peer.receive().unwrap()), "result 2");
            start.elapsed()
        });
    }
}

#[test]
fn what_is_malformed_is_answered_during_a_wait() {
    for way in WAYS {
        let mut peer = sleeping(way);
        let rows: [(&[u8], &str); 6] = [
            (b"nonsense\n", "-32700 null"),
            (b"\xff\n", "-32700 null"),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\",\"params\":[]}\n",
                "-32600 4",
            ),
            (b"[]\n", "-32600 null"),
            // The id of the call that runs.
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n",
                "-32600 1",
            ),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"ping\"}\n",
                "result \"1\"",
            ),
        ];
        for (bytes, expected) in rows {
            peer.send_bytes(bytes);
            assert_eq!(summary(&peer.receive().unwrap()), expected, "{way:?}");
        }
        check_end(peer, &["result 1"], SOON);
    }
}

#[test]
fn a_cancellation_ends_a_wait_and_nothing_is_said() {
    for way in WAYS {
        let mut peer = sleeping(way);
        peer.send(&cancel("\"1\""));
        peer.send(&cancel("2"));
        peer.send(&legacy("3", "ping", Value::Null));
        assert_eq!(
            summary(&peer.receive().unwrap()),
            "result 3",
            "another's id"
        );

        peer.send(&cancel("1"));
        // The next in the queue runs at once, under the same id.
        peer.send(&call("1", "echo"));
        assert_eq!(summary(&peer.receive().unwrap()), "result 1");
        check_end(peer, &[], SOON);
    }
}

#[test]
fn a_wait_that_nothing_disturbs_ends_by_itself() {
    for way in WAYS {
        let mut peer = sleeping(way);
        peer.release();
        assert_eq!(summary(&peer.receive().unwrap()), "result 1", "{way:?}");
        check_end(peer, &[], SOON);
    }
}

#[test]
fn what_was_cancelled_frees_its_id_at_once() {
    let mut peer = Peer::negotiated(Way::Pipe, "2025-03-26");
    peer.send(&call("1", "sleeper"));
    peer.sleeps();
    peer.send(&format!("[{},{}]", cancel("1"), call("1", "echo")));
    assert_eq!(summary(&peer.receive().unwrap()), "[result 1]");
    check_end(peer, &[], SOON);
}

#[test]
fn ids_beyond_numbers_can_be_cancelled() {
    let id = "123456789012345678901234567890";
    let mut peer = Peer::start(Way::Pipe);
    peer.send(&call(id, "sleeper"));
    peer.sleeps();
    peer.send(&cancel(id));
    check_end(peer, &[], SOON);
}

#[test]
fn other_requests_queue_in_order() {
    for way in WAYS {
        let mut peer = sleeping(way);
        peer.send(&call("2", "echo"));
        peer.send(&modern("3", "tools/list", json!({})));
        peer.send(&call("4", "echo"));
        peer.send(&call("5", "refuser"));
        // One that waits has an id that is taken, and can be withdrawn.
        peer.send(&call("5", "echo"));
        assert_eq!(summary(&peer.receive().unwrap()), "-32600 5");
        peer.send(&cancel("4"));
        peer.send(&cancel("1"));
        for expected in ["result 2", "result 3"] {
            assert_eq!(summary(&peer.receive().unwrap()), expected, "{way:?}");
        }
        assert!(summary(&peer.receive().unwrap()).starts_with("isError 5"));
        check_end(peer, &[], SOON);
    }
}

#[test]
fn the_end_of_input_ends_what_is_queued() {
    for way in WAYS {
        check_within(Duration::from_millis(1500), || {
            let mut peer = sleeping(way);
            for id in 2..20 {
                peer.send(&call(&id.to_string(), "sleeper"));
            }
            // A last line without its newline counts too.
            peer.send_bytes(legacy("20", "ping", Value::Null).as_bytes());
            let start = Instant::now();
            let mut lines = peer.close();
            let took = start.elapsed();
            // The ping does not wait for its turn.
            assert_eq!(summary(&lines.remove(0)), "result 20");
            for (line, id) in lines.iter().zip(1..) {
                assert_eq!(summary(line), format!("result {id}"));
                assert!(line.contains("Closed"), "{way:?}: {line}");
            }
            assert_eq!(lines.len(), 19);
            peer.join();
            took
        });
    }
}

/// What there is no time left for is refused, and not dropped.
#[test]
fn after_the_end_of_input_time_is_short() {
    for way in WAYS {
        let mut peer = sleeping(way);
        for id in 2..30 {
            peer.send(&call(&id.to_string(), "stubborn"));
        }
        let start = Instant::now();
        let lines = peer.close();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        let ids = lines.iter().map(|line| summary(line));
        let ids: Vec<String> = ids
            .filter_map(|said| said.split(' ').nth(1).map(String::from))
            .collect();
        let all: Vec<String> = (1..30).map(|id| id.to_string()).collect();
        assert_eq!(ids, all, "{way:?}");
        let is_refused = |line: &&String| line.contains("no time left to begin this");
        let refused = lines.iter().filter(is_refused).count();
        // Each takes a while whatever it is told, so that there is time for a few only.
        assert!((2..28).contains(&refused), "{way:?}: {refused} refused");
        for line in lines.iter().skip(1).filter(|line| !is_refused(line)) {
            let reply: Value = serde_json::from_str(line).unwrap();
            let left = reply["result"]["structuredContent"]["left_ms"].as_u64();
            assert!(left.is_some_and(|left| left <= CLOSING_MS), "{line}");
        }
        peer.join();
    }
}

#[test]
fn a_client_that_hangs_up_is_left_quietly() {
    for way in WAYS {
        let mut peer = sleeping(way);
        peer.deafen();
        peer.send(&legacy("2", "ping", Value::Null));
        // Input stays open: the broken output alone ends the wait and the server.
        let start = Instant::now();
        peer.join();
        assert!(start.elapsed() < SOON, "{way:?}");
    }
}

/// Calls behind the one that sleeps, up to this id.
fn refused_later(peer: &mut Peer, last: usize) {
    let calls = (2..=last).map(|id| call(&id.to_string(), "refuser") + "\n");
    peer.send_bytes(calls.collect::<String>().as_bytes());
}

#[test]
fn a_full_queue_stops_the_reading_but_loses_nothing() {
    for way in WAYS {
        let mut peer = sleeping(way);
        let last = QUEUE_MAX + 50;
        refused_later(&mut peer, last);
        // Behind a full queue even this is not seen before its turn.
        peer.send(&legacy(r#""p""#, "ping", Value::Null));
        peer.release();
        assert_eq!(summary(&peer.receive().unwrap()), "result 1", "{way:?}");
        for id in 2..=last {
            let said = summary(&peer.receive().unwrap());
            assert!(
                said.starts_with(&format!("isError {id} ")),
                "{way:?}: {said}"
            );
        }
        check_end(peer, &[r#"result "p""#], SOON);
    }
}

/// Neither is the end of the input missed behind it, which ends what runs.
#[test]
fn behind_a_full_queue_the_end_of_the_input_is_seen() {
    for way in WAYS {
        let mut peer = sleeping(way);
        let last = QUEUE_MAX + 50;
        refused_later(&mut peer, last);
        let said: Vec<String> = peer.close().iter().map(|line| summary(line)).collect();
        assert_eq!(said[0], "result 1", "{way:?}");
        let ids = said.iter().filter_map(|one| one.split(' ').nth(1));
        let all: Vec<String> = (1..=last).map(|id| id.to_string()).collect();
        assert_eq!(Vec::from_iter(ids), all, "{way:?}");
        peer.join();
    }
}

#[test]
fn a_file_is_answered_line_by_line() {
    use proxmox_mcp::mcp::inbox::{Inbox, InboxEvent, InputLine};
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"one\r\n\n\xef\xbb\xbftwo\nthree").unwrap();
    file.rewind().unwrap();
    let mut inbox = Inbox::new(file.into());
    // A wait does not listen to a file: what was not read yet stays for later.
    assert_eq!(inbox.poll(Duration::from_millis(1)), InboxEvent::Nothing);
    assert_eq!(inbox.next_line(), Some(InputLine::Text("one".to_owned())));
    assert_eq!(
        inbox.poll(Duration::ZERO),
        InboxEvent::Line(InputLine::Text("two".to_owned()))
    );
    assert_eq!(inbox.poll(Duration::ZERO), InboxEvent::Nothing);
    assert_eq!(inbox.next_line(), Some(InputLine::Text("three".to_owned())));
    assert_eq!(inbox.next_line(), None);
    assert_eq!(inbox.poll(Duration::ZERO), InboxEvent::Closed);
}
