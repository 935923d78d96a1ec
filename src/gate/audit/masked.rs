//! Arguments without their secrets: what stands under a key that names a secret is not written.

use serde_json::Value;

const HIDDEN: &str = "(hidden)";
/// Parts of keys, in lower case and without `-` and `_`.
const SECRET_KEYS: [&str; 6] = [
    "password",
    "secret",
    "privatekey",
    "token",
    "targetendpoint",
    "passphrase",
];

/// `arguments` with `(hidden)` for every secret.
pub(super) fn masked(arguments: &Value) -> Value {
    match arguments {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                let value = match is_secret(key) {
                    true => HIDDEN.into(),
                    false => masked(value),
                };
                (key.clone(), value)
            });
            Value::Object(entries.collect())
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        scalar => scalar.clone(),
    }
}

fn is_secret(key: &str) -> bool {
    let key: String = key.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    let key = key.to_lowercase();
    SECRET_KEYS.iter().any(|secret| key.contains(secret))
}
