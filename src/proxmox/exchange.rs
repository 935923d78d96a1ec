//! What is known about the one HTTP exchange that runs on this thread: its time, how far it got,
//! and why it was given up.
//!
//! ureq stands between the client and the transport and passes neither through, so both meet here,
//! in a thread-local. The client opens an exchange around each use of the agent and reads from it
//! afterwards what may have happened; the transport notes what it does and asks, in slices of at
//! most [`wait::SLICE_MS`], whether to go on.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use super::session::ExchangeLimits;
use crate::room::NoRoom;
use crate::wait::{self, Wake};

/// How long, in milliseconds, the answer to a write is still waited for after standard input ended.
pub const CLOSED_WRITE_MS: u64 = 1000;
/// How long an endpoint that takes no connection is waited for at least, in milliseconds, also where
/// all others have answered: the system sends once more what was lost after 1 s.
pub const CONNECT_KEPT_MS: u64 = 1300;
/// A status line longer than this is not kept; its reason phrase is then unknown.
const STATUS_LINE_MAX_BYTES: usize = 4096;

/// Why an exchange was given up before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeStop {
    Cancelled,
    Closed,
    /// The time of the request, or of connecting, is over.
    OutOfTime,
    /// No connection stood after so long, and enough other clusters had answered.
    Left(Duration),
    /// A write whose time to begin had passed when the connection stood.
    TooLate,
    /// No memory is left for the answer; how long it says to be.
    NoRoom(NoRoom, Option<u64>),
}

/// A server's certificate that was not trusted.
#[derive(Clone, Debug)]
pub struct UntrustedCertificate {
    pub der: Vec<u8>,
    /// Why, as the end of a sentence.
    pub why: String,
    pub remedy: Remedy,
}

/// What mends that a certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Its fingerprint can be pinned.
    Pin,
    /// The server needs one with another kind of key.
    OtherKey,
    /// Whoever shows it is not who it is for.
    Nothing,
}

/// One exchange, from the search for a connection to the last byte of the answer.
#[derive(Debug)]
pub struct Exchange {
    /// Whether it changes something, so that it is not given up lightly once it is under way.
    write: bool,
    end: Instant,
    connect_time: Duration,
    /// A write must have begun by then.
    begin_by: Option<Instant>,
    /// The first byte of the answer must have come by then.
    answer_by: Option<Instant>,
    connect_end: Option<Instant>,
    /// How long an endpoint that takes no connection is waited for, where the others have answered.
    patience: Duration,
    connecting_since: Option<Instant>,
    /// The other end took a connection, whether or not its handshake is done.
    accepted: bool,
    /// The addresses of its name are waited for.
    pub looking_up: bool,
    pub connected: bool,
    /// On a connection that has carried an exchange before.
    pub reused: bool,
    /// Bytes of the request that left, and of the answer that came.
    pub sent: usize,
    pub received: usize,
    status_line: Vec<u8>,
    status_line_ended: bool,
    pub stop: Option<ExchangeStop>,
    /// The certificate that was not trusted.
    pub untrusted: Option<UntrustedCertificate>,
    listened: Instant,
    closing: bool,
}

impl Exchange {
    pub fn new(timing: ExchangeLimits, connect_time: Duration) -> Exchange {
        Exchange {
            write: timing.write,
            end: timing.end,
            connect_time,
            begin_by: timing.begin_by,
            answer_by: timing.answer_by,
            connect_end: None,
            patience: timing.patience,
            connecting_since: None,
            accepted: false,
            looking_up: false,
            connected: false,
            reused: false,
            sent: 0,
            received: 0,
            status_line: Vec::new(),
            status_line_ended: false,
            stop: None,
            untrusted: None,
            listened: Instant::now(),
            closing: false,
        }
    }

    /// The text after the status code, which ureq drops and Proxmox puts its messages into.
    pub fn reason(&self) -> String {
        let line = String::from_utf8_lossy(&self.status_line);
        line.splitn(3, ' ')
            .nth(2)
            .unwrap_or_default()
            .trim()
            .to_string()
    }

    /// How long it was waited for, where that is long enough for one that takes no connection.
    fn patience_over(&self, now: Instant) -> Option<Duration> {
        let since = self.connecting_since.filter(|_| !self.accepted)?;
        (now.saturating_duration_since(since) >= self.patience).then_some(self.patience)
    }

    fn status_refuses(&self) -> bool {
        // `HTTP/1.1 403 ...`: the class of the status is its first digit.
        self.status_line_ended
            && self
                .status_line
                .split(|byte| *byte == b' ')
                .nth(1)
                .and_then(|status| status.first())
                .is_some_and(|digit| *digit >= b'4')
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Exchange>> = const { RefCell::new(None) };
}

/// Runs `work` as this exchange and gives back what became of it.
pub fn run<T>(exchange: Exchange, work: impl FnOnce() -> T) -> (T, Option<Exchange>) {
    let before = CURRENT.with(|slot| slot.borrow_mut().replace(exchange));
    let result = work();
    let after = CURRENT.with(|slot| std::mem::replace(&mut *slot.borrow_mut(), before));
    (result, after)
}

fn with<T>(read: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
    CURRENT.with(|slot| slot.borrow_mut().as_mut().map(read))
}

fn give_up(stop: ExchangeStop) -> io::Error {
    with(|exchange| exchange.stop = Some(stop));
    let (kind, text) = match stop {
        ExchangeStop::Cancelled => (io::ErrorKind::Other, "cancelled"),
        ExchangeStop::Closed => (io::ErrorKind::Other, "standard input ended"),
        ExchangeStop::OutOfTime => (io::ErrorKind::TimedOut, "out of time"),
        ExchangeStop::Left(_) => (io::ErrorKind::TimedOut, "left, as the others had answered"),
        ExchangeStop::TooLate => (io::ErrorKind::TimedOut, "too late to begin a write"),
        ExchangeStop::NoRoom(..) => (io::ErrorKind::OutOfMemory, "no room"),
    };
    io::Error::new(kind, text)
}

/// The answer is given up, since there is no room for it; `length`: how long it says to be.
pub fn no_room(why: NoRoom, length: Option<u64>) {
    let stop = match why {
        NoRoom::Cancelled => ExchangeStop::Cancelled,
        NoRoom::Closed => ExchangeStop::Closed,
        NoRoom::TooLarge | NoRoom::Waited | NoRoom::Kept => ExchangeStop::NoRoom(why, length),
    };
    with(|exchange| exchange.stop = Some(stop));
}

/// How long a slice of waiting may be now.
pub fn slice() -> Duration {
    Duration::from_millis(wait::SLICE_MS)
}

/// Asked between slices: an error where the exchange is to be given up. Nothing outside of an
/// exchange, so that a connection can be closed in peace.
pub fn tick() -> io::Result<()> {
    let now = Instant::now();
    let Some((end, write, sent, closing)) = with(|exchange| {
        exchange.listened = now;
        let first_byte = exchange.answer_by.filter(|_| exchange.received == 0);
        let end = exchange.connect_end.or(first_byte);
        let end = end.map_or(exchange.end, |end| end.min(exchange.end));
        (end, exchange.write, exchange.sent, exchange.closing)
    }) else {
        return Ok(());
    };
    match wait::listen(Duration::ZERO) {
        Wake::Nothing => {}
        Wake::Cancelled => return Err(give_up(ExchangeStop::Cancelled)),
        // What is under way is followed to its answer, for a little while.
        Wake::Closed if write && sent > 0 => {
            if !closing {
                let last = now + Duration::from_millis(CLOSED_WRITE_MS);
                with(|exchange| {
                    exchange.closing = true;
                    exchange.end = exchange.end.min(last);
                });
            }
        }
        Wake::Closed => return Err(give_up(ExchangeStop::Closed)),
    }
    if now >= end {
        return Err(give_up(ExchangeStop::OutOfTime));
    }
    match with(|exchange| exchange.patience_over(now)).flatten() {
        Some(patience) if wait::is_enough_heard() => Err(give_up(ExchangeStop::Left(patience))),
        _ => Ok(()),
    }
}

/// [`tick`], but only when a slice has passed since the last one: for what never waits.
pub fn tick_when_due() -> io::Result<()> {
    match with(|exchange| exchange.listened.elapsed() >= slice()) {
        Some(true) => tick(),
        _ => Ok(()),
    }
}

/// Connecting begins. What is left of its time is in [`connect_left`].
pub fn connecting() {
    with(|exchange| {
        let now = Instant::now();
        let end = now + exchange.connect_time;
        exchange.connecting_since = Some(now);
        exchange.accepted = false;
        exchange.connect_end = Some(end.min(exchange.end));
    });
}

pub fn connect_left() -> Duration {
    with(|exchange| exchange.connect_end.unwrap_or(exchange.end))
        .map(|end| end.saturating_duration_since(Instant::now()))
        .unwrap_or_default()
}

/// How long connecting has taken so far.
pub fn connecting_for() -> Duration {
    let since = with(|exchange| exchange.connecting_since).flatten();
    since.map_or(Duration::ZERO, |since| since.elapsed())
}

/// The addresses of a name are waited for now, or no longer.
pub fn looking_up(begins: bool) {
    with(|exchange| exchange.looking_up = begins);
}

/// The other end took a connection, though its handshake is yet to come.
pub fn accepted() {
    with(|exchange| exchange.accepted = true);
}

/// The connection stands, its handshake done.
pub fn connected() {
    with(|exchange| {
        exchange.connect_end = None;
        exchange.connected = true;
    });
}

/// The request is about to leave. Says whether the connection came from the pool.
pub fn beginning() -> io::Result<bool> {
    let Some((fresh, late)) = with(|exchange| {
        let fresh = exchange.connected;
        if !fresh {
            exchange.connected = true;
            exchange.reused = true;
        }
        let late = exchange.begin_by.is_some_and(|by| Instant::now() > by);
        (fresh, exchange.sent == 0 && late)
    }) else {
        return Ok(false);
    };
    if late {
        return Err(give_up(ExchangeStop::TooLate));
    }
    tick()?;
    Ok(!fresh)
}

/// Bytes left through the socket. Those of the handshake do not count.
pub fn sent(bytes: usize) {
    with(|exchange| {
        if exchange.connected {
            exchange.sent = exchange.sent.saturating_add(bytes);
        }
    });
}

/// Bytes of the answer came. Says whether its status refuses (400 and more).
pub fn received(bytes: &[u8]) -> bool {
    with(|exchange| {
        exchange.received = exchange.received.saturating_add(bytes.len());
        if !exchange.status_line_ended {
            for byte in bytes {
                if *byte == b'\n' || exchange.status_line.len() >= STATUS_LINE_MAX_BYTES {
                    exchange.status_line_ended = true;
                    break;
                }
                exchange.status_line.push(*byte);
            }
        }
        exchange.status_refuses()
    })
    .unwrap_or_default()
}

/// The server's certificate is not trusted.
pub fn untrusted(certificate: &[u8], why: String, remedy: Remedy) {
    with(|exchange| {
        exchange.untrusted = Some(UntrustedCertificate {
            der: certificate.to_vec(),
            why,
            remedy,
        });
    });
}
