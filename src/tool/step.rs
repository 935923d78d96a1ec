//! How a step of a call ends: with the answer, or with something that is waited for. While a call waits it is
//! open, and others are served; with the end of the wait it goes on by what the step left behind.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::HandlerResult;
use super::args::Args;
use crate::api::request::Reply;
use crate::api::upid::Upid;
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::proxmox::task::{TaskSource, TaskState, TaskWatch};

/// The end of a step.
pub enum Step {
    /// The answer's keys behind the decision.
    Done(Map<String, Value>),
    /// A task is waited for, as long as the watch lasts.
    Task(Box<TaskWatch>, AfterTask),
    /// Something is waited for that has no task; it is looked at again then.
    Pause(Instant, AfterPause),
}

/// What a handler gives that may wait.
pub type StepResult = Result<Step, Error>;

/// How a call goes on with what is known of its task: how it ended, or that it still runs.
pub type AfterTask = Box<dyn FnOnce(&Reach, &Args, Result<TaskState, Error>) -> StepResult>;

/// How a call goes on after a pause.
pub type AfterPause = Box<dyn FnOnce(&Reach, &Args, Woken) -> StepResult>;

/// What ended a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// It was over.
    Due,
    /// Nothing is waited for any more: the answer is due, as far as it goes.
    TimeUp,
}

impl From<Map<String, Value>> for Step {
    fn from(answer: Map<String, Value>) -> Step {
        Step::Done(answer)
    }
}

/// Waits for the task that a request started as long as the call waits, and goes on with `task`, `state`,
/// `exit` and `log_tail`, or with why it failed.
///
/// # Errors
/// The reply names no task.
pub fn follow(
    reach: &Reach,
    args: &Args,
    reply: &Reply,
    then: impl FnOnce(&Reach, &Args, HandlerResult) -> StepResult + 'static,
) -> StepResult {
    match reach.task_of(reply)? {
        Some(upid) => {
            let wait = Duration::from_secs(reach.wait_s());
            watch(upid, TaskSource::Cluster, wait, |reach, args, state| {
                then(reach, args, reach.told_of_task(state))
            })
        }
        None => {
            let ended = Map::from_iter([("state".to_string(), "ok".into())]);
            then(reach, args, Ok(ended))
        }
    }
}

/// Whether the task of an answer has ended.
pub fn has_ended(answer: &Map<String, Value>) -> bool {
    answer.get("state").and_then(Value::as_str) != Some("running")
}

/// Waits for a task for at most `time`.
///
/// # Errors
/// None: it is a step like others.
pub fn watch(
    upid: Upid,
    source: TaskSource,
    time: Duration,
    then: impl FnOnce(&Reach, &Args, Result<TaskState, Error>) -> StepResult + 'static,
) -> StepResult {
    let watch = TaskWatch::new(upid, source, time);
    Ok(Step::Task(Box::new(watch), Box::new(then)))
}

/// Reads what is waited for.
pub type LookUntil<T> = Box<dyn Fn(&Reach) -> Result<T, Error>>;

/// Something without a task that is waited for.
pub struct Until<T> {
    /// When it is waited for no longer.
    pub end: Instant,
    /// Between two looks.
    pub pause: Duration,
    /// Reads it.
    pub look: LookUntil<T>,
    /// Whether what was read is what is waited for.
    pub is_enough: Box<dyn Fn(&T) -> bool>,
}

/// Looks until it is enough or the time is up, and goes on with what was read last.
///
/// # Errors
/// What a look meets.
pub fn until<T: 'static>(
    reach: &Reach,
    args: &Args,
    until: Until<T>,
    then: impl FnOnce(&Reach, &Args, T) -> StepResult + 'static,
) -> StepResult {
    look_until(reach, args, Woken::Due, until, Box::new(then))
}

type AfterLook<T> = Box<dyn FnOnce(&Reach, &Args, T) -> StepResult>;

fn look_until<T: 'static>(
    reach: &Reach,
    args: &Args,
    woken: Woken,
    until: Until<T>,
    then: AfterLook<T>,
) -> StepResult {
    let seen = (until.look)(reach)?;
    let is_over = woken == Woken::TimeUp || Instant::now() >= until.end;
    if is_over || (until.is_enough)(&seen) {
        return then(reach, args, seen);
    }
    let next = Instant::now() + until.pause;
    let again =
        move |reach: &Reach, args: &Args, woken| look_until(reach, args, woken, until, then);
    Ok(Step::Pause(next, Box::new(again)))
}
