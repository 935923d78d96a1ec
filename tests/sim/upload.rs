//! Multipart uploads: `content`, `checksum-algorithm` and `checksum` come before the file part.

use super::answer::Params;
use super::http::{Request, Response};

/// The parts as parameters; the file's name is `filename`, its size `tmpfilename` (as Proxmox hands it on).
pub fn parse(request: &Request) -> Result<Params, Response> {
    let kind = request.header("content-type").unwrap_or("");
    let boundary = kind
        .split("boundary=")
        .nth(1)
        .unwrap_or("")
        .trim_matches('"');
    let mark = format!("--{boundary}");
    let mut params = Params::new();
    for part in pieces(&request.body, mark.as_bytes()) {
        let Some(at) = part.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&part[..at]).into_owned();
        let content = part[at + 4..]
            .strip_suffix(b"\r\n")
            .unwrap_or(&part[at + 4..]);
        let of = |key: &str| {
            head.split(&format!("{key}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(String::from)
        };
        let name = of("; name").unwrap_or_default();
        match of("; filename") {
            None => {
                params.insert(name, String::from_utf8_lossy(content).into_owned().into());
            }
            Some(file) if name == "filename" => {
                params.insert("filename".into(), clean(&file).into());
                // What the handler has to know of the file is told by the name of the spool file.
                params.insert(
                    "tmpfilename".into(),
                    format!(
                        "/var/tmp/pveupload-{}{:016x}",
                        sha256(content),
                        content.len()
                    )
                    .into(),
                );
                break;
            }
            Some(_) => {
                let text = format!(
                    "wrong field name '{name}' for file upload, expected 'filename' at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1325."
                );
                return Err(Response::text(500, &text));
            }
        }
    }
    Ok(params)
}

pub fn sha256(data: &[u8]) -> String {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let Some(suite) = suite.tls13() else {
        return String::new();
    };
    suite
        .common
        .hash_provider
        .hash(data)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn pieces<'a>(body: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    while at + mark.len() <= body.len() {
        if &body[at..at + mark.len()] == mark {
            starts.push(at);
            at += mark.len();
        } else {
            at += 1;
        }
    }
    starts
        .windows(2)
        .map(|pair| &body[pair[0] + mark.len()..pair[1]])
        .collect()
}

/// Blanks and other characters become `_`, a path is cut off.
fn clean(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}
