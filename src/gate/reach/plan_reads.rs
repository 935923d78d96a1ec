//! What a plan has read, so that the step that it was made for does not read it again: it goes by what was
//! confirmed.

use std::cell::RefCell;

use serde_json::Value;

use crate::api::request::{Reply, Request};
use crate::charged::Charged;
use crate::room::Charge;

/// The largest reply that is kept, and all of them together, by the memory that their values take.
const REPLY_MAX_BYTES: usize = 64 << 10;
const ALL_MAX_BYTES: usize = 256 << 10;

/// The replies to what was read for a plan.
#[derive(Default)]
pub(super) struct PlanReads {
    kept: RefCell<Vec<ReadReply>>,
    /// Whether this is the plan, which uses what it has read as often as it likes. The step behind it uses
    /// each once: who reads a second time wants to know what has changed.
    is_plan: bool,
}

struct ReadReply {
    request: Request,
    data: Value,
    total: Option<u64>,
    changes: Option<String>,
    bytes: usize,
}

impl PlanReads {
    pub(super) fn of_plan() -> PlanReads {
        PlanReads {
            is_plan: true,
            ..PlanReads::default()
        }
    }

    /// What the plan has read, for the step behind it.
    pub(super) fn for_step(&self) -> PlanReads {
        PlanReads {
            kept: RefCell::new(self.kept.take()),
            is_plan: false,
        }
    }

    /// The reply that was read before, if it was.
    pub(super) fn reply(&self, request: &Request) -> Option<Reply> {
        let mut kept = self.kept.borrow_mut();
        let at = kept.iter().position(|read| read.request == *request)?;
        let (data, total, changes) = match self.is_plan {
            true => {
                let read = kept.get(at)?;
                (read.data.clone(), read.total, read.changes.clone())
            }
            false => {
                let read = kept.remove(at);
                (read.data, read.total, read.changes)
            }
        };
        Some(Reply {
            data: Charged::new(data, Charge::default()),
            total,
            changes,
        })
    }

    /// What was read holds no longer: a write is about to leave.
    pub(super) fn forget(&self) {
        self.kept.borrow_mut().clear();
    }

    /// Keeps what a plan reads.
    pub(super) fn note(&self, request: &Request, reply: &Reply) {
        let mut kept = self.kept.borrow_mut();
        let changes = reply.changes.as_ref().map_or(0, String::len);
        let bytes = reply.data.bytes().saturating_add(changes);
        let all: usize = kept.iter().map(|read| read.bytes).sum();
        if self.is_plan && bytes <= REPLY_MAX_BYTES && all + bytes <= ALL_MAX_BYTES {
            kept.push(ReadReply {
                request: request.clone(),
                data: reply.data.clone(),
                total: reply.total,
                changes: reply.changes.clone(),
                bytes,
            });
        }
    }
}
