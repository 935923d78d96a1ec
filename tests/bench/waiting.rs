//! What the program does while it waits: for a cluster that never answers, and for a task.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use proxmox_mcp::mcp::open_calls::OPEN_MAX;

use super::light::{Light, Plan};
use super::one::called;
use super::table::{Row, Table};
use super::{Ground, REVISION, ended, started};
use crate::demo::client::{Client, Way};
use crate::process;
use crate::sim::World;

/// What a request to the silent cluster may take, in seconds.
const TIMEOUT_S: u64 = 3;

/// A cluster that accepts and never answers, beside one that is well.
pub fn silent(ground: &Ground, table: &mut Table) -> Result<(), String> {
    ground.by_turns(table, |program, table| {
        silent_one(program, &ground.light, table)
    })
}

fn silent_one(program: &Path, light: &Light, table: &mut Table) -> Result<(), String> {
    let more = format!("PROXMOX_CLUSTER_c001_TIMEOUT={TIMEOUT_S}");
    let plan = Plan {
        clusters: 2,
        more: &more,
        ..Plan::default()
    };
    let mut client = started(program, &light.env_file("silent.env", plan)?)?;
    called(&mut client, "node_list", r#"{"cluster":"c002"}"#)?;
    light.cluster(0).silent(true);
    let begun = Instant::now();
    let call = json!({"name": "node_list", "arguments": {"cluster": "c001"}});
    let call = client.ask("tools/call", &call)?;
    let pinged = Instant::now();
    let ping = client.ask("ping", &json!({}))?;
    let answered = client.receive()?;
    if answered["id"] != json!(ping) {
        return Err(format!("a ping was kept waiting: {answered}"));
    }
    table.add(Row::ms("`ping` while a cluster is silent", pinged.elapsed()).most(50.0));
    let answered = client.receive()?;
    let took = begun.elapsed();
    if answered["id"] != json!(call) || answered["result"]["isError"] != json!(true) {
        return Err(format!("the silent cluster was answered for: {answered}"));
    }
    let limit = TIMEOUT_S as f64 + 0.2;
    let row = Row::new(
        "a silent cluster, until the call says so",
        took.as_secs_f64(),
        "s",
    );
    table.add(row.most(limit).beside(format!("`TIMEOUT` {TIMEOUT_S} s")));
    let begun = Instant::now();
    called(&mut client, "node_list", r#"{"cluster":"c002"}"#)?;
    table.add(Row::ms("a call to another cluster right after it", begun.elapsed()).most(50.0));
    ended(client)
}

/// A call that waits for a task that does not end.
pub fn task(ground: &Ground, table: &mut Table) -> Result<(), String> {
    for (way, name) in [(Way::Pipe, "pipe"), (Way::Socket, "socket")] {
        ground.by_turns(table, |program, table| {
            let world = World::three();
            world.direct("hold staging")?;
            let env_file = ground.light.file("task.env", &world.env())?;
            let mut client = Client::start(program, &env_file, way)?;
            client.initialize(REVISION)?;
            wait_for_task(&world, &mut client, "snapshot-1")?;
            let pinged = Instant::now();
            let ping = client.ask("ping", &json!({}))?;
            let answered = client.receive()?;
            if answered["id"] != json!(ping) {
                return Err(format!("a ping was kept waiting: {answered}"));
            }
            let took = pinged.elapsed();
            table.add(
                Row::ms(
                    format!("`ping` while a call waits for a task, {name}"),
                    took,
                )
                .most(50.0),
            );
            let cancelled = Instant::now();
            client.notify("notifications/cancelled", &json!({"requestId": ping - 1}))?;
            client.request("tools/list", &json!({}))?;
            let took = cancelled.elapsed();
            table.add(
                Row::ms(
                    format!("cancelled, until the next request is answered, {name}"),
                    took,
                )
                .most(100.0),
            );
            world.direct("release staging")?;
            world.direct("hold staging")?;
            wait_for_task(&world, &mut client, "snapshot-2")?;
            let closed = Instant::now();
            let (status, ..) = client.end()?;
            let took = closed.elapsed();
            if !status.success() {
                return Err(format!("it ended with {status}"));
            }
            table.add(
                Row::ms(
                    format!("end of input while a call waits, until it has ended, {name}"),
                    took,
                )
                .most(100.0),
            );
            Ok(())
        })?;
    }
    Ok(())
}

/// Calls that wait, one and as many as may, and another beside them.
pub fn open(ground: &Ground, table: &mut Table) -> Result<(), String> {
    ground.by_turns(table, |program, table| {
        let world = World::three();
        world.direct("hold staging")?;
        let env_file = ground.light.file("open.env", &world.env())?;
        let mut client = Client::start(program, &env_file, Way::Pipe)?;
        client.initialize(REVISION)?;
        let list = json!({"name": "guest_list", "arguments": {"cluster": "production"}});
        client.request("tools/call", &list)?;
        wait_for_task(&world, &mut client, "snapshot-1")?;
        for (others, row) in [
            (0, "one call waits"),
            (OPEN_MAX - 1, "as many calls wait as may"),
        ] {
            for vmid in 1000..1000 + others {
                let make = json!({"name": "guest_create_vm", "arguments":
                    {"cluster": "staging", "name": "new", "vmid": vmid, "wait": 20}});
                client.ask("tools/call", &make)?;
            }
            let begun = Instant::now();
            let mut made = 0;
            while made < others && begun.elapsed() < Duration::from_secs(10) {
                let seen = world.seen();
                made += seen.iter().filter(|one| one.method == "POST").count();
                std::thread::sleep(Duration::from_millis(5));
            }
            let begun = Instant::now();
            let listed = client.ask("tools/call", &list)?;
            let answered = client.receive()?;
            if answered["id"] != json!(listed) {
                return Err(format!("a list was kept waiting: {answered}"));
            }
            table.add(Row::ms(format!("`guest_list` while {row}"), begun.elapsed()).most(50.0));
        }
        let used = process::figures(client.id())?;
        let memory = Row::mb("peak memory while as many calls wait as may", used.peak);
        table.add(memory.most(6.0).counted());
        ended(client)
    })
}

/// Begins a call and comes back when its task has been looked at.
fn wait_for_task(world: &World, client: &mut Client, snapshot: &str) -> Result<(), String> {
    let call = json!({"name": "snapshot_create", "arguments":
        {"guest": "stg-web-01", "snapname": snapshot, "wait": 20}});
    world.seen();
    client.ask("tools/call", &call)?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if world
            .seen()
            .iter()
            .any(|seen| seen.path.ends_with("/status") && seen.path.contains("/tasks/"))
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("no task is waited for: {:?}", client.receive()))
}
