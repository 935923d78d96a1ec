//! What makes lines a chain: where a line stands in its run, the hash that ends it, and reading it back.

use serde_json::Value;

use crate::proxmox::digest::{hex, sha256};

/// Hexadecimal digits of a run's name.
pub(super) const RUN_DIGITS: usize = 12;
/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;
/// What stands before a line's own hash, which ends it.
const HASH_KEY: &str = ",\"hash\":\"";
const LINE_END: &str = "\"}";

/// Where a line stands in its run.
pub(super) struct ChainPosition<'a> {
    pub(super) run: &'a str,
    pub(super) seq: u64,
    /// The hash of the run's line before.
    pub(super) before: &'a str,
    /// The line before is in another file, since this one was begun anew.
    pub(super) carried: bool,
}

/// A line as it is read back.
#[derive(Clone, Debug)]
pub struct AuditLine {
    pub run: String,
    pub seq: u64,
    pub before: String,
    pub carried: bool,
    pub kind: String,
    /// The `seq` of the intent whose outcome this is.
    pub intent: Option<u64>,
    pub hash: String,
    /// All of it.
    pub record: Value,
}

/// Why a line is none of the chain.
#[derive(Clone, Debug)]
pub enum BrokenLine {
    /// It is no record: cut off, or something else.
    Unreadable,
    /// It is a record, and its hash is not that of what it says.
    Changed(Box<AuditLine>),
}

/// What the first line of a run has for the hash of the line before.
pub(super) fn nothing() -> String {
    hex(&sha256(&[]))
}

/// Reads `RUN=HASH`: a run and the hash of a line of it, as somebody noted them.
pub fn head(text: &str) -> Option<(String, String)> {
    let (run, hash) = text.split_once('=')?;
    let is_good = is_hex(run, RUN_DIGITS) && is_hex(hash, HASH_DIGITS);
    is_good.then(|| (run.to_owned(), hash.to_owned()))
}

/// The line of `body`, a JSON object as text, without a newline; and its hash.
pub(super) fn seal(body: &str) -> (String, String) {
    let body = body.strip_suffix('}').unwrap_or(body);
    let hash = hex(&sha256(body.as_bytes()));
    (format!("{body}{HASH_KEY}{hash}{LINE_END}"), hash)
}

impl AuditLine {
    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// It is no record, or not the one that was written.
    pub fn read(bytes: &[u8]) -> Result<AuditLine, BrokenLine> {
        let (line, body) = taken_apart(bytes).ok_or(BrokenLine::Unreadable)?;
        if hex(&sha256(body.as_bytes())) == line.hash {
            Ok(line)
        } else {
            Err(BrokenLine::Changed(Box::new(line)))
        }
    }

    /// A text of the record, empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.record
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A line, and the part of it that its hash is of.
fn taken_apart(bytes: &[u8]) -> Option<(AuditLine, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (body, hash) = text.strip_suffix(LINE_END)?.rsplit_once(HASH_KEY)?;
    let record: Value = serde_json::from_str(text).ok()?;
    let text_of = |key: &str| record.get(key)?.as_str().map(str::to_owned);
    let number_of = |key: &str| record.get(key)?.as_u64();
    let run = text_of("run").filter(|run| is_hex(run, RUN_DIGITS))?;
    let before = text_of("before").filter(|before| is_hex(before, HASH_DIGITS))?;
    let line = AuditLine {
        run,
        seq: number_of("seq").filter(|seq| *seq > 0)?,
        before,
        carried: record.get("carried") == Some(&Value::Bool(true)),
        kind: text_of("kind")?,
        intent: number_of("intent"),
        hash: hash.to_owned(),
        record,
    };
    Some((line, body))
}

/// Whether `text` is so many hexadecimal digits, as they are written here.
fn is_hex(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(is_digit)
}
