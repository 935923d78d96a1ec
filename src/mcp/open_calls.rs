//! The calls that are open: those that wait for something to end, and those whose user is being asked.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::client::McpClient;
use super::progress::Progress;
use super::revision::Revision;
use super::wire::Ticket;
use crate::gate::confirm::Question;
use crate::tool::Tool;
use crate::tool::open::OpenCall;
use crate::wait::ProgressUpdate;

/// So many calls wait at once. Over that one is answered as if its `wait` were 0.
pub const OPEN_MAX: usize = 32;
/// How often a client with a progress token is told that its user is still being asked.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A call of a tool as its client made it.
pub(super) struct ToolCall {
    pub(super) ticket: Ticket,
    pub(super) tool: &'static Tool,
    pub(super) arguments: Map<String, Value>,
    pub(super) client: Rc<McpClient>,
    pub(super) revision: Revision,
    /// Where the client wants to know how far it comes.
    pub(super) progress: Option<Rc<RefCell<Progress>>>,
}

/// What a call is open for.
pub(super) enum OpenState {
    Waits(Box<OpenCall>),
    Asks(AskedCall),
}

/// A question that the client puts to its user.
pub(super) struct AskedCall {
    pub(super) question: Box<Question>,
    /// When an answer comes too late.
    pub(super) end: Instant,
    /// When the client was last told that it is waited for.
    told: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct OpenCalls {
    all: Vec<(ToolCall, OpenState)>,
    /// Before then no task is looked at: looks take half of the time at most.
    rest_until: Option<Instant>,
}

impl AskedCall {
    pub(super) fn new(question: Box<Question>, within: Duration) -> AskedCall {
        let now = Instant::now();
        AskedCall {
            question,
            end: now + within,
            told: now,
        }
    }

    pub(super) fn told_now(self) -> AskedCall {
        AskedCall {
            told: Instant::now(),
            ..self
        }
    }

    /// What is told of it.
    pub(super) fn progress(&self) -> ProgressUpdate {
        let left = self.end.saturating_duration_since(Instant::now());
        ProgressUpdate {
            percent: None,
            message: format!("the user is asked; {} s are left to answer", left.as_secs()),
        }
    }
}

impl OpenCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Has a call wait.
    pub(super) fn wait(&mut self, call: ToolCall, open: Box<OpenCall>) {
        self.all.push((call, OpenState::Waits(open)));
    }

    /// Has a call wait for its user.
    pub(super) fn ask(&mut self, call: ToolCall, asked: AskedCall) {
        self.all.push((call, OpenState::Asks(asked)));
    }

    /// Whether no further call may wait.
    pub(super) fn are_many(&self) -> bool {
        self.all.len() - self.questions().count() >= OPEN_MAX
    }

    fn questions(&self) -> impl Iterator<Item = &AskedCall> {
        self.all.iter().filter_map(|(_, state)| match state {
            OpenState::Asks(asked) => Some(asked),
            OpenState::Waits(_) => None,
        })
    }

    /// The states of the questions that are before the user.
    pub(super) fn asking(&self) -> Vec<String> {
        let states = self.questions().map(|asked| asked.question.state.clone());
        states.collect()
    }

    /// When something is to be done for one of them.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all.iter().map(|one| self.due_of(one)).min()
    }

    fn due_of(&self, (call, state): &(ToolCall, OpenState)) -> Instant {
        match state {
            OpenState::Waits(open) => {
                let due = open.due();
                self.rest_until.map_or(due, |rest| due.max(rest))
            }
            OpenState::Asks(asked) if call.progress.is_some() => {
                asked.end.min(asked.told + TOLD_EVERY)
            }
            OpenState::Asks(asked) => asked.end,
        }
    }

    /// The one for which something is to be done first, where that is now.
    pub(super) fn take_due(&mut self) -> Option<(ToolCall, OpenState)> {
        let first = self.all.iter().enumerate();
        let (at, due) = first
            .map(|(at, one)| (at, self.due_of(one)))
            .min_by_key(|(_, due)| *due)?;
        (due <= Instant::now()).then(|| self.all.remove(at))
    }

    pub(super) fn take(&mut self, ticket: Ticket) -> Option<(ToolCall, OpenState)> {
        let at = self
            .all
            .iter()
            .position(|(call, _)| call.ticket == ticket)?;
        Some(self.all.remove(at))
    }

    pub(super) fn take_any(&mut self) -> Option<(ToolCall, OpenState)> {
        (!self.all.is_empty()).then(|| self.all.remove(0))
    }

    /// The calls whose question has become void.
    pub(super) fn take_stale(
        &mut self,
        still_asks: &dyn Fn(&Question) -> bool,
    ) -> Vec<(ToolCall, AskedCall)> {
        let is_stale = |state: &OpenState| match state {
            OpenState::Asks(asked) => !still_asks(&asked.question),
            OpenState::Waits(_) => false,
        };
        let stale = self.all.extract_if(.., |(_, state)| is_stale(state));
        let stale = stale.filter_map(|(call, state)| match state {
            OpenState::Asks(asked) => Some((call, asked)),
            OpenState::Waits(_) => None,
        });
        stale.collect()
    }

    /// A look took so long; where the cluster did not answer, its other tasks are not looked at before
    /// then.
    pub(super) fn looked(&mut self, cluster: usize, took: Duration, silent_until: Option<Instant>) {
        self.rest_until = Some(Instant::now() + took);
        let Some(until) = silent_until else {
            return;
        };
        for (_, state) in &mut self.all {
            match state {
                OpenState::Waits(open) if open.cluster() == cluster => open.put_off(until),
                _ => {}
            }
        }
    }
}
