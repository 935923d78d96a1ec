//! The bulk limit: no more than so many guests or objects are destroyed or interrupted within a minute,
//! whatever was confirmed one by one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::variables::BULK_LIMIT;
use crate::error::Error;

/// The window in which is counted, in seconds.
pub const WINDOW_S: u64 = 60;

/// How many guests or objects may be destroyed or interrupted within the window, and which were.
pub struct BulkLimit {
    /// The most within the window.
    limit: usize,
    pub window: Duration,
    /// When each object was counted, oldest first.
    counted: VecDeque<Instant>,
    /// Why it is not known what other processes did of late.
    blind: Option<String>,
}

impl BulkLimit {
    pub fn new(limit: usize) -> BulkLimit {
        BulkLimit {
            limit,
            window: Duration::from_secs(WINDOW_S),
            counted: VecDeque::new(),
            blind: None,
        }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Another limit from now on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// It is not known what other processes did of late, for this reason.
    pub fn set_blind(&mut self, cause: String) {
        self.blind = Some(cause);
    }

    /// Whether so many more objects may be destroyed or interrupted now.
    ///
    /// # Errors
    /// They are too many for the window, or it is not known how many others there were.
    pub fn has_room(&mut self, cluster: &str, objects: usize) -> Result<(), Error> {
        if let Some(cause) = &self.blind {
            return Err(Error::not_allowed(
                cluster,
                format!(
                    "what other processes destroyed or interrupted of late cannot be counted for \
                     {BULK_LIMIT}: {cause}"
                ),
            ));
        }
        let window = self.window;
        while self
            .counted
            .front()
            .is_some_and(|at| at.elapsed() >= window)
        {
            self.counted.pop_front();
        }
        let count = self.counted.len();
        if count + objects <= self.limit {
            return Ok(());
        }
        // The objects that have to leave the window first.
        let over = (count + objects).saturating_sub(self.limit);
        let last = self.counted.get(over.saturating_sub(1));
        let wait = last.map(|at| window.saturating_sub(at.elapsed()).as_secs() + 1);
        let sentence = format!(
            "{count} guests or objects were destroyed or interrupted in the last {} s, and {objects} \
             more would be beyond {BULK_LIMIT} ({})",
            window.as_secs(),
            self.limit
        );
        let mut error = Error::not_allowed(cluster, sentence);
        error.hint = wait.map(|seconds| {
            format!("the next is possible in {seconds} s: ask the user whether this is meant")
        });
        Err(error)
    }

    /// Counts objects whose request is about to leave.
    pub fn count(&mut self, objects: usize) {
        let now = Instant::now();
        self.counted.extend(std::iter::repeat_n(now, objects));
    }

    /// Counts objects of other processes: how long ago each was destroyed or interrupted.
    pub fn count_earlier(&mut self, ages: &[Duration]) {
        let now = Instant::now();
        let mut all: Vec<Instant> = ages
            .iter()
            .filter_map(|age| now.checked_sub(*age))
            .collect();
        all.extend(self.counted.drain(..));
        all.sort_unstable();
        self.counted = all.into();
    }
}
