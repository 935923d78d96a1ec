//! JSON to checked arguments, every problem at once.

use serde_json::{Map, Value};

use super::Tool;
use super::given::given;
use super::param::{Param, ParamKind, SizeUnit, Word};
use super::taken;
use crate::error::Error;
use crate::gate::confirm::canonical;
use crate::meant;
use crate::text::{LONG_NAME_MAX_CHARS, NAME_MAX_CHARS, repeated};
use crate::time;

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
    /// Seconds to wait for the end of a task.
    pub wait_s: u64,
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
    let injected = injected(tool, &given, &mut problems);
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

fn injected<'g>(
    tool: &Tool,
    given: &dyn Fn(&str) -> Option<&'g Value>,
    problems: &mut Vec<String>,
) -> InjectedArgs {
    let mut text = |name: &str| match given(name) {
        None => None,
        Some(value) if taken::is_nothing(value) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            problems.push(format!("`{name}` must be a text"));
            None
        }
    };
    let cluster = text("cluster");
    let confirm = text("confirm");
    let mut wait_s = tool.wait_default_s();
    if let Some(value) = given("wait").filter(|value| !taken::is_nothing(value)) {
        match whole(value, 0, i64::try_from(WAIT_MAX_S).unwrap_or(i64::MAX)) {
            Ok(number) => wait_s = u64::try_from(number).unwrap_or(WAIT_DEFAULT_S),
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
    if taken::is_nothing(value) {
        return nothing();
    }
    let value = match param.kind {
        ParamKind::Guest => guest(value),
        ParamKind::Text(max) => text(value, max),
        ParamKind::Word(word) => check_word(word, value),
        // Where none is too few, 0 is how some say "none given".
        ParamKind::Int(1.., _) if !param.required && taken::whole(value) == Some(0) => {
            return Ok(None);
        }
        ParamKind::Int(least, most) => whole(value, least, most).map(Value::from),
        ParamKind::Size(_, 1.., _) if !param.required && taken::whole(value) == Some(0) => {
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
    if taken::is_nothing(&value) {
        return nothing();
    }
    Ok(Some(value))
}

fn guest(value: &Value) -> Result<Value, String> {
    let wanted = "a VMID from 100 to 999999999, or a guest's name";
    if let Some(number) = taken::whole(value) {
        return match u32::try_from(number) {
            Ok(vmid @ 100..=999_999_999) => Ok(Value::from(vmid.to_string())),
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
        Value::Number(_) => match taken::plain_number(value.clone()) {
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
        Value::Number(_) => taken::whole(value).map_or(String::new(), |number| number.to_string()),
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
    match taken::whole(value) {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

fn size(value: &Value, unit: SizeUnit, least: i64, most: i64) -> Result<Value, String> {
    match taken::size(value, unit) {
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
    let read = taken::yes_or_no(value);
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
    let entries = taken::items(value).ok_or("must be a list of texts")?;
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
    let entries = taken::entries(value).ok_or("must be an object of API parameters")?;
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
        settings.insert(name, taken::plain_number(value));
    }
    Ok(settings.into())
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
