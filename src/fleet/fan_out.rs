//! The one place where threads appear: several clusters are read at a time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{self, Call, SLICE_MS, Wake};

/// How long, in seconds, one cluster may take in a fleet-wide read, all its endpoints together.
pub const CLUSTER_TIMEOUT_S: u64 = 5;

/// Runs `work` for each of `clusters`, at most `at_a_time` at once, and gives what each returned in
/// the order of `clusters`; `None` for those that were not begun because the call was woken.
///
/// The calling thread listens meanwhile. All threads are joined before this returns. `at_a_time` of
/// 1, or a single cluster, starts no thread; a thread that cannot be made means fewer workers, down
/// to the calling thread alone.
pub fn fan_out<T: Send>(
    clusters: &[usize],
    at_a_time: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    let limit = Duration::from_secs(CLUSTER_TIMEOUT_S);
    fan_out_within(clusters, at_a_time, limit, work)
}

/// The same with at most `limit` for each of `clusters`.
pub fn fan_out_within<T: Send>(
    clusters: &[usize],
    at_a_time: usize,
    limit: Duration,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<Option<T>> {
    if at_a_time > 1 && clusters.len() > 1 {
        in_threads(clusters, at_a_time.min(clusters.len()), limit, &work)
    } else {
        clusters
            .iter()
            .map(|cluster| here(*cluster, limit, &work))
            .collect()
    }
}

fn here<T>(cluster: usize, limit: Duration, work: &impl Fn(usize) -> T) -> Option<T> {
    let woken = wait::listen(Duration::ZERO) != Wake::Nothing;
    (!woken).then(|| wait::within(limit, || work(cluster)))
}

fn in_threads<T: Send>(
    clusters: &[usize],
    workers: usize,
    limit: Duration,
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
            let result = wait::during(worker_call(deadline, limit, &stop), || work(*cluster));
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
            let thread = thread::Builder::new().spawn_scoped(scope, || worker(done));
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
fn worker_call(deadline: Option<Instant>, limit: Duration, stop: &Arc<AtomicBool>) -> Call {
    let end = Instant::now() + limit;
    let end = deadline.map_or(end, |deadline| deadline.min(end));
    let stop = Arc::clone(stop);
    Call::new(Some(end), move |time| {
        if stop.load(Ordering::Relaxed) {
            return Wake::Closed;
        }
        thread::sleep(time);
        Wake::Nothing
    })
}
