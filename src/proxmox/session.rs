//! One agent with its trust and its secret, and single exchanges through it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::{self, HeaderValue, Response, header};
use ureq::{Agent, AsSendBody};

use super::answer::{self, Answer};
use super::buffers::{self, HttpBody};
use super::encode::{body_of, target_of};
use super::exchange::{self, CONNECT_KEPT_MS, Exchange, ExchangeStop};
use super::failure::{self, ExchangeFailure};
use super::gateway::AnswerHead;
use super::secret::{Secret, SecretSource};
use super::settings::{Endpoint, Settings};
use super::tls::{self, ClusterTls};
use super::transport::{self, ClusterConnector, Unresolved};
use crate::api::request::{Request, Verb};
use crate::room::{NoRoom, SHARE_MAX_BYTES};
use crate::text::printable;
use crate::{files, log, wait};

/// No write is begun when less than this is left of the call, in seconds.
pub const WRITE_NEEDS_S: u64 = 10;
/// The largest header of an answer.
const HEADER_MAX_BYTES: usize = 32 * 1024;
/// The largest static file that is read.
const STATIC_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Connections that a cluster keeps between requests.
const IDLE_MAX_CONNECTIONS: usize = 2;
const VERSION_MAX_CHARS: usize = 40;

/// The limits of one exchange.
#[derive(Clone, Copy)]
pub struct ExchangeLimits {
    pub write: bool,
    pub end: Instant,
    /// When a write must have begun.
    pub begin_by: Option<Instant>,
    /// When the first byte of the answer must have come, where that is before the end.
    pub answer_by: Option<Instant>,
    /// How long an endpoint that takes no connection is waited for, where the others have answered.
    pub patience: Duration,
    /// Not on a connection from the pool.
    pub fresh: bool,
}

impl ExchangeLimits {
    pub fn new(write: bool, end: Instant) -> ExchangeLimits {
        let begin_by = wait::deadline()
            .filter(|_| write)
            .and_then(|deadline| deadline.checked_sub(Duration::from_secs(WRITE_NEEDS_S)));
        ExchangeLimits {
            write,
            end,
            begin_by,
            answer_by: None,
            patience: Duration::from_millis(CONNECT_KEPT_MS),
            fresh: false,
        }
    }

    pub fn patience(self, patience: Duration) -> ExchangeLimits {
        ExchangeLimits { patience, ..self }
    }

    pub fn answer_by(self, answer_by: Option<Instant>) -> ExchangeLimits {
        ExchangeLimits { answer_by, ..self }
    }

    pub fn on_fresh_connection(self) -> ExchangeLimits {
        ExchangeLimits {
            fresh: true,
            ..self
        }
    }
}

/// What became of a static file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaticFile {
    /// It was read; its `Last-Modified` where it has one.
    Read(Option<String>),
    NotModified,
    /// The server has none, and says so with this status.
    Absent(u16),
}

/// An agent, and the header that it speaks with.
pub struct Session {
    agent: Agent,
    secret: Secret,
    /// The one place where a secret is text.
    authorization: HeaderValue,
    made: Instant,
    /// Whether a request was answered with what it asked for: then the token is valid.
    accepted: AtomicBool,
    /// As the cluster named it, once it was asked, which it is before anything is changed.
    version: Mutex<Option<String>>,
}

impl Session {
    /// Reads the secret and what is trusted.
    ///
    /// # Errors
    /// A sentence that says what could not be read, without its content.
    pub fn new(settings: &Settings) -> Result<Session, String> {
        let secret = read_secret(&settings.secret)?;
        if matches!(settings.secret, SecretSource::Command(_))
            && let Some(doubt) = super::secret::doubt(secret.expose())
        {
            let cluster = &settings.cluster;
            log::warn(&format!(
                "{cluster}: what TOKEN_SECRET_COMMAND printed {doubt}"
            ));
        }
        let trusted = ClusterTls::new(&settings.trust, Path::new(tls::OWN_ROOT))?;
        let connector = ClusterConnector {
            trusted,
            proxy: settings.proxy.clone(),
        };
        // The limits of time are the exchange's, and a proxy is the connector's.
        let config = Config::builder()
            .http_status_as_error(false)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("proxmox-mcp/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(HEADER_MAX_BYTES)
            .max_idle_connections(IDLE_MAX_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_MAX_CONNECTIONS)
            .max_idle_age(transport::idle_max())
            .build();
        let agent = Agent::with_parts(config, connector, Unresolved);
        Session::with_agent(agent, secret, &settings.token_id)
    }

    fn with_agent(agent: Agent, secret: Secret, token_id: &str) -> Result<Session, String> {
        let text = format!("PVEAPIToken={token_id}={}", secret.expose());
        let mut authorization = HeaderValue::from_str(&text)
            .map_err(|_| "the token or its secret holds what no header can carry".to_string())?;
        authorization.set_sensitive(true);
        Ok(Session {
            agent,
            secret,
            authorization,
            made: Instant::now(),
            accepted: AtomicBool::new(false),
            version: Mutex::default(),
        })
    }

    /// This session with the secret read again; `None` where it is unchanged, or cannot be read.
    pub fn with_new_secret(&self, settings: &Settings) -> Option<Session> {
        if matches!(settings.secret, SecretSource::Value(_)) {
            return None;
        }
        let secret = read_secret(&settings.secret)
            .map_err(|cause| log::warn(&format!("{}: {cause}", settings.cluster)))
            .ok()
            .filter(|secret| *secret != self.secret)?;
        Session::with_agent(self.agent.clone(), secret, &settings.token_id).ok()
    }

    pub fn has_secret(&self, secret: &Secret) -> bool {
        self.secret == *secret
    }

    /// Whether it was made before `call`, and by then was `age` old.
    pub fn is_older_than(&self, age: Duration, call: Instant) -> bool {
        self.made < call && call.saturating_duration_since(self.made) >= age
    }

    /// What the cluster said to be, once it was asked.
    pub fn version(&self) -> Option<String> {
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        version.clone()
    }

    pub fn is_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    pub fn name_version(&self, version: &str) {
        let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(printable(version, VERSION_MAX_CHARS));
    }

    /// Sends `request` to `endpoint` and reads the whole answer.
    ///
    /// # Errors
    /// How far it got.
    pub fn exchange(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        connect: Duration,
        timing: ExchangeLimits,
    ) -> Result<Answer, ExchangeFailure> {
        let started = Instant::now();
        let exchange = Exchange::new(timing, connect);
        let (outcome, after) = exchange::run(exchange, || {
            let uri = format!("https://{endpoint}/api2/json{}", target_of(request));
            buffers::longest_line(uri.len().max(self.authorization.len()));
            let builder = http::Request::builder()
                .method(request.verb.name())
                .uri(uri)
                .header(header::AUTHORIZATION, &self.authorization);
            let response = match request.verb {
                Verb::Get | Verb::Delete => self.run(builder.body(())?, timing)?,
                Verb::Post | Verb::Put => {
                    let builder = builder.header(header::CONTENT_TYPE, "application/json");
                    self.run(builder.body(body_of(request))?, timing)?
                }
            };
            read_answer(response, timing.end)
        });
        log::debug(|| {
            format!(
                "{} {endpoint}: {} in {} ms",
                answer::line_of(request),
                outcome
                    .as_ref()
                    .map_or_else(failure::error_text, |(answer, _)| answer.status.to_string()),
                started.elapsed().as_millis()
            )
        });
        let Some(after) = after else {
            return Err(ExchangeFailure::NotAnAnswer("the exchange was lost".into()));
        };
        match outcome {
            Ok((mut answer, signs)) => {
                answer.reason = after.reason();
                match signs.stranger(&answer.reason, &answer.body) {
                    Some(cause) => Err(ExchangeFailure::Gateway(cause)),
                    None => Ok(answer),
                }
            }
            Err(error) => Err(failure::of(&error, &after, connect, timing)),
        }
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
        timing: ExchangeLimits,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        if timing.fresh {
            let no_idle = self.agent.configure_request(request);
            let request = no_idle.max_idle_age(Duration::ZERO).build();
            return self.agent.run(request);
        }
        self.agent.run(request)
    }

    /// Reads the static file at `path` through `read`. No token is sent.
    ///
    /// # Errors
    /// How far it got.
    pub fn read_static(
        &self,
        endpoint: &Endpoint,
        path: &str,
        since: Option<&str>,
        connect: Duration,
        timing: ExchangeLimits,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), String>,
    ) -> Result<StaticFile, ExchangeFailure> {
        let mut refusal = None;
        let mut signs = AnswerHead::default();
        let exchange = Exchange::new(timing, connect);
        let (outcome, after) = exchange::run(exchange, || {
            let mut builder = http::Request::builder().uri(format!("https://{endpoint}{path}"));
            if let Some(since) = since {
                builder = builder.header(header::IF_MODIFIED_SINCE, since);
            }
            let response = self.run(builder.body(())?, timing)?;
            let status = response.status().as_u16();
            signs = AnswerHead::of(status, response.headers());
            match status {
                304 => return Ok(StaticFile::NotModified),
                200 => {}
                status => return Ok(StaticFile::Absent(status)),
            }
            let modified = response
                .headers()
                .get(header::LAST_MODIFIED)
                .and_then(|value| value.to_str().ok())
                .map(str::to_string);
            let body = response.into_body().into_with_config();
            if let Err(cause) = read(&mut body.limit(STATIC_MAX_BYTES).reader()) {
                refusal = Some(cause);
            }
            Ok(StaticFile::Read(modified))
        });
        let Some(after) = after else {
            return Err(ExchangeFailure::NotAnAnswer("the exchange was lost".into()));
        };
        match (outcome, refusal) {
            (Err(error), _) => Err(failure::of(&error, &after, connect, timing)),
            (Ok(_), Some(_)) if after.stop == Some(ExchangeStop::Cancelled) => {
                Err(ExchangeFailure::Cancelled)
            }
            (Ok(_), Some(cause)) => Err(ExchangeFailure::NotAnAnswer(cause)),
            // Whoever reads the file tells whether it is one; here it is whether anybody has it.
            (Ok(file), None) => match signs.stranger(&after.reason(), &[]) {
                Some(cause) if signs.is_unreached() => Err(ExchangeFailure::Gateway(cause)),
                _ => Ok(file),
            },
        }
    }
}

fn read_answer(
    response: Response<ureq::Body>,
    end: Instant,
) -> Result<(Answer, AnswerHead), ureq::Error> {
    let status = response.status().as_u16();
    let signs = AnswerHead::of(status, response.headers());
    let date = response.headers().get(header::DATE);
    let date = date.and_then(|date| date.to_str().ok()).map(str::to_string);
    let body = response.into_body();
    let length = body.content_length();
    let body = match body_of_answer(body, length, end) {
        // A refusal is one by its status line alone.
        Err(_) if status >= 400 => HttpBody::default(),
        body => body?,
    };
    let answer = Answer {
        status,
        reason: String::new(),
        date,
        body,
    };
    Ok((answer, signs))
}

fn body_of_answer(body: ureq::Body, length: Option<u64>, end: Instant) -> io::Result<HttpBody> {
    let read = match length {
        Some(length) if length > SHARE_MAX_BYTES as u64 => Err(io::Error::other(NoRoom::TooLarge)),
        length => HttpBody::read(body.into_reader(), length, Some(end)),
    };
    read.inspect_err(|cause| {
        let inner = cause.get_ref();
        if let Some(why) = inner.and_then(|inner| inner.downcast_ref::<NoRoom>()) {
            exchange::no_room(*why, length);
        }
    })
}

fn read_secret(source: &SecretSource) -> Result<Secret, String> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => files::secret_file(path).map(Secret::new),
        SecretSource::Command(argv) => files::secret_command(argv).map(Secret::new),
    }
    .map_err(|cause| format!("the token's secret cannot be read: {cause}"))
}
