//! What was destroyed or interrupted of late, by any process, read off the end of the audit file: how
//! the command line, which lives for one call, counts for the brake.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::chain::Line;
use crate::files;
use crate::time;

/// How much of the end is read.
const TAIL_MAX_BYTES: u64 = 1 << 20;

/// What one call destroyed or interrupted, or is about to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Seconds since 1970.
    pub time: u64,
    pub run: String,
    /// `cluster/vmid` and the like.
    pub objects: Vec<String>,
    /// Objects that had no room on the line.
    pub more: u64,
}

impl Taken {
    pub fn count(&self) -> u64 {
        self.more + self.objects.len() as u64
    }
}

/// The calls of the last `window` that destroyed or interrupted something. What a call came to holds
/// before what it was about to do. Lines that are no records are passed over; a file that is not there
/// yet says nothing.
///
/// # Errors
/// The file cannot be read.
pub fn recent(path: &Path, window: Duration) -> Result<Vec<Taken>, String> {
    if !files::exists(path) {
        return Ok(Vec::new());
    }
    let file = files::open_growing(path, Some(TAIL_MAX_BYTES))?;
    let mut tail = Vec::new();
    file.take(TAIL_MAX_BYTES)
        .read_to_end(&mut tail)
        .map_err(|cause| format!("{}: {cause}", path.display()))?;
    let now = time::now();
    let mut calls: BTreeMap<(String, u64), Taken> = BTreeMap::new();
    for line in tail.split(|byte| *byte == b'\n') {
        let Ok(line) = Line::read(line) else {
            continue;
        };
        let call = match (line.kind.as_str(), line.intent) {
            ("intent", _) => line.seq,
            ("outcome", Some(intent)) => intent,
            _ => continue,
        };
        let then = time::parse(line.text("time"), now).unwrap_or(now);
        // A clock that was set back must not make a call last for ever.
        if now.abs_diff(then) <= window.as_secs() {
            calls.insert((line.run.clone(), call), taken(&line, then));
        }
    }
    Ok(calls.into_values().filter(|one| one.count() > 0).collect())
}

fn taken(line: &Line, time: u64) -> Taken {
    let objects = line.record.get("objects").and_then(Value::as_array);
    let texts = objects.into_iter().flatten().filter_map(Value::as_str);
    Taken {
        time,
        run: line.run.clone(),
        objects: texts.map(str::to_owned).collect(),
        more: line
            .record
            .get("objects_more")
            .and_then(Value::as_u64)
            .unwrap_or(0),
    }
}
