//! A call that was let pass, and what it waits for. It owns all that it goes on with and borrows nothing, so
//! that others are served, and the configuration changes, while it is open; what it may do is read anew for
//! each of its steps.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::args::Args;
use super::call::{AppState, CallOutcome, CallStep, end};
use super::step::{AfterPause, AfterTask, Step, StepResult, Woken};
use crate::error::Error;
use crate::gate::audit::CallAudit;
use crate::gate::reach::Admitted;
use crate::proxmox::task::{LOOK_MAX_S, TaskWatch};
use crate::room;
use crate::wait::{self, Wake};

/// A call that was let pass.
pub(super) struct PassedCall {
    /// As they came.
    pub(super) arguments: Map<String, Value>,
    pub(super) args: Rc<Args>,
    pub(super) admitted: Box<Admitted>,
    pub(super) call_audit: Rc<CallAudit>,
    /// The answer's keys so far: which cluster and why.
    pub(super) answer: Map<String, Value>,
}

/// A call between two of its steps.
pub struct OpenCall {
    passed: PassedCall,
    waits: WaitsFor,
    /// When it began.
    pub begun: Instant,
    /// When it has to be answered; none on the command line.
    pub deadline: Option<Instant>,
}

enum WaitsFor {
    Task(Box<TaskWatch>, AfterTask),
    Pause(Instant, AfterPause),
}

/// What a call has come to.
pub(super) enum Reached {
    Outcome(CallOutcome),
    Open(Box<OpenCall>),
}

impl PassedCall {
    /// Goes on from the end of a step until the call ends or waits. A look at a task takes no longer than
    /// `look_limit`.
    ///
    /// # Errors
    /// Whatever a step met, with what had been done before it.
    pub(super) fn advance(
        mut self,
        app: &AppState,
        mut step: StepResult,
        woken: Woken,
        look_limit: Duration,
    ) -> Result<Reached, Error> {
        let waits = loop {
            let reach = app.gate.lend(&app.fleet, &self.admitted, &self.call_audit);
            let args = &self.args;
            step = match step.map_err(|error| reach.in_full(error))? {
                Step::Done(body) => {
                    let notes = reach.notes().into_iter();
                    self.answer.extend(body);
                    let notes = notes.map(|(key, value)| (key.to_string(), value));
                    self.answer.extend(notes);
                    return Ok(Reached::Outcome(CallOutcome::Answer(self.answer)));
                }
                Step::Task(watch, then) if woken == Woken::TimeUp => {
                    then(&reach, args, reach.give_task_up(*watch))
                }
                Step::Task(mut watch, then) => match reach.look_at_task(&mut watch, look_limit) {
                    Some(state) => then(&reach, args, state),
                    None => break WaitsFor::Task(watch, then),
                },
                Step::Pause(until, then) if woken == Woken::TimeUp || until <= Instant::now() => {
                    then(&reach, args, woken)
                }
                Step::Pause(until, then) => break WaitsFor::Pause(until, then),
            };
        };
        self.admitted.waits(&app.fleet);
        Ok(Reached::Open(Box::new(OpenCall {
            passed: self,
            waits,
            begun: wait::started().unwrap_or_else(Instant::now),
            deadline: wait::deadline(),
        })))
    }
}

impl OpenCall {
    /// When it is to go on.
    pub fn due(&self) -> Instant {
        let due = match &self.waits {
            WaitsFor::Task(watch, _) => watch.due(),
            WaitsFor::Pause(until, _) => *until,
        };
        self.deadline.map_or(due, |deadline| deadline.min(due))
    }

    /// The cluster that it is on.
    pub fn cluster(&self) -> usize {
        self.passed.admitted.cluster()
    }

    /// Whether the last look at its task failed.
    pub fn is_unseen(&self) -> bool {
        matches!(&self.waits, WaitsFor::Task(watch, _) if watch.is_unseen())
    }

    /// Does not look at its task before then: its cluster does not answer.
    pub fn put_off(&mut self, until: Instant) {
        if let WaitsFor::Task(watch, _) = &mut self.waits {
            watch.put_off(until);
        }
    }

    /// Goes on: with a look at its task, which takes no longer than `look_limit`, or behind its pause. With
    /// its time up it is answered by what is known.
    pub fn go_on(
        self: Box<Self>,
        app: &mut AppState,
        woken: Woken,
        look_limit: Duration,
    ) -> CallStep {
        let arguments = self.passed.arguments.clone();
        let call_audit = Rc::clone(&self.passed.call_audit);
        let is_late = self.deadline.is_some_and(|end| end <= Instant::now());
        let woken = if is_late { Woken::TimeUp } else { woken };
        let OpenCall { passed, waits, .. } = *self;
        let step = Ok(match waits {
            WaitsFor::Task(watch, then) => Step::Task(watch, then),
            WaitsFor::Pause(until, then) => Step::Pause(until, then),
        });
        let reached = passed.advance(app, step, woken, look_limit);
        room::work_ended();
        end(app, &arguments, &call_audit, reached)
    }

    /// Ends it for a client that has withdrawn it, which gets no answer.
    pub fn withdraw(self: Box<Self>, app: &mut AppState) {
        let mut error = Error::cancelled();
        if let WaitsFor::Task(watch, _) = &self.waits {
            error.task = watch.known_task(app.fleet.cluster_name(self.cluster()));
        }
        let PassedCall {
            arguments,
            call_audit,
            ..
        } = self.passed;
        end(app, &arguments, &call_audit, Err(error));
    }

    /// Waits until it has ended, where nobody else is served.
    ///
    /// # Errors
    /// As the call itself.
    pub(super) fn to_end(mut self: Box<Self>, app: &mut AppState) -> Result<CallOutcome, Error> {
        loop {
            let left = self.due().saturating_duration_since(Instant::now());
            let woken = match wait::sleep(left) {
                Wake::Nothing => Woken::Due,
                Wake::Closed | Wake::Cancelled => Woken::TimeUp,
            };
            match self.go_on(app, woken, Duration::from_secs(LOOK_MAX_S)) {
                CallStep::Ended(outcome) => return outcome,
                CallStep::Open(open) => self = open,
            }
        }
    }
}
