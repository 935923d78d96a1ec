//! The snapshots of a guest: which there are, and what follows what.

use std::cmp::Reverse;

use serde_json::{Value, json};

use crate::api::loose::{flag, number};
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::time;
use crate::tool::rows::Row;
use crate::tools::plan;

/// What [`Snapshots::read`] sends.
pub const READS: &[Sending] = &[sending::get("/nodes/{node}/{kind}/{vmid}/snapshot")];

pub const NAME_MAX_CHARS: usize = 60;
const DESCRIPTION_MAX_CHARS: usize = 500;
/// The list has the present state as a row of this name.
pub const PRESENT: &str = "current";

/// One snapshot.
pub struct Snapshot {
    pub name: String,
    pub parent: String,
    /// Unix seconds.
    pub time: u64,
    /// Whether the memory is in it.
    pub vmstate: bool,
    pub description: String,
    /// What is being done to it, or was when its task died (`prepare`, `delete`): until that is
    /// through there is nothing to go back to. Proxmox calls it `snapstate`.
    pub unfinished: Option<String>,
}

/// Those of one guest.
pub struct Snapshots {
    /// Newest first.
    pub all: Vec<Snapshot>,
    /// The one that the present state follows; empty without any.
    pub current: String,
}

impl Snapshots {
    pub fn read(reach: &Reach) -> Result<Snapshots, Error> {
        let list = reach.rows_of_guest("/snapshot", "name")?;
        let text = |row: &Value, key: &str| {
            let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
            text.to_string()
        };
        let mut all = Vec::new();
        let mut current = String::new();
        for row in &list {
            let (name, parent) = (text(row, "name"), text(row, "parent"));
            if name == PRESENT {
                current = parent;
                continue;
            }
            all.push(Snapshot {
                name,
                parent,
                time: number(row.get("snaptime")),
                vmstate: flag(row.get("vmstate")),
                description: text(row, "description"),
                unfinished: plan::unfinished(row),
            });
        }
        // Within a second the line of descent tells which came later.
        let depths: Vec<usize> = all.iter().map(|one| ancestors(&all, one).len()).collect();
        let mut deep: Vec<(usize, Snapshot)> = depths.into_iter().zip(all).collect();
        deep.sort_by_key(|(depth, one)| Reverse((one.time, *depth, one.name.clone())));
        let all = deep.into_iter().map(|(_, one)| one).collect();
        Ok(Snapshots { all, current })
    }

    /// # Errors
    /// There is none of this name: those that there are.
    pub fn need(&self, reach: &Reach, name: &str) -> Result<&Snapshot, Error> {
        if let Some(found) = self.all.iter().find(|one| one.name == name) {
            return Ok(found);
        }
        let there = match self.all.as_slice() {
            [] => "it has none".to_string(),
            all => format!("it has: {}", names(all.iter()).join(", ")),
        };
        Err(wrong(reach, &format!("has no snapshot `{name}`; {there}"))?)
    }

    /// As [`Snapshots::need`], of a snapshot to go back to.
    ///
    /// # Errors
    /// There is none of this name, or it was never finished.
    pub fn need_whole(&self, reach: &Reach, name: &str) -> Result<&Snapshot, Error> {
        let found = self.need(reach, name)?;
        let Some(state) = &found.unfinished else {
            return Ok(found);
        };
        let whole = names(self.all.iter().filter(|one| one.unfinished.is_none()));
        let whole = match whole.as_slice() {
            [] => "it has none that is".to_string(),
            whole => format!("finished: {}", whole.join(", ")),
        };
        Err(wrong(
            reach,
            &format!("has a snapshot `{name}` that is not finished (`{state}`); {whole}"),
        )?)
    }

    /// Those that were taken after it.
    pub fn younger(&self, than: &Snapshot) -> Vec<String> {
        let descends = |one: &Snapshot| ancestors(&self.all, one).contains(&than.name.as_str());
        let is_younger = |one: &&Snapshot| one.time > than.time || descends(one);
        names(self.all.iter().filter(is_younger))
    }

    pub fn children(&self, of: &Snapshot) -> Vec<String> {
        names(self.all.iter().filter(|one| one.parent == of.name))
    }
}

pub fn names<'s>(snapshots: impl Iterator<Item = &'s Snapshot>) -> Vec<String> {
    snapshots
        .map(|one| printable(&one.name, NAME_MAX_CHARS))
        .collect()
}

/// A problem with the guest, as an error: "production: guest 101 has ...".
pub fn wrong(reach: &Reach, problem: &str) -> Result<Error, Error> {
    let vmid = reach.guest()?.vmid;
    Ok(Error::bad(format!(
        "{}: guest {vmid} {problem}",
        reach.cluster_name()
    )))
}

/// The names of what a snapshot comes from, the nearest first. A circle, which there should not be,
/// is gone round once.
fn ancestors<'s>(all: &'s [Snapshot], of: &'s Snapshot) -> Vec<&'s str> {
    let mut found = Vec::new();
    let mut parent = of.parent.as_str();
    while let Some(next) = all.iter().find(|one| one.name == parent) {
        if found.contains(&parent) {
            break;
        }
        found.push(parent);
        parent = &next.parent;
    }
    found
}

/// A snapshot as a row.
pub fn row(snapshot: &Snapshot) -> Row {
    let mut row = Row::new();
    let short = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    row.insert("snapname", short(&snapshot.name));
    row.insert("parent", short(&snapshot.parent));
    row.insert("time", time::iso(snapshot.time).into());
    row.insert("vmstate", snapshot.vmstate.into());
    row.insert("unfinished", json!(snapshot.unfinished));
    let description = printable(&snapshot.description, DESCRIPTION_MAX_CHARS);
    if !description.is_empty() {
        row.insert("untrusted_text", json!({ "description": description }));
    }
    row
}

/// What a snapshot holds, as a plan shows it.
pub fn shown(snapshot: &Snapshot) -> Value {
    let mut row = row(snapshot);
    row.insert("age", age(snapshot).into());
    Value::Object(row.into_object())
}

/// How long ago it was taken.
pub fn age(snapshot: &Snapshot) -> String {
    time::span(time::now().saturating_sub(snapshot.time))
}
