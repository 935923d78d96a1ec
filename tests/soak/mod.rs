//! `dev soak PROGRAM [CALLS [SECONDS]]`: drives a built program with mixed calls for
//! at least that long, with faults of the clusters, cancelled calls and bad lines among them. What it
//! holds at the end is what it held after the first thousand.

mod calls;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::demo;
use crate::process::{self, Figures};
use crate::sim::{self, Fault, World};
use calls::{CLUSTERS, Draw};

const CALLS: usize = 100_000;
const SECONDS: u64 = 600;
/// After so many calls the first look is taken.
const WARM_UP: usize = 1000;
/// After so many calls something else goes wrong.
const FAULT_EVERY: usize = 60;
/// What was asked of a cluster that is well has arrived there by then.
const ARRIVAL_MAX: Duration = Duration::from_millis(100);
/// No answer takes as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// As long as a connection may rest, and more.
const REST: Duration = Duration::from_secs(7);
const LEAVING: Duration = Duration::from_millis(200);
/// What a kept allocation or two may make of the memory.
const MEMORY_GROWTH_MAX_BYTES: u64 = 1 << 20;
const SEED: u64 = 0x5eed_50a0;

pub fn run(words: Vec<String>) -> ExitCode {
    match soaked(words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("the soak ended early: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Whether none of the figures has grown.
fn soaked(words: Vec<String>) -> Result<bool, String> {
    let mut args = words.into_iter();
    let program = args
        .next()
        .ok_or("which program? Name it as the argument")?;
    let calls = args.next().map_or(Ok(CALLS), |text| text.parse());
    let calls = calls
        .map_err(|cause| format!("how many calls? {cause}"))?
        .max(WARM_UP * 2);
    let seconds = args.next().map_or(Ok(SECONDS), |text| text.parse());
    let seconds = seconds.map_err(|cause| format!("how many seconds? {cause}"))?;
    let mut soak = Soak::start(Path::new(&program))?;
    let begun = Instant::now();
    let pause = Duration::from_secs(seconds) / u32::try_from(calls).unwrap_or(u32::MAX);
    let mut before = None;
    for number in 0..calls {
        if number == WARM_UP {
            before = Some(soak.look()?);
        }
        if number.is_multiple_of(calls / 10) {
            let now = process::figures(soak.server.id())?;
            eprintln!(
                "  {number} calls after {} s, {} kB",
                begun.elapsed().as_secs(),
                now.resident >> 10
            );
        }
        soak.stroke(number)?;
        let due = begun + pause * u32::try_from(number).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let took = begun.elapsed();
    let after = soak.look()?;
    let before = before.ok_or("too few calls")?;
    println!("{}\n", process::machine());
    println!("{calls} calls in {} s: {}\n", took.as_secs(), soak.told());
    soak.end()?;
    Ok(show(&before, &after))
}

/// Prints the three figures before and after, and says whether none has grown.
fn show(before: &Figures, after: &Figures) -> bool {
    let rows = [
        (
            "memory, kB",
            before.resident >> 10,
            after.resident >> 10,
            MEMORY_GROWTH_MAX_BYTES >> 10,
        ),
        ("file descriptors", before.descriptors, after.descriptors, 0),
        ("threads", before.threads, after.threads, 0),
    ];
    println!("| what | after {WARM_UP} calls | at the end | may grow by | |");
    println!("|---|---|---|---|---|");
    let mut good = 0;
    for (what, before, after, growth) in rows {
        let is_good = after <= before + growth;
        good += usize::from(is_good);
        let verdict = if is_good { "pass" } else { "miss" };
        println!("| {what} | {before} | {after} | {growth} | {verdict} |");
    }
    println!("\n{good} pass, {} miss", rows.len() - good);
    good == rows.len()
}

struct Soak {
    world: World,
    server: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    draw: Draw,
    last_id: u64,
    /// How often what happened.
    counts: BTreeMap<&'static str, usize>,
    _folder: tempfile::TempDir,
}

impl Soak {
    fn start(program: &Path) -> Result<Soak, String> {
        let world = World::three();
        let folder = tempfile::tempdir().map_err(|cause| cause.to_string())?;
        let env_file = folder.path().join("soak.env");
        let short = CLUSTERS.map(|name| format!("PROXMOX_CLUSTER_{name}_TIMEOUT=1\n"));
        let text = format!(
            "{}{}PROXMOX_LOG=error\nPROXMOX_BULK_LIMIT=10000\nPROXMOX_AUDIT_LOG={}\n",
            world.env(),
            short.concat(),
            folder.path().join("audit.jsonl").display()
        );
        demo::write_private(&env_file, &text).map_err(|cause| cause.to_string())?;
        let mut command = Command::new(program);
        command.arg("--env-file").arg(&env_file).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command
            .spawn()
            .map_err(|cause| format!("{}: {cause}", program.display()))?;
        let (Some(input), Some(output)) = (server.stdin.take(), server.stdout.take()) else {
            return Err("the server has no standard streams".into());
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut soak = Soak {
            world,
            server,
            input,
            lines,
            draw: Draw::new(SEED),
            last_id: 0,
            counts: BTreeMap::new(),
            _folder: folder,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                           "clientInfo": {"name": "soak", "version": "0"}});
        let hello = soak.send("initialize", &hello)?;
        soak.answer(hello)?;
        Ok(soak)
    }

    /// One of the calls, whatever it is, and what must come of it.
    fn stroke(&mut self, number: usize) -> Result<(), String> {
        if number.is_multiple_of(FAULT_EVERY) {
            self.break_something(number);
        }
        self.world.seen();
        if number == WARM_UP / 2 {
            return self.extremes();
        }
        match self.draw.below(20) {
            0 => self.bad_line(),
            1 => self.cancelled(),
            2 => self.listed(),
            _ => {
                let (tool, arguments) = calls::call(&mut self.draw);
                let id = self.send("tools/call", &json!({"name": tool, "arguments": arguments}))?;
                let answer = self.answer(id)?;
                self.count(match answer {
                    _ if answer.get("error").is_some() => "refused by the protocol",
                    _ if answer["result"]["isError"] == json!(true) => "errors",
                    _ => "answers",
                });
                Ok(())
            }
        }
    }

    /// Two of three times all is well.
    fn break_something(&mut self, number: usize) {
        self.world.clusters.iter().for_each(sim::SimCluster::heal);
        if (number / FAULT_EVERY).is_multiple_of(3) {
            let cluster = *self.draw.of(&CLUSTERS);
            let fault = calls::fault(&mut self.draw);
            self.world.cluster(cluster).fault(fault);
            self.count("faults");
        }
    }

    /// The largest line and the largest answer, before the first look: what an allocator keeps of
    /// them is no growth.
    fn extremes(&mut self) -> Result<(), String> {
        self.world.cluster("staging").fault(calls::largest());
        let call = json!({"name": "node_list", "arguments": {"cluster": "staging"}});
        let id = self.send("tools/call", &call)?;
        self.answer(id)?;
        self.bad_bytes(calls::long_line(), 1)
    }

    fn bad_line(&mut self) -> Result<(), String> {
        let (bytes, answers) = calls::bad_line(&mut self.draw);
        self.bad_bytes(bytes, answers)
    }

    fn bad_bytes(&mut self, mut bytes: Vec<u8>, answers: usize) -> Result<(), String> {
        bytes.push(b'\n');
        self.input
            .write_all(&bytes)
            .map_err(|cause| cause.to_string())?;
        for _ in 0..answers {
            let answer = self.receive()?;
            if answer["error"]["code"].is_null() || !answer["id"].is_null() {
                return Err(format!("a bad line was answered by {answer}"));
            }
        }
        self.count("bad lines");
        self.in_order()
    }

    /// A call that waits for a silent cluster and is withdrawn.
    fn cancelled(&mut self) -> Result<(), String> {
        let name = *self.draw.of(&CLUSTERS);
        self.world.seen();
        self.world.cluster(name).fault(Fault::HangBefore.times(1));
        let call = json!({"name": "node_list", "arguments": {"cluster": name}});
        let id = self.send("tools/call", &call)?;
        let begun = Instant::now();
        while self.world.cluster(name).seen().is_empty() && begun.elapsed() < ARRIVAL_MAX {
            thread::sleep(Duration::from_millis(1));
        }
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                            "params": {"requestId": id}});
        writeln!(self.input, "{cancel}").map_err(|cause| cause.to_string())?;
        self.world.cluster(name).heal();
        self.count("cancelled");
        self.in_order()
    }

    fn listed(&mut self) -> Result<(), String> {
        let id = self.send("tools/list", &json!({}))?;
        self.count("lists");
        self.answer(id).map(drop)
    }

    /// Waits until all before is done: an unknown method is answered in its turn.
    fn in_order(&mut self) -> Result<(), String> {
        let id = self.send("sync", &json!({}))?;
        loop {
            let answer = self.receive()?;
            if answer["id"] == json!(id) {
                return Ok(());
            }
            // What is withdrawn may have been answered before.
            if answer["id"] != json!(id - 1) {
                return Err(format!("an answer to nothing: {answer}"));
            }
        }
    }

    fn send(&mut self, method: &str, params: &Value) -> Result<u64, String> {
        self.last_id += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        let sent = writeln!(self.input, "{message}");
        sent.map_err(|cause| format!("the server reads no more: {cause}"))?;
        Ok(self.last_id)
    }

    fn receive(&mut self) -> Result<Value, String> {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.map_err(|cause| format!("no answer: {cause}"))?;
        serde_json::from_str(&line).map_err(|cause| format!("{cause}: {line}"))
    }

    fn answer(&mut self, id: u64) -> Result<Value, String> {
        let answer = self.receive()?;
        if answer["id"] == json!(id) {
            return Ok(answer);
        }
        Err(format!("request {id} was answered by {answer}"))
    }

    /// The figures at rest: all clusters well and all of them read, old connections gone.
    fn look(&mut self) -> Result<Figures, String> {
        self.world.clusters.iter().for_each(sim::SimCluster::heal);
        let begun = Instant::now();
        let read = json!({"name": "guest_list", "arguments": {"cluster": "all"}});
        loop {
            thread::sleep(REST);
            let id = self.send("tools/call", &read)?;
            let answer = self.answer(id)?;
            if answer["result"]["structuredContent"]["errors"] == json!([]) {
                // Its threads have done their work, but the last may still be leaving.
                thread::sleep(LEAVING);
                return process::figures(self.server.id());
            }
            // A refused token is remembered for a while, and so is a node that took no connection.
            if begun.elapsed() > PATIENCE * 2 {
                return Err(format!("it does not recover: {answer}"));
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn told(&self) -> String {
        let counts = self.counts.iter();
        let counts: Vec<String> = counts
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        counts.join(", ")
    }

    fn end(mut self) -> Result<(), String> {
        drop(self.input);
        let status = self.server.wait().map_err(|cause| cause.to_string())?;
        if status.success() {
            return Ok(());
        }
        Err(format!("it ended with {status}"))
    }
}
