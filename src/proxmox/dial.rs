//! From a host name to an open TCP connection: names looked up without threads, connecting in
//! slices, and a proxy's CONNECT.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::exchange;
use super::settings::{Endpoint, Proxy};

/// How long a look-up's answer is kept, in seconds.
const ADDRESSES_KEPT_S: u64 = 60;
/// As many as ureq passes on.
const ADDRESSES_MAX: usize = 16;
/// What a proxy may say before the tunnel stands.
const PROXY_HEAD_MAX_BYTES: usize = 8 * 1024;
/// A connection attempt cannot be waited for in slices by safe means: it is given up and made
/// anew, each time more patiently, so that the call listens once a second. In milliseconds.
const ATTEMPTS_MS: [u64; 2] = [250, 500];
const ATTEMPT_MAX_MS: u64 = 1000;

/// Since when, and what.
type Known = (Instant, Vec<SocketAddr>);

/// Looks names up on the calling thread. (ureq's own starts a thread for each look-up that has a
/// time limit and leaves it behind.) It cannot be interrupted: the system's own limits hold.
#[derive(Debug)]
pub struct Names {
    /// Asked instead of the target, which is then the proxy's to look up.
    proxy: Option<Proxy>,
    known: Mutex<BTreeMap<(String, u16), Known>>,
}

impl Names {
    pub fn new(proxy: Option<Proxy>) -> Names {
        Names {
            proxy,
            known: Mutex::default(),
        }
    }

    /// The addresses of `host`; of the proxy, where there is one.
    ///
    /// # Errors
    /// The system knows none.
    pub fn of(&self, target: &Endpoint) -> io::Result<Vec<SocketAddr>> {
        match &self.proxy {
            Some(proxy) => self.look_up(&proxy.host, proxy.port),
            None => self.look_up(&target.host, target.port),
        }
    }

    /// The addresses of a host, each in its one form: an IPv4 address that is written as one of IPv6 is
    /// one of IPv4.
    ///
    /// # Errors
    /// The system knows none.
    pub fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.look_up(host, 0)?;
        Ok(found.iter().map(|address| plain(address.ip())).collect())
    }

    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let key = (host.to_string(), port);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, addresses)) = known.get(&key)
            && since.elapsed() < Duration::from_secs(ADDRESSES_KEPT_S)
        {
            return Ok(addresses.clone());
        }
        let addresses: Vec<SocketAddr> = (host, port)
            .to_socket_addrs()
            .map_err(|e| io::Error::other(format!("`{host}` was not found: {e}")))?
            .take(ADDRESSES_MAX)
            .collect();
        if addresses.is_empty() {
            return Err(io::Error::other(format!("`{host}` has no address")));
        }
        known.insert(key, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

/// An IPv4 address that stands in one of IPv6: mapped, or behind the well-known prefix of NAT64.
fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => match six.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
            }
            _ => IpAddr::V6(six),
        },
        four => four,
    }
}

/// Whether an address is one of this very machine.
pub fn is_own(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
            return Err(ureq::Error::HostNotFound);
        };
        let found = self.of(&Endpoint::new(host.trim_matches(['[', ']']), port))?;
        let mut addresses = self.empty();
        for address in found {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

/// A TCP connection to the first of `addresses` that takes one.
pub fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("no address");
    let mut left: Vec<SocketAddr> = addresses.to_vec();
    let mut patience = ATTEMPTS_MS.into_iter();
    while !left.is_empty() {
        let attempt = Duration::from_millis(patience.next().unwrap_or(ATTEMPT_MAX_MS));
        let mut silent = Vec::new();
        for address in left {
            let time = attempt.min(exchange::connect_left());
            if time.is_zero() {
                exchange::tick()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&address, time) {
                Ok(stream) => return Ok(stream),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => silent.push(address),
                Err(e) => failure = io::Error::new(e.kind(), format!("{address}: {e}")),
            }
            exchange::tick()?;
        }
        left = silent;
    }
    Err(failure)
}

/// Asks the proxy at the other end of `stream` for a tunnel to `target`.
pub fn ask_proxy(stream: &mut (impl Read + Write), target: &Endpoint) -> io::Result<()> {
    let target = target.authority();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // Byte by byte: what follows the head belongs to TLS.
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= PROXY_HEAD_MAX_BYTES {
            return Err(io::Error::other("the proxy's answer is too large"));
        }
        if stream.read(&mut byte)? == 0 {
            return Err(io::Error::other("the proxy closed the connection"));
        }
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.splitn(2, ' ');
    let is_http = words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    let answer = words.next().unwrap_or_default();
    if is_http && answer.starts_with('2') {
        Ok(())
    } else {
        Err(io::Error::other(format!("the proxy refused: {answer}")))
    }
}
