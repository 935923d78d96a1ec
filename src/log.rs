//! Lines on standard error, by level. Standard output belongs to the protocol.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::files;
use crate::shown;

/// The longest line, without its newline: a pipe takes so much as a whole or not at all.
const LINE_MAX_BYTES: usize = 4000;

/// How much is said; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Warn as u8);

/// Says nothing beyond `level` from now on.
pub fn set(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub fn error(line: &str) {
    say(Level::Error, "error", line);
}

pub fn warn(line: &str) {
    say(Level::Warn, "warning", line);
}

pub fn info(line: &str) {
    say(Level::Info, "info", line);
}

/// The line is made where it is said only: there is one for each request.
pub fn debug(line: impl FnOnce() -> String) {
    if says(Level::Debug) {
        say(Level::Debug, "debug", &line());
    }
}

fn says(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

fn say(level: Level, word: &str, line: &str) {
    if says(level) {
        STREAM
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .say(&format!("proxmox-mcp: {word}: {}", shown::line(line)));
    }
}

/// Standard error. Nobody may read it, or it may be closed: that is no reason to fail or to wait.
struct Stream {
    /// Opened with the first line, so that writing to it does not wait.
    output: Option<File>,
    /// How many lines there was no room for since the last that was written.
    left_out: usize,
}

static STREAM: Mutex<Stream> = Mutex::new(Stream {
    output: None,
    left_out: 0,
});

impl Stream {
    fn say(&mut self, line: &str) {
        if self.left_out > 0 {
            let left_out = self.left_out;
            let said =
                format!("proxmox-mcp: warning: {left_out} lines were left out: nobody read them");
            if self.write(&said) {
                self.left_out = 0;
            }
        }
        if self.left_out > 0 || !self.write(line) {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Writes a whole line or nothing; whether there was room.
    fn write(&mut self, line: &str) -> bool {
        let mut end = line.len().min(LINE_MAX_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = line.get(..end).unwrap_or_default().as_bytes().to_vec();
        bytes.push(b'\n');
        if self.output.is_none() {
            let own = std::io::stderr().as_fd().try_clone_to_owned();
            self.output = own.and_then(files::unblocked_output).ok();
        }
        let Some(output) = &mut self.output else {
            // It is closed, and stays so.
            return true;
        };
        output
            .write(&bytes)
            .is_ok_and(|written| written == bytes.len())
    }
}
