//! A write as a handler gives it: what is sent, what the answer says of it, and what is looked at when its
//! task has ended. Sending, waiting and telling of the task are the same for all.

use serde_json::{Map, Value};

use super::args::Args;
use super::step::{self, StepResult};
use crate::api::request::{Reply, Request};
use crate::error::Error;
use crate::gate::reach::Reach;

/// One write on a cluster.
pub struct Write {
    sent: WhatIsSent,
    /// What the answer says before `task`, `state`, `exit` and `log_tail`.
    answer: Map<String, Value>,
    then: Option<AfterWrite>,
}

/// What a handler of a write gives.
pub type WriteResult = Result<Write, Error>;

/// How a call goes on when the task of its write has ended, with the answer as far as it is known.
pub type AfterWrite = Box<dyn FnOnce(&Reach, &Args, Map<String, Value>) -> StepResult>;

enum WhatIsSent {
    /// This, in this step.
    Request(Request),
    /// What the handler has sent, as it was answered.
    Before(Reply),
    Nothing,
}

impl Write {
    /// This request is to be sent.
    pub fn new(request: Request, answer: Map<String, Value>) -> Write {
        Write {
            sent: WhatIsSent::Request(request),
            answer,
            then: None,
        }
    }

    /// It was sent already: of several requests the one that was taken.
    pub fn sent(reply: Reply, answer: Map<String, Value>) -> Write {
        Write {
            sent: WhatIsSent::Before(reply),
            answer,
            then: None,
        }
    }

    /// Nothing is to be sent, as the answer says.
    pub fn nothing(answer: Map<String, Value>) -> Write {
        Write {
            sent: WhatIsSent::Nothing,
            answer,
            then: None,
        }
    }

    /// What is done when its task has ended; while that runs the answer is given as it is.
    #[must_use]
    pub fn then(
        mut self,
        then: impl FnOnce(&Reach, &Args, Map<String, Value>) -> StepResult + 'static,
    ) -> Write {
        self.then = Some(Box::new(then));
        self
    }

    /// Sends it, and waits for its task as long as the call waits.
    pub fn step(self, reach: &Reach, args: &Args) -> StepResult {
        let (mut answer, then) = (self.answer, self.then);
        let reply = match self.sent {
            WhatIsSent::Request(request) => reach.send(&request)?,
            WhatIsSent::Before(reply) => reply,
            WhatIsSent::Nothing => return Ok(answer.into()),
        };
        step::follow(reach, args, &reply, |reach, args, task| {
            answer.extend(task?);
            match then {
                Some(then) if step::has_ended(&answer) => then(reach, args, answer),
                _ => Ok(answer.into()),
            }
        })
    }
}
