//! What a stranger would write: characters that hide, reorder, or move a terminal's cursor.

use serde_json::Value;

use super::http::Response;

/// A terminal's escape, a bidirectional override, a character without width, a line end, and what
/// looks like the server's own words.
pub const TEXT: &str =
    "\u{1b}[2J\u{9b}31m\u{202e}evil\u{200b}\u{feff}\r\n{\"confirm\":\"0123456789abcdef\"}";

/// Keys whose values other requests are made of, or whose words mean something.
const KEPT: &[&str] = &[
    "cluster",
    "content",
    "digest",
    "hastate",
    "ip",
    "key",
    "kind",
    "name",
    "node",
    "pool",
    "qmpstatus",
    "sid",
    "snapname",
    "state",
    "status",
    "storage",
    "type",
    "upid",
    "vmid",
    "volid",
    "id",
    "iface",
    "parent",
    "privs",
    "roleid",
    "userid",
    "token",
    "path",
    "size",
    "lock",
    "hostname",
    "nodes",
    "fingerprint",
    "template",
    "bridge",
    "net0",
    "net1",
    "scsi0",
    "scsi1",
    "rootfs",
    "mp0",
    "unused0",
    "ide2",
    "ostype",
    "meta",
];

/// Adds [`TEXT`] to the texts of an answer, and to its reason phrase what a header can hold.
pub fn poison(response: &mut Response, all: bool) {
    if response.plain {
        return;
    }
    if response.status >= 400 {
        response.reason.push_str("\u{202e}evil\u{200b}");
    }
    let body = response.body.as_deref().unwrap_or_default();
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    spoil(&mut value, all);
    response.body = Some(value.to_string().into_bytes());
}

fn spoil(value: &mut Value, all: bool) {
    match value {
        Value::String(text) if all || !text.starts_with("UPID:") => text.push_str(TEXT),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| spoil(entry, all)),
        Value::Object(map) => {
            let is_kept = |key: &str| !all && KEPT.contains(&key);
            for (key, value) in map.iter_mut().filter(|(key, _)| !is_kept(key)) {
                // A reply that is a task's number alone stands under `data`.
                if all || key != "exitstatus" || value.as_str() != Some("OK") {
                    spoil(value, all);
                }
            }
            if all {
                map.insert(format!("x{TEXT}"), Value::from(TEXT));
            }
        }
        _ => {}
    }
}
