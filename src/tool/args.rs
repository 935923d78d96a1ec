//! JSON to checked arguments, every problem at once.

use serde_json::{Map, Value};

use super::Tool;
use super::param::{Kind, Param, Word};
use crate::error::Error;
use crate::gate::confirm::canonical;
use crate::gate::mark::Mark;
use crate::text::repeated;

/// The longest name of an object, in characters.
const NAME_MAX_CHARS: usize = 128;
/// The longest volume or task name, in characters.
const LONG_NAME_MAX_CHARS: usize = 512;
/// The most entries in a free map or a list.
const ENTRIES_MAX: usize = 200;
/// The longest text in a list or a free map, in characters.
const VALUE_MAX_CHARS: usize = 8192;
/// The longest that a call waits for a task, in seconds.
pub const WAIT_MAX_S: u64 = 25;
/// How long a call that starts a task waits where `wait` does not say.
pub const WAIT_DEFAULT_S: u64 = 10;

/// The checked arguments of one call, without the injected ones. Texts that stand for numbers and
/// booleans have become such, so that equal calls have equal arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args {
    map: Map<String, Value>,
}

/// What every tool may be given beside its own arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    pub cluster: Option<String>,
    pub confirm: Option<String>,
    /// Seconds to wait for the end of a task.
    pub wait_s: u64,
}

/// Checks the arguments of one call of `tool`.
///
/// # Errors
/// All that is wrong with them, in one `BadArguments`.
pub fn check(tool: &Tool, given: &Map<String, Value>) -> Result<(Args, Injected), Error> {
    let mut problems = Vec::new();
    let mut map = Map::new();
    let injected = injected(tool, given, &mut problems);
    for param in tool.params {
        match given.get(param.name) {
            None | Some(Value::Null) if param.required => {
                problems.push(format!("`{}` is missing", param.name));
            }
            None | Some(Value::Null) => {}
            Some(value) => match checked(param, value) {
                Ok(value) => {
                    map.insert(param.name.to_string(), value);
                }
                Err(problem) => problems.push(format!("`{}` {problem}", param.name)),
            },
        }
    }
    for name in given.keys() {
        if !tool.takes(name) {
            problems.push(unknown(tool, name));
        }
    }
    if problems.is_empty() {
        Ok((Args { map }, injected))
    } else {
        Err(Error::BadArguments(problems))
    }
}

impl Tool {
    /// Whether this is an argument of it, declared or injected.
    fn takes(&self, name: &str) -> bool {
        let declared = self.params.iter().any(|param| param.name == name);
        match name {
            "cluster" => true,
            "confirm" => self.asks(),
            "wait" => self.task,
            _ => declared,
        }
    }
}

fn injected(tool: &Tool, given: &Map<String, Value>, problems: &mut Vec<String>) -> Injected {
    let mut text = |name: &str| match given.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(_) => {
            problems.push(format!("`{name}` must be a text that is not empty"));
            None
        }
    };
    let cluster = text("cluster");
    let confirm = if tool.asks() { text("confirm") } else { None };
    // What starts nothing waits only where it is told to.
    let mut wait_s = if tool.heaviest() == Mark::READ {
        0
    } else {
        WAIT_DEFAULT_S
    };
    if let Some(value) = given
        .get("wait")
        .filter(|value| tool.task && !value.is_null())
    {
        match whole(value, 0, i64::try_from(WAIT_MAX_S).unwrap_or(i64::MAX)) {
            Ok(number) => wait_s = u64::try_from(number).unwrap_or(WAIT_DEFAULT_S),
            Err(problem) => problems.push(format!("`wait` {problem}")),
        }
    }
    Injected {
        cluster,
        confirm,
        wait_s,
    }
}

fn unknown(tool: &Tool, name: &str) -> String {
    let mut known: Vec<&str> = tool.params.iter().map(|param| param.name).collect();
    known.push("cluster");
    if tool.asks() {
        known.push("confirm");
    }
    if tool.task {
        known.push("wait");
    }
    format!(
        "`{}` is no argument of `{}`, which takes: {}",
        repeated(name),
        tool.name,
        known.join(", ")
    )
}

fn checked(param: &Param, value: &Value) -> Result<Value, String> {
    match param.kind {
        Kind::Guest => guest(value),
        Kind::Text(max) => text(value, max),
        Kind::Word(word) => check_word(word, value),
        Kind::Int(least, most) => whole(value, least, most).map(Value::from),
        Kind::Bool => yes_or_no(value).map(Value::from),
        Kind::OneOf(words) => one_of(words, value),
        Kind::SomeOf(words) => list(value, ENTRIES_MAX, |one| one_of(words, one)),
        Kind::Texts(max) => list(value, max, |one| text(one, VALUE_MAX_CHARS)),
        Kind::Settings => settings(value),
    }
}

fn guest(value: &Value) -> Result<Value, String> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_string(),
        _ => return Err("must be a VMID or a guest's name".into()),
    };
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return match digits.parse::<u32>() {
            Ok(vmid @ 100..=999_999_999) => Ok(Value::from(vmid.to_string())),
            _ => Err("must be a VMID from 100 to 999999999, or a guest's name".into()),
        };
    }
    check_word(Word::DnsName, &Value::from(digits))
}

fn text(value: &Value, max: usize) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err("must be a text".into()),
    };
    let bad = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
    if let Some(c) = text.chars().find(bad) {
        return Err(format!("may not hold {c:?}"));
    }
    if text.chars().count() > max {
        return Err(format!("is longer than {max} characters"));
    }
    Ok(Value::from(text))
}

fn check_word(word: Word, value: &Value) -> Result<Value, String> {
    let Value::String(text) = value else {
        return Err(format!("must be a text: {}", word.rule()));
    };
    if word.allows(text) {
        Ok(value.clone())
    } else {
        Err(format!("may not be `{}`: {}", repeated(text), word.rule()))
    }
}

impl Word {
    fn allows(self, text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric();
        let all = |more: &str| text.chars().all(|c| plain(c) || more.contains(c));
        let first = text.chars().next();
        let max = match self {
            Word::Volume | Word::Task => LONG_NAME_MAX_CHARS,
            Word::Snapshot => 40,
            Word::Node => 63,
            Word::Storage | Word::DnsName | Word::Id => NAME_MAX_CHARS,
        };
        if text.is_empty() || text.len() > max || text.split('/').any(|part| part == "..") {
            return false;
        }
        match self {
            Word::Node => all("-") && first != Some('-'),
            Word::Storage => all("-_.") && first.is_some_and(|c| c.is_ascii_alphabetic()),
            Word::Snapshot => all("-_") && first.is_some_and(|c| c.is_ascii_alphabetic()),
            Word::Volume => all("-_./:+@~=,") && text.find(':').is_some_and(|colon| colon > 0),
            Word::DnsName => all("-.") && first.is_some_and(plain),
            Word::Task => all("-_.!:@+"),
            Word::Id => all("-_.") && text != "." && first != Some('-'),
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Word::Node => "a node's name has letters, digits and hyphens",
            Word::Storage => {
                "a storage's name begins with a letter and has letters, digits, `-`, `_`, `.`"
            }
            Word::Snapshot => {
                "a snapshot's name begins with a letter and has at most 40 letters, digits, `-`, `_`"
            }
            Word::Volume => "a volume is written `storage:path`, as lists of a storage give it",
            Word::DnsName => "a guest's name is a DNS name: letters, digits, hyphens, dots",
            Word::Task => "a task is written `cluster!UPID:...` as answers give it",
            Word::Id => "only letters, digits, `-`, `_`, `.`",
        }
    }
}

fn whole(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

fn yes_or_no(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(yes) => Ok(*yes),
        Value::Number(number) if number.as_i64() == Some(1) => Ok(true),
        Value::Number(number) if number.as_i64() == Some(0) => Ok(false),
        Value::String(text) if text == "true" || text == "1" => Ok(true),
        Value::String(text) if text == "false" || text == "0" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

fn one_of(words: &[&str], value: &Value) -> Result<Value, String> {
    match value.as_str() {
        Some(text) if words.contains(&text) => Ok(value.clone()),
        _ => Err(format!("must be one of: {}", words.join(", "))),
    }
}

fn list(
    value: &Value,
    max: usize,
    check: impl Fn(&Value) -> Result<Value, String>,
) -> Result<Value, String> {
    let single = [value.clone()];
    let entries = match value {
        Value::Array(entries) => entries.as_slice(),
        Value::String(_) => single.as_slice(),
        _ => return Err("must be a list of texts".into()),
    };
    if entries.len() > max {
        return Err(format!("has more than {max} entries"));
    }
    entries
        .iter()
        .map(check)
        .collect::<Result<Vec<_>, _>>()
        .map(Value::from)
}

fn settings(value: &Value) -> Result<Value, String> {
    let Value::Object(entries) = value else {
        return Err("must be an object of API parameters".into());
    };
    if entries.len() > ENTRIES_MAX {
        return Err(format!("has more than {ENTRIES_MAX} entries"));
    }
    for (name, value) in entries {
        let named = |problem: &str| format!("has `{}`, which {problem}", repeated(name));
        if !Word::Id.allows(name) {
            return Err(named("cannot be a parameter's name"));
        }
        match value {
            Value::Bool(_) | Value::Number(_) => {}
            Value::String(given) if given.is_empty() => {
                return Err(named("is empty: to unset an option, name it in `delete`"));
            }
            Value::String(_) => {
                text(value, VALUE_MAX_CHARS).map_err(|problem| named(&problem))?;
            }
            Value::Array(_) => {
                list(value, ENTRIES_MAX, |one| text(one, VALUE_MAX_CHARS))
                    .map_err(|problem| named(&problem))?;
            }
            Value::Null | Value::Object(_) => {
                return Err(named("must be a text, a number, a boolean or a list"));
            }
        }
    }
    Ok(value.clone())
}

impl Args {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }

    /// A required text.
    ///
    /// # Errors
    /// It is not there: the table and the handler disagree.
    pub fn need(&self, name: &str) -> Result<&str, Error> {
        self.text(name)
            .ok_or_else(|| Error::bad(format!("`{name}` is missing")))
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.map.get(name).and_then(Value::as_i64)
    }

    /// False where it was not given.
    pub fn yes(&self, name: &str) -> bool {
        self.map.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        self.map.get(name).and_then(Value::as_bool)
    }

    /// The texts of a list; none where it was not given.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.map.get(name).and_then(Value::as_array);
        list.map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// A free map; empty where it was not given.
    pub fn settings(&self, name: &str) -> Map<String, Value> {
        let map = self.map.get(name).and_then(Value::as_object);
        map.cloned().unwrap_or_default()
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter()
    }

    /// The same arguments always as the same text.
    pub fn canonical(&self) -> String {
        canonical(&Value::Object(self.map.clone()))
    }
}
