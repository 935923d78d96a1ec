//! A backup storage that lists slower than its share of a call's time, beside others.

use serde_json::json;

use crate::session::Session;
use crate::sim::{Fault, World};

/// Longer than any call waits, in milliseconds.
const SLOW_MS: u64 = 60_000;
const NAS: &str = "/nodes/dr-pve1/storage/nas/content";

#[test]
fn what_is_left_when_the_others_are_done_is_for_the_slow_one() {
    let world = World::three();
    let slow = Fault::Latency(SLOW_MS).on("GET", NAS).times(1);
    world.cluster("disaster-recovery").fault(slow);
    let mut session = Session::start(&world);
    let listed = json!({"cluster": "disaster-recovery"});
    let listed = session.call("backup_list", &listed).ok();
    assert_eq!(listed.get("not_read"), None, "{listed:?}");
    assert_eq!(listed.get("note"), None, "{listed:?}");
    let of_nas = json!(listed["items"]).to_string();
    assert!(of_nas.contains("nas:backup/"), "{listed:?}");
    // Its turn came again behind the other storage. The one that was given up is not seen: it was
    // never answered.
    let seen = world.seen();
    let paths = seen.iter().map(|seen| seen.path.as_str());
    let asked: Vec<&str> = paths.filter(|path| path.ends_with("/content")).collect();
    let local = "/nodes/dr-pve1/storage/local/content";
    assert_eq!(asked, [local, NAS]);
}

#[test]
fn who_lists_a_slow_one_beside_others_is_told_how_to_ask_it_alone() {
    let world = World::three();
    let slow = Fault::Latency(SLOW_MS).on("GET", NAS);
    world.cluster("disaster-recovery").fault(slow);
    let mut session = Session::start(&world);
    // Of several clusters each has a share of the time.
    let listed = session.call("backup_list", &json!({"cluster": "all"})).ok();
    assert!(listed.contains_key("not_read"), "{listed:?}");
    let not_read = json!(listed["not_read"]).to_string();
    assert!(not_read.contains("disaster-recovery"), "{listed:?}");
    let note = listed["note"].as_str().expect("a note");
    assert!(note.contains("`storage`"), "{note}");
}

#[test]
fn a_guests_backups_are_unknown_where_a_storage_is_silent() {
    let world = World::three();
    let slow = Fault::Latency(SLOW_MS).on("GET", NAS);
    world.cluster("disaster-recovery").fault(slow);
    let mut session = Session::start(&world);
    let asked = json!({"guest": "vault", "include": ["backups", "status"]});
    let got = session.call("guest_get", &asked).ok();
    assert_eq!(got.get("backups"), None, "{got:?}");
    assert_eq!(got["backups_not_read"][0]["storage"], "nas", "{got:?}");
    assert!(got.contains_key("backups_unknown"), "{got:?}");
    // The rest of the answer is there all the same.
    assert_eq!(got["status"], "running");
}
