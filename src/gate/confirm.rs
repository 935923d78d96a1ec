//! How a call that asks is confirmed: by a code, or by the user's own answer within the call.
//!
//! By code the first call gives a plan and a code, and the same call with the code acts. A code is
//! bound to the call (tool, cluster, arguments) and to what the plan showed. It guards against a
//! mistaken call, not against a mistaken model.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::proxmox::digest::{random_bytes, sha256};
use crate::shown;

/// How long a code is good, in seconds.
pub const CODE_AGE_S: u64 = 600;
/// A plan ends with so many wrong codes.
const WRONG_MAX: u8 = 3;
/// So many plans wait at once; the oldest gives way.
const PLANS_MAX: usize = 64;

const CHANGED: &str = "what the call addresses has changed since the plan was made";

/// What is shown before a call that asks.
pub struct Plan {
    /// What the confirmation is bound to: when it changes, a new plan is made.
    pub subject: Value,
    /// The object as it is, what depends on it, what is lost, whether it can be undone.
    pub shown: Map<String, Value>,
}

impl Plan {
    /// The same, fit to be shown in whatever way it is asked.
    #[must_use]
    pub fn to_show(self) -> Plan {
        Plan {
            subject: self.subject,
            shown: shown::plan(self.shown),
        }
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

/// How a call that asks is confirmed.
#[derive(Clone, Copy)]
pub enum Confirm<'e> {
    /// By repeating it with the code that its plan bears; the code that came with this one.
    Code(Option<&'e str>),
    /// By the user, who is asked while the call waits.
    User(&'e dyn User),
}

/// The user of a call, where they can be asked while it waits.
pub trait User {
    /// Shows the plan and takes the answer.
    ///
    /// # Errors
    /// They do not agree, or cannot be asked: nothing is done.
    fn agrees(&self, plan: &Plan) -> Result<(), Error>;
}

/// Holds what was shown against what is there after the user agreed.
///
/// # Errors
/// It is something else by now.
pub fn unchanged(shown: &Plan, now: &Plan) -> Result<(), Error> {
    if fingerprint(&shown.subject) == fingerprint(&now.subject) {
        return Ok(());
    }
    Err(Error::NotAllowed {
        sentence: format!("{CHANGED}; nothing was sent"),
        hint: Some("call it again for a new plan".into()),
    })
}

/// The plans that wait for their code.
pub struct Plans {
    /// How long a code is good.
    pub code_age: Duration,
    waiting: Vec<Waiting>,
}

impl Default for Plans {
    fn default() -> Plans {
        Plans {
            code_age: Duration::from_secs(CODE_AGE_S),
            waiting: Vec::new(),
        }
    }
}

struct Waiting {
    call: [u8; 32],
    subject: [u8; 32],
    code: String,
    made: Instant,
    wrong: u8,
}

/// A code that was given, and is the one that was asked for.
pub struct Code {
    place: [u8; 32],
    problem: Option<&'static str>,
}

impl Plans {
    /// Looks at the code of a call, before its plan is read anew. A code without a waiting plan, or
    /// too late, leads to a new plan.
    ///
    /// # Errors
    /// The code is wrong: nothing was sent.
    pub fn check_code(&mut self, call: &[u8; 32], code: &str) -> Result<Code, Error> {
        let code_of = |problem| Code {
            place: *call,
            problem,
        };
        let Some(waiting) = self.waiting.iter_mut().find(|one| one.call == *call) else {
            if self.waiting.iter().any(|one| one.code == code) {
                return Err(refused(
                    "the code belongs to another call: repeat that call exactly as it was planned",
                ));
            }
            return Ok(code_of(Some(
                "no plan of this call was waiting: its code was used, has expired, or was for other \
                 arguments",
            )));
        };
        if waiting.code != code {
            waiting.wrong += 1;
            if waiting.wrong < WRONG_MAX {
                return Err(refused("the code in `confirm` is wrong"));
            }
            self.waiting.retain(|one| one.call != *call);
            return Err(refused(
                "the code in `confirm` is wrong for the third time, and the plan has ended",
            ));
        }
        if waiting.made.elapsed() >= self.code_age {
            return Ok(code_of(Some("the code has expired")));
        }
        Ok(code_of(None))
    }

    /// Whether the code confirms what is there now. It is good once only.
    ///
    /// # Errors
    /// Why a new plan has to be shown.
    pub fn confirms(&mut self, code: &Code, subject: &Value) -> Result<(), &'static str> {
        let place = self.waiting.iter().position(|one| one.call == code.place);
        let waiting = place.map(|place| self.waiting.swap_remove(place));
        if let Some(problem) = code.problem {
            return Err(problem);
        }
        match waiting {
            Some(waiting) if waiting.subject == fingerprint(subject) => Ok(()),
            _ => Err(CHANGED),
        }
    }

    /// Makes the answer that shows a plan and its code.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn ask(
        &mut self,
        call: [u8; 32],
        plan: Plan,
        because: Option<&str>,
    ) -> Result<Map<String, Value>, Error> {
        let Some(bytes) = random_bytes::<8>() else {
            return Err(refused("the system gives no random bytes for a code"));
        };
        let code = format!("{:016x}", u64::from_be_bytes(bytes));
        self.waiting
            .retain(|one| one.call != call && one.made.elapsed() < Duration::from_secs(CODE_AGE_S));
        if self.waiting.len() >= PLANS_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting {
            call,
            subject: fingerprint(&plan.subject),
            code: code.clone(),
            made: Instant::now(),
            wrong: 0,
        });
        let mut answer = Map::new();
        if let Some(because) = because {
            answer.insert("because".into(), because.into());
        }
        answer.insert("plan".into(), Value::Object(plan.shown));
        answer.insert("confirm".into(), code.into());
        answer.insert("expires_s".into(), self.code_age.as_secs().into());
        answer.insert(
            "next".into(),
            "nothing was changed: show the plan to the user, then repeat the same call with `confirm`"
                .into(),
        );
        Ok(answer)
    }
}

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

fn refused(sentence: &str) -> Error {
    Error::NotAllowed {
        sentence: format!("{sentence}; nothing was sent"),
        hint: Some("call it without `confirm` for a new plan and its code".into()),
    }
}
