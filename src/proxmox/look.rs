//! One endpoint looked at without a request: its name, its port, its certificate. What `check`
//! begins with, and all that `trust` does.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::broken;
use super::exchange::{self, Exchange, ExchangeStop, Remedy};
use super::session::ExchangeLimits;
use super::settings::{Endpoint, Proxy};
use super::tls::ClusterTls;
use super::transport;
use crate::text::printable;

/// The longest that connecting takes, its handshake included, in seconds.
const CONNECT_MAX_S: u64 = 5;
/// More certificates than this are not kept.
const CHAIN_MAX: usize = 8;
const CAUSE_MAX_CHARS: usize = 300;

/// What came of each step; `None` where an earlier one failed.
#[derive(Debug, Default)]
pub struct ConnectionProbe {
    /// The addresses of the name; of the proxy, where there is one.
    pub addresses: Option<Result<Vec<SocketAddr>, String>>,
    /// How long the connection took.
    pub connected: Option<Result<Duration, String>>,
    /// Whether TLS is spoken and the certificate trusted.
    pub trusted: Option<Result<(), String>>,
    /// The certificates that the server showed, its own first, as DER. Of one that was not trusted
    /// only its own.
    pub chain: Vec<Vec<u8>>,
    /// Where it is not trusted: how that came.
    pub distrust: Option<Distrust>,
}

/// Why a connection that stood is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// What is to be trusted cannot be read.
    Unreadable,
    /// The certificate was seen and judged, or none could be shown; what mends it.
    Certificate(Remedy),
    /// It did not come to a certificate.
    NoTls,
}

/// Looks at `endpoint`. Where `trusted` could not be made, that is why it is not trusted.
pub fn look(
    endpoint: &Endpoint,
    trusted: &Result<ClusterTls, String>,
    proxy: Option<&Proxy>,
    time: Duration,
) -> ConnectionProbe {
    let mut look = ConnectionProbe::default();
    let time = time.min(Duration::from_secs(CONNECT_MAX_S));
    let exchange = Exchange::new(ExchangeLimits::new(false, Instant::now() + time), time);
    let (failure, after) = exchange::run(exchange, || {
        steps(endpoint, trusted, proxy, &mut look).err()
    });
    let Some(after) = after else {
        return look;
    };
    if let Some(untrusted) = after.untrusted {
        look.chain = vec![untrusted.der];
        look.distrust = Some(Distrust::Certificate(untrusted.remedy));
        look.trusted = Some(Err(untrusted.why));
    } else if let Some(failure) = failure {
        look.distrust = look
            .distrust
            .or(broken::remedy(&failure).map(Distrust::Certificate));
        let cause = match after.stop {
            Some(ExchangeStop::OutOfTime) => {
                format!("nothing came within {:.0} s", time.as_secs_f64())
            }
            _ => printable(&broken::io_text(&failure), CAUSE_MAX_CHARS),
        };
        look.fail(cause);
    }
    look
}

fn steps(
    endpoint: &Endpoint,
    trusted: &Result<ClusterTls, String>,
    proxy: Option<&Proxy>,
    look: &mut ConnectionProbe,
) -> io::Result<()> {
    let (host, port) = transport::dialled(endpoint, proxy);
    let addresses = transport::addresses(host, port)?;
    look.addresses = Some(Ok(addresses.clone()));
    exchange::connecting();
    let begun = Instant::now();
    let mut stream = transport::reach(&addresses, endpoint, proxy.is_some())?;
    look.connected = Some(Ok(begun.elapsed()));
    let trusted = match trusted {
        Ok(trusted) => trusted,
        Err(cause) => {
            look.distrust = Some(Distrust::Unreadable);
            return Err(io::Error::other(cause.clone()));
        }
    };
    let tls = transport::shake_hands(&mut stream, endpoint, trusted, proxy.is_some())?;
    let chain = tls.peer_certificates().unwrap_or_default();
    let chain = chain.iter().take(CHAIN_MAX);
    look.chain = chain.map(|certificate| certificate.to_vec()).collect();
    look.trusted = Some(Ok(()));
    Ok(())
}

impl ConnectionProbe {
    /// The first step that has not been done is the one that failed.
    fn fail(&mut self, cause: String) {
        if self.addresses.is_none() {
            self.addresses = Some(Err(cause));
        } else if self.connected.is_none() {
            self.connected = Some(Err(cause));
        } else {
            self.distrust = self.distrust.or(Some(Distrust::NoTls));
            self.trusted = Some(Err(cause));
        }
    }
}
