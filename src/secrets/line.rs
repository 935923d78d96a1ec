//! Secrets in running text, line by line: logs, command output, cloud-init files, property strings.

use std::borrow::Cow;

use super::{HIDDEN, form, is_secret};

/// The words of the line that begins a private key of any kind, and of the one that ends it; dashes
/// stand around them.
const KEY_BEGIN: &str = "BEGIN ";
const KEY_END: &str = "END ";
const KEY_KIND: &str = "PRIVATE KEY";
const KEY_BLOCK: &str = " BLOCK";
const DASHES: &str = "----";
/// Behind this line the key of a PuTTY file begins, and it ends with the next that is none of it.
const PUTTY_KEY: &str = "Private-Lines:";
/// Headers within a key.
const KEY_HEADERS: &[&str] = &[
    "Charset:",
    "Comment:",
    "DEK-Info:",
    "Hash:",
    "MessageID:",
    "Proc-Type:",
    "Subject:",
    "Version:",
];
/// So much of a line, behind whatever a log puts before it, is no word.
const KEY_LINE_MIN_CHARS: usize = 40;
/// Headers in whose value the secret stands behind the token's name.
const TOKEN_HEADERS: &[&str] = &["pveapitoken", "pbsapitoken", "pmgapitoken"];
/// Headers whose value goes on to the end of the line, or of what is quoted.
const WHOLE_HEADER: &str = "authorization";
/// Whose `value` is a secret, wherever it stands.
const NEW_TOKEN: &str = "full-tokenid";
/// Values that say whether there is a secret, and not which.
const NO_SECRETS: &[&str] = &["0", "1", "true", "false", "yes", "no", "null", "none"];
/// Whose indented lines are `user:password`.
const PASSWORD_LIST: &str = "chpasswd";

/// What stands before a secret in a line, but for what is told by its form.
const SEPARATORS: [char; 3] = ['=', ':', ' '];
/// What stands before or in those.
const OF_FORMS: [char; 3] = ['=', '-', '%'];

/// What the lines before leave open.
#[derive(Default)]
pub(super) struct LineState {
    /// A private key has begun.
    in_key: bool,
    /// A value, or a list of passwords, goes on in lines that are indented more than this.
    block: Option<Block>,
    /// A new token was named.
    has_token: bool,
}

#[derive(Clone, Copy)]
struct Block {
    indent: usize,
    /// Lines as `user:password`, else secret as a whole.
    is_list: bool,
}

impl LineState {
    /// `text`, which goes on where the one before ended. Line ends that were made visible before
    /// (`\n`) are line ends.
    pub(super) fn masked<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        // Whatever is a secret stands behind one of these, or goes on from before.
        let is_open = self.in_key || self.block.is_some() || self.has_token;
        if !is_open && !text.contains(SEPARATORS) && !text.contains(OF_FORMS) {
            return Cow::Borrowed(text);
        }
        self.has_token = self.has_token || text.contains(NEW_TOKEN);
        let mut whole = String::with_capacity(text.len());
        for (number, shown) in text.split('\n').enumerate() {
            if number > 0 {
                whole.push('\n');
            }
            for (number, line) in shown.split("\\n").enumerate() {
                if number > 0 {
                    whole.push_str("\\n");
                }
                whole.push_str(&self.line(line));
            }
        }
        Cow::Owned(whole)
    }

    fn line(&mut self, line: &str) -> String {
        if self.in_key {
            self.in_key = false;
            match key_ended(line) {
                Some(end) => return format!("{HIDDEN}{end}"),
                None if is_key_text(line) => {
                    self.in_key = true;
                    return HIDDEN.to_owned();
                }
                None => {}
            }
        }
        if line.trim_start().starts_with(PUTTY_KEY) {
            self.in_key = true;
            return line.to_owned();
        }
        if let Some((begin, inside)) = key_begun(line) {
            let rest = match key_ended(inside) {
                Some(end) => format!("{HIDDEN}{end}"),
                None => {
                    self.in_key = true;
                    if inside.trim().is_empty() { "" } else { HIDDEN }.to_owned()
                }
            };
            return form::masked(words(begin), self.has_token) + &rest;
        }
        if let Some(masked) = self.in_block(line) {
            return masked;
        }
        let shown = self.field(line).unwrap_or_else(|| words(line));
        form::masked(shown, self.has_token)
    }

    /// A line of a block that is open; the first that is not ends it.
    fn in_block(&mut self, line: &str) -> Option<String> {
        let block = self.block?;
        if line.trim().is_empty() {
            return Some(line.to_owned());
        }
        let indent = indent_of(line);
        let is_entry =
            block.is_list && indent == block.indent && line.trim_start().starts_with('-');
        if indent <= block.indent && !is_entry {
            self.block = None;
            return None;
        }
        if !block.is_list {
            return Some(format!("{}{HIDDEN}", " ".repeat(indent)));
        }
        let (user, password) = line.split_once(':')?;
        // The list's own keys have a blank behind the colon, or nothing.
        if password.is_empty() || password.starts_with([' ', '\r']) {
            return None;
        }
        Some(format!("{user}:{HIDDEN}"))
    }

    /// A line `key: value`, perhaps the first of a list's entry, whose key is a secret's.
    fn field(&mut self, line: &str) -> Option<String> {
        let (before, value) = line.split_once(':')?;
        let is_json = before.contains(['"', '\'']);
        if is_json || !(value.is_empty() || value.starts_with([' ', '\r', '\t'])) {
            return None;
        }
        let key = before.trim_start_matches(['-', ' ', '\t']).trim_end();
        let is_list = key == PASSWORD_LIST;
        let is_word = key.chars().all(is_key_char);
        if !is_word || !(is_list || is_secret(key)) {
            return None;
        }
        let value = value.trim();
        if matches!(value, "" | "|" | ">" | "|-" | ">-" | "|+" | ">+") {
            let indent = indent_of(line);
            self.block = Some(Block { indent, is_list });
            return Some(line.to_owned());
        }
        if !is_telling(value) {
            return Some(line.to_owned());
        }
        Some(format!("{before}: {HIDDEN}"))
    }
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn indent_of(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// A line up to the end of what begins a private key, and what follows.
fn key_begun(line: &str) -> Option<(&str, &str)> {
    let (before, rest) = line.split_once(KEY_BEGIN)?;
    let (kind, behind) = rest.split_once(KEY_KIND)?;
    let is_kind = kind
        .chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ');
    let behind = behind
        .strip_prefix(KEY_BLOCK)
        .unwrap_or(behind)
        .trim_start();
    if !is_kind || !before.trim_end().ends_with(DASHES) || !behind.starts_with(DASHES) {
        return None;
    }
    let inside = behind.trim_start_matches('-');
    Some((line.get(..line.len() - inside.len())?, inside))
}

/// What ends a key, with what follows.
fn key_ended(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(KEY_END)?;
    let before = before.trim_end();
    if !before.ends_with(DASHES) {
        return None;
    }
    line.get(before.trim_end_matches('-').len()..)
}

/// A line of base64, whatever stands before it in a log, or a header such as those of an encrypted key.
fn is_key_text(line: &str) -> bool {
    let line = line.trim();
    let is_base64 = |text: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        text.chars().all(is_part)
    };
    let last = line.rsplit(' ').next().unwrap_or_default();
    is_base64(line)
        || (last.len() >= KEY_LINE_MIN_CHARS && is_base64(last))
        || KEY_HEADERS.iter().any(|header| line.starts_with(header))
}

/// A line without the secrets that stand behind a key and `=`, behind a quoted key and `:`, behind
/// an option of a command, or in a URL.
fn words(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((at, separator)) = rest.char_indices().find(|(_, c)| SEPARATORS.contains(c)) {
        let (Some(before), Some(behind)) = (rest.get(..at), rest.get(at + 1..)) else {
            break;
        };
        shown.push_str(before);
        shown.push(separator);
        rest = behind;
        let Some(found) = found(&shown, separator, behind) else {
            continue;
        };
        let (kept, after) = found;
        shown.push_str(kept);
        shown.push_str(HIDDEN);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Whether a secret follows `before`, which ends with `separator`: what of `behind` is kept before
/// it, and what comes after it.
fn found<'a>(before: &str, separator: char, behind: &'a str) -> Option<(&'a str, &'a str)> {
    let head = before.strip_suffix(separator)?;
    if separator == ':' && behind.starts_with("//") {
        return in_url(behind);
    }
    let is_quoted = head.ends_with(['"', '\'']);
    let name = head.trim_end_matches(['"', '\'', '\\', ' ']);
    let key = name.rsplit(|c: char| !is_key_char(c)).next();
    let key = key.unwrap_or_default();
    let plain = key.trim_start_matches('-').to_ascii_lowercase();
    let is_token = TOKEN_HEADERS.contains(&plain.as_str());
    let holds = match separator {
        '=' => is_secret(key) || is_token,
        ':' => is_secret(key) && (is_quoted || (behind.starts_with(' ') && is_field(name, key))),
        // A blank ends an option, and nothing else that stands before a value.
        _ => key.starts_with('-') && !head.ends_with(' ') && is_secret(key),
    };
    if !holds {
        return None;
    }
    let value = behind.trim_start_matches(' ');
    let blanks = behind.get(..behind.len() - value.len())?;
    let (quote, value) = quoted(value);
    let end = match quote {
        "" if plain.ends_with(WHOLE_HEADER) => value.find(['"', '\'', '`', '\\']),
        "" => value.find(|c: char| c.is_whitespace() || ",;&\"'`)}]\\".contains(c)),
        quote => value.find(quote),
    };
    let (value, after) = value.split_at_checked(end.unwrap_or(value.len()))?;
    let inner = value.find(['=', ':']).filter(|_| is_token);
    let named = inner.map_or(0, |at| at + 1);
    let begin = blanks.len() + quote.len() + named;
    let is_masked = behind.get(begin..)?.starts_with(HIDDEN);
    if is_masked || !is_telling(value) || value.starts_with(['{', '[']) {
        return None;
    }
    Some((behind.get(..begin)?, after))
}

/// `{..., key: value}`, or a password or a header anywhere in a line.
fn is_field(name: &str, key: &str) -> bool {
    let before = name.strip_suffix(key).unwrap_or_default().trim_end();
    let key = key.to_ascii_lowercase();
    let ends = ["password", WHOLE_HEADER, "csrfpreventiontoken"];
    before.ends_with(['{', ',']) || ends.iter().any(|end| key.ends_with(end))
}

/// The password of `//USER:PASSWORD@HOST`.
fn in_url(behind: &str) -> Option<(&str, &str)> {
    let end = behind
        .char_indices()
        .skip(2)
        .find(|(_, c)| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#'));
    let authority = behind.get(..end.map_or(behind.len(), |(at, _)| at))?;
    let at = authority.rfind('@')?;
    let (user, _) = authority.get(..at)?.split_once(':')?;
    Some((behind.get(..user.len() + 1)?, behind.get(at..)?))
}

/// The quote that a value begins with, and what follows.
fn quoted(value: &str) -> (&str, &str) {
    for quote in ["\\\"", "\"", "'"] {
        if let Some(rest) = value.strip_prefix(quote) {
            return (value.get(..quote.len()).unwrap_or_default(), rest);
        }
    }
    ("", value)
}

/// Whether this is a secret, and not only that there is one or none.
fn is_telling(value: &str) -> bool {
    let starred = value.chars().all(|c| c == '*');
    !starred && value != HIDDEN && !NO_SECRETS.contains(&value)
}
