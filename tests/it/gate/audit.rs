//! The audit file: several writers, rotation, what cannot be written, and that no change to it goes
//! unnoticed.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use proxmox_mcp::gate::audit::{
    self, AuditClient, AuditOrigin, AuditReport, AuditVerdict, Confirmed, LINE_MAX_BYTES, Log,
    Record, Verification,
};
use proxmox_mcp::proxmox::digest::sha256;
use proxmox_mcp::time;
use serde_json::{Value, json};

use crate::leaks;
use crate::sim::clean::Clean;

/// Where a process that a test started writes.
const FILE: &str = "AUDIT_TEST_FILE";
/// What each writes, `start` and `end` included.
const LINES: usize = 200;

/// A folder with an audit file to be.
pub(crate) fn place() -> (Clean, PathBuf) {
    let folder = Clean::new().expect("a temporary folder");
    let path = folder.path().join("audit.jsonl");
    (folder, path)
}

/// A guest's end.
pub(crate) fn delete(vmid: u32) -> Record {
    Record {
        tool: "guest_delete".into(),
        cluster: "production".into(),
        chosen_by: "argument".into(),
        arguments: json!({"guest": vmid}),
        verdict: Some(AuditVerdict::Go),
        confirmed: Some(Confirmed::Code),
        objects: vec![format!("production/{vmid}")],
        ..Record::default()
    }
}

/// One call with both its lines.
pub(crate) fn call(log: &Log, vmid: u32) {
    let record = delete(vmid);
    let request = format!("DELETE /nodes/pve1/qemu/{vmid}");
    let about_to = Record {
        request: request.clone(),
        ..record.clone()
    };
    let intent = log.intent(&about_to).expect("it is written");
    let done = Record {
        requests: vec![request],
        outcome: "ok".into(),
        duration_ms: Some(5),
        ..record
    };
    log.outcome(Some(intent), &done).expect("it is written");
}

/// A whole run of a process.
fn run_of(path: &Path, calls: u32) -> Log {
    let log = Log::new(path, AuditOrigin::Mcp);
    log.begin().expect("it is written");
    (0..calls).for_each(|number| call(&log, 100 + number));
    log.end().expect("it is written");
    log
}

fn verify(path: &Path) -> AuditReport {
    audit::verify(&[path], &[]).expect("it is read")
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("the file");
    text.lines().map(str::to_owned).collect()
}

/// What `verify` says of these bytes.
fn of_bytes(bytes: &[u8]) -> AuditReport {
    let mut verification = Verification::new(&[]);
    let mut input = bytes;
    verification.file("audit", &mut input).expect("it is read");
    verification.finish()
}

fn of_lines(lines: &[&String]) -> AuditReport {
    let whole = lines.iter().map(|line| format!("{line}\n"));
    of_bytes(whole.collect::<String>().as_bytes())
}

#[track_caller]
fn is_whole(report: &AuditReport) {
    assert_eq!(report.problems, []);
    assert!(report.is_sound());
}

/// In this process, or in one that the tests below start: then where they say.
#[test]
fn a_process_writes_a_whole_chain() {
    let (_folder, own) = place();
    let path = std::env::var_os(FILE).map_or(own, PathBuf::from);
    run_of(&path, (LINES as u32 - 2) / 2);
    let report = verify(&path);
    is_whole(&report);
    assert!(report.lines >= LINES as u64);
}

/// This test program again, only to write to `path`.
fn writer(path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let (_, module) = module_path!().split_once("::").expect("a module");
    let test = format!("{module}::a_process_writes_a_whole_chain");
    command.args([test.as_str(), "--exact"]);
    command.env(FILE, path).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn several_processes_write_one_file() {
    let (_folder, path) = place();
    let start = |_| writer(&path).spawn().expect("it starts");
    let children: Vec<_> = (0..4).map(start).collect();
    for child in children {
        let output = leaks::clean(child.wait_with_output().expect("it ends"));
        assert!(output.status.success(), "{output:?}");
    }
    let report = verify(&path);
    is_whole(&report);
    assert_eq!(report.lines, 4 * LINES as u64);
    assert_eq!(report.runs.len(), 4);
    assert_eq!(report.unknown, []);
    for run in &report.runs {
        assert_eq!((run.first_seq, run.last_seq), (1, LINES as u64));
        assert!(run.ended);
    }
}

#[test]
fn a_line_says_all_in_its_order() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    log.begin().expect("it is written");
    log.set_client(AuditClient {
        name: "a client\u{202e}".into(),
        version: "1.2".into(),
    });
    let record = Record {
        arguments: json!({"guest": "web\u{1b}[31m\n", "settings": {"cipassword": "SECRET",
            "target-endpoint": "apitoken=SECRET", "sshkeys": "ssh-ed25519 AAAA",
            "list": [{"api_token_secret": "SECRET", "Private-Key": "SECRET"}]}}),
        rule: "level full".into(),
        request: "DELETE /nodes/pve1/qemu/100".into(),
        ..delete(100)
    };
    log.intent(&record).expect("it is written");
    let text = lines(&path)[1].clone();
    assert!(!text.contains("SECRET"), "{text}");
    let line: Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
    let expected = [
        "time",
        "run",
        "seq",
        "before",
        "kind",
        "client",
        "how",
        "tool",
        "cluster",
        "chosen_by",
        "arguments",
        "verdict",
        "rule",
        "confirmed",
        "request",
        "objects",
        "hash",
    ];
    assert_eq!(keys, expected);
    let first: Value = serde_json::from_str(&lines(&path)[0]).expect("JSON");
    assert_eq!(line["before"], first["hash"]);
    assert_eq!((&line["seq"], &line["kind"]), (&json!(2), &json!("intent")));
    assert_eq!(
        line["client"],
        json!({"name": "a client\\u{202e}", "version": "1.2"})
    );
    assert_eq!(line["arguments"]["guest"], json!("web\\u{1b}[31m\\n"));
    let settings = &line["arguments"]["settings"];
    assert_eq!(settings["sshkeys"], json!("ssh-ed25519 AAAA"));
    assert_eq!(settings["cipassword"], json!("(hidden)"));
    assert_eq!(settings["target-endpoint"], json!("(hidden)"));
    let entry = json!({"api_token_secret": "(hidden)", "Private-Key": "(hidden)"});
    assert_eq!(settings["list"], json!([entry]));
    let time = line["time"].as_str().expect("a time");
    assert!(time.ends_with('Z') && time.len() == 24, "{time}");
}

#[test]
fn no_line_is_too_long() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Call);
    let long = "\u{202e}".repeat(5000);
    let mut deep = json!(long);
    (0..200).for_each(|_| deep = json!([deep]));
    let mut many = Record {
        tool: long.clone(),
        error: long.clone(),
        rule: long.clone(),
        task: long.clone(),
        arguments: json!({"deep": deep, "many": vec![long.clone(); 3], &long: 1}),
        requests: vec![long.clone(); 1000],
        objects: vec![long.clone(); 1000],
        ..delete(100)
    };
    log.intent(&many).expect("it is written");
    many.arguments = vec![vec![json!(long); 20]; 20].into();
    log.intent(&many).expect("it is written");
    many.objects = (100..800)
        .map(|vmid| format!("production/{vmid}"))
        .collect();
    many = Record {
        objects: many.objects,
        ..delete(100)
    };
    log.intent(&many).expect("it is written");
    is_whole(&verify(&path));
    for line in lines(&path) {
        assert!(line.len() < LINE_MAX_BYTES, "{}", line.len());
    }
    // What has no room counts all the same.
    let ages = audit::recent(&path, Duration::from_secs(3600)).expect("it is read");
    assert_eq!(ages.len(), 1000 + 1000 + 700);
}

/// What fits by a few bytes is written whole, what does not is shortened.
#[test]
fn the_longest_lines_are_as_long_as_they_may_be() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Call);
    for chars in (0..2000).step_by(60) {
        let mut items = vec![json!("x".repeat(4000)); 16];
        items.push(json!("y".repeat(chars)));
        let record = Record {
            arguments: items.into(),
            ..delete(100)
        };
        log.intent(&record).expect("it is written");
    }
    is_whole(&verify(&path));
    let lengths: Vec<usize> = lines(&path).iter().map(|line| line.len() + 1).collect();
    let longest = lengths.iter().max().expect("a line");
    assert!(
        (LINE_MAX_BYTES - 400..=LINE_MAX_BYTES).contains(longest),
        "{longest}"
    );
    assert!(lengths.iter().min().expect("a line") < &(LINE_MAX_BYTES / 2));
}

/// Five hundred items of a list or an object are written, and the count of the rest.
#[test]
fn what_is_left_out_of_a_line_is_counted() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    let map = |count: usize| -> Value {
        let entries = (0..count).map(|number| (format!("k{number:03}"), json!(number)));
        Value::Object(entries.collect())
    };
    for count in [499, 500, 501, 503] {
        let record = Record {
            arguments: json!({"list": vec![1; count], "map": map(count)}),
            ..delete(100)
        };
        log.intent(&record).expect("it is written");
        let text = lines(&path).pop().expect("a line");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        let arguments = &line["arguments"];
        let list = arguments["list"].as_array().expect("a list");
        let object = arguments["map"].as_object().expect("an object");
        let rest = (count > 500).then(|| json!(format!("… and {} more", count - 500)));
        assert_eq!(list.len(), count.min(500) + usize::from(rest.is_some()));
        assert_eq!(list.get(500), rest.as_ref(), "{count}");
        assert_eq!(object.len(), list.len(), "{count}");
        assert_eq!(object.get("…"), rest.as_ref(), "{count}");
    }
}

#[test]
fn a_run_goes_on_after_rotation() {
    let (folder, path) = place();
    let [old, older] = ["audit.1", "audit.2"].map(|name| folder.path().join(name));
    let (one, two) = (
        Log::new(&path, AuditOrigin::Mcp),
        Log::new(&path, AuditOrigin::Mcp),
    );
    call(&one, 100);
    call(&two, 100);
    fs::rename(&path, &older).expect("it is renamed");
    call(&two, 101);
    fs::rename(&path, &old).expect("it is renamed");
    call(&one, 102);
    one.end().expect("it is written");
    call(&two, 103);
    two.end().expect("it is written");

    let whole = audit::verify(&[&older, &old, &path], &[]).expect("it is read");
    is_whole(&whole);
    let ends: Vec<_> = whole.runs.iter().map(|run| run.last_seq).collect();
    assert_eq!(ends, [6, 8]);
    assert!(whole.runs.iter().all(|run| run.first_seq == 1 && run.ended));
    // Where the beginning is not given it is told where the rest begins.
    let rest = verify(&path);
    is_whole(&rest);
    let begins: Vec<_> = rest.runs.iter().map(|run| run.first_seq).collect();
    assert_eq!(begins, [4, 6]);
    // In the wrong order, or with one between left out, it is no whole.
    for files in [[&old, &older, &path], [&older, &path, &path]] {
        let files: Vec<&Path> = files.iter().map(|path| path.as_path()).collect();
        let report = audit::verify(&files, &[]).expect("it is read");
        assert!(!report.is_sound());
    }
}

#[test]
fn a_run_goes_on_after_removal_and_truncation() {
    let (folder, path) = place();
    let copy = folder.path().join("copy");
    let log = Log::new(&path, AuditOrigin::Mcp);
    call(&log, 100);
    fs::copy(&path, &copy).expect("it is copied");
    File::create(&path).expect("it is truncated");
    call(&log, 101);
    is_whole(&audit::verify(&[&copy, &path], &[]).expect("it is read"));
    is_whole(&verify(&path));
    fs::remove_file(&path).expect("it is removed");
    call(&log, 102);
    let report = verify(&path);
    is_whole(&report);
    assert_eq!(report.runs[0].first_seq, 6);
}

#[test]
fn a_torn_line_is_told_and_harms_no_chain() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    call(&log, 100);
    let mut file = File::options().append(true).open(&path).expect("it opens");
    file.write_all(br#"{"time":"2026-"#).expect("it is written");
    let torn = verify(&path);
    assert_eq!(torn.problems.len(), 1);
    assert!(torn.problems[0].what.contains("is cut off"));
    call(&log, 101);
    log.end().expect("it is written");
    let report = verify(&path);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    let problem = &report.problems[0];
    assert_eq!((problem.line, &problem.run), (4, &None));
    assert!(problem.what.contains("is no record"));
    assert_eq!(report.runs[0].last_seq, 6);
}

/// A process may write 16 blocks of 512 bytes: some line is taken in part, those after it not at all.
#[test]
fn a_full_disk_is_an_error() {
    let (_folder, path) = place();
    let writing = writer(&path);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    command.arg(writing.get_program()).args(writing.get_args());
    command.env(FILE, &path).stdin(Stdio::null());
    let output = leaks::output(&mut command);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the audit file cannot be written"), "{said}");
    assert!(said.contains("is the disk full?"), "{said}");
    // There is room again: who comes next begins a line of its own.
    run_of(&path, 1);
    let report = verify(&path);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].what.contains("is no record"));
    assert_eq!(report.runs.len(), 2);
}

#[test]
fn what_cannot_be_written_is_an_error_and_tried_again() {
    let (folder, path) = place();
    let no_folder = folder.path().join("no/audit.jsonl");
    for (path, why) in [
        (no_folder.as_path(), "No such file"),
        (folder.path(), "is not a file"),
        (Path::new("/dev/full"), "is not a file"),
    ] {
        let log = Log::new(path, AuditOrigin::Mcp);
        let problem = log.begin().expect_err("it cannot be written");
        assert!(problem.contains(why), "{problem}");
        assert!(problem.starts_with("the audit file cannot be written: "));
        log.intent(&delete(100)).expect_err("nor this");
        assert_eq!(log.head(), None);
        // A process that wrote nothing has nothing to end.
        log.end().expect("nothing to be done");
    }
    let log = Log::new(&no_folder, AuditOrigin::Mcp);
    log.intent(&delete(100)).expect_err("there is no folder");
    fs::create_dir(folder.path().join("no")).expect("a folder");
    call(&log, 100);
    is_whole(&verify(&no_folder));

    File::create(&path).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("a mode");
    let problem = Log::new(&path, AuditOrigin::Mcp)
        .begin()
        .expect_err("refused");
    assert!(problem.contains("others than its owner may write it: chmod 600"));
    // And where that comes later.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    let log = Log::new(&path, AuditOrigin::Mcp);
    log.begin().expect("it is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o602)).expect("a mode");
    log.intent(&delete(100)).expect_err("refused");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    call(&log, 100);
    is_whole(&verify(&path));
}

#[test]
fn the_file_is_its_owners_alone() {
    let (_folder, path) = place();
    Log::new(&path, AuditOrigin::Mcp)
        .begin()
        .expect("it is written");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // One that others can read is written, and it is said.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    let mut command = writer(&path);
    let output = leaks::output(command.arg("--nocapture"));
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said.matches("others can read it: chmod 600").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_lock_that_is_kept_is_an_error() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    log.begin().expect("it is written");
    let other = File::open(&path).expect("it opens");
    other.lock().expect("it is locked");
    let problem = log.intent(&delete(100)).expect_err("it is locked");
    assert!(
        problem.contains("another process keeps it locked"),
        "{problem}"
    );
    other.unlock().expect("it is free");
    call(&log, 100);
    log.end().expect("it is written");
    is_whole(&verify(&path));
}

/// Two runs of six lines each, in one file, not one behind the other.
fn two_runs() -> (Clean, PathBuf) {
    let (folder, path) = place();
    let logs = [AuditOrigin::Mcp, AuditOrigin::Call].map(|how| Log::new(&path, how));
    for vmid in [100, 101] {
        logs.iter().for_each(|log| call(log, vmid));
    }
    for log in &logs {
        log.end().expect("it is written");
    }
    (folder, path)
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path) = place();
    run_of(&path, 1);
    let whole = fs::read(&path).expect("the file");
    is_whole(&of_bytes(&whole));
    for at in 0..whole.len() {
        for mask in [1, 0x20, 0x80, whole[at] ^ b'\n', whole[at] ^ b' '] {
            if mask == 0 {
                continue;
            }
            let mut changed = whole.clone();
            changed[at] ^= mask;
            let line = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            let problems = of_bytes(&changed).problems;
            let first = problems.first().map(|problem| problem.line);
            assert_eq!(first, Some(line), "byte {at} ^ {mask}: {problems:?}");
        }
    }
}

#[test]
fn every_cut_is_noticed_or_leaves_a_run_without_end() {
    let (_folder, path) = place();
    run_of(&path, 1);
    let whole = fs::read(&path).expect("the file");
    for length in 1..whole.len() - 1 {
        let report = of_bytes(&whole[..length]);
        let is_open = report.runs.iter().any(|run| !run.ended);
        assert!(!report.is_sound() || is_open, "{length}");
    }
}

#[test]
fn removed_inserted_and_reordered_lines_are_named() {
    let (_folder, path) = two_runs();
    let lines = lines(&path);
    let all: Vec<&String> = lines.iter().collect();
    is_whole(&of_lines(&all));
    let run_of = |line: &String| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["run"].as_str().expect("a run").to_owned()
    };
    // Where the next line of the same run stands, from 1.
    let next = |at: usize| {
        let mut rest = all.iter().enumerate().skip(at + 1);
        let found = rest.find(|(_, line)| run_of(line) == run_of(all[at]));
        found.map(|(number, _)| number as u64 + 1)
    };
    let named = |report: &AuditReport, line: u64, run: &String| {
        let found = report.problems.first().expect("a problem");
        assert_eq!((found.line, found.run.as_ref()), (line, Some(run)));
    };
    for at in 0..all.len() {
        let run = run_of(all[at]);
        // Removed: the next of the run tells. Without one the run has no end.
        let mut cut = all.clone();
        cut.remove(at);
        let report = of_lines(&cut);
        match next(at) {
            Some(next) => named(&report, next - 1, &run),
            None => assert!(report.runs.iter().any(|one| one.run == run && !one.ended)),
        }
        // Once more, at every later place.
        for place in at + 1..=all.len() {
            let mut twice = all.clone();
            twice.insert(place, all[at]);
            named(&of_lines(&twice), place as u64 + 1, &run);
        }
        // Exchanged with the next of its run.
        if let Some(next) = next(at) {
            let mut turned = all.clone();
            turned.swap(at, next as usize - 1);
            named(&of_lines(&turned), at as u64 + 1, &run);
        }
        // A line that is none of the chain.
        let other = "{}".to_owned();
        let mut more = all.clone();
        more.insert(at, &other);
        let report = of_lines(&more);
        assert_eq!(report.problems.len(), 1);
        assert_eq!(report.problems[0].line, at as u64 + 1);
    }
}

/// A line of another making, with a hash of its own that is right.
fn forged(line: &str, change: impl Fn(&mut Value)) -> String {
    let mut record: Value = serde_json::from_str(line).expect("JSON");
    let map = record.as_object_mut().expect("an object");
    map.remove("hash");
    change(&mut record);
    let body = record.to_string();
    let body = body.strip_suffix('}').expect("an object");
    let hash: String = sha256(body.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{body},\"hash\":\"{hash}\"}}")
}

#[test]
fn a_line_with_a_hash_of_its_own_is_noticed() {
    let (_folder, path) = two_runs();
    let lines = lines(&path);
    assert_eq!(forged(&lines[2], |_| ()), lines[2], "the same is the same");
    for at in 0..lines.len() {
        let other = forged(&lines[at], |record| record["time"] = json!("2020"));
        let mut changed = lines.clone();
        changed[at] = other;
        let whole: Vec<&String> = changed.iter().collect();
        let report = of_lines(&whole);
        // The last line of each run has nothing behind it: a head tells.
        let is_last = at + 2 >= lines.len();
        assert_eq!(report.is_sound(), is_last, "{at}");
    }
    // A line of a run that is nowhere else, as if it were a rotated one's.
    let mut more = lines.clone();
    more.push(forged(&lines[4], |record| {
        record["run"] = json!("0123456789ab")
    }));
    let whole: Vec<&String> = more.iter().collect();
    assert_eq!(of_lines(&whole).problems.len(), 1);
}

#[test]
fn a_noted_head_tells_that_the_end_was_cut() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    call(&log, 100);
    let noted = log.head().expect("lines were written");
    call(&log, 101);
    let last = log.head().expect("lines were written");
    let heads = [noted, last];
    let report = audit::verify(&[&path], &heads).expect("it is read");
    is_whole(&report);
    let found: Vec<_> = report
        .heads
        .iter()
        .map(|one| (one.seq, one.after))
        .collect();
    assert_eq!(found, [(Some(3), 2), (Some(5), 0)]);
    let kept = lines(&path)[..4].join("\n") + "\n";
    fs::write(&path, kept).expect("it is cut");
    is_whole(&verify(&path));
    let report = audit::verify(&[&path], &heads).expect("it is read");
    assert!(!report.is_sound());
    let found: Vec<_> = report
        .heads
        .iter()
        .map(|one| (one.seq, one.after))
        .collect();
    assert_eq!(found, [(Some(3), 1), (None, 0)]);
}

#[test]
fn an_intent_without_outcome_is_unknown() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    call(&log, 100);
    let about_to = Record {
        request: "DELETE /nodes/pve1/qemu/101".into(),
        ..delete(101)
    };
    log.intent(&about_to).expect("it is written");
    // What has no intent settles nothing.
    log.outcome(None, &delete(102)).expect("it is written");
    let report = verify(&path);
    is_whole(&report);
    assert!(!report.runs[0].ended);
    assert_eq!(report.unknown.len(), 1);
    let unknown = &report.unknown[0];
    assert_eq!((unknown.line, unknown.seq), (4, 4));
    assert_eq!(unknown.request, "DELETE /nodes/pve1/qemu/101");
    assert_eq!(unknown.cluster, "production");
}

#[test]
fn what_was_taken_of_late_is_counted_for_all_processes() {
    let (_folder, path) = place();
    // Longer than any machine takes for this.
    let window = Duration::from_secs(3600);
    let counted = || audit::recent(&path, window).expect("it is read").len();
    assert_eq!(counted(), 0, "there is no file yet");
    let logs = [AuditOrigin::Mcp, AuditOrigin::Call].map(|how| Log::new(&path, how));
    logs.iter().for_each(|log| call(log, 100));
    assert_eq!(counted(), 2);
    // What is under way counts; what was refused by the cluster does not.
    let intent = logs[0].intent(&delete(101)).expect("it is written");
    assert_eq!(counted(), 3);
    let failed = Record {
        objects: Vec::new(),
        outcome: "PermissionError".into(),
        ..delete(101)
    };
    logs[0]
        .outcome(Some(intent), &failed)
        .expect("it is written");
    assert_eq!(counted(), 2);
    // What was only asked does not.
    logs[1].outcome(None, &delete(102)).expect("it is written");
    assert_eq!(counted(), 2);
    // Long ago, a clock far ahead, and what is no record.
    let line = lines(&path)[1].clone();
    for (then, run) in [(-4000, "0123456789ab"), (4000, "0123456789ac")] {
        let then = time::now().saturating_add_signed(then);
        let line = forged(&line, |record| {
            record["time"] = time::iso(then).into();
            record["run"] = run.into();
        });
        fs::write(
            &path,
            format!("{}\n{line}\n{{}}\n", lines(&path).join("\n")),
        )
        .expect("written");
    }
    assert_eq!(counted(), 2);
    // One that claims more than there can be.
    let line = forged(&line, |record| {
        record["run"] = json!("0123456789ad");
        record["objects_more"] = json!(u64::MAX);
    });
    fs::write(&path, format!("{}\n{line}\n", lines(&path).join("\n"))).expect("written");
    assert_eq!(counted(), 2 + 1 + 10_000);
    // Whatever comes behind, and however much of it, pushes nothing out of sight.
    let mut file = File::options().append(true).open(&path).expect("it opens");
    file.write_all(&vec![b'\n'; 3 << 20])
        .expect("it is written");
    assert_eq!(counted(), 2 + 1 + 10_000);
    let more = forged(&line, |record| record["error"] = "x".repeat(27_000).into());
    file.write_all(format!("{more}\n").repeat(100).as_bytes())
        .expect("it is written");
    assert_eq!(counted(), 2 + 1 + 10_000);
    // The file is read block by block: a record that lies in two of them is seen.
    for number in 0..100 {
        let other = forged(&more, |record| {
            record["run"] = format!("{number:012x}").into();
            record["objects_more"] = json!(0);
        });
        file.write_all(format!("{other}\n").as_bytes())
            .expect("it is written");
    }
    assert_eq!(counted(), 2 + 1 + 10_000 + 100);
}

#[test]
fn more_than_can_be_looked_through_is_an_error() {
    let (_folder, path) = place();
    let log = Log::new(&path, AuditOrigin::Mcp);
    call(&log, 100);
    let file = File::options().append(true).open(&path).expect("it opens");
    file.set_len(257 << 20).expect("it has holes");
    let problem = audit::recent(&path, Duration::from_secs(3600)).expect_err("it is too long");
    assert!(
        problem.contains("which are not all looked through"),
        "{problem}"
    );
}

/// What is wrong, the lines as they stand, and what is said of which of them, counted from 1.
type Misplaced = (&'static str, Vec<String>, Vec<(u64, &'static str)>);

#[test]
fn what_is_out_of_its_place_is_told_in_words() {
    let (_folder, path) = place();
    run_of(&path, 2);
    let run = lines(&path);
    let [start, end] = [run[0].clone(), run[5].clone()];
    let line = |number: usize| run[number - 1].clone();
    // As an editor leaves it: what it says does not fit its hash.
    let edited = |number: usize| line(number).replacen("{\"time\":\"2", "{\"time\":\"3", 1);
    let hash = |line: &str| -> Value {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["hash"].clone()
    };
    let is_changed = "was changed: its hash is not that of what it says";
    let replaced = "does not follow the line of its run before it: one of the two was replaced";
    let rows: [Misplaced; 13] = [
        ("whole", (1..=6).map(line).collect(), vec![]),
        (
            "one is missing",
            [1, 2, 4, 5, 6].map(line).into(),
            vec![(
                3,
                "is number 4 of its run, where 3 is due: 1 before it missing",
            )],
        ),
        (
            "three are missing",
            [1, 5, 6].map(line).into(),
            vec![(
                2,
                "is number 5 of its run, where 2 is due: 3 before it missing",
            )],
        ),
        (
            "one stands twice",
            [1, 2, 3, 2, 4, 5, 6].map(line).into(),
            vec![(
                4,
                "is number 2 of its run, where 4 is due: it stands twice, or late",
            )],
        ),
        (
            "the beginning is missing",
            [3, 4, 5, 6].map(line).into(),
            vec![(
                1,
                "is number 3 of its run, and those before it were removed",
            )],
        ),
        (
            "the first follows another",
            vec![forged(&start, |record| record["before"] = hash(&end))],
            vec![(
                1,
                "does not begin a chain, though it is the first of its run",
            )],
        ),
        (
            "one is another",
            vec![
                line(1),
                forged(&run[1], |record| record["time"] = json!("2020")),
                line(3),
            ],
            vec![(3, replaced)],
        ),
        (
            "one comes behind the end",
            (1..=6)
                .map(line)
                .chain([forged(&run[4], |record| {
                    record["seq"] = json!(7);
                    record["before"] = hash(&end);
                })])
                .collect(),
            vec![(7, "follows the end of its run")],
        ),
        (
            "one was edited",
            vec![line(1), line(2), edited(3), line(4), line(5), line(6)],
            vec![(3, is_changed)],
        ),
        (
            "the first was edited",
            vec![edited(1), line(2), line(3)],
            vec![(1, is_changed)],
        ),
        (
            "one stands twice, and was edited",
            vec![line(1), line(2), line(3), edited(1), line(4)],
            vec![(4, is_changed)],
        ),
        (
            "an edited one is the first that is there",
            vec![edited(3), line(4)],
            vec![
                (1, is_changed),
                (
                    2,
                    "is number 4 of its run, and those before it were removed",
                ),
            ],
        ),
        (
            "one is too long to be ours",
            vec![line(1), "x".repeat(LINE_MAX_BYTES * 2 + 100), line(2)],
            vec![(
                2,
                "is no record: it was cut off while it was written, or changed",
            )],
        ),
    ];
    for (name, written, expected) in rows {
        let report = of_lines(&written.iter().collect::<Vec<_>>());
        let told: Vec<(u64, &str)> = report
            .problems
            .iter()
            .map(|problem| (problem.line, problem.what.as_str()))
            .collect();
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn a_thousand_problems_are_told_and_the_rest_counted() {
    let report = of_bytes("{}\n".repeat(1005).as_bytes());
    assert_eq!((report.problems.len(), report.problems_more), (1000, 5));
}
