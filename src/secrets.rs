//! What must not be shown: which keys hold a secret, what a secret looks like in a text, and the
//! secrets that this program itself knows.

mod line;

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use line::Lines;

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
    "authorization",
    "clientkey",
    "csrfpreventiontoken",
    "eabhmackey",
    "encryptionkey",
    "keyring",
    "otp",
    "privkey",
    "sslkey",
    "targetendpoint",
];
/// Ends of keys that do.
const ENDS: &[&str] = &[
    "apikey",
    "apitoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "secretaccesskey",
    "ticket",
];
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
}

/// `text` without the secrets that are known.
pub fn without_known(text: &str) -> Cow<'_, str> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().filter(|secret| text.contains(secret.as_str()));
    found.fold(Cow::Borrowed(text), |text, secret| {
        Cow::Owned(text.replace(secret.as_str(), HIDDEN))
    })
}

/// Whether what stands under `key` is a secret.
pub fn is_secret(key: &str) -> bool {
    let plain = |c: &char| !matches!(c, '-' | '_');
    let key: String = key
        .chars()
        .filter(plain)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    KEYS.contains(&key.as_str()) || ENDS.iter().any(|end| key.ends_with(end))
}

/// `text` without the secrets that are known, or that can be told by what stands around them: tokens,
/// private keys, `password=...`, the `password: ...` of a YAML file.
pub fn masked(text: &str) -> String {
    Lines::default().masked(&without_known(text))
}

/// `value` with [`HIDDEN`] in place of what stands under a secret's key, and its texts [`masked`].
pub fn mask(value: Value) -> Value {
    match value {
        Value::String(text) => masked(&text).into(),
        Value::Array(entries) => array(entries),
        Value::Object(map) => Value::Object(object(map)),
        plain => plain,
    }
}

/// The same of an object.
pub fn object(map: Map<String, Value>) -> Map<String, Value> {
    let keys = secret_keys(&map);
    map.into_iter()
        .map(|(key, value)| {
            let value = if keys.contains(&key) {
                hidden(value)
            } else {
                mask(value)
            };
            (without_known(&key).into_owned(), value)
        })
        .collect()
}

/// The keys of `map` under which there is a secret.
fn secret_keys(map: &Map<String, Value>) -> Vec<String> {
    let of_row = NAMED_BY
        .iter()
        .filter_map(|by| map.get(*by)?.as_str())
        .any(is_secret);
    let has_beside = |key: &str| {
        let mut beside = BESIDE.iter().filter(|(one, _)| *one == key);
        beside.any(|(_, beside)| map.contains_key(*beside))
    };
    let is_token = |key: &str| {
        let given = map.get(key).and_then(Value::as_str);
        key == TOKEN && given.is_some_and(|token| !token.contains('!'))
    };
    map.keys()
        .filter(|key| {
            is_secret(key)
                || has_beside(key)
                || is_token(key)
                || (of_row && VALUES.contains(&key.as_str()))
        })
        .cloned()
        .collect()
}

/// A list of texts is read as the lines of one, and so are the rows of a log: a key may go over
/// several.
fn array(entries: Vec<Value>) -> Value {
    let mut lines = Lines::default();
    let entries = entries.into_iter().map(|entry| match entry {
        Value::String(text) => lines.masked(&without_known(&text)).into(),
        Value::Object(mut row) if row.len() == 2 && row.contains_key("n") => {
            if let Some(Value::String(text)) = row.get_mut("t") {
                *text = lines.masked(&without_known(text));
            }
            Value::Object(row)
        }
        other => mask(other),
    });
    entries.collect()
}

/// What stands under a secret's key. That there is none, or whether there is one, is none itself.
fn hidden(value: Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() => HIDDEN.into(),
        Value::Number(_) => HIDDEN.into(),
        Value::Array(entries) => entries.into_iter().map(hidden).collect(),
        Value::Object(map) => Value::Object(object(map)),
        plain => plain,
    }
}

/// The secrets among the arguments of a call.
pub fn of_call(arguments: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    collect(arguments, &mut found);
    found
}

fn collect(map: &Map<String, Value>, found: &mut Vec<String>) {
    let keys = secret_keys(map);
    for (key, value) in map {
        match value {
            Value::String(text) if keys.contains(key) && text.chars().count() >= OWN_MIN_CHARS => {
                found.push(text.clone());
            }
            Value::Object(map) => collect(map, found),
            _ => {}
        }
    }
}
