//! What was destroyed or interrupted of late, by any process, read off the end of the audit file: how
//! the command line, which lives for one call, counts towards the bulk limit.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::iter::repeat_n;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::chain::AuditLine;
use super::record::LINE_MAX_BYTES;
use crate::files;
use crate::time;

/// How much of the end is read at most, and at once.
const TAIL_MAX_BYTES: u64 = 256 << 20;
const BLOCK_BYTES: u64 = 1 << 20;

/// The most that one line can say, whoever wrote it.
const OBJECTS_MAX: u64 = 10_000;

/// How long ago each guest or object was destroyed or interrupted within the last `window`, in no order.
/// What a call came to holds before what it was about to do. Lines that are no records are passed over;
/// a file that is not there yet says nothing.
///
/// # Errors
/// The file cannot be read, or holds too much of that time.
pub fn recent(path: &Path, window: Duration) -> Result<Vec<Duration>, String> {
    if !files::exists(path) {
        return Ok(Vec::new());
    }
    let named = |cause: io::Error| format!("{}: {cause}", path.display());
    let mut file = files::open_growing(path)?;
    let mut end = file.seek(SeekFrom::End(0)).map_err(named)?;
    let least = end.saturating_sub(TAIL_MAX_BYTES);
    let mut seen = RecentWrites::default();
    // The start of a line that began in an earlier block.
    let mut open = Vec::new();
    while end > least {
        let start = end.saturating_sub(BLOCK_BYTES).max(least);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(named)?;
        let part = file.by_ref().take(end - start);
        { part }.read_to_end(&mut block).map_err(named)?;
        block.append(&mut open);
        let first = match start {
            0 => 0,
            _ => block
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(block.len(), |at| at + 1),
        };
        let lines = block.split_off(first);
        if seen.look_at(&lines, window) {
            return Ok(seen.ages());
        }
        open = block;
        if open.len() > LINE_MAX_BYTES {
            // No line of ours.
            open.clear();
        }
        end = start;
    }
    if end > 0 {
        return Err(format!(
            "{}: more than {TAIL_MAX_BYTES} bytes were written in the last {} s, which are not all \
             looked through",
            path.display(),
            window.as_secs()
        ));
    }
    Ok(seen.ages())
}

/// What was found so far, from the end.
#[derive(Default)]
struct RecentWrites {
    calls: BTreeMap<(String, u64), (Duration, usize)>,
}

impl RecentWrites {
    /// Looks at some lines before those that were looked at; whether one of them is older than what
    /// counts, so that none before it does.
    fn look_at(&mut self, lines: &[u8], window: Duration) -> bool {
        let now = time::now();
        let mut is_older = false;
        for line in lines.rsplit(|byte| *byte == b'\n') {
            let Ok(line) = AuditLine::read(line) else {
                continue;
            };
            let then = time::parse(line.text("time"), now).unwrap_or(now);
            // A clock that was set back must not make a call last for ever.
            let age = Duration::from_secs(now.abs_diff(then));
            if age > window {
                is_older = true;
                continue;
            }
            let call = match (line.kind.as_str(), line.intent) {
                ("intent", _) => line.seq,
                ("outcome", Some(intent)) => intent,
                _ => continue,
            };
            // What a call came to stands behind what it was about to do.
            let call = self.calls.entry((line.run.clone(), call));
            call.or_insert_with(|| (age, objects(&line)));
        }
        is_older
    }

    fn ages(self) -> Vec<Duration> {
        let ages = self.calls.into_values();
        ages.flat_map(|(age, objects)| repeat_n(age, objects))
            .collect()
    }
}

/// How many a line names, with those that had no room on it.
fn objects(line: &AuditLine) -> usize {
    let named = line.record.get("objects").and_then(Value::as_array);
    let more = line.record.get("objects_more").and_then(Value::as_u64);
    let more = usize::try_from(more.unwrap_or(0).min(OBJECTS_MAX)).unwrap_or(0);
    named.map_or(0, Vec::len) + more
}
