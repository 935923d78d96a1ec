//! The plans that wait: each for its code, or for the reply to its question.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::{Plan, Question, QuestionReply, RequiredAnswer, WAY_ON, fingerprint};
use crate::error::Error;
use crate::proxmox::digest::{hex, hmac_sha256, random_bytes};

/// How long a code is good, in seconds.
pub const CODE_AGE_S: u64 = 600;
/// How long a question can be replied to, in seconds: what a user may take, and the way back.
const QUESTION_AGE_S: u64 = 150;
/// So many questions are before the user at once.
pub const QUESTIONS_MAX: usize = 8;
/// A plan ends with so many wrong codes.
const WRONG_MAX: u8 = 3;
/// So many plans wait at once; the oldest gives way.
const PLANS_MAX: usize = 64;
/// Hexadecimal digits of a question's number, with which its state begins.
const NUMBER_DIGITS: usize = 32;

const CHANGED: &str = "what the call addresses has changed since the plan was made";

/// The plans that wait for their code or their reply.
pub struct Plans {
    /// How long a code is good.
    pub code_age: Duration,
    /// How long a question can be replied to.
    pub question_age: Duration,
    waiting: Vec<WaitingPlan>,
    /// Of this process alone, so that no question outlives it. Nothing where the system gave none.
    key: Option<[u8; 32]>,
}

impl Default for Plans {
    fn default() -> Plans {
        Plans {
            code_age: Duration::from_secs(CODE_AGE_S),
            question_age: Duration::from_secs(QUESTION_AGE_S),
            waiting: Vec::new(),
            key: random_bytes(),
        }
    }
}

struct WaitingPlan {
    call: [u8; 32],
    subject: [u8; 32],
    /// The code, or the number of the question.
    code: String,
    /// What the reply must say; nothing of a plan that waits for its code.
    wants: Option<RequiredAnswer>,
    made: Instant,
    wrong: u8,
}

/// A code that was given, and is not wrong.
pub enum GivenCode {
    /// It is the one of the plan that waits.
    OfPlan,
    /// It confirms nothing any more, whatever is there now: why a new plan has to be shown.
    Void(&'static str),
}

/// What a user agreed to.
pub struct AgreedPlan {
    subject: [u8; 32],
}

impl Plans {
    /// Looks at the code of a call, before its plan is read anew. A code without a waiting plan, or
    /// too late, leads to a new plan.
    ///
    /// # Errors
    /// The code is wrong: nothing was sent.
    pub fn check_code(&mut self, call: &[u8; 32], code: &str) -> Result<GivenCode, Error> {
        let by_code = |one: &&mut WaitingPlan| one.call == *call && one.wants.is_none();
        let Some(waiting) = self.waiting.iter_mut().find(by_code) else {
            if self.waiting.iter().any(|one| one.code == code) {
                return Err(refused(
                    "the code belongs to another call: repeat that call exactly as it was planned",
                ));
            }
            return Ok(GivenCode::Void(
                "no plan of this call was waiting: its code was used, has expired, or was for other \
                 arguments",
            ));
        };
        if waiting.code != code {
            waiting.wrong += 1;
            if waiting.wrong < WRONG_MAX {
                return Err(refused("the code in `confirm` is wrong"));
            }
            self.forget(call);
            return Err(refused(
                "the code in `confirm` is wrong for the third time, and the plan has ended",
            ));
        }
        if waiting.made.elapsed() >= self.code_age {
            return Ok(GivenCode::Void("the code has expired"));
        }
        Ok(GivenCode::OfPlan)
    }

    /// Whether the code of a call, which was [`GivenCode::OfPlan`], confirms what is there now. It is good
    /// once only.
    ///
    /// # Errors
    /// Why a new plan has to be shown.
    pub fn confirms(&mut self, call: &[u8; 32], subject: &Value) -> Result<(), &'static str> {
        let by_code = |one: &WaitingPlan| one.call == *call && one.wants.is_none();
        let place = self.waiting.iter().position(by_code);
        let waiting = place.map(|place| self.waiting.swap_remove(place));
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
        self.wait_for(WaitingPlan {
            call,
            subject: fingerprint(&plan.subject),
            code: code.clone(),
            wants: None,
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
            "nothing was sent: show the plan to the user, then repeat the same call with `confirm`"
                .into(),
        );
        Ok(answer)
    }

    /// Makes the question that shows a plan.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn question(
        &mut self,
        call: [u8; 32],
        plan: Plan,
        wants: RequiredAnswer,
    ) -> Result<Question, Error> {
        let Some(bytes) = random_bytes::<16>() else {
            return Err(refused("the system gives no random bytes for a question"));
        };
        let number = hex(&bytes);
        let subject = fingerprint(&plan.subject);
        let state = format!("{number}{}", self.seal(&number, &call, &subject)?);
        self.wait_for(WaitingPlan {
            call,
            subject,
            code: number,
            wants: Some(wants.clone()),
            made: Instant::now(),
            wrong: 0,
        });
        Ok(Question {
            object: plan.object(),
            shown: plan.shown,
            wants,
            state,
        })
    }

    /// Whether the question of this state can still be replied to.
    pub fn waits_for(&self, state: &str) -> bool {
        self.asked(state).is_some()
    }

    fn asked(&self, state: &str) -> Option<&WaitingPlan> {
        let number = state.get(..NUMBER_DIGITS).unwrap_or_default();
        let is_asked = |one: &&WaitingPlan| one.wants.is_some() && one.code == number;
        self.waiting.iter().find(is_asked)
    }

    /// Whether the user may be asked about a call while these questions are before them.
    ///
    /// # Errors
    /// One of them is about this very call, or they are as many as may be.
    pub fn may_ask(&self, call: &[u8; 32], asking: &[String]) -> Result<(), Error> {
        let mut asked = asking.iter().filter_map(|state| self.asked(state));
        if asked.any(|one| one.call == *call) {
            let sentence = "the user is being asked about this very call already";
            return Err(Error::not_allowed("", sentence).hint("wait for the answer to that call"));
        }
        if asking.len() < QUESTIONS_MAX {
            return Ok(());
        }
        let sentence = format!(
            "{QUESTIONS_MAX} questions are before the user already, and no more are asked at once"
        );
        Err(Error::not_allowed("", sentence).hint("call it again when one of them is answered"))
    }

    /// Takes a reply, which ends its question whatever it says.
    ///
    /// # Errors
    /// It is no reply to a question of this call, was made up, comes too late, or does not agree.
    pub fn replied(&mut self, call: &[u8; 32], reply: &QuestionReply) -> Result<AgreedPlan, Error> {
        let number = reply.state.get(..NUMBER_DIGITS).unwrap_or_default();
        let asked = |one: &WaitingPlan| one.wants.is_some() && one.code == number;
        let Some(place) = self.waiting.iter().position(asked) else {
            return Err(not_asked(
                "the reply is to no question that waits: it was replied to, has expired, or was \
                 never asked here",
            ));
        };
        let waiting = self.waiting.swap_remove(place);
        let seal = self.seal(&waiting.code, call, &waiting.subject)?;
        if waiting.call != *call {
            return Err(not_asked("the reply is to a question of another call"));
        }
        if reply.state != format!("{}{seal}", waiting.code) {
            return Err(not_asked("the reply's state was not made here"));
        }
        if waiting.made.elapsed() >= self.question_age {
            return Err(not_asked("the reply comes too late"));
        }
        if let Some(wants) = waiting.wants {
            wants.are_met(&reply.said)?;
        }
        Ok(AgreedPlan {
            subject: waiting.subject,
        })
    }

    /// Forgets the plan of this state: its question is before the user no more.
    pub fn withdraw(&mut self, state: &str) {
        let number = state.get(..NUMBER_DIGITS).unwrap_or_default();
        self.waiting
            .retain(|one| one.wants.is_none() || one.code != number);
    }

    /// Forgets every plan: none of their codes and questions is good any more.
    pub fn forget_all(&mut self) {
        self.waiting.clear();
        self.key = random_bytes();
    }

    fn forget(&mut self, call: &[u8; 32]) {
        self.waiting.retain(|one| one.call != *call);
    }

    fn wait_for(&mut self, waiting: WaitingPlan) {
        self.forget(&waiting.call);
        let oldest = self.code_age.max(self.question_age);
        self.waiting.retain(|one| one.made.elapsed() < oldest);
        if self.waiting.len() >= PLANS_MAX {
            // The oldest; of those that a user is asked about only where there are no others.
            let code = self.waiting.iter().position(|one| one.wants.is_none());
            self.waiting.remove(code.unwrap_or(0));
        }
        self.waiting.push(waiting);
    }

    /// What only this process can have written behind a question's number.
    fn seal(&self, number: &str, call: &[u8; 32], subject: &[u8; 32]) -> Result<String, Error> {
        let Some(key) = &self.key else {
            return Err(refused("the system gives no random bytes for a question"));
        };
        let mut sealed = number.as_bytes().to_vec();
        sealed.extend(call);
        sealed.extend(subject);
        Ok(hex(&hmac_sha256(key, &sealed)))
    }
}

impl AgreedPlan {
    /// Whether what the user agreed to is what is there now.
    ///
    /// # Errors
    /// It has changed.
    pub fn still_holds(&self, subject: &Value) -> Result<(), Error> {
        if fingerprint(subject) == self.subject {
            Ok(())
        } else {
            Err(Error::not_allowed("", CHANGED).hint(ASK_ANEW))
        }
    }
}

const ASK_ANEW: &str = "call it again without the reply: the user is asked anew";

/// A reply that answers nothing. Where that goes on, the client's way of asking does not work.
fn not_asked(sentence: &str) -> Error {
    Error::not_allowed("", sentence).hint(format!("{ASK_ANEW}; {WAY_ON}"))
}

fn refused(sentence: &str) -> Error {
    Error::not_allowed("", sentence).hint("call it without `confirm` for a new plan and its code")
}
