//! Tasks: lists, status, log, interruption.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, flag, given, list, number, text};
use super::super::gate::Call;
use super::super::state::State;
use super::super::task::Task;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/cluster/tasks", cluster),
    ("GET", "/nodes/{node}/tasks", node),
    ("GET", "/nodes/{node}/tasks/{upid}", |call| {
        find(call)?;
        Ok(json!([{"name": "log"}, {"name": "status"}]))
    }),
    ("DELETE", "/nodes/{node}/tasks/{upid}", stop),
    ("GET", "/nodes/{node}/tasks/{upid}/status", status),
    ("GET", "/nodes/{node}/tasks/{upid}/log", log),
];

const CLUSTER_ROWS_MAX: usize = 25;
const ROWS: i64 = 50;

/// What list and status have in common.
fn row(task: &Task) -> Map<String, Value> {
    let all = json!({
        "upid": task.upid, "node": task.node, "type": task.kind, "id": task.id, "user": task.who.user, "pid": task.pid,
        "pstart": task.pstart, "starttime": task.start,
    });
    let mut all = all.as_object().cloned().unwrap_or_default();
    if let Some(token) = &task.who.token {
        all.insert("tokenid".into(), token.clone().into());
    }
    all
}

impl State {
    fn sees(&self, call_who: &super::super::rights::Who, task: &Task) -> bool {
        task.who.id() == call_who.id()
            || self.may(call_who, &format!("/nodes/{}", task.node), &["Sys.Audit"])
    }
}

/// Newest first; `saved` is a string; running rows have no status, finished ones no pid.
fn cluster(call: &mut Call) -> Answer {
    let state = &*call.state;
    let mut seen: Vec<&Task> = state
        .tasks
        .iter()
        .filter(|task| state.sees(&call.who, task))
        .collect();
    seen.sort_by_key(|task| (task.end.is_some(), -task.start));
    let rows = seen.into_iter().take(CLUSTER_ROWS_MAX).map(|task| {
        let mut row = row(task);
        row.remove("pstart");
        row.insert(
            "saved".into(),
            if task.end.is_some() { "1" } else { "0" }.into(),
        );
        if let Some(end) = task.end {
            row.remove("pid");
            row.insert("endtime".into(), end.into());
            row.insert(
                "status".into(),
                task.exit.clone().unwrap_or_default().into(),
            );
        }
        Value::Object(row)
    });
    Ok(rows.collect())
}

fn node(call: &mut Call) -> Answer {
    let (state, params) = (&*call.state, &call.params);
    let source = given(params, "source").unwrap_or("archive".into());
    let wanted = |task: &&Task| -> bool {
        let exit = task.exit.as_deref().unwrap_or_default();
        let class = if exit == "OK" {
            "ok"
        } else if exit.starts_with("WARNINGS") {
            "warning"
        } else if exit == "unexpected status" {
            "unknown"
        } else {
            "error"
        };
        let ended = task.end.is_some();
        let is = |name: &str, fits: &dyn Fn(&str) -> bool| {
            given(params, name).is_none_or(|value| fits(&value))
        };
        (match source.as_str() {
            "active" => !ended,
            "archive" => ended,
            _ => true,
        }) && is("errors", &|value| {
            value != "1" || (class == "error" || class == "unknown")
        }) && is("vmid", &|vmid| task.id == vmid)
            && is("typefilter", &|kind| task.kind == kind)
            && is("userfilter", &|part| task.who.id().contains(part))
            && is("statusfilter", &|states| {
                list(states).iter().any(|state| state == class)
            })
            && is("since", &|since| task.start >= since.parse().unwrap_or(0))
            && is("until", &|until| {
                task.start <= until.parse().unwrap_or(i64::MAX)
            })
    };
    let mut seen: Vec<&Task> = state
        .tasks
        .iter()
        .filter(|task| task.node == call.node && state.sees(&call.who, task))
        .filter(wanted)
        .collect();
    seen.reverse();
    seen.sort_by_key(|task| task.end.is_some());
    let total = seen.len();
    let (start, limit) = (
        number(params, "start").unwrap_or(0),
        number(params, "limit").unwrap_or(ROWS),
    );
    // None for 0, unlike the lines of a log.
    let limit = usize::try_from(limit).unwrap_or(0);
    let rows = seen
        .into_iter()
        .skip(start as usize)
        .take(limit)
        .map(|task| {
            let mut row = row(task);
            match task.end {
                Some(end) => {
                    row.insert("endtime".into(), end.into());
                    row.insert(
                        "status".into(),
                        task.exit.clone().unwrap_or_default().into(),
                    );
                }
                None => {
                    row.remove("tokenid");
                    row.insert("user".into(), task.who.id().into());
                    row.insert("status".into(), "RUNNING".into());
                    row.insert("saved".into(), "0".into());
                }
            }
            Value::Object(row)
        });
    let rows: Vec<Value> = rows.collect();
    if total > 0 {
        call.beside.insert("total".into(), total.into());
    }
    Ok(rows.into())
}

fn find<'a>(call: &'a Call) -> Result<&'a Task, Refusal> {
    let upid = text(&call.params, "upid");
    let parts: Vec<&str> = upid.split(':').collect();
    if parts.len() != 9 || parts[0] != "UPID" {
        return Err(Refusal::param("upid", "unable to parse worker upid"));
    }
    let found = call
        .state
        .tasks
        .iter()
        .find(|task| task.upid == upid && task.node == call.node);
    found.ok_or_else(|| Refusal::param("upid", "no such task"))
}

fn readable<'a>(call: &'a Call) -> Result<&'a Task, Refusal> {
    let task = find(call)?;
    if task.who.id() != call.who.id() {
        call.state
            .need(&call.who, &format!("/nodes/{}", call.node), &["Sys.Audit"])?;
    }
    Ok(task)
}

fn status(call: &mut Call) -> Answer {
    let task = readable(call)?;
    let mut all = row(task);
    match &task.exit {
        Some(exit) => {
            all.insert("status".into(), "stopped".into());
            all.insert("exitstatus".into(), exit.clone().into());
        }
        None => {
            all.insert("status".into(), "running".into());
        }
    }
    Ok(all.into())
}

fn log(call: &mut Call) -> Answer {
    let lines = readable(call)?.log.clone();
    if flag(&call.params, "download") {
        call.beside
            .insert("download".into(), (lines.join("\n") + "\n").into());
        return NULL;
    }
    let (start, limit) = (
        number(&call.params, "start").unwrap_or(0) as usize,
        number(&call.params, "limit").unwrap_or(ROWS),
    );
    let limit = if limit == 0 {
        usize::MAX
    } else {
        limit as usize
    };
    if lines.is_empty() {
        call.beside.insert("total".into(), 1.into());
        return Ok(json!([{"n": 1, "t": "no content"}]));
    }
    call.beside.insert("total".into(), lines.len().into());
    let rows = lines
        .iter()
        .enumerate()
        .skip(start)
        .take(limit)
        .map(|(i, line)| json!({"n": i + 1, "t": line}));
    Ok(rows.collect())
}

fn stop(call: &mut Call) -> Answer {
    let task = find(call)?;
    let upid = task.upid.clone();
    if task.who.id() != call.who.id() {
        call.state
            .need(&call.who, &format!("/nodes/{}", call.node), &["Sys.Modify"])?;
    }
    call.state.interrupt(&upid);
    NULL
}
