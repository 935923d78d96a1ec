//! The addresses of names. Whoever asks for them cannot be interrupted by safe means, so that happens
//! in a thread of its own, which a call leaves behind when its time is over; what it finds is there
//! for the next one.
//!
//! Addresses once known are used as long as they connect: a silent name server costs nothing then.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::SLICE_MS;

/// More addresses of a name are not used.
const ADDRESSES_MAX: usize = 16;
/// More names are not looked up at a time: what is left behind is counted.
const LOOK_UPS_MAX: usize = 128;
/// The stack of a thread that looks a name up, in bytes: the system's own modules for it run there.
const STACK_BYTES: usize = 256 * 1024;
/// Where the addresses that are known did not connect, newer ones are waited for so long, in
/// milliseconds, before the old ones are tried again.
const NEWER_MS: u64 = 500;

type LookUpFn = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The names that were asked for, and who is asked.
pub struct LookUps {
    ask: Box<LookUpFn>,
    names: Mutex<BTreeMap<String, LookedUpName>>,
    told: Condvar,
}

/// What is known of a name.
#[derive(Default)]
struct LookedUpName {
    /// The one that connected last comes first.
    addresses: Vec<IpAddr>,
    /// None of them connected when they were last tried.
    failed: bool,
    running: bool,
    /// Why the last look-up found nothing.
    failure: Option<String>,
}

static SYSTEM: LazyLock<Arc<LookUps>> = LazyLock::new(|| LookUps::new(ask_system));

/// Those that the whole program shares.
pub fn system() -> &'static Arc<LookUps> {
    &SYSTEM
}

/// Asks the system, whose own limits of time hold.
///
/// # Errors
/// It knows none.
pub fn ask_system(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = (host, 0).to_socket_addrs()?;
    Ok(found.map(|address| address.ip()).collect())
}

impl LookUps {
    /// Nothing is known yet. `ask` may take as long as it likes.
    pub fn new(
        ask: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Arc<LookUps> {
        Arc::new(LookUps {
            ask: Box::new(ask),
            names: Mutex::default(),
            told: Condvar::new(),
        })
    }

    /// The addresses of `host`, with `port`. `listen` is asked in between whether to go on waiting.
    ///
    /// # Errors
    /// There are none; too many names are being looked up; what `listen` said.
    pub fn of(
        self: &Arc<LookUps>,
        host: &str,
        port: u16,
        listen: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Vec<SocketAddr>> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.of_name(host, listen)?,
        };
        let with_port = |address| SocketAddr::new(address, port);
        Ok(addresses.into_iter().map(with_port).collect())
    }

    /// [`LookUps::of`], each address in its one form: an IPv4 address that is written as one of IPv6 is
    /// one of IPv4.
    ///
    /// # Errors
    /// As [`LookUps::of`].
    pub fn plain(
        self: &Arc<LookUps>,
        host: &str,
        listen: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Vec<IpAddr>> {
        let found = self.of(host, 0, listen)?;
        Ok(found.iter().map(|address| plain(address.ip())).collect())
    }

    /// The address connected: it is tried first the next time.
    pub fn connected(&self, host: &str, address: IpAddr) {
        if let Some(name) = self.lock().get_mut(host) {
            name.failed = false;
            name.addresses.sort_by_key(|known| *known != address);
        }
    }

    /// None of the addresses led to the host: it may have moved.
    pub fn failed(&self, host: &str) {
        if let Some(name) = self.lock().get_mut(host) {
            name.failed = true;
        }
    }

    fn of_name(
        self: &Arc<LookUps>,
        host: &str,
        listen: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Vec<IpAddr>> {
        let names = self.lock();
        let known = names.get(host).map(|name| name.addresses.clone());
        let known = known.unwrap_or_default();
        let is_of_use = |name: &LookedUpName| !name.failed && !name.addresses.is_empty();
        if names.get(host).is_some_and(is_of_use) {
            return Ok(known);
        }
        drop(names);
        let looked_up = self.begin(host).and_then(|()| {
            let end = Instant::now() + Duration::from_millis(NEWER_MS);
            self.outcome(host, &mut || match known.is_empty() {
                false if Instant::now() >= end => Err(io::ErrorKind::TimedOut.into()),
                _ => listen(),
            })
        });
        match looked_up {
            Err(_) if !known.is_empty() => listen().map(|()| known),
            looked_up => looked_up,
        }
    }

    /// Has the name looked up, unless that is being done.
    fn begin(self: &Arc<LookUps>, host: &str) -> io::Result<()> {
        let mut names = self.lock();
        if names.get(host).is_some_and(|name| name.running) {
            return Ok(());
        }
        let running = names.values().filter(|name| name.running).count();
        if running >= LOOK_UPS_MAX {
            return Err(io::Error::other(format!(
                "`{host}` was not looked up: {LOOK_UPS_MAX} other names are still being looked up"
            )));
        }
        let (all, of) = (Arc::clone(self), host.to_string());
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        thread
            .spawn(move || all.look_up(&of))
            .map_err(|cause| io::Error::other(format!("`{host}` was not looked up: {cause}")))?;
        let name = names.entry(host.to_string()).or_default();
        name.running = true;
        name.failure = None;
        Ok(())
    }

    /// What the thread does.
    fn look_up(&self, host: &str) {
        let found = (self.ask)(host);
        let mut names = self.lock();
        let name = names.entry(host.to_string()).or_default();
        name.running = false;
        match found {
            Ok(addresses) if addresses.is_empty() => {
                name.failure = Some(format!("`{host}` has no address"));
            }
            Ok(mut addresses) => {
                addresses.truncate(ADDRESSES_MAX);
                name.addresses = addresses;
                name.failed = false;
            }
            Err(cause) => name.failure = Some(format!("`{host}` was not found: {cause}")),
        }
        drop(names);
        self.told.notify_all();
    }

    /// Waits for the look-up that runs.
    fn outcome(
        &self,
        host: &str,
        listen: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Vec<IpAddr>> {
        let mut names = self.lock();
        loop {
            match names.get(host) {
                Some(name) if name.running => {}
                Some(LookedUpName {
                    failure: Some(cause),
                    ..
                }) => return Err(io::Error::other(cause.clone())),
                Some(name) => return Ok(name.addresses.clone()),
                None => return Err(io::Error::other(format!("`{host}` was not looked up"))),
            }
            let slice = Duration::from_millis(SLICE_MS);
            let waited = self.told.wait_timeout(names, slice);
            // Listening may take its time.
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            listen()?;
            names = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LookedUpName>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
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
