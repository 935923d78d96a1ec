//! How a call that asks is confirmed: by a code, or by the user's own reply to a question.
//!
//! The first call gives a plan with a code or a question; the same call with the code, or with the
//! reply, acts. Both are bound to the call (tool, cluster, arguments) and to what the plan showed, and
//! are good once. A code guards against a mistaken call, not against a mistaken model.

mod plans;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::methods::SharedVolume;
use crate::error::Error;
use crate::proxmox::digest::sha256;
use crate::shown;

pub use plans::{CODE_AGE_S, GivenCode, Plans, QUESTIONS_MAX};

/// What is shown before a call that asks.
#[derive(Default)]
pub struct Plan {
    /// What the confirmation is bound to: when it changes, a new plan is made.
    pub subject: Value,
    /// The object as it is, what depends on it, what is lost, whether it can be undone. Of a plan that is
    /// only compared not all of it.
    pub shown: Map<String, Value>,
    /// How many guests or objects the call destroys or interrupts.
    pub objects: usize,
    /// The volumes that the call changes or destroys where it takes something away: whoever else uses
    /// them is added to the plan.
    pub volumes: Vec<String>,
    /// Those of them that are other guests' too.
    pub shared: Vec<SharedVolume>,
}

impl Plan {
    /// This plan, fit to be shown in whatever way it is asked.
    #[must_use]
    pub fn to_show(mut self) -> Plan {
        shown::plan(&mut self.shown);
        self
    }

    /// What the plan calls the object: its name, or the VMID of one without.
    pub fn object(&self) -> Option<String> {
        let shown = |key: &str| match self.shown.get(key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        shown("name").or_else(|| shown("vmid"))
    }
}

/// What the user is asked before a call acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The plan as an answer by code would show it.
    pub shown: Map<String, Value>,
    pub wants: RequiredAnswer,
    /// What the plan calls the object.
    pub object: Option<String>,
    /// Comes back with the reply. Whoever has it can reply once, to this very question.
    pub state: String,
}

/// What makes a reply an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequiredAnswer {
    /// Yes.
    Yes,
    /// The object's name, typed.
    Name(String),
    /// The number of objects, typed, of a plan beyond the limit.
    Number(usize),
}

/// The reply to a [`Question`].
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionReply {
    /// [`Question::state`] as it came back.
    pub state: String,
    pub said: UserAnswer,
}

/// What the user said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAnswer {
    Yes,
    Typed(String),
    No,
    /// The question was closed without an answer.
    Cancelled,
    /// Nothing, within this many seconds.
    Nothing(u64),
    /// They were not asked: why the client could not.
    Unasked(String),
}

impl RequiredAnswer {
    /// Whether the user agrees.
    ///
    /// # Errors
    /// They do not: nothing is done.
    fn are_met(&self, said: &UserAnswer) -> Result<(), Error> {
        let typed = |text: &str| match said {
            UserAnswer::Typed(typed) => typed.trim() == text,
            _ => false,
        };
        let problem = match (self, said) {
            (_, UserAnswer::No) => "the user declined".to_owned(),
            (_, UserAnswer::Cancelled) => "the user closed the question".to_owned(),
            (_, UserAnswer::Nothing(seconds)) => {
                format!("the user gave no answer within {seconds} s")
            }
            (_, UserAnswer::Unasked(why)) => format!("the client could not ask its user: {why}"),
            (RequiredAnswer::Yes, UserAnswer::Yes) => return Ok(()),
            (RequiredAnswer::Yes, UserAnswer::Typed(_)) => "the reply is no yes".to_owned(),
            (RequiredAnswer::Name(name), _) if typed(name) => return Ok(()),
            (RequiredAnswer::Name(_), _) => {
                "what the user typed is not the object's name".to_owned()
            }
            (RequiredAnswer::Number(number), _) if typed(&number.to_string()) => return Ok(()),
            (RequiredAnswer::Number(_), _) => {
                "what the user typed is not the number of objects".to_owned()
            }
        };
        Err(unconfirmed(&problem))
    }
}

/// A question that ended without a yes, and the way on: some clients say that they can ask and decline
/// by themselves, so that no user ever sees a question.
pub fn unconfirmed(problem: &str) -> Error {
    Error::not_allowed("", problem).hint(WAY_ON)
}

/// What helps where questions do not reach a user, or answers do not come back.
const WAY_ON: &str = "a user who was never asked has a client that answers by itself: with \
    `PROXMOX_CONFIRM=code`, set by whoever runs this server, such a call answers with its plan \
    and a code instead, and acts when it is repeated with `confirm` set to that code";

/// What a call is, for binding a code to it.
pub fn call_of(tool: &str, cluster: &str, arguments: &str) -> [u8; 32] {
    sha256(format!("{tool}\n{cluster}\n{arguments}").as_bytes())
}

fn fingerprint(subject: &Value) -> [u8; 32] {
    sha256(canonical(subject).as_bytes())
}

/// Equal values as equal text: keys are sorted, since replies come in random order.
pub fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<&String, Value> = map
                .iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            let entries = entries.into_iter().map(|(key, value)| (key.clone(), value));
            Value::Object(entries.collect())
        }
        Value::Array(entries) => entries.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}
