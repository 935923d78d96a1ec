//! What was destroyed or interrupted of late, by any process, read off the end of the audit file: how
//! the command line, which lives for one call, counts for the brake.

use std::collections::BTreeMap;
use std::io::Read;
use std::iter::repeat_n;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::chain::Line;
use crate::files;
use crate::time;

/// How much of the end is read.
const TAIL_MAX_BYTES: u64 = 1 << 20;

/// The most that one line can say, whoever wrote it.
const OBJECTS_MAX: u64 = 10_000;

/// How long ago each guest or object was destroyed or interrupted within the last `window`, in no order.
/// What a call came to holds before what it was about to do. Lines that are no records are passed over;
/// a file that is not there yet says nothing.
///
/// # Errors
/// The file cannot be read.
pub fn recent(path: &Path, window: Duration) -> Result<Vec<Duration>, String> {
    if !files::exists(path) {
        return Ok(Vec::new());
    }
    let file = files::open_growing(path, Some(TAIL_MAX_BYTES))?;
    let mut tail = Vec::new();
    file.take(TAIL_MAX_BYTES)
        .read_to_end(&mut tail)
        .map_err(|cause| format!("{}: {cause}", path.display()))?;
    let now = time::now();
    let mut calls: BTreeMap<(String, u64), (Duration, usize)> = BTreeMap::new();
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
        let age = Duration::from_secs(now.abs_diff(then));
        if age <= window {
            calls.insert((line.run.clone(), call), (age, objects(&line)));
        }
    }
    let ages = calls.into_values();
    Ok(ages
        .flat_map(|(age, objects)| repeat_n(age, objects))
        .collect())
}

/// How many a line names, with those that had no room on it.
fn objects(line: &Line) -> usize {
    let named = line.record.get("objects").and_then(Value::as_array);
    let more = line.record.get("objects_more").and_then(Value::as_u64);
    let more = usize::try_from(more.unwrap_or(0).min(OBJECTS_MAX)).unwrap_or(0);
    named.map_or(0, Vec::len) + more
}
