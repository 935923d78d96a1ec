//! Lines on standard error, by level. Standard output belongs to the protocol.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::shown;

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
        // Nobody may read standard error, or it may be closed: that is no reason to fail.
        let _ = writeln!(
            std::io::stderr().lock(),
            "proxmox-mcp: {word}: {}",
            shown::line(line)
        );
    }
}
