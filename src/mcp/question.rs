//! What a user is asked before a call acts, as MCP says it: a message, a form of one field, and what
//! the filled form means. A legacy client is asked in the middle of the call; a modern one is
//! answered with the question, and repeats the call with the reply, which is hostile input.

use serde_json::{Map, Value, json};

use super::revision::Revision;
use super::rpc::RpcFailure;
use crate::gate::confirm::{Question, QuestionReply, RequiredAnswer, UserAnswer};
use crate::secrets;
use crate::text::printable;
use crate::tool::Tool;

/// The request that asks a user.
pub const METHOD: &str = "elicitation/create";
/// How long a legacy client's user may take, in seconds.
pub const ANSWER_MAX_S: u64 = 120;
/// The longest message. What the object holds is cut first, and its lists before its texts.
pub const MESSAGE_MAX_CHARS: usize = 2000;
/// The most of one text and of one list, in characters: the first pair with which the message fits.
const CUTS: [(usize, usize); 5] = [(300, 600), (300, 200), (300, 60), (80, 60), (30, 30)];
/// The longest state that can be one of ours.
const STATE_MAX_BYTES: usize = 256;
/// The most of the client's own words that an answer repeats.
const WHY_MAX_CHARS: usize = 200;
/// Said by the gate, and nothing that a user decides by.
const LEFT_OUT: [&str; 1] = ["untrusted_text"];
/// Arguments that say how the call is made, not what it does.
const ABOUT_THE_CALL: [&str; 3] = ["cluster", "confirm", "wait"];

type Object = Map<String, Value>;

/// The one field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FormField {
    Agree,
    Name,
    Number,
}

impl FormField {
    const ALL: [FormField; 3] = [FormField::Agree, FormField::Name, FormField::Number];

    fn of(wants: &RequiredAnswer) -> FormField {
        match wants {
            RequiredAnswer::Yes => FormField::Agree,
            RequiredAnswer::Name(_) => FormField::Name,
            RequiredAnswer::Number(_) => FormField::Number,
        }
    }

    /// Also the key of the question in a modern answer.
    fn name(self) -> &'static str {
        match self {
            FormField::Agree => "agree",
            FormField::Name => "name",
            FormField::Number => "number",
        }
    }
}

/// The parameters of [`METHOD`].
pub fn params(tool: &Tool, arguments: &Object, question: &Question, revision: Revision) -> Object {
    let mut params = Object::new();
    if revision.has_modes() {
        params.insert("mode".to_owned(), json!("form"));
    }
    let message = message(tool, arguments, question);
    params.insert("message".to_owned(), json!(message));
    params.insert("requestedSchema".to_owned(), form(&question.wants));
    params
}

/// The answer that has a modern client ask its user and repeat the call.
pub fn input_required(
    tool: &Tool,
    arguments: &Object,
    question: &Question,
    revision: Revision,
) -> Object {
    let params = params(tool, arguments, question, revision);
    let key = FormField::of(&question.wants).name();
    Object::from_iter([
        ("resultType".to_owned(), json!("input_required")),
        (
            "inputRequests".to_owned(),
            json!({key: {"method": METHOD, "params": params}}),
        ),
        ("requestState".to_owned(), json!(question.state)),
    ])
}

/// The reply that a modern call brings, if it brings one. A state without a response to what was
/// asked is as none: the user is asked anew.
pub fn reply_in(params: &Object) -> Result<Option<QuestionReply>, RpcFailure> {
    let given = |key: &str| params.get(key).filter(|value| !value.is_null());
    let state = match given("requestState") {
        None => "",
        Some(Value::String(state)) if state.len() <= STATE_MAX_BYTES => state,
        // Longer than any of ours: it is not looked up, and refused as made up.
        Some(Value::String(_)) => "",
        Some(_) => return Err(RpcFailure::bad_params("`requestState` must be a string")),
    };
    let responses = match given("inputResponses") {
        None => return Ok(None),
        Some(Value::Object(responses)) => responses,
        Some(_) => return Err(RpcFailure::bad_params("`inputResponses` must be an object")),
    };
    let mut replies = FormField::ALL.into_iter().filter_map(|field| {
        let response = responses.get(field.name())?;
        Some(filled(field, response))
    });
    Ok(replies.next().map(|said| QuestionReply {
        state: state.to_owned(),
        said,
    }))
}

/// What the user said, by the result of [`METHOD`].
pub fn said(wants: &RequiredAnswer, result: &Value) -> UserAnswer {
    filled(FormField::of(wants), result)
}

/// Why a client's error means that nobody was asked.
pub fn unasked(failure: &RpcFailure) -> UserAnswer {
    let why = printable(&failure.message, WHY_MAX_CHARS);
    UserAnswer::Unasked(format!("{why} ({})", failure.code))
}

/// What a form with this field says. A field that is missing or of another type says nothing that
/// could be an agreement.
fn filled(field: FormField, result: &Value) -> UserAnswer {
    let value = || result.get("content").and_then(|all| all.get(field.name()));
    match (result.get("action").and_then(Value::as_str), field) {
        (Some("decline"), _) => UserAnswer::No,
        (Some("cancel"), _) => UserAnswer::Cancelled,
        (Some("accept"), FormField::Agree) => match value() {
            Some(Value::Bool(true)) => UserAnswer::Yes,
            Some(Value::Bool(false)) => UserAnswer::No,
            _ => UserAnswer::Typed(String::new()),
        },
        (Some("accept"), _) => UserAnswer::Typed(match value() {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) if field == FormField::Number => number.to_string(),
            _ => String::new(),
        }),
        _ => UserAnswer::Unasked("its reply does not say what the user chose".to_owned()),
    }
}

/// A flat form, as every client can show it.
fn form(wants: &RequiredAnswer) -> Value {
    let field = FormField::of(wants).name();
    let property = match wants {
        RequiredAnswer::Yes => json!({"type": "boolean", "title": "Do it",
                             "description": "yes: it is done; no: nothing is changed"}),
        RequiredAnswer::Name(name) => {
            let name = printable(name, WHY_MAX_CHARS);
            json!({"type": "string", "title": "Name",
                   "description": format!("type {name} to have it done")})
        }
        RequiredAnswer::Number(number) => json!({"type": "integer", "title": "How many",
                                        "description": format!("type {number} to have it done")}),
    };
    json!({"type": "object", "properties": {field: property}, "required": [field]})
}

/// What is done to what, where, what is lost and how it could be undone: plain lines.
fn message(tool: &Tool, arguments: &Object, question: &Question) -> String {
    let mut message = String::new();
    for (text_max, list_max) in CUTS {
        message = written(tool, arguments, question, text_max, list_max);
        if message.chars().count() <= MESSAGE_MAX_CHARS {
            break;
        }
    }
    message.chars().take(MESSAGE_MAX_CHARS).collect()
}

fn written(
    tool: &Tool,
    arguments: &Object,
    question: &Question,
    text_max: usize,
    list_max: usize,
) -> String {
    let mut said = arguments.clone();
    said.retain(|key, _| !ABOUT_THE_CALL.contains(&key.as_str()));
    secrets::mask_map(&mut said);
    let said = printable(&cell(&Value::Object(said)), text_max);
    let mut lines = vec![format!("{}: {} ({said})", tool.title, tool.name)];
    for (key, value) in &question.shown {
        if LEFT_OUT.contains(&key.as_str()) {
            continue;
        }
        let most = match value {
            Value::Array(_) | Value::Object(_) => list_max,
            _ => text_max,
        };
        lines.push(format!("{}: {}", word(key), printable(&cell(value), most)));
    }
    lines.push(match &question.wants {
        RequiredAnswer::Yes => "Is this to be done?".to_owned(),
        RequiredAnswer::Name(name) => {
            let name = printable(name, WHY_MAX_CHARS);
            format!("To have it done, type the name: {name}")
        }
        RequiredAnswer::Number(number) => {
            format!("To have it done, type how many guests or objects it covers: {number}")
        }
    });
    lines.join("\n")
}

/// A key as people say it.
fn word(key: &str) -> String {
    printable(&key.replace('_', " "), WHY_MAX_CHARS)
}

/// A value in one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(entries) if entries.is_empty() => "none".to_owned(),
        Value::Array(entries) => entries.iter().map(cell).collect::<Vec<_>>().join("; "),
        Value::Object(map) => {
            let shown = map
                .iter()
                .filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
            let cells: Vec<String> = shown
                .map(|(key, value)| format!("{} {}", word(key), cell(value)))
                .collect();
            cells.join(", ")
        }
    }
}
