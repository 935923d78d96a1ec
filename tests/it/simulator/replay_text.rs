//! Requests and texts of the recordings, brought into a form that can be sent and compared.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::json;

use crate::sim::client::Reply;
use crate::sim::recording::{Exchange, seconds, token};

/// `2026-10-04 15:52:40` in seconds.
pub(crate) fn stamp_of(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(' ')?;
    let parts: Vec<&str> = date.split('-').collect();
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months.get(parts.get(1)?.parse::<usize>().ok()? - 1)?;
    seconds(&format!(
        "Day, {} {month} {} {time} GMT",
        parts.get(2)?,
        parts.first()?
    ))
}

/// Without numbers of processes and temporary files, which no two runs share.
pub(crate) fn steady(text: &str) -> String {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(vzdumptmp|tmp_dwnl\.|\.tmp\.)\d+").expect("the pattern is valid")
    });
    PATTERN.replace_all(text, "$1").into_owned()
}

/// Requests that are only described.
pub(crate) fn spelled_out(id: &str, raw: &str) -> Vec<u8> {
    let token = token("A", "full").unwrap_or_default();
    let auth = format!("Authorization: PVEAPIToken={token}\r\n");
    let put = "PUT /api2/json/nodes/pve1/qemu/101/config HTTP/1.1\r\n";
    let get = "GET /api2/json/version HTTP/1.1\r\n";
    match id {
        "body-large" => {
            format!("{put}{auth}Content-Type: application/json\r\nContent-Length: 600018\r\n\r\n")
        }
        "desc-large" => {
            let body = json!({"description": "x".repeat(9000)}).to_string();
            format!(
                "{put}{auth}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        "headers-many" => format!(
            "{get}{auth}{}\r\n",
            (0..70).map(|i| format!("X-{i}: 1\r\n")).collect::<String>()
        ),
        "header-long" => format!("{get}{auth}X-Long: {}\r\n\r\n", "x".repeat(9000)),
        "url-long" => format!(
            "GET /api2/json/version?_dc={} HTTP/1.1\r\n{auth}\r\n",
            "1".repeat(9000)
        ),
        "apidoc-304" => raw.replace(
            "Sun, 04 Oct 2026 14:51:52 GMT",
            "Mon, 21 Sep 2026 14:13:20 GMT",
        ),
        _ => raw.into(),
    }
    .into_bytes()
}

pub(crate) fn plain(port: u16, bytes: &[u8]) -> Reply {
    use std::io::{Read, Write};
    let mut text = Vec::new();
    let sent = std::net::TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.write_all(bytes)?;
        stream.read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut words = text.lines().next().unwrap_or("").splitn(3, ' ').skip(1);
    let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let _ = sent;
    Reply {
        status,
        reason: words.next().unwrap_or("").into(),
        ..Reply::default()
    }
}

pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                (byte as char).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

pub(crate) fn decode(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn upid_in(exchange: &Exchange) -> Option<String> {
    let path = decode(exchange.request["path"].as_str()?);
    let at = path.find("/tasks/UPID:")? + 7;
    Some(path[at..].split('/').next()?.to_string())
}
