//! What strangers say does not take the machine: the peak memory of the real program, with a hundred
//! clusters that were made for that behind it, and a client before it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proxmox_mcp::room::{self, Charge, NoRoom, SHARE_MAX_BYTES};
use serde_json::json;

use crate::cli::binary::{PROGRAM, until};
use crate::demo::client::{Client, Way};
use crate::demo::write_private;
use crate::proxmox::authority::authority;
use crate::proxmox::node::{Act, Node, SECRET, TOKEN, ok};
use crate::sim::flood::{self, Flood, KINDS, PEAK_MAX_BYTES};

const CLUSTERS: usize = 100;
/// Of a body: as values a few of these bytes are more than there is room for.
const BODY_BYTES: usize = 1 << 20;

/// The most that the process had in memory so far, in bytes.
fn peak(client: &Client) -> u64 {
    let path = format!("/proc/{}/status", client.id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("a number") * 1024
}

fn started(flood: &Flood, more: &str) -> Client {
    let _ = std::fs::remove_file(flood.env_file());
    write_private(&flood.env_file(), &flood.env(more)).expect("it is written");
    // The C library of a development build keeps for each thread what was given back; that of the
    // static program does not.
    let mut command = Command::new("/usr/bin/env");
    command.args([
        "MALLOC_ARENA_MAX=1",
        "MALLOC_MMAP_THRESHOLD_=131072",
        PROGRAM,
    ]);
    let mut client = Client::start_as(command, &flood.env_file(), Way::Pipe).expect("it starts");
    client.initialize("2025-11-25").expect("it answers");
    client
}

#[test]
fn a_hundred_hostile_clusters_take_no_more_than_one() {
    let flood = Flood::start(CLUSTERS);
    let mut client = started(&flood, "PROXMOX_FANOUT=128");
    for kind in KINDS {
        flood.say(kind.body(BODY_BYTES));
        for tool in kind.tools {
            for (only, arguments) in flood::calls(tool) {
                let of = format!("{} {tool} {only:?}", kind.name);
                flood.only(only);
                client
                    .call(tool, &arguments)
                    .unwrap_or_else(|cause| panic!("{of}: {cause}"));
                let peak = peak(&client);
                assert!(peak < PEAK_MAX_BYTES, "{of}: {peak}");
                assert!(flood.only(None) > 0, "{of}: nothing hostile was read");
            }
        }
    }
}

#[test]
fn a_client_takes_no_more_by_what_it_says() {
    let flood = Flood::start(1);
    let mut client = started(&flood, "");
    let call = |id: u64, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"guest_get","arguments":{{"guest":100,"x":{arguments}}}}}}}"#
        )
    };
    let many = |open: &str, each: &str, close: &str, bytes: usize| {
        format!("{open}{}{close}", each.repeat(bytes / each.len()))
    };
    let mib = 1 << 20;
    // Over the limit of a line, under it and too much in memory, or simply a lot.
    for (arguments, expected) in [
        (many("[", "{},", "0]", 7 * mib), "longer than"),
        (many("[", r#"{"":0},"#, "0]", mib - 1000), "bytes of memory"),
        (many("[", "0,", "0]", mib - 1000), "bytes of memory"),
        (
            many(
                "[",
                r#"{"$serde_json::private::RawValue":"[0,0,0,0]"},"#,
                "0]",
                mib - 1000,
            ),
            "bytes of memory",
        ),
        (many("\"", r"\u200b", "\"", mib - 1000), "BadArgumentsError"),
        (many("", "[", "", mib - 1000), "nested deeper than 128"),
        (
            many("", "[", &"]".repeat(129), 129),
            "nested deeper than 128",
        ),
    ] {
        client
            .send_line(&call(7, &arguments))
            .expect("it is written");
        let answer = client.receive().expect("it answers").to_string();
        let shown: String = answer.chars().take(300).collect();
        assert!(answer.contains(expected), "{expected}: {shown}");
        let peak = peak(&client);
        assert!(peak < PEAK_MAX_BYTES, "after {shown}: {peak}");
    }
    // Many of them, of which none is read by the time that the next comes.
    let lines = 64;
    for id in 100..100 + lines {
        let arguments = many("[", "[],", "0]", 100_000);
        client
            .send_line(&call(id, &arguments))
            .expect("it is written");
    }
    for _ in 0..lines {
        client.receive().expect("it answers");
    }
    let peak = peak(&client);
    assert!(peak < PEAK_MAX_BYTES, "after all: {peak}");
}

/// Held by each test of this process that takes nearly all of the room that answers have in it.
pub(crate) static ALL_ROOM: Mutex<()> = Mutex::new(());

/// Other tests take some room at the same time: only what holds whatever they do is said here.
#[test]
fn who_comes_first_goes_on_and_the_others_wait() {
    let _alone = ALL_ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    let large = SHARE_MAX_BYTES - (1 << 20);
    let mut first = Charge::default();
    assert_eq!(first.grow(large, None), Ok(()));
    assert_eq!(first.grow(2 << 20, None), Err(NoRoom::TooLarge));
    let soon = || Some(Instant::now() + Duration::from_millis(20));
    let later = |bytes: usize, until: Option<Instant>| {
        std::thread::scope(|scope| {
            let take = || Charge::default().grow(bytes, until);
            scope.spawn(take).join().expect("it ends")
        })
    };
    // What is small never waits; of the rest there is nothing left beside the first one's.
    assert_eq!(later(10_000, soon()), Ok(()));
    assert_eq!(later(large, soon()), Err(NoRoom::Waited));
    assert_eq!(
        first.grow(1 << 20, None),
        Ok(()),
        "the first one never waits"
    );
    drop(first);
    assert_eq!(later(large, None), Ok(()));
}

/// A reply that waits in vain for the room that another one holds is told so by its cluster's name, and the
/// next call has it.
#[test]
fn a_reply_that_no_room_was_left_for_is_told() {
    const HELD: usize = 12 << 20;
    let row = r#"{"type":"node","node":"n1","status":"online","pad":""#;
    let large = format!(r#"{{"data":[{row}{}"}}]}}"#, "x".repeat(6 << 20));
    let small = format!(r#"{{"data":[{row}"}}]}}"#);
    let is_first = AtomicBool::new(true);
    let holds = Node::start(move |hit| match hit.target.as_str() {
        "/api2/json/cluster/resources" if is_first.swap(false, Ordering::SeqCst) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", HELD + 1);
            let mut bytes = head.into_bytes();
            bytes.resize(bytes.len() + HELD, b' ');
            Act::Hang(bytes)
        }
        _ => ok(&small),
    });
    let holds = Arc::new(holds);
    let first = Arc::clone(&holds);
    let waits = Node::start(move |_| {
        // Behind the other one, which has some of its reply by then.
        until("the other one is asked", || !first.hits().is_empty());
        std::thread::sleep(Duration::from_millis(500));
        ok(&large)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("room.env");
    let ca = authority().ca_file();
    let mut env = String::from("PROXMOX_CLUSTERS=holds,waits\n");
    for (name, node, limit) in [("holds", &*holds, 8), ("waits", &waits, 3)] {
        for (field, value) in [
            ("API_URL", format!("https://{}", node.address)),
            ("TOKEN_ID", TOKEN.into()),
            ("TOKEN_SECRET", SECRET.into()),
            ("CA_FILE", ca.display().to_string()),
            ("TIMEOUT", limit.to_string()),
        ] {
            env += &format!("PROXMOX_CLUSTER_{name}_{field}={value}\n");
        }
    }
    write_private(&file, &env).expect("the file");
    let mut client = Client::start(Path::new(PROGRAM), &file, Way::Pipe).expect("it starts");
    client.initialize("2025-11-25").expect("it answers");
    let mut errors = || {
        let answer = client.call("node_list", &json!({"cluster": "all"}));
        answer.expect("a result")["structuredContent"]["errors"].take()
    };
    let told = errors();
    let of_it = told.as_array().expect("a list").iter();
    let of_it: Vec<_> = of_it
        .filter(|error| error["cluster"] == json!("waits"))
        .collect();
    assert_eq!(of_it.len(), 1, "{told}");
    let message = of_it[0]["message"].as_str().expect("a message");
    assert!(
        message.contains("no memory was left for it in time"),
        "{told}"
    );
    assert_eq!(errors(), json!([]));
}

/// What is kept of several clusters at once has a limit: whose rows do not fit is named, and why.
#[test]
fn rows_for_which_no_room_is_left_are_told() {
    let flood = Flood::start(20);
    let mut client = started(&flood, "");
    let kind = KINDS.iter().find(|kind| kind.name == "guests");
    flood.say(kind.expect("guests").body(BODY_BYTES));
    let answer = client.call("fleet_summary", &json!({})).expect("an answer");
    let errors = answer["structuredContent"]["errors"].as_array();
    let messages = errors.expect("errors").iter();
    let mut messages = messages.filter_map(|error| error["message"].as_str());
    let said = messages.find(|message| message.contains("its rows of "));
    let said = said.expect("one whose rows do not fit");
    assert!(
        said.starts_with('f')
            && said.ends_with(
                " bytes are left out: it takes more memory than is left beside what is kept of other answers"
            ),
        "{said}"
    );
}

/// Whatever it had noted: nobody could let that go any more.
#[test]
fn a_thread_that_ends_gives_back_what_it_had() {
    let _alone = ALL_ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    let large = SHARE_MAX_BYTES - (1 << 20);
    for _ in 0..3 {
        let take = move || {
            room::note(large);
            let took = Charge::default().grow(1 << 16, None);
            // As long as it lives, it has that.
            let other = std::thread::spawn(move || {
                Charge::default().grow(large, Some(Instant::now() + Duration::from_millis(20)))
            });
            (took, other.join().expect("it ends"))
        };
        let took = std::thread::spawn(take).join().expect("it ends");
        assert_eq!(took, (Ok(()), Err(NoRoom::Waited)));
    }
}
