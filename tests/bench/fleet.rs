//! Fleet-wide reads: over more clusters, over more guests, with dead clusters among them.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use proxmox_mcp::fleet::index::ResourceIndex;
use serde_json::json;

use super::light::{Light, Plan};
use super::one::called;
use super::table::{Row, Table};
use super::{CLUSTERS as CLUSTERS_MOST, Ground, OTHERS, REVISION, ended, started};
use crate::demo::client::{Client, Way};
use crate::process;

const CLUSTERS: [usize; 5] = [1, 3, 10, 30, 100];
const LATENCIES_MS: [u64; 3] = [0, 20, 200];
/// What a hundred clusters take at most in memory, in MB, the first call too.
const FLEET_PEAK_MOST_MB: f64 = 16.0;
/// Of ninety clusters more: 0.11 MB for each, and 4 MiB for all answers beyond the first.
const GROWTH_MOST_MB: f64 = 14.1;
/// What is asked for of a hundred clusters whose answers take 20 ms, and of their first call.
const WARM_MOST_MS: f64 = 70.0;
const ANSWERS_MOST: f64 = 2.0;
/// Nobody answers there.
const NAME_SERVER: &str = "127.7.7.7";
/// Warm calls, of which the quickest counts.
const WARM_CALLS: usize = 6;
const SEARCH: &str = r#"{"query":"type:guest"}"#;
const INDEX_MOST_BYTES: f64 = 64.0;

fn search(client: &mut Client) -> Result<Duration, String> {
    let begun = Instant::now();
    let answer = called(client, "fleet_search", SEARCH)?;
    let took = begun.elapsed();
    let errors = &answer["structuredContent"]["errors"];
    if *errors == json!([]) {
        return Ok(took);
    }
    Err(format!("fleet_search missed some: {errors}"))
}

/// Over so many clusters with so much latency.
pub fn clusters(ground: &Ground, table: &mut Table) -> Result<(), String> {
    for latency_ms in LATENCIES_MS {
        for clusters in CLUSTERS {
            ground.by_turns(table, |program, table| {
                far(program, &ground.light, (clusters, latency_ms), table)
            })?;
        }
    }
    Ok(())
}

fn far(
    program: &Path,
    light: &Light,
    (clusters, latency_ms): (usize, u64),
    table: &mut Table,
) -> Result<(), String> {
    light.latency(Duration::from_millis(latency_ms));
    let plan = Plan {
        clusters,
        ..Plan::default()
    };
    let mut client = started(program, &light.env_file("fleet.env", plan)?)?;
    let before = light.answered();
    let first = search(&mut client)?;
    let answers = light.answered() - before;
    let peak = process::figures(client.id())?.peak;
    let mut warm = Duration::MAX;
    for _ in 0..WARM_CALLS {
        warm = warm.min(search(&mut client)?);
    }
    ended(client)?;
    let of = |clusters| format!("`fleet_search`, {clusters} clusters, {latency_ms} ms latency");
    table.add(Row::ms(format!("{}, first call", of(clusters)), first));
    let row = Row::ms(format!("{}, warm", of(clusters)), warm);
    table.add(match (clusters, latency_ms) {
        (100, 20) => row.most(WARM_MOST_MS),
        _ => row,
    });
    if clusters == 100 {
        #[allow(clippy::cast_precision_loss)]
        let each = answers as f64 / clusters as f64;
        let what = format!("{}, first call, of each", of(clusters));
        let row = Row::new(what, each, "answers");
        table.add(row.most(ANSWERS_MOST).counted());
        let what = format!("peak memory of it, {latency_ms} ms latency");
        table.add(Row::mb(what, peak).most(FLEET_PEAK_MOST_MB));
    }
    let few = clusters / 10;
    if let Some(few_ms) = table.found(&format!("{}, warm", of(few))) {
        let what = format!("{clusters} clusters to {few}, {latency_ms} ms latency");
        let ratio = warm.as_secs_f64() * 1e3 / few_ms;
        table.add(Row::new(what, ratio, "times").most(10.0));
    }
    Ok(())
}

/// Over so many guests on a hundred clusters, and the same size on ten.
pub fn guests(ground: &Ground, table: &mut Table) -> Result<(), String> {
    ground.by_turns(table, |program, table| many(program, &ground.light, table))
}

fn many(program: &Path, light: &Light, table: &mut Table) -> Result<(), String> {
    let mut peaks = Vec::new();
    for (clusters, each) in [(100, 10), (100, 100), (10, 1000), (100, 1000)] {
        light.guests(each);
        let plan = Plan {
            clusters,
            ..Plan::default()
        };
        let mut client = started(program, &light.env_file("guests.env", plan)?)?;
        let before = process::cpu(client.id())?;
        let took = search(&mut client)?;
        let cpu = process::cpu(client.id())?.saturating_sub(before);
        let searched = process::figures(client.id())?;
        let of = format!("{} guests over {clusters} clusters", clusters * each);
        let largest = (clusters, each) == (100, 1000);
        table.add(Row::ms(format!("`fleet_search`, {of}, first call"), took));
        let row = Row::ms(format!("`fleet_search`, {of}, CPU"), cpu);
        table.add(if largest { row.most(1500.0) } else { row });
        // This has all clusters indexed.
        let name = format!("{{\"guest\":\"c{clusters:03}-app-{:05}\"}}", each - 1);
        let answer = client.call(
            "guest_get",
            &serde_json::from_str(&name).unwrap_or_default(),
        )?;
        // Beyond the search a light cluster knows no answer; where the guest is was found by then.
        let text = answer["content"][0]["text"].as_str().unwrap_or_default();
        if !text.contains(&format!("c{clusters:03}")) {
            return Err(format!("guest_get answered {answer}"));
        }
        called(&mut client, "guest_list", r#"{"cluster":"all"}"#)?;
        let indexed = process::figures(client.id())?;
        ended(client)?;
        let row = Row::mb(
            format!("peak memory, {of}, search, index, list"),
            indexed.peak,
        );
        let row = row.beside(format!(
            "{:.1} MB after the search",
            searched.peak as f64 / 1e6
        ));
        table.add(if largest { row.most(48.0) } else { row });
        peaks.push(searched.peak);
    }
    let body = light.cluster(0).resources();
    let bytes = ResourceIndex::read(&body)?.guest_bytes();
    table.add(
        Row::new("the index, a guest", bytes as f64 / 1000.0, "bytes")
            .most(INDEX_MOST_BYTES)
            .counted(),
    );
    // Ten times the clusters of one size: what is left is a connection and a thread for each of the
    // ninety, as all are asked at once, and what their answers may take together.
    let grown = peaks[3].saturating_sub(peaks[2]);
    table.add(
        Row::mb(
            "peak memory of a search, 100 clusters more than 10 of 1,000 guests",
            grown,
        )
        .most(GROWTH_MOST_MB),
    );
    Ok(())
}

/// With dead clusters among a hundred.
pub fn dead(ground: &Ground, table: &mut Table) -> Result<(), String> {
    for (endpoints, more, fanout, first_s) in [
        (1, "", "all at once", 2.0),
        (3, "", "all at once", 5.5),
        (1, "PROXMOX_FANOUT=8", "8 at a time", 20.0),
    ] {
        for dead in [1, 3, 20] {
            let plan = Plan {
                clusters: 100,
                dead,
                endpoints,
                more,
                ..Plan::default()
            };
            let env_file = ground.light.env_file("dead.env", plan)?;
            ground.by_turns(table, |program, table| {
                let mut client = started(program, &env_file)?;
                for (which, most) in [("first", first_s), ("second", first_s)] {
                    let of = format!(
                        "{dead} of 100 clusters dead, endpoints {endpoints}, {fanout}, {which} call"
                    );
                    let took = missing(&mut client, &of, dead, 100)?;
                    let row = Row::new(of, took.as_secs_f64(), "s");
                    table.add(if dead == 20 { row.most(most) } else { row });
                }
                if dead == 20 {
                    let peak = process::figures(client.id())?.peak;
                    let of = format!("peak memory of it, endpoints {endpoints}, {fanout}");
                    table.add(Row::mb(of, peak).most(FLEET_PEAK_MOST_MB));
                }
                ended(client)
            })?;
        }
    }
    Ok(())
}

/// A search that must miss so many of `all` clusters, and no more.
fn missing(client: &mut Client, of: &str, missed: usize, all: usize) -> Result<Duration, String> {
    let begun = Instant::now();
    let answer = called(client, "fleet_search", SEARCH)?;
    let took = begun.elapsed();
    let said = &answer["structuredContent"];
    let errors = said["errors"].as_array().map_or(0, Vec::len);
    if errors == missed && said["total"] == json!((all - missed) * 10) {
        return Ok(took);
    }
    Err(format!("{of}: {errors} were named: {answer}"))
}

/// Twenty of a hundred clusters are known by a name, and the name server is silent: which takes a
/// place for it on port 53, and a look at another `/etc/resolv.conf`.
pub fn names(ground: &Ground, table: &mut Table) -> Result<(), String> {
    const NAMED: usize = 20;
    let light = &ground.light;
    let Ok(_silent) = UdpSocket::bind((NAME_SERVER, 53)) else {
        eprintln!("  not measured: port 53 of {NAME_SERVER} is not for this user to listen on");
        return Ok(());
    };
    let plan = Plan {
        clusters: 100,
        named: NAMED,
        ..Plan::default()
    };
    let env_file = light.env_file("names.env", plan)?;
    let resolv = light.folder().join("resolv.conf");
    let written = std::fs::write(&resolv, format!("nameserver {NAME_SERVER}\n"));
    written.map_err(|cause| cause.to_string())?;
    ground.by_turns(table, |program, table| {
        let mut command = Command::new("/usr/bin/unshare");
        command
            .args(["--mount", "--map-root-user", "/bin/sh", "-c"])
            .arg("/bin/mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"")
            .args([&resolv, program]);
        let mut client = Client::start_as(command, &env_file, Way::Pipe)?;
        client.initialize(REVISION)?;
        for which in ["first", "second"] {
            let of = format!("{NAMED} of 100 names are not looked up, {which} call");
            let took = missing(&mut client, &of, NAMED, 100)?;
            table.add(Row::new(of, took.as_secs_f64(), "s").most(2.0));
        }
        let figures = process::figures(client.id())?;
        table.add(Row::mb("peak memory of it", figures.peak).most(FLEET_PEAK_MOST_MB));
        ended(client)
    })
}

/// Ninety-nine clusters that are near, one that is slow to connect, one whose answers take 3 s, and one
/// that refuses the token: each answers as itself.
pub fn mixed(ground: &Ground, table: &mut Table) -> Result<(), String> {
    ground.by_turns(table, |program, table| {
        mixed_one(program, &ground.light, table)
    })
}

fn mixed_one(program: &Path, light: &Light, table: &mut Table) -> Result<(), String> {
    let all = CLUSTERS_MOST + OTHERS;
    light.latency(Duration::from_millis(5));
    let [cold, slow, refusing] = [0, 1, 2].map(|place| light.cluster(place));
    cold.cold(Duration::from_millis(400));
    slow.latency(Duration::from_secs(3));
    refusing.refuses(true);
    let plan = Plan {
        clusters: all,
        ..Plan::default()
    };
    let mut client = started(program, &light.env_file("mixed.env", plan)?)?;
    for which in ["first", "second"] {
        let begun = Instant::now();
        let answer = called(&mut client, "fleet_search", SEARCH)?;
        let took = begun.elapsed();
        let said = &answer["structuredContent"];
        let refused = said["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let is_it = |row: &serde_json::Value| {
            row["cluster"] == json!(refusing.name) && row["code"] == json!("PermissionError")
        };
        if refused.len() != 1
            || !refused.iter().all(is_it)
            || said["total"] != json!((all - 1) * 10)
        {
            return Err(format!("mixed, {which} call: {answer}"));
        }
        let of = format!("99 clusters near, one cold, one slow, one refusing, {which} call");
        table.add(Row::new(of, took.as_secs_f64(), "s").most(5.5));
    }
    ended(client)
}
