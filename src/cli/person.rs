//! The person at the terminal, whose answer confirms what asks: the object's name, typed when the plan
//! is there or given beforehand.

use std::io::{self, BufRead, IsTerminal, Read};

use super::readable;
use super::terminal::Terminal;
use crate::error::Error;
use crate::gate::confirm::{Question, QuestionReply, RequiredAnswer, UserAnswer};

/// Nobody's object has a longer name.
const ANSWER_MAX_BYTES: u64 = 1024;
const HINT: &str = "look at the plan above, then repeat the call with `--confirm NAME`, where NAME is the object's `name` in the plan, or its `vmid` where it has none";

/// Who started the command.
pub(super) struct Person<'a> {
    pub(super) terminal: Terminal,
    /// The name that was given with the command.
    pub(super) given: Option<&'a str>,
}

impl Person<'_> {
    /// Shows the plan, and takes the object's name, or the number of objects of a plan beyond the
    /// limit, as the agreement.
    ///
    /// # Errors
    /// Nobody can be asked, or what was given beforehand is something else.
    pub(super) fn reply(&self, question: &Question) -> Result<QuestionReply, Error> {
        let (word, what) = match (&question.wants, &question.object) {
            (RequiredAnswer::Number(number), _) => (number.to_string(), "number of objects"),
            (RequiredAnswer::Name(name), _) => (name.clone(), "object's name"),
            (RequiredAnswer::Yes, Some(object)) => (object.clone(), "object's name"),
            (RequiredAnswer::Yes, None) => return Err(refused("the plan names no object", None)),
        };
        let said = match question.wants {
            RequiredAnswer::Yes => UserAnswer::Yes,
            _ => UserAnswer::Typed(word.clone()),
        };
        let reply = QuestionReply {
            state: question.state.clone(),
            said,
        };
        if self.given == Some(word.as_str()) {
            return Ok(reply);
        }
        self.terminal.progress("");
        self.terminal
            .say(&readable::text(self.terminal, &question.shown));
        if self.given.is_some() {
            let sentence = format!("what was given with `--confirm` is not the {what}");
            return Err(refused(&sentence, Some(HINT)));
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let sentence = "this asks first, and there is nobody at a terminal";
            return Err(refused(sentence, Some(HINT)));
        }
        self.terminal.ask(&format!(
            "\nTo do this, type the {what} as it stands above; anything else leaves it alone: "
        ));
        if typed().as_deref() == Some(word.as_str()) {
            Ok(reply)
        } else {
            Err(refused(&format!("that is not the {what}"), None))
        }
    }
}

/// A line of standard input.
fn typed() -> Option<String> {
    let mut line = String::new();
    let mut input = io::stdin().lock().take(ANSWER_MAX_BYTES);
    input.read_line(&mut line).ok()?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn refused(sentence: &str, hint: Option<&str>) -> Error {
    let mut error = Error::not_allowed("", sentence);
    error.hint = hint.map(str::to_owned);
    error
}
