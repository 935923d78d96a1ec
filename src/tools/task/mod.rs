//! Tasks: what runs and what ran, how one ended, stopping one.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fleet::quorum;
use super::guest::NAME_MAX_CHARS;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::api::upid::{self, Upid};
use crate::error::{Code, Error};
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::proxmox::task::{TaskSource, TaskStage, TaskState};
use crate::text::{printable, repeated};
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::step::{self, Step, StepResult};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

mod bearer;
mod entry;
mod list;

const LINES_DEFAULT: i64 = 20;
const LINES_MAX: i64 = 500;
const FORGOTTEN: &str = "a node forgets its tasks in time: task_list shows those that it knows";
const UNTOLD: &str = "the task was not told to stop";

const TASK: Param = Param::new(
    "task",
    ParamKind::Word(Word::Task),
    "`cluster!UPID:...` of an answer",
);

pub static TOOLS: &[Tool] = &[
    list::LIST,
    Tool {
        name: "task_get",
        title: "Show a task",
        about: "Shows a task: state, how it ended, the end of its log. `wait` waits for its end.",
        actions: Actions::one(&[&[sending::get("/nodes")]]),
        subject: Subject::Task,
        params: &[
            TASK,
            Param::new(
                "lines",
                ParamKind::Int(0, LINES_MAX),
                "of the log's end; else 20",
            )
            .optional(),
        ],
        answer: &[("task", "string"), ("state", "string")],
        task: true,
        plan: None,
        run: RunFn::Steps(get),
    },
    Tool {
        name: "task_stop",
        title: "Stop a task",
        about: "Stops a running task; what it has done stays.",
        actions: Actions::one(&[
            quorum::READS,
            &[
                sending::get("/nodes"),
                sending::delete("/nodes/{node}/tasks/{upid}"),
            ],
        ]),
        subject: Subject::Task,
        params: &[TASK],
        answer: &[("task", "string"), ("state", "string")],
        task: true,
        plan: None,
        run: RunFn::Steps(stop),
    },
];

fn upid_of(args: &Args) -> Result<Upid, Error> {
    let (_, upid) = upid::parse_qualified(args.need("task")?).map_err(Error::bad)?;
    Ok(upid)
}

/// What is known of a task. An error says more: what it means that a node does not know the task, or that
/// there is no such node.
///
/// # Errors
/// As [`Reach::look_at_task`].
fn known(
    reach: &Reach,
    upid: &Upid,
    source: TaskSource,
    state: Result<TaskState, Error>,
) -> Result<TaskState, Error> {
    let mut error = match state {
        Err(error) if error.code == Code::Proxmox => error,
        known => return known,
    };
    match error.status {
        Some(400) => error.hint = Some(FORGOTTEN.into()),
        // How Proxmox says it depends on what else bears the name.
        _ if source == TaskSource::Caller => {
            let nodes = match reach.rows_at("/nodes", &[], "node") {
                Ok(nodes) => nodes,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => return Err(error),
            };
            let names = nodes.iter().filter_map(|row| row.get("node")?.as_str());
            let names: Vec<&str> = names.collect();
            if !names.contains(&upid.node.as_str()) {
                return Err(Error::bad(format!(
                    "{}: nobody knows this task: {}{}",
                    reach.cluster_name(),
                    no_such_node(&upid.node, &names),
                    reach.elsewhere(NamedSubject::Node(&upid.node))?
                )));
            }
        }
        _ => {}
    }
    Err(error)
}

fn no_such_node(node: &str, there: &[&str]) -> String {
    let there = there.join(", ");
    format!("there is no node `{}`; there are: {there}", repeated(node))
}

/// What the task is and how far it has come, without its log.
fn about(upid: &Upid, state: &TaskState) -> Map<String, Value> {
    let short = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    let mut answer = Map::new();
    answer.insert("task".into(), state.task.clone().into());
    answer.insert("state".into(), word(state.state).into());
    if let Some(exit) = &state.exit {
        answer.insert("exit".into(), exit.clone().into());
    }
    if let Some(unseen) = &state.unseen {
        answer.insert("unseen".into(), unseen.clone().into());
    }
    answer.insert("type".into(), short(&upid.kind));
    if !upid.id.is_empty() {
        answer.insert("id".into(), short(&upid.id));
    }
    answer.insert("node".into(), short(&upid.node));
    answer.insert("user".into(), short(&upid.user));
    answer.insert("start".into(), time::iso(upid.started).into());
    answer
}

/// A task's state in a word.
fn word(state: TaskStage) -> &'static str {
    match state {
        TaskStage::Running => "running",
        TaskStage::Ok => "ok",
        TaskStage::Warnings => "warnings",
        TaskStage::Failed => "failed",
    }
}

fn get(reach: &Reach, args: &Args) -> StepResult {
    let upid = upid_of(args)?;
    let wait = Duration::from_secs(reach.wait_s());
    step::watch(
        upid.clone(),
        TaskSource::Caller,
        wait,
        move |reach, args, state| {
            let state = known(reach, &upid, TaskSource::Caller, state)?;
            shown(reach, args, &upid, &state).map(Step::Done)
        },
    )
}

fn shown(reach: &Reach, args: &Args, upid: &Upid, state: &TaskState) -> HandlerResult {
    let mut answer = about(upid, state);
    let lines = u64::try_from(args.int("lines").unwrap_or(LINES_DEFAULT)).unwrap_or_default();
    if lines > 0 {
        let log = match reach.log_tail(upid, lines) {
            Ok(log) => log,
            Err(error) if error.is_cancelled() => return Err(error),
            // How it ended is known, and must not be lost for its log.
            Err(error) => {
                answer.insert("log_unread".into(), error.to_string().into());
                return Ok(answer);
            }
        };
        let log = Map::from_iter([("log".to_string(), log.into())]);
        answer.insert("untrusted_text".into(), Value::Object(log));
    }
    Ok(answer)
}

/// The error of a look before the order.
fn untold(mut error: Error) -> Error {
    if error.code == Code::Proxmox {
        error.hint = Some(match &error.hint {
            Some(hint) => format!("{UNTOLD}; {hint}"),
            None => UNTOLD.into(),
        });
    }
    error
}

/// The order is taken for a task that has ended as well, and answered in the same way: so it is
/// looked at before and after, and one that was not seen is not told to stop.
fn stop(reach: &Reach, args: &Args) -> StepResult {
    let upid = upid_of(args)?;
    let before = known(reach, &upid, TaskSource::Caller, reach.task_now(&upid)).map_err(untold)?;
    if before.state != TaskStage::Running {
        let mut answer = about(&upid, &before);
        answer.insert(
            "unchanged".into(),
            "it had ended already; nothing was sent".into(),
        );
        return Ok(answer.into());
    }
    if let Some(work) = locking(&upid.kind) {
        quorum::held(reach, &format!("the stop of a {work}"))?;
    }
    let values = [upid.node.as_str(), upid.as_str()];
    let request = Request::new(Verb::Delete, "/nodes/{node}/tasks/{upid}", &values)?;
    reach.send(&request)?;
    let wait = Duration::from_secs(reach.wait_s());
    step::watch(
        upid.clone(),
        TaskSource::Cluster,
        wait,
        move |reach, _, state| {
            let after = known(reach, &upid, TaskSource::Cluster, state)?;
            Ok(stopped(&upid, &after).into())
        },
    )
}

/// What a task of this type does, where it sets a lock on its guest and takes it away at its end: stopped
/// without quorum it would leave the lock.
fn locking(kind: &str) -> Option<&'static str> {
    match kind {
        "vzdump" => Some("backup"),
        "qmsnapshot" | "vzsnapshot" => Some("snapshot"),
        "qmdelsnapshot" | "vzdelsnapshot" => Some("snapshot's deletion"),
        "qmrollback" | "vzrollback" => Some("rollback"),
        "qmigrate" | "vzmigrate" => Some("migration"),
        "qmclone" | "vzclone" => Some("clone"),
        "qmcreate" | "vzcreate" => Some("creation"),
        "qmrestore" | "vzrestore" => Some("restore"),
        _ => None,
    }
}

/// How a task ended that was told to.
fn stopped(upid: &Upid, after: &TaskState) -> Map<String, Value> {
    let mut answer = about(upid, after);
    let outcome = match after.state {
        TaskStage::Running => "it was told to stop, and still runs: look again with task_get",
        TaskStage::Ok | TaskStage::Warnings => "it came to its own end before it could be stopped",
        TaskStage::Failed => "it was stopped: a lock or half of its work may be left behind",
    };
    answer.insert("outcome".into(), outcome.into());
    answer
}
