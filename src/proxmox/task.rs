//! Watching a task to its end. A UPID is never success: most of what can go wrong shows only here.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::advice;
use crate::api::request::{Reply, Request, Verb};
use crate::api::upid::{self, Upid};
use crate::error::{Code, Error};
use crate::text::printable;
use crate::wait::{self, ProgressUpdate};

/// Between two looks at a task: at first, and at most. In milliseconds.
const POLL_FIRST_MS: u64 = 300;
const POLL_MAX_MS: u64 = 3000;
/// No wait inside a call is longer, in seconds.
pub const WAIT_MAX_S: u64 = 25;
/// A look at a task takes no longer, in seconds, even where the wait is over sooner.
pub const LOOK_MAX_S: u64 = 5;
/// How much of the log is read to say how far it has come.
const PROGRESS_LINES: u64 = 5;
/// How much of a log a failed task brings along.
const LOG_TAIL_LINES: u64 = 10;
const LOG_LINE_MAX_CHARS: usize = 300;
/// Proxmox's row for a task that has said nothing; it is not a line.
const NO_CONTENT: &str = "no content";
/// How a refusal begins where the node is none of the cluster's.
const NO_SUCH_NODE: &str = "hostname lookup '";

/// How far a task has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskState {
    /// `cluster!UPID`.
    pub task: String,
    pub state: TaskStage,
    /// Proxmox's word for its end: `OK`, `WARNINGS: 2`, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// The last lines of the log of a task that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
    /// Why it is only as far as known that the task still runs: the last look at it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStage {
    Running,
    Ok,
    Warnings,
    Failed,
}

/// Who says that there is such a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSource {
    /// The cluster, which has just begun it, or shown it: as long as no look says otherwise, it runs.
    Cluster,
    /// The caller: nothing is known before a look has seen it.
    Caller,
}

/// A task that is watched: looked at now and then, until it has ended or the time for it is up.
pub struct TaskWatch {
    upid: Upid,
    /// When it is waited for no longer.
    end: Instant,
    /// When it is to be looked at next.
    due: Instant,
    pause: Duration,
    /// Whether the cluster has begun or shown it.
    is_known: bool,
    /// What the last look brought.
    seen: Option<Result<TaskState, Error>>,
}

impl TaskWatch {
    /// Watches `upid` for `time`, which is at most [`WAIT_MAX_S`] and what is left of the call. The first
    /// look is due at once.
    pub fn new(upid: Upid, source: TaskSource, time: Duration) -> TaskWatch {
        let time = time.min(Duration::from_secs(WAIT_MAX_S));
        let time = wait::remaining().map_or(time, |left| left.min(time));
        let now = Instant::now();
        TaskWatch {
            upid,
            end: now + time,
            due: now,
            pause: Duration::from_millis(POLL_FIRST_MS),
            is_known: source == TaskSource::Cluster,
            seen: None,
        }
    }

    /// When the next look is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Puts the next look off, but not beyond the end of the watch.
    pub fn put_off(&mut self, until: Instant) {
        self.due = self.due.max(until.min(self.end));
    }

    /// The task as `cluster!UPID`, where it is known to be one.
    pub fn known_task(&self, cluster: &str) -> Option<String> {
        self.is_known.then(|| self.upid.of(cluster))
    }

    /// Whether the last look failed.
    pub fn is_unseen(&self) -> bool {
        match &self.seen {
            Some(Ok(state)) => state.unseen.is_some(),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// One look through `send`, which takes no longer than `limit`; nothing where the task is to be looked
    /// at again. A look that fails is no failed task: it is repeated until the time is up. Then a task that
    /// the cluster began, or that was seen before, runs as far as known.
    ///
    /// # Errors
    /// [`Code::Cancelled`]; that the token may not see the task, or that its node does not know it; of a
    /// task that only the caller says to be, what the last look failed with.
    pub fn look(
        &mut self,
        send: &dyn Fn(&Request) -> Result<Reply, Error>,
        cluster: &str,
        limit: Duration,
    ) -> Option<Result<TaskState, Error>> {
        let limit = limit.min(Duration::from_secs(LOOK_MAX_S));
        let begun = Instant::now();
        let looked = wait::within(limit, || look(send, cluster, &self.upid));
        let state = match looked {
            Ok(state) if state.state != TaskStage::Running => return Some(Ok(state)),
            Ok(state) => {
                self.is_known = true;
                Ok(state)
            }
            Err(error) if error.is_cancelled() || is_final(&error) => return Some(Err(error)),
            Err(error) if self.is_known => {
                Ok(running(cluster, &self.upid, Some(error.to_string())))
            }
            Err(error) => Err(error),
        };
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(state);
        }
        if wait::is_told() {
            // What the look has left of its time: others wait.
            let rest = limit.saturating_sub(begun.elapsed());
            let told = wait::within(left.min(rest), || tell(send, cluster, &self.upid));
            if let Err(error) = told {
                return Some(Err(error));
            }
        }
        self.seen = Some(state);
        self.due = Instant::now() + self.pause.min(left);
        self.pause = (self.pause * 3 / 2).min(Duration::from_millis(POLL_MAX_MS));
        None
    }

    /// What is known of the task, where it is waited for no longer: what the last look brought, or a
    /// look that nobody waits behind.
    ///
    /// # Errors
    /// As [`TaskWatch::look`].
    pub fn give_up(
        mut self,
        send: &dyn Fn(&Request) -> Result<Reply, Error>,
        cluster: &str,
    ) -> Result<TaskState, Error> {
        if let Some(seen) = self.seen.take() {
            return seen;
        }
        self.end = Instant::now();
        let looked = self.look(send, cluster, Duration::from_secs(LOOK_MAX_S));
        looked.unwrap_or_else(|| Ok(running(cluster, &self.upid, None)))
    }
}

/// Whether looking again will not change what a look failed with: the token may not see the task, the
/// node knows it no longer, or never did, or there is no such node (measured on 9.2: 500 `hostname
/// lookup 'x' failed - ...`).
fn is_final(error: &Error) -> bool {
    match (error.code, error.status) {
        (Code::Permission | Code::BadArguments | Code::Internal, _) | (_, Some(400)) => true,
        (_, Some(500)) => error.cause.starts_with(NO_SUCH_NODE),
        _ => false,
    }
}

/// Tells the caller what the log says. What it does not say is no reason to stop waiting.
fn tell(
    send: &dyn Fn(&Request) -> Result<Reply, Error>,
    cluster: &str,
    upid: &Upid,
) -> Result<(), Error> {
    let lines = match log_tail(send, cluster, upid, PROGRESS_LINES) {
        Err(error) if error.is_cancelled() => return Err(error),
        lines => lines.unwrap_or_default(),
    };
    let silent = || {
        printable(
            &format!("{} {} runs", upid.kind, upid.id),
            LOG_LINE_MAX_CHARS,
        )
    };
    wait::tell(&ProgressUpdate {
        percent: lines.iter().rev().find_map(|line| percent(line)),
        message: lines.last().cloned().unwrap_or_else(silent),
    });
    Ok(())
}

/// The percentage in a line of a log, as in `transferred 1.2 GiB of 8.0 GiB (15.00%) in 3s`.
pub fn percent(line: &str) -> Option<f64> {
    let mut before = line.split('%');
    // Behind the last one there is none.
    before.next_back()?;
    before.find_map(|text| {
        let is_part = |c: char| c.is_ascii_digit() || c == '.';
        let text = text.trim_end();
        let start = text.trim_end_matches(is_part).len();
        let number: f64 = text.get(start..)?.parse().ok()?;
        (0.0..=100.0).contains(&number).then_some(number)
    })
}

/// One look at a task.
///
/// # Errors
/// What `send` says, and a reply that is not a task's status.
pub fn look(
    send: &dyn Fn(&Request) -> Result<Reply, Error>,
    cluster: &str,
    upid: &Upid,
) -> Result<TaskState, Error> {
    let values = [upid.node.as_str(), upid.as_str()];
    let request = Request::new(Verb::Get, "/nodes/{node}/tasks/{upid}/status", &values)?;
    let reply = send(&request)?;
    let text = |name: &str| reply.data.get(name).and_then(Value::as_str);
    match text("status") {
        Some("running") => Ok(running(cluster, upid, None)),
        Some("stopped") => {
            let exit = text("exitstatus").unwrap_or("unexpected status");
            Ok(ended(send, cluster, upid, exit))
        }
        _ => Err(Error::no_answer(
            cluster,
            &request.line(),
            "it has no `status` of a task",
        )),
    }
}

fn running(cluster: &str, upid: &Upid, unseen: Option<String>) -> TaskState {
    TaskState {
        task: upid.of(cluster),
        state: TaskStage::Running,
        exit: None,
        log_tail: Vec::new(),
        unseen,
    }
}

fn ended(
    send: &dyn Fn(&Request) -> Result<Reply, Error>,
    cluster: &str,
    upid: &Upid,
    exit: &str,
) -> TaskState {
    let state = match exit {
        "OK" => TaskStage::Ok,
        warned if warned.starts_with("WARNINGS: ") => TaskStage::Warnings,
        _ => TaskStage::Failed,
    };
    // What is known of the end must not be lost because its log cannot be read.
    let log_tail = match state {
        TaskStage::Failed | TaskStage::Warnings => {
            log_tail(send, cluster, upid, LOG_TAIL_LINES).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    TaskState {
        task: upid.of(cluster),
        state,
        exit: Some(printable(exit, LOG_LINE_MAX_CHARS)),
        log_tail,
        unseen: None,
    }
}

/// The last lines of the log. Its length is not known before: a first look at one line tells.
///
/// # Errors
/// What `send` says, and a reply that is no list.
pub fn log_tail(
    send: &dyn Fn(&Request) -> Result<Reply, Error>,
    cluster: &str,
    upid: &Upid,
    lines: u64,
) -> Result<Vec<String>, Error> {
    let page = |start: u64, limit: u64| {
        let values = [upid.node.as_str(), upid.as_str()];
        let request = Request::new(Verb::Get, "/nodes/{node}/tasks/{upid}/log", &values)?;
        let request = request.with("start", start).with("limit", limit);
        let reply = send(&request)?;
        let total = reply.total;
        let rows = reply.data.try_map(|data| match data {
            Value::Array(rows) => Ok(rows),
            _ => Err(Error::no_answer(
                cluster,
                &request.line(),
                "a list was expected",
            )),
        })?;
        Ok((total, rows))
    };
    let total = page(0, 1)?.0.unwrap_or_default();
    let (_, rows) = page(total.saturating_sub(lines), lines)?;
    Ok(rows
        .iter()
        .filter_map(|row| row.get("t").and_then(Value::as_str))
        .filter(|line| *line != NO_CONTENT && !line.is_empty())
        .take(usize::try_from(lines).unwrap_or(usize::MAX))
        .map(|line| printable(line, LOG_LINE_MAX_CHARS))
        .collect())
}

impl TaskState {
    /// A task that failed as an error, any other as it is.
    ///
    /// # Errors
    /// [`Code::Task`].
    pub fn succeeded(self) -> Result<TaskState, Error> {
        if self.state != TaskStage::Failed {
            return Ok(self);
        }
        let exit = self.exit.unwrap_or_default();
        let upid = upid::parse_qualified(&self.task);
        let of_one = upid.is_ok_and(|(_, upid)| upid.id.parse::<u32>().is_ok());
        let hint = advice::task_exit(&exit, of_one);
        let mut error = Error::task_failed(self.task, exit, self.log_tail);
        error.hint = hint;
        Err(error)
    }
}
