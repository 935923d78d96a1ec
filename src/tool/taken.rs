//! One value of an argument, taken for what it plainly means: numbers, words and lists as clients and
//! models write them. Whatever could mean two things is an error that says what is wanted.

use serde_json::{Map, Number, Value};

use super::param::SizeUnit;
use crate::size;

/// The largest number that a float holds to the unit: what is beyond is no whole number any more.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Whether a value says nothing, so that an optional parameter counts as left out.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A number without a fraction, however it is written: `5`, `5.0`, `5e0`, `"5"`, `"5.0"`.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => whole_number(number),
        Value::String(text) => {
            let text = text.trim();
            // `1e2` in a text may be a name.
            let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
                if fraction.bytes().all(|byte| byte == b'0') {
                    whole
                } else {
                    text
                }
            });
            whole.parse().ok()
        }
        _ => None,
    }
}

fn whole_number(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().and_then(exact))
}

fn exact(number: f64) -> Option<i64> {
    // A float of that size is a whole number that fits.
    #[allow(clippy::cast_possible_truncation)]
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    is_whole.then_some(number as i64)
}

pub(super) fn yes_or_no(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::Number(_) => match whole(value) {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A size in whole units: a number of them, or a text such as `8G`, `8 GiB`, `8192`.
pub(super) fn size(value: &Value, unit: SizeUnit) -> Option<i64> {
    if let Some(number) = whole(value) {
        return Some(number);
    }
    let bytes = size::bytes(value.as_str()?.trim(), unit.bytes())?;
    let is_whole = bytes.is_multiple_of(unit.bytes());
    i64::try_from(bytes / unit.bytes())
        .ok()
        .filter(|_| is_whole)
}

/// The entries of a list, without those that say nothing: a list, its JSON text, or one text with
/// commas between. `None` where it is neither.
pub(super) fn items(value: &Value) -> Option<Vec<Value>> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => match as_json(text, '[') {
            Some(Value::Array(items)) => items,
            _ => text.split(',').map(|item| item.trim().into()).collect(),
        },
        Value::Number(_) => vec![value.clone()],
        _ => return None,
    };
    Some(items.into_iter().filter(|item| !is_nothing(item)).collect())
}

/// A map, or its JSON text.
pub(super) fn entries(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(entries) => Some(entries.clone()),
        Value::String(text) => match as_json(text, '{') {
            Some(Value::Object(entries)) => Some(entries),
            _ => None,
        },
        _ => None,
    }
}

/// A value of a free map as it is sent: a number that is whole has no point.
pub(super) fn plain_number(value: Value) -> Value {
    let whole = match &value {
        Value::Number(number) if number.is_f64() => whole_number(number),
        _ => None,
    };
    whole.map_or(value, Value::from)
}

fn as_json(text: &str, begins: char) -> Option<Value> {
    let text = text.trim();
    text.starts_with(begins)
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}
