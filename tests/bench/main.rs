//! `cargo run --example bench PROGRAM`: measures a built program with three simulated
//! clusters behind it, over TLS. Only what is counted can fail it; times and memory are the machine's.

#[path = "../sim/demo/mod.rs"]
mod demo;
#[path = "../sim/mod.rs"]
mod sim;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use demo::client::{Client, Way};
use sim::World;

const REVISION: &str = "2025-11-25";
const STARTS: usize = 101;
const CALLS: usize = 100;
/// What the calls are, in turn: of one cluster, and of all.
const CALLED: [(&str, &str); 5] = [
    ("guest_list", r#"{"cluster":"all"}"#),
    ("node_list", r#"{"cluster":"staging"}"#),
    ("guest_get", r#"{"guest":"prod-web-01"}"#),
    ("fleet_summary", "{}"),
    ("storage_list", r#"{"cluster":"all"}"#),
];

/// One line of the table.
struct Row {
    what: &'static str,
    found: f64,
    most: f64,
    unit: &'static str,
    /// It is the same on every machine, so that a miss is a fault.
    counted: bool,
}

fn main() -> ExitCode {
    let Some(program) = std::env::args_os().nth(1) else {
        eprintln!("which program? Name it as the argument");
        return ExitCode::FAILURE;
    };
    match measure(Path::new(&program)) {
        Ok(rows) => show(&rows),
        Err(problem) => {
            eprintln!("not measured: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn measure(program: &Path) -> Result<Vec<Row>, String> {
    let size = std::fs::metadata(program)
        .map_err(|cause| format!("{}: {cause}", program.display()))?
        .len();
    let world = World::three();
    let folder = tempfile::tempdir().map_err(|cause| cause.to_string())?;
    let env_file = folder.path().join("bench.env");
    demo::write_private(&env_file, &world.env()).map_err(|cause| cause.to_string())?;
    let (idle, used) = memory(program, &env_file)?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(start(program, &env_file)?);
    }
    times.sort();
    let median = times[times.len() / 2];
    let row = |what, found, most, unit, counted| Row {
        what,
        found,
        most,
        unit,
        counted,
    };
    Ok(vec![
        row("size", megabytes(size), 2.5, "MB", true),
        row("peak memory, idle", megabytes(idle), 4.0, "MB", false),
        row(
            "peak memory, after 100 calls",
            megabytes(used),
            4.0,
            "MB",
            false,
        ),
        row(
            "start to `initialize` answered, median of 101",
            median.as_secs_f64() * 1e3,
            3.0,
            "ms",
            false,
        ),
    ])
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// From before the process is there until its answer to `initialize` is read.
fn start(program: &Path, env_file: &Path) -> Result<Duration, String> {
    let begun = Instant::now();
    let mut client = Client::start(program, env_file, Way::Pipe)?;
    client.initialize(REVISION)?;
    let took = begun.elapsed();
    ended(client)?;
    Ok(took)
}

/// The most memory so far after the handshake, and after the calls, in bytes.
fn memory(program: &Path, env_file: &Path) -> Result<(u64, u64), String> {
    let mut client = Client::start(program, env_file, Way::Pipe)?;
    client.initialize(REVISION)?;
    client.request("ping", &json!({}))?;
    let idle = peak(&client)?;
    for (tool, arguments) in CALLED.iter().cycle().take(CALLS) {
        let arguments: Value =
            serde_json::from_str(arguments).map_err(|cause| cause.to_string())?;
        let answer = client.call(tool, &arguments)?;
        if answer["isError"] == json!(true) {
            return Err(format!("{tool} answered {answer}"));
        }
    }
    let used = peak(&client)?;
    ended(client)?;
    Ok((idle, used))
}

/// `VmHWM` of the server: the most that it has had in memory.
fn peak(client: &Client) -> Result<u64, String> {
    let path = format!("/proc/{}/status", client.id());
    let status = std::fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.ok_or_else(|| format!("{path} has no VmHWM"))? * 1024)
}

fn ended(client: Client) -> Result<(), String> {
    let (status, _, stderr) = client.end()?;
    if status.success() && stderr.is_empty() {
        return Ok(());
    }
    Err(format!("it ended with {status} and said: {stderr}"))
}

fn show(rows: &[Row]) -> ExitCode {
    let is_good = |row: &&Row| row.found <= row.most;
    for row in rows {
        let verdict = if is_good(&row) { "pass" } else { "miss" };
        let Row {
            what,
            found,
            most,
            unit,
            ..
        } = row;
        println!("  {what:<46} {found:>6.2} {unit}  at most {most:.1} {unit}  {verdict}");
    }
    let passed = rows.iter().filter(is_good).count();
    println!("{passed} pass, {} miss", rows.len() - passed);
    let failed = rows.iter().any(|row| row.counted && !is_good(&row));
    ExitCode::from(u8::from(failed))
}
