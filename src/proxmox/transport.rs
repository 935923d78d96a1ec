//! The connections that ureq uses: TCP and TLS of our own, read and written in slices between which
//! the call listens, so that a slow answer can be given up.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::buffers::ConnectionBuffers;
use super::dial;
use super::exchange;
use super::lookup;
use super::settings::{Endpoint, Proxy};
use super::tls::ClusterTls;

/// Proxmox ends a connection after 100 requests; we leave it before, since a write that meets the
/// end would be one of which nobody knows whether it took effect.
pub const CONNECTION_MAX_REQUESTS: u32 = 90;
/// Proxmox closes an idle connection after 5 s; it is not used again once it has idled this long. A
/// second is left for what is under way, and a task is looked at more often.
pub const IDLE_MAX_S: u64 = 4;

/// Makes connections to the nodes of one cluster.
pub struct ClusterConnector {
    pub trusted: ClusterTls,
    pub proxy: Option<Proxy>,
}

impl fmt::Debug for ClusterConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterConnector")
    }
}

impl Connector<()> for ClusterConnector {
    type Out = TlsTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<TlsTransport>, ureq::Error> {
        exchange::connecting();
        let (stream, tls) = self.connection(&endpoint_of(details)?)?;
        exchange::connected();
        Ok(Some(TlsTransport {
            stream,
            tls,
            buffers: ConnectionBuffers::default(),
            requests: 1,
            must_close: false,
        }))
    }
}

impl ClusterConnector {
    fn connection(&self, target: &Endpoint) -> io::Result<(SlicedStream, ClientConnection)> {
        let proxied = self.proxy.is_some();
        let (host, port) = dialled(target, self.proxy.as_ref());
        let addresses = addresses(host, port)?;
        let made = reach(&addresses, target, proxied).and_then(|mut stream| {
            let tls = shake_hands(&mut stream, target, &self.trusted, proxied)?;
            Ok((stream, tls))
        });
        match &made {
            Ok((stream, _)) => lookup::system().connected(host, stream.0.peer_addr()?.ip()),
            Err(_) => lookup::system().failed(host),
        }
        made
    }
}

/// Who is dialled for `target`: the proxy, where there is one, which then looks up the target.
pub fn dialled<'a>(target: &'a Endpoint, proxy: Option<&'a Proxy>) -> (&'a str, u16) {
    match proxy {
        Some(proxy) => (&proxy.host, proxy.port),
        None => (&target.host, target.port),
    }
}

/// The addresses of a host, looked up within the time of the exchange where they are not known.
///
/// # Errors
/// There are none, or none in time.
pub fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    exchange::looking_up(true);
    let found = lookup::system().of(host, port, &mut exchange::tick)?;
    exchange::looking_up(false);
    Ok(found)
}

/// In the place of a resolver: names are looked up where a connection is made, which ureq would do for
/// each request, also on one that stands.
#[derive(Debug)]
pub struct Unresolved;

impl Resolver for Unresolved {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// A TCP connection to the first of `addresses` that takes one; through a proxy, those are the
/// proxy's and it is asked for a tunnel.
///
/// # Errors
/// None takes one, or the proxy refuses.
pub fn reach(
    addresses: &[SocketAddr],
    target: &Endpoint,
    proxied: bool,
) -> io::Result<SlicedStream> {
    let mut stream = SlicedStream(dial::dial(addresses)?);
    exchange::accepted();
    stream.prepare()?;
    if proxied {
        dial::ask_proxy(&mut stream, target)?;
    }
    Ok(stream)
}

/// The TLS handshake with `target` at the other end of `stream`, as `trusted` wants it.
///
/// # Errors
/// No TLS is spoken there, or the certificate is not trusted.
pub fn shake_hands(
    stream: &mut SlicedStream,
    target: &Endpoint,
    trusted: &ClusterTls,
    proxied: bool,
) -> io::Result<ClientConnection> {
    // An address that reaches itself is this very machine; behind a proxy nobody can tell.
    let is_here = !proxied
        && match (stream.0.local_addr(), stream.0.peer_addr()) {
            (Ok(local), Ok(peer)) => local.ip() == peer.ip(),
            _ => false,
        };
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| io::Error::other(format!("`{}` is no host name", target.host)))?;
    let config = Arc::clone(trusted.config(is_here));
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(stream)?;
    }
    Ok(tls)
}

fn flush_tls(tls: &mut ClientConnection, stream: &mut SlicedStream) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(stream)? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

fn endpoint_of(details: &ConnectionDetails) -> io::Result<Endpoint> {
    let host = details.uri.host().unwrap_or_default();
    let Some(port) = details.uri.port_u16() else {
        return Err(io::Error::other("an endpoint without a port"));
    };
    Ok(Endpoint::new(host.trim_matches(['[', ']']), port))
}

/// A socket whose reads and writes wait in slices and listen in between. It fails with the reason
/// that [`exchange::tick`] gives.
pub struct SlicedStream(pub TcpStream);

impl SlicedStream {
    fn prepare(&self) -> io::Result<()> {
        self.0.set_nodelay(true)?;
        self.0.set_read_timeout(Some(exchange::slice()))?;
        self.0.set_write_timeout(Some(exchange::slice()))
    }

    fn sliced(
        &mut self,
        mut attempt: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        exchange::tick_when_due()?;
        loop {
            match attempt(&mut self.0) {
                Err(e) if waits(&e) => exchange::tick()?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

fn waits(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Read for SlicedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.sliced(|stream| stream.read(buffer))
    }
}

impl Write for SlicedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sliced(|stream| stream.write(bytes))?;
        exchange::sent(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One TLS connection, as ureq reads and writes it.
pub struct TlsTransport {
    stream: SlicedStream,
    tls: ClientConnection,
    buffers: ConnectionBuffers,
    requests: u32,
    must_close: bool,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl TlsTransport {
    /// Reads some bytes of the answer; 0 at its end. A connection that ends without TLS's own
    /// farewell is an end like any other: that the answer is whole is seen by its length and by
    /// its JSON.
    fn read_some(&mut self) -> io::Result<usize> {
        loop {
            let buffer = self.buffers.input_append_buf();
            if buffer.is_empty() {
                return Err(io::Error::other("the header is too large"));
            }
            match self.tls.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            flush_tls(&mut self.tls, &mut self.stream)?;
            self.tls.read_tls(&mut self.stream)?;
            self.tls
                .process_new_packets()
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        }
    }

    fn is_quiet(&self) -> io::Result<bool> {
        self.stream.0.set_nonblocking(true)?;
        let quiet = match self.stream.0.peek(&mut [0]) {
            Err(e) => e.kind() == io::ErrorKind::WouldBlock,
            // The end of the connection, or an answer that nobody asked for.
            Ok(_) => false,
        };
        self.stream.0.set_nonblocking(false)?;
        Ok(quiet)
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if exchange::beginning()? {
            self.requests = self.requests.saturating_add(1);
        }
        let mut left = self.buffers.output().get(..amount).unwrap_or_default();
        while !left.is_empty() {
            let taken = self.tls.writer().write(left)?;
            left = left.get(taken..).unwrap_or_default();
            flush_tls(&mut self.tls, &mut self.stream)?;
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let count = self.read_some()?;
        let bytes = self.buffers.input_append_buf();
        if exchange::received(bytes.get(..count).unwrap_or_default()) {
            self.must_close = true;
        }
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        if self.must_close || self.requests >= CONNECTION_MAX_REQUESTS {
            return false;
        }
        // Asked before the connection rests.
        self.buffers.rest();
        self.is_quiet().unwrap_or(false)
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// How long a connection may rest before it is not used again.
pub fn idle_max() -> Duration {
    Duration::from_secs(IDLE_MAX_S)
}
