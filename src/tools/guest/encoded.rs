//! The options that Proxmox keeps encoded within their value: `sshkeys` percent-encoded, the texts of
//! `smbios1` in base64. People write and read them as they are meant.

use serde_json::{Map, Value};

use crate::api::loose::{plain, truth};
use crate::text::{percent_decoded, percent_encode};

const KEYS: &str = "sshkeys";
const SMBIOS: &str = "smbios1";
/// The part of `smbios1` that says that the others are encoded, and the one that never is.
const SMBIOS_FLAG: &str = "base64";
const SMBIOS_PLAIN: &str = "uuid";

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The settings as Proxmox wants them.
pub(super) fn encode(settings: &mut Map<String, Value>) {
    for (key, value) in settings.iter_mut() {
        let encoded = match key.as_str() {
            KEYS => {
                let mut encoded = String::new();
                percent_encode(&decoded_keys(&lines(value)), &mut encoded);
                encoded
            }
            SMBIOS => match value.as_str() {
                Some(text) => smbios_encoded(text),
                None => continue,
            },
            _ => continue,
        };
        *value = encoded.into();
    }
}

/// A value as people read it: of keys, a list with one in each entry. What is kept as it is stays so.
pub(super) fn decode(key: &str, value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    match key {
        KEYS => {
            let keys = decoded_keys(text);
            let keys = keys.lines().map(str::trim).filter(|line| !line.is_empty());
            Some(keys.map(Value::from).collect())
        }
        SMBIOS => smbios_decoded(text).map(Value::from),
        _ => None,
    }
}

/// A value as people read it, in one text.
pub(super) fn readable(key: &str, value: &Value) -> String {
    match decode(key, value) {
        Some(Value::Array(lines)) => {
            let lines: Vec<String> = lines.iter().map(plain).collect();
            lines.join("\n")
        }
        Some(other) => plain(&other),
        None => plain(value),
    }
}

/// Whether two values of an option mean the same.
pub(super) fn is_same(key: &str, one: &str, other: &str) -> bool {
    let meant = |text: &str| decode(key, &text.into());
    one == other || (meant(one).is_some() && meant(one) == meant(other))
}

/// The text of a value that may be a list of lines.
fn lines(value: &Value) -> String {
    match value {
        Value::Array(lines) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Keys as they are meant. A key has a blank behind its type, so that a text without any is encoded
/// already.
fn decoded_keys(text: &str) -> String {
    let text = text.trim();
    match text.contains(char::is_whitespace) {
        true => text.to_string(),
        false => percent_decoded(text).unwrap_or_else(|| text.to_string()),
    }
}

/// The parts of `smbios1`, by name. A comma that no name stands behind belongs to the text before it.
fn smbios_parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), parts.last_mut()) {
            (Some((name, value)), _) => parts.push((name.to_string(), value.to_string())),
            (None, Some((_, text))) => text.push_str(&format!(",{part}")),
            (None, None) => parts.push((part.to_string(), String::new())),
        }
    }
    parts
}

fn joined(parts: impl Iterator<Item = (String, String)>) -> String {
    let parts: Vec<String> = parts
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join(",")
}

/// With its texts in base64, where one of them is not of the letters that Proxmox takes as they are.
fn smbios_encoded(text: &str) -> String {
    let parts = smbios_parts(text);
    let is_plain = |(name, value): &(String, String)| {
        let letters = value.trim_end_matches('=');
        name == SMBIOS_PLAIN
            || (!letters.is_empty() && letters.bytes().all(|b| BASE64.contains(&b)))
    };
    let said = parts.iter().any(|(name, _)| name == SMBIOS_FLAG);
    if said || parts.iter().all(is_plain) {
        return text.to_string();
    }
    let encoded = parts.into_iter().map(|(name, value)| {
        let value = match name.as_str() {
            SMBIOS_PLAIN => value,
            _ => base64(value.as_bytes()),
        };
        (name, value)
    });
    joined(encoded.chain([(SMBIOS_FLAG.to_string(), "1".to_string())]))
}

/// `None` where nothing is encoded, or not all of it is a text that can be given back.
fn smbios_decoded(text: &str) -> Option<String> {
    let parts = smbios_parts(text);
    let is_flag =
        |(name, value): &(String, String)| name == SMBIOS_FLAG && truth(value) == Some(true);
    if !parts.iter().any(is_flag) {
        return None;
    }
    let parts = parts.into_iter().filter(|(name, _)| name != SMBIOS_FLAG);
    let decoded: Option<Vec<(String, String)>> = parts
        .map(|(name, value)| {
            let value = match name.as_str() {
                SMBIOS_PLAIN => value,
                _ => text_of(&value).filter(|text| !text.contains(['=', '\n', '\r']))?,
            };
            Some((name, value))
        })
        .collect();
    Some(joined(decoded?.into_iter()))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let whole = (0..3).fold(0_usize, |whole, at| {
            whole << 8 | usize::from(chunk.get(at).copied().unwrap_or_default())
        });
        for place in 0..4 {
            let letter = BASE64.get(whole >> (18 - 6 * place) & 63);
            match letter.filter(|_| place <= chunk.len()) {
                Some(letter) => text.push(char::from(*letter)),
                None => text.push('='),
            }
        }
    }
    text
}

/// A text out of base64; `None` where it is none.
fn text_of(encoded: &str) -> Option<String> {
    let (mut bytes, mut whole, mut bits) = (Vec::new(), 0_usize, 0);
    for letter in encoded.trim_end_matches('=').bytes() {
        let value = BASE64.iter().position(|known| *known == letter)?;
        whole = (whole << 6 | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(whole >> bits & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}
