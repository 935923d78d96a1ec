//! What strangers say does not take the machine: the peak memory of the real program, with a hundred
//! clusters that were made for that behind it, and a client before it.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proxmox_mcp::room::{self, Charge, NoRoom, SHARE_MAX_BYTES};

use crate::cli::binary::PROGRAM;
use crate::demo::client::{Client, Way};
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
    crate::demo::write_private(&flood.env_file(), &flood.env(more)).expect("it is written");
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
