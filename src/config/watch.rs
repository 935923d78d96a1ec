//! The configuration file as it is watched: a change is noticed at the next call, and read whole.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Config, ConfigReport};
use crate::files::WatchedFile;
use crate::proxmox::lookup::{self, LookUps};

/// All names of a changed file together are looked up in so many milliseconds, or they wait.
const LOOK_UP_MAX_MS: u64 = 2000;

/// The file that the configuration came from.
pub struct Watch {
    pub(crate) file: WatchedFile,
    /// Reads the environment and the file anew.
    pub(crate) read: Box<dyn Fn() -> Result<Config, ConfigReport> + Send>,
}

impl Watch {
    pub fn new(
        path: PathBuf,
        read: impl Fn() -> Result<Config, ConfigReport> + Send + 'static,
    ) -> Watch {
        Watch {
            file: WatchedFile::new(path),
            read: Box::new(read),
        }
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
