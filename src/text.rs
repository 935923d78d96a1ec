//! Text of others, made fit to be shown.
//!
//! What a cluster says is data, and so is what a caller or a configuration says: terminal escapes,
//! bidirectional overrides and characters without width must not reach a client raw, where they could
//! hide or reorder what a person reads.

mod hidden;
pub mod pattern;

use std::borrow::Cow;
use std::fmt::Write;

pub use hidden::is_hidden;

/// The longest name of an object that is taken and shown, in characters: as a DNS name may be.
pub const NAME_MAX_CHARS: usize = 253;
/// The longest volume or task name, in characters. What is shown shorter cannot be given back.
pub const LONG_NAME_MAX_CHARS: usize = 512;

/// The longest word of a caller that a sentence repeats.
const WORD_MAX_CHARS: usize = 200;

/// `text` with everything that does not show made visible as `\n` or `\u{202e}`, and cut after
/// `max_chars` characters with `…`.
pub fn printable(text: &str, max_chars: usize) -> String {
    visible(text, max_chars).into_owned()
}

/// `text` made [`printable`], borrowed where it is fit as it is. Most is, and short: that is seen at a
/// glance.
pub fn visible(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(max_chars));
    for (count, c) in text.chars().enumerate() {
        if count >= max_chars {
            shown.push('…');
            break;
        }
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push(' '),
            c if is_hidden(c) => {
                // Writing to a `String` cannot fail.
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// What somebody wrote, to be repeated in a sentence about it.
pub fn repeated(text: &str) -> String {
    printable(text, WORD_MAX_CHARS)
}

/// `text` as one word of a POSIX shell, quoted where it has to be.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Percent-encodes everything but the characters that need it nowhere (RFC 3986).
pub fn percent_encode(text: &str, target: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

/// What was percent-encoded; `None` where it is not encoded so, or no text.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}
