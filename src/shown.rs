//! What leaves a call, as it may be shown: the one pass over every finished answer, error and log
//! line, whatever its author forgot.
//!
//! Secrets are masked, characters that do not show are made visible, long texts are cut.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::secrets;
use crate::text::printable;

/// The longest text of an answer, the longest key, and the longest part of an error sentence.
const TEXT_MAX_CHARS: usize = 16_000;
const KEY_MAX_CHARS: usize = 300;
const SENTENCE_MAX_CHARS: usize = 4_000;
/// The longest line of a log.
const LINE_MAX_CHARS: usize = 4_000;

/// The answer of a call with these arguments, whose own secrets are hidden too.
pub fn answer(arguments: &Map<String, Value>, answer: Map<String, Value>) -> Map<String, Value> {
    let own = secrets::of_call(arguments);
    object(secrets::object(answer), &own)
}

/// The same of the error of a call.
pub fn error(arguments: &Map<String, Value>, error: Error) -> Error {
    let own = secrets::of_call(arguments);
    error.with_texts(&|text| {
        let text = secrets::masked(&without(&text, &own));
        printable(&text, SENTENCE_MAX_CHARS)
    })
}

/// A plan, which may leave in a question.
pub fn plan(shown: Map<String, Value>) -> Map<String, Value> {
    object(secrets::object(shown), &[])
}

/// A line for people, such as one of the log.
pub fn line(text: &str) -> String {
    printable(&secrets::masked(text), LINE_MAX_CHARS)
}

fn object(map: Map<String, Value>, own: &[String]) -> Map<String, Value> {
    map.into_iter()
        .map(|(key, value)| (printable(&key, KEY_MAX_CHARS), fit(value, own)))
        .collect()
}

fn fit(value: Value, own: &[String]) -> Value {
    match value {
        Value::String(text) => printable(&without(&text, own), TEXT_MAX_CHARS).into(),
        Value::Array(entries) => entries.into_iter().map(|one| fit(one, own)).collect(),
        Value::Object(map) => Value::Object(object(map, own)),
        plain => plain,
    }
}

/// Without the call's own secrets.
fn without(text: &str, own: &[String]) -> String {
    own.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), secrets::HIDDEN)
    })
}
