//! The tasks that requests start, followed as long as the call waits.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Reach;
use crate::api::request::{Reply, Request};
use crate::api::upid::Upid;
use crate::error::Error;
use crate::proxmox::holder;
use crate::proxmox::task::{self, TaskSource, TaskState};

impl Reach<'_> {
    /// Follows the task whose UPID a request gave, as long as the call waits, and gives `task`,
    /// `state`, `exit` and `log_tail`. A reply without data is an end already.
    ///
    /// # Errors
    /// The task failed; the call was withdrawn.
    pub fn follow(&self, reply: &Reply) -> Result<Map<String, Value>, Error> {
        self.follow_for(reply, Duration::from_secs(self.wait_s))
    }

    /// Follows the task of a reply for at most `time`, whatever the caller waits.
    ///
    /// # Errors
    /// As [`Reach::follow`].
    pub fn follow_for(&self, reply: &Reply, time: Duration) -> Result<Map<String, Value>, Error> {
        let mut answer = Map::new();
        if reply.data.is_null() {
            answer.insert("state".into(), "ok".into());
            return Ok(answer);
        }
        let text = reply.data.as_str().unwrap_or_default();
        let upid = Upid::parse(text)
            .map_err(|cause| Error::no_answer(self.cluster_name(), "a task", cause).unknown())?;
        let ended = self.watch(&upid, TaskSource::Cluster, time)?.succeeded();
        let state = ended.map_err(|error| {
            holder::with_holder_of_task(error, &|request: &Request| self.look(request))
        })?;
        match serde_json::to_value(state) {
            Ok(Value::Object(state)) => Ok(state),
            _ => Ok(answer),
        }
    }

    /// Watches a task for at most `time`. Its failure is an answer like another.
    ///
    /// # Errors
    /// The call was withdrawn; the task cannot be looked at; nobody but the caller knows of it.
    pub fn watch(
        &self,
        upid: &Upid,
        source: TaskSource,
        time: Duration,
    ) -> Result<TaskState, Error> {
        let send = |request: &Request| self.look(request);
        let state = task::follow(&send, self.cluster_name(), upid, source, time)?;
        // The end of a task is when things have moved.
        self.fleet.forget(self.cluster);
        Ok(state)
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
