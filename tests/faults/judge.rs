//! What an answer has to be, held against what the simulator knows was done.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::clusters::ONE;
use super::column::Expect;
use super::row::{self, Row, Writes};
use super::seat::Answer;
use crate::sim::{Seen, World};

/// In these words an error says that something was done, or may have been.
const ADMITS: &[&str] = &[
    "may have taken effect",
    "it took effect",
    "it was begun",
    "the task has ended",
    "was accepted and takes effect",
    "TaskError: ",
];
/// In these that nothing was.
const DENIES: &[&str] = &[
    "nothing was sent",
    "nothing was changed",
    "ClusterConnectionError: ",
];
/// By these keys an answer says that it is not whole.
const GAPS: &[&str] = &[
    "methods_unknown",
    "addresses_unknown",
    "errors",
    "incomplete",
    "log_unread",
    "not_read",
    "outcome",
    "silent",
    "unseen",
];
/// In place of what could not be read.
const UNKNOWN: &str = "unknown";
/// In these words an answer says that it comes from memory, which has an end.
const REMEMBERS: &[&str] = &["the next try is", "not asked again"];
/// What is another from one moment to the next.
const VOLATILE: &[&str] = &[
    "ctime", "digest", "end", "log_tail", "meta", "since", "smbios1", "start", "task", "time",
    "upid", "url", "vmgenid",
];
/// What a cluster says is shown by it as it is, however wrong.
const RAW: &str = "api_read";
/// Numbers that do not depend on the moment.
const STEADY: &[&str] = &["total", "vmid", "clusters_asked", "count"];

pub struct Case<'a> {
    pub row: &'a Row,
    pub expect: Expect,
    pub answer: &'a Answer,
    /// What reached the clusters since the fault began.
    pub seen: &'a [Seen],
}

/// Judges the answer of a call under a fault.
///
/// # Errors
/// What is wrong with it.
pub fn call(case: &Case) -> Result<(), String> {
    let done = row::executed(case.seen);
    strangers(case.row, &done)?;
    doubled(case.row, &done)?;
    match case.answer {
        Answer::Failure(text) => failure(case, text, &done),
        Answer::Success(answer) => success(case, answer, &done),
    }
}

fn failure(case: &Case, text: &str, done: &Writes) -> Result<(), String> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if case.expect == Expect::Same {
        return Err(format!("it should have succeeded, but: {text}"));
    }
    if !text
        .split(':')
        .next()
        .is_some_and(|code| code.ends_with("Error"))
    {
        return Err(format!("an error without a code: {text}"));
    }
    if done.is_empty() {
        if says(&["was accepted and takes effect"]) {
            return Err(format!("nothing was carried out, but: {text}"));
        }
        return Ok(());
    }
    let done: Vec<&String> = done.keys().collect();
    if says(DENIES) {
        return Err(format!("it denies what was carried out ({done:?}): {text}"));
    }
    if !says(ADMITS) {
        return Err(format!(
            "it does not say what was carried out ({done:?}): {text}"
        ));
    }
    Ok(())
}

fn success(case: &Case, answer: &Map<String, Value>, done: &Writes) -> Result<(), String> {
    let shown = || Value::Object(answer.clone()).to_string();
    if case.row.reads() {
        let healthy = case.row.answers.iter();
        let differences: Option<Vec<String>> = healthy.map(|one| difference(one, answer)).collect();
        return match differences.and_then(|all| all.into_iter().next()) {
            Some(_) if case.expect != Expect::Same && case.row.tool.name == RAW => Ok(()),
            Some(difference) if case.expect != Expect::Changed && !is_partial(answer) => Err(
                format!("it passes for whole, but {difference}: {}", shown()),
            ),
            Some(difference) if case.expect == Expect::Same => Err(format!(
                "it is not that of healthy clusters: {difference}: {}",
                shown()
            )),
            _ => Ok(()),
        };
    }
    // A plan, as nothing was confirmed, or an answer that says that there was nothing to do.
    if answer.contains_key("plan") || answer.contains_key("unchanged") {
        return match done.keys().next() {
            Some(write) => Err(format!("`{write}` was carried out, but: {}", shown())),
            None => Ok(()),
        };
    }
    let missing = case.row.writes.keys().map(|write| line(write));
    let there: BTreeSet<&str> = done.keys().map(|write| line(write)).collect();
    let missing: Vec<&str> = missing.filter(|write| !there.contains(write)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{missing:?} was not carried out, but: {}", shown()))
    }
}

/// A write without its parameters.
fn line(write: &str) -> &str {
    let end = write.find(" {").unwrap_or(write.len());
    write.get(..end).unwrap_or(write)
}

/// Only what the call is about may be written to.
fn strangers(row: &Row, done: &Writes) -> Result<(), String> {
    let meant = row::guests_written(&row.writes);
    let written = row::guests_written(done);
    match written.difference(&meant).next() {
        Some(vmid) => Err(format!("guest {vmid} was written to, which was not meant")),
        None => Ok(()),
    }
}

fn doubled(row: &Row, done: &Writes) -> Result<(), String> {
    let most = |write: &String| row.writes.get(write).copied().unwrap_or(1);
    match done.iter().find(|(write, times)| **times > most(write)) {
        Some((write, times)) => Err(format!("`{write}` was carried out {times} times")),
        None => Ok(()),
    }
}

/// Nothing is written once the call has been answered.
///
/// # Errors
/// What was written.
pub fn once(row: &Row, before: &[Seen], after: &[Seen]) -> Result<(), String> {
    if let Some(write) = row::executed(after).keys().next() {
        return Err(format!("`{write}` was carried out after the answer"));
    }
    doubled(row, &row::executed(before))
}

fn is_partial(value: &Map<String, Value>) -> bool {
    value.iter().any(|(key, value)| {
        let said = GAPS.contains(&key.as_str()) || value == UNKNOWN;
        let empty = match value {
            Value::Array(rows) => rows.is_empty(),
            Value::Null | Value::Bool(false) => true,
            _ => false,
        };
        (said && !empty) || below(value, is_partial)
    })
}

fn below(value: &Value, holds: fn(&Map<String, Value>) -> bool) -> bool {
    match value {
        Value::Object(map) => holds(map),
        Value::Array(rows) => rows.iter().any(|row| below(row, holds)),
        _ => false,
    }
}

/// The first thing in which an answer is not what it is where nothing is wrong.
fn difference(healthy: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    for (key, value) in healthy {
        let Some(other) = now.get(key) else {
            return Some(format!("`{key}` is missing"));
        };
        if VOLATILE.contains(&key.as_str()) {
            continue;
        }
        if let Some(difference) = unlike(key, value, other) {
            return Some(difference);
        }
    }
    None
}

fn unlike(key: &str, healthy: &Value, now: &Value) -> Option<String> {
    let differs = || Some(format!("`{key}` is {now} instead of {healthy}"));
    match (healthy, now) {
        (Value::Object(healthy), Value::Object(now)) => difference(healthy, now),
        (Value::Array(healthy), Value::Array(now)) if healthy.len() == now.len() => healthy
            .iter()
            .zip(now)
            .find_map(|(healthy, now)| unlike(key, healthy, now)),
        (Value::Number(healthy), Value::Number(now)) => {
            (STEADY.contains(&key) && healthy != now).then(differs)?
        }
        (Value::String(healthy), Value::String(now)) if timed(healthy) && timed(now) => None,
        _ if healthy == now => None,
        _ => differs(),
    }
}

/// Times, ages, and names that hold them.
fn timed(text: &str) -> bool {
    let is_date = |text: &str| {
        let bytes = text.as_bytes();
        bytes
            .windows(5)
            .any(|five| five[..4].iter().all(u8::is_ascii_digit) && matches!(five[4], b'-' | b'_'))
    };
    text.contains("UPID:")
        || is_date(text)
        || text.chars().next().is_some_and(|c| c.is_ascii_digit())
}

/// Whether an answer says that a cluster was not asked, and until when.
pub fn is_remembered(answer: &Answer) -> bool {
    let text = match answer {
        Answer::Success(answer) => Value::Object(answer.clone()).to_string(),
        Answer::Failure(text) => text.clone(),
    };
    REMEMBERS.iter().any(|words| text.contains(words))
}

/// Holds a search for all guests against what is there.
///
/// # Errors
/// What is missing.
pub fn whole(answer: &Answer, world: &World) -> Result<(), String> {
    let answer = match answer {
        Answer::Success(answer) => answer,
        Answer::Failure(text) => return Err(text.clone()),
    };
    let rows = answer.get("items").and_then(Value::as_array);
    let found = rows.into_iter().flatten().map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_string();
        (
            text("cluster"),
            row["vmid"].as_u64().unwrap_or_default(),
            text("name"),
        )
    });
    let found: BTreeSet<_> = found.collect();
    let there = world.clusters.iter().flat_map(|cluster| {
        let name = &cluster.spec.name;
        cluster.just_now(|state| {
            let guests = state.guests.values();
            let guests = guests.map(|guest| (name.clone(), u64::from(guest.vmid), guest.name()));
            guests.collect::<Vec<_>>()
        })
    });
    let there: BTreeSet<_> = there.collect();
    if found != there {
        let missing: Vec<_> = there.difference(&found).collect();
        let errors = answer.get("errors").cloned().unwrap_or_default();
        return Err(format!("{missing:?} of {ONE} are not found: {errors}"));
    }
    Ok(())
}
