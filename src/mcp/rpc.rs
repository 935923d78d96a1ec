//! JSON-RPC as plain data: one line of text to a message, a result or a failure to one line.
//!
//! The rules of the envelope are here; what a method means is the server's business.

use std::fmt;
use std::rc::Rc;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::revision;
use crate::counted::Cost;
use crate::text::printable;

/// The deepest nesting of arrays and objects that is read.
pub const DEPTH_MAX: usize = 128;
/// The most messages in one batch.
pub const BATCH_MAX: usize = 64;
/// What the values of all messages of a line may take in memory, in bytes.
pub const VALUES_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The longest id, as JSON: it comes back in every reply.
pub const ID_MAX_BYTES: usize = 1024;
/// The most of a client's words that an error message repeats.
const QUOTED_MAX_CHARS: usize = 80;

/// Room for what a line has beside what was written for it.
const LINE_BYTES: usize = 256;

/// Of JSON-RPC.
const VERSION: &str = "2.0";

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;
const UNSUPPORTED_VERSION: i32 = -32022;

/// The id of a request. Text is not a number: `"7"` and `7` are two ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// An integer, digit by digit: it may be beyond what a number type holds.
    Integer(String),
    Text(String),
}

impl Id {
    /// The id that this JSON is, if it is a legal one.
    fn read(raw: &str) -> Option<Id> {
        if raw.len() > ID_MAX_BYTES {
            return None;
        }
        if raw.starts_with('"') {
            return serde_json::from_str(raw).ok().map(Id::Text);
        }
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| Id::Integer(raw.to_owned()))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Digits are JSON as they stand.
            Id::Integer(digits) => match serde_json::from_str::<&RawValue>(digits) {
                Ok(number) => number.serialize(serializer),
                Err(_) => serializer.serialize_unit(),
            },
            Id::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A request that waits for its reply.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcRequest {
    /// Whoever answers it has it too.
    pub id: Rc<Id>,
    pub method: String,
    /// Empty where there were none.
    pub params: Map<String, Value>,
    /// What they take in memory.
    pub bytes: usize,
    /// Whether modern rules hold for it.
    pub is_modern: bool,
}

/// One message of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Request(RpcRequest),
    /// `about` is its `params.requestId`, where that is a legal id.
    Notification {
        method: String,
        about: Option<Id>,
    },
    /// What a request of ours came to. No id where it bears none of ours.
    Response {
        id: Option<Id>,
        outcome: Result<Value, RpcFailure>,
    },
}

/// What one line holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    One(Message),
    /// Whether a batch may be sent at all depends on the revision.
    Batch(Vec<Result<Message, Refusal>>),
}

/// A message that is not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub id: Option<Id>,
    pub failure: RpcFailure,
}

/// The protocol was misused; becomes a JSON-RPC `error`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RpcFailure {
    pub code: i32,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Value>>,
}

impl RpcFailure {
    fn new(code: i32, message: impl Into<String>) -> RpcFailure {
        RpcFailure {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// It is no JSON, or no text.
    pub fn unreadable(message: impl Into<String>) -> RpcFailure {
        RpcFailure::new(PARSE_ERROR, message)
    }

    /// It is JSON, but no message.
    pub fn invalid(message: impl Into<String>) -> RpcFailure {
        RpcFailure::new(INVALID_REQUEST, message)
    }

    pub fn unknown_method(method: &str) -> RpcFailure {
        let message = format!("there is no method {}", quoted(method));
        RpcFailure::new(METHOD_NOT_FOUND, message)
    }

    pub fn bad_params(message: impl Into<String>) -> RpcFailure {
        RpcFailure::new(INVALID_PARAMS, message)
    }

    pub fn internal(message: impl Into<String>) -> RpcFailure {
        RpcFailure::new(INTERNAL_ERROR, message)
    }

    pub fn unsupported_version(requested: &str) -> RpcFailure {
        // Only a modern request is refused so, and it cannot be made in a legacy revision.
        let modern = revision::ALL.iter().filter(|one| one.is_modern());
        let supported: Vec<&str> = modern.map(|one| one.date()).collect();
        let requested: String = requested.chars().take(QUOTED_MAX_CHARS).collect();
        RpcFailure {
            data: Some(Box::new(
                json!({"supported": supported, "requested": requested}),
            )),
            ..RpcFailure::new(UNSUPPORTED_VERSION, "unsupported protocol version")
        }
    }

    /// The failure of a message whose id is `id`, or unknown.
    pub fn of(self, id: Option<Id>) -> Refusal {
        Refusal { id, failure: self }
    }
}

/// A client's word in an error message: cut, and with what does not show made visible.
pub fn quoted(word: &str) -> String {
    format!("`{}`", printable(word, QUOTED_MAX_CHARS))
}

/// What answers a request.
#[derive(Default)]
pub struct RpcReply {
    pub fields: Map<String, Value>,
    /// What a tool has answered; it comes first.
    pub answer: Option<ToolAnswer>,
}

/// The answer of a tool: as a text, and where the revision knows that as a value too.
pub struct ToolAnswer {
    pub value: Value,
    pub is_structured: bool,
}

#[derive(Serialize)]
struct TextContent<'a> {
    r#type: &'static str,
    /// As JSON. It goes straight into the line: no text is made of it first.
    #[serde(serialize_with = "as_text")]
    text: &'a Value,
}

fn as_text<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl Serialize for RpcReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(ToolAnswer {
            value,
            is_structured,
        }) = &self.answer
        {
            let text = TextContent {
                r#type: "text",
                text: value,
            };
            map.serialize_entry("content", &[text])?;
            if *is_structured {
                map.serialize_entry("structuredContent", value)?;
            }
        }
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl From<Map<String, Value>> for RpcReply {
    fn from(fields: Map<String, Value>) -> RpcReply {
        RpcReply {
            fields,
            answer: None,
        }
    }
}

fn line(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// The line that answers a request with a result, put together in `place`.
pub fn result_line(mut place: Vec<u8>, id: &Id, reply: &RpcReply) -> Vec<u8> {
    #[derive(Serialize)]
    struct ResultLine<'l> {
        jsonrpc: &'static str,
        id: &'l Id,
        result: &'l RpcReply,
    }
    let line = ResultLine {
        jsonrpc: VERSION,
        id,
        result: reply,
    };
    place.clear();
    // It cannot fail: there is room, and every key is a text.
    let _ = serde_json::to_writer(&mut place, &line);
    place
}

/// The line of a notification without parameters.
pub fn notification_line(method: &str) -> String {
    line(&json!({"jsonrpc": VERSION, "method": method}))
}

/// The line that refuses a message.
pub fn error_line(refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Refused<'l> {
        jsonrpc: &'static str,
        id: Option<&'l Id>,
        error: &'l RpcFailure,
    }
    line(&Refused {
        jsonrpc: VERSION,
        id: refusal.id.as_ref(),
        error: &refusal.failure,
    })
}

/// The line that asks the client for something.
pub fn request_line(id: &Id, method: &str, params: &Map<String, Value>) -> String {
    line(&json!({"jsonrpc": VERSION, "id": id, "method": method, "params": params}))
}

/// The line that withdraws a request of ours.
pub fn withdrawal_line(id: &Id, reason: &str) -> String {
    let method = "notifications/cancelled";
    line(
        &json!({"jsonrpc": VERSION, "method": method, "params": {"requestId": id, "reason": reason}}),
    )
}

/// The fields of an object that messages are read by, each as it was written. There may be many others.
#[derive(Default)]
struct MessageFields<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    request_id: Option<&'a RawValue>,
}

/// The name of a field.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum FieldOfMessage {
    Jsonrpc,
    Id,
    Method,
    Params,
    Result,
    Error,
    RequestId,
    #[serde(other)]
    Other,
}

impl<'a> MessageFields<'a> {
    /// Nothing where it is no object.
    fn of(raw: &'a str) -> Option<MessageFields<'a>> {
        let mut fields = MessageFields::default();
        let mut reader = serde_json::Deserializer::from_str(raw);
        let read = raw
            .starts_with('{')
            .then(|| reader.deserialize_map(&mut fields));
        read?.ok()?;
        Some(fields)
    }
}

impl<'de> Visitor<'de> for &mut MessageFields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(name) = entries.next_key()? {
            let field = match name {
                FieldOfMessage::Jsonrpc => &mut self.jsonrpc,
                FieldOfMessage::Id => &mut self.id,
                FieldOfMessage::Method => &mut self.method,
                FieldOfMessage::Params => &mut self.params,
                FieldOfMessage::Result => &mut self.result,
                FieldOfMessage::Error => &mut self.error,
                FieldOfMessage::RequestId => &mut self.request_id,
                FieldOfMessage::Other => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // What is said twice is what is said last.
            *field = Some(entries.next_value()?);
        }
        Ok(())
    }
}

/// The messages of a batch, 1 to [`BATCH_MAX`] of them.
struct BatchMessages<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for BatchMessages<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<BatchMessages<'a>, D::Error> {
        json.deserialize_seq(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = BatchMessages<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<BatchMessages<'de>, A::Error> {
        let mut found = Vec::new();
        while let Some(part) = parts.next_element()? {
            found.push(part);
            if found.len() > BATCH_MAX {
                return Err(A::Error::custom("too many"));
            }
        }
        if found.is_empty() {
            return Err(A::Error::custom("none"));
        }
        Ok(BatchMessages(found))
    }
}

/// What a line holds, or why it is refused as a whole.
pub fn read(line: &str) -> Result<Incoming, Refusal> {
    if nested_beyond(DEPTH_MAX, line) {
        let message = format!("nested deeper than {DEPTH_MAX}");
        return Err(RpcFailure::unreadable(message).of(None));
    }
    let whole: &RawValue = serde_json::from_str(line).map_err(not_json)?;
    let mut cost = Cost::at_most(VALUES_MAX_BYTES);
    if !whole.get().starts_with('[') {
        return message(whole, &mut cost).map(Incoming::One);
    }
    let Ok(BatchMessages(parts)) = serde_json::from_str(whole.get()) else {
        let message = format!("a batch holds 1 to {BATCH_MAX} messages");
        return Err(RpcFailure::invalid(message).of(None));
    };
    let messages = parts.into_iter().map(|part| message(part, &mut cost));
    Ok(Incoming::Batch(messages.collect()))
}

fn not_json(cause: serde_json::Error) -> Refusal {
    RpcFailure::unreadable(format!("not JSON: {cause}")).of(None)
}

/// One message out of its JSON, which is known to be well formed.
fn message(raw: &RawValue, cost: &mut Cost) -> Result<Message, Refusal> {
    if let Some(mended) = mended(raw.get()) {
        return match message(&mended, cost)? {
            Message::Request(request) => {
                // An id that holds one itself would not come back as it was.
                let id = Some((*request.id).clone())
                    .filter(|id| !matches!(id, Id::Text(text) if text.contains('\u{fffd}')));
                let why = "a text has half of a surrogate pair (as `\\ud83d`), which stands for no \
                           character";
                Err(RpcFailure::invalid(why).of(id))
            }
            other => Ok(other),
        };
    }
    let Some(fields) = MessageFields::of(raw.get()) else {
        return Err(RpcFailure::invalid("a message is a JSON object").of(None));
    };
    let id = fields.id.and_then(|id| Id::read(id.get()));
    let refuse = |why: &str| Err(RpcFailure::invalid(why).of(id.clone()));

    let is_ours = fields
        .jsonrpc
        .and_then(|version| text(version.get()))
        .as_deref()
        == Some(VERSION);
    let Some(method) = fields.method else {
        let outcome = match (fields.error, fields.result) {
            (Some(error), _) => Err(failure(error.get(), cost)),
            (None, Some(result)) => Ok(cost.read(result.get()).unwrap_or_default()),
            (None, None) => return refuse("`method` is missing"),
        };
        let id = id.filter(|_| is_ours);
        return Ok(Message::Response { id, outcome });
    };
    if !is_ours {
        return refuse("`jsonrpc` must be \"2.0\"");
    }
    let Some(method) = text(method.get()) else {
        return refuse("`method` must be a string");
    };
    let params = fields.params.map_or("null", RawValue::get);
    if fields.id.is_none() {
        // Nobody waits for a reply, so that wrong parameters go unanswered too.
        let about = MessageFields::of(params);
        let about = about.and_then(|params| Id::read(params.request_id?.get()));
        return Ok(Message::Notification { method, about });
    }
    let Some(id) = id.clone() else {
        return refuse("`id` must be a string or an integer, and short");
    };
    let before = cost.bytes();
    let params = match params {
        "null" => Map::new(),
        object if object.starts_with('{') => match cost.read(object) {
            Ok(Value::Object(params)) => params,
            _ if cost.over().is_some() => {
                let why = format!("its values take more than {VALUES_MAX_BYTES} bytes of memory");
                return Err(RpcFailure::invalid(why).of(Some(id)));
            }
            // As a lone surrogate, which no string can hold.
            Err(cause) => {
                return Err(RpcFailure::unreadable(format!("not JSON: {cause}")).of(Some(id)));
            }
            Ok(_) => Map::new(),
        },
        _ => return refuse("`params` must be an object"),
    };
    let bytes = cost.bytes() - before + LINE_BYTES;
    Ok(Message::Request(RpcRequest {
        is_modern: is_modern(&method, &params),
        id: Rc::new(id),
        method,
        params,
        bytes,
    }))
}

/// Whether modern rules hold for a request.
fn is_modern(method: &str, params: &Map<String, Value>) -> bool {
    let versioned = params
        .get("_meta")
        .and_then(|meta| meta.get(revision::META_VERSION))
        .is_some();
    versioned || method == "server/discover"
}

/// What the `error` of a response says.
fn failure(raw: &str, cost: &mut Cost) -> RpcFailure {
    let error = cost.read(raw).unwrap_or_default();
    let code = error.get("code").and_then(Value::as_i64);
    let code = code.and_then(|code| i32::try_from(code).ok());
    let message = error.get("message").and_then(Value::as_str);
    RpcFailure::new(
        code.unwrap_or(INTERNAL_ERROR),
        message.unwrap_or("no reason was given"),
    )
}

/// The JSON with U+FFFD for each half of a surrogate pair that stands alone: legal in JSON, but nothing
/// that a text can hold. `None` where there is none.
fn mended(json: &str) -> Option<Box<RawValue>> {
    if !json.contains("\\u") {
        return None;
    }
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut mended = String::new();
    let (mut done, mut at) = (0, 0);
    while let Some(next) = json.get(at..).and_then(|rest| rest.find('\\')) {
        at += next;
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str(json.get(done..at).unwrap_or_default());
                mended.push_str("\\ufffd");
                at += 6;
                done = at;
            }
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
    }
    if done == 0 {
        return None;
    }
    mended.push_str(json.get(done..).unwrap_or_default());
    RawValue::from_string(mended).ok()
}

fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// Looked at before parsing, since the parser steps over what it keeps raw without counting.
fn nested_beyond(limit: usize, line: &str) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}
