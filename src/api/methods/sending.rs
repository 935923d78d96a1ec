//! A method that an action of a tool sends. What an action may do and what it weighs is read off these.

use super::permissions::Grants;
use crate::api::mark::Mark;
use crate::api::request::{Request, Verb};

/// A method, as an entry names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    pub verb: Verb,
    /// As its row has it: `{kind}` stands for `qemu` and `lxc`.
    pub path: &'static str,
    mark: Option<Mark>,
    /// What a token is granted for it.
    pub grants: Grants,
}

/// The methods that an action sends: those of its own, and those of what it makes use of.
pub type Sends = &'static [&'static [Sending]];

/// Stands for every path: the one that the arguments name is sent.
pub const ANY: &str = "*";

/// Any GET. How heavy it is at most is said where it is more than a look.
pub const ANY_GET: Sending = Sending::any(Verb::Get).weighing(Mark::READ);
/// Any write of this method, as heavy as the entry says.
pub const ANY_POST: Sending = Sending::any(Verb::Post);
pub const ANY_PUT: Sending = Sending::any(Verb::Put);
pub const ANY_DELETE: Sending = Sending::any(Verb::Delete);

pub const fn get(path: &'static str) -> Sending {
    Sending::new(Verb::Get, path)
}

pub const fn post(path: &'static str) -> Sending {
    Sending::new(Verb::Post, path)
}

pub const fn put(path: &'static str) -> Sending {
    Sending::new(Verb::Put, path)
}

pub const fn delete(path: &'static str) -> Sending {
    Sending::new(Verb::Delete, path)
}

impl Sending {
    const fn any(verb: Verb) -> Sending {
        Sending {
            verb,
            path: ANY,
            mark: None,
            grants: &[],
        }
    }

    /// Its row is looked for when the program is built.
    const fn new(verb: Verb, path: &'static str) -> Sending {
        let (mark, grants): (Option<Mark>, Grants) = match super::row(verb, path) {
            Some(row) => (row.fixed(), row.grants),
            None => (None, &[]),
        };
        Sending {
            verb,
            path,
            mark: match verb {
                Verb::Get => Some(Mark::READ),
                _ => mark,
            },
            grants,
        }
    }

    /// One that shows to each token what it may see, and what the action looks for in it.
    pub const fn seeing(self, grants: Grants) -> Sending {
        Sending { grants, ..self }
    }

    /// One that the action can do without: where the token may not, the answer says less.
    pub const fn beside(self) -> Sending {
        Sending {
            grants: &[],
            ..self
        }
    }

    /// How heavy its request is at most, where that depends on the parameters.
    pub const fn weighing(self, mark: Mark) -> Sending {
        Sending {
            mark: Some(mark),
            ..self
        }
    }

    /// What it weighs. Where its row judges by the parameters, and the entry does not say how they are,
    /// it is the heaviest.
    pub const fn mark(&self) -> Mark {
        match self.mark {
            Some(mark) => mark,
            None => Mark::FULL.interrupts().destroys(),
        }
    }

    /// What it weighs, where its row or the entry says that.
    pub fn known_mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Whether the request is one of it.
    pub fn takes(&self, request: &Request) -> bool {
        self.verb == request.verb && (self.path == ANY || request.is_at(self.path))
    }
}

/// All of it in one mark.
pub const fn mark(mut sends: Sends) -> Mark {
    let mut all = Mark::READ;
    while let [first, rest @ ..] = sends {
        let mut these = *first;
        while let [sending, others @ ..] = these {
            all = all.or(sending.mark());
            these = others;
        }
        sends = rest;
    }
    all
}
