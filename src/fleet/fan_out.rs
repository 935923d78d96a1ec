//! The one place where threads appear: several clusters are read at a time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{self, ListeningCall, SLICE_MS, Wake};

/// How long, in seconds, one cluster may take in a fleet-wide read, all its endpoints together.
pub const CLUSTER_TIMEOUT_S: u64 = 5;
/// How long, in seconds, after the beginning of a call its reads of several clusters are over: what
/// has answered by then is returned.
pub const CALL_TIMEOUT_S: u64 = 25;

/// The stack of a thread that asks a cluster, in bytes. The deepest that a reply is read (128 levels)
/// takes a third of it.
const STACK_BYTES: usize = 512 * 1024;

/// How much time there is.
#[derive(Clone, Copy)]
struct TimeLimits {
    /// For one cluster.
    each: Duration,
    /// For all of them.
    end: Option<Instant>,
}

impl TimeLimits {
    /// What is left for a cluster that is begun now.
    fn left(&self) -> Duration {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        self.end.map_or(self.each, |end| left(end).min(self.each))
    }
}

/// Runs `work` for each of `clusters`, at most `at_a_time` at once, and gives what each returned in
/// the order of `clusters`; `None` for those that were not begun because the call was woken or its
/// time was over.
///
/// The calling thread listens meanwhile. All threads are joined before this returns. `at_a_time` of
/// 1, or a single cluster, starts no thread; a thread that cannot be made means fewer workers, down
/// to the calling thread alone.
pub fn fan_out<T: Send>(
    clusters: &[usize],
    at_a_time: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    let begun = wait::started().unwrap_or_else(Instant::now);
    let end = begun + Duration::from_secs(CALL_TIMEOUT_S);
    let limits = TimeLimits {
        each: Duration::from_secs(CLUSTER_TIMEOUT_S),
        end: Some(wait::deadline().map_or(end, |deadline| deadline.min(end))),
    };
    fan_out_by(clusters, at_a_time, limits, work)
}

/// Runs `work` for several clusters at a time, with at most `limit` for each of `clusters` and no limit for
/// all of them.
pub fn fan_out_within<T: Send>(
    clusters: &[usize],
    at_a_time: usize,
    limit: Duration,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    let limits = TimeLimits {
        each: limit,
        end: None,
    };
    fan_out_by(clusters, at_a_time, limits, work)
}

fn fan_out_by<T: Send>(
    clusters: &[usize],
    at_a_time: usize,
    limits: TimeLimits,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    if at_a_time > 1 && clusters.len() > 1 {
        in_threads(clusters, at_a_time.min(clusters.len()), limits, &work)
    } else {
        clusters
            .iter()
            .map(|cluster| here(*cluster, limits, &work))
            .collect()
    }
}

fn here<T>(cluster: usize, limits: TimeLimits, work: &impl Fn(usize) -> T) -> Option<T> {
    let woken = wait::listen(Duration::ZERO) != Wake::Nothing;
    let left = limits.left();
    (!woken && !left.is_zero()).then(|| wait::sharing(left, || work(cluster)))
}

fn in_threads<T: Send>(
    clusters: &[usize],
    workers: usize,
    limits: TimeLimits,
    work: &(impl Fn(usize) -> T + Sync),
) -> Vec<Option<T>> {
    let results: Mutex<Vec<Option<T>>> = Mutex::new(clusters.iter().map(|_| None).collect());
    let next = AtomicUsize::new(0);
    let stop = Arc::new(AtomicBool::new(false));
    let deadline = wait::deadline();
    let worker = |_done: mpsc::Sender<()>| {
        while !stop.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(cluster) = clusters.get(place) else {
                return;
            };
            let left = limits.left();
            if left.is_zero() {
                return;
            }
            let result = wait::during(worker_call(deadline, left, &stop), || work(*cluster));
            if let Ok(mut results) = results.lock()
                && let Some(slot) = results.get_mut(place)
            {
                *slot = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        let (done, all_done) = mpsc::channel();
        let mut made = 0;
        for _ in 0..workers {
            let done = done.clone();
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            let thread = thread.spawn_scoped(scope, || worker(done));
            made += usize::from(thread.is_ok());
        }
        if made == 0 {
            worker(done.clone());
        }
        drop(done);
        // Every worker holds a sender: the channel closes when the last of them has ended.
        while let Err(RecvTimeoutError::Timeout) =
            all_done.recv_timeout(Duration::from_millis(SLICE_MS))
        {
            if wait::listen(Duration::ZERO) != Wake::Nothing {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    results.into_inner().unwrap_or_default()
}

/// What a worker listens to: the flag that says that the call was woken.
fn worker_call(
    deadline: Option<Instant>,
    limit: Duration,
    stop: &Arc<AtomicBool>,
) -> ListeningCall {
    let end = Instant::now() + limit;
    let end = deadline.map_or(end, |deadline| deadline.min(end));
    let stop = Arc::clone(stop);
    ListeningCall::new(Some(end), move |time| {
        if stop.load(Ordering::Relaxed) {
            return Wake::Closed;
        }
        thread::sleep(time);
        Wake::Nothing
    })
    .shared()
}
