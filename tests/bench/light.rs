//! A hundred clusters that cost next to nothing: listeners over TLS with one certificate, which
//! answer three paths with bodies that were prepared. What is dead here drops packets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::demo;
use crate::sim::authority::Authority;

pub const TOKEN_ID: &str = "bench@pve!mcp";
pub const TOKEN_SECRET: &str = "00000000-0000-0000-0000-000000000000";
/// Endpoints of a dead cluster, at most.
const ENDPOINTS: usize = 3;
const NODES: usize = 4;
/// Guests of each cluster, where nobody has said otherwise.
const GUESTS: usize = 10;
const STACK_BYTES: usize = 256 << 10;
/// How late a token is refused, in milliseconds.
const REFUSED_MS: u64 = 3000;
const REQUEST_MAX_BYTES: usize = 16 << 10;

/// The clusters, up until the program ends.
pub struct Light {
    pub ca: String,
    folder: tempfile::TempDir,
    clusters: Vec<Arc<Cluster>>,
    dead: Vec<Dead>,
}

pub struct Cluster {
    pub name: String,
    pub port: u16,
    /// How late every answer is, in milliseconds.
    latency_ms: AtomicU64,
    /// How late the handshake of a connection begins, in milliseconds.
    cold_ms: AtomicU64,
    /// The token is refused, as late as Proxmox does it.
    refuses: AtomicBool,
    /// Requests that were answered.
    answered: AtomicU64,
    /// Requests are read and never answered.
    silent: AtomicBool,
    resources: Mutex<Arc<Vec<u8>>>,
}

/// A bound socket whose backlog is full: what else comes is dropped.
struct Dead {
    port: u16,
    _socket: OwnedFd,
    _waiting: TcpStream,
}

/// What a configuration is made of.
#[derive(Clone, Copy, Default)]
pub struct Plan<'a> {
    pub clusters: usize,
    /// So many of them, the first ones, are dead.
    pub dead: usize,
    /// They have so many endpoints each; 0: as many as there are for each.
    pub endpoints: usize,
    /// So many of them, the first ones, are known by a name only.
    pub named: usize,
    /// Further lines of `.env`.
    pub more: &'a str,
}

impl Light {
    pub fn start(clusters: usize, dead: usize) -> Result<Light, String> {
        let authority = Authority::new("bench");
        let (config, _) = authority.server("pve1", None);
        let folder = tempfile::tempdir().map_err(|cause| cause.to_string())?;
        let ca = authority.pem;
        std::fs::write(folder.path().join("ca.pem"), &ca).map_err(|cause| cause.to_string())?;
        let clusters = (1..=clusters).map(|number| cluster(number, &config));
        let dead = (0..dead * ENDPOINTS).map(|_| Dead::new());
        Ok(Light {
            ca,
            folder,
            clusters: clusters.collect::<Result<_, _>>()?,
            dead: dead.collect::<Result<_, _>>()?,
        })
    }

    pub fn cluster(&self, place: usize) -> &Cluster {
        &self.clusters[place]
    }

    /// They are as they were at the start: quick, well, and with few guests.
    pub fn calm(&self) {
        for cluster in &self.clusters {
            cluster.latency(Duration::ZERO);
            cluster.cold(Duration::ZERO);
            cluster.refuses(false);
            cluster.silent(false);
            cluster.guests(GUESTS);
        }
    }

    pub fn latency(&self, time: Duration) {
        for cluster in &self.clusters {
            cluster.latency(time);
        }
    }

    /// The requests that all of them have answered so far.
    pub fn answered(&self) -> u64 {
        let answered = self.clusters.iter().map(|one| &one.answered);
        answered
            .map(|answered| answered.load(Ordering::Relaxed))
            .sum()
    }

    /// Each cluster has so many guests from now on.
    pub fn guests(&self, each: usize) {
        for cluster in &self.clusters {
            cluster.guests(each);
        }
    }

    /// Writes a configuration and gives its path.
    pub fn env_file(&self, name: &str, plan: Plan) -> Result<PathBuf, String> {
        self.file(name, &self.env(plan))
    }

    /// Writes a file of this name, in place of what was there, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        let written = demo::write_private(&path, text);
        written.map_err(|cause| format!("{}: {cause}", path.display()))?;
        Ok(path)
    }

    fn env(&self, plan: Plan) -> String {
        let clusters = &self.clusters[..plan.clusters];
        let names: Vec<&str> = clusters.iter().map(|one| one.name.as_str()).collect();
        let mut text = format!("PROXMOX_CLUSTERS={}\n{}\n", names.join(","), plan.more);
        let ca = self.folder.path().join("ca.pem");
        for (place, cluster) in clusters.iter().enumerate() {
            let ports: Vec<u16> = if place < plan.dead {
                let own = self.dead.chunks(ENDPOINTS).nth(place).unwrap_or_default();
                let most = if plan.endpoints == 0 {
                    ENDPOINTS
                } else {
                    plan.endpoints
                };
                own.iter().take(most).map(|one| one.port).collect()
            } else {
                vec![cluster.port]
            };
            let host = if place < plan.named {
                format!("{}.example.com", cluster.name)
            } else {
                "127.0.0.1".into()
            };
            let urls = ports.iter().map(|port| format!("https://{host}:{port}"));
            let urls: Vec<String> = urls.collect();
            for (field, value) in [
                ("API_URL", urls.join(",").as_str()),
                ("TOKEN_ID", TOKEN_ID),
                ("TOKEN_SECRET", TOKEN_SECRET),
                ("CA_FILE", &ca.display().to_string()),
            ] {
                text += &format!("PROXMOX_CLUSTER_{}_{field}={value}\n", cluster.name);
            }
        }
        text
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Cluster {
    pub fn latency(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.latency_ms.store(ms, Ordering::Relaxed);
    }

    pub fn cold(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.cold_ms.store(ms, Ordering::Relaxed);
    }

    pub fn refuses(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    pub fn silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    pub fn guests(&self, count: usize) {
        let body = Arc::new(resources(&self.name, count));
        *self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = body;
    }

    pub fn resources(&self) -> Arc<Vec<u8>> {
        let body = self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&body)
    }
}

impl Dead {
    fn new() -> Result<Dead, String> {
        let said = |cause: &dyn std::fmt::Display| format!("a dead endpoint: {cause}");
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)
            .map_err(|cause| said(&cause))?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        net::bind(&socket, &address).map_err(|cause| said(&cause))?;
        net::listen(&socket, 0).map_err(|cause| said(&cause))?;
        let bound = net::getsockname(&socket).map_err(|cause| said(&cause))?;
        let bound = SocketAddrV4::try_from(bound).map_err(|cause| said(&cause))?;
        // The one that a backlog of 0 takes.
        let waiting = TcpStream::connect(bound).map_err(|cause| said(&cause))?;
        let probe = TcpStream::connect_timeout(&SocketAddr::V4(bound), Duration::from_millis(20));
        if probe.is_ok() {
            return Err(said(&"its backlog is not full"));
        }
        Ok(Dead {
            port: bound.port(),
            _socket: socket,
            _waiting: waiting,
        })
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let made = thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    made.map(drop).map_err(|cause| cause.to_string())
}

fn cluster(number: usize, config: &Arc<ServerConfig>) -> Result<Arc<Cluster>, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|cause| cause.to_string())?;
    let address = listener.local_addr().map_err(|cause| cause.to_string())?;
    let cluster = Arc::new(Cluster {
        name: format!("c{number:03}"),
        port: address.port(),
        latency_ms: AtomicU64::new(0),
        cold_ms: AtomicU64::new(0),
        refuses: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        silent: AtomicBool::new(false),
        resources: Mutex::default(),
    });
    cluster.guests(GUESTS);
    let (known, config) = (Arc::clone(&cluster), Arc::clone(config));
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let (known, config) = (Arc::clone(&known), Arc::clone(&config));
            let _ = spawn(move || {
                let _ = serve(&known, stream, config);
            });
        }
    })?;
    Ok(cluster)
}

fn serve(cluster: &Cluster, stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    thread::sleep(Duration::from_millis(
        cluster.cold_ms.load(Ordering::Relaxed),
    ));
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    let mut buffer = [0; REQUEST_MAX_BYTES];
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
        while cluster.silent.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        let latency = cluster.latency_ms.load(Ordering::Relaxed);
        if latency > 0 {
            thread::sleep(Duration::from_millis(latency));
        }
        answer(cluster, &target, &mut tls)?;
    }
}

fn answer(cluster: &Cluster, target: &[u8], to: &mut impl Write) -> std::io::Result<()> {
    let everything = json!({"data": {
        "/": {"Sys.Audit": 1}, "/vms": {"VM.Audit": 1}, "/nodes": {"Sys.Audit": 1},
        "/storage": {"Datastore.Audit": 1}, "/pool": {"Pool.Audit": 1}}});
    cluster.answered.fetch_add(1, Ordering::Relaxed);
    let (status, body) = match target {
        _ if cluster.refuses.load(Ordering::Relaxed) => {
            thread::sleep(Duration::from_millis(REFUSED_MS));
            ("401 Authentication failed!", Arc::default())
        }
        b"/api2/json/version" => {
            let version = json!({"data": {"version": "9.2.1", "release": "9.2", "repoid": "0"}});
            ("200 OK", Arc::new(version.to_string().into_bytes()))
        }
        b"/api2/json/access/permissions" => ("200 OK", Arc::new(everything.to_string().into())),
        b"/api2/json/cluster/resources" => ("200 OK", cluster.resources()),
        _ => ("501 Method not implemented", Arc::default()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json;charset=UTF-8\r\n\
         Content-Length: {}\r\nConnection: Keep-Alive\r\n\r\n",
        body.len()
    );
    to.write_all(head.as_bytes())?;
    to.write_all(&body)?;
    to.flush()
}

/// The resource list of a cluster with four nodes, two storages each, and guests as they are.
fn resources(name: &str, guests: usize) -> Vec<u8> {
    let mut rows: Vec<Value> = Vec::new();
    for node in 1..=NODES {
        rows.push(json!({
            "type": "node", "id": format!("node/{name}-pve{node}"), "node": format!("{name}-pve{node}"),
            "status": "online", "level": "", "cgroup-mode": 2, "cpu": 0.081_234_5, "maxcpu": 64,
            "mem": 171_798_691_840_u64, "maxmem": 549_755_813_888_u64, "disk": 21_474_836_480_u64,
            "maxdisk": 107_374_182_400_u64, "uptime": 864_000}));
        for storage in ["local", "local-lvm"] {
            rows.push(json!({
                "type": "storage", "id": format!("storage/{name}-pve{node}/{storage}"),
                "storage": storage, "node": format!("{name}-pve{node}"), "status": "available",
                "plugintype": "dir", "content": "iso,vztmpl,backup", "shared": 0,
                "disk": 21_474_836_480_u64, "maxdisk": 107_374_182_400_u64}));
        }
    }
    for guest in 0..guests {
        let vmid = 100 + guest;
        let running = guest % 3 != 0;
        let live = |number: u64| if running { number } else { 0 };
        rows.push(json!({
            "type": if guest % 4 == 0 { "lxc" } else { "qemu" },
            "id": format!("qemu/{vmid}"), "vmid": vmid,
            "name": format!("{name}-app-{guest:05}"), "node": format!("{name}-pve{}", guest % NODES + 1),
            "status": if running { "running" } else { "stopped" }, "template": 0,
            "tags": "debian;web;team-blue", "pool": "customers",
            "maxcpu": 4, "cpu": if running { 0.031_234_567_89 } else { 0.0 },
            "maxmem": 8_589_934_592_u64, "mem": live(3_221_225_472), "memhost": live(3_435_973_836),
            "maxdisk": 68_719_476_736_u64, "disk": 0, "uptime": live(1_234_567),
            "netin": live(98_765_432_109), "netout": live(12_345_678_901),
            "diskread": live(456_789_012_345), "diskwrite": live(234_567_890_123)}));
    }
    json!({"data": rows}).to_string().into_bytes()
}
