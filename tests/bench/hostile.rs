//! Hostile clusters and a hostile client: the most memory that the program takes for each.

use super::table::{Row, Table};
use super::{CLUSTERS, Ground, started};
use crate::demo;
use crate::process;
use crate::sim::flood::{self, Flood, KINDS, PEAK_MAX_BYTES};

const FANOUTS: [usize; 2] = [8, 128];
/// Of a body that is no larger than what is taken.
const BODY_BYTES: usize = 13 << 20;
const LINE_BYTES: usize = 1_000_000;
/// What a message repeats, between brackets.
const MESSAGES: [(&str, &str); 4] = [
    ("7 MB of objects", "{},"),
    ("objects in objects", r#"{"":{"":0}},"#),
    ("numbers", "0,"),
    ("escapes", r#""\u200b","#),
];

#[allow(clippy::cast_precision_loss)]
const MOST_MB: f64 = PEAK_MAX_BYTES as f64 / 1e6;

/// A hundred hostile clusters at once, each kind with a process of its own.
pub fn clusters(ground: &Ground, table: &mut Table) -> Result<(), String> {
    let flood = Flood::start(CLUSTERS);
    for fanout in FANOUTS {
        for kind in KINDS {
            flood.say(kind.body(BODY_BYTES));
            let _ = std::fs::remove_file(flood.env_file());
            let env = flood.env(&format!("PROXMOX_FANOUT={fanout}"));
            demo::write_private(&flood.env_file(), &env).map_err(|cause| cause.to_string())?;
            ground.by_turns(table, |program, table| {
                let mut client = started(program, &flood.env_file())?;
                for tool in kind.tools {
                    for (only, arguments) in flood::calls(tool) {
                        flood.only(only);
                        client.call(tool, &arguments)?;
                    }
                }
                let peak = process::figures(client.id())?.peak;
                let what = format!(
                    "peak memory, {CLUSTERS} hostile clusters, fan-out {fanout}, {}",
                    kind.name
                );
                table.add(Row::mb(what, peak).most(MOST_MB).counted());
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// A client that makes much of little.
pub fn client(ground: &Ground, table: &mut Table) -> Result<(), String> {
    for (name, each) in MESSAGES {
        let bytes = if name.starts_with('7') { 7 } else { 1 } * LINE_BYTES;
        let values = each.repeat(bytes / each.len());
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"guest_get","arguments":{{"guest":[{values}0]}}}}}}"#
        );
        ground.by_turns(table, |program, table| {
            let mut client = started(program, &ground.three())?;
            client.send_line(&line)?;
            client.receive()?;
            let peak = process::figures(client.id())?.peak;
            let what = format!("peak memory, a hostile message, {name}");
            table.add(Row::mb(what, peak).most(MOST_MB).counted());
            Ok(())
        })?;
    }
    Ok(())
}
