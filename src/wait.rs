//! How whoever waits inside a call also listens, without knowing to whom.
//!
//! The server sets, for the length of a call, what listening means (`during`); the transport and
//! the task poller ask it (`listen`) in slices of at most [`SLICE_MS`]. It is kept per thread,
//! since ureq's connectors must be `'static` and cannot borrow it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer_count::AnswerCount;

/// The longest time, in milliseconds, that anybody waits without listening.
pub const SLICE_MS: u64 = 50;

/// What listening brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Nothing came that concerns this call: go on waiting.
    Nothing,
    /// The client withdrew this call: give up, no reply will be sent.
    Cancelled,
    /// Standard input ended: stop waiting, begin nothing new, answer what is known.
    Closed,
}

/// How far something that is waited for has come.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressUpdate {
    /// 0 to 100, where it is known.
    pub percent: Option<f64>,
    pub message: String,
}

type Tell = Box<dyn FnMut(&ProgressUpdate)>;

/// What holds for the call that runs on this thread.
pub struct ListeningCall {
    listen: Box<dyn FnMut(Duration) -> Wake>,
    tell: Option<Tell>,
    woken: Wake,
    started: Instant,
    deadline: Option<Instant>,
    shared: bool,
    /// What the others have answered, where those that take no connection need not be waited for.
    answer_count: Option<Arc<AnswerCount>>,
    /// An answer came: of this cluster, where the read is one of several.
    answered: bool,
}

impl ListeningCall {
    /// `listen` waits for at most the time given and says what came. `deadline` is the end of the
    /// whole call; none on the command line.
    pub fn new(
        deadline: Option<Instant>,
        listen: impl FnMut(Duration) -> Wake + 'static,
    ) -> ListeningCall {
        ListeningCall {
            listen: Box::new(listen),
            tell: None,
            woken: Wake::Nothing,
            started: Instant::now(),
            deadline,
            shared: false,
            answer_count: None,
            answered: false,
        }
    }

    /// Has the caller told how far the call comes.
    #[must_use]
    pub fn telling(self, tell: impl FnMut(&ProgressUpdate) + 'static) -> ListeningCall {
        ListeningCall {
            tell: Some(Box::new(tell)),
            ..self
        }
    }

    /// Has it be a further step of a call that began then.
    #[must_use]
    pub fn since(self, started: Instant) -> ListeningCall {
        ListeningCall { started, ..self }
    }

    /// Makes it a part of a call that must leave time for others: see [`is_shared`].
    #[must_use]
    pub fn shared(self) -> ListeningCall {
        ListeningCall {
            shared: true,
            ..self
        }
    }
}

thread_local! {
    static CALL: RefCell<Option<ListeningCall>> = const { RefCell::new(None) };
}

/// Runs `work` with `call` as what this thread listens to, and restores what was before.
pub fn during<T>(call: ListeningCall, work: impl FnOnce() -> T) -> T {
    let before = CALL.with(|slot| slot.borrow_mut().replace(call));
    let result = work();
    CALL.with(|slot| *slot.borrow_mut() = before);
    result
}

/// Runs `work` with less time: the call's deadline is at most `limit` from now, until it returns.
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let end = Instant::now() + limit;
    let end = deadline().map_or(end, |deadline| deadline.min(end));
    let before = deadline();
    let in_call = CALL.with(|slot| match slot.borrow_mut().as_mut() {
        Some(call) => {
            call.deadline = Some(end);
            true
        }
        None => false,
    });
    if !in_call {
        let sleeping = |time| {
            std::thread::sleep(time);
            Wake::Nothing
        };
        return during(ListeningCall::new(Some(end), sleeping), work);
    }
    let result = work();
    CALL.with(|slot| {
        if let Some(call) = slot.borrow_mut().as_mut() {
            call.deadline = before;
        }
    });
    result
}

/// [`within`], where the time is one cluster's share of a read of several.
pub fn sharing<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    within(limit, || {
        let before = with(|call| {
            call.answered = false;
            std::mem::replace(&mut call.shared, true)
        });
        let result = work();
        with(|call| call.shared = before.unwrap_or_default());
        result
    })
}

/// Runs `work`, one cluster's part of a read of several, which may leave what takes no connection once
/// the others, counted in `answer_count`, have answered. Also gives whether an answer came.
pub fn counting_answers<T>(answer_count: &Arc<AnswerCount>, work: impl FnOnce() -> T) -> (T, bool) {
    with(|call| {
        call.answer_count = Some(Arc::clone(answer_count));
        call.answered = false;
    });
    let result = work();
    with(|call| call.answer_count = None);
    (result, has_answered())
}

/// Whether what runs on this thread may leave what takes no connection.
pub fn is_hurried() -> bool {
    with(|call| call.answer_count.is_some()).unwrap_or_default()
}

/// Whether a read of several clusters has heard enough to leave one that takes no connection.
pub fn is_enough_heard() -> bool {
    let answer_count = with(|call| call.answer_count.clone()).flatten();
    answer_count.is_some_and(|answer_count| answer_count.is_enough())
}

/// An answer came.
pub fn answered() {
    with(|call| call.answered = true);
}

/// Whether an answer came; of this cluster, where the read is one of several.
pub fn has_answered() -> bool {
    with(|call| call.answered).unwrap_or_default()
}

fn with<T>(read: impl FnOnce(&mut ListeningCall) -> T) -> Option<T> {
    CALL.with(|slot| slot.borrow_mut().as_mut().map(read))
}

/// Whether what runs on this thread is one of several clusters that are read: then nobody asked for
/// just this one, and what is known to be down is not waited for.
pub fn is_shared() -> bool {
    CALL.with(|slot| slot.borrow().as_ref().is_some_and(|call| call.shared))
}

/// Whether the caller wants to know how far it comes.
pub fn is_told() -> bool {
    CALL.with(|slot| {
        slot.borrow()
            .as_ref()
            .is_some_and(|call| call.tell.is_some())
    })
}

/// Tells the caller how far it has come, where they want to know.
pub fn tell(update: &ProgressUpdate) {
    // Taken out while it runs, as in `listen`.
    let tell = CALL.with(|slot| slot.borrow_mut().as_mut().and_then(|call| call.tell.take()));
    if let Some(mut tell) = tell {
        tell(update);
        CALL.with(|slot| {
            if let Some(call) = slot.borrow_mut().as_mut() {
                call.tell = Some(tell);
            }
        });
    }
}

/// Waits for at most `at_most`, listening. Once something woke the call, it says so at once and for
/// good. Without a call this is a sleep.
pub fn listen(at_most: Duration) -> Wake {
    // Taken out while it runs, so that listening may itself wait without a double borrow.
    let Some(mut call) = CALL.with(|slot| slot.borrow_mut().take()) else {
        std::thread::sleep(at_most);
        return Wake::Nothing;
    };
    if call.woken == Wake::Nothing {
        call.woken = (call.listen)(at_most);
    }
    let woken = call.woken;
    CALL.with(|slot| *slot.borrow_mut() = Some(call));
    woken
}

/// Waits for the whole of `time` in slices; says early what woke it.
pub fn sleep(time: Duration) -> Wake {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let woken = listen(left.min(Duration::from_millis(SLICE_MS)));
        if woken != Wake::Nothing || left.is_zero() {
            return woken;
        }
    }
}

/// What is left of the call's time; `None` where it has no end.
pub fn remaining() -> Option<Duration> {
    CALL.with(|slot| {
        slot.borrow()
            .as_ref()
            .and_then(|call| call.deadline)
            .map(|end| end.saturating_duration_since(Instant::now()))
    })
}

/// The end of the call, to hand it on to another thread.
pub fn deadline() -> Option<Instant> {
    CALL.with(|slot| slot.borrow().as_ref().and_then(|call| call.deadline))
}

/// When the call on this thread began.
pub fn started() -> Option<Instant> {
    CALL.with(|slot| slot.borrow().as_ref().map(|call| call.started))
}
