//! The person at the terminal, whose answer confirms what asks: the object's name, typed when the plan
//! is there or given beforehand.

use std::io::{self, BufRead, IsTerminal, Read};

use super::readable;
use super::terminal::Terminal;
use crate::error::Error;
use crate::gate::confirm::{Plan, User};

/// Nobody's object has a longer name.
const ANSWER_MAX_BYTES: u64 = 1024;
const HINT: &str = "look at the plan above, then repeat the call with `--confirm NAME`, where NAME is the object's `name` in the plan, or its `vmid` where it has none";

/// Who started the command.
pub(super) struct Person<'a> {
    pub(super) terminal: Terminal,
    /// The name that was given with the command.
    pub(super) given: Option<&'a str>,
}

impl User for Person<'_> {
    fn agrees(&self, plan: &Plan) -> Result<(), Error> {
        let Some(object) = plan.object() else {
            return Err(refused("the plan names no object", None));
        };
        if self.given == Some(object.as_str()) {
            return Ok(());
        }
        self.terminal.progress("");
        self.terminal
            .say(&readable::text(self.terminal, &plan.shown));
        if self.given.is_some() {
            let sentence = "the name given with `--confirm` is not the object's";
            return Err(refused(sentence, Some(HINT)));
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let sentence = "this asks first, and there is nobody at a terminal";
            return Err(refused(sentence, Some(HINT)));
        }
        self.terminal.ask(
            "\nTo do this, type the object's name as it stands above; anything else leaves it alone: ",
        );
        if typed().as_deref() == Some(object.as_str()) {
            Ok(())
        } else {
            Err(refused("that is not the object's name", None))
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
    Error::NotAllowed {
        sentence: format!("{sentence}; nothing was changed"),
        hint: hint.map(str::to_owned),
    }
}
