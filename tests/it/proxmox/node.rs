//! A node for tests of the transport: a small TLS server whose every answer a closure decides, byte
//! for byte if it likes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::proxmox::authority::{Identity, authority, mismatched_config, server_config};
use crate::sim::port::reserve;
use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::secret::{Secret, SecretSource};
use proxmox_mcp::proxmox::settings::{Endpoint, Settings, Trust};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) const SECRET: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const TOKEN: &str = "mcp@pve!mcp";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection, counted from 0, and the how manieth request on it, from 0.
    pub(crate) connection: usize,
    pub(crate) nth: usize,
}

impl Hit {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// What the node does with a request.
pub(crate) enum Act {
    /// Sends these bytes and keeps the connection.
    Send(Vec<u8>),
    /// Sends these bytes and closes the connection.
    SendClose(Vec<u8>),
    /// Sends these bytes one by one, so far apart.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes, and then nothing until the client hangs up.
    Hang(Vec<u8>),
}

/// An answer as Proxmox forms it.
pub(crate) fn answer(status: u16, reason: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn ok(body: &str) -> Act {
    Act::Send(answer(200, "OK", body))
}

pub(crate) fn refuse(status: u16, reason: &str, body: &str) -> Act {
    Act::SendClose(answer(status, reason, body))
}

type Script = dyn Fn(&Hit) -> Act + Send + Sync;

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    hits: Arc<Mutex<Vec<Hit>>>,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Node {
    pub(crate) fn start(script: impl Fn(&Hit) -> Act + Send + Sync + 'static) -> Node {
        let identity = authority().issue(&["127.0.0.1", "::1", "localhost"]);
        Node::start_with(
            &identity,
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            script,
        )
    }

    pub(crate) fn start_with(
        identity: &Identity,
        address: SocketAddr,
        script: impl Fn(&Hit) -> Act + Send + Sync + 'static,
    ) -> Node {
        Node::serve(server_config(identity), address, script)
    }

    /// With a key that is not the certificate's.
    pub(crate) fn start_mismatched(
        identity: &Identity,
        address: SocketAddr,
        script: impl Fn(&Hit) -> Act + Send + Sync + 'static,
    ) -> Node {
        let config = mismatched_config(identity, rustls::ALL_VERSIONS);
        Node::serve(config, address, script)
    }

    fn serve(
        config: Arc<ServerConfig>,
        address: SocketAddr,
        script: impl Fn(&Hit) -> Act + Send + Sync + 'static,
    ) -> Node {
        let listener = TcpListener::bind(address).unwrap();
        let node = Node {
            address: listener.local_addr().unwrap(),
            hits: Arc::default(),
            connections: Arc::default(),
            stopped: Arc::default(),
        };
        let script: Arc<Script> = Arc::new(script);
        let (hits, connections, stopped) = (
            Arc::clone(&node.hits),
            Arc::clone(&node.connections),
            Arc::clone(&node.stopped),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (hits, config, script) =
                    (Arc::clone(&hits), Arc::clone(&config), Arc::clone(&script));
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let tls = ServerConnection::new(config).unwrap();
                    let stream = StreamOwned::new(tls, stream);
                    serve(stream, connection, &hits, &*script);
                });
            }
        });
        node
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// `GET /api2/json/version` and so on, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |hit: &Hit| format!("{} {}", hit.method, hit.target.replace("/api2/json", ""));
        self.hits().iter().map(line).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.address.ip().to_string(), self.address.port())
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(vec![self.endpoint()])
    }

    pub(crate) fn client(&self) -> ClusterClient {
        ClusterClient::new(self.settings())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    connection: usize,
    hits: &Mutex<Vec<Hit>>,
    script: &Script,
) {
    for nth in 0.. {
        let Some(hit) = read_request(&mut stream, connection, nth) else {
            return;
        };
        hits.lock().unwrap().push(hit.clone());
        let (bytes, keep) = match script(&hit) {
            Act::Send(bytes) => (bytes, true),
            Act::SendClose(bytes) => (bytes, false),
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    std::thread::sleep(pause);
                    if stream
                        .write_all(&[byte])
                        .and_then(|()| stream.flush())
                        .is_err()
                    {
                        return;
                    }
                }
                (Vec::new(), true)
            }
            Act::Hang(bytes) => {
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        if stream
            .write_all(&bytes)
            .and_then(|()| stream.flush())
            .is_err()
            || !keep
        {
            return;
        }
    }
}

fn read_request(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
    connection: usize,
    nth: usize,
) -> Option<Hit> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut slots);
    request.parse(&head).unwrap();
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        })
        .collect();
    let mut hit = Hit {
        method: request.method.unwrap().to_string(),
        target: request.path.unwrap().to_string(),
        headers,
        body: Vec::new(),
        connection,
        nth,
    };
    let length = hit.header("content-length").unwrap_or("0").parse().unwrap();
    hit.body = vec![0; length];
    stream.read_exact(&mut hit.body).ok()?;
    Some(hit)
}

pub(crate) fn settings(endpoints: Vec<Endpoint>) -> Settings {
    Settings {
        cluster: "prod".into(),
        endpoints,
        token_id: TOKEN.into(),
        secret: SecretSource::Value(Secret::new(SECRET.into())),
        trust: Trust::CaFile(authority().ca_file()),
        proxy: None,
        timeout: Duration::from_secs(30),
        validate: false,
        renew_after: Duration::from_secs(3600),
    }
}

/// A port on which nobody listens, now and while these tests run.
pub(crate) fn closed_port() -> Endpoint {
    let held = TcpListener::from(reserve(0).unwrap());
    let port = held.local_addr().unwrap().port();
    std::mem::forget(held);
    Endpoint::new("127.0.0.1", port)
}

/// A listener that takes connections and never says a word.
pub(crate) fn mute() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
    (listener, endpoint)
}

/// A listener whose queue is full, so that the kernel drops what else wants to connect.
pub(crate) struct Full {
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
    pub(crate) endpoint: Endpoint,
}

pub(crate) fn full() -> Full {
    let (listener, endpoint) = mute();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
    }
    Full {
        _listener: listener,
        _queue: queue,
        endpoint,
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request::new(Verb::Get, path, &[]).unwrap()
}

pub(crate) fn post(path: &str) -> Request {
    Request::new(Verb::Post, path, &[]).unwrap()
}
