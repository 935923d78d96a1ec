//! Task ids: `UPID:node:pid:pstart:starttime:type:id:user[!token]:`, and `cluster!UPID`.

use std::fmt;

/// A UPID longer than this is none.
const UPID_MAX_BYTES: usize = 512;

/// A task's id, taken apart. `Display` gives it back as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upid {
    text: String,
    /// The node that runs it, and the only one that knows it.
    pub node: String,
    /// Unix time, in seconds.
    pub started: u64,
    /// `qmstart`, `vzdump`, ...
    pub kind: String,
    /// What it is about: a VMID, a storage, ...; may be empty.
    pub id: String,
    /// `user@realm` or `user@realm!token`.
    pub user: String,
}

impl Upid {
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Upid, String> {
        let wrong = |what: &str| {
            let shown = crate::text::printable(text, 100);
            Err(format!("`{shown}` is no UPID: {what}"))
        };
        if text.len() > UPID_MAX_BYTES {
            return wrong("it is too long");
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '/') {
            return wrong("it holds a blank, a slash or a control character");
        }
        let parts: Vec<&str> = text.split(':').collect();
        let ["UPID", node, pid, pstart, started, kind, id, user, ""] = parts.as_slice() else {
            return wrong("it does not consist of nine parts, the first `UPID`, the last empty");
        };
        let is_hex = |text: &str, from: usize, to: usize| {
            (from..=to).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        // The pid may outgrow eight digits nowhere; the uptime in ticks may, after 497 days.
        if !is_hex(pid, 8, 8) || !is_hex(pstart, 8, 9) || !is_hex(started, 8, 8) {
            return wrong("its numbers are not hexadecimal, or not of the right length");
        }
        let is_node = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if node.is_empty() || !node.chars().all(is_node) || node.starts_with(['-', '.']) {
            return wrong("its node is no node's name");
        }
        if kind.is_empty() || !user.contains('@') {
            return wrong("its type or its user is missing");
        }
        let Ok(started) = u64::from_str_radix(started, 16) else {
            return wrong("its time is no number");
        };
        Ok(Upid {
            text: text.to_string(),
            node: (*node).to_string(),
            started,
            kind: (*kind).to_string(),
            id: (*id).to_string(),
            user: (*user).to_string(),
        })
    }

    /// The qualified form, which says which cluster it belongs to.
    pub fn of(&self, cluster: &str) -> String {
        format!("{cluster}!{}", self.text)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes `cluster!UPID` apart; a bare UPID has no cluster. A token's `!` stands behind `UPID:`, so
/// the first `!` tells.
///
/// # Errors
/// As [`Upid::parse`].
pub fn parse_qualified(text: &str) -> Result<(Option<String>, Upid), String> {
    match text.split_once('!') {
        Some((cluster, upid)) if !cluster.contains(':') => {
            let upid = Upid::parse(upid)?;
            if cluster.is_empty() {
                return Err("the cluster before `!` is empty".into());
            }
            Ok((Some(cluster.to_string()), upid))
        }
        _ => Ok((None, Upid::parse(text)?)),
    }
}
