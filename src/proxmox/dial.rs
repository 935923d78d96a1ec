//! From addresses to an open TCP connection: connecting in slices, and a proxy's CONNECT.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::exchange::{self, CONNECT_KEPT_MS};
use super::settings::Endpoint;
use crate::wait;

/// What a proxy may say before the tunnel stands.
const PROXY_HEAD_MAX_BYTES: usize = 8 * 1024;
/// A connection attempt cannot be waited for in slices by safe means: it is given up and made
/// anew, each time more patiently, so that the call listens once a second. In milliseconds.
const ATTEMPTS_MS: [u64; 2] = [250, 500];
const ATTEMPT_MAX_MS: u64 = 1000;
/// In a read of several clusters somebody else listens, so that the first attempt lasts as long as an
/// endpoint is waited for at least: what a host sends late, or once more, belongs to it. Each further
/// one, in milliseconds.
const SHARED_AGAIN_MS: u64 = 500;
/// Of several addresses each is given no less at first, in milliseconds.
const SHARED_FIRST_MIN_MS: u64 = 250;

/// Whether an address is one of this very machine.
pub fn is_own(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// A TCP connection to the first of `addresses` that takes one.
pub fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("no address");
    let mut left: Vec<SocketAddr> = addresses.to_vec();
    let mut round = 0;
    while !left.is_empty() {
        let mut silent = Vec::new();
        let mut behind = left.len();
        for address in left {
            let time = attempt_time(round, behind).min(exchange::connect_left());
            behind = behind.saturating_sub(1);
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
        round += 1;
    }
    Err(failure)
}

/// How long an address is waited for in this round, `left` of which are left with it.
fn attempt_time(round: usize, left: usize) -> Duration {
    let first = |time: Duration| {
        let left = u32::try_from(left).unwrap_or(u32::MAX).max(1);
        (time / left).max(Duration::from_millis(SHARED_FIRST_MIN_MS))
    };
    let kept = Duration::from_millis(CONNECT_KEPT_MS);
    match (wait::is_shared(), round) {
        (true, 0) => first(kept.saturating_sub(exchange::connecting_for())),
        (true, _) => Duration::from_millis(SHARED_AGAIN_MS),
        (false, round) => {
            Duration::from_millis(ATTEMPTS_MS.get(round).copied().unwrap_or(ATTEMPT_MAX_MS))
        }
    }
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
