//! Names that mean to keep things safe and are none of ours: a slip in one must not go unnoticed, so it
//! is a problem wherever it stands.

use super::spelling::shell_safe;
use super::variables::{
    CLUSTER_PREFIX, Guards, PREFIX, Variable, fields, of_cluster, of_registry, of_single_cluster,
};
use crate::meant::edits;

/// As many edits away from a name that keeps things safe is a slip, not another name.
const SLIP_MAX_EDITS: usize = 2;
/// Words that say so, between the `_` of a name.
const WORDS: [&str; 12] = [
    "ACCESS",
    "CONFIRM",
    "CONFIRMATION",
    "PROTECT",
    "PROTECTION",
    "PROTECTED",
    "READ",
    "READONLY",
    "ONLY",
    "SAFE",
    "DENY",
    "AUDIT",
];
/// Words of their own, near one that says so.
const OTHER_WORDS: [&str; 2] = ["CONFIG", "PROJECT"];
/// A name that only looks so.
const READ_TIMEOUT: &str = "READ_TIMEOUT";
/// What a look-alike of [`PREFIX`] has of its own letters at least: a name in another script is no
/// name of ours.
const OWN_MIN_LETTERS: u32 = 2;
/// `U+FF01` to `U+FF5E` are ASCII's letters in another width.
const WIDE: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';
const WIDE_OFFSET: u32 = 0xfee0;

/// A name as it is compared: in upper case, `_` for whatever is no letter and no digit.
pub(super) fn normal(name: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_uppercase(),
        false => '_',
    };
    name.trim().chars().map(letter).collect()
}

/// Whether this begins as our names do, in any case of letters and with anything for `_`; of a name
/// beyond ASCII also with letters that look alike and characters that do not show.
pub fn begins_like_ours(name: &str) -> bool {
    if name.is_ascii() {
        return normal(name).starts_with(PREFIX);
    }
    // How many of the prefix's own letters are there, by how much of it is matched. A character beyond
    // ASCII stands for one of it, or for nothing.
    let mut matched: [Option<u32>; PREFIX.len() + 1] = [None; PREFIX.len() + 1];
    matched[0] = Some(0);
    for letter in name.trim().chars() {
        let narrow = match WIDE.contains(&letter) {
            true => char::from_u32(u32::from(letter) - WIDE_OFFSET).unwrap_or(letter),
            false => letter,
        };
        let mut next = [None; PREFIX.len() + 1];
        for (place, known) in matched.iter().enumerate() {
            let Some(known) = *known else { continue };
            let wanted = PREFIX.as_bytes().get(place).copied().map(char::from);
            let is_own = wanted.is_some_and(|wanted| {
                normal(narrow.encode_utf8(&mut [0; 4])) == wanted.to_string()
            });
            let steps = match (narrow.is_ascii(), is_own) {
                (true, true) => [None, Some(known + 1)],
                (true, false) => [None, None],
                (false, _) => [Some(known), Some(known)],
            };
            for (slot, step) in next.iter_mut().skip(place).zip(steps) {
                *slot = (*slot).max(step);
            }
        }
        matched = next;
        if matched.last().copied().flatten() >= Some(OWN_MIN_LETTERS) {
            return true;
        }
    }
    false
}

/// Whether a name could be a slip of one of ours: it begins so, or nearly.
pub(super) fn resembles(name: &str) -> bool {
    let head: String = normal(name).chars().take(PREFIX.len() - 1).collect();
    edits(&head, PREFIX.trim_end_matches('_')) <= SLIP_MAX_EDITS
}

/// The one of `known` that keeps things safe and that `name`, which is none of them, is near.
pub(super) fn near<'a>(name: &str, known: &'a [(String, bool)]) -> Option<&'a str> {
    let normal_name = normal(name);
    if normal_name
        .split('_')
        .any(|word| OTHER_WORDS.contains(&word))
    {
        return None;
    }
    let found = known.iter().find(|(one, guards)| {
        *guards
            && one.len().abs_diff(normal_name.len()) <= SLIP_MAX_EDITS
            && edits(&normal(one), &normal_name) <= SLIP_MAX_EDITS
    });
    found.map(|(one, _)| one.as_str())
}

/// Whether a name that begins like ours and is none of them means to keep things safe. What names one
/// of `clusters`, in either spelling, does not count.
pub(super) fn means_safety(name: &str, clusters: &[String]) -> bool {
    let name = normal(name);
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let of_cluster = name.strip_prefix(CLUSTER_PREFIX);
    let field = of_cluster.and_then(|rest| {
        let mut clusters: Vec<String> = clusters.iter().map(|one| normal(one)).collect();
        clusters.sort_by_key(|one| std::cmp::Reverse(one.len()));
        clusters
            .iter()
            .find_map(|one| rest.strip_prefix(one.as_str())?.strip_prefix('_'))
    });
    let rest = field.unwrap_or(rest);
    if rest == READ_TIMEOUT {
        return false;
    }
    let last = rest.rsplit('_').next().unwrap_or(rest);
    // A field of a cluster that nobody knows.
    let is_guard = of_cluster.is_some()
        && !OTHER_WORDS.contains(&last)
        && fields()
            .any(|field| field.guards != Guards::No && edits(field.name, last) <= SLIP_MAX_EDITS);
    is_guard || rest.split('_').any(|word| WORDS.contains(&word))
}

/// Whether a variable of this whole name keeps nothing safe without a value, and was to.
pub(super) fn needs_a_value(name: &str, clusters: &[String]) -> bool {
    let needs = |variable: &Variable| variable.guards == Guards::Yes;
    let is_one = |cluster: &str| {
        let mut known = clusters.iter();
        known.any(|known| known == cluster || shell_safe(known) == cluster)
    };
    let whole = of_registry(name).or_else(|| of_single_cluster(name));
    whole.map_or_else(
        || of_cluster(name).any(|(cluster, field)| needs(field) && is_one(cluster)),
        needs,
    )
}
