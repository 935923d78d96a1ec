//! What our own calls are measured by: a bare keep-alive TLS client that sends a request and reads
//! its answer, and a bare client of the server's standard streams. No threads, nothing parsed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::demo::client::Way;

/// A kept connection to one node.
pub struct Bare {
    tls: StreamOwned<ClientConnection, TcpStream>,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Bare {
    /// Connects for `GET /api2/json{path}`, again and again.
    pub fn open(ca: &str, port: u16, token: &str, path: &str) -> Result<Bare, String> {
        let said = |cause: &dyn std::fmt::Display| format!("the bare client: {cause}");
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|cause| said(&cause))?;
        roots.add(ca).map_err(|cause| said(&cause))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| said(&cause))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").map_err(|cause| said(&cause))?;
        let connection =
            ClientConnection::new(Arc::new(config), name).map_err(|cause| said(&cause))?;
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|cause| said(&cause))?;
        stream.set_nodelay(true).map_err(|cause| said(&cause))?;
        let request = format!(
            "GET /api2/json{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
             Authorization: PVEAPIToken={token}\r\nConnection: keep-alive\r\n\r\n"
        );
        Ok(Bare {
            tls: StreamOwned::new(connection, stream),
            request: request.into_bytes(),
            buffer: vec![0; 64 << 10],
        })
    }

    /// One request and its whole answer; how many bytes its body has.
    pub fn ask(&mut self) -> Result<usize, String> {
        self.exchange()
            .map_err(|cause| format!("the bare client: {cause}"))
    }

    fn exchange(&mut self) -> std::io::Result<usize> {
        self.tls.write_all(&self.request)?;
        self.tls.flush()?;
        let mut have = 0;
        let head_end = loop {
            let count = self.tls.read(&mut self.buffer[have..])?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            have += count;
            let head = self.buffer[..have].windows(4);
            if let Some(at) = head.into_iter().position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| {
            let value = line.strip_prefix("content-length: ")?;
            value.parse::<usize>().ok()
        });
        let length = length.ok_or_else(|| std::io::Error::other("no length"))?;
        if !head.starts_with("http/1.1 200") {
            return Err(std::io::Error::other(head));
        }
        let mut left = length - (have - head_end);
        while left > 0 {
            let most = left.min(self.buffer.len());
            let count = self.tls.read(&mut self.buffer[..most])?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            left -= count;
        }
        Ok(length)
    }
}

/// The program as a child, written to and read from on this thread.
pub struct Streams {
    child: Child,
    input: Box<dyn Write>,
    output: Box<dyn BufRead>,
    line: String,
}

impl Streams {
    /// Starts the program as hosts do: with two pipes, or with two socket pairs (those based on
    /// Node.js).
    pub fn start(program: &Path, env_file: &Path, way: Way) -> Result<Streams, String> {
        let said = |cause: io::Error| cause.to_string();
        let mut command = Command::new(program);
        command.arg("--env-file").arg(env_file).env_clear();
        let mut sockets = None;
        match way {
            Way::Pipe => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
            }
            Way::Socket => {
                let (input, theirs_in) = UnixStream::pair().map_err(said)?;
                let (output, theirs_out) = UnixStream::pair().map_err(said)?;
                command.stdin(OwnedFd::from(theirs_in));
                command.stdout(OwnedFd::from(theirs_out));
                sockets = Some((input, output));
            }
        }
        let started = command.spawn();
        // It holds the server's ends of the sockets, which would never look closed.
        drop(command);
        let mut child = started.map_err(said)?;
        let (input, output): (Box<dyn Write>, Box<dyn BufRead>) =
            match (sockets, child.stdin.take(), child.stdout.take()) {
                (Some((input, output)), ..) => (Box::new(input), Box::new(BufReader::new(output))),
                (None, Some(input), Some(output)) => {
                    (Box::new(input), Box::new(BufReader::new(output)))
                }
                _ => return Err("the server has no standard streams".into()),
            };
        Ok(Streams {
            child,
            input,
            output,
            line: String::new(),
        })
    }

    /// One line there, one line back.
    pub fn ask(&mut self, line: &str) -> Result<&str, String> {
        let text = format!("{line}\n");
        let sent = self.input.write_all(text.as_bytes());
        sent.map_err(|cause| cause.to_string())?;
        self.line.clear();
        let read = self.output.read_line(&mut self.line);
        read.map_err(|cause| cause.to_string())?;
        Ok(&self.line)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
