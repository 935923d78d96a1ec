//! One endpoint of a cluster asked step by step: what the client does for a call, but with each
//! step's outcome kept, and without trying another endpoint.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::answer;
use super::failure::ExchangeFailure;
use super::look::{self, ConnectionProbe};
use super::session::{ExchangeLimits, Session};
use super::settings::{Endpoint, Settings};
use super::tls::{self, ClusterTls};
use crate::api::loose::boolean;
use crate::api::request::{Request, Verb};
use crate::charged::Charged;
use crate::error::Error;
use crate::room::CacheCharge;

/// The newest major version whose privileges are known here.
const MAJOR_NEWEST: u32 = 9;

/// What came of each step; `None` where it was not come to.
pub struct Probe {
    pub look: ConnectionProbe,
    /// Why the cluster cannot be asked, though it is trusted: the secret cannot be read.
    pub unasked: Option<String>,
    pub date: Option<ServerClock>,
    /// The answer of `GET /version`, which no privilege guards: the token is accepted.
    pub version: Option<Result<Value, Error>>,
    /// How long that takes on a connection that stands.
    pub latency: Option<Duration>,
    /// The answers of `GET /cluster/status` and `GET /access/permissions`.
    pub status: Option<Result<Value, Error>>,
    pub permissions: Option<Result<Value, Error>>,
    /// Whether the token has privileges of its own, less than its user's; where that can be read.
    pub separated: Option<bool>,
    kept: Vec<CacheCharge>,
}

/// What a server's clock said, as it said it, at some moment between two of ours: an answer may be
/// late, and that of a token that is refused is so on purpose.
pub struct ServerClock {
    pub said: String,
    pub asked: SystemTime,
    pub answered: SystemTime,
}

impl Probe {
    /// The major version of Proxmox VE; the newest known one where it was not told.
    pub fn major(&self) -> u32 {
        let version = self
            .version
            .as_ref()
            .and_then(|version| version.as_ref().ok());
        let version = version.and_then(|version| version.get("version")?.as_str());
        let major = version.and_then(|version| version.split('.').next()?.parse().ok());
        major.unwrap_or(MAJOR_NEWEST)
    }
}

/// Asks one endpoint in at most `time`. `session` makes, or gives, what the cluster is asked with:
/// only where its certificate is trusted.
pub fn probe<'a>(
    settings: &Settings,
    endpoint: &Endpoint,
    time: Duration,
    session: impl FnOnce() -> &'a Result<Session, String>,
) -> Probe {
    let end = Instant::now() + time;
    let trusted = ClusterTls::new(&settings.trust, std::path::Path::new(tls::OWN_ROOT));
    let mut probe = Probe {
        look: look::look(endpoint, &trusted, settings.proxy.as_ref(), time),
        unasked: None,
        date: None,
        version: None,
        latency: None,
        status: None,
        permissions: None,
        separated: None,
        kept: Vec::new(),
    };
    if !matches!(probe.look.trusted, Some(Ok(()))) {
        return probe;
    }
    let asking = match session() {
        Ok(session) => Asking {
            settings,
            endpoint,
            session,
            end,
        },
        Err(cause) => {
            probe.unasked = Some(cause.clone());
            return probe;
        }
    };
    let version = asking.get(&["version"], &mut probe.date);
    let version = probe.keep(&asking, version);
    let accepted = version.is_ok();
    probe.version = Some(version);
    if accepted {
        // The first one may have had to connect.
        let begun = Instant::now();
        let again = asking.get(&["version"], &mut probe.date);
        probe.latency = again.is_ok().then(|| begun.elapsed());
        let status = asking.get(&["cluster", "status"], &mut probe.date);
        probe.status = Some(probe.keep(&asking, status));
        let permissions = asking.get(&["access", "permissions"], &mut probe.date);
        probe.permissions = Some(probe.keep(&asking, permissions));
        probe.separated = asking.separated();
    }
    probe
}

impl Probe {
    fn keep(
        &mut self,
        asking: &Asking,
        read: Result<(Request, Charged<Value>), Error>,
    ) -> Result<Value, Error> {
        let (request, held) = read?;
        let (value, kept) = held
            .keep()
            .map_err(|why| answer::not_an_answer(asking.settings, &request, why.to_string()))?;
        self.kept.push(kept);
        Ok(value)
    }
}

struct Asking<'a> {
    settings: &'a Settings,
    endpoint: &'a Endpoint,
    session: &'a Session,
    end: Instant,
}

impl Asking<'_> {
    fn get(
        &self,
        path: &[&str],
        date: &mut Option<ServerClock>,
    ) -> Result<(Request, Charged<Value>), Error> {
        let request = Request {
            verb: Verb::Get,
            path: path.iter().map(|part| (*part).to_string()).collect(),
            params: serde_json::Map::new(),
        };
        let timing =
            ExchangeLimits::new(false, self.end.min(Instant::now() + self.settings.timeout));
        let send = |timing: ExchangeLimits| {
            let left = timing.end.saturating_duration_since(Instant::now());
            self.session.exchange(self.endpoint, &request, left, timing)
        };
        let mut asked = SystemTime::now();
        let outcome = match send(timing) {
            Err(ExchangeFailure::Stale) => {
                asked = SystemTime::now();
                send(timing.on_fresh_connection())
            }
            outcome => outcome,
        };
        let explained =
            |failure: ExchangeFailure| failure.explain(self.settings, self.endpoint, &request);
        let answer = outcome.map_err(explained)?;
        if let Some(said) = &answer.date {
            *date = Some(ServerClock {
                said: said.clone(),
                asked,
                answered: SystemTime::now(),
            });
        }
        let body = answer.accepted(self.settings, &request)?;
        let reply = answer::parse(self.settings, &request, &body)?;
        Ok((request, reply.data))
    }

    /// A token may look at itself in newer versions; where it may not, nothing is known.
    fn separated(&self) -> Option<bool> {
        let (user, token) = self.settings.token_id.split_once('!')?;
        let (_, token) = self
            .get(&["access", "users", user, "token", token], &mut None)
            .ok()?;
        boolean(token.get("privsep")?)
    }
}
