//! A `.env` file's text to its statements, by python-dotenv's grammar.

use std::borrow::Cow;

/// A key, and a value unless the key stands alone.
pub(super) type Statement<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// A statement that cannot be read.
pub(super) struct UnreadableStatement;

/// Walks through a text by python-dotenv's grammar. A copy of it is a place to come back to.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner {
            rest: text,
            line: 1,
        }
    }

    /// The next statement with the line where it begins; within, nothing for a comment.
    pub(super) fn next(
        &mut self,
    ) -> Option<(usize, Result<Option<Statement<'a>>, UnreadableStatement>)> {
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

    fn statement(&mut self) -> Result<Option<Statement<'a>>, UnreadableStatement> {
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
            return Err(UnreadableStatement);
        }
        Ok(key.map(|key| (key, value)))
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, UnreadableStatement> {
        if self.rest.starts_with('#') {
            return Ok(None);
        }
        let mut ahead = *self;
        if ahead.eat('\'') {
            let key = ahead.take(|character| character != '\'');
            if key.is_empty() || !ahead.eat('\'') {
                return Err(UnreadableStatement);
            }
            *self = ahead;
            return Ok(Some(Cow::Borrowed(key)));
        }
        let key = self.take(|character| !matches!(character, '=' | '#') && !white(character));
        if key.is_empty() {
            return Err(UnreadableStatement);
        }
        Ok(Some(Cow::Borrowed(key)))
    }

    fn value(&mut self) -> Result<Cow<'a, str>, UnreadableStatement> {
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
    fn quoted(&mut self, quote: char) -> Result<String, UnreadableStatement> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((place, character)) = characters.next() {
            if character == quote {
                let (_, rest) = self
                    .rest
                    .split_at_checked(place + 1)
                    .ok_or(UnreadableStatement)?;
                let lines = self.rest.get(..place).unwrap_or("").matches('\n').count();
                self.line += lines;
                self.rest = rest;
                return Ok(value);
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let (_, escaped) = characters.next().ok_or(UnreadableStatement)?;
            match unescape(quote, escaped) {
                Some(meant) => value.push(meant),
                None => value.extend(['\\', escaped]),
            }
        }
        Err(UnreadableStatement)
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
