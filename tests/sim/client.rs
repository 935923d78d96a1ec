//! A bare HTTP client over TLS, to look at a simulated cluster as it is: literal reason phrases,
//! every header, no retries, a connection of its own unless it is kept.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::world::SimCluster;

/// No answer takes as long, however busy the machine; what hangs ends.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Connection {
    tls: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// 0: the connection ended without an answer.
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn data(&self) -> Value {
        self.json()["data"].take()
    }

    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

impl Connection {
    pub fn open(cluster: &SimCluster, node: &str) -> std::io::Result<Connection> {
        let mut roots = RootCertStore::empty();
        let ca =
            CertificateDer::from_pem_slice(cluster.ca.as_bytes()).map_err(std::io::Error::other)?;
        roots.add(ca).map_err(std::io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").map_err(std::io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(("127.0.0.1", cluster.port(node)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection {
            tls: StreamOwned::new(connection, stream),
            buffer: Vec::new(),
        })
    }

    /// Sends bytes as they are and reads one answer.
    pub fn raw(&mut self, bytes: &[u8]) -> Reply {
        if self
            .tls
            .write_all(bytes)
            .and_then(|()| self.tls.flush())
            .is_err()
        {
            return Reply::default();
        }
        self.read()
    }

    /// A request with a JSON body (`Null`: none), as a token (`user@realm!id=secret`; empty: nobody).
    pub fn send(&mut self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        let mut head = format!("{method} /api2/json{path} HTTP/1.1\r\nHost: localhost\r\n");
        if !token.is_empty() {
            head += &format!("Authorization: PVEAPIToken={token}\r\n");
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        if method != "GET" && method != "DELETE" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        self.raw(format!("{head}\r\n{body}").as_bytes())
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0u8; 32 << 10];
        match self.tls.read(&mut chunk) {
            Ok(size) if size > 0 => {
                self.buffer.extend(&chunk[..size]);
                true
            }
            _ => false,
        }
    }

    /// True if the peer has closed (waits for it); a peer that is only silent has not.
    pub fn ended(&mut self) -> bool {
        match self.tls.read(&mut [0u8; 1]) {
            Ok(size) => size == 0,
            Err(cause) => !matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn read(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                return Reply::default();
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or("");
        let mut words = first.splitn(3, ' ').skip(1);
        let mut reply = Reply {
            status: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            ..Reply::default()
        };
        reply.reason = words.next().unwrap_or("").into();
        reply.headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if reply.status == 304 {
            return reply;
        }
        let length = reply
            .header("content-length")
            .first()
            .and_then(|length| length.parse::<usize>().ok());
        while length.is_none_or(|length| self.buffer.len() < length) && self.more() {}
        let take = length.unwrap_or(usize::MAX).min(self.buffer.len());
        reply.body = self.buffer.drain(..take).collect();
        reply
    }
}

impl SimCluster {
    /// One request on a connection of its own, as the cluster's token.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let token = format!("{}={}", self.spec.token_id, self.spec.token_secret);
        let node = self.spec.nodes[0].name.clone();
        Connection::open(self, &node)
            .map(|mut connection| connection.send(method, path, &token, body))
            .unwrap_or_default()
    }

    /// A request that starts a task; waits for its end and gives its exit status.
    pub fn task(&self, method: &str, path: &str, body: &Value) -> String {
        let reply = self.ask(method, path, body);
        let Some(upid) = reply.data().as_str().map(String::from) else {
            return format!("{} {}", reply.status, reply.reason);
        };
        let node = upid.split(':').nth(1).unwrap_or("").to_string();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let status = self
                .ask(
                    "GET",
                    &format!("/nodes/{node}/tasks/{upid}/status"),
                    &Value::Null,
                )
                .data();
            if status["status"] == "stopped" {
                return status["exitstatus"].as_str().unwrap_or("").into();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        "still running".into()
    }
}
