//! A text with `*` for anything, compared without regard to the case of letters.

/// What stands between the wildcards, in small letters; one part where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    pub fn new(text: &str) -> Pattern {
        let parts = text.split('*').map(str::to_ascii_lowercase);
        Pattern {
            parts: parts.collect(),
        }
    }

    /// Whether it has no wildcard.
    pub fn is_plain(&self) -> bool {
        self.parts.len() == 1
    }

    /// Whether it is the whole of `text`.
    pub fn is(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            let only = self.parts.first();
            return only.is_some_and(|only| only.eq_ignore_ascii_case(text));
        };
        let text = text.as_bytes();
        let Some(mut rest) = text
            .split_at_checked(first.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(first.as_bytes()))
            .map(|(_, rest)| rest)
        else {
            return false;
        };
        for part in middle {
            match find(rest, part.as_bytes()) {
                Some(after) => rest = rest.get(after..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.len()
            .checked_sub(last.len())
            .and_then(|at| rest.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(last.as_bytes()))
    }

    /// Whether it is a part of `text`; with a wildcard, the whole of it.
    pub fn is_in(&self, text: &str) -> bool {
        match self.parts.as_slice() {
            [only] => find(text.as_bytes(), only.as_bytes()).is_some(),
            _ => self.is(text),
        }
    }
}

/// Where `part` ends in `text`.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    let at = text
        .windows(part.len())
        .position(|window| window.eq_ignore_ascii_case(part))?;
    Some(at + part.len())
}
