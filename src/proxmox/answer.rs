//! What came back from a cluster: a reply, or one of Proxmox's ways to refuse.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::advice;
use super::buffers::HttpBody;
use super::settings::Settings;
use crate::api::request::{Reply, Request, Verb};
use crate::charged::Charged;
use crate::counted::{Cost, CountedValue, FieldName};
use crate::error::Error;
use crate::room::{Charge, NoRoom};
use crate::text::printable;

/// The node that was asked did not reach the one that the request is for.
const ANOTHER_NODE: std::ops::RangeInclusive<u16> = NOT_CONNECTED..=599;
/// It found no connection.
const NOT_CONNECTED: u16 = 595;
/// The longest message of a cluster that is passed on, and of one of its parameters.
const MESSAGE_MAX_CHARS: usize = 1000;
const PARAMETER_MAX_CHARS: usize = 500;
/// The longest name or path that is shown.
const NAME_MAX_CHARS: usize = 300;
/// How much of what is no answer is shown.
const START_SHOWN_BYTES: usize = 60;
/// More messages by parameter than this are not passed on.
const PARAMETERS_MAX: usize = 40;

/// An HTTP answer, of which the status line and the header were whole.
pub struct Answer {
    pub status: u16,
    /// The reason phrase: here Proxmox says what went wrong, in older versions nowhere else.
    pub reason: String,
    /// What the server's clock says, as it said it.
    pub date: Option<String>,
    pub body: HttpBody,
}

/// What a body of JSON holds of an answer.
#[derive(Default)]
struct AnswerEnvelope {
    data: Option<Value>,
    total: Value,
    changes: Value,
    message: Value,
    errors: Value,
}

impl Answer {
    /// The body of an answer that is no refusal.
    ///
    /// # Errors
    /// The refusal, as `settings` and `request` let it be said.
    pub fn accepted(self, settings: &Settings, request: &Request) -> Result<HttpBody, Error> {
        match self.status {
            200 => Ok(self.body),
            401 => Err(self.not_accepted(settings)),
            403 => Err(self.denied(settings)),
            400.. if !ANOTHER_NODE.contains(&self.status) => Err(self.refused(settings, request)),
            595..=599 => Err(self.other_node(settings, request)),
            status => Err(not_an_answer(
                settings,
                request,
                format!("status {status} {}", printable(&self.reason, 100)),
            )),
        }
    }

    /// Whether the node that was asked did not reach the one that the request is for, so that another
    /// one may be asked: with 595 it found no connection and nothing was done; with the others that
    /// holds for a read only.
    pub fn is_for_another(&self, verb: Verb) -> bool {
        match verb {
            Verb::Get => ANOTHER_NODE.contains(&self.status),
            _ => self.status == NOT_CONNECTED,
        }
    }

    /// Whether it is what was asked for, so that the token is accepted.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether Proxmox could start no process, and says so: nothing was begun, and the next moment it
    /// can (measured on 9.2).
    pub fn may_be_repeated(&self) -> bool {
        self.status == 500 && self.message().contains("got no worker upid")
    }

    /// Whether another task held the lock for as long as Proxmox waits for one, 10 s: nothing was
    /// begun, and what has been held so long is held on (measured on 9.2).
    fn was_locked_out(&self) -> bool {
        let message = self.message();
        self.status == 500 && message.contains("can't lock file") && message.contains("got timeout")
    }

    /// What the body of a refusal says; nothing where it is none, or says too much.
    fn refusal(&self) -> Charged<AnswerEnvelope> {
        let mut charge = Charge::default();
        let mut cost = Cost::held_by(&mut charge);
        let body = std::str::from_utf8(&self.body).ok();
        let said = body.and_then(|body| AnswerEnvelope::read(body, &mut cost).ok());
        Charged::new(said.unwrap_or_default(), charge)
    }

    /// The text of the body's `message`, else the reason phrase.
    fn message(&self) -> String {
        let said = self.refusal();
        let in_body = said.message.as_str().unwrap_or_default().trim();
        let text = if in_body.is_empty() {
            self.reason.trim()
        } else {
            in_body
        };
        if text.is_empty() {
            return "no reason given".into();
        }
        printable(text, MESSAGE_MAX_CHARS)
    }

    fn refused(&self, settings: &Settings, request: &Request) -> Error {
        let message = self.message();
        // Something inside was not waited for any longer: it goes on, or does not.
        let timed_out = message.contains("got timeout") && !self.was_locked_out();
        if request.verb != Verb::Get && timed_out {
            let cause = format!("Proxmox says ({}): {message}", self.status);
            return Error::interrupted(&settings.cluster, &line_of(request), cause);
        }
        let said = self.refusal();
        let mut errors = Vec::new();
        if let Value::Object(by_parameter) = &said.errors {
            for (name, text) in by_parameter.iter().take(PARAMETERS_MAX) {
                let text = match text {
                    Value::String(text) => text.trim().to_string(),
                    other => other.to_string(),
                };
                errors.push((
                    printable(name, NAME_MAX_CHARS),
                    printable(&text, PARAMETER_MAX_CHARS),
                ));
            }
        }
        // Proxmox names them in random order.
        errors.sort();
        let mut error = Error::refused(&settings.cluster, self.status, &message);
        error.hint = advice::refusal(&message);
        error.by_parameter = errors;
        error
    }

    /// 401: the layer before the API does not know the token. Its message names no cause: unknown,
    /// wrong, expired and disabled tokens look alike (measured on 9.2).
    pub fn not_accepted(&self, settings: &Settings) -> Error {
        Error::denied(&settings.cluster, self.message()).hint(advice::token(&settings.token_id))
    }

    /// 403, with the command that grants what is missing where the message names it.
    fn denied(&self, settings: &Settings) -> Error {
        let message = self.message();
        let mut error = Error::denied(&settings.cluster, &message);
        error.hint = advice::grant(&settings.token_id, &message);
        error
    }

    /// 595 to 599: the node that was asked could not reach the one that the request is for. With
    /// 595 it found no connection; the others may come in the middle of a request.
    fn other_node(&self, settings: &Settings, request: &Request) -> Error {
        let cause = format!(
            "the node that the request is for was not reached by the one that was asked ({}): {}",
            self.status,
            self.message()
        );
        if self.status != NOT_CONNECTED && request.verb != Verb::Get {
            return Error::interrupted(&settings.cluster, &line_of(request), cause);
        }
        let message = format!("{cause}; nothing was changed");
        Error::refused(&settings.cluster, self.status, message)
            .hint("look at the list of nodes: that one may be down")
    }
}

/// The reply that `body` holds.
///
/// # Errors
/// `ReplyError` where it is not the JSON object with `data` that Proxmox sends.
pub fn parse(settings: &Settings, request: &Request, body: &[u8]) -> Result<Reply, Error> {
    let wrong = |why: String| {
        let start = String::from_utf8_lossy(body.get(..START_SHOWN_BYTES).unwrap_or(body));
        let start = printable(&start, START_SHOWN_BYTES);
        not_an_answer(
            settings,
            request,
            format!("{why}; it begins with `{start}`"),
        )
    };
    // An array would do for serde.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong("it is no JSON object".into()));
    }
    let body = std::str::from_utf8(body).map_err(|e| wrong(e.to_string()))?;
    let mut charge = Charge::default();
    let mut cost = Cost::held_by(&mut charge);
    let envelope = match (AnswerEnvelope::read(body, &mut cost), cost.over()) {
        (Ok(envelope), None) => envelope,
        (_, Some(NoRoom::Cancelled)) => return Err(Error::cancelled()),
        (_, Some(why)) => {
            let cause = format!("its {} bytes are not read: {why}", body.len());
            return Err(not_an_answer(settings, request, cause));
        }
        (Err(cause), None) => return Err(wrong(cause.to_string())),
    };
    let Some(data) = envelope.data else {
        return Err(wrong("it has no `data`".into()));
    };
    Ok(Reply {
        data: Charged::new(data, charge),
        total: match &envelope.total {
            Value::String(digits) => digits.parse().ok(),
            other => other.as_u64(),
        },
        changes: match envelope.changes {
            Value::String(diff) if !diff.is_empty() => Some(diff),
            _ => None,
        },
    })
}

impl AnswerEnvelope {
    fn read(json: &str, cost: &mut Cost) -> Result<AnswerEnvelope, serde_json::Error> {
        cost.about_to_read(json)
            .map_err(serde_json::Error::custom)?;
        let mut envelope = AnswerEnvelope::default();
        let mut reader = serde_json::Deserializer::from_str(json);
        reader.deserialize_map(EnvelopeVisitor(&mut envelope, cost))?;
        reader.end()?;
        cost.settle().map_err(serde_json::Error::custom)?;
        Ok(envelope)
    }
}

/// Fills an envelope.
struct EnvelopeVisitor<'a, 'c>(&'a mut AnswerEnvelope, &'a mut Cost<'c>);

impl<'de> Visitor<'de> for EnvelopeVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let EnvelopeVisitor(envelope, cost) = self;
        while let Some(FieldName(name)) = fields.next_key()? {
            let value = match &*name {
                "data" => envelope.data.insert(Value::Null),
                "total" => &mut envelope.total,
                "changes" => &mut envelope.changes,
                "message" => &mut envelope.message,
                "errors" => &mut envelope.errors,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *value = fields.next_value_seed(CountedValue(cost))?;
        }
        Ok(())
    }
}

/// The error for what came back and is no answer of the API.
pub fn not_an_answer(settings: &Settings, request: &Request, cause: String) -> Error {
    let error = Error::no_answer(&settings.cluster, &line_of(request), cause);
    match request.verb {
        Verb::Get => error,
        _ => error.unknown(),
    }
}

/// Method and path, fit to be shown.
pub fn line_of(request: &Request) -> String {
    printable(&request.line(), NAME_MAX_CHARS)
}
