//! Follows the chain of every run through one file, or through several of which the older stand first,
//! and says where a chain is broken, what has no end, and whether lines that were noted are there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::append;
use super::chain::{self, AuditLine, BrokenLine};
use super::record::LINE_MAX_BYTES;
use crate::files;

/// How many problems are told one by one.
const PROBLEMS_MAX: usize = 1000;

/// What was found.
#[derive(Debug, Default)]
pub struct AuditReport {
    pub lines: u64,
    /// In the order of their first lines.
    pub runs: Vec<AuditRun>,
    pub problems: Vec<AuditProblem>,
    /// Problems beyond those that are told.
    pub problems_more: u64,
    /// Intents without an outcome.
    pub unknown: Vec<UnknownWrite>,
    pub heads: Vec<HeadFound>,
}

/// The lines of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRun {
    pub run: String,
    /// 1, or more where its beginning is in a file that was not given.
    pub first_seq: u64,
    pub last_seq: u64,
    /// The time of its last line.
    pub last_time: String,
    /// The hash of its last line.
    pub head: String,
    /// Whether that is the line `end`.
    pub ended: bool,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditProblem {
    pub file: String,
    /// From 1.
    pub line: u64,
    pub run: Option<String>,
    pub what: String,
}

/// A write that may have left, and nothing says what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWrite {
    pub file: String,
    pub line: u64,
    pub run: String,
    pub seq: u64,
    pub time: String,
    pub tool: String,
    pub cluster: String,
    pub request: String,
}

/// A line that was noted elsewhere by its run and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadFound {
    pub run: String,
    pub hash: String,
    /// Its `seq`, where it is there.
    pub seq: Option<u64>,
    /// How many lines of its run follow it.
    pub after: u64,
}

impl AuditReport {
    /// Every chain is whole, and every noted line is there.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.heads.iter().all(|head| head.seq.is_some())
    }
}

/// A run as far as it was followed.
struct Followed {
    run: AuditRun,
    /// The place of its first line among all lines.
    first: u64,
    open: BTreeMap<u64, UnknownWrite>,
}

/// The work itself: give it the files in their order, then ask for the report.
pub struct Verification {
    report: AuditReport,
    runs: BTreeMap<String, Followed>,
}

/// Verifies files, the older first. `heads` are runs and hashes that somebody noted.
///
/// # Errors
/// A file cannot be read.
pub fn verify(paths: &[&Path], heads: &[(String, String)]) -> Result<AuditReport, String> {
    let mut verification = Verification::new(heads);
    for path in paths {
        let name = path.display().to_string();
        verification
            .file(&name, &mut open(path)?)
            .map_err(|cause| format!("{name}: {cause}"))?;
    }
    Ok(verification.finish())
}

/// Calls `found` with every line of an audit file and its number, without newlines. Of a line that is
/// too long to be one it gets the beginning.
///
/// # Errors
/// The file cannot be read.
pub fn each_line(path: &Path, found: &mut dyn FnMut(u64, &[u8])) -> Result<(), String> {
    lines(&mut open(path)?, &mut |number, line, _| found(number, line))
        .map_err(|cause| format!("{}: {cause}", path.display()))
}

/// What the file holds now: what others write meanwhile is left for the next time.
fn open(path: &Path) -> Result<impl BufRead, String> {
    let file = files::open_growing(path)?;
    // Under the lock no line is half written. Where it cannot be had the last one may be.
    let locked = append::lock(|| file.try_lock_shared());
    let length = file.metadata().map(|metadata| metadata.len());
    if locked.is_ok() {
        let _ = file.unlock();
    }
    let length = length.map_err(|cause| format!("{}: {cause}", path.display()))?;
    Ok(BufReader::new(file.take(length)))
}

/// Every line with its number, and whether it has an end.
fn lines(input: &mut dyn BufRead, found: &mut dyn FnMut(u64, &[u8], bool)) -> std::io::Result<()> {
    let mut number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .take(LINE_MAX_BYTES as u64)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        // The rest of a line that is too long for one of ours is left out.
        let ended = line.pop_if(|byte| *byte == b'\n').is_some()
            || (read == LINE_MAX_BYTES && input.skip_until(b'\n')? > 0);
        found(number, &line, ended);
    }
}

impl Verification {
    pub fn new(heads: &[(String, String)]) -> Verification {
        let heads = heads.iter().map(|(run, hash)| HeadFound {
            run: run.clone(),
            hash: hash.clone(),
            seq: None,
            after: 0,
        });
        Verification {
            report: AuditReport {
                heads: heads.collect(),
                ..AuditReport::default()
            },
            runs: BTreeMap::new(),
        }
    }

    /// Follows the lines of the next file. `name` stands in what is said of them.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(&mut self, name: &str, input: &mut dyn BufRead) -> std::io::Result<()> {
        lines(input, &mut |number, bytes, ended| {
            self.report.lines += 1;
            match AuditLine::read(bytes) {
                Ok(line) => self.follow(name, number, line),
                Err(BrokenLine::Changed(line)) => {
                    let said = "was changed: its hash is not that of what it says";
                    self.problem(name, number, Some(&line.run), said.to_owned());
                    self.pass_over(&line);
                }
                Err(BrokenLine::Unreadable) if ended => {
                    let said = "is no record: it was cut off while it was written, or changed";
                    self.problem(name, number, None, said.to_owned());
                }
                Err(BrokenLine::Unreadable) => {
                    let said = "is cut off: its writer was killed, the disk was full, or its end was removed";
                    self.problem(name, number, None, said.to_owned());
                }
            }
        })
    }

    /// What was found in all files.
    pub fn finish(mut self) -> AuditReport {
        let mut runs: Vec<Followed> = self.runs.into_values().collect();
        runs.sort_by_key(|followed| followed.first);
        for followed in runs {
            for head in &mut self.report.heads {
                if let (true, Some(seq)) = (head.run == followed.run.run, head.seq) {
                    head.after = followed.run.last_seq.saturating_sub(seq);
                }
            }
            self.report.unknown.extend(followed.open.into_values());
            self.report.runs.push(followed.run);
        }
        self.report
    }

    fn follow(&mut self, name: &str, number: u64, line: AuditLine) {
        for head in &mut self.report.heads {
            if head.run == line.run && head.hash == line.hash {
                head.seq = Some(line.seq);
            }
        }
        if let Some(problem) = self.misplaced(&line) {
            self.problem(name, number, Some(&line.run), problem);
        }
        let first = self.report.lines;
        let followed = self
            .runs
            .entry(line.run.clone())
            .or_insert_with(|| Followed::new(&line, first));
        // One that stands twice or late is no new end.
        if line.seq >= followed.run.last_seq {
            followed.run.last_seq = line.seq;
            followed.run.last_time = line.text("time").to_owned();
            followed.run.head.clone_from(&line.hash);
            followed.run.ended = line.kind == "end";
        }
        match (line.kind.as_str(), line.intent) {
            ("intent", _) => {
                let unknown = UnknownWrite {
                    file: name.to_owned(),
                    line: number,
                    run: line.run.clone(),
                    seq: line.seq,
                    time: line.text("time").to_owned(),
                    tool: line.text("tool").to_owned(),
                    cluster: line.text("cluster").to_owned(),
                    request: line.text("request").to_owned(),
                };
                followed.open.insert(line.seq, unknown);
            }
            ("outcome", Some(intent)) => {
                followed.open.remove(&intent);
            }
            _ => {}
        }
    }

    /// Why the line is not the one that is due in its run.
    fn misplaced(&self, line: &AuditLine) -> Option<String> {
        let seq = line.seq;
        let Some(followed) = self.runs.get(&line.run) else {
            return match seq {
                1 if line.before == chain::nothing() => None,
                1 => Some("does not begin a chain, though it is the first of its run".to_owned()),
                _ if line.carried => None,
                _ => Some(format!(
                    "is number {seq} of its run, and those before it were removed"
                )),
            };
        };
        let due = followed.run.last_seq.saturating_add(1);
        if seq < due {
            Some(format!(
                "is number {seq} of its run, where {due} is due: it stands twice, or late"
            ))
        } else if seq > due {
            let missing = seq - due;
            Some(format!(
                "is number {seq} of its run, where {due} is due: {missing} before it missing"
            ))
        } else if line.before != followed.run.head {
            Some(
                "does not follow the line of its run before it: one of the two was replaced".into(),
            )
        } else if followed.run.ended {
            Some("follows the end of its run".to_owned())
        } else {
            None
        }
    }

    /// A changed line, already told of, stands where the next one looks for it.
    fn pass_over(&mut self, line: &AuditLine) {
        let first = self.report.lines;
        match self.runs.get_mut(&line.run) {
            Some(followed) if line.seq == followed.run.last_seq.saturating_add(1) => {
                followed.run.last_seq = line.seq;
                followed.run.head.clone_from(&line.hash);
            }
            None if line.seq == 1 => {
                let followed = Followed::new(line, first);
                self.runs.insert(line.run.clone(), followed);
            }
            _ => {}
        }
    }

    fn problem(&mut self, file: &str, line: u64, run: Option<&str>, what: String) {
        if self.report.problems.len() >= PROBLEMS_MAX {
            self.report.problems_more += 1;
            return;
        }
        self.report.problems.push(AuditProblem {
            file: file.to_owned(),
            line,
            run: run.map(str::to_owned),
            what,
        });
    }
}

impl Followed {
    fn new(line: &AuditLine, first: u64) -> Followed {
        Followed {
            run: AuditRun {
                run: line.run.clone(),
                first_seq: line.seq,
                last_seq: line.seq,
                last_time: line.text("time").to_owned(),
                head: line.hash.clone(),
                ended: false,
            },
            first,
            open: BTreeMap::new(),
        }
    }
}
