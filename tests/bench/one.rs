//! The program by itself and one call of it: size, start, memory, `tools/list`, a warm call beside
//! the same request by a bare client, a long list.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::thread::{self, CpuSet, Pid};
use serde_json::{Value, json};

use super::bare::{Bare, Streams};
use super::light::{Plan, TOKEN_ID, TOKEN_SECRET};
use super::table::{Row, Table};
use super::{Ground, REVISION, ended, started};
use crate::demo::client::{Client, Way};
use crate::process;

const STARTS: usize = 101;
const CALLS: usize = 100;
const LISTS: usize = 100;
/// Warm calls, and as many bare requests, in turn.
const WARM_CALLS: usize = 600;
const LISTED_GUESTS: usize = 500;
/// What the calls are, in turn: of one cluster, and of all.
const CALLED: [(&str, &str); 5] = [
    ("guest_list", r#"{"cluster":"all"}"#),
    ("node_list", r#"{"cluster":"staging"}"#),
    ("guest_get", r#"{"guest":"prod-web-01"}"#),
    ("fleet_summary", "{}"),
    ("storage_list", r#"{"cluster":"all"}"#),
];
/// The two kinds of standard input that hosts give.
const STDIN: [(Way, &str); 2] = [(Way::Pipe, "a pipe"), (Way::Socket, "a socket")];
const RESOURCES: &str = "/cluster/resources";

/// Size, and what the program takes with three clusters and with a hundred.
pub fn program(ground: &Ground, table: &mut Table) -> Result<(), String> {
    ground.by_turns(table, |program, table| {
        let size = std::fs::metadata(program).map_err(|cause| cause.to_string())?;
        let row = Row::mb("size of the binary", size.len());
        table.add(row.most(4.0).counted());
        Ok(())
    })?;
    let three = ground.three();
    let hundred = ground.light.env_file(
        "hundred.env",
        Plan {
            clusters: 100,
            ..Plan::default()
        },
    )?;
    let starts = ground.repeats(STARTS);
    for (clusters, env_file) in [("3 clusters", &three), ("100 clusters", &hundred)] {
        ground.by_turns(table, |program, table| {
            let mut times = Vec::new();
            for _ in 0..starts {
                times.push(start(program, env_file)?);
            }
            let what = format!("start to `initialize` answered, {clusters}");
            table.add(
                Row::ms(what, median(&mut times))
                    .most(3.0)
                    .beside(format!("median of {starts}")),
            );
            let client = started(program, env_file)?;
            let idle = process::figures(client.id())?;
            ended(client)?;
            table.add(Row::mb(format!("idle memory, {clusters}"), idle.resident).most(4.0));
            Ok(())
        })?;
    }
    ground.by_turns(table, |program, table| {
        let mut client = started(program, &three)?;
        for (tool, arguments) in CALLED.iter().cycle().take(CALLS) {
            called(&mut client, tool, arguments)?;
        }
        let used = process::figures(client.id())?;
        table.add(Row::mb("peak memory after 100 calls, 3 clusters", used.peak).most(4.0));
        ended(client)
    })?;
    let listed = ground.repeats(LISTS);
    ground.by_turns(table, |program, table| {
        list_of_tools(program, &three, listed, table)
    })
}

/// The list of tools, so many times.
fn list_of_tools(
    program: &Path,
    three: &Path,
    listed: usize,
    table: &mut Table,
) -> Result<(), String> {
    let mut client = started(program, three)?;
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..listed {
        let begun = Instant::now();
        let listed = client.request("tools/list", &json!({}))?;
        times.push(begun.elapsed());
        bytes = listed.to_string().len();
    }
    table.add(Row::ms("`tools/list`", median(&mut times)));
    table.add(Row::count("`tools/list`, its answer", bytes, "bytes").most(29_000.0));
    ended(client)
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

/// A tool's answer, which must be none that failed.
pub fn called(client: &mut Client, tool: &str, arguments: &str) -> Result<Value, String> {
    let arguments: Value = serde_json::from_str(arguments).map_err(|cause| cause.to_string())?;
    let answer = client.call(tool, &arguments)?;
    if answer["isError"] == json!(true) {
        return Err(format!("{tool} {arguments} answered {answer}"));
    }
    Ok(answer)
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A warm call beside the same request by a bare client, with the simulator and with the light one.
pub fn warm(ground: &Ground, table: &mut Table) -> Result<(), String> {
    let Ground { world, light, .. } = ground;
    let staging = world.cluster("staging");
    let token = format!("{}={}", staging.spec.token_id, staging.spec.token_secret);
    let port = staging.port(&staging.spec.nodes[0].name);
    let three = ground.three();
    let mut bare = || Bare::open(&staging.ca, port, &token, RESOURCES);
    // A core that wakes another takes as long as the call; what that comes to is told beside.
    on_one_core(|| {
        for (way, name) in STDIN {
            let who = (format!("simulator, {name}"), Some(1.2), Some(0.2));
            side_by_side(ground, (way, who), &three, "staging", &mut bare, table)?;
        }
        Ok(())
    })?;
    let who = ("simulator, on any core".to_owned(), None, None);
    side_by_side(
        ground,
        (Way::Pipe, who),
        &three,
        "staging",
        &mut bare,
        table,
    )?;
    let env_file = light.env_file(
        "two.env",
        Plan {
            clusters: 2,
            ..Plan::default()
        },
    )?;
    let token = format!("{TOKEN_ID}={TOKEN_SECRET}");
    let mut bare = || Bare::open(&light.ca, light.cluster(0).port, &token, RESOURCES);
    // A request that costs nothing makes any ratio large: here what is added says more.
    on_one_core(|| {
        for (way, name) in STDIN {
            let who = (format!("prepared answers, {name}"), None, Some(0.12));
            side_by_side(ground, (way, who), &env_file, "c001", &mut bare, table)?;
        }
        Ok(())
    })
}

/// Runs `work` with all threads of this process, and what they start, on one core: a machine that wakes
/// one core from another takes its time for it, which is not that of what is measured.
///
/// # Errors
/// Those of `work`, and that the kernel does not let us.
fn on_one_core<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let said = |cause: &dyn std::fmt::Display| format!("one core to measure on: {cause}");
    let all = thread::sched_getaffinity(None).map_err(|cause| said(&cause))?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core));
    let mut one = CpuSet::new();
    one.set(last.unwrap_or_default());
    let put_on = |cores: &CpuSet| -> Result<(), String> {
        let threads = std::fs::read_dir("/proc/self/task").map_err(|cause| said(&cause))?;
        for id in threads.flatten() {
            let id = id.file_name().to_string_lossy().parse().ok();
            // One that has ended meanwhile needs none.
            let _ = thread::sched_setaffinity(id.and_then(Pid::from_raw), cores);
        }
        thread::sched_setaffinity(None, cores).map_err(|cause| said(&cause))
    };
    put_on(&one)?;
    let result = work();
    put_on(&all)?;
    result
}

fn side_by_side(
    ground: &Ground,
    (way, (who, times_most, ms_most)): (Way, (String, Option<f64>, Option<f64>)),
    env_file: &Path,
    cluster: &str,
    open: &mut dyn FnMut() -> Result<Bare, String>,
    table: &mut Table,
) -> Result<(), String> {
    let calls = ground.repeats(WARM_CALLS);
    ground.by_turns(table, |program, table| {
        let streams = Streams::start(program, env_file, way)?;
        let (ours, bare) = in_turn(streams, cluster, calls, open)?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let beside = format!("{:.3} ms, bare {:.3} ms", ms(ours), ms(bare));
        let ratio = Row::new(
            format!("warm call to bare request, {who}"),
            ms(ours) / ms(bare),
            "times",
        );
        let ratio = ratio.beside(&beside);
        table.add(match times_most {
            Some(most) => ratio.most(most),
            None => ratio,
        });
        let added = ours.saturating_sub(bare);
        let row = Row::ms(format!("a warm call adds, {who}"), added);
        table.add(match ms_most {
            Some(most) => row.most(most),
            None => row,
        });
        Ok(())
    })
}

/// What so many warm calls and as many bare requests take, the two in turn: the middle of each.
fn in_turn(
    mut streams: Streams,
    cluster: &str,
    calls: usize,
    open: &mut dyn FnMut() -> Result<Bare, String>,
) -> Result<(Duration, Duration), String> {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params":
        {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}});
    streams.ask(&hello.to_string())?;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                      "params": {"name": "node_list", "arguments": {"cluster": cluster}}});
    let call = call.to_string();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let mut kept = open()?;
    for number in 0..calls {
        // Proxmox ends a connection after 100 requests.
        if number % 90 == 0 {
            kept = open()?;
            kept.ask()?;
        }
        let begun = Instant::now();
        kept.ask()?;
        bare.push(begun.elapsed());
        let begun = Instant::now();
        let answer = streams.ask(&call)?;
        ours.push(begun.elapsed());
        if !answer.contains("\"total\":") {
            return Err(format!("node_list answered {answer}"));
        }
    }
    Ok((median(&mut ours), median(&mut bare)))
}

/// What 500 guests cost a model.
pub fn listed(ground: &Ground, table: &mut Table) -> Result<(), String> {
    let env_file = ground.light.env_file(
        "one.env",
        Plan {
            clusters: 1,
            ..Plan::default()
        },
    )?;
    ground.by_turns(table, |program, table| {
        ground.light.cluster(0).guests(LISTED_GUESTS);
        let mut client = started(program, &env_file)?;
        for (tool, arguments) in [
            ("guest_list", "{}"),
            ("fleet_search", r#"{"query":"type:guest"}"#),
        ] {
            let answer = called(&mut client, tool, arguments)?;
            let said = &answer["structuredContent"];
            if said["total"] != json!(LISTED_GUESTS) || said.get("next").is_none() {
                return Err(format!("{tool} gives no total or no way on: {answer}"));
            }
            let text = answer["content"][0]["text"].as_str().unwrap_or_default();
            let what = format!("`{tool}` of 500 guests, defaults, the answer");
            table.add(Row::count(what, text.len(), "bytes").most(20_000.0));
        }
        ended(client)
    })
}
