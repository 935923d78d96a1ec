//! What is known of one call while it passes, and its lines in the audit file: one before its first
//! write leaves, one when it has ended.

use std::cell::{Cell, RefCell, RefMut};
use std::time::Instant;

use serde_json::{Map, Value};

use super::audit::{AuditClient, AuditVerdict, Confirmed, Intent, Log, Record};
use crate::api::mark::Mark;
use crate::error::Error;
use crate::log;

/// What a call came to, as far as its line says it.
pub enum CallEnd<'e> {
    Answer(&'e Map<String, Value>),
    /// A plan or a question.
    Asked,
    Error(&'e Error),
}

/// What the audit file will say of one call.
pub struct CallAudit {
    begun: Instant,
    record: RefCell<Record>,
    /// By which mark the call was let pass, and how it was confirmed.
    passed: Cell<Option<(Mark, Confirmed)>>,
    intent: Cell<Option<Intent>>,
}

impl CallAudit {
    /// Begins with the arguments as they came, and with who calls.
    pub fn new(tool: &str, arguments: &Map<String, Value>, client: AuditClient) -> CallAudit {
        let record = Record {
            tool: tool.to_owned(),
            client: Some(client),
            arguments: Value::Object(arguments.clone()),
            ..Record::default()
        };
        CallAudit {
            begun: Instant::now(),
            record: RefCell::new(record),
            passed: Cell::new(None),
            intent: Cell::new(None),
        }
    }

    /// Which cluster the call means, and why; `all` for several.
    pub fn located(&self, cluster: &str, chosen_by: &str) {
        let mut record = self.record.borrow_mut();
        cluster.clone_into(&mut record.cluster);
        chosen_by.clone_into(&mut record.chosen_by);
    }

    /// That the call was let pass, by its mark, and how it was confirmed.
    pub(super) fn passed(&self, mark: Mark, confirmed: Confirmed) {
        self.passed.set(Some((mark, confirmed)));
    }

    /// What is known now, for a line.
    fn record(&self) -> RefMut<'_, Record> {
        let mut record = self.record.borrow_mut();
        if let Some((mark, confirmed)) = self.passed.take() {
            record.rule = format!("{mark} is within the access level");
            record.verdict = Some(AuditVerdict::Go);
            record.confirmed = Some(confirmed);
        }
        record
    }

    /// Before a write leaves, into `log` where there is one. `objects` are those that it destroys or interrupts.
    ///
    /// # Errors
    /// The line cannot be written: the write must not leave.
    pub(super) fn before(
        &self,
        log: Option<&Log>,
        request: String,
        objects: &[String],
    ) -> Result<(), Error> {
        let mut record = self.record();
        let cluster = record.cluster.clone();
        let objects = objects.iter().map(|object| format!("{cluster}/{object}"));
        record.objects.extend(objects);
        if let (Some(log), None) = (log, self.intent.get()) {
            let line = Record {
                request: request.clone(),
                ..record.clone()
            };
            let intent = log.intent(&line).map_err(|cause| {
                let sentence =
                    format!("`{request}` needs a line in the audit file first, and {cause}");
                Error::not_allowed(cluster, sentence)
                    .hint("writes go on as soon as the file can be written")
            })?;
            self.intent.set(Some(intent));
        }
        record.requests.push(request);
        Ok(())
    }

    /// Writes what came of the call. A line that cannot be written is said on standard error: what was
    /// done is done.
    pub(super) fn end(&self, log: &Log, end: &CallEnd) {
        let mut record = self.record();
        record.duration_ms = u64::try_from(self.begun.elapsed().as_millis()).ok();
        match end {
            CallEnd::Asked => {
                record.verdict = Some(AuditVerdict::Asked);
                record.rule = "what asks is confirmed first".into();
                record.outcome = "asked".into();
            }
            CallEnd::Answer(answer) => {
                let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
                record.verdict = Some(AuditVerdict::Go);
                record.task = text("task").unwrap_or_default();
                record.outcome = text("state")
                    .filter(|state| state == "running")
                    .unwrap_or_else(|| "ok".into());
            }
            CallEnd::Error(error) => {
                record.outcome = error.code.as_str().into();
                let sentence = error.to_string();
                if error.is_refusal() && self.intent.get().is_none() {
                    record.verdict = Some(AuditVerdict::Refused);
                    record.rule = sentence;
                } else {
                    record.error = sentence;
                }
                record.task = error.task.clone().unwrap_or_default();
            }
        }
        if let Err(cause) = log.outcome(self.intent.get(), &record) {
            log::error(&cause);
        }
    }
}
