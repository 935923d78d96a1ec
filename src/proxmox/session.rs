//! One agent with its trust and its secret, and single exchanges through it.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use ureq::config::Config;
use ureq::http::{self, HeaderValue, Response, header};
use ureq::{Agent, AsSendBody};

use super::answer::{self, Answer, REPLY_MAX_BYTES};
use super::cert;
use super::client::{StaticFile, Timing};
use super::dial::Names;
use super::digest::{fingerprint_text, sha256};
use super::exchange::{self, Exchange, Stop};
use super::request::{Request, Verb};
use super::secret::{Secret, SecretSource};
use super::settings::{Endpoint, Settings};
use super::tls::{self, Trusted};
use super::transport::{self, ClusterConnector};
use crate::error::Error;
use crate::text::printable;
use crate::{files, log};

/// The largest header of an answer.
const HEADER_MAX_BYTES: usize = 32 * 1024;
/// The largest static file that is read.
const STATIC_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Connections that a cluster keeps between requests.
const IDLE_MAX_CONNECTIONS: usize = 2;
const CAUSE_MAX_CHARS: usize = 300;

/// An agent, and the header that it speaks with.
pub struct Session {
    agent: Agent,
    secret: Secret,
    /// The one place where a secret is text.
    authorization: HeaderValue,
    made: Instant,
    /// Known once a request was answered: then the token is valid.
    version: OnceLock<String>,
}

/// How an exchange failed.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was sent, another node may be tried.
    /// With the fingerprint of a certificate that was not trusted.
    NotConnected {
        cause: String,
        fingerprint: Option<String>,
    },
    /// The connection came from the pool and had died: nothing of an answer to a read came, or
    /// nothing of a write was sent.
    Stale,
    /// Nothing was sent, and it is not to be tried again.
    NotBegun(String),
    /// The request had begun to leave, or had left, and the answer is not whole.
    Cut(String),
    /// Something came that is no answer.
    NotAnAnswer(String),
    Cancelled,
}

impl Failure {
    /// The failure as the caller sees it.
    pub fn explain(self, settings: &Settings, endpoint: &Endpoint, request: &Request) -> Error {
        let cluster = settings.cluster.clone();
        let write = request.verb != Verb::Get;
        match self {
            Failure::Cancelled => Error::Cancelled,
            Failure::NotConnected { cause, .. } | Failure::NotBegun(cause) => Error::Unreachable {
                cluster,
                cause: format!("{endpoint}: {cause}"),
                hint: None,
            },
            // Of a write that counts as stale no byte has left.
            Failure::Stale if write => Error::Unreachable {
                cluster,
                cause: format!("{endpoint}: the connection was closed"),
                hint: None,
            },
            Failure::Stale => cut(settings, request, "the connection was closed".into()),
            Failure::Cut(cause) if write => Error::Interrupted {
                cluster,
                request: answer::line_of(request),
                cause,
            },
            Failure::Cut(cause) => cut(settings, request, cause),
            Failure::NotAnAnswer(cause) => answer::not_an_answer(settings, request, cause),
        }
    }
}

fn cut(settings: &Settings, request: &Request, cause: String) -> Error {
    let cause = format!("it is not whole ({cause}); a read changes nothing and can be repeated");
    answer::not_an_answer(settings, request, cause)
}

impl Session {
    /// Reads the secret and what is trusted.
    ///
    /// # Errors
    /// A sentence that says what could not be read, without its content.
    pub fn new(settings: &Settings) -> Result<Session, String> {
        let secret = read_secret(&settings.secret)?;
        let trusted = Trusted::new(&settings.trust, Path::new(tls::OWN_ROOT))?;
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
        let agent = Agent::with_parts(config, connector, Names::new(settings.proxy.clone()));
        Session::with_agent(agent, secret, &settings.token_id)
    }

    fn with_agent(agent: Agent, secret: Secret, token_id: &str) -> Result<Session, String> {
        let text = format!("PVEAPIToken={token_id}={}", secret.expose());
        let mut authorization = HeaderValue::from_str(&text)
            .map_err(|_| "the token or its secret holds a control character".to_string())?;
        authorization.set_sensitive(true);
        Ok(Session {
            agent,
            secret,
            authorization,
            made: Instant::now(),
            version: OnceLock::new(),
        })
    }

    /// The same agent with the secret read again; `None` where it is the same, or cannot be read.
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

    /// Whether it was made before `call`, and by then was `age` old.
    pub fn is_older_than(&self, age: Duration, call: Instant) -> bool {
        self.made < call && call.saturating_duration_since(self.made) >= age
    }

    /// What the cluster said to be, once it was asked.
    pub fn version(&self) -> Option<&str> {
        self.version.get().map(String::as_str)
    }

    pub fn validate(&self, version: &str) {
        // A second thread may have asked too, and heard the same.
        let _ = self.version.set(printable(version, CAUSE_MAX_CHARS));
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
        timing: Timing,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let exchange = Exchange::new(timing.write, timing.end, connect, timing.begin_by);
        let (outcome, after) = exchange::run(exchange, || {
            let uri = format!("https://{endpoint}/api2/json{}", target_of(request));
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
            read_answer(response)
        });
        log::debug(&format!(
            "{} {endpoint}: {} in {} ms",
            answer::line_of(request),
            outcome
                .as_ref()
                .map_or_else(error_text, |answer| answer.status.to_string()),
            started.elapsed().as_millis()
        ));
        let Some(after) = after else {
            return Err(Failure::Cut("the exchange was lost".into()));
        };
        match outcome {
            Ok(mut answer) => {
                answer.reason = after.reason();
                Ok(answer)
            }
            Err(error) => Err(failure(&error, &after, connect, timing)),
        }
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
        timing: Timing,
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
        timing: Timing,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), String>,
    ) -> Result<StaticFile, Failure> {
        let mut refusal = None;
        let exchange = Exchange::new(timing.write, timing.end, connect, timing.begin_by);
        let (outcome, after) = exchange::run(exchange, || {
            let mut builder = http::Request::builder().uri(format!("https://{endpoint}{path}"));
            if let Some(since) = since {
                builder = builder.header(header::IF_MODIFIED_SINCE, since);
            }
            let response = self.run(builder.body(())?, timing)?;
            let status = response.status().as_u16();
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
            return Err(Failure::Cut("the exchange was lost".into()));
        };
        match (outcome, refusal) {
            (Err(error), _) => Err(failure(&error, &after, connect, timing)),
            (Ok(_), Some(_)) if after.stop == Some(Stop::Cancelled) => Err(Failure::Cancelled),
            (Ok(_), Some(cause)) => Err(Failure::NotAnAnswer(cause)),
            (Ok(file), None) => Ok(file),
        }
    }
}

fn read_answer(response: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let limit = u64::try_from(REPLY_MAX_BYTES).unwrap_or(u64::MAX);
    let body = response
        .into_body()
        .into_with_config()
        .limit(limit)
        .read_to_vec();
    match body {
        // A refusal is one by its status line alone.
        Err(_) if status >= 400 => Ok(Vec::new()),
        body => body,
    }
    .map(|body| Answer {
        status,
        reason: String::new(),
        body,
    })
}

/// What an error of ureq means, given how far the exchange had got.
fn failure(error: &ureq::Error, after: &Exchange, connect: Duration, timing: Timing) -> Failure {
    let cause = match after.stop {
        Some(Stop::Cancelled) => {
            if timing.write && after.sent > 0 {
                log::warn("a write was cancelled under way: it may have taken effect");
            }
            return Failure::Cancelled;
        }
        Some(Stop::TooLate) => {
            return Failure::NotBegun("connecting left too little time to begin a write".into());
        }
        Some(Stop::Closed) => "given up, as standard input ended".to_string(),
        Some(Stop::OutOfTime) if !after.connected => {
            format!("no connection within {:.1} s", connect.as_secs_f64())
        }
        Some(Stop::OutOfTime) => "no answer in time".to_string(),
        None => error_text(error),
    };
    if let Some((certificate, why)) = &after.untrusted {
        return not_trusted(certificate, why);
    }
    match (after.connected, after.sent, after.received) {
        (_, 0, _) if after.stop == Some(Stop::Closed) => Failure::NotBegun(cause),
        (false, _, _) => Failure::NotConnected {
            cause,
            fingerprint: None,
        },
        (true, 0, _) if after.reused && after.stop.is_none() => Failure::Stale,
        (true, 0, _) => Failure::NotBegun(cause),
        (true, _, 0) if after.reused && after.stop.is_none() && !timing.write => Failure::Stale,
        (true, _, 0) => Failure::Cut(cause),
        (true, _, _) => match error {
            ureq::Error::Io(_) => Failure::Cut(cause),
            _ => Failure::NotAnAnswer(cause),
        },
    }
}

fn error_text(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Io(e) => e.to_string(),
        ureq::Error::BodyExceedsLimit(bytes) => format!("it is larger than {bytes} bytes"),
        ureq::Error::LargeResponseHeader(_, _) => "its header is too large".to_string(),
        other => other.to_string(),
    };
    printable(&text, CAUSE_MAX_CHARS)
}

fn not_trusted(der: &[u8], why: &str) -> Failure {
    let certificate = cert::read(der);
    let fingerprint = fingerprint_text(&sha256(der));
    let mut cause = format!(
        "the certificate is not trusted: {why}; SHA-256 fingerprint {fingerprint}, subject `{}`",
        certificate.subject
    );
    // Writing to a `String` cannot fail.
    let _ = write!(
        cause,
        ", names {}, valid from {} to {} UTC",
        if certificate.names.is_empty() {
            "none".to_string()
        } else {
            certificate.names.join(" ")
        },
        certificate.not_before,
        certificate.not_after
    );
    Failure::NotConnected {
        cause,
        fingerprint: Some(fingerprint),
    }
}

fn read_secret(source: &SecretSource) -> Result<Secret, String> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => files::secret_file(path).map(Secret::new),
        SecretSource::Command(argv) => files::secret_command(argv).map(Secret::new),
    }
    .map_err(|cause| format!("the token's secret cannot be read: {cause}"))
}

/// The JSON body of a POST or PUT; empty for the other methods. Unset parameters are left out:
/// Proxmox takes a null for all sorts of things.
pub fn body_of(request: &Request) -> Vec<u8> {
    if matches!(request.verb, Verb::Get | Verb::Delete) {
        return Vec::new();
    }
    let params: Map<String, Value> = request
        .params
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(params).to_string().into_bytes()
}

/// Path and query, encoded. Proxmox wants 1 and 0 in a query, and takes a list as a repeated name.
fn target_of(request: &Request) -> String {
    let mut target = String::new();
    for part in &request.path {
        target.push('/');
        encode(part, &mut target);
    }
    if matches!(request.verb, Verb::Post | Verb::Put) {
        return target;
    }
    let mut separator = '?';
    let mut add = |name: &str, value: &Value| {
        let text = match value {
            Value::Null => return,
            Value::Bool(yes) => if *yes { "1" } else { "0" }.to_string(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        target.push(separator);
        separator = '&';
        encode(name, &mut target);
        target.push('=');
        encode(&text, &mut target);
    };
    for (name, value) in &request.params {
        match value {
            Value::Array(values) => values.iter().for_each(|value| add(name, value)),
            value => add(name, value),
        }
    }
    target
}

/// Percent-encodes everything but the characters that need it nowhere (RFC 3986). The slashes of a
/// volume become `%2F`, as Proxmox wants them (measured on 9.2).
fn encode(text: &str, target: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(target, "%{byte:02X}");
        }
    }
}
