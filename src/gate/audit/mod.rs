//! The audit file: what was asked of clusters, by whom, by which rule it passed, and what came of it.
//!
//! Several processes write one file, line by line under a lock, each its own chain: a line holds the
//! hash of the line that its process wrote before. What is changed, removed, inserted or reordered
//! within a run shows when the chain is followed (`verify`).

mod append;
mod chain;
mod recent;
mod record;
mod verify;

use std::cell::{RefCell, RefMut};
use std::path::Path;

use append::Appender;
use record::AuditEntry;

pub use chain::{AuditLine, BrokenLine, head};
pub use recent::recent;
pub use record::{
    AuditClient, AuditLineKind, AuditOrigin, AuditVerdict, CallAudit, CallEnd, Confirmed,
    LINE_MAX_BYTES, Record,
};
pub use verify::{
    AuditProblem, AuditReport, AuditRun, HeadFound, UnknownWrite, Verification, each_line, verify,
};

/// The audit file of this process, for as long as the process lives. Every line is on the disk when the
/// function that writes it returns.
///
/// Nothing is opened before the first line. What could not be written is tried again with the next
/// line, so that a full disk stops writes for as long as it is full.
pub struct Log {
    writing: RefCell<LogWriter>,
}

struct LogWriter {
    appender: Appender,
    how: AuditOrigin,
    client: Option<AuditClient>,
}

/// A line `intent`, to be named by its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent(u64);

impl Log {
    pub fn new(path: &Path, how: AuditOrigin) -> Log {
        Log {
            writing: RefCell::new(LogWriter {
                appender: Appender::new(path),
                how,
                client: None,
            }),
        }
    }

    /// Who calls, as the client says itself; written with every line from now on.
    pub fn set_client(&self, client: AuditClient) {
        if let Ok(mut writing) = self.writing.try_borrow_mut() {
            writing.client = Some(client);
        }
    }

    /// Writes the line `start`, where it is not written yet. Every other line does so too: this is for
    /// noticing early that the file cannot be written.
    ///
    /// # Errors
    /// The line is not on the disk. The sentence names the file and why.
    pub fn begin(&self) -> Result<(), String> {
        self.writing()?.begin()
    }

    /// Before the first write of a call leaves: what is about to be done, with `request`.
    ///
    /// # Errors
    /// As [`Log::begin`]: the write must not leave.
    pub fn intent(&self, record: &Record) -> Result<Intent, String> {
        self.writing()?
            .write(AuditLineKind::Intent, None, record)
            .map(Intent)
    }

    /// What came of a call; `intent` where it had one, none where it was refused or only asked.
    ///
    /// # Errors
    /// As [`Log::begin`].
    pub fn outcome(&self, intent: Option<Intent>, record: &Record) -> Result<(), String> {
        let intent = intent.map(|Intent(seq)| seq);
        let written = self
            .writing()?
            .write(AuditLineKind::Outcome, intent, record);
        written.map(|_| ())
    }

    /// When the process ends in order. A process that wrote nothing leaves nothing.
    ///
    /// # Errors
    /// As [`Log::begin`].
    pub fn end(&self) -> Result<(), String> {
        let mut writing = self.writing()?;
        if writing.appender.seq() == 0 {
            return Ok(());
        }
        let written = writing.write(AuditLineKind::End, None, &Record::default());
        written.map(|_| ())
    }

    /// This run's name and the hash of its last line: what `verify` takes as `--head RUN=HASH`. `None`
    /// before the first line.
    pub fn head(&self) -> Option<(String, String)> {
        self.writing.try_borrow().ok()?.appender.head()
    }

    fn writing(&self) -> Result<RefMut<'_, LogWriter>, String> {
        let in_use = |_| "the audit file is being written already".to_owned();
        self.writing.try_borrow_mut().map_err(in_use)
    }
}

impl LogWriter {
    fn begin(&mut self) -> Result<(), String> {
        if self.appender.seq() > 0 {
            return Ok(());
        }
        self.append(AuditLineKind::Start, None, &Record::default())
            .map(|_| ())
    }

    fn write(
        &mut self,
        kind: AuditLineKind,
        intent: Option<u64>,
        record: &Record,
    ) -> Result<u64, String> {
        self.begin()?;
        self.append(kind, intent, record)
    }

    fn append(
        &mut self,
        kind: AuditLineKind,
        intent: Option<u64>,
        record: &Record,
    ) -> Result<u64, String> {
        let written = AuditEntry {
            kind,
            intent,
            client: record.client.as_ref().or(self.client.as_ref()),
            how: self.how,
            record,
        };
        self.appender.append(&|link| written.body(link))
    }
}
