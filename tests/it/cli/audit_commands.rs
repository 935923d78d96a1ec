//! The commands `audit verify` and `audit show`, as a person or a script sees them.

use std::fs;
use std::path::Path;

use proxmox_mcp::gate::audit::{AuditClient, AuditOrigin, AuditVerdict, Log, Record};
use serde_json::{Value, json};

use crate::cli::commands::{Said, bare};
use crate::gate::audit::{call, delete, place};
use crate::sim::clean::Clean;

/// Two runs: one of a client that ended, one of the command line that did not.
fn two_runs() -> (Clean, String, Log) {
    let (folder, path) = place();
    let one = Log::new(&path, AuditOrigin::Mcp);
    one.begin().expect("it is written");
    one.set_client(AuditClient {
        name: "claude-desktop-of-somebody".into(),
        version: "1.2".into(),
    });
    call(&one, 100);
    let asked = Record {
        verdict: Some(AuditVerdict::Asked),
        cluster: "disaster-recovery".into(),
        ..delete(101)
    };
    one.outcome(None, &asked).expect("it is written");
    let refused = Record {
        tool: "guest_create_container".into(),
        verdict: Some(AuditVerdict::Refused),
        rule: "protected by the tag `a-very-long-tag-that-somebody-gave\u{202e}`".into(),
        objects: (100..110)
            .map(|vmid| format!("a-cluster-with-a-name/{vmid}"))
            .collect(),
        ..delete(102)
    };
    one.outcome(None, &refused).expect("it is written");
    one.end().expect("it is written");
    let two = Log::new(&path, AuditOrigin::Call);
    let about_to = Record {
        request: "DELETE /nodes/a-node-with-a-name/qemu/103".into(),
        ..delete(103)
    };
    two.intent(&about_to).expect("it is written");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path, two)
}

fn verify(words: &[&str]) -> Said {
    bare(&[&["audit", "verify"], words].concat())
}

#[track_caller]
fn fits(text: &str, path: &str) {
    for line in text.lines() {
        // A temporary folder's name is no matter of ours.
        let width = line.replace(path, "audit.jsonl").chars().count();
        assert!(width <= 80, "{width}: {line}");
    }
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(joined.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn a_sound_file_is_said_to_be_sound() {
    let (_folder, path, log) = two_runs();
    let (run, hash) = log.head().expect("lines were written");
    let text = verify(&[&path]).well();
    fits(&text, &path);
    let head = format!("{run}={hash}");
    let unknown = format!("{path} line 8 of run {run} at 20");
    says(
        &text,
        &[
            "whether it took effect is unknown; look at the cluster:",
            &unknown,
            "guest_delete on production: DELETE /nodes/a-node-with-a-name/qemu/103",
            &format!(
                "no end: killed, still running, or the end was removed: run {run}, last at 20"
            ),
            &head,
            "8 lines, 2 runs: sound",
        ],
    );
    let json: Value = serde_json::from_str(&verify(&[&path, "--json"]).well()).expect("JSON");
    assert_eq!(json["sound"], json!(true));
    assert_eq!(json["problems"], json!([]));
    assert_eq!(json["runs"][0]["ended"], json!(true));
    assert_eq!(json["runs"][1]["head"], json!(head));
    assert_eq!(json["unknown"][0]["seq"], json!(2));

    // What was noted is there, however often it is asked for.
    let text = verify(&[&path, "--head", &head, &format!("--head={head}")]).well();
    fits(&text, &path);
    let noted = "is number 2, and nothing follows it run";
    says(&text, &["found: run", noted]);
}

#[test]
fn a_changed_file_is_status_1() {
    let (_folder, path, log) = two_runs();
    let (run, hash) = log.head().expect("lines were written");
    let whole = fs::read_to_string(&path).expect("the file");
    let changed = whole.replacen("guest_delete", "guest_create", 1);
    fs::write(&path, changed).expect("it is changed");
    let said = verify(&[&path]);
    assert_eq!((said.status, said.stderr.as_str()), (Some(1), ""));
    fits(&said.stdout, &path);
    says(
        &said.stdout,
        &[
            &format!("broken: {path} line 2 of run "),
            "8 lines, 2 runs: broken",
        ],
    );
    says(
        &said.stdout,
        &["was changed: its hash is not that of what it says"],
    );
    let said = verify(&[&path, "--json"]);
    let json: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((said.status, &json["sound"]), (Some(1), &json!(false)));
    assert_eq!(json["problems"][0]["line"], json!(2));
    assert_eq!(json["problems"][0]["file"], json!(path));

    // The end cut off: nothing tells but what was noted.
    let cut: Vec<&str> = whole.lines().take(7).collect();
    fs::write(&path, cut.join("\n") + "\n").expect("it is cut");
    says(&verify(&[&path]).well(), &["7 lines, 2 runs: sound"]);
    let said = verify(&[&path, "--head", &format!("{run}={hash}")]);
    assert_eq!(said.status, Some(1));
    fits(&said.stdout, &path);
    says(
        &said.stdout,
        &[&format!("not found: run {run}: the noted line"), "broken"],
    );
}

#[test]
fn rotated_files_are_verified_together() {
    let (folder, path, log) = two_runs();
    let old = folder.path().join("audit.1");
    let old = old.to_str().expect("a path");
    fs::rename(&path, old).expect("it is renamed");
    log.end().expect("it is written");
    says(&verify(&[old, &path]).well(), &["9 lines, 2 runs: sound"]);
    let text = verify(&[&path]).well();
    fits(&text, &path);
    says(
        &text,
        &["begins at its line 3: what was before is in an earlier file"],
    );
    assert_eq!(verify(&[&path, old]).status, Some(1), "in the wrong order");
}

#[test]
fn records_are_shown_as_a_table() {
    let (_folder, path, _log) = two_runs();
    let text = bare(&["audit", "show", &path]).well();
    fits(&text, &path);
    assert!(text.starts_with("time "), "{text}");
    let day = text.lines().nth(1).expect("a day");
    assert!(day.starts_with("20") && day.ends_with("UTC"), "{text}");
    says(
        &text,
        &[
            "claude-de… guest_delete production sends DELETE,",
            "code, production/100",
            "go, ok, production/100",
            "guest_delete disaster-re… asked",
            "guest_create_contai… production refused,",
            "7 more",
            "mcp start, pid ",
            "call start, pid ",
        ],
    );
    assert!(!text.contains('\u{202e}'));

    let chosen = |words: &[&str]| {
        let words = [&["audit", "show", &path, "--json"], words].concat();
        let text = bare(&words).well();
        let lines = text.lines();
        let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect::<Vec<Value>>()
    };
    // As it stands in the file.
    let whole = fs::read_to_string(&path).expect("the file");
    assert_eq!(bare(&["audit", "show", &path, "--json"]).well(), whole);
    assert_eq!(chosen(&["--cluster", "disaster-recovery"]).len(), 1);
    assert_eq!(chosen(&["--tool", "guest_delete"]).len(), 4);
    assert_eq!(
        chosen(&["--tool", "guest_delete", "--cluster", "staging"]).len(),
        0
    );
    assert_eq!(chosen(&["--since", "1h"]).len(), 8);
    assert_eq!(chosen(&["--since", "2999-01-01"]).len(), 0);

    fs::write(
        &path,
        whole.replacen("guest_delete", "guest_create", 1) + "{",
    )
    .expect("changed");
    let said = bare(&["audit", "show", &path]);
    assert_eq!(said.status, Some(0));
    says(&said.stderr, &["2 lines are not as they were written"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let (folder, path, _log) = two_runs();
    let head = "0123456789ab=0";
    for (words, why) in [
        (&[][..], "needs `verify` or `show`, and a file"),
        (&["verify"], "needs `verify` or `show`, and a file"),
        (&["look", &path], "not `look`"),
        (&["verify", &path, "--head", head], "needs RUN=HASH"),
        (&["verify", &path, "--tool", "x"], "takes no `--tool`"),
        (&["show", &path, "--head", head], "takes no `--head`"),
        (&["show", &path, "--since", "yesterday"], "needs a time"),
        (
            &["show", &path, "--tool", "x", "--tool", "y"],
            "is there twice",
        ),
    ] {
        bare(&[&["audit"], words].concat()).refused(2, &[why]);
    }
    for there_is_none in [&folder.path().join("none"), Path::new("/dev/null")] {
        let path = there_is_none.to_str().expect("a path");
        bare(&["audit", "verify", path]).refused(2, &[path]);
        bare(&["audit", "show", path]).refused(2, &[path]);
    }
}
