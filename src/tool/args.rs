//! The arguments of a call: which parameter each stands for, as clients and models spell them, taken for what it
//! plainly means, and checked, every problem at once.

use serde_json::{Map, Number, Value};

use super::param::{Param, ParamKind, SizeUnit, Word};
use super::{Subject, Tool};
use crate::error::Error;
use crate::fleet::registry::NamedSubject;
use crate::gate::confirm::canonical;
use crate::meant;
use crate::size;
use crate::text::{LONG_NAME_MAX_CHARS, NAME_MAX_CHARS, repeated};
use crate::time;

/// The largest number that a float holds to the unit: what is beyond is no whole number any more.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Keys that hosts put beside the arguments of every call, with the host that does it and why. They
/// are dropped where the tool has no such parameter.
const OF_HOSTS: &[(&str, &str)] = &[
    ("toolCallId", "n8n: the id of the model's call"),
    ("sessionId", "n8n: the chat's memory"),
    ("chatInput", "n8n: what the user wrote"),
    ("action", "n8n: `sendMessage`, how the chat was entered"),
    ("tool", "n8n: its own name of the tool"),
    (
        "random_string",
        "Cursor: a stand-in for tools that take nothing",
    ),
    (
        "_meta",
        "LangChain and others: meant for the request, not for its arguments",
    ),
];

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
pub struct InjectedArgs {
    pub cluster: Option<String>,
    pub confirm: Option<String>,
    /// Seconds to wait for the end of a task, where the call says it.
    pub wait_s: Option<u64>,
}

/// Checks the arguments of one call of `tool`.
///
/// # Errors
/// All that is wrong with them, in one `BadArguments`.
pub fn check(tool: &Tool, arguments: &Map<String, Value>) -> Result<(Args, InjectedArgs), Error> {
    let mut problems = Vec::new();
    let mut map = Map::new();
    let found = given(tool, arguments, &mut problems);
    let given = |name: &str| {
        let given = found.iter().find(|(other, _)| *other == name);
        given.map(|(_, value)| *value)
    };
    let injected = injected(&given, &mut problems);
    for param in tool.params {
        match given(param.name).map(|value| checked(tool, param, value)) {
            None | Some(Ok(None)) if param.required => {
                problems.push(format!("`{}` is missing", param.name));
            }
            None | Some(Ok(None)) => {}
            Some(Ok(Some(value))) => {
                map.insert(param.name.to_string(), value);
            }
            Some(Err(problem)) => problems.push(format!("`{}` {problem}", param.name)),
        }
    }
    if problems.is_empty() {
        Ok((Args { map }, injected))
    } else {
        Err(Error::bad_arguments(problems))
    }
}

/// The parameter of each argument, with what was given for it: not null. What is wrong goes to
/// `problems`: names that the tool does not know, and one parameter given in two spellings.
fn given<'g>(
    tool: &Tool,
    arguments: &'g Map<String, Value>,
    problems: &mut Vec<String>,
) -> Vec<(&'static str, &'g Value)> {
    let mut found: Vec<(&'static str, &'g Value)> = Vec::new();
    for (key, value) in arguments {
        let Some(name) = names(tool).find(|name| is_spelling(name, key)) else {
            if !OF_HOSTS.iter().any(|(host, _)| host == key) {
                problems.push(unknown(tool, key));
            }
            continue;
        };
        if found.iter().any(|(other, _)| *other == name) {
            problems.push(format!(
                "`{name}` is given twice, once as `{}`",
                repeated(key)
            ));
            continue;
        }
        found.push((name, value));
    }
    found.retain(|(_, value)| !value.is_null());
    found
}

/// All that a tool takes, injected arguments included.
fn names(tool: &Tool) -> impl Iterator<Item = &'static str> {
    let own = tool.params.iter().map(|param| param.name);
    let cluster = (tool.subject != Subject::Session).then_some("cluster");
    // Whether it asks is worked out only where a name is none of those before.
    let confirm = std::iter::once_with(|| tool.takes_confirm().then_some("confirm"));
    let wait = tool.task.then_some("wait");
    own.chain(cluster).chain(confirm.flatten()).chain(wait)
}

/// Whether a key is this name, `-` and `_` being the same.
fn is_spelling(name: &str, key: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    name.bytes().map(plain).eq(key.bytes().map(plain))
}

fn unknown(tool: &Tool, key: &str) -> String {
    let known = Vec::from_iter(names(tool));
    let meant = meant::hint(key, &known).map_or(String::new(), |hint| format!("; {hint}"));
    format!(
        "`{}` is no argument of `{}`, which takes: {}{meant}",
        repeated(key),
        tool.name,
        known.join(", ")
    )
}

fn injected<'g>(
    given: &dyn Fn(&str) -> Option<&'g Value>,
    problems: &mut Vec<String>,
) -> InjectedArgs {
    let mut text = |name: &str| match given(name) {
        None => None,
        Some(value) if is_nothing(value) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            problems.push(format!("`{name}` must be a text"));
            None
        }
    };
    let cluster = text("cluster");
    let confirm = text("confirm");
    let mut wait_s = None;
    if let Some(value) = given("wait").filter(|value| !is_nothing(value)) {
        match whole(value, 0, i64::try_from(WAIT_MAX_S).unwrap_or(i64::MAX)) {
            Ok(number) => wait_s = u64::try_from(number).ok(),
            Err(problem) => problems.push(format!("`wait` {problem}")),
        }
    }
    InjectedArgs {
        cluster,
        confirm,
        wait_s,
    }
}

/// What an argument is taken for; `None` where it says nothing.
fn checked(tool: &Tool, param: &Param, value: &Value) -> Result<Option<Value>, String> {
    let nothing = || match param.cleared_by {
        Some(way) if value.is_string() => Err(format!("is empty: {way}")),
        _ => Ok(None),
    };
    if is_nothing(value) {
        return nothing();
    }
    let value = match param.kind {
        ParamKind::Guest => guest(value),
        ParamKind::Text(max) => text(value, max),
        ParamKind::Word(word) => check_word(word, value),
        // Where none is too few, 0 is how some say "none given".
        ParamKind::Int(1.., _) if !param.required && number_of(value) == Some(0) => {
            return Ok(None);
        }
        ParamKind::Int(least, most) => whole(value, least, most).map(Value::from),
        ParamKind::Size(_, 1.., _) if !param.required && number_of(value) == Some(0) => {
            return Ok(None);
        }
        ParamKind::Size(unit, least, most) => size(value, unit, least, most),
        ParamKind::Moment => moment(value),
        ParamKind::Bool => yes_or_no(value),
        ParamKind::ActionWord => one_of(&tool.words(), value),
        ParamKind::OneOf(words) => one_of(words, value),
        ParamKind::SomeOf(words) => list(value, ENTRIES_MAX, |one| one_of(words, one)),
        ParamKind::Texts(max) => list(value, max, |one| text(one, VALUE_MAX_CHARS)),
        ParamKind::Settings => settings(value),
    }?;
    // As a JSON text, which is seen only now.
    if is_nothing(&value) {
        return nothing();
    }
    Ok(Some(value))
}

fn guest(value: &Value) -> Result<Value, String> {
    let wanted = "a VMID from 100 to 999999999, or a guest's name";
    if let Some(number) = number_of(value) {
        return match u32::try_from(number) {
            // What is too small for a VMID may be a name; whose, is said where it is looked for.
            Ok(vmid @ 1..=999_999_999) => Ok(Value::from(vmid.to_string())),
            _ => Err(format!(
                "must be {wanted}; one of digits only goes by its VMID"
            )),
        };
    }
    match value {
        Value::String(text) => check_word(Word::DnsName, &Value::from(text.trim())),
        _ => Err(format!("must be {wanted}")),
    }
}

fn text(value: &Value, max: usize) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) => match plain_number(value.clone()) {
            Value::Number(number) => number.to_string(),
            _ => return Err("must be a text".into()),
        },
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
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        // A name of digits only, as `1` for a pool.
        Value::Number(_) => number_of(value).map_or(String::new(), |number| number.to_string()),
        _ => return Err(format!("must be a text: {}", word.rule())),
    };
    let text = text.as_str();
    if word.allows(text) {
        Ok(text.into())
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
            Word::Storage | Word::DnsName | Word::Pool | Word::Tag | Word::Id => NAME_MAX_CHARS,
        };
        let elsewhere = |part: &str| matches!(part, "" | "." | "..");
        if text.is_empty() || text.chars().count() > max || text.chars().any(char::is_control) {
            return false;
        }
        // Where Proxmox's own rule is a set of characters, that is the rule. Elsewhere only what
        // cannot be is refused: whatever a list has shown is taken back.
        let unbroken = !text.contains(char::is_whitespace);
        match self {
            Word::Node => all("-") && first != Some('-'),
            Word::Storage => all("-_.") && first.is_some_and(|c| c.is_ascii_alphabetic()),
            Word::Snapshot => all("-_") && first.is_some_and(|c| c.is_ascii_alphabetic()),
            Word::Volume => text.split_once(':').is_some_and(|(storage, path)| {
                Word::Storage.allows(storage)
                    && !path.split('/').any(elsewhere)
                    && path.trim() == path
            }),
            Word::DnsName => all("-.") && first.is_some_and(plain),
            Word::Task => unbroken && !text.contains('/'),
            Word::Pool => unbroken && !text.contains('\\') && !text.split('/').any(elsewhere),
            Word::Tag => unbroken && !text.contains([';', ',']),
            Word::Id => all("-_.") && !elsewhere(text) && first != Some('-'),
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
            Word::Pool => "a pool's name has no blanks; one within another is written `core/db`",
            Word::Tag => "a tag has no blank, `,` or `;`",
            Word::Id => "only letters, digits, `-`, `_`, `.`",
        }
    }
}

fn whole(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    match number_of(value) {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

fn size(value: &Value, unit: SizeUnit, least: i64, most: i64) -> Result<Value, String> {
    match size_of(value, unit) {
        Some(number) if (least..=most).contains(&number) => Ok(number.into()),
        _ => Err(format!(
            "may not be {}: a whole number of {unit} from {least} to {most}, or a size as `8G` (K, M, G, T)",
            shown(value)
        )),
    }
}

/// A wrong value, as a sentence about it repeats it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", repeated(text)),
        other => format!("`{}`", repeated(&other.to_string())),
    }
}

fn moment(value: &Value) -> Result<Value, String> {
    let Ok(Value::String(text)) = text(value, NAME_MAX_CHARS) else {
        return Err(format!("must be a time: {}", time::FORMS));
    };
    let read = time::parse(&text, time::now());
    read.map(Value::from)
        .ok_or_else(|| format!("may not be `{}`: {}", repeated(&text), time::FORMS))
}

fn yes_or_no(value: &Value) -> Result<Value, String> {
    let read = yes_of(value);
    read.map(Value::from)
        .ok_or_else(|| "must be true or false".into())
}

fn one_of(words: &[&str], value: &Value) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => text.trim(),
        _ => "",
    };
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    // What Proxmox calls a guest is known as well.
    let found = found.or_else(|| match text.to_ascii_lowercase().as_str() {
        "qemu" => words.iter().find(|word| **word == "vm"),
        "lxc" | "ct" => words.iter().find(|word| **word == "container"),
        _ => None,
    });
    found.map(|word| Value::from(*word)).ok_or_else(|| {
        let hint = meant::hint(text, words).map_or(String::new(), |hint| format!("; {hint}"));
        format!("must be one of: {}{hint}", words.join(", "))
    })
}

fn list(
    value: &Value,
    max: usize,
    check: impl Fn(&Value) -> Result<Value, String>,
) -> Result<Value, String> {
    let entries = items_of(value).ok_or("must be a list of texts")?;
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
    let entries = entries_of(value).ok_or("must be an object of API parameters")?;
    if entries.len() > ENTRIES_MAX {
        return Err(format!("has more than {ENTRIES_MAX} entries"));
    }
    let mut settings = Map::new();
    for (name, value) in entries {
        let named = |problem: &str| format!("has `{}`, which {problem}", repeated(&name));
        if !Word::Id.allows(&name) {
            return Err(named("cannot be a parameter's name"));
        }
        match &value {
            Value::Bool(_) | Value::Number(_) => {}
            Value::String(given) if given.is_empty() => {
                return Err(named("is empty: to unset an option, name it in `delete`"));
            }
            Value::String(_) => {
                text(&value, VALUE_MAX_CHARS).map_err(|problem| named(&problem))?;
            }
            Value::Array(items) => {
                if items.len() > ENTRIES_MAX {
                    return Err(named("has too many entries"));
                }
                for item in items {
                    text(item, VALUE_MAX_CHARS).map_err(|problem| named(&problem))?;
                }
            }
            Value::Null | Value::Object(_) => {
                return Err(named("must be a text, a number, a boolean or a list"));
            }
        }
        settings.insert(name, plain_number(value));
    }
    Ok(settings.into())
}

/// Whether a value says nothing, so that an optional parameter counts as left out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A number without a fraction, however it is written: `5`, `5.0`, `5e0`, `"5"`, `"5.0"`.
fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => whole_number(number),
        Value::String(text) => {
            let text = text.trim();
            // `1e2` in a text may be a name.
            let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
                if fraction.bytes().all(|byte| byte == b'0') {
                    whole
                } else {
                    text
                }
            });
            whole.parse().ok()
        }
        _ => None,
    }
}

fn whole_number(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().and_then(exact))
}

fn exact(number: f64) -> Option<i64> {
    // A float of that size is a whole number that fits.
    #[allow(clippy::cast_possible_truncation)]
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    is_whole.then_some(number as i64)
}

fn yes_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::Number(_) => match number_of(value) {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A size in whole units: a number of them, or a text such as `8G`, `8 GiB`, `8192`.
fn size_of(value: &Value, unit: SizeUnit) -> Option<i64> {
    if let Some(number) = number_of(value) {
        return Some(number);
    }
    let bytes = size::bytes(value.as_str()?.trim(), unit.bytes())?;
    let is_whole = bytes.is_multiple_of(unit.bytes());
    i64::try_from(bytes / unit.bytes())
        .ok()
        .filter(|_| is_whole)
}

/// The entries of a list, without those that say nothing: a list, its JSON text, or one text with
/// commas between. `None` where it is neither.
fn items_of(value: &Value) -> Option<Vec<Value>> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => match as_json(text, '[') {
            Some(Value::Array(items)) => items,
            _ => text.split(',').map(|item| item.trim().into()).collect(),
        },
        Value::Number(_) => vec![value.clone()],
        _ => return None,
    };
    Some(items.into_iter().filter(|item| !is_nothing(item)).collect())
}

/// A map, or its JSON text.
fn entries_of(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(entries) => Some(entries.clone()),
        Value::String(text) => match as_json(text, '{') {
            Some(Value::Object(entries)) => Some(entries),
            _ => None,
        },
        _ => None,
    }
}

/// A value of a free map as it is sent: a number that is whole has no point.
fn plain_number(value: Value) -> Value {
    let whole = match &value {
        Value::Number(number) if number.is_f64() => whole_number(number),
        _ => None,
    };
    whole.map_or(value, Value::from)
}

fn as_json(text: &str, begins: char) -> Option<Value> {
    let text = text.trim();
    text.starts_with(begins)
        .then(|| serde_json::from_str(text).ok())
        .flatten()
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
            .ok_or_else(|| Error::internal(format!("`{name}` is missing")))
    }

    /// The guest that is named, where one is: a text of digits only is a VMID.
    pub fn guest(&self) -> Option<NamedSubject<'_>> {
        let guest = self.map.get("guest").and_then(Value::as_str)?;
        let vmid = guest.parse().map(NamedSubject::Vmid);
        Some(vmid.unwrap_or(NamedSubject::Guest(guest)))
    }

    /// The guest that has to be named.
    ///
    /// # Errors
    /// As [`Args::need`].
    pub fn need_guest(&self) -> Result<NamedSubject<'_>, Error> {
        self.guest()
            .ok_or_else(|| Error::internal("`guest` is missing"))
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.map.get(name).and_then(Value::as_i64)
    }

    /// A moment, in Unix seconds.
    pub fn moment(&self, name: &str) -> Option<u64> {
        self.map.get(name).and_then(Value::as_u64)
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

    /// The arguments as a text that does not depend on their order, nor on how the guest is named that was
    /// found.
    pub fn canonical(&self, guest: Option<u32>) -> String {
        let mut map = self.map.clone();
        if let (Some(vmid), Some(given)) = (guest, map.get_mut("guest")) {
            *given = vmid.to_string().into();
        }
        canonical(&Value::Object(map))
    }
}
