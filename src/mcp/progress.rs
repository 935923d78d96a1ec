//! `notifications/progress`: how far a call has come, told to a client that gave a token for it.

use serde_json::{Map, Value, json};

use super::revision::Revision;
use crate::wait::ProgressUpdate;

/// Progress is told on the scale of its percentages. Where they are unknown, or fall back, it grows by
/// this, since it must grow with every notification.
const LEAST_STEP: f64 = 0.001;
/// The end is the answer: what is told before stays below it.
const PERCENT_MAX: f64 = 99.0;
const PERCENT_END: u32 = 100;

/// The progress of one call.
pub struct Progress {
    token: Value,
    /// Whether the client knows messages.
    messages: bool,
    told: f64,
    /// Whether a percentage was ever known.
    of_all: bool,
}

impl Progress {
    /// For a call with this `_meta`; `None` where it gave no legal token.
    pub fn wanted(meta: &Value, revision: Revision) -> Option<Progress> {
        let token = meta.get("progressToken")?;
        if !token.is_string() && !token.is_i64() && !token.is_u64() {
            return None;
        }
        Some(Progress {
            token: token.clone(),
            messages: revision >= Revision::Annotations,
            told: 0.0,
            of_all: false,
        })
    }

    /// The line that tells this update.
    pub fn line(&mut self, update: &ProgressUpdate) -> String {
        self.of_all |= update.percent.is_some();
        let percent = update
            .percent
            .map_or(0.0, |percent| percent.min(PERCENT_MAX));
        self.told = percent.max(self.told + LEAST_STEP);
        let mut params = Map::new();
        params.insert("progressToken".into(), self.token.clone());
        params.insert("progress".into(), json!(self.told));
        if self.of_all {
            params.insert("total".into(), json!(PERCENT_END));
        }
        if self.messages {
            params.insert("message".into(), json!(update.message));
        }
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).to_string()
    }
}
