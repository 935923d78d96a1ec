//! One line is one appending write of the whole line, under a lock that all processes take, and on the
//! disk before the function returns. A file that was renamed or removed is begun anew.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chain::{self, ChainPosition, RUN_DIGITS, seal};
use crate::files;
use crate::log;
use crate::proxmox::digest::{hex, random_bytes, sha256};
use crate::time;
use crate::wait::{self, Wake};

/// The longest wait for the lock. Another process holds it for one write.
const LOCK_TIMEOUT_MS: u64 = 2000;
/// The longest wait for the lock where the client has gone: the process is to end within 1.5 s.
const LOCK_CLOSED_TIMEOUT_MS: u64 = 500;
const FIRST_PAUSE_MS: u64 = 1;
/// Others hold the lock for much less; who looks seldom might miss every gap between them.
const PAUSE_MAX_MS: u64 = 5;
/// How often a file is opened that is renamed as soon as it is open.
const OPEN_MAX: usize = 5;

/// The file's end as this process sees it, and its chain so far.
pub(super) struct Appender {
    path: PathBuf,
    file: Option<File>,
    run: String,
    /// Lines written so far.
    seq: u64,
    /// The hash of the last one.
    before: String,
    last: Option<FileEnd>,
}

/// Where the last line was written: the file, and its length then.
struct FileEnd {
    device: u64,
    inode: u64,
    length: u64,
}

impl Appender {
    pub(super) fn new(path: &Path) -> Appender {
        // Two processes must not have one name; that nobody can guess it does not matter.
        let seed = [
            random_bytes::<16>().unwrap_or_default().to_vec(),
            std::process::id().to_le_bytes().to_vec(),
            time::now_ms().to_le_bytes().to_vec(),
        ];
        let digits = hex(&sha256(&seed.concat()));
        Appender {
            path: path.to_owned(),
            file: None,
            run: digits.chars().take(RUN_DIGITS).collect(),
            seq: 0,
            before: chain::nothing(),
            last: None,
        }
    }

    /// Lines written so far.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn head(&self) -> Option<(String, String)> {
        (self.seq > 0).then(|| (self.run.clone(), self.before.clone()))
    }

    /// Writes the line that `body` makes of its place in the chain; its `seq`.
    ///
    /// # Errors
    /// The line is not on the disk.
    pub(super) fn append(
        &mut self,
        body: &dyn Fn(&ChainPosition) -> Result<String, String>,
    ) -> Result<u64, String> {
        let named = |problem: String| format!("the audit file cannot be written: {problem}");
        let file = self.locked().map_err(named)?;
        let result = self.append_to(&file, body);
        let _ = file.unlock();
        // After the lock: a disk takes its time, and others need not wait for it.
        let result = result.and_then(|seq| {
            let cause = |cause| format!("{}: {cause}", self.path.display());
            file.sync_data().map_err(cause).map(|()| seq)
        });
        self.file = Some(file);
        result.map_err(named)
    }

    /// The file at the path as it is now, locked.
    fn locked(&mut self) -> Result<File, String> {
        let name = self.path.display();
        for _ in 0..OPEN_MAX {
            let file = match self.file.take() {
                Some(file) => file,
                None => {
                    let (file, warning) = files::open_appendable(&self.path)?;
                    warning.iter().for_each(|line| log::warn(line));
                    file
                }
            };
            lock(|| file.try_lock()).map_err(|problem| format!("{name}: {problem}"))?;
            let open = files::appendable(&file, &self.path)?;
            let is_there = self
                .path
                .metadata()
                .is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino()));
            if is_there {
                return Ok(file);
            }
        }
        Err(format!("{name}: is renamed again and again"))
    }

    fn append_to(
        &mut self,
        mut file: &File,
        body: &dyn Fn(&ChainPosition) -> Result<String, String>,
    ) -> Result<u64, String> {
        let name = self.path.display();
        let named = |cause: std::io::Error| format!("{name}: {cause}");
        let metadata = file.metadata().map_err(named)?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        let link = ChainPosition {
            run: &self.run,
            seq: self.seq + 1,
            before: &self.before,
            carried: self.last.as_ref().is_some_and(|last| {
                (last.device, last.inode) != (device, inode) || metadata.len() < last.length
            }),
        };
        let (line, hash) = seal(&body(&link)?);
        let torn = is_torn(file, metadata.len()).map_err(named)?;
        let whole = format!("{}{line}\n", if torn { "\n" } else { "" });
        let written = file.write(whole.as_bytes()).map_err(named)?;
        if written < whole.len() {
            return Err(format!(
                "{name}: only {written} of {} bytes were taken; is the disk full?",
                whole.len()
            ));
        }
        // It stands there from now on, whether or not it outlives a power cut.
        self.seq += 1;
        self.before = hash;
        self.last = Some(FileEnd {
            device,
            inode,
            length: metadata.len() + whole.len() as u64,
        });
        Ok(self.seq)
    }
}

/// Whether the last line has no end: who wrote it was killed, or the disk was full.
fn is_torn(file: &File, length: u64) -> std::io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

/// Takes a lock by `take`, waiting for a while.
pub(super) fn lock(take: impl Fn() -> Result<(), TryLockError>) -> Result<(), String> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(FIRST_PAUSE_MS);
    let mut limit = Duration::from_millis(LOCK_TIMEOUT_MS);
    loop {
        match take() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(cause)) => return Err(format!("cannot be locked: {cause}")),
            Err(TryLockError::WouldBlock) => {}
        }
        if began.elapsed() >= limit {
            return Err("another process keeps it locked".to_owned());
        }
        match wait::sleep(pause) {
            Wake::Nothing => {}
            // What was done is written all the same, whoever has gone.
            woken => {
                if woken == Wake::Closed {
                    limit = limit.min(Duration::from_millis(LOCK_CLOSED_TIMEOUT_MS));
                }
                std::thread::sleep(pause);
            }
        }
        pause = (pause * 2).min(Duration::from_millis(PAUSE_MAX_MS));
    }
}
