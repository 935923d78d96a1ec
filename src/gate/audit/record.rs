//! What a line says: the record of a call while it passes the gate, and its form as a JSON object of limited
//! length. A call has two lines: one before its first write leaves, one when it has ended.

use std::cell::{Cell, RefCell, RefMut};
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::chain::ChainPosition;
use super::{Intent, Log};
use crate::api::mark::Mark;
use crate::error::Error;
use crate::log;
use crate::secrets;
use crate::text::printable;
use crate::time;

/// The longest line, its newline included.
pub const LINE_MAX_BYTES: usize = 64 << 10;
/// What the chain adds to a record: the hash at its end.
const SEAL_MAX_BYTES: usize = 128;
/// How many characters of a text and how many items of a list a line holds; less where the line would
/// be too long.
const MEASURES: [(usize, usize); 3] = [(4000, 500), (256, 100), (32, 20)];
/// A list or object within arguments that is deeper than this is left out.
const DEPTH_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditLineKind {
    /// The first line of a process.
    Start,
    /// A write is about to leave.
    Intent,
    /// A call has ended, or was not let pass.
    Outcome,
    /// The process ends in order.
    End,
}

/// In which way calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOrigin {
    Mcp,
    Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditVerdict {
    Go,
    Refused,
    Asked,
}

/// How a call was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Confirmed {
    #[serde(rename = "no need")]
    NoNeed,
    #[serde(rename = "code")]
    Code,
    /// The user was asked and agreed.
    #[serde(rename = "asked")]
    Asked,
    /// The configuration turns confirmation off.
    #[serde(rename = "off")]
    Off,
    #[serde(rename = "command line")]
    CommandLine,
}

impl Confirmed {
    /// Who agreed, as an answer says it; nothing where nobody had to.
    pub fn by(self) -> Option<&'static str> {
        match self {
            Confirmed::NoNeed => None,
            Confirmed::Code => Some("code"),
            Confirmed::Asked | Confirmed::CommandLine => Some("user"),
            Confirmed::Off => Some("off"),
        }
    }
}

/// Who calls, as the client says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditClient {
    pub name: String,
    pub version: String,
}

/// What the gate knows of a call when it writes a line. What is empty is left out; secrets among the
/// arguments are masked when it is written.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Nothing of a line about the process itself.
    pub client: Option<AuditClient>,
    pub tool: String,
    pub cluster: String,
    pub chosen_by: String,
    pub arguments: Value,
    pub verdict: Option<AuditVerdict>,
    /// Why the verdict is so.
    pub rule: String,
    pub confirmed: Option<Confirmed>,
    /// The request about to leave: method and path.
    pub request: String,
    /// The writes that were sent.
    pub requests: Vec<String>,
    /// `cluster!UPID`.
    pub task: String,
    /// `ok`, `running`, or the error's code.
    pub outcome: String,
    pub error: String,
    pub duration_ms: Option<u64>,
    /// What is destroyed or interrupted, as `cluster/vmid`; each counts towards the bulk limit.
    pub objects: Vec<String>,
}

/// A record with what its line says beside.
pub(super) struct AuditEntry<'a> {
    pub(super) kind: AuditLineKind,
    pub(super) intent: Option<u64>,
    pub(super) client: Option<&'a AuditClient>,
    pub(super) how: AuditOrigin,
    pub(super) record: &'a Record,
}

/// The line, in the order of its keys.
#[derive(Serialize)]
struct RecordFields<'a> {
    time: String,
    run: &'a str,
    seq: u64,
    before: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    carried: bool,
    kind: AuditLineKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<AuditClient>,
    how: AuditOrigin,
    #[serde(skip_serializing_if = "String::is_empty")]
    tool: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cluster: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    chosen_by: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    arguments: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<AuditVerdict>,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<Confirmed>,
    #[serde(skip_serializing_if = "String::is_empty")]
    request: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requests: Vec<String>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero")]
    requests_more: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    task: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objects: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    objects_more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl AuditEntry<'_> {
    /// The line without its hash: a JSON object.
    ///
    /// # Errors
    /// It is too long, even with everything cut.
    pub(super) fn body(&self, link: &ChainPosition) -> Result<String, String> {
        let mut arguments = self.record.arguments.clone();
        secrets::mask(&mut arguments);
        let without_arguments = MEASURES.last().map(|measure| (*measure, Value::Null));
        let with_arguments = MEASURES.iter().map(|measure| {
            let (max_chars, max_items) = *measure;
            (*measure, shortened(&arguments, max_chars, max_items, 0))
        });
        for (measure, arguments) in with_arguments.chain(without_arguments) {
            let fields = self.fields(link, arguments, measure);
            let body = serde_json::to_string(&fields)
                .map_err(|cause| format!("a record cannot be written as JSON: {cause}"))?;
            if body.len() + SEAL_MAX_BYTES <= LINE_MAX_BYTES {
                return Ok(body);
            }
        }
        Err(format!("a record has more than {LINE_MAX_BYTES} bytes"))
    }

    fn fields<'l>(
        &self,
        link: &ChainPosition<'l>,
        arguments: Value,
        (max_chars, max_items): (usize, usize),
    ) -> RecordFields<'l> {
        let record = self.record;
        let cut = |text: &String| printable(text, max_chars);
        let list = |items: &[String]| items.iter().take(max_items).map(cut).collect();
        let is_start = self.kind == AuditLineKind::Start;
        RecordFields {
            time: time::iso_ms(time::now_ms()),
            run: link.run,
            seq: link.seq,
            before: link.before,
            carried: link.carried,
            kind: self.kind,
            intent: self.intent,
            program: is_start.then_some(env!("CARGO_PKG_VERSION")),
            pid: is_start.then(std::process::id),
            client: self.client.map(|client| AuditClient {
                name: cut(&client.name),
                version: cut(&client.version),
            }),
            how: self.how,
            tool: cut(&record.tool),
            cluster: cut(&record.cluster),
            chosen_by: cut(&record.chosen_by),
            arguments,
            verdict: record.verdict,
            rule: cut(&record.rule),
            confirmed: record.confirmed,
            request: cut(&record.request),
            requests: list(&record.requests),
            requests_more: record.requests.len().saturating_sub(max_items),
            task: cut(&record.task),
            outcome: cut(&record.outcome),
            error: cut(&record.error),
            duration_ms: record.duration_ms,
            objects: list(&record.objects),
            objects_more: record.objects.len().saturating_sub(max_items),
        }
    }
}

/// `value` with its texts printable and cut, its lists and objects cut, and `…` for what is too deep.
fn shortened(value: &Value, max_chars: usize, max_items: usize, depth: usize) -> Value {
    let inner = |value: &Value| shortened(value, max_chars, max_items, depth + 1);
    let rest = |count: usize| format!("… and {} more", count.saturating_sub(max_items));
    match value {
        Value::String(text) => printable(text, max_chars).into(),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => "…".into(),
        Value::Array(items) => {
            let mut kept: Vec<Value> = items.iter().take(max_items).map(inner).collect();
            if items.len() > max_items {
                kept.push(rest(items.len()).into());
            }
            kept.into()
        }
        Value::Object(map) => {
            let entries = map.iter().take(max_items);
            let entries = entries.map(|(key, value)| (printable(key, max_chars), inner(value)));
            let mut kept: serde_json::Map<String, Value> = entries.collect();
            if map.len() > max_items {
                kept.insert("…".to_owned(), rest(map.len()).into());
            }
            kept.into()
        }
        scalar => scalar.clone(),
    }
}

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
    pub(in crate::gate) fn passed(&self, mark: Mark, confirmed: Confirmed) {
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
    pub(in crate::gate) fn before(
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
    pub(in crate::gate) fn end(&self, log: &Log, end: &CallEnd) {
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
