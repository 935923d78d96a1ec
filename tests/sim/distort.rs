//! What faults make of an answer: of what it says, and of its bytes on the connection.

use std::time::Duration;

use serde_json::{Value, json};

use super::fault::Fault;
use super::hostile;
use super::http::{self, Response};

/// An answer, and what becomes of it.
pub struct Outcome {
    pub response: Response,
    pub faults: Vec<Fault>,
}

/// The answer that a fault puts in place of the right one.
pub fn distorted(mut response: Response, faults: &[Fault]) -> Response {
    for fault in faults {
        let page = |body: String| Response {
            status: 200,
            reason: "OK".into(),
            content_type: Some("application/json;charset=UTF-8".into()),
            body: Some(body.into_bytes()),
            ..Response::default()
        };
        match fault {
            Fault::Html => {
                response =
                    page("<!DOCTYPE html><html><body><h1>It works</h1></body></html>".into());
                response.content_type = Some("text/html".into());
            }
            Fault::BadJson => response = page("{\"data\":[{\"node\":\"".into()),
            Fault::Empty => response = page(String::new()),
            Fault::DeepJson(depth) => {
                response = page(format!(
                    "{{\"data\":{}{}}}",
                    "[".repeat(*depth),
                    "]".repeat(*depth)
                ))
            }
            Fault::Body(body) => {
                response = page(String::new());
                response.body = Some(body.clone());
            }
            Fault::Hostile(all) => hostile::poison(&mut response, *all),
            Fault::Redirect => {
                response = Response::text(301, "Moved Permanently");
                response
                    .headers
                    .push(("Location".into(), "https://127.0.0.1:1/elsewhere".into()));
            }
            Fault::BadUtf8 => {
                let body = response.body.get_or_insert_default();
                if let Some(at) = body.iter().rposition(u8::is_ascii_alphanumeric) {
                    body[at] = 0xff;
                }
            }
            Fault::SwappedTypes => retyped(&mut response, swapped),
            Fault::ListedFields => {
                retyped(&mut response, |data| in_each(data, &|field| json!([field])))
            }
            Fault::NumbersAsText => retyped(&mut response, |data| in_each(data, &as_text)),
            _ => {}
        }
    }
    response
}

/// Sends an answer, with what faults do to its bytes; true if the connection stays open.
pub fn send(tls: &mut http::Tls, outcome: Outcome, keep: bool) -> bool {
    let Outcome { response, faults } = outcome;
    let keep = keep && response.status < 400;
    let bytes = response.bytes(keep);
    let head = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(bytes.len(), |at| at + 4);
    for fault in &faults {
        match fault {
            Fault::HangBefore | Fault::HangAfter => {
                http::drain(tls);
                return false;
            }
            Fault::CutBeforeExecute | Fault::CutAfterExecute => return false,
            Fault::CutInHeader => {
                http::write(tls, &bytes[..head / 2]);
                return false;
            }
            Fault::CutInBody => {
                http::write(tls, &bytes[..head + (bytes.len() - head) / 2]);
                return false;
            }
            Fault::SlowBytes(ms) => {
                return bytes.iter().all(|byte| {
                    std::thread::sleep(Duration::from_millis(*ms));
                    http::write(tls, &[*byte])
                }) && keep;
            }
            Fault::Huge(size) => return huge(tls, *size, keep),
            Fault::WrongLength => {
                let body = response.body.clone().unwrap_or_default();
                http::write(
                    tls,
                    format!(
                        "{}Content-Length: {}\r\n\r\n",
                        response.head(keep),
                        body.len() + 100
                    )
                    .as_bytes(),
                );
                http::write(tls, &body);
                return false;
            }
            Fault::ShortLength => {
                let body = response.body.clone().unwrap_or_default();
                let said = body.len() / 2;
                let head = format!("{}Content-Length: {said}\r\n\r\n", response.head(keep));
                return http::write(tls, head.as_bytes()) && http::write(tls, &body) && keep;
            }
            Fault::Chunked => {
                let mut all = format!("{}Transfer-Encoding: chunked\r\n\r\n", response.head(keep))
                    .into_bytes();
                for chunk in response.body.unwrap_or_default().chunks(100) {
                    all.extend(
                        format!("{:x}\r\n", chunk.len())
                            .bytes()
                            .chain(chunk.iter().copied())
                            .chain(*b"\r\n"),
                    );
                }
                all.extend(b"0\r\n\r\n");
                return http::write(tls, &all) && keep;
            }
            _ => {}
        }
    }
    http::write(tls, &bytes) && keep
}

/// Another `data` in the body, where it is an answer of the API.
fn retyped(response: &mut Response, change: impl Fn(Value) -> Value) {
    let body = response.body.as_deref().unwrap_or_default();
    if let Ok(Value::Object(mut body)) = serde_json::from_slice(body)
        && let Some(data) = body.get_mut("data")
    {
        *data = change(data.take());
        response.body = Some(Value::Object(body).to_string().into_bytes());
    }
}

fn swapped(data: Value) -> Value {
    match data {
        Value::Array(rows) => {
            let numbered = rows.into_iter().enumerate();
            Value::Object(numbered.map(|(n, row)| (n.to_string(), row)).collect())
        }
        Value::Object(fields) => fields.into_iter().map(|(_, field)| field).collect(),
        other => json!([other]),
    }
}

/// Changes each plain value.
fn in_each(data: Value, change: &impl Fn(Value) -> Value) -> Value {
    match data {
        Value::Array(rows) => rows.into_iter().map(|row| in_each(row, change)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, field)| (key, in_each(field, change)))
            .collect(),
        plain => change(plain),
    }
}

fn as_text(plain: Value) -> Value {
    match plain {
        Value::Number(number) => Value::String(number.to_string()),
        other => other,
    }
}

fn huge(tls: &mut http::Tls, size: u64, keep: bool) -> bool {
    let response = Response {
        status: 200,
        reason: "OK".into(),
        content_type: Some("application/json;charset=UTF-8".into()),
        ..Response::default()
    };
    let head = format!(
        "{}Content-Length: {}\r\n\r\n{{\"data\":\"",
        response.head(keep),
        size.max(11)
    );
    let mut left = size.max(11) - 11;
    if !http::write(tls, head.as_bytes()) {
        return false;
    }
    let chunk = [b'x'; 64 << 10];
    while left > 0 {
        let part = left.min(chunk.len() as u64) as usize;
        if !http::write(tls, &chunk[..part]) {
            return false;
        }
        left -= part as u64;
    }
    http::write(tls, b"\"}") && keep
}
