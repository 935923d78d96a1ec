//! Fleet-wide reads: over more clusters, over more guests, with dead clusters among them.

use std::time::{Duration, Instant};

use proxmox_mcp::fleet::index::Rows;
use serde_json::json;

use super::demo::client::Client;
use super::light::Plan;
use super::one::called;
use super::process;
use super::table::{Row, Table};
use super::{Ground, ended, started};

const CLUSTERS: [usize; 5] = [1, 3, 10, 30, 100];
const LATENCIES_MS: [u64; 3] = [0, 20, 200];
const FANOUT: usize = 8;
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
    let light = &ground.light;
    light.guests(10);
    for latency_ms in LATENCIES_MS {
        light.latency(Duration::from_millis(latency_ms));
        let mut warm_times: Vec<Duration> = Vec::new();
        for clusters in CLUSTERS {
            let plan = Plan {
                clusters,
                ..Plan::default()
            };
            let mut client = started(ground.program, &light.env_file("fleet.env", plan)?)?;
            let first = search(&mut client)?;
            let mut warm = Duration::MAX;
            for _ in 0..WARM_CALLS {
                warm = warm.min(search(&mut client)?);
            }
            ended(client)?;
            let of = format!("`fleet_search`, {clusters} clusters, {latency_ms} ms latency");
            table.add(Row::ms(format!("{of}, first call"), first));
            let mut row = Row::ms(format!("{of}, warm"), warm);
            if (clusters, latency_ms) == (100, 20) {
                row = row.most(2.0 * 100.0 / FANOUT as f64 * 20.0);
            }
            table.add(row);
            warm_times.push(warm);
        }
        for (few, many) in [(0, 2), (1, 3), (2, 4)] {
            let ratio = warm_times[many].as_secs_f64() / warm_times[few].as_secs_f64();
            let (few, many) = (CLUSTERS[few], CLUSTERS[many]);
            let what = format!("{many} clusters to {few}, {latency_ms} ms latency");
            table.add(Row::new(what, ratio, "times").most(10.0));
        }
    }
    light.latency(Duration::ZERO);
    Ok(())
}

/// Over so many guests on a hundred clusters, and the same size on ten.
pub fn guests(ground: &Ground, table: &mut Table) -> Result<(), String> {
    let light = &ground.light;
    let mut peaks = Vec::new();
    for (clusters, each) in [(100, 10), (100, 100), (10, 1000), (100, 1000)] {
        light.guests(each);
        let plan = Plan {
            clusters,
            ..Plan::default()
        };
        let mut client = started(ground.program, &light.env_file("guests.env", plan)?)?;
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
    let bytes = Rows::read(&body)?.guest_bytes();
    table.add(
        Row::new("the index, a guest", bytes as f64 / 1000.0, "bytes")
            .most(INDEX_MOST_BYTES)
            .counted(),
    );
    // Ten times the clusters of one size: a connection for each of them is what is left.
    let grown = peaks[3].saturating_sub(peaks[2]);
    table.add(
        Row::mb(
            "peak memory of a search, 100 clusters more than 10 of 1,000 guests",
            grown,
        )
        .most(9.0),
    );
    light.guests(10);
    Ok(())
}

/// With dead clusters among a hundred.
pub fn dead(ground: &Ground, table: &mut Table) -> Result<(), String> {
    let light = &ground.light;
    light.latency(Duration::ZERO);
    for (fanout, first_s, second_s) in [(8, 20.0, 4.0), (32, 6.0, 2.0)] {
        for dead in [1, 3, 20] {
            let more = format!("PROXMOX_FANOUT={fanout}");
            let plan = Plan {
                clusters: 100,
                dead,
                more: &more,
            };
            let mut client = started(ground.program, &light.env_file("dead.env", plan)?)?;
            for (which, most) in [("first", first_s), ("second", second_s)] {
                let begun = Instant::now();
                let answer = called(&mut client, "fleet_search", SEARCH)?;
                let took = begun.elapsed();
                let said = &answer["structuredContent"];
                let errors = said["errors"].as_array().map_or(0, Vec::len);
                let of = format!("{dead} of 100 clusters dead, fan-out {fanout}, {which} call");
                let row = Row::new(of.clone(), took.as_secs_f64(), "s");
                table.add(if dead == 20 { row.most(most) } else { row });
                if errors != dead || said["total"] != json!((100 - dead) * 10) {
                    return Err(format!("{of}: {errors} were named: {answer}"));
                }
            }
            ended(client)?;
        }
    }
    Ok(())
}
