//! Clusters that were made to take a machine's memory: any number of them, with one certificate, which
//! answer every list and every object with the same prepared bytes.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::authority::Authority;

/// What such a process may take at most, in bytes, whatever is said to it.
pub const PEAK_MAX_BYTES: u64 = 64_000_000;

const STACK_BYTES: usize = 256 << 10;
const REQUEST_MAX_BYTES: usize = 64 << 10;

/// A way to make much of little: a name, and what is repeated between the start and the end of a body;
/// `#` in it is a number that counts.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    start: &'static str,
    each: &'static str,
    end: &'static str,
    /// The tools that make most of it.
    pub tools: &'static [&'static str],
}

const fn kind(
    name: &'static str,
    start: &'static str,
    each: &'static str,
    end: &'static str,
    tools: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        start,
        each,
        end,
        tools,
    }
}

/// Each with a row, or a field, by which it is taken for what was asked for.
pub const KINDS: [Kind; 9] = [
    kind(
        "objects in objects",
        r#"{"data":["#,
        r#"{"":{"":0}},"#,
        "0]}",
        VALUES,
    ),
    kind("numbers", r#"{"data":["#, "0,", "0]}", VALUES),
    kind("lists", r#"{"data":["#, "[[]],", "0]}", VALUES),
    kind("names", r#"{"data":{"#, r##""#":0,"##, r#""":0}}"#, VALUES),
    kind(
        "a text with escapes",
        r#"{"data":{"status":"running","digest":"x","name":""#,
        r"\n\u200b",
        r#""}}"#,
        VALUES,
    ),
    kind(
        "a text",
        r#"{"data":""#,
        "\u{200b}",
        r#""}"#,
        &["fleet_search", "guest_list", "task_list"],
    ),
    kind(
        "rows of tasks and volumes",
        r#"{"data":["#,
        r##"{"upid":"#","volid":"a:b/#","storage":"#","node":"n","type":"x","starttime":1},"##,
        r#"{"upid":"1","volid":"a:1","storage":"s","node":"n"}]}"#,
        &["task_list", "storage_list", "backup_list"],
    ),
    kind(
        "nodes and storages",
        r#"{"data":["#,
        r##"{"type":"node","node":"n#","status":"x"},{"type":"storage","storage":"s#","node":"n"},"##,
        r#"{"type":"node","node":"n"}]}"#,
        &["node_list", "storage_list", "fleet_summary", "fleet_search"],
    ),
    kind(
        "guests",
        r#"{"data":["#,
        r##"{"type":"qemu","vmid":#,"node":"n","name":"g#","status":"unknown","lock":"#"},"##,
        r#"{"type":"node","node":"n"}]}"#,
        &["guest_list", "fleet_summary", "fleet_search", "guest_get"],
    ),
];

const VALUES: &[&str] = &["task_list", "storage_list", "guest_get"];

impl Kind {
    /// A body of about so many bytes.
    pub fn body(&self, bytes: usize) -> Vec<u8> {
        let mut body = self.start.to_string();
        let mut number = 100_u64;
        while body.len() + self.each.len() + self.end.len() < bytes {
            if self.each.contains('#') {
                body += &self.each.replace('#', &number.to_string());
            } else {
                body += self.each;
            }
            number += 1;
        }
        body += self.end;
        body.into_bytes()
    }
}

/// The calls that have a tool read what is hostile: where only that is, and the arguments.
pub fn calls(tool: &str) -> Vec<(Option<&'static str>, Value)> {
    match tool {
        "guest_get" => vec![
            (None, json!({"cluster": "f007", "guest": 100})),
            (
                Some("/status/current"),
                json!({"cluster": "f007", "guest": 100}),
            ),
            (
                Some("/config"),
                json!({"cluster": "f007", "guest": 100, "include": ["config"]}),
            ),
            (
                Some("/pending"),
                json!({"cluster": "f007", "guest": 100, "include": ["pending"]}),
            ),
        ],
        "fleet_search" | "fleet_summary" => vec![(None, json!({}))],
        _ => vec![(None, json!({"cluster": "all"}))],
    }
}

/// What clusters answer.
#[derive(Default)]
struct Said {
    body: Arc<Vec<u8>>,
    /// Only paths with this end are hostile; the others have a guest, 100.
    only: Option<&'static str>,
    /// So many times was the body given.
    given: usize,
}

/// The clusters, up until the program ends.
pub struct Flood {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    said: Arc<Mutex<Said>>,
}

impl Flood {
    pub fn start(clusters: usize) -> Flood {
        let authority = Authority::new("flood");
        let (config, _) = authority.server("pve1", None);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), &authority.pem).expect("it is written");
        let said = Arc::default();
        let ports = (0..clusters).map(|_| listen(&config, &said));
        Flood {
            ports: ports.collect(),
            folder,
            said,
        }
    }

    /// What every cluster answers from now on.
    pub fn say(&self, body: Vec<u8>) {
        self.lock().body = Arc::new(body);
    }

    /// Only paths with this end are hostile from now on. Tells how often they were until now.
    pub fn only(&self, end: Option<&'static str>) -> usize {
        let mut said = self.lock();
        said.only = end;
        std::mem::take(&mut said.given)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configuration of all of them, with further lines.
    pub fn env(&self, more: &str) -> String {
        let names: Vec<String> = (0..self.ports.len())
            .map(|one| format!("f{one:03}"))
            .collect();
        let mut text = format!("PROXMOX_CLUSTERS={}\n{more}\n", names.join(","));
        let ca = self.folder.path().join("ca.pem");
        for (name, port) in names.iter().zip(&self.ports) {
            for (field, value) in [
                ("API_URL", format!("https://127.0.0.1:{port}")),
                ("TOKEN_ID", "flood@pve!mcp".into()),
                (
                    "TOKEN_SECRET",
                    "00000000-0000-0000-0000-000000000000".into(),
                ),
                ("CA_FILE", ca.display().to_string()),
            ] {
                text += &format!("PROXMOX_CLUSTER_{name}_{field}={value}\n");
            }
        }
        text
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn env_file(&self) -> PathBuf {
        self.folder.path().join("flood.env")
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    let made = thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    made.expect("a thread");
}

fn listen(config: &Arc<ServerConfig>, said: &Arc<Mutex<Said>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (config, said) = (Arc::clone(config), Arc::clone(said));
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, said) = (Arc::clone(&config), Arc::clone(&said));
            spawn(move || {
                // Whoever is attacked goes away in the middle.
                let _ = serve(stream, config, &said);
            });
        }
    });
    port
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, said: &Mutex<Said>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    let mut buffer = vec![0; REQUEST_MAX_BYTES];
    let mut have = 0;
    loop {
        let count = tls.read(&mut buffer[have..])?;
        if count == 0 {
            return Ok(());
        }
        have += count;
        if !buffer[..have].ends_with(b"\r\n\r\n") {
            continue;
        }
        let target = buffer[..have].split(|byte| *byte == b' ').nth(1);
        let target = target.unwrap_or_default().to_vec();
        have = 0;
        let target = String::from_utf8_lossy(&target);
        let body = answer(target.trim_start_matches("/api2/json"), said);
        // In chunks, so that nothing tells before how much will come.
        tls.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
        )?;
        for part in body.chunks(64 << 10) {
            write!(tls, "{:x}\r\n", part.len())?;
            tls.write_all(part)?;
            tls.write_all(b"\r\n")?;
        }
        tls.write_all(b"0\r\n\r\n")?;
        tls.flush()?;
    }
}

/// What is answered at a path.
fn answer(path: &str, said: &Mutex<Said>) -> Arc<Vec<u8>> {
    let known = |value: Value| Arc::new(json!({"data": value}).to_string().into_bytes());
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    match (path, said.only) {
        ("/version", _) => known(json!({"version": "9.2.1"})),
        ("/access/permissions", _) => known(json!({"/": {"Sys.Audit": 1}})),
        ("/cluster/resources", Some(_)) => known(json!([
            {"type": "node", "node": "n", "status": "online"},
            {"type": "qemu", "vmid": 100, "node": "n", "name": "g", "status": "running"},
        ])),
        (path, Some(end)) if !path.ends_with(end) => {
            known(json!({"status": "running", "vmid": 100, "name": "g"}))
        }
        _ => {
            said.given += 1;
            Arc::clone(&said.body)
        }
    }
}
