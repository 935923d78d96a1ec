//! What earlier requests told of a cluster's endpoints: which is asked last, and when a cluster that
//! has none is tried again.
//!
//! Pauses grow with every failure and end with the first answer. A try that cost no time is never
//! spared: a node that refuses says so at once, and one that is back is seen at once.

use std::time::{Duration, Instant};

use crate::proxmox::exchange::CONNECT_KEPT_MS;

/// How long an endpoint that failed is asked last, in seconds: at first, and at most.
const LAST_FIRST_S: u64 = 30;
const LAST_MAX_S: u64 = 300;
/// How long a cluster without an endpoint is left alone by reads of several clusters, in seconds: at
/// first, and at most.
const PAUSE_FIRST_S: u64 = 5;
const PAUSE_MAX_S: u64 = 60;
/// How long by a call that is about this cluster alone: somebody may just have mended it. In seconds.
const PAUSE_ALONE_S: u64 = 2;
/// Where others have answered, an endpoint is waited for as long as its slowest answer took so many
/// times.
const SLOWEST_TIMES: u32 = 3;
/// A try that took less, in milliseconds, may be repeated at once.
const CHEAP_MS: u64 = 500;

/// How far a cluster was when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutageKind {
    /// No endpoint took a connection.
    Unreached,
    /// A connection stood, but a read of several clusters got no answer in its time.
    Silent,
}

/// An endpoint that failed.
#[derive(Clone, Copy, Debug)]
struct Down {
    last: Instant,
    failures: u32,
}

impl Down {
    fn is_last(&self) -> bool {
        self.last.elapsed() < growing(LAST_FIRST_S, LAST_MAX_S, self.failures)
    }
}

/// A cluster without an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    outage_kind: OutageKind,
    since: Instant,
    last: Instant,
    failures: u32,
    cheap: bool,
    /// Somebody wants to know anew, and takes the time for it.
    wanted: bool,
    cause: String,
    /// The next step, as it was when it failed.
    pub(super) hint: Option<String>,
}

impl Outage {
    /// How it was when it was last tried, for a try that is kept short.
    pub(super) fn doubt(&self) -> Option<OutageKind> {
        (!self.wanted).then_some(self.outage_kind)
    }

    /// What is left of the pause; `shared` for reads of several clusters.
    pub(super) fn pause_left(&self, shared: bool) -> Duration {
        if self.cheap || self.wanted || (!shared && self.outage_kind == OutageKind::Silent) {
            return Duration::ZERO;
        }
        let pause = growing(PAUSE_FIRST_S, PAUSE_MAX_S, self.failures);
        let pause = match shared {
            true => pause,
            false => pause.min(Duration::from_secs(PAUSE_ALONE_S)),
        };
        pause.saturating_sub(self.last.elapsed())
    }

    /// How often and how long ago, when the next try is, and why.
    pub(super) fn sentence(&self, shared: bool) -> String {
        let left = self.pause_left(shared);
        let next = match left.is_zero() {
            true => "the next try is with the next call".to_string(),
            false => format!("the next try is in {} s", seconds_up(left)),
        };
        let times = match self.failures {
            1 => String::new(),
            times => format!(
                " {times} times in {} s, last",
                self.last.saturating_duration_since(self.since).as_secs()
            ),
        };
        format!(
            "tried in vain{times} {} s ago ({next}): {}",
            self.last.elapsed().as_secs(),
            self.cause
        )
    }
}

/// What is known of the endpoints of one cluster.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// By endpoint.
    down: Vec<Option<Down>>,
    /// The slowest answer of each endpoint so far.
    slowest: Vec<Duration>,
    outage: Option<Outage>,
}

impl Health {
    /// The indices of `count` endpoints in the order to try: those that failed come last, and of those
    /// first the one that was left alone the longest.
    pub(super) fn order(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|index| self.last_failure(*index));
        order
    }

    fn last_failure(&self, index: usize) -> Option<Instant> {
        let down = self.down.get(index).copied().flatten();
        down.filter(Down::is_last).map(|down| down.last)
    }

    pub(super) fn is_last(&self, index: usize) -> bool {
        self.last_failure(index).is_some()
    }

    /// Whether it failed when it was last tried, however long ago.
    pub(super) fn is_doubtful(&self, index: usize) -> bool {
        self.down.get(index).is_some_and(Option::is_some)
    }

    pub(super) fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// An endpoint took no connection, or gave no answer.
    pub(super) fn failed(&mut self, index: usize) {
        if self.down.len() <= index {
            self.down.resize(index.saturating_add(1), None);
        }
        if let Some(slot) = self.down.get_mut(index) {
            let failures = slot.map_or(0, |down| down.failures);
            *slot = Some(Down {
                last: Instant::now(),
                failures: failures.saturating_add(1),
            });
        }
    }

    /// How long an endpoint that takes no connection is waited for, where the others have answered.
    pub(super) fn patience(&self, index: usize) -> Duration {
        let slowest = self.slowest.get(index).copied().unwrap_or_default();
        (slowest * SLOWEST_TIMES).max(Duration::from_millis(CONNECT_KEPT_MS))
    }

    /// An endpoint answered, after so long: nothing is left of what was held against it, or the cluster.
    pub(super) fn answered(&mut self, index: usize, took: Duration) {
        if self.slowest.len() <= index {
            self.slowest.resize(index.saturating_add(1), Duration::ZERO);
        }
        if let Some(slowest) = self.slowest.get_mut(index) {
            *slowest = took.max(*slowest);
        }
        if let Some(slot) = self.down.get_mut(index) {
            *slot = None;
        }
        self.outage = None;
    }

    /// No endpoint was of any use in a try that took `took`.
    pub(super) fn out(
        &mut self,
        outage_kind: OutageKind,
        cause: String,
        hint: Option<String>,
        took: Duration,
    ) {
        let now = Instant::now();
        let before = self.outage.as_ref();
        self.outage = Some(Outage {
            outage_kind,
            since: before.map_or(now, |outage| outage.since),
            last: now,
            failures: before.map_or(0, |outage| outage.failures).saturating_add(1),
            cheap: took < Duration::from_millis(CHEAP_MS),
            wanted: false,
            cause,
            hint,
        });
    }

    /// Has the next request try as if nothing were known.
    pub(super) fn try_again(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.wanted = true;
        }
    }
}

/// `first` seconds, doubled with each failure after the first, at most `most`.
fn growing(first: u64, most: u64, failures: u32) -> Duration {
    let doubled = 2u64.saturating_pow(failures.saturating_sub(1));
    Duration::from_secs(first.saturating_mul(doubled).min(most))
}

fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
