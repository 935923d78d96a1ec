//! The endpoints of a cluster, one after another, until one is of use.

use std::time::{Duration, Instant};

use super::ClusterClient;
use super::health::{Outage, OutageKind};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::proxmox::advice;
use crate::proxmox::failure::ExchangeFailure;
use crate::proxmox::session::{ExchangeLimits, WRITE_NEEDS_S};
use crate::proxmox::settings::Endpoint;
use crate::wait::{self, Wake};

/// The longest that connecting to one node takes, in seconds.
const CONNECT_TIMEOUT_S: u64 = 5;
/// The longest that connecting to all nodes of a cluster takes of which none took a connection when it was
/// last tried, in seconds.
const CONNECT_AGAIN_S: u64 = 5;
/// The next try of such a cluster, and of one that was silent, in a read of several clusters; also
/// connecting to a node that failed before while there are others. In milliseconds.
const NEXT_TRY_MS: u64 = 1000;
/// A node of a cluster that is tried again is given no less to connect, in milliseconds, even if then
/// others wait for the next try: a handshake over a long line takes its time.
const CONNECT_MIN_MS: u64 = 500;
/// Of the time of a read this much, in tenths, is for the first answering node, if there is another.
const FIRST_SHARE_TENTHS: u32 = 6;
/// A read of one cluster is not given up sooner for another node, in seconds: it may be slow by
/// itself.
const PATIENCE_S: u64 = 10;
/// A read is not begun anew elsewhere with less than this left, in milliseconds.
const ELSEWHERE_MIN_MS: u64 = 300;

/// One use of the endpoints.
struct Round {
    begun: Instant,
    end: Instant,
    write: bool,
    shared: bool,
    /// How the cluster was when it was last tried, where it was of no use then.
    again: Option<OutageKind>,
    /// The nodes that took no connection, and why.
    not_reached: Vec<String>,
    hint: Option<String>,
    /// The nodes that were left, as the other clusters had answered.
    left: Vec<usize>,
    /// A connection stood, and no answer came in time.
    silent: Option<String>,
}

impl ClusterClient {
    /// Tries the endpoints one after another until one takes a connection. A read is made once more
    /// elsewhere where it was cut off, or where `elsewhere` says so of its answer.
    pub(super) fn by_endpoint<T>(
        &self,
        request: &Request,
        end: Instant,
        elsewhere: impl Fn(&T) -> bool,
        mut attempt: impl FnMut(&Endpoint, Duration, ExchangeLimits) -> Result<T, ExchangeFailure>,
    ) -> Result<T, Error> {
        let mut round = self.round(request, end)?;
        let order = self.order();
        // What came of the first attempt that got as far as a connection.
        let mut first: Option<Result<T, Error>> = None;
        for (tried, index) in order.iter().enumerate() {
            let Some(endpoint) = self.settings.endpoints.get(*index) else {
                continue;
            };
            let left = order.len().saturating_sub(tried);
            let connect = self.connect_time(&round, *index, left);
            if connect.is_zero() {
                let why = "no time is left for the other nodes";
                round.not_reached.push(why.to_string());
                break;
            }
            let next = order.get(tried.saturating_add(1));
            let others = first.is_none() && next.is_some_and(|next| !self.is_last(*next));
            let timing = ExchangeLimits::new(round.write, round.end)
                .answer_by(round.patience(others))
                .patience(self.state().health.patience(*index));
            let begun = Instant::now();
            let mut outcome = attempt(endpoint, connect, timing);
            if matches!(outcome, Err(ExchangeFailure::Stale)) {
                outcome = attempt(endpoint, connect, timing.on_fresh_connection());
            }
            self.note(&mut round, *index, &outcome, begun.elapsed());
            // A gateway says at once that it is of no use: then a node will do that was of none before.
            let wanted = match &outcome {
                Err(ExchangeFailure::Gateway(_)) => first.is_none() && next.is_some(),
                _ => others,
            };
            let wanted = wanted && round.may_go_elsewhere();
            match outcome {
                Err(ExchangeFailure::NotConnected { cause, untrusted }) => {
                    round.add(endpoint, &cause);
                    let mended = untrusted
                        .and_then(|(remedy, pin)| advice::untrusted(&self.settings, remedy, &pin));
                    round.hint = round.hint.or(mended);
                }
                Err(ExchangeFailure::Left(cause)) => round.add(endpoint, &cause),
                Ok(answer) if wanted && elsewhere(&answer) => first = Some(Ok(answer)),
                Err(failure) if wanted && !round.write && failure.is_cut() => {
                    round.hear(&failure);
                    first = Some(Err(failure.explain(&self.settings, endpoint, request)));
                }
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    round.hear(&failure);
                    self.remember(&round, true);
                    // Of a write that was begun it is the later attempt that tells what became of it.
                    let told = !matches!(failure, ExchangeFailure::Cancelled)
                        && (!round.write || matches!(failure, ExchangeFailure::NotBegun(_)));
                    let error = failure.explain(&self.settings, endpoint, request);
                    return first.filter(|_| told).unwrap_or(Err(error));
                }
            }
        }
        self.remember(&round, first.is_some());
        first.unwrap_or_else(|| {
            let cause = round.not_reached.join("; ");
            let mut error = Error::unreachable(&self.settings.cluster, cause);
            error.hint = round.hint;
            Err(error)
        })
    }

    /// Begins a use of the endpoints, where the cluster is not left alone for now.
    fn round(&self, request: &Request, end: Instant) -> Result<Round, Error> {
        let shared = wait::is_shared();
        let state = self.state();
        let (call, left) = (wait::started(), state.left.as_ref());
        if let Some((_, cause)) = left.filter(|(of, _)| wait::is_hurried() && Some(*of) == call) {
            return Err(self.unreachable(cause.clone()));
        }
        if let Some(outage) = state.health.outage()
            && !outage.pause_left(shared).is_zero()
        {
            let cause = outage.sentence(shared);
            let mut error = Error::unreachable(&self.settings.cluster, cause);
            error.hint.clone_from(&outage.hint);
            return Err(error);
        }
        Ok(Round {
            begun: Instant::now(),
            end,
            write: request.verb != Verb::Get,
            shared,
            again: state.health.outage().and_then(Outage::doubt),
            not_reached: Vec::new(),
            hint: None,
            left: Vec::new(),
            silent: None,
        })
    }

    /// The endpoints' indices in the order to try.
    fn order(&self) -> Vec<usize> {
        self.state().health.order(self.settings.endpoints.len())
    }

    /// A silent node must leave time for those after it.
    fn connect_time(&self, round: &Round, index: usize, endpoints_left: usize) -> Duration {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let shares = u32::try_from(endpoints_left).unwrap_or(u32::MAX).max(1);
        let most = match (round.again, round.shared) {
            (Some(_), true) => Some(Duration::from_millis(NEXT_TRY_MS)),
            (Some(OutageKind::Unreached), false) => Some(Duration::from_secs(CONNECT_AGAIN_S)),
            _ => None,
        };
        if let Some(most) = most {
            let left = left(round.end.min(round.begun + most));
            return (left / shares)
                .max(Duration::from_millis(CONNECT_MIN_MS))
                .min(left);
        }
        let doubtful = endpoints_left > 1 && self.state().health.is_doubtful(index);
        let most = match doubtful {
            true => Duration::from_millis(NEXT_TRY_MS),
            false => Duration::from_secs(CONNECT_TIMEOUT_S),
        };
        (left(round.end) / shares).min(most)
    }

    fn is_last(&self, index: usize) -> bool {
        self.state().health.is_last(index)
    }

    fn note<T>(
        &self,
        round: &mut Round,
        index: usize,
        outcome: &Result<T, ExchangeFailure>,
        took: Duration,
    ) {
        let mut state = self.state();
        match outcome {
            Ok(_) | Err(ExchangeFailure::NotAnAnswer(_)) => {
                wait::answered();
                state.health.answered(index, took);
                // Another answers: they are asked after it.
                let left = std::mem::take(&mut round.left);
                left.into_iter().for_each(|left| state.health.failed(left));
            }
            Err(ExchangeFailure::Left(_)) => round.left.push(index),
            Err(
                ExchangeFailure::NotConnected { .. }
                | ExchangeFailure::Cut { late: true, .. }
                | ExchangeFailure::Gateway(_),
            ) => state.health.failed(index),
            // Given up by ourselves, or cut off at once: that tells nothing, or costs nothing.
            Err(_) => {}
        }
    }

    /// Keeps in mind that no endpoint was of any use; `stood`: a connection stood. That there was no
    /// answer in time counts in a read of several clusters only, and where none came before: elsewhere
    /// it may be the request that takes long. What was left early is no more than left, for this read.
    fn remember(&self, round: &Round, stood: bool) {
        if !round.left.is_empty() {
            let cause = round.not_reached.join("; ");
            self.state().left = wait::started().map(|call| (call, cause));
            return;
        }
        let time = round.end.saturating_duration_since(round.begun);
        if time < Duration::from_millis(NEXT_TRY_MS) {
            return;
        }
        let (outage_kind, cause) = match &round.silent {
            Some(cause) if round.shared && !wait::has_answered() => {
                (OutageKind::Silent, cause.clone())
            }
            _ if stood => return,
            _ => (OutageKind::Unreached, round.not_reached.join("; ")),
        };
        let took = round.begun.elapsed();
        let hint = round.hint.clone();
        self.state().health.out(outage_kind, cause, hint, took);
    }
}

impl Round {
    fn add(&mut self, endpoint: &Endpoint, cause: &str) {
        let named = format!("{endpoint}: ");
        let cause = cause.strip_prefix(&named).unwrap_or(cause);
        self.not_reached.push(format!("{named}{cause}"));
    }

    fn hear(&mut self, failure: &ExchangeFailure) {
        if let ExchangeFailure::Cut {
            cause, late: true, ..
        } = failure
        {
            self.silent = Some(cause.clone());
        }
    }

    /// When the first byte of an answer must have come; `others`: whether there is another node.
    fn patience(&self, others: bool) -> Option<Instant> {
        let now = Instant::now();
        if self.shared && self.again == Some(OutageKind::Silent) {
            return Some(self.begun + Duration::from_millis(NEXT_TRY_MS));
        }
        if self.write || !others {
            return None;
        }
        let share = self.left() * FIRST_SHARE_TENTHS / 10;
        let share = match self.shared {
            true => share,
            false => share.max(Duration::from_secs(PATIENCE_S)),
        };
        Some(now + share)
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    fn may_go_elsewhere(&self) -> bool {
        let needed = match self.write {
            true => Duration::from_secs(WRITE_NEEDS_S),
            false => Duration::from_millis(ELSEWHERE_MIN_MS),
        };
        let silent_before = self.shared && self.again == Some(OutageKind::Silent);
        self.left() > needed && !silent_before && wait::listen(Duration::ZERO) == Wake::Nothing
    }
}
