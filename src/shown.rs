//! What leaves a call, as it may be shown: the one pass over every finished answer, error and log
//! line, whatever its author forgot.
//!
//! Secrets are masked, characters that do not show are made visible, long texts are cut.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::secrets;
use crate::text::{printable, visible};

/// The longest text of an answer, the longest key, and the longest part of an error sentence.
const TEXT_MAX_CHARS: usize = 16_000;
const KEY_MAX_CHARS: usize = 300;
const SENTENCE_MAX_CHARS: usize = 4_000;
/// The longest line of a log.
const LINE_MAX_CHARS: usize = 4_000;

/// Makes the answer of a call with these arguments fit, whose own secrets are hidden too.
pub fn answer(arguments: &Map<String, Value>, answer: &mut Map<String, Value>) {
    secrets::mask_map(answer);
    fit_map(answer, &secrets::of_call(arguments));
}

/// Makes the error of a call fit to be shown.
pub fn error(arguments: &Map<String, Value>, error: Error) -> Error {
    let own = secrets::of_call(arguments);
    error.with_texts(|text| {
        let text = secrets::masked(&without(text, &own));
        printable(&text, SENTENCE_MAX_CHARS)
    })
}

/// Makes a plan fit, which may leave in a question.
pub fn plan(plan: &mut Map<String, Value>) {
    secrets::mask_map(plan);
    fit_map(plan, &[]);
}

/// A line for people, such as one of the log.
pub fn line(text: &str) -> String {
    printable(&secrets::masked(text), LINE_MAX_CHARS)
}

fn fit_map(map: &mut Map<String, Value>, own: &[String]) {
    secrets::rekey(map, |key| visible(key, KEY_MAX_CHARS));
    for value in map.values_mut() {
        fit(value, own);
    }
}

fn fit(value: &mut Value, own: &[String]) {
    match value {
        Value::String(text) => {
            if own.iter().any(|secret| text.contains(secret.as_str())) {
                *text = without(text, own);
            }
            if let Cow::Owned(visible) = visible(text, TEXT_MAX_CHARS) {
                *text = visible;
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|one| fit(one, own)),
        Value::Object(map) => fit_map(map, own),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Without the call's own secrets.
fn without(text: &str, own: &[String]) -> String {
    own.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), secrets::HIDDEN)
    })
}
