//! Secrets that are told by their own form, whatever name stands before them: the secret of a token
//! behind the token's id, signatures of tickets, keys that begin as no other text does.

use std::ops::Range;

use super::HIDDEN;

/// A UUID, as Proxmox makes them for tokens: where its hyphens stand, and how long it is.
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_BYTES: usize = 36;
/// What stands between a token's id and its secret, also as URLs write it.
const BEHIND_TOKEN: &[&str] = &["=", ":", " ", "%3d", "%3a"];
/// The time of a ticket, in hexadecimal digits.
const TICKET_TIME_BYTES: usize = 8;
/// A colon, also as URLs write it.
const COLONS: &[&str] = &[":", "%3a"];
/// What stands behind `PVE:user@realm:66000000::`, and behind the time of a token against forgery, which
/// has one colon and would be anything if it were shorter.
const TICKET_MIN_BYTES: usize = 16;
const FORGERY_MIN_BYTES: usize = 40;
/// How keys of `age` begin.
const AGE_KEY: &str = "age-secret-key-";
/// Keys of Ceph: so they begin and end, so long they are.
const CEPH_KEY: (&str, &str, usize) = ("AQ", "==", 40);

/// `line` without them. `has_token`: it is of a text that names a new token, whose secret is its
/// `value`.
pub(super) fn masked(line: String, has_token: bool) -> String {
    // The shortest of them is longer.
    if line.len() < TICKET_TIME_BYTES + TICKET_MIN_BYTES {
        return line;
    }
    let mut found = Vec::new();
    // In ASCII a letter is as long in both cases.
    let lower = line.to_ascii_lowercase();
    uuids(&lower, has_token, &mut found);
    tickets(&lower, &mut found);
    keys(&line, &lower, &mut found);
    if found.is_empty() {
        return line;
    }
    found.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(line.len());
    let mut at = 0;
    for range in found {
        // Nothing is hidden twice.
        if let Some(before) = line.get(at..range.start) {
            shown.push_str(before);
            shown.push_str(HIDDEN);
            at = range.end;
        }
    }
    shown.push_str(line.get(at..).unwrap_or_default());
    shown
}

fn uuids(line: &str, has_token: bool, found: &mut Vec<Range<usize>>) {
    // The second part of one begins behind a hyphen.
    for (hyphen, _) in line.match_indices('-') {
        let Some(start) = hyphen.checked_sub(UUID_HYPHENS[0]) else {
            continue;
        };
        let end = start + UUID_BYTES;
        let (Some(before), Some(uuid)) = (line.get(..start), line.get(start..end)) else {
            continue;
        };
        let is_uuid = uuid
            .bytes()
            .enumerate()
            .all(|(at, byte)| match UUID_HYPHENS.contains(&at) {
                true => byte == b'-',
                false => byte.is_ascii_hexdigit(),
            });
        if is_uuid && (ends_in_token(before) || (has_token && ends_in_value(before))) {
            found.push(start..end);
        }
    }
}

/// `user@realm!id` and what may stand behind it.
fn ends_in_token(before: &str) -> bool {
    let quotes = ['"', '\'', '`', '\\'];
    let before = before.trim_end_matches(quotes);
    let mut behind = BEHIND_TOKEN.iter();
    let Some(id) = behind.find_map(|one| before.strip_suffix(one)) else {
        return false;
    };
    let id = id.trim_end_matches(quotes);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let user = id.trim_end_matches(is_name);
    // `%21x`: the sign's own digits look like a name.
    let encoded = id
        .rsplit_once("%21")
        .is_some_and(|(_, name)| name.chars().all(is_name));
    encoded || (user.len() < id.len() && user.ends_with('!'))
}

/// The name `value`, and whatever a JSON text or a drawn table has behind it.
fn ends_in_value(before: &str) -> bool {
    before
        .trim_end_matches(|c: char| !c.is_alphanumeric())
        .ends_with("value")
}

fn tickets(line: &str, found: &mut Vec<Range<usize>>) {
    for colon in COLONS {
        for (at, _) in line.match_indices(colon) {
            let (Some(before), Some(behind)) = (line.get(..at), line.get(at + colon.len()..))
            else {
                continue;
            };
            let digits = before.bytes().rev().take_while(u8::is_ascii_hexdigit);
            // `%3a` ends in such a digit itself.
            let is_time = digits.count() == TICKET_TIME_BYTES
                || (before.len() > TICKET_TIME_BYTES
                    && before
                        .get(before.len() - TICKET_TIME_BYTES..)
                        .is_some_and(|time| time.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    && before
                        .get(..before.len() - TICKET_TIME_BYTES)
                        .is_some_and(|rest| rest.ends_with("%3a")));
            if !is_time {
                continue;
            }
            let signature = behind.strip_prefix(colon);
            let least = match signature {
                Some(_) => TICKET_MIN_BYTES,
                None => FORGERY_MIN_BYTES,
            };
            let signature = signature.unwrap_or(behind);
            let is_part = |c: &char| c.is_ascii_alphanumeric() || "+/=-_%".contains(*c);
            let length = signature.chars().take_while(is_part).count();
            if length >= least {
                let start = line.len() - signature.len();
                found.push(start..start + length);
            }
        }
    }
}

fn keys(line: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in lower.match_indices(AGE_KEY) {
        let start = at + AGE_KEY.len();
        let key = line.get(start..).unwrap_or_default();
        let length = key.chars().take_while(char::is_ascii_alphanumeric).count();
        if length >= TICKET_MIN_BYTES {
            found.push(start..start + length);
        }
    }
    let (begin, end, length) = CEPH_KEY;
    for (at, _) in line.match_indices(begin) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let is_whole = !line.get(..at).unwrap_or_default().ends_with(is_part)
            || line.get(..at).unwrap_or_default().ends_with('=');
        let behind = line.get(at + length..).unwrap_or_default();
        let key = line.get(at..at + length).unwrap_or_default();
        let is_key = key.ends_with(end) && key.chars().all(is_part) && !behind.starts_with(is_part);
        if is_whole && is_key {
            found.push(at..at + length);
        }
    }
}
