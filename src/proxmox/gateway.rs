//! Answers of what stands in front of a cluster, or in its place: a reverse proxy, a firewall for web
//! applications, a page to log in. Whatever their status says, it is not Proxmox that says it, and
//! nobody knows how far the request came.

use ureq::http::{HeaderMap, StatusCode, header};

use crate::text::printable;

/// Of a gateway that could not reach what is behind it, or waited too long for it.
const UNREACHED: std::ops::RangeInclusive<u16> = 502..=504;
/// Of a content delivery network that could not reach what is behind it.
const UNREACHED_BY_CDN: std::ops::RangeInclusive<u16> = 520..=530;
/// How much of a page is searched for its title.
const TITLE_WITHIN_BYTES: usize = 4096;
const TITLE_MAX_CHARS: usize = 80;
const LOCATION_MAX_CHARS: usize = 200;
/// How much of a text that is no page is shown.
const START_MAX_CHARS: usize = 60;

/// What the head of an answer says about who gave it.
#[derive(Debug, Default)]
pub struct AnswerHead {
    status: u16,
    /// The content is a text or a page: Proxmox's own refusals in plain text have no type.
    is_text: bool,
    /// Somebody wants a login of their own; Proxmox never asks in this way.
    challenge: Option<String>,
    location: Option<String>,
}

impl AnswerHead {
    pub fn of(status: u16, headers: &HeaderMap) -> AnswerHead {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let challenge = text(header::WWW_AUTHENTICATE).or(text(header::PROXY_AUTHENTICATE));
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.trim_start().to_ascii_lowercase();
        AnswerHead {
            status,
            is_text: kind.starts_with("text/") || kind.contains("html"),
            // What follows the scheme is its own business.
            challenge: challenge.map(|said| first(said, [' ', ',']).to_owned()),
            // What follows the path may be a secret.
            location: text(header::LOCATION).map(|said| first(said, ['?', '#']).to_owned()),
        }
    }

    /// Whether a gateway says that it did not get through to what is behind it.
    pub fn is_unreached(&self) -> bool {
        UNREACHED.contains(&self.status) || UNREACHED_BY_CDN.contains(&self.status)
    }

    /// What answered in place of Proxmox, as the cause in a sentence; `None` where Proxmox did.
    pub fn stranger(&self, reason: &str, body: &[u8]) -> Option<String> {
        let begin = body.trim_ascii_start();
        let is_page = begin.first() == Some(&b'<');
        let redirects = (300..400).contains(&self.status);
        // Proxmox's reason phrase says what went wrong, and is nobody else's.
        let is_bare = (400..500).contains(&self.status)
            && begin.is_empty()
            && usual_reason(self.status) == Some(reason);
        let is_strange = self.is_unreached()
            || redirects
            || is_page
            || is_bare
            || self.is_text
            || self.challenge.is_some();
        if !is_strange {
            return None;
        }
        let reason = match reason {
            "" => usual_reason(self.status).unwrap_or_default(),
            reason => reason,
        };
        let line = format!("{} {reason}", self.status);
        let line = printable(line.trim_end(), TITLE_MAX_CHARS);
        let what = if let Some(challenge) = &self.challenge {
            let scheme = printable(challenge, TITLE_MAX_CHARS);
            format!(", which asks for a login of its own (`{scheme}`)")
        } else if let Some(location) = self.location.as_ref().filter(|_| redirects) {
            let location = printable(location, LOCATION_MAX_CHARS);
            format!(", which sends on to `{location}`")
        } else if is_page {
            match title(begin).filter(|title| *title != line) {
                Some(title) => format!(", a web page `{title}`"),
                None => ", a web page".to_string(),
            }
        } else if begin.is_empty() {
            String::new()
        } else {
            let start = String::from_utf8_lossy(begin);
            format!(", `{}`", printable(start.trim_end(), START_MAX_CHARS))
        };
        Some(format!(
            "a reverse proxy, a firewall or a login page answered in Proxmox's place: `{line}`{what}"
        ))
    }
}

fn usual_reason(status: u16) -> Option<&'static str> {
    StatusCode::from_u16(status).ok()?.canonical_reason()
}

fn first(text: &str, ends: [char; 2]) -> &str {
    text.split(ends).next().unwrap_or_default()
}

/// What a page calls itself.
fn title(page: &[u8]) -> Option<String> {
    let page = page.get(..TITLE_WITHIN_BYTES).unwrap_or(page);
    let page = String::from_utf8_lossy(page);
    // Of the same length, so that what is found there is found here.
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title")?;
    let begin = begin + lower.get(begin..)?.find('>')? + 1;
    let end = begin + lower.get(begin..)?.find("</title")?;
    let words: Vec<&str> = page.get(begin..end)?.split_whitespace().collect();
    (!words.is_empty()).then(|| printable(&words.join(" "), TITLE_MAX_CHARS))
}
