//! What became of a write whose answer did not come. It is never repeated: its task is looked for by
//! since when, what for and whose token; where there is none, the object that it is about.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{AFTERMATH_S, ClusterClient};
use super::holder;
use super::task;
use crate::api::loose::plain;
use crate::api::methods;
use crate::api::request::{Request, Verb};
use crate::api::upid::Upid;
use crate::error::{Code, Error, Happened};
use crate::text::printable;
use crate::wait::{self, Wake};

/// Between looks, in milliseconds: a task may begin a little later than its request was cut off.
const PAUSES_MS: [u64; 2] = [500, 1000];
/// How far the clocks of one cluster's nodes may be apart, in seconds.
const CLOCK_SLACK_S: u64 = 2;
/// So many of a node's newest tasks are looked at.
const TASKS_MAX: u64 = 50;
const EXIT_MAX_CHARS: usize = 200;
/// Parameters that are no property of the object.
const ABOUT_THE_REQUEST: [&str; 4] = ["digest", "delete", "skiplock", "background_delay"];
const PROPERTIES_SHOWN: usize = 10;

/// What a look brought.
struct Observation {
    sentence: String,
    /// What to do now; `None` where nothing was seen, which proves nothing.
    hint: Option<&'static str>,
}

const FOLLOW: &str = "it was begun: look at that task instead of repeating the call";
const ENDED: &str = "the task has ended: there is nothing left to stop";
const DONE: &str = "it took effect: do not repeat it";

/// The error of a write, with what is seen of it afterwards, or with who held what it was for; any
/// other error as it is. `begun` is when the write was sent.
pub fn investigate(
    mut error: Error,
    client: &ClusterClient,
    request: &Request,
    begun: Instant,
) -> Error {
    if error.is_cancelled() || wait::listen(Duration::ZERO) != Wake::Nothing {
        return error;
    }
    if error.happened != Happened::Unknown {
        return holder::with_holder(error, &|request| client.send(request), request);
    }
    let look = || look(client, request, begun);
    match wait::within(Duration::from_secs(AFTERMATH_S), look) {
        Err(cancelled) if cancelled.is_cancelled() => return cancelled,
        Err(cause) => error.seen = Some(format!("it could not be looked at: {}", why(&cause))),
        Ok(seen) => {
            error.seen = Some(seen.sentence);
            error.hint = seen.hint.map(str::to_string).or(error.hint.take());
        }
    }
    error
}

/// Why it could not be looked at, without saying of the look what must not be taken for the write.
fn why(error: &Error) -> String {
    match error.code {
        Code::ClusterConnection => error.cause.clone(),
        _ => error.to_string(),
    }
}

fn look(client: &ClusterClient, request: &Request, begun: Instant) -> Result<Observation, Error> {
    let mut pauses = PAUSES_MS.into_iter();
    loop {
        let looked = once(client, request, begun);
        let pause = match (&looked, pauses.next()) {
            (Ok(Observation { hint: None, .. }), Some(pause)) => Duration::from_millis(pause),
            _ => return looked,
        };
        if wait::remaining().is_some_and(|left| left <= pause) {
            return looked;
        }
        match wait::sleep(pause) {
            Wake::Nothing => {}
            Wake::Cancelled => return Err(Error::cancelled()),
            Wake::Closed => return looked,
        }
    }
}

fn once(client: &ClusterClient, request: &Request, begun: Instant) -> Result<Observation, Error> {
    if let ["nodes", _, "tasks", upid] = parts(request)[..] {
        return stopped(client, upid);
    }
    let task = started(client, request, begun)?;
    let object = object(client, request)?;
    let made = object.filter(|object| object.hint.is_some() || task.is_none());
    Ok(match (task, made) {
        (Some(task), Some(object)) => Observation {
            sentence: format!("{}; {}", task.sentence, object.sentence),
            ..task
        },
        (Some(task), None) => task,
        (None, Some(object)) => object,
        (None, None) => Observation {
            sentence: "nothing of it is seen so far".into(),
            hint: None,
        },
    })
}

/// The task that the request started, where a node is named on which it would run.
fn started(
    client: &ClusterClient,
    request: &Request,
    begun: Instant,
) -> Result<Option<Observation>, Error> {
    let ["nodes", node, ..] = parts(request)[..] else {
        return Ok(None);
    };
    let list = Request::new(Verb::Get, "/nodes/{node}/tasks", &[node])?
        .with("source", "all")
        .with("limit", TASKS_MAX);
    let reply = client.send(&list)?;
    let Some(now) = client.their_time() else {
        return Ok(None);
    };
    let since = now
        .saturating_sub(begun.elapsed().as_secs())
        .saturating_sub(CLOCK_SLACK_S);
    let ids = ids(request);
    let task = methods::of(request).map_or("", |row| row.task);
    let rows = reply.data.as_array().map(Vec::as_slice).unwrap_or_default();
    let found = rows.iter().find_map(|row| {
        let upid = Upid::parse(row.get("upid")?.as_str()?).ok()?;
        let ours = upid.user == client.settings().token_id && upid.started >= since;
        let fits = ids.is_empty() || upid.id.is_empty() || ids.contains(&upid.id);
        let ours = ours && fits && upid.kind.contains(task) && !client.knows_task(&upid);
        ours.then_some((row, upid))
    });
    Ok(found.map(|(row, upid)| {
        client.remember_task(upid.as_str());
        let text = |key: &str| row.get(key).and_then(Value::as_str);
        let state = match text("status") {
            None | Some("RUNNING" | "") => "runs".to_string(),
            Some(exit) => format!("ended with `{}`", printable(exit, EXIT_MAX_CHARS)),
        };
        let about = match upid.id.as_str() {
            "" => upid.kind.clone(),
            id => format!("{} of {id}", upid.kind),
        };
        let sentence = format!(
            "task `{}` ({}) was started by this token {} s ago and {state}",
            upid.of(&client.settings().cluster),
            printable(&about, EXIT_MAX_CHARS),
            now.saturating_sub(upid.started)
        );
        Observation {
            sentence,
            hint: Some(FOLLOW),
        }
    }))
}

/// What became of a task that was to be stopped.
fn stopped(client: &ClusterClient, upid: &str) -> Result<Observation, Error> {
    let cluster = &client.settings().cluster;
    let upid = Upid::parse(upid).map_err(Error::internal)?;
    let state = task::look(&|request: &Request| client.send(request), cluster, &upid)?;
    Ok(match state.exit {
        Some(exit) => Observation {
            sentence: format!("the task has ended with `{exit}`"),
            hint: Some(ENDED),
        },
        None => Observation {
            sentence: "the task still runs".into(),
            hint: None,
        },
    })
}

fn parts(request: &Request) -> Vec<&str> {
    request.path.iter().map(String::as_str).collect()
}

/// The guests that the request names, as the ids of its tasks have them.
fn ids(request: &Request) -> BTreeSet<String> {
    let in_path = match parts(request)[..] {
        ["nodes", _, "qemu" | "lxc", vmid, ..] => Some(vmid.to_string()),
        _ => None,
    };
    let given = ["vmid", "newid"].into_iter();
    let given = given.filter_map(|name| request.params.get(name).map(plain));
    in_path.into_iter().chain(given).collect()
}

/// The object that the request is about, where it can be read and what is seen says something.
fn object(client: &ClusterClient, request: &Request) -> Result<Option<Observation>, Error> {
    let pool = pool(request);
    let path = match &pool {
        Some(_) => Some(vec!["pools".to_string()]),
        None => place(request),
    };
    let Some(path) = path else {
        return Ok(None);
    };
    let mut read = Request {
        verb: Verb::Get,
        path,
        params: serde_json::Map::new(),
    };
    let mut there = read.path_text();
    if let Some(pool) = pool {
        there = format!("{there}/{pool}");
        read = read.with("poolid", pool);
    }
    let data = match client.send(&read) {
        // A pool that is asked for so is a list of one.
        Ok(reply) => match reply.data.let_go() {
            Value::Array(rows) if read.params.contains_key("poolid") => rows.into_iter().next(),
            data => Some(data),
        },
        // Not found is 500 nearly everywhere, 400 and 404 in places.
        Err(error) if matches!(error.status, Some(400 | 404 | 500)) => None,
        Err(error) => return Err(error),
    };
    let is_done = |done: bool, sentence: String| {
        Some(Observation {
            sentence,
            hint: done.then_some(DONE),
        })
    };
    Ok(match (request.verb, data) {
        (Verb::Delete, None) => is_done(true, format!("`{there}` is gone")),
        (Verb::Delete, Some(_)) => is_done(false, format!("`{there}` is still there")),
        (_, None) => is_done(false, format!("`{there}` cannot be read, or is not there")),
        (Verb::Post, Some(_)) if !is_change(request) => {
            let what = match request.params.get("vmid") {
                Some(vmid) => format!("guest {}", plain(vmid)),
                None => format!("`{there}`"),
            };
            is_done(true, format!("{what} exists now"))
        }
        (_, Some(data)) => compared(request, &data, &there),
    })
}

/// The pool that the request is about: it is asked for in a parameter, as one within another has a
/// slash in its name, which no path takes (measured on 9.2).
fn pool(request: &Request) -> Option<String> {
    match parts(request)[..] {
        ["pools"] => request.params.get("poolid").map(plain),
        ["pools", pool] => Some(pool.to_string()),
        _ => None,
    }
}

/// Whether it changes what stands at its own path.
fn is_change(request: &Request) -> bool {
    request.verb == Verb::Put || request.path.last().is_some_and(|last| last == "config")
}

/// Where the object can be read. What a task does is seen by the task, except that a guest is there.
fn place(request: &Request) -> Option<Vec<String>> {
    let parts = parts(request);
    let path = request.path.iter().cloned();
    let made = || request.params.get(methods::of(request)?.makes?).map(plain);
    match (request.verb, parts.as_slice()) {
        _ if is_change(request) => Some(path.collect()),
        (Verb::Post, ["nodes", _, "qemu" | "lxc"]) => {
            Some(path.chain([made()?, "config".to_string()]).collect())
        }
        (Verb::Delete, ["nodes", ..]) => None,
        (Verb::Delete, _) => Some(path.collect()),
        (Verb::Post, _) => Some(path.chain([made()?]).collect()),
        _ => None,
    }
}

/// Whether the object reads as it was sent.
fn compared(request: &Request, data: &Value, there: &str) -> Option<Observation> {
    let data = data.as_object()?;
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (name, value) in &request.params {
        if ABOUT_THE_REQUEST.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        let is_same = data.get(name).is_some_and(|now| plain(now) == plain(value));
        if is_same { &mut same } else { &mut other }.push(name.as_str());
    }
    let removed = request.params.get("delete").map(plain).unwrap_or_default();
    for name in removed.split([',', ' ']).filter(|name| !name.is_empty()) {
        let is_gone = !data.contains_key(name);
        if is_gone { &mut same } else { &mut other }.push(name);
    }
    other.truncate(PROPERTIES_SHOWN);
    let listed = printable(&other.join("`, `"), EXIT_MAX_CHARS);
    let (sentence, hint) = match (same.is_empty(), other.is_empty()) {
        (true, true) => return None,
        (false, true) => (format!("`{there}` reads as it was sent"), Some(DONE)),
        (true, false) => (
            format!("nothing of what was sent is in `{there}` so far"),
            None,
        ),
        (false, false) => (
            format!("`{there}` reads as it was sent, except `{listed}`"),
            None,
        ),
    };
    Some(Observation { sentence, hint })
}
