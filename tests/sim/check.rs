//! Checks parameters against a method's schema, with the error texts of Proxmox's JSON schema code.

use regex::Regex;
use serde_json::{Map, Value};

use super::answer::{Params, Refusal, scalar};
use super::format;
use super::schema::Method;

const UNKNOWN: &str =
    "property is not defined in schema and the schema does not allow additional properties";
const MISSING: &str = "property is missing and it is not optional";

/// Checks all parameters at once. Values of `-list` formats and booleans come out normalised.
pub fn parameters(method: &Method, params: Params) -> Result<Params, Refusal> {
    let mut errors = Map::new();
    let mut checked = Params::new();
    for (name, value) in params {
        if value.is_null() {
            checked.insert(name, value);
            continue;
        }
        let Some(schema) = method.param(&name) else {
            if method.extra {
                checked.insert(name, value);
            } else {
                errors.insert(name, UNKNOWN.into());
            }
            continue;
        };
        match value_of(schema, &name, value) {
            Ok(value) => {
                checked.insert(name, value);
            }
            Err(text) => {
                errors.insert(name, text.into());
            }
        }
    }
    for (name, schema) in &method.params {
        let missing =
            schema["optional"] != 1 && !name.ends_with("[n]") && !checked.contains_key(name);
        if missing && !errors.contains_key(name) {
            errors.insert(name.clone(), MISSING.into());
        }
        if let Some(other) = schema["requires"].as_str()
            && checked.contains_key(name)
            && !checked.contains_key(other)
        {
            errors.insert(
                other.into(),
                format!("missing property required by '{name}'").into(),
            );
        }
    }
    if errors.is_empty() {
        Ok(checked)
    } else {
        Err(Refusal::params(errors))
    }
}

fn value_of(schema: &Value, name: &str, value: Value) -> Result<Value, String> {
    let kind = schema["type"].as_str().unwrap_or("string");
    let format = &schema["format"];
    match value {
        Value::Array(items) if kind == "array" => {
            let inner = &schema["items"];
            items
                .into_iter()
                .map(|item| value_of(inner, name, item))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Value::Array(items) => {
            if kind == "string" && format.as_str().is_some_and(|f| f.ends_with("-list")) {
                let joined = items.iter().map(scalar).collect::<Vec<_>>().join(",");
                return value_of(schema, name, joined.into());
            }
            Err(format!("type check ('{kind}') failed - got ARRAY"))
        }
        Value::Object(_) => Err(format!("type check ('{kind}') failed - got HASH")),
        value if kind == "array" => Ok(Value::Array(vec![value])),
        value => {
            let text = scalar(&value);
            plain(schema, name, &text)?;
            Ok(match kind {
                "boolean" => Value::String(truth(&text).unwrap_or(text)),
                _ => Value::String(text),
            })
        }
    }
}

fn truth(text: &str) -> Option<String> {
    match text {
        "1" | "0" => Some(text.into()),
        _ => None,
    }
}

/// Checks one scalar against type, format, lengths, pattern, enumeration and range.
pub fn plain(schema: &Value, name: &str, text: &str) -> Result<(), String> {
    let kind = schema["type"].as_str().unwrap_or("string");
    type_of(kind, text)?;
    match &schema["format"] {
        Value::String(wanted) => {
            format::named(wanted, name, text).map_err(|e| format!("invalid format - {e}"))?
        }
        inner @ Value::Object(_) => format::property_string(inner, name, text)
            .map_err(|e| format!("invalid format - {e}"))?,
        _ => {}
    }
    let length = text.chars().count() as u64;
    if let Some(least) = schema["minLength"].as_u64()
        && length < least
    {
        return Err(format!("value must be at least {least} characters long"));
    }
    if let Some(most) = schema["maxLength"].as_u64()
        && length > most
    {
        return Err(format!("value may only be {most} characters long"));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !matches(pattern, text)
    {
        return Err("value does not match the regex pattern".into());
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.iter().any(|word| scalar(word) == text)
    {
        let words: Vec<String> = words.iter().map(scalar).collect();
        return Err(format!(
            "value '{text}' does not have a value in the enumeration '{}'",
            words.join(", ")
        ));
    }
    range(schema, text)
}

fn type_of(kind: &str, text: &str) -> Result<(), String> {
    let fits = match kind {
        "boolean" => truth(text).is_some(),
        "integer" => {
            text.strip_prefix(['-', '+'])
                .unwrap_or(text)
                .chars()
                .all(|c| c.is_ascii_digit())
                && text.contains(|c: char| c.is_ascii_digit())
        }
        "number" => text.parse::<f64>().is_ok(),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("type check ('{kind}') failed - got '{text}'"))
    }
}

fn range(schema: &Value, text: &str) -> Result<(), String> {
    if !matches!(schema["type"].as_str(), Some("integer" | "number")) {
        return Ok(());
    }
    let Ok(value) = text.parse::<f64>() else {
        return Ok(());
    };
    if schema["minimum"]
        .as_f64()
        .is_some_and(|least| value < least)
    {
        return Err(format!(
            "value must have a minimum value of {}",
            schema["minimum"]
        ));
    }
    if schema["maximum"].as_f64().is_some_and(|most| value > most) {
        return Err(format!(
            "value must have a maximum value of {}",
            schema["maximum"]
        ));
    }
    Ok(())
}

/// A Perl pattern, anchored at both ends; what this engine cannot compile is let through.
fn matches(pattern: &str, text: &str) -> bool {
    let ours = pattern
        .replace("(?^i:", "(?i:")
        .replace("(?^:", "(?:")
        .replace("{,", "{0,");
    Regex::new(&format!("^(?:{ours})$")).map_or(true, |regex| regex.is_match(text))
}
