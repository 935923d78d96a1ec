//! What must not be shown: which keys hold a secret, what a secret looks like in a text, and the
//! secrets that this program itself knows.

mod form;
mod line;

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use line::LineState;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "(hidden)";
/// A shorter one of ours cannot be told from other text; Proxmox's own have 36 characters.
const KNOWN_MIN_CHARS: usize = 8;
/// A shorter one of a call neither; Proxmox takes no shorter password for a container.
const OWN_MIN_CHARS: usize = 5;
/// So many are known at once; the oldest gives way. Each cluster has one, and a new one where it is
/// changed while the program runs.
const KNOWN_MAX: usize = 1024;

/// Keys that hold a secret, in lower case and without `-` and `_`.
const KEYS: &[&str] = &[
    "apitoken",
    "clientkey",
    "csrfpreventiontoken",
    "eabhmackey",
    "encryptionkey",
    "keyring",
    "otp",
    "presharedkey",
    "privkey",
    "sslkey",
    "targetendpoint",
];
/// Ends of keys that do.
const ENDS: &[&str] = &[
    "apikey",
    "apitoken",
    "authcookie",
    "authorization",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "secretaccesskey",
    "ticket",
];
/// None of them is longer.
const NAME_MAX_BYTES: usize = 24;
/// Keys that do where another stands beside them: a new token's secret, the credentials of an ACME
/// plugin.
const BESIDE: &[(&str, &str)] = &[("value", "full-tokenid"), ("data", "plugin")];
/// The key of a metrics or notification server's token, and of the name of one of Proxmox's own, which
/// is told by its `!` and no secret.
const TOKEN: &str = "token";
/// Where a row names an option, its values stand under these.
const NAMED_BY: &[&str] = &["key", "name"];
const VALUES: &[&str] = &["value", "pending", "old", "new", "from", "to"];

static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The bytes of the shortest of them: a shorter text, as most are, has none.
static SHORTEST_BYTES: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Hides this secret from now on wherever it would be shown, whatever stands around it.
pub fn remember(secret: &str) {
    if secret.chars().count() < KNOWN_MIN_CHARS {
        return;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.iter().any(|one| one == secret) {
        return;
    }
    if known.len() >= KNOWN_MAX {
        known.remove(0);
    }
    known.push(secret.to_owned());
    SHORTEST_BYTES.fetch_min(secret.len(), Ordering::SeqCst);
}

/// `text` without the secrets that are known.
pub fn without_known(text: &str) -> Cow<'_, str> {
    if text.len() < SHORTEST_BYTES.load(Ordering::SeqCst) {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().filter(|secret| text.contains(secret.as_str()));
    found.fold(Cow::Borrowed(text), |text, secret| {
        Cow::Owned(text.replace(secret.as_str(), HIDDEN))
    })
}

/// Whether what stands under `key` is a secret. Every key of every answer is asked about.
pub fn is_secret(key: &str) -> bool {
    // From its end, in lower case, as far as any of the names goes.
    let mut letters = [0; NAME_MAX_BYTES];
    let mut count = 0;
    for byte in key.bytes().rev() {
        if matches!(byte, b'-' | b'_') {
            continue;
        }
        if let Some(letter) = letters.get_mut(count) {
            *letter = byte.to_ascii_lowercase();
        }
        count += 1;
    }
    let ends_in = |end: &str| {
        let end = end.as_bytes();
        // Most differ in the last letter.
        end.len() <= count
            && end.last() == letters.first()
            && end.iter().rev().eq(letters.iter().take(end.len()))
    };
    ENDS.iter().any(|end| ends_in(end)) || KEYS.iter().any(|key| key.len() == count && ends_in(key))
}

/// `text` without the secrets that are known, or that can be told by what stands around them: tokens,
/// private keys, `password=...`, the `password: ...` of a YAML file.
pub fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    mask_text(&mut text, &mut LineState::default());
    text
}

/// Puts [`HIDDEN`] in place of what stands under a secret's key, and makes texts [`masked`].
pub fn mask(value: &mut Value) {
    match value {
        Value::String(text) => mask_text(text, &mut LineState::default()),
        Value::Array(entries) => mask_array(entries),
        Value::Object(map) => mask_map(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Masks the values of an object, each by its key and by what it is.
pub fn mask_map(map: &mut Map<String, Value>) {
    let secret = secret_places(map);
    for (place, value) in map.values_mut().enumerate() {
        if secret.contains(&place) {
            hide(value);
        } else {
            mask(value);
        }
    }
    rekey(map, without_known);
}

/// Gives keys the text that `shown` makes of them; the others stay where they stand.
pub fn rekey(map: &mut Map<String, Value>, shown: impl Fn(&str) -> Cow<'_, str>) {
    if map.keys().any(|key| matches!(shown(key), Cow::Owned(_))) {
        let entries = std::mem::take(map).into_iter();
        *map = entries
            .map(|(key, value)| (shown(&key).into_owned(), value))
            .collect();
    }
}

/// `text`, which goes on where `lines` ended.
fn mask_text(text: &mut String, lines: &mut LineState) {
    if let Cow::Owned(masked) = without_known(text) {
        *text = masked;
    }
    if let Cow::Owned(masked) = lines.masked(text) {
        *text = masked;
    }
}

/// Where in `map` there are secrets.
fn secret_places(map: &Map<String, Value>) -> Vec<usize> {
    let names_secret = || {
        let names = NAMED_BY.iter().filter_map(|by| map.get(*by)?.as_str());
        names.into_iter().any(is_secret)
    };
    let has_beside = |key: &str| {
        let mut beside = BESIDE.iter().filter(|(one, _)| *one == key);
        beside.any(|(_, beside)| map.contains_key(*beside))
    };
    let is_token = |key: &str, value: &Value| {
        key == TOKEN && value.as_str().is_some_and(|token| !token.contains('!'))
    };
    let secret = map.iter().enumerate().filter(|(_, (key, value))| {
        is_secret(key)
            || has_beside(key)
            || is_token(key, value)
            || (VALUES.contains(&key.as_str()) && names_secret())
    });
    secret.map(|(place, _)| place).collect()
}

/// A list of texts is read as the lines of one, and so are the rows of a log: a key may go over
/// several.
fn mask_array(entries: &mut [Value]) {
    let mut lines = LineState::default();
    for entry in entries {
        match entry {
            Value::String(text) => mask_text(text, &mut lines),
            Value::Object(row) if row.len() == 2 && row.contains_key("n") => {
                if let Some(Value::String(text)) = row.get_mut("t") {
                    mask_text(text, &mut lines);
                }
            }
            other => mask(other),
        }
    }
}

/// What stands under a secret's key. That there is none, or whether there is one, is none itself.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = HIDDEN.into(),
        Value::Array(entries) => entries.iter_mut().for_each(hide),
        Value::Object(map) => mask_map(map),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The secrets among the arguments of a call.
pub fn of_call(arguments: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    collect(arguments, &mut found);
    found
}

fn collect(map: &Map<String, Value>, found: &mut Vec<String>) {
    let secret = secret_places(map);
    for (place, value) in map.values().enumerate() {
        match value {
            Value::String(text)
                if secret.contains(&place) && text.chars().count() >= OWN_MIN_CHARS =>
            {
                found.push(text.clone());
            }
            Value::Object(map) => collect(map, found),
            _ => {}
        }
    }
}
