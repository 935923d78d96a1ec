//! HTTP/1.1 as Proxmox's own server speaks it: reading a request, writing an answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

pub const BODY_MAX_BYTES: usize = 512 << 10;
const HEADER_LINES_MAX: usize = 64;
const HEADER_LINE_MAX_BYTES: usize = 8192;

pub type Tls = StreamOwned<ServerConnection, TcpStream>;

#[derive(Debug, Default)]
pub struct Request {
    pub verb: String,
    /// As sent, without the query.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub keep_alive: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub content_type: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// `None`: no Content-Length either.
    pub body: Option<Vec<u8>>,
    /// What the privileged daemon or another node said of the connection.
    pub passed_on: Option<&'static str>,
    /// Without the headers that forbid keeping a copy.
    pub plain: bool,
    /// By a reverse proxy.
    pub front: bool,
    /// How far the server's clock is ahead of the real one.
    pub clock_s: i32,
}

impl Response {
    pub fn text(status: u16, reason: &str) -> Response {
        Response {
            status,
            reason: reason.into(),
            body: Some(reason.as_bytes().to_vec()),
            ..Response::default()
        }
    }

    pub fn bare(status: u16, reason: &str) -> Response {
        Response {
            status,
            reason: reason.into(),
            ..Response::default()
        }
    }

    pub fn head(&self, keep: bool) -> String {
        let date = date(super::clock() + i64::from(self.clock_s));
        let own = if keep { "Keep-Alive" } else { "close" };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason);
        if !self.plain {
            head += "Cache-Control: max-age=0\r\n";
        }
        if let Some(passed) = self.passed_on.filter(|_| keep) {
            head += &format!("Connection: {passed}\r\n");
        }
        head += &format!("Connection: {own}\r\nDate: {date}\r\n");
        if !self.plain {
            head += &format!("Pragma: no-cache\r\nExpires: {date}\r\n");
        }
        head += match self.front {
            true => "Server: nginx\r\n",
            false => "Server: pve-api-daemon/3.0\r\n",
        };
        if let Some(kind) = &self.content_type {
            head += &format!("Content-Type: {kind}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head
    }

    pub fn bytes(&self, keep: bool) -> Vec<u8> {
        let mut all = self.head(keep);
        if let Some(body) = &self.body {
            all += &format!("Content-Length: {}\r\n", body.len());
        }
        all += "\r\n";
        let mut all = all.into_bytes();
        all.extend(self.body.iter().flatten());
        all
    }
}

/// What reading a request came to.
pub enum Heard {
    Request(Request),
    /// To be answered with this and closed; nothing else is read.
    Refused(Response),
    /// The peer is gone or was silent too long.
    Gone,
}

/// Reads one request. `buffer` keeps what was read beyond it.
pub fn read(tls: &mut Tls, buffer: &mut Vec<u8>, idle: Duration) -> Heard {
    let until = Instant::now() + idle;
    let (mut request, length, chunked) = loop {
        match header(buffer) {
            Header::Whole(size, request, length, chunked) => {
                buffer.drain(..size);
                break (request, length, chunked);
            }
            Header::TooLong => {
                while more(tls, &mut Vec::new(), until) {}
                return Heard::Gone;
            }
            Header::Bad => return Heard::Refused(Response::text(400, "bad request")),
            Header::Partial if more(tls, buffer, until) => {}
            Header::Partial => return Heard::Gone,
        }
    };
    if !matches!(request.verb.as_str(), "GET" | "POST" | "PUT" | "DELETE") {
        return Heard::Refused(Response::bare(
            501,
            &format!("method '{}' not available", request.verb),
        ));
    }
    if chunked {
        return Heard::Refused(Response::text(
            501,
            "chunked transfer encoding not supported",
        ));
    }
    if length > 0 && matches!(request.verb.as_str(), "GET" | "DELETE") {
        return Heard::Refused(Response::text(
            501,
            &format!("Unexpected content for method '{}'", request.verb),
        ));
    }
    let upload = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if length > BODY_MAX_BYTES && !upload {
        return Heard::Refused(Response::text(501, "for data too large"));
    }
    if request.path.ends_with("/upload") && request.verb == "POST" && !upload {
        while more(tls, &mut Vec::new(), Instant::now() + idle) {}
        return Heard::Gone;
    }
    while buffer.len() < length {
        if !more(tls, buffer, Instant::now() + idle) {
            return Heard::Gone;
        }
    }
    request.body = buffer.drain(..length).collect();
    Heard::Request(request)
}

enum Header {
    Whole(usize, Request, usize, bool),
    Partial,
    TooLong,
    Bad,
}

fn header(buffer: &[u8]) -> Header {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
    let lines = buffer[..end.unwrap_or(buffer.len())]
        .split(|byte| *byte == b'\n')
        .skip(1);
    if lines.clone().any(|line| line.len() > HEADER_LINE_MAX_BYTES)
        || lines.count() > HEADER_LINES_MAX
    {
        return Header::TooLong;
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut headers);
    let size = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Header::Partial,
        Err(_) => return Header::Bad,
    };
    let target = parsed.path.unwrap_or("/");
    let target = match target.strip_prefix("https://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        verb: parsed.method.unwrap_or("").into(),
        path: path.into(),
        query: query.into(),
        ..Request::default()
    };
    for header in parsed.headers.iter() {
        request.headers.push((
            header.name.into(),
            String::from_utf8_lossy(header.value).trim().to_string(),
        ));
    }
    let connection = request.header("connection").unwrap_or("").to_lowercase();
    request.keep_alive = if parsed.version == Some(0) {
        connection.contains("keep-alive")
    } else {
        !connection.contains("close")
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let chunked = request
        .header("transfer-encoding")
        .is_some_and(|coding| coding.to_lowercase().contains("chunked"));
    Header::Whole(size, request, length, chunked)
}

/// Reads some more; false if the peer is gone or time is up.
fn more(tls: &mut Tls, buffer: &mut Vec<u8>, until: Instant) -> bool {
    let mut chunk = [0u8; 16 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || tls.sock.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match tls.read(&mut chunk) {
            Ok(0) => return false,
            Ok(size) => {
                buffer.extend(&chunk[..size]);
                return true;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => return false,
        }
    }
}

/// Waits until the peer goes away.
pub fn drain(tls: &mut Tls) {
    while more(
        tls,
        &mut Vec::new(),
        Instant::now() + Duration::from_secs(600),
    ) {}
}

/// Writes and flushes; false if the peer is gone.
pub fn write(tls: &mut Tls, bytes: &[u8]) -> bool {
    tls.write_all(bytes).is_ok() && tls.flush().is_ok()
}

/// Seconds since 1970 as HTTP writes them.
pub fn date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let [year, month, day, hour, minute, second] = civil(seconds);
    let weekday = DAYS[seconds.div_euclid(86400).rem_euclid(7) as usize];
    let month = MONTHS[(month - 1) as usize];
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month, day, hour, minute, second in UTC.
pub fn civil(seconds: i64) -> [i64; 6] {
    let (days, rest) = (
        seconds.div_euclid(86400) + 719_468,
        seconds.rem_euclid(86400),
    );
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (
        of_year - (153 * shifted + 2) / 5 + 1,
        if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        },
    );
    [
        year + era * 400 + i64::from(month <= 2),
        month,
        day,
        rest / 3600,
        rest / 60 % 60,
        rest % 60,
    ]
}

/// Percent-decoding; in forms and queries `+` is a blank.
pub fn decode(text: &str, plus: bool) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|byte| (*byte as char).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if plus => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
