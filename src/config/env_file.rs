//! Reads a `.env` file to the pairs that python-dotenv 1.x would make of it.
//!
//! `dotenvy` reads the pairs, behind a reader that writes each statement anew so that nothing in it
//! is special to `dotenvy`: taken as it is, a hyphen in a key, a blank in a value or a lone backslash
//! are errors there, `$NAME` is expanded, and its errors quote the value.

mod scanner;

use std::borrow::Cow;
use std::collections::HashMap;

use scanner::{Scanner, Statement, UnreadableStatement};

/// What a `.env` file says.
#[derive(Default)]
pub struct EnvFile {
    /// Each variable once, with its last value, in the order in which they first appear.
    pub pairs: Vec<(String, String)>,
    /// The variables whose value holds a `${NAME}`, which stands for something else.
    pub expanded: Vec<String>,
    /// The variables that stand without a `=`, and so are not set.
    pub bare: Vec<String>,
    /// The numbers of lines where a statement begins that cannot be read, counted from 1.
    pub broken: Vec<usize>,
}

impl EnvFile {
    /// Whether a variable's value holds a `${NAME}`.
    pub(super) fn is_expanded(&self, variable: &str) -> bool {
        self.expanded.iter().any(|name| name == variable)
    }
}

impl From<Vec<(String, String)>> for EnvFile {
    fn from(pairs: Vec<(String, String)>) -> EnvFile {
        EnvFile {
            pairs,
            ..EnvFile::default()
        }
    }
}

/// Whether these are the bytes of a text in UTF-16, told by its mark or by the zero that is half of
/// each of ASCII's letters there.
pub fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    }
}

/// Reads the bytes of a file. `${NAME}` stands for what `environment` says, else for what the file
/// said before; python-dotenv has it that way round when it does not override.
pub fn read(bytes: &[u8], environment: &HashMap<&str, &str>) -> EnvFile {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // As a Python text stream has it, also within quotes.
    let text = match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    };
    let mut broken = not_utf8(bytes);

    let mut statements = Vec::new();
    let mut scanner = Scanner::new(&text);
    while let Some((line, statement)) = scanner.next() {
        match statement {
            Ok(Some(statement)) => statements.push((line, statement)),
            Ok(None) => {}
            Err(UnreadableStatement) => broken.push(line),
        }
    }

    let mut normalised = String::with_capacity(text.len().saturating_mul(2));
    for (_, statement) in &statements {
        normalise(statement, &mut normalised);
    }
    let mut said: Vec<(String, Option<String>)> = Vec::new();
    let mut expanded: Vec<String> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(statements.len());
    for ((line, (name, _)), pair) in statements
        .iter()
        .zip(dotenvy::Iter::new(normalised.as_bytes()))
    {
        // The error is dropped, not shown: its text holds the value.
        let Some((key, value)) = pair.ok().and_then(restore) else {
            broken.push(*line);
            continue;
        };
        let is_expanded = value.as_deref().is_some_and(holds_a_reference);
        expanded.retain(|known| *known != key);
        if is_expanded {
            expanded.push(key.clone());
        }
        let value = value.map(|value| {
            interpolate(value, |name| match environment.get(name) {
                Some(value) => Some((*value).to_owned()),
                None => {
                    let (_, value) = said.get(*places.get(name)?)?;
                    Some(value.clone().unwrap_or_default())
                }
            })
        });
        match places.get(&**name).and_then(|place| said.get_mut(*place)) {
            Some((_, last)) => *last = value,
            None => {
                places.insert(name, said.len());
                said.push((key, value));
            }
        }
    }
    broken.sort_unstable();
    broken.dedup();
    let mut file = EnvFile {
        pairs: Vec::with_capacity(said.len()),
        expanded,
        bare: Vec::new(),
        broken,
    };
    for (key, value) in said {
        match value {
            Some(value) => file.pairs.push((key, value)),
            None => file.bare.push(key),
        }
    }
    file
}

/// The lines that are not UTF-8, where Python gives up on the whole file.
fn not_utf8(bytes: &[u8]) -> Vec<usize> {
    if std::str::from_utf8(bytes).is_ok() {
        return Vec::new();
    }
    bytes
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| std::str::from_utf8(line).is_err())
        .map(|(_, number)| number)
        .collect()
}

/// Before a key that stands as it is, and before one in hexadecimal.
const PLAIN: char = 'P';
const HEXADECIMAL: char = 'H';
/// What cannot stand in a value as it is.
const ESCAPED: [u8; 3] = *b"%'\\";

/// One statement as a line that `dotenvy` takes literally: a key that it could misread in hexadecimal;
/// the value in single quotes, after a `=` that tells an empty one from none, with what could end or
/// escape it as `%XX`. The usual is copied in one go: a hundred clusters have hundreds of lines.
fn normalise((key, value): &Statement, line: &mut String) {
    if key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        line.push(PLAIN);
        line.push_str(key);
    } else {
        line.push(HEXADECIMAL);
        for byte in key.bytes() {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
            line.extend(digits.into_iter().flatten());
        }
    }
    line.push_str("='");
    if let Some(value) = value {
        line.push('=');
        if value.bytes().any(|byte| ESCAPED.contains(&byte)) {
            for character in value.chars() {
                match character {
                    '%' => line.push_str("%25"),
                    '\'' => line.push_str("%27"),
                    '\\' => line.push_str("%5c"),
                    _ => line.push(character),
                }
            }
        } else {
            line.push_str(value);
        }
    }
    line.push_str("'\n");
}

/// What [`normalise`] was given.
fn restore((mut key, mut value): (String, String)) -> Option<(String, Option<String>)> {
    if key.starts_with(PLAIN) {
        key.remove(0);
    } else {
        let mut digits = key.strip_prefix(HEXADECIMAL)?.bytes();
        let mut bytes = Vec::new();
        while let Some(byte) = digits.next() {
            bytes.push(hexadecimal(byte, digits.next()?)?);
        }
        key = String::from_utf8(bytes).ok()?;
    }
    if value.is_empty() {
        return Some((key, None));
    }
    if value.starts_with('=') && !value.contains('%') {
        value.remove(0);
        return Some((key, Some(value)));
    }
    let mut rest = value.strip_prefix('=')?.bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hexadecimal(rest.next()?, rest.next()?)?,
            other => other,
        });
    }
    Some((key, Some(String::from_utf8(bytes).ok()?)))
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Replaces `${NAME}` and `${NAME:-default}`; every other `$` is itself.
fn interpolate(value: String, lookup: impl Fn(&str) -> Option<String>) -> String {
    if !value.contains('$') {
        return value;
    }
    let mut result = String::new();
    let mut rest = value.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        match reference(after) {
            Some((name, default, behind)) => {
                result.push_str(&lookup(name).unwrap_or_else(|| default.to_owned()));
                rest = behind;
            }
            None => {
                result.push_str("${");
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

fn holds_a_reference(value: &str) -> bool {
    let mut behind = value.split("${").skip(1);
    behind.any(|behind| reference(behind).is_some())
}

/// Name, default and what follows, of the reference whose `${` was just read.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_at_checked(text.find(['}', ':'])?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((name, "", rest));
    }
    let (default, rest) = rest.strip_prefix(":-")?.split_once('}')?;
    Some((name, default, rest))
}
