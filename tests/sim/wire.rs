//! One connection: requests in, answers out, and everything that a fault does to them.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Map;

use super::apidoc;
use super::distort::{Outcome, distorted, send};
use super::fault::{self, Fault};
use super::front;
use super::gate;
use super::http::{self, Heard, Request, Response, decode};
use super::world::{Cluster, Seen};

const REQUESTS_MAX: u32 = 100;

pub fn serve(cluster: &Arc<Cluster>, node: &str, stream: TcpStream, tls: Arc<ServerConfig>) {
    let _ = stream.set_nodelay(true);
    let idle = Duration::from_millis(cluster.state().pace.idle_ms);
    let _ = stream.set_read_timeout(Some(idle));
    let mut first = [0u8; 1];
    match stream.peek(&mut first) {
        Ok(1) if first[0] != 0x16 => return plain(stream),
        Ok(1) => {}
        _ => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
    let Ok(connection) = ServerConnection::new(tls) else {
        return;
    };
    let mut tls = StreamOwned::new(connection, stream);
    let mut buffer = Vec::new();
    for count in 1..=REQUESTS_MAX {
        let request = match http::read(&mut tls, &mut buffer, idle) {
            Heard::Request(request) => request,
            Heard::Refused(response) => {
                http::write(&mut tls, &response.bytes(false));
                break;
            }
            Heard::Gone => break,
        };
        let keep = request.keep_alive && count < REQUESTS_MAX;
        let outcome = answer(cluster, node, &request);
        if !send(&mut tls, outcome, keep) {
            break;
        }
    }
    tls.conn.send_close_notify();
    let _ = tls.flush();
    let _ = tls.sock.shutdown(std::net::Shutdown::Both);
}

/// Plain HTTP on the TLS port.
fn plain(mut stream: TcpStream) {
    use std::io::Read;
    let mut buffer = [0u8; 4096];
    let size = stream.read(&mut buffer).unwrap_or(0);
    let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
    let mut words = text.split(' ');
    let response = match (words.next(), words.next()) {
        (Some(verb), Some(path)) if text.contains("HTTP/1") => {
            let (status, reason) = if verb == "GET" {
                (301, "Moved Permanently")
            } else {
                (308, "Permanent Redirect")
            };
            let host = text
                .lines()
                .find_map(|line| line.strip_prefix("Host: "))
                .unwrap_or("localhost")
                .trim();
            let mut response = Response::text(status, reason);
            response
                .headers
                .push(("Location".into(), format!("https://{host}{path}")));
            response
        }
        _ => Response::text(400, "bad request"),
    };
    let _ = stream.write_all(&response.bytes(response.status < 400));
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn answer(cluster: &Arc<Cluster>, node: &str, request: &Request) -> Outcome {
    let decoded = decode(&request.path, false);
    let path = decoded
        .strip_prefix("/api2/json")
        .unwrap_or(&decoded)
        .to_string();
    let faults = cluster.hits(node, &request.verb, &path);
    let mut seen = Seen {
        cluster: cluster.name.clone(),
        node: node.into(),
        method: request.verb.clone(),
        path: path.clone(),
        params: Map::new(),
        status: 0,
        executed: false,
    };
    seen.params = gate::sent(request);
    for fault in &faults {
        if let Fault::Latency(ms) = fault {
            std::thread::sleep(Duration::from_millis(*ms));
        }
    }
    if faults.contains(&Fault::HangBefore) || faults.contains(&Fault::CutBeforeExecute) {
        cluster.note(seen);
        return Outcome {
            response: Response::default(),
            faults,
        };
    }
    let response = if faults.contains(&Fault::Echo) {
        let token = request.header("authorization").unwrap_or_default();
        let secret = token.rsplit('=').next().unwrap_or_default();
        let errors = serde_json::json!({"a": secret, secret: token});
        let body = serde_json::json!({"data": null, "errors": errors, "message": format!("bad {secret} in {token}\n")});
        Response {
            body: Some(body.to_string().into_bytes()),
            ..Response::text(500, &format!("bad {secret}"))
        }
    } else if faults.contains(&Fault::Status401) {
        Response::bare(401, "Authentication failed!")
    } else if path.starts_with("/pve-docs/") {
        documents(&path, request, &faults)
    } else if decoded == "/" {
        let body = Some(
            b"<!DOCTYPE html><html><head><title>Proxmox Virtual Environment</title></head></html>"
                .to_vec(),
        );
        Response {
            status: 200,
            reason: "OK".into(),
            content_type: Some("text/html".into()),
            body,
            ..Response::default()
        }
    } else if let Some((status, false)) = lost(&faults) {
        Response::bare(status, "No route to host")
    } else if let Some((said, false)) = front::said(&faults) {
        said
    } else {
        let response = api(cluster, node, request, &faults);
        seen.executed = response.status < 300;
        if seen.executed && seen.method != "GET" {
            let mut faults = cluster.faults();
            faults.iter_mut().for_each(|one| one.after_write = false);
        }
        response
    };
    let mut response = match (lost(&faults), front::said(&faults)) {
        (Some((status, true)), _) => Response::bare(status, "Connection timed out"),
        (_, Some((said, true))) => said,
        _ => distorted(response, &faults),
    };
    response.clock_s = cluster.state().clock_s as i32;
    seen.status = response.status;
    cluster.note(seen);
    if response.status == 401 {
        let late = cluster.state().pace.refuse_ms;
        let begun = super::clock();
        std::thread::sleep(Duration::from_millis(late));
        // The layer before the API says the time before it waits.
        if response.body.is_none() {
            response.clock_s -= (super::clock() - begun) as i32;
        }
    }
    Outcome { response, faults }
}

/// Whether the entry node says that another is lost, with which status, and whether before that the
/// request was executed.
fn lost(faults: &[Fault]) -> Option<(u16, bool)> {
    faults.iter().find_map(|fault| match fault {
        Fault::Lost { status, executed } => Some((*status, *executed)),
        _ => None,
    })
}

fn api(cluster: &Arc<Cluster>, node: &str, request: &Request, faults: &[Fault]) -> Response {
    let lacks: Vec<String> = faults
        .iter()
        .filter_map(|fault| {
            if let Fault::TokenLacks(lacks) = fault {
                Some(lacks.clone())
            } else {
                None
            }
        })
        .flatten()
        .collect();
    let old = faults.contains(&Fault::OldErrors);
    let asked = {
        let mut state = cluster.state();
        state.settle();
        if faults.contains(&Fault::Race) {
            state.outrun(&gate::sent(request), node);
        }
        for fault in faults {
            match fault {
                Fault::MoveGuest(vmid) => state.move_away(*vmid),
                Fault::ReuseVmid(vmid) => state.reuse(*vmid),
                Fault::BusyGuest(vmid) => {
                    if let Some(guest) = state.guests.get_mut(vmid) {
                        guest.plugs = false;
                    }
                }
                Fault::LockedGuest(vmid) => {
                    if let Some(guest) = state.guests.get_mut(vmid) {
                        guest.set("lock", "backup");
                    }
                }
                _ => {}
            }
        }
        gate::ask(&mut state, node, request, &lacks)
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(response) => return if old { aged(response) } else { response },
    };
    let begun = Instant::now();
    loop {
        let (response, wait_s) = {
            let mut state = cluster.state();
            state.settle();
            let answer = gate::run(&mut state, node, &asked);
            state.mounted();
            answer
        };
        if begun.elapsed().as_secs_f64() >= wait_s || cluster.stopped() {
            return if old { aged(response) } else { response };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An error without `message`, as up to 8.3.
fn aged(mut response: Response) -> Response {
    if response.status >= 400
        && let Some(body) = &response.body
        && let Ok(serde_json::Value::Object(mut body)) = serde_json::from_slice(body)
    {
        body.remove("message");
        response.body = Some(serde_json::Value::Object(body).to_string().into_bytes());
    }
    response
}

fn documents(path: &str, request: &Request, faults: &[Fault]) -> Response {
    let missing = faults.contains(&Fault::NoApiDoc);
    if path != "/pve-docs/api-viewer/apidoc.js" || missing {
        let text = format!("unable to open file '/usr/share{path}' - No such file or directory");
        return Response::text(500, &text);
    }
    let changed = http::date(apidoc::CHANGED);
    let headers = vec![("Last-Modified".to_string(), changed.clone())];
    if request
        .header("if-modified-since")
        .is_some_and(|since| since == changed)
    {
        return Response {
            status: 304,
            reason: "NOT MODIFIED".into(),
            headers,
            plain: true,
            ..Response::default()
        };
    }
    let text = if faults.contains(&Fault::BriefApiDoc) {
        apidoc::brief()
    } else {
        apidoc::text()
    };
    let body = Some(text.as_bytes().to_vec());
    Response {
        status: 200,
        reason: "OK".into(),
        content_type: Some("application/javascript".into()),
        headers,
        body,
        plain: true,
        ..Response::default()
    }
}

/// The faults that hit a request.
impl Cluster {
    fn hits(&self, node: &str, method: &str, path: &str) -> Vec<Fault> {
        fault::hits(&mut self.faults(), node, method, path)
    }
}
