//! A row of the table: one call of a tool, and what it does where nothing is wrong.

use std::collections::{BTreeMap, BTreeSet};

use proxmox_mcp::tool::Tool;
use serde_json::{Map, Value};

use super::clusters;
use crate::sim::{Seen, World};

pub struct Row {
    pub tool: &'static Tool,
    /// The tool, and what tells this call from others of it.
    pub label: String,
    /// With `$task` and `$archive` for what is new in each world.
    pub arguments: Map<String, Value>,
    pub asks: bool,
    /// What it answers where nothing is wrong; of a read also what it answers the second time.
    pub answers: Vec<Map<String, Value>>,
    /// What it writes then, and how often.
    pub writes: Writes,
}

/// Executed writes: method, path without its node, and parameters; and how often.
pub type Writes = BTreeMap<String, usize>;

impl Row {
    pub fn reads(&self) -> bool {
        self.writes.is_empty()
    }

    /// The guest of `one` that the call names.
    pub fn guest(&self) -> Option<&str> {
        self.arguments.get("guest")?.as_str()
    }

    pub fn arguments_in(&self, world: &World) -> Map<String, Value> {
        filled(&self.arguments, world)
    }
}

/// Arguments with what is new in each world.
pub fn filled(arguments: &Map<String, Value>, world: &World) -> Map<String, Value> {
    let fill = |value: &Value| match value {
        Value::String(text) => clusters::filled(world, text).into(),
        other => other.clone(),
    };
    let filled = arguments
        .iter()
        .map(|(name, value)| (name.clone(), fill(value)));
    filled.collect()
}

/// The writes among what was seen that were executed.
pub fn executed(seen: &[Seen]) -> Writes {
    let mut writes = Writes::new();
    for one in seen
        .iter()
        .filter(|one| one.executed && one.method != "GET")
    {
        let params = Value::Object(one.params.clone());
        let write = format!("{} {} {params}", one.method, lasting(&one.path));
        *writes.entry(write).or_default() += 1;
    }
    writes
}

/// The VMIDs in the paths of what was written.
pub fn guests_written(writes: &Writes) -> BTreeSet<String> {
    let vmid = |write: &String| {
        let path = write.split(' ').nth(1)?;
        let (_, rest) = path.split_once("/qemu/").or(path.split_once("/lxc/"))?;
        rest.split('/').next().map(str::to_string)
    };
    writes.keys().filter_map(vmid).collect()
}

/// A path without what differs from time to time: the node of a guest that has moved, a task's name.
fn lasting(path: &str) -> String {
    let parts = path.split('/').enumerate();
    let parts: Vec<&str> = parts
        .map(|(at, part)| match part {
            _ if at == 2 && path.starts_with("/nodes/") => "*",
            part if part.starts_with("UPID:") => "UPID",
            // What a backup's name says behind its guest: when it was made.
            part if part.starts_with("vzdump-") => "vzdump",
            part => part,
        })
        .collect();
    parts.join("/")
}

/// How many tools have a row.
pub fn tools(rows: &[Row]) -> usize {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.tool.name).collect();
    names.len()
}
