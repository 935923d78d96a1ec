//! The tasks that requests start: which one it is, one look at it, and what its end means.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Reach;
use super::own::OWN;
use crate::api::request::{Reply, Request};
use crate::api::upid::Upid;
use crate::error::{Code, Error};
use crate::proxmox::holder;
use crate::proxmox::task::{self, TaskSource, TaskState, TaskWatch};

/// Said where neither the token that began a task nor the one of now may see it.
const CHANGED: &str = "the token was changed after the task had begun";

impl Reach<'_> {
    /// The task whose UPID a request gave. A reply without data is an end already.
    ///
    /// # Errors
    /// The reply is something else.
    pub fn task_of(&self, reply: &Reply) -> Result<Option<Upid>, Error> {
        if reply.data.is_null() {
            return Ok(None);
        }
        let text = reply.data.as_str().unwrap_or_default();
        let upid = Upid::parse(text)
            .map_err(|cause| Error::no_answer(self.cluster_name(), "a task", cause).unknown())?;
        Ok(Some(upid))
    }

    /// One look at a task that is watched; nothing where it is to be looked at again.
    ///
    /// # Errors
    /// As [`TaskWatch::look`].
    pub fn look_at_task(
        &self,
        watch: &mut TaskWatch,
        limit: Duration,
    ) -> Option<Result<TaskState, Error>> {
        let send = |request: &Request| self.look_as_begun(request);
        let looked = watch.look(&send, self.cluster_name(), limit);
        self.moved(looked.as_ref());
        looked.map(|looked| {
            looked.map_err(|error| about(watch.known_task(self.cluster_name()), error))
        })
    }

    /// What is known of a task that is watched no longer.
    ///
    /// # Errors
    /// As [`TaskWatch::give_up`].
    pub fn give_task_up(&self, watch: TaskWatch) -> Result<TaskState, Error> {
        let send = |request: &Request| self.look_as_begun(request);
        let watched = watch.known_task(self.cluster_name());
        let known = watch.give_up(&send, self.cluster_name());
        self.moved(Some(&known));
        known.map_err(|error| about(watched, error))
    }

    /// How far a task is now. Its failure is an answer like another.
    ///
    /// # Errors
    /// The call was withdrawn; the task cannot be looked at.
    pub fn task_now(&self, upid: &Upid) -> Result<TaskState, Error> {
        self.give_task_up(TaskWatch::new(
            upid.clone(),
            TaskSource::Caller,
            Duration::ZERO,
        ))
    }

    /// A look at a task with the token that began it, as long as the cluster accepts that. Whoever changes a
    /// token need not let the new one see what the old one began.
    fn look_as_begun(&self, request: &Request) -> Result<Reply, Error> {
        let now = self.fleet.client(self.admitted.cluster)?;
        let begun_by = self.admitted.begun_by.borrow().clone();
        let Some(begun_by) = begun_by.filter(|client| !Arc::ptr_eq(client, now)) else {
            return self.look(request);
        };
        match self.send_by(&begun_by, request, OWN) {
            Err(error) if error.code == Code::Permission => {}
            looked => return looked,
        }
        self.look(request).map_err(|mut error| {
            if error.code == Code::Permission {
                let hint = error.hint.take().map(|hint| format!("; {hint}"));
                error.hint = Some(format!("{CHANGED}{}", hint.unwrap_or_default()));
            }
            error
        })
    }

    /// The end of a task is when things have moved.
    fn moved(&self, looked: Option<&Result<TaskState, Error>>) {
        if looked.is_some_and(Result::is_ok) {
            self.fleet.forget(self.admitted.cluster);
        }
    }

    /// What an answer says of a task: `task`, `state`, `exit` and `log_tail`.
    ///
    /// # Errors
    /// The task failed; it could not be looked at.
    pub fn told_of_task(
        &self,
        state: Result<TaskState, Error>,
    ) -> Result<Map<String, Value>, Error> {
        let state = state?.succeeded().map_err(|error| {
            holder::with_holder_of_task(error, &|request: &Request| self.look(request))
        })?;
        match serde_json::to_value(state) {
            Ok(Value::Object(state)) => Ok(state),
            _ => Ok(Map::new()),
        }
    }

    /// The last `lines` lines of a task's log, made fit to be shown.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log_tail(&self, upid: &Upid, lines: u64) -> Result<Vec<String>, Error> {
        let send = |request: &Request| self.look(request);
        task::log_tail(&send, self.cluster_name(), upid, lines)
    }
}

/// An error that names the task which was watched, where that is known to be one: it may go on.
fn about(watched: Option<String>, mut error: Error) -> Error {
    error.task = error.task.take().or(watched);
    error
}
