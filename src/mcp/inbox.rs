//! Bounded lines out of standard input, and the two ways of listening to it for a while.
//!
//! Reading waits without end between calls. During a call the server looks, which costs microseconds
//! whatever standard input is: a socket is made non-blocking for the length of a look, a pipe has a
//! second, non-blocking way in. From anything else (a file, a terminal) it reads between calls only.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::{files, log};

/// The longest line that is taken, without its newline.
pub const LINE_MAX_BYTES: usize = 1024 * 1024;
/// How much is read at once; also what the buffer is cut back to after a long line.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long an input with nothing in it is left alone during a call before it is looked at again: half of
/// it is what a `ping` waits.
const NAP_MS: u64 = 1;
/// How long it is left alone between calls, where whoever shares it lets nobody wait for it.
const REST_MS: u64 = 5;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A line, or what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub enum InputLine {
    /// Without the newline, a carriage return and a byte order mark; never blank.
    Text(String),
    NotUtf8,
    /// Over [`LINE_MAX_BYTES`]; it was thrown away up to its end.
    TooLong,
}

/// What came within a time.
#[derive(Debug, PartialEq, Eq)]
pub enum InboxEvent {
    Line(InputLine),
    Nothing,
    Closed,
}

/// Where the bytes come from.
enum InputSource {
    Socket(UnixStream),
    /// One pipe, opened twice: once to wait without end, once to look and go on.
    Pipe {
        patient: File,
        hasty: File,
    },
    Other(File),
}

/// The lines that a client sends.
pub struct Inbox {
    source: InputSource,
    chunk: Vec<u8>,
    buffer: Vec<u8>,
    /// What lies before it in the buffer was given out already.
    start: usize,
    /// No newline lies between `start` and it.
    searched: usize,
    /// In the middle of a line that is too long.
    skipping: bool,
    closed: bool,
}

impl Inbox {
    /// Standard input. Fails where it cannot be duplicated.
    pub fn stdin() -> io::Result<Inbox> {
        let own = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Inbox::new(own))
    }

    /// Whatever is open there, listened to as well as can be.
    pub fn new(fd: OwnedFd) -> Inbox {
        Inbox {
            source: InputSource::new(fd),
            chunk: vec![0; CHUNK_BYTES],
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            skipping: false,
            closed: false,
        }
    }

    /// Whether anything is heard during a call.
    pub fn listens(&self) -> bool {
        !matches!(self.source, InputSource::Other(_))
    }

    /// The next line, however long it takes; `None` at the end of input.
    pub fn next_line(&mut self) -> Option<InputLine> {
        loop {
            if let Some(line) = self.buffered() {
                return Some(line);
            }
            if self.closed {
                return None;
            }
            let read = self.source.read(&mut self.chunk);
            self.take_in(read);
        }
    }

    /// The next line if it comes within the time. A line that is here already takes no time.
    pub fn poll(&mut self, within: Duration) -> InboxEvent {
        let end = Instant::now() + within;
        loop {
            if let Some(line) = self.buffered() {
                return InboxEvent::Line(line);
            }
            if self.closed {
                return InboxEvent::Closed;
            }
            let read = self.source.look(&mut self.chunk);
            let nothing = matches!(&read, Err(cause) if is_nothing(cause));
            self.take_in(read);
            if nothing {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return InboxEvent::Nothing;
                }
                thread::sleep(left.min(Duration::from_millis(NAP_MS)));
            }
        }
    }

    /// Whether the input has ended, with nothing behind what is here already. Lines stay for later.
    pub fn has_ended(&mut self) -> bool {
        if !self.closed && self.buffer.len() - self.start <= LINE_MAX_BYTES {
            let read = self.source.look(&mut self.chunk);
            self.take_in(read);
        }
        self.closed
    }

    fn take_in(&mut self, read: io::Result<usize>) {
        match read {
            Ok(0) => self.closed = true,
            Ok(count) => {
                self.buffer.drain(..self.start.min(self.buffer.len()));
                self.searched = self.searched.saturating_sub(self.start);
                self.start = 0;
                self.buffer
                    .extend_from_slice(self.chunk.get(..count).unwrap_or_default());
            }
            Err(cause) if is_nothing(&cause) => {}
            Err(cause) => {
                log::warn(&format!("standard input cannot be read: {cause}"));
                self.closed = true;
            }
        }
    }

    /// A whole line out of the buffer; at the end of input also one without a newline.
    fn buffered(&mut self) -> Option<InputLine> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let newline = unsearched.iter().position(|byte| *byte == b'\n');
            let end = match newline {
                Some(at) => self.searched + at,
                None if self.closed => self.buffer.len(),
                None => {
                    self.searched = self.buffer.len();
                    if self.searched - self.start > LINE_MAX_BYTES {
                        self.skipping = true;
                    }
                    if self.skipping {
                        self.forget();
                    }
                    return None;
                }
            };
            let line = self.buffer.get(self.start..end).unwrap_or_default();
            let line = if std::mem::take(&mut self.skipping) || line.len() > LINE_MAX_BYTES {
                Some(InputLine::TooLong)
            } else {
                decoded(line)
            };
            self.start = (end + 1).min(self.buffer.len());
            self.searched = self.start;
            if self.start == self.buffer.len() {
                self.forget();
            }
            if line.is_some() || newline.is_none() {
                return line;
            }
        }
    }

    fn forget(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(CHUNK_BYTES);
        self.start = 0;
        self.searched = 0;
    }
}

impl InputSource {
    fn new(fd: OwnedFd) -> InputSource {
        let file = File::from(fd);
        let kind = file.metadata().map(|data| data.file_type());
        if kind.as_ref().is_ok_and(FileTypeExt::is_socket) {
            return InputSource::Socket(UnixStream::from(OwnedFd::from(file)));
        }
        if kind.as_ref().is_ok_and(FileTypeExt::is_fifo)
            && let Ok(hasty) = files::open_again_hastily(&file)
        {
            return InputSource::Pipe {
                patient: file,
                hasty,
            };
        }
        InputSource::Other(file)
    }

    /// Waits for bytes without end; "nothing" only after a short rest.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            InputSource::Socket(socket) => socket.read(into),
            InputSource::Pipe { patient, .. } => patient.read(into),
            InputSource::Other(file) => file.read(into),
        };
        if matches!(&read, Err(cause) if cause.kind() == ErrorKind::WouldBlock) {
            // Whoever else holds this end made it non-blocking.
            thread::sleep(Duration::from_millis(REST_MS));
        }
        read
    }

    /// Bytes that are here already, or "nothing" at once. No read timeout: the shortest that a kernel
    /// knows is one of its ticks, which is 4 to 8 ms on common ones.
    fn look(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            InputSource::Socket(socket) => {
                // Standard output may be this very socket, which must not be left so.
                socket.set_nonblocking(true)?;
                let read = socket.read(into);
                socket.set_nonblocking(false)?;
                read
            }
            InputSource::Pipe { hasty, .. } => hasty.read(into),
            InputSource::Other(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

fn is_nothing(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// A line's bytes as text; `None` where nothing stands in it.
fn decoded(line: &[u8]) -> Option<InputLine> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(BOM).unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return None;
    }
    Some(match std::str::from_utf8(line) {
        Ok(text) => InputLine::Text(text.to_owned()),
        Err(_) => InputLine::NotUtf8,
    })
}
