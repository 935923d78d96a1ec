//! Clusters that were made to take a machine's memory: any number of them, with one certificate, which
//! answer every list and every object with the same prepared bytes.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

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

const VALUES: &[&str] = &["task_list", "storage_list"];

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

/// The clusters, up until the program ends.
pub struct Flood {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    body: Arc<Mutex<Arc<Vec<u8>>>>,
}

impl Flood {
    pub fn start(clusters: usize) -> Flood {
        let authority = Authority::new("flood");
        let (config, _) = authority.server("pve1", None);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), &authority.pem).expect("it is written");
        let body = Arc::new(Mutex::new(Arc::new(Vec::new())));
        let ports = (0..clusters).map(|_| listen(&config, &body));
        Flood {
            ports: ports.collect(),
            folder,
            body,
        }
    }

    /// What every cluster answers from now on.
    pub fn say(&self, body: Vec<u8>) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(body);
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

fn listen(config: &Arc<ServerConfig>, body: &Arc<Mutex<Arc<Vec<u8>>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (config, body) = (Arc::clone(config), Arc::clone(body));
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, body) = (Arc::clone(&config), Arc::clone(&body));
            spawn(move || {
                // Whoever is attacked goes away in the middle.
                let _ = serve(stream, config, &body);
            });
        }
    });
    port
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    body: &Mutex<Arc<Vec<u8>>>,
) -> std::io::Result<()> {
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
        let known = match target.as_slice() {
            b"/api2/json/version" => Some(json!({"data": {"version": "9.2.1"}})),
            b"/api2/json/access/permissions" => Some(json!({"data": {"/": {"Sys.Audit": 1}}})),
            _ => None,
        };
        let known = known.map(|known| Arc::new(known.to_string().into_bytes()));
        let body = known
            .unwrap_or_else(|| Arc::clone(&body.lock().unwrap_or_else(PoisonError::into_inner)));
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
