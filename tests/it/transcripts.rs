//! Golden sessions: each file under `tests/transcripts` is played against fresh simulated clusters.
//!
//! `#` why, `%` what happens to the clusters, `>` what the client sends, `@` what reached which
//! cluster, `?` what the user is asked, `!` what the client replies, `<` the answer (`<!` an error).
//! A session that begins with `% within CALLS` is an everyday job, which needs no more calls, and no longer answers than
//! `JOB_BYTES`.
//! `UPDATE=1` rewrites `@`, `?` and `<`; a mismatch shows the first line that differs. A client can
//! ask its user where the session begins with `% asks REVISION`. What differs from run to run (task numbers, times, codes, ports) is
//! written as `*`; `$confirm`, `$task`, `$digest` and `$volume` stand for the last code, task (of a list:
//! the first), digest and volume (likewise) that an answer gave.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proxmox_mcp::api::methods::{Touch, weigh};
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::tools;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::mcp::ask::ASKING;
use crate::session::{Answer, Manner, Session, app};
use crate::sim::{Fault, Seen, World};

/// Tools in whose answers and refusals, as they are played here, there is no text that a stranger wrote.
const SILENT: [&str; 8] = [
    "node_list",
    "tool_find",
    "toolset_enable",
    "api_describe",
    "guest_metrics",
    "guest_template",
    "guest_cloudinit",
    "guest_console",
];
/// Orders about the session, not to the clusters.
const HEADS: &[&str] = &["env ", "asks ", "within "];
/// What all answers of an everyday job have together, at most.
const JOB_BYTES: usize = 12_000;
/// What an administrator does every day, each in so many calls.
const JOBS: &[(&str, usize)] = &[
    ("job_backup_failed", 2),
    ("job_disk", 1),
    ("job_image", 1),
    ("job_log_in", 1),
    ("job_nightly", 2),
    ("job_port", 2),
    ("job_slow", 2),
    ("job_snapshot", 3),
    ("job_system", 1),
    ("job_what_runs", 1),
    ("job_who_changed", 1),
];
/// How many sessions are played at a time.
const LANES: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// All calls of all sessions as they are written, for tests that need some of each tool.
pub(crate) fn calls() -> Vec<(String, Value)> {
    let mut calls = Vec::new();
    for path in files() {
        let written = fs::read_to_string(path).expect("a transcript");
        for call in written.lines().filter_map(|line| line.strip_prefix("> ")) {
            let (tool, arguments) = call.split_once(' ').unwrap_or((call, "{}"));
            if let Ok(arguments) = serde_json::from_str(arguments) {
                calls.push((tool.to_string(), arguments));
            }
        }
    }
    calls
}

/// A call of a session, and what clusters took of it.
pub(crate) struct Made {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) requests: Vec<Request>,
}

/// The calls of all sessions.
pub(crate) fn made() -> Vec<Made> {
    let mut calls: Vec<Made> = Vec::new();
    for path in files() {
        let written = fs::read_to_string(path).expect("a transcript");
        for line in written.lines() {
            if let Some(call) = line.strip_prefix("> ") {
                let (tool, arguments) = call.split_once(' ').unwrap_or((call, ""));
                calls.push(Made {
                    tool: tool.to_string(),
                    arguments: serde_json::from_str(arguments).unwrap_or_default(),
                    requests: Vec::new(),
                });
            }
            let sent = line.strip_prefix("@ ").and_then(sent);
            if let (Some(request), Some(call)) = (sent, calls.last_mut()) {
                call.requests.push(request);
            }
        }
    }
    calls
}

/// The request of a line such as `production PUT /nodes/pve1/qemu/100/config {"cores":2}`.
fn sent(line: &str) -> Option<Request> {
    let mut words = line.splitn(4, ' ').skip(1);
    let (method, path) = (words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default();
    if rest.contains(" -> ") || rest.starts_with("-> ") {
        return None;
    }
    // A GET stands with its query.
    let path = path.split('?').next().unwrap_or_default();
    let params = serde_json::from_str(rest).unwrap_or_default();
    request(method, path, params)
}

fn request(method: &str, path: &str, params: Map<String, Value>) -> Option<Request> {
    let verb = match method {
        "GET" => Verb::Get,
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        "DELETE" => Verb::Delete,
        _ => return None,
    };
    let mut path: Vec<String> = path.split('/').skip(1).map(str::to_string).collect();
    // A volume's name has parts of its own, and so has a network in a set.
    let content = path.get(4).is_some_and(|part| part == "content");
    let set = path.iter().position(|part| part == "ipset");
    let last = if content {
        Some(5)
    } else {
        set.map(|set| set + 2)
    };
    if let Some(last) = last.filter(|last| path.len() > *last) {
        let rest = path.split_off(last).join("/");
        path.push(rest);
    }
    Some(Request { verb, path, params })
}

fn files() -> Vec<PathBuf> {
    let listed = fs::read_dir(folder()).expect("tests/transcripts");
    let mut files: Vec<PathBuf> = listed
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    files.sort();
    files
}

#[test]
fn every_transcript_is_as_it_was() {
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let wanted = |path: &&PathBuf| path.to_string_lossy().contains(&only);
    let all = files();
    let files: Vec<&PathBuf> = all.iter().filter(wanted).collect();
    assert!(!files.is_empty(), "there are no transcripts");
    let ends_first = std::env::var("TRANSCRIPTS_END").is_ok_and(|end| end == "first");
    let problems = side_by_side(&files, LANES, |path| {
        let problem = check(path)?;
        if ends_first {
            eprintln!("{problem}");
            std::process::exit(1);
        }
        Some(problem)
    });
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Each has its own clusters: they are played side by side.
fn side_by_side<T: Send>(
    files: &[&PathBuf],
    at_a_time: usize,
    play: impl Fn(&Path) -> Option<T> + Sync,
) -> Vec<T> {
    let play = &play;
    std::thread::scope(|scope| {
        let lanes = files.chunks(files.len().div_ceil(at_a_time));
        let lanes: Vec<_> = lanes
            .map(|lane| {
                scope.spawn(move || {
                    lane.iter()
                        .filter_map(|path| play(path))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().expect("a lane ends"))
            .collect()
    })
}

/// All that the tools do, with clusters whose every text is hostile: `Session` holds that no answer
/// hides anything. Here it is seen of which tools the texts arrive at all.
#[test]
fn no_tool_passes_on_what_hides() {
    let all = files();
    let files: Vec<&PathBuf> = all.iter().collect();
    let mut shows = BTreeSet::new();
    for everything in [false, true] {
        let played = side_by_side(&files, 2 * LANES, |path| {
            let written = fs::read_to_string(path).expect("a transcript");
            Some(play_with(&written, path, &[Fault::Hostile(everything)]))
        });
        for call in played.iter().flat_map(|played| played.split("\n> ")) {
            let tool = call.split([' ', '\n']).next().unwrap_or_default();
            if call.contains(r"u{202e}evil") {
                shows.insert(tool.to_string());
            }
        }
    }
    let silent: Vec<&str> = tools::all()
        .map(|tool| tool.name)
        .filter(|name| !shows.contains(*name))
        .collect();
    assert_eq!(silent, SILENT);
}

/// The first difference, where there is one.
fn check(path: &Path) -> Option<String> {
    let written = fs::read_to_string(path).expect("a transcript");
    let played = play(&written, path);
    if written == played {
        return None;
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, played).expect("the transcript can be written");
        return None;
    }
    let name = path.display();
    let lines = written.lines().map(Some).chain(std::iter::repeat(None));
    let again = played.lines().map(Some).chain(std::iter::repeat(None));
    let (number, (expected, got)) = (1..).zip(lines.zip(again)).find(|(_, (a, b))| a != b)?;
    Some(format!(
        "{name}:{number}\n  expected: {}\n  got:      {}",
        expected.unwrap_or("(the end)"),
        got.unwrap_or("(the end)")
    ))
}

/// Plays the `#`, `%`, `>` and `!` lines, and writes what came of it behind them.
fn play(written: &str, path: &Path) -> String {
    play_with(written, path, &[])
}

/// The same where all clusters have these faults at all times.
fn play_with(written: &str, path: &Path, faults: &[Fault]) -> String {
    let env = written
        .lines()
        .filter_map(|line| line.strip_prefix("% env "));
    let env = env.collect::<Vec<_>>().join("\n");
    let world = World::three();
    let revision = written
        .lines()
        .find_map(|line| line.strip_prefix("% asks "));
    let mut session = match revision.map(|date| ASKING.iter().find(|known| **known == date)) {
        None => Session::with(&world, &env),
        Some(Some(revision)) => Session::held(app(&world, &env), Manner::asking(revision)),
        Some(None) => panic!("{}: no such revision", path.display()),
    };
    let mut memory = Memory::default();
    let mut played = String::new();
    let (mut calls, mut bytes) = (0, 0);
    let spoil = || {
        for (cluster, fault) in world
            .clusters
            .iter()
            .flat_map(|one| faults.iter().map(move |fault| (one, fault)))
        {
            cluster.fault(fault.clone());
        }
    };
    spoil();
    let lines = written
        .lines()
        .filter(|line| !line.starts_with(['@', '?', '<']));
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        let order = line
            .strip_prefix("% ")
            .filter(|order| !HEADS.iter().any(|head| order.starts_with(head)));
        if let Some(Err(problem)) = order.map(|order| world.direct(order)) {
            panic!("{}: {problem}", path.display());
        }
        if order.is_some_and(|order| order.starts_with("heal")) {
            spoil();
        }
        if let Some(call) = line.strip_prefix("> ") {
            let (tool, arguments) = call.split_once(' ').unwrap_or((call, "{}"));
            let arguments = memory.fill(arguments);
            let arguments: Value = serde_json::from_str(&arguments)
                .unwrap_or_else(|cause| panic!("{}: {line}: {cause}", path.display()));
            let mut put = |said: Vec<String>| {
                for line in said {
                    played.push_str(&steady(&line));
                    played.push('\n');
                }
            };
            let answer = session.call_asked(tool, &arguments, |question| {
                put(seen(&world.seen()));
                put(asked(question));
                // Meanwhile something may happen to the clusters.
                while let Some(order) = lines.next_if(|line| line.starts_with("% ")) {
                    put(vec![order.to_string()]);
                    world
                        .direct(order.trim_start_matches("% "))
                        .expect("an order");
                }
                let reply = lines.next_if(|line| line.starts_with("! "));
                let reply =
                    reply.unwrap_or_else(|| panic!("{}: no reply to {line}", path.display()));
                put(vec![reply.to_string()]);
                replied(reply.trim_start_matches("! "))
            });
            memory.learn(&answer);
            put(seen(&world.seen()));
            put(shown_of(&answer));
            calls += 1;
            bytes += match &answer {
                Answer::Structured(answer) => json!(answer).to_string().len(),
                Answer::Error(text) => text.len(),
            };
        }
    }
    let within = written
        .lines()
        .find_map(|line| line.strip_prefix("% within "));
    if let Some(most) = within.filter(|_| faults.is_empty()) {
        let most: usize = most.parse().expect("how many calls");
        let name = path.display();
        assert!(calls <= most, "{name}: {calls} calls");
        assert!(bytes <= JOB_BYTES, "{name}: {bytes} bytes");
        println!("{name}: {calls} calls, {bytes} bytes");
    }
    played
}

/// Each everyday job is there, and says how few calls it needs.
#[test]
fn everyday_jobs_are_done_in_a_few_calls() {
    for (name, calls) in JOBS {
        let path = folder().join(format!("{name}.txt"));
        let written = fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {name}.txt"));
        let within = format!("% within {calls}");
        assert!(written.lines().any(|line| line == within), "{name}");
        let fails = written.lines().any(|line| line.starts_with("<!"));
        assert!(!fails, "{name}: a call of it fails");
    }
}

#[derive(Default)]
struct Memory {
    confirm: String,
    task: String,
    digest: String,
    volume: String,
}

impl Memory {
    fn fill(&self, arguments: &str) -> String {
        arguments
            .replace("$confirm", &self.confirm)
            .replace("$task", &self.task)
            .replace("$digest", &self.digest)
            .replace("$volume", &self.volume)
    }

    fn learn(&mut self, answer: &Answer) {
        let Answer::Structured(answer) = answer else {
            return;
        };
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        if let Some(code) = text("confirm") {
            self.confirm = code.into();
        }
        if let Some(digest) = text("digest") {
            // As it may stand within a text.
            let written = json!(digest).to_string();
            self.digest = written.trim_matches('"').into();
        }
        let first = |key: &str| answer.get("items")?.get(0)?.get(key)?.as_str();
        if let Some(task) = text("task").or(first("task")) {
            self.task = task.into();
        }
        if let Some(volume) = text("volume").or(first("volume")) {
            self.volume = volume.into();
        }
    }
}

/// One line a request; a poll that is repeated stands once.
fn seen(requests: &[Seen]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for request in requests {
        is_weighed(request);
        let mut line = format!("@ {} {} {}", request.cluster, request.method, request.path);
        if !request.params.is_empty() {
            line.push_str(&format!(" {}", Value::Object(request.params.clone())));
        }
        if request.status != 200 {
            line.push_str(&format!(" -> {}", request.status));
        }
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Every write that a tool sends has a row of its own in the gate's table.
fn is_weighed(seen: &Seen) {
    let Some(request) = request(&seen.method, &seen.path, seen.params.clone()) else {
        return;
    };
    let weight = weigh(&request);
    assert!(
        !weight.touches.contains(&Touch::Unlisted),
        "no row for {}",
        request.line()
    );
}

/// The question, as the user reads it, and the form below it.
fn asked(question: &Value) -> Vec<String> {
    let message = question["message"].as_str().expect("a message");
    let mut lines: Vec<String> = message.lines().map(|line| format!("? {line}")).collect();
    let form = question["requestedSchema"]["properties"].as_object();
    let fields = form.expect("a form").iter();
    lines.extend(fields.map(|(name, field)| format!("? [{name}: {}]", field["description"])));
    lines
}

/// `accept CONTENT`, `decline` or `cancel`.
fn replied(reply: &str) -> Value {
    match reply.split_once(' ') {
        Some((action, content)) => {
            let content: Value = serde_json::from_str(content).expect("a filled form");
            json!({"action": action, "content": content})
        }
        None => json!({"action": reply}),
    }
}

fn shown_of(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Error(text) => text.lines().map(|line| format!("<! {line}")).collect(),
        Answer::Structured(answer) => {
            let whole = json!(answer);
            let compact = whole.to_string();
            if compact.len() < 160 {
                return vec![format!("< {compact}")];
            }
            shown(answer)
        }
    }
}

/// A key a line; of a list, an entry a line.
fn shown(answer: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in answer {
        match value {
            Value::Array(entries) if !entries.is_empty() => {
                lines.push(format!("< {key}:"));
                lines.extend(entries.iter().map(|entry| format!("<   {entry}")));
            }
            Value::Object(entries) if !entries.is_empty() => {
                lines.push(format!("< {key}:"));
                lines.extend(
                    entries
                        .iter()
                        .map(|(key, entry)| format!("<   {key}: {entry}")),
                );
            }
            value => lines.push(format!("< {key}: {value}")),
        }
    }
    lines
}

/// The same line in every run.
fn steady(line: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (
                r"UPID:([^:]+):[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:",
                "UPID:$1:*:",
            ),
            (r#"("?confirm"?: ?)"[0-9a-f]{16}""#, r#"$1"*""#),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:*"),
            (r"\b[0-9a-f]{40}\b", "*"),
            (r"\b[0-9A-F]{2}(:[0-9A-F]{2}){31}\b", "*"),
            (
                r"\d{4}[-_]\d\d[-_]\d\d([T_ -])\d\d[:_]\d\d[:_]\d\dZ?",
                "*time*",
            ),
            (
                r#"("(?:latency_ms|uptime_s|age_s|cpu_percent|load)": ?)[0-9.]+"#,
                "$1*",
            ),
            (r"\bctime=\d+", "ctime=*"),
            (r#"("time": ?)\d{9,}"#, "$1*"),
            (r#"("age": ?)"\d+s""#, r#"$1"*""#),
            (r"\(\d+s ago\)", "(* ago)"),
            (r"\b\d+ s ago\b", "* s ago"),
            (r#"("since": ?)"?\d+"?"#, r#"$1"*""#),
            (
                r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
                "*uuid*",
            ),
        ]
        .map(|(rule, by)| (Regex::new(rule).expect("a rule"), by))
        .into()
    });
    RULES.iter().fold(line.to_string(), |line, (rule, by)| {
        rule.replace_all(&line, *by).into_owned()
    })
}

#[test]
fn every_tool_occurs_in_a_transcript() {
    let mut called = BTreeSet::new();
    for path in files() {
        let written = fs::read_to_string(path).expect("a transcript");
        let calls = written.lines().filter_map(|line| line.strip_prefix("> "));
        called.extend(calls.map(|call| call.split(' ').next().unwrap_or_default().to_string()));
    }
    let missing: Vec<&str> = tools::all()
        .map(|tool| tool.name)
        .filter(|name| !called.contains(*name))
        .collect();
    assert!(missing.is_empty(), "in no transcript: {missing:?}");
}
