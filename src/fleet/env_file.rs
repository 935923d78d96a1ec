//! Reads a `.env` file to the pairs that python-dotenv 1.x would make of it.
//!
//! `dotenvy` reads the pairs, behind a reader that writes each statement anew so that nothing in it
//! is special to `dotenvy`: taken as it is, a hyphen in a key, a blank in a value or a lone backslash
//! are errors there, `$NAME` is expanded, and its errors quote the value.

use std::borrow::Cow;
use std::collections::HashMap;

/// What a `.env` file says.
pub struct EnvFile {
    /// Each variable once, with its last value, in the order in which they first appear.
    pub pairs: Vec<(String, String)>,
    /// The numbers of lines where a statement begins that cannot be read, counted from 1.
    pub broken: Vec<usize>,
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
            Err(Broken) => broken.push(line),
        }
    }

    let mut normalised = String::with_capacity(text.len().saturating_mul(2));
    for (_, statement) in &statements {
        normalise(statement, &mut normalised);
    }
    let mut said: Vec<(String, Option<String>)> = Vec::new();
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
    EnvFile {
        pairs: said
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect(),
        broken,
    }
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

/// A key, and a value unless the key stands alone.
type Statement<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

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

/// Name, default and what follows, of the reference whose `${` was just read.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_at_checked(text.find(['}', ':'])?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((name, "", rest));
    }
    let (default, rest) = rest.strip_prefix(":-")?.split_once('}')?;
    Some((name, default, rest))
}

/// A statement that cannot be read.
struct Broken;

/// Walks through a text by python-dotenv's grammar. A copy of it is a place to come back to.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Scanner<'a> {
        Scanner {
            rest: text,
            line: 1,
        }
    }

    /// The next statement with the line where it begins; within, nothing for a comment.
    fn next(&mut self) -> Option<(usize, Result<Option<Statement<'a>>, Broken>)> {
        self.take(white);
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let statement = self.statement();
        if statement.is_err() {
            // Goes on behind the line where the error is, which may not be the one where it began.
            self.take(|character| character != '\n');
            self.eat('\n');
        }
        Some((line, statement))
    }

    fn statement(&mut self) -> Result<Option<Statement<'a>>, Broken> {
        let mut ahead = *self;
        if let Some(rest) = self.rest.strip_prefix("export") {
            ahead.rest = rest;
            if !ahead.take(blank).is_empty() {
                *self = ahead;
            }
        }
        let key = self.key()?;
        self.take(blank);
        let value = if self.eat('=') {
            let apart = !self.take(blank).is_empty();
            if apart && self.rest.starts_with('#') {
                Some(Cow::default())
            } else {
                Some(self.value()?)
            }
        } else {
            None
        };
        let mut ahead = *self;
        ahead.take(blank);
        if ahead.eat('#') {
            ahead.take(|character| character != '\n');
            *self = ahead;
        }
        self.take(blank);
        if !self.rest.is_empty() && !self.eat('\n') {
            return Err(Broken);
        }
        Ok(key.map(|key| (key, value)))
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Broken> {
        if self.rest.starts_with('#') {
            return Ok(None);
        }
        let mut ahead = *self;
        if ahead.eat('\'') {
            let key = ahead.take(|character| character != '\'');
            if key.is_empty() || !ahead.eat('\'') {
                return Err(Broken);
            }
            *self = ahead;
            return Ok(Some(Cow::Borrowed(key)));
        }
        let key = self.take(|character| !matches!(character, '=' | '#') && !white(character));
        if key.is_empty() {
            return Err(Broken);
        }
        Ok(Some(Cow::Borrowed(key)))
    }

    fn value(&mut self) -> Result<Cow<'a, str>, Broken> {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(self.unquoted())),
        }
    }

    /// To the end of the line, without the comment that a blank and a `#` begin.
    fn unquoted(&mut self) -> &'a str {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let (part, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        let before = part.match_indices('#').map(|(place, _)| part.get(..place));
        let comment = before.flatten().find(|before| before.ends_with(white));
        let value = comment.unwrap_or(part);
        value.trim_end_matches(white)
    }

    /// Between quotes, over line ends too. A backslash keeps the next character from ending it.
    fn quoted(&mut self, quote: char) -> Result<String, Broken> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((place, character)) = characters.next() {
            if character == quote {
                let (_, rest) = self.rest.split_at_checked(place + 1).ok_or(Broken)?;
                let lines = self.rest.get(..place).unwrap_or("").matches('\n').count();
                self.line += lines;
                self.rest = rest;
                return Ok(value);
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let (_, escaped) = characters.next().ok_or(Broken)?;
            match unescape(quote, escaped) {
                Some(meant) => value.push(meant),
                None => value.extend(['\\', escaped]),
            }
        }
        Err(Broken)
    }

    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let mut end = self.rest.len();
        for (place, character) in self.rest.char_indices() {
            if !fits(character) {
                end = place;
                break;
            }
            self.line += usize::from(character == '\n');
        }
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn eat(&mut self, character: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(character) else {
            return false;
        };
        self.line += usize::from(character == '\n');
        self.rest = rest;
        true
    }
}

/// What a backslash and this character stand for; nothing where both stand for themselves.
fn unescape(quote: char, escaped: char) -> Option<char> {
    match (quote, escaped) {
        (_, '\\' | '\'') | ('"', '"') => Some(escaped),
        ('"', 'a') => Some('\u{7}'),
        ('"', 'b') => Some('\u{8}'),
        ('"', 'f') => Some('\u{c}'),
        ('"', 'n') => Some('\n'),
        ('"', 'r') => Some('\r'),
        ('"', 't') => Some('\t'),
        ('"', 'v') => Some('\u{b}'),
        _ => None,
    }
}

/// Python's `\s`: Unicode's white space and four control characters more.
fn white(character: char) -> bool {
    match character {
        '\t'..='\r' | '\u{1c}'..='\u{1f}' | ' ' => true,
        '\0'..='\u{7f}' => false,
        _ => character.is_whitespace(),
    }
}

fn blank(character: char) -> bool {
    white(character) && character != '\n'
}
