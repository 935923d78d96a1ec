//! The configuration file as it is watched: a change is noticed at the next call, and read whole.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Config, ConfigReport};
use crate::files::{self, FileStamp};
use crate::proxmox::lookup::{self, LookUps};

/// All names of a changed file together are looked up in so many milliseconds, or they wait.
const LOOK_UP_MAX_MS: u64 = 2000;

/// The file that the configuration came from.
pub struct Watch {
    path: PathBuf,
    /// Reads the environment and the file anew.
    read: Box<dyn Fn() -> Result<Config, ConfigReport> + Send>,
    seen: Option<FileStamp>,
}

impl Watch {
    pub fn new(
        path: PathBuf,
        read: impl Fn() -> Result<Config, ConfigReport> + Send + 'static,
    ) -> Watch {
        Watch {
            seen: files::stamp(&path),
            path,
            read: Box::new(read),
        }
    }

    /// What the file says now, where it is another than before.
    pub(crate) fn changed(&mut self) -> Option<Result<Config, ConfigReport>> {
        let now = files::stamp(&self.path);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some((self.read)())
    }
}

/// What names of hosts stand for, looked up anew and not by what led to a cluster once.
pub(crate) fn addresses() -> impl Fn(&str) -> Option<Vec<IpAddr>> {
    let (begun, names) = (Instant::now(), LookUps::new(lookup::ask_system));
    let in_time = move || match begun.elapsed() < Duration::from_millis(LOOK_UP_MAX_MS) {
        true => Ok(()),
        false => Err(io::ErrorKind::TimedOut.into()),
    };
    move |host| {
        in_time().ok()?;
        names.plain(host, &mut || in_time()).ok()
    }
}
