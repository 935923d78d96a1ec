//! How much memory what clusters send may take: one measure for the whole process, whatever number of
//! them answers at once.
//!
//! Each thread reads one cluster at a time, and little costs it nothing. Beyond that it takes from
//! what all have in common, and where that is used up, whoever came first goes on alone, out of a
//! share that nobody else may touch; the others wait for it. So the first one always comes to its end,
//! and no two wait for each other.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::wait::{self, SLICE_MS, Wake};

/// The most that one thread may hold of what clusters said: bodies, and the values made of them.
pub const SHARE_MAX_BYTES: usize = 14 * 1024 * 1024;
/// What all threads may hold together beside the first one's share.
const COMMON_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What a thread may hold without asking. There are up to 128 of them.
const FREE_BYTES: usize = 32 * 1024;
/// The longest that room is waited for, in seconds, where a call has no end of its own.
const WAIT_MAX_S: u64 = 25;

/// Why there was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// It is more than a share, or than the limit that was given.
    TooLarge,
    /// Others held it until the time was over.
    Waited,
    /// What is kept of others takes all of what may be kept.
    Kept,
    Cancelled,
    /// Standard input ended.
    Closed,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRoom::TooLarge => write!(f, "it takes more than {SHARE_MAX_BYTES} bytes of memory"),
            NoRoom::Waited => f.write_str(
                "no memory was left for it in time, as other answers held all that there is for them",
            ),
            NoRoom::Kept => f.write_str(
                "it takes more memory than is left beside what is kept of other answers",
            ),
            NoRoom::Cancelled => f.write_str("the call was cancelled"),
            NoRoom::Closed => f.write_str("standard input ended"),
        }
    }
}

impl std::error::Error for NoRoom {}

struct Room {
    /// What the threads hold beyond what is free for each.
    used: usize,
    /// The threads that hold any of it, as they came.
    line: VecDeque<ThreadId>,
}

static ROOM: Mutex<Room> = Mutex::new(Room {
    used: 0,
    line: VecDeque::new(),
});
static FREED: Condvar = Condvar::new();

thread_local! {
    /// What this thread's charges hold.
    static MINE: Cell<usize> = const { Cell::new(0) };
    /// What its work has put aside.
    static NOTED: Cell<usize> = const { Cell::new(0) };
    /// What of both is counted in [`ROOM`].
    static COUNTED: ThreadUse = const { ThreadUse { bytes: Cell::new(0), thread: Cell::new(None) } };
}

/// What a thread has of the room. When the thread ends, it goes back, whatever was noted and never let go.
struct ThreadUse {
    bytes: Cell<usize>,
    /// The thread, once it has had any.
    thread: Cell<Option<ThreadId>>,
}

impl ThreadUse {
    fn get() -> usize {
        COUNTED
            .try_with(|counted| counted.bytes.get())
            .unwrap_or_default()
    }

    fn set(bytes: usize) {
        let set = |counted: &ThreadUse| {
            counted.bytes.set(bytes);
            if counted.thread.get().is_none() {
                counted.thread.set(Some(thread::current().id()));
            }
        };
        // Where the thread is at its very end there is nothing to be kept count of.
        let _ = COUNTED.try_with(set);
    }
}

impl Drop for ThreadUse {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.get() {
            leave(self.bytes.get(), Some(thread));
        }
    }
}

/// Something of so many bytes was put aside by what runs on this thread, until its [`work`] ends. It is
/// counted with the next thing that is held.
pub fn note(bytes: usize) {
    NOTED.set(NOTED.get().saturating_add(bytes));
}

/// No more of what was noted: it went.
pub fn let_go(bytes: usize) {
    NOTED.set(NOTED.get().saturating_sub(bytes));
}

/// What runs on this thread has ended: what it noted is no longer counted.
pub fn work_ended() {
    NOTED.set(0);
    give_back();
}

/// Runs `work` and gives what it came to with how many bytes it noted, which are then no longer
/// counted.
pub fn work<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOTED.replace(0);
    let result = work();
    let noted = NOTED.replace(before);
    give_back();
    (result, noted)
}

/// What is held by this thread of what a cluster said. It is given back when this is dropped.
#[derive(Debug, Default)]
pub struct Charge {
    bytes: usize,
    /// It belongs to the thread that took it.
    here: PhantomData<*const ()>,
}

impl Charge {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds so many bytes more, once there is room; `until`: how long is waited for that.
    ///
    /// # Errors
    /// There is none. What was held before is held on.
    pub fn grow(&mut self, bytes: usize, until: Option<Instant>) -> Result<(), NoRoom> {
        let more = MINE.get().saturating_add(bytes);
        let all = more.saturating_add(NOTED.get());
        if all > SHARE_MAX_BYTES {
            return Err(NoRoom::TooLarge);
        }
        let counted = ThreadUse::get();
        if beyond(all) > counted {
            enter(beyond(all) - counted, until)?;
            ThreadUse::set(beyond(all));
        }
        MINE.set(more);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Gives back what is held beyond so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        MINE.set(MINE.get().saturating_sub(back));
        give_back();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

fn beyond(bytes: usize) -> usize {
    bytes.saturating_sub(FREE_BYTES)
}

fn lock() -> MutexGuard<'static, Room> {
    ROOM.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    /// Whether this thread may hold so many bytes more now.
    fn takes(&self, bytes: usize, thread: ThreadId) -> bool {
        let is_first = self.line.front().is_none_or(|first| *first == thread);
        let most = if is_first {
            COMMON_MAX_BYTES + SHARE_MAX_BYTES
        } else {
            COMMON_MAX_BYTES
        };
        self.used.saturating_add(bytes) <= most
    }
}

fn enter(bytes: usize, until: Option<Instant>) -> Result<(), NoRoom> {
    let thread = thread::current().id();
    let mut room = lock();
    let is_known = room.line.contains(&thread);
    if !is_known {
        room.line.push_back(thread);
    }
    let mut end = None;
    let why = loop {
        if room.takes(bytes, thread) {
            room.used += bytes;
            return Ok(());
        }
        let end = *end.get_or_insert_with(|| waiting_end(until));
        if Instant::now() >= end {
            break NoRoom::Waited;
        }
        let slice = Duration::from_millis(SLICE_MS);
        let waited = FREED.wait_timeout(room, slice);
        // Listening may take its time.
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        match wait::listen(Duration::ZERO) {
            Wake::Nothing => room = lock(),
            Wake::Cancelled => {
                room = lock();
                break NoRoom::Cancelled;
            }
            Wake::Closed => {
                room = lock();
                break NoRoom::Closed;
            }
        }
    };
    if !is_known {
        room.line.retain(|one| *one != thread);
        FREED.notify_all();
    }
    Err(why)
}

fn waiting_end(until: Option<Instant>) -> Instant {
    let ends = [until, wait::deadline()].into_iter().flatten().min();
    ends.unwrap_or_else(|| Instant::now() + Duration::from_secs(WAIT_MAX_S))
}

fn give_back() {
    let counted = ThreadUse::get();
    let left = beyond(MINE.get().saturating_add(NOTED.get())).min(counted);
    if left < counted {
        ThreadUse::set(left);
        leave(counted - left, (left == 0).then(|| thread::current().id()));
    }
}

/// Gives so many bytes back; `gone` is a thread that has nothing any more.
fn leave(bytes: usize, gone: Option<ThreadId>) {
    let mut room = lock();
    room.used = room.used.saturating_sub(bytes);
    room.line.retain(|one| Some(*one) != gone);
    drop(room);
    FREED.notify_all();
}

/// What may be kept beyond the reading of an answer (what is where, what a token may do, rows of a list
/// of several clusters), all of it together.
const KEPT_MAX_BYTES: usize = 8 * 1024 * 1024;
/// What is no larger is kept all the same, so that large clusters take nothing from small ones.
const KEPT_SMALL_BYTES: usize = 64 * 1024;

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Something of so many bytes that is kept for a while. It may go to another thread.
#[derive(Debug, Default, PartialEq)]
pub struct CacheCharge {
    bytes: usize,
}

impl CacheCharge {
    /// Keeps so many bytes.
    ///
    /// # Errors
    /// [`NoRoom::Kept`].
    pub fn new(bytes: usize) -> Result<CacheCharge, NoRoom> {
        let before = KEPT.fetch_add(bytes, Ordering::Relaxed);
        let kept = CacheCharge { bytes };
        if bytes > KEPT_SMALL_BYTES && before.saturating_add(bytes) > KEPT_MAX_BYTES {
            return Err(NoRoom::Kept);
        }
        Ok(kept)
    }
}

impl Drop for CacheCharge {
    fn drop(&mut self) {
        KEPT.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
