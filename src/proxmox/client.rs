//! The client of one cluster: a request in, a reply or the reason why not out.
//!
//! It knows what may have happened when something goes wrong. A request that no connection took may
//! go to the next node; a read on a connection that had silently died is repeated once; a write of which
//! a byte has left is repeated only where the answer says that nothing was begun.

mod endpoints;
mod health;
mod status;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::answer::{self, Answer};
use super::buffers::HttpBody;
use super::encode;
use super::secret::{Secret, SecretSource};
use super::session::{Session, StaticFile, WRITE_NEEDS_S};
use super::settings::Settings;
use crate::api::request::{Reply, Request, Verb};
use crate::error::Error;
use crate::wait::{self, Wake};

use health::Health;
pub use status::ClientStatus;

/// How long a refused token is remembered, in seconds: Proxmox takes 3 s for each such answer.
const REFUSED_KEPT_S: u64 = 10;
/// How much of the call's time a write leaves for looking at what became of it, in seconds, should
/// its answer not come.
pub const AFTERMATH_S: u64 = 4;
/// The first pause before a request is repeated that Proxmox did not begin, in milliseconds; each
/// further one is twice as long.
const REPEAT_PAUSE_MS: u64 = 500;
/// No read is repeated with less than this left, in seconds.
const READ_NEEDS_S: u64 = 1;
/// So many of the last tasks are known as told.
const TASKS_KEPT: usize = 64;
/// Proxmox refuses a larger body, and closes the connection while it is still being written.
const BODY_MAX_BYTES: usize = 512 * 1024;
/// A request line of 9 kB was taken, more is not known (measured on 9.2).
const TARGET_MAX_BYTES: usize = 8 * 1024;

/// One cluster. May be used by several threads at once.
pub struct ClusterClient {
    settings: Settings,
    state: Mutex<ClientState>,
}

#[derive(Default)]
struct ClientState {
    session: Option<Arc<Session>>,
    /// A token that was not accepted, and since when.
    refused: Option<(Instant, Error)>,
    health: Health,
    /// The call in whose read of several clusters it was left before its time, and why.
    left: Option<(Instant, String)>,
    /// What the cluster's clock said last, as it said it, and what ours said then.
    clock: Option<(String, SystemTime)>,
    /// The tasks whose UPID was told.
    tasks: VecDeque<String>,
}

impl ClusterClient {
    /// Contacts nobody and reads nothing: that happens at the first request.
    pub fn new(settings: Settings) -> ClusterClient {
        ClusterClient {
            settings,
            state: Mutex::default(),
        }
    }

    /// Whether this is its token's secret, as it is set or was last read.
    pub fn has_secret(&self, secret: &Secret) -> bool {
        let is_set = matches!(&self.settings.secret, SecretSource::Value(own) if own == secret);
        let session = self.state().session.clone();
        is_set || session.is_some_and(|session| session.has_secret(secret))
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends `request` and waits for its reply.
    ///
    /// # Errors
    /// Every variant of [`Error`] that a cluster can cause; each says what may have happened.
    pub fn send(&self, request: &Request) -> Result<Reply, Error> {
        self.send_within(request, self.settings.timeout)
    }

    /// Sends a request in at most `time` for everything: all nodes, validation, and the answer.
    ///
    /// # Errors
    /// As [`ClusterClient::send`].
    pub fn send_within(&self, request: &Request, time: Duration) -> Result<Reply, Error> {
        let body = self.send_raw_within(request, time)?;
        let reply = answer::parse(&self.settings, request, &body)?;
        if request.path == ["version"] {
            self.name_version(&reply);
        }
        if let Some(upid) = reply.data.as_str().filter(|text| text.starts_with("UPID:")) {
            self.remember_task(upid);
        }
        Ok(reply)
    }

    /// Keeps the version, for which somebody else asked.
    fn name_version(&self, reply: &Reply) {
        let session = self.state().session.clone();
        let version = reply.data.get("version").and_then(|v| v.as_str());
        if let (Some(session), Some(version)) = (session, version) {
            session.name_version(version);
        }
    }

    /// Keeps in mind that this task is known: it is not another request's.
    pub(super) fn remember_task(&self, upid: &str) {
        let tasks = &mut self.state().tasks;
        tasks.push_back(upid.to_string());
        if tasks.len() > TASKS_KEPT {
            tasks.pop_front();
        }
    }

    /// Sends `request`; the body of its answer as it came, which the caller must judge itself.
    ///
    /// # Errors
    /// As [`ClusterClient::send`].
    pub fn send_raw(&self, request: &Request) -> Result<HttpBody, Error> {
        self.send_raw_within(request, self.settings.timeout)
    }

    /// [`ClusterClient::send_raw`] in at most `time`.
    ///
    /// # Errors
    /// As [`ClusterClient::send`].
    pub fn send_raw_within(&self, request: &Request, time: Duration) -> Result<HttpBody, Error> {
        check_size(request)?;
        let end = self.end(request.verb, time);
        self.may_begin(request)?;
        let mut session = match request.verb {
            // Its own answer tells as much as a validation, and nothing is done by it.
            Verb::Get => self.session()?,
            _ => self.validated(end)?,
        };
        // Validation may have taken its time.
        self.may_begin(request)?;
        let mut pause = Duration::from_millis(REPEAT_PAUSE_MS);
        let answer = loop {
            let answer = self.ask(&mut session, request, end)?;
            if !answer.may_be_repeated() || !self.may_repeat(request, end, pause)? {
                break answer;
            }
            pause = pause.saturating_mul(2);
        };
        answer.accepted(&self.settings, request)
    }

    /// Pauses before a request is repeated, where time is left for both.
    fn may_repeat(&self, request: &Request, end: Instant, pause: Duration) -> Result<bool, Error> {
        let needed = match request.verb {
            Verb::Get => READ_NEEDS_S,
            _ => WRITE_NEEDS_S.saturating_sub(AFTERMATH_S),
        };
        let left = end.saturating_duration_since(Instant::now());
        if left < pause + Duration::from_secs(needed) {
            return Ok(false);
        }
        match wait::sleep(pause) {
            Wake::Nothing => Ok(true),
            Wake::Closed => Ok(false),
            Wake::Cancelled => Err(Error::cancelled()),
        }
    }

    /// The cluster's version, as `GET /version` told it; asked for now where it was not.
    ///
    /// # Errors
    /// As [`ClusterClient::send`].
    pub fn version(&self) -> Result<String, Error> {
        let end = self.end(Verb::Get, self.settings.timeout);
        let mut session = self.session()?;
        if session.version().is_none() {
            self.ask_version(&mut session, end)?;
        }
        Ok(session.version().unwrap_or_default())
    }

    /// The cluster's version, asked for now: it may have been upgraded.
    ///
    /// # Errors
    /// As [`ClusterClient::send`].
    pub fn version_now(&self) -> Result<String, Error> {
        let mut session = self.session()?;
        self.ask_version(&mut session, self.end(Verb::Get, self.settings.timeout))?;
        Ok(session.version().unwrap_or_default())
    }

    /// Reads a static file of the cluster's web server, which takes no token, as it streams.
    /// `since` is the `Last-Modified` of what is known already.
    ///
    /// # Errors
    /// As [`ClusterClient::send`], and what `read` made of the stream as `ReplyError`.
    pub fn read_static(
        &self,
        path: &str,
        since: Option<&str>,
        read: &mut dyn FnMut(&mut dyn std::io::Read) -> Result<(), String>,
    ) -> Result<StaticFile, Error> {
        let end = self.end(Verb::Get, self.settings.timeout);
        self.may_begin(&version_request())?;
        let session = self.validated(end)?;
        let request = Request {
            verb: Verb::Get,
            path: path.split('/').skip(1).map(str::to_string).collect(),
            params: serde_json::Map::new(),
        };
        let elsewhere = |_: &StaticFile| false;
        self.by_endpoint(&request, end, elsewhere, |endpoint, connect, timing| {
            session.read_static(endpoint, path, since, connect, timing, read)
        })
    }

    fn end(&self, verb: Verb, time: Duration) -> Instant {
        let spared = match verb {
            Verb::Get => Duration::ZERO,
            _ => Duration::from_secs(AFTERMATH_S),
        };
        let time = time.min(self.settings.timeout);
        let time = wait::remaining().map_or(time, |left| left.saturating_sub(spared).min(time));
        Instant::now() + time
    }

    /// Whether the call still has the time, and the client's ear, that this request needs.
    fn may_begin(&self, request: &Request) -> Result<(), Error> {
        let write = request.verb != Verb::Get;
        match wait::listen(Duration::ZERO) {
            Wake::Cancelled => return Err(Error::cancelled()),
            Wake::Closed => {
                return Err(self.unreachable("nothing is begun after standard input ended".into()));
            }
            Wake::Nothing => {}
        }
        match wait::remaining() {
            Some(left) if left.is_zero() => {
                Err(self.unreachable("the call's time is over".to_string()))
            }
            Some(left) if write && left < Duration::from_secs(WRITE_NEEDS_S) => {
                Err(self.unreachable(format!("no write is begun with {} s left", left.as_secs())))
            }
            _ => Ok(()),
        }
    }

    fn unreachable(&self, cause: String) -> Error {
        Error::unreachable(&self.settings.cluster, cause)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, ClientState> {
        // What a panicking thread leaves behind is whole values all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, made anew where it had grown too old when the call began.
    fn session(&self) -> Result<Arc<Session>, Error> {
        let mut state = self.state();
        if let Some((since, error)) = &state.refused
            && since.elapsed() < Duration::from_secs(REFUSED_KEPT_S)
        {
            let mut error = error.clone();
            error.cause.push_str(&format!(
                " (remembered for {REFUSED_KEPT_S} s, in which it is not asked again)"
            ));
            return Err(error);
        }
        state.refused = None;
        let call = wait::started().unwrap_or_else(Instant::now);
        if let Some(session) = &state.session
            && !session.is_older_than(self.settings.renew_after, call)
        {
            return Ok(Arc::clone(session));
        }
        let session = Session::new(&self.settings)
            .map(Arc::new)
            .map_err(|cause| self.unreachable(cause))?;
        state.session = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A session of a cluster that has named its version, and so accepted the token, where the settings
    /// ask for that: before anything is changed.
    fn validated(&self, end: Instant) -> Result<Arc<Session>, Error> {
        let mut session = self.session()?;
        if self.settings.validate && session.version().is_none() {
            self.ask_version(&mut session, end)?;
        }
        Ok(session)
    }

    fn ask_version(&self, session: &mut Arc<Session>, end: Instant) -> Result<(), Error> {
        let request = version_request();
        self.may_begin(&request)?;
        let body = self
            .ask(session, &request, end)?
            .accepted(&self.settings, &request)?;
        let reply = answer::parse(&self.settings, &request, &body)?;
        let Some(version) = reply.data.get("version").and_then(|v| v.as_str()) else {
            let cause = "it names no version".to_string();
            return Err(answer::not_an_answer(&self.settings, &request, cause));
        };
        session.name_version(version);
        Ok(())
    }

    /// One request with the token. A 401 makes the secret be read again, once: it may have been
    /// changed on purpose. Such an answer means that nothing was done, so a write may be repeated.
    fn ask(
        &self,
        session: &mut Arc<Session>,
        request: &Request,
        end: Instant,
    ) -> Result<Answer, Error> {
        let mut answer = self.exchange(session, request, end)?;
        if is_token_refusal(&answer)
            && let Some(fresh) = self.with_new_secret(session)
        {
            *session = fresh;
            self.may_begin(request)?;
            answer = self.exchange(session, request, end)?;
        }
        if !is_token_refusal(&answer) {
            if answer.is_success() {
                session.accept();
            }
            return Ok(answer);
        }
        let error = answer.not_accepted(&self.settings);
        let mut state = self.state();
        // Whatever comes after the time of memory begins with a new look at everything.
        state.session = None;
        state.refused = Some((Instant::now(), error.clone()));
        Err(error)
    }

    fn with_new_secret(&self, session: &Session) -> Option<Arc<Session>> {
        let fresh = session.with_new_secret(&self.settings)?;
        let fresh = Arc::new(fresh);
        self.state().session = Some(Arc::clone(&fresh));
        Some(fresh)
    }

    fn exchange(
        &self,
        session: &Session,
        request: &Request,
        end: Instant,
    ) -> Result<Answer, Error> {
        let elsewhere = |answer: &Answer| answer.is_for_another(request.verb);
        let mut answer =
            self.by_endpoint(request, end, elsewhere, |endpoint, connect, timing| {
                session.exchange(endpoint, request, connect, timing)
            })?;
        if let Some(said) = answer.date.take() {
            self.state().clock = Some((said, SystemTime::now()));
        }
        Ok(answer)
    }
}

/// A 401 of the layer before the API has no body; one with a body is an answer of the API itself.
fn is_token_refusal(answer: &Answer) -> bool {
    answer.status == 401 && answer.body.is_empty()
}

fn version_request() -> Request {
    Request {
        verb: Verb::Get,
        path: vec!["version".into()],
        params: serde_json::Map::new(),
    }
}

fn check_size(request: &Request) -> Result<(), Error> {
    for (size, most) in [
        (encode::body_of(request).len(), BODY_MAX_BYTES),
        (encode::target_of(request).len(), TARGET_MAX_BYTES),
    ] {
        if size > most {
            let line = answer::line_of(request);
            return Err(Error::bad(format!(
                "the parameters of `{line}` take {size} bytes, and Proxmox takes {most}"
            )));
        }
    }
    Ok(())
}
