//! Lines on standard error, by level. Standard output belongs to the protocol.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::files::{self, HastyStderr};
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
    /// What never waits; nothing before the first line, and where standard error never does.
    hasty: Option<Option<HastyStderr>>,
    /// How many lines there was no room for since the last that was written.
    left_out: usize,
}

static STREAM: Mutex<Stream> = Mutex::new(Stream {
    hasty: None,
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
        match self.hasty.get_or_insert_with(files::hasty_stderr) {
            Some(hasty) => hasty
                .write(&bytes)
                .is_ok_and(|written| written == bytes.len()),
            None => {
                let _ = std::io::stderr().lock().write_all(&bytes);
                true
            }
        }
    }
}
