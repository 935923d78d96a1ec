//! `task_list`: what runs now, what ran of late, and what the nodes' archives say.
//!
//! The cluster's own list is one request, but holds only the latest tasks of each node. Whatever
//! looks back further is read from each node, newest end first, and merged.

use std::cmp::Reverse;

use serde_json::{Map, Value};

use super::bearer::{self, VmidTurns};
use super::entry::Task;
use super::{no_such_node, word};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::{FleetReach, Reach};
use crate::proxmox::task::TaskStage;
use crate::room;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, LIMIT, ROW_BYTES, Row, SINCE};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::fleet::none_named;
use crate::wait;

const WORD_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const EXIT_MAX_CHARS: usize = 200;
const UPID_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const AT_ONCE_NOTE: &str =
    "what Proxmox does at once makes no task: settings, network cards, pools";
/// So many tasks are read of a node at most.
const ROWS_MAX: usize = 2000;
/// A node without permissions of its own inherits, as any other does.
const ANY_NODE: &str = "/nodes/any";

const COLUMNS: &[&str] = &[
    "cluster", "task", "state", "type", "id", "name", "node", "user", "start", "end", "exit",
];
const USUAL: &[&str] = &[
    "task", "state", "type", "id", "name", "user", "start", "end", "exit",
];

pub(super) const LIST: Tool = Tool {
    name: "task_list",
    title: "List tasks",
    about: "Lists tasks of a cluster or `all`, newest first: the latest, or those back to `since`. \
            `name` is that of the guest that has the VMID now.",
    actions: Actions::one(&[&[
        sending::get("/cluster/tasks"),
        sending::get("/nodes"),
        sending::get("/nodes/{node}/tasks"),
    ]]),
    subject: Subject::List,
    params: &[
        Param::new("running", ParamKind::Bool, "only those").optional(),
        Param::new("failed", ParamKind::Bool, "only those").optional(),
        SINCE,
        Param::new("guest", ParamKind::Guest, "VMID or name; its tasks only").optional(),
        Param::new("node", ParamKind::Word(Word::Node), "that ran them").optional(),
        Param::new("type", ParamKind::Word(Word::Id), "as `vzdump`, `qmstart`").optional(),
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

/// What is asked for.
struct TaskFilter<'a> {
    running: bool,
    failed: bool,
    since: Option<u64>,
    guest: Option<&'a str>,
    node: Option<&'a str>,
    kind: Option<&'a str>,
    /// How many rows the page and those before it take.
    rows: usize,
}

impl<'a> TaskFilter<'a> {
    fn read(args: &'a Args) -> Result<TaskFilter<'a>, Error> {
        let (start, limit) = rows::window(args)?;
        if start >= ROWS_MAX {
            return Err(Error::bad(format!(
                "`cursor` is beyond the {ROWS_MAX} tasks that are read of a node: narrow by `since` \
                 or the other filters"
            )));
        }
        let wanted = TaskFilter {
            running: args.yes("running"),
            failed: args.yes("failed"),
            since: args.moment("since"),
            guest: args.text("guest"),
            node: args.text("node"),
            kind: args.text("type"),
            rows: start.saturating_add(limit).min(ROWS_MAX),
        };
        if wanted.running && wanted.failed {
            return Err(Error::bad("`running` and `failed` rule each other out"));
        }
        Ok(wanted)
    }

    /// Whether the cluster's list of the latest tasks will do.
    fn is_recent(&self) -> bool {
        let past = self.failed || self.since.is_some() || self.guest.is_some();
        self.running || !(past || self.node.is_some() || self.kind.is_some())
    }

    fn fits(&self, task: &Task, vmid: Option<u32>) -> bool {
        let is_of = |vmid: u32| task.subject() == vmid.to_string();
        let is_since = |since: u64| task.end.is_none_or(|end| end >= since);
        (!self.running || task.state == TaskStage::Running)
            && (!self.failed || task.state == TaskStage::Failed)
            && self.kind.is_none_or(|kind| task.kind == kind)
            && self.node.is_none_or(|node| task.node == node)
            && self.since.is_none_or(is_since)
            && vmid.is_none_or(is_of)
    }
}

/// What one cluster said.
#[derive(Default)]
struct ListedTasks {
    tasks: Vec<Task>,
    turns: VmidTurns,
    /// How many there are beyond those that were read.
    more: usize,
    not_read: Vec<Value>,
    /// Why nothing of what was asked for can be there.
    nothing: Option<String>,
    hidden: bool,
}

impl ListedTasks {
    /// Takes of these rows what fits.
    fn add(&mut self, rows: &[Value], wanted: &TaskFilter, vmid: Option<u32>) {
        let before = self.tasks.len();
        for task in rows.iter().map(Task::read) {
            self.turns.note(&task);
            if wanted.fits(&task, vmid) {
                self.tasks.push(task);
            }
        }
        // Each becomes a row.
        room::note((self.tasks.len() - before) * ROW_BYTES);
    }

    fn name(&mut self, reach: &Reach) -> Result<(), Error> {
        if let Some(error) = bearer::name(reach, &mut self.tasks, &self.turns)? {
            let why = format!("{}: {error}", error.code.as_str());
            let row = Row::from([
                ("what", "names of guests".into()),
                ("why", printable(&why, EXIT_MAX_CHARS).into()),
            ]);
            self.not_read.push(Value::Object(row.into_object()));
        }
        Ok(())
    }
}

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    let wanted = TaskFilter::read(args)?;
    let answered = reach.ask(|reach| of_cluster(reach, &wanted))?;
    let several = reach.clusters().count() > 1;
    let nothing: Vec<&str> = answered
        .iter()
        .filter_map(|(_, listed)| listed.nothing.as_deref())
        .collect();
    if !nothing.is_empty() && nothing.len() == answered.len() {
        return Err(Error::bad(nothing.join("; ")));
    }
    let mut tasks: Vec<(&str, Task)> = Vec::new();
    let mut not_read = Vec::new();
    let mut more = 0;
    let mut hidden: Vec<&str> = Vec::new();
    for (cluster, listed) in answered {
        more += listed.more;
        hidden.extend(listed.hidden.then_some(cluster));
        tasks.extend(listed.tasks.into_iter().map(|task| (cluster, task)));
        for mut place in listed.not_read {
            if let Some(place) = place.as_object_mut().filter(|_| several) {
                place.insert("cluster".into(), cluster.into());
            }
            not_read.push(place);
        }
    }
    // What runs comes first; the rest as it ended, which is the order of the nodes' archives.
    tasks.sort_by_key(|(_, task)| Reverse((task.end.is_none(), task.end, task.start)));
    let rows = tasks.iter().map(|(cluster, task)| row(cluster, task));
    let total = tasks.len().saturating_add(more);
    let mut answer = rows::page_of(rows.collect(), total, COLUMNS, USUAL, args)?;
    if wanted.is_recent() && !wanted.running {
        answer.insert(
            "latest".into(),
            "only the latest tasks of each node; `since` looks back further".into(),
        );
    }
    // Whoever looks for what was done may look for what no task tells.
    if wanted.guest.is_some() || wanted.since.is_some() {
        answer.insert("note".into(), AT_ONCE_NOTE.into());
    }
    if !not_read.is_empty() {
        answer.insert("not_read".into(), not_read.into());
    }
    if !hidden.is_empty() {
        let hidden = hidden.join(", ");
        let why =
            format!("on {hidden} the token lacks `Sys.Audit` on `/nodes`: only its own tasks");
        answer.insert("hidden".into(), why.into());
    }
    Ok(answer)
}

fn of_cluster(reach: &Reach, wanted: &TaskFilter) -> Result<ListedTasks, Error> {
    let nothing = |why: String| ListedTasks {
        nothing: Some(format!("{}: {why}", reach.cluster_name())),
        ..ListedTasks::default()
    };
    let vmid = match wanted.guest {
        None => None,
        Some(guest) => match reach.vmid_of(guest)? {
            Some(vmid) => Some(vmid),
            None => return Ok(nothing(none_named(reach, guest)?)),
        },
    };
    let mut found = ListedTasks {
        hidden: !reach.permissions()?.holds(ANY_NODE, "Sys.Audit"),
        ..ListedTasks::default()
    };
    if wanted.is_recent() {
        let listed = reach.rows_at("/cluster/tasks", &[], "upid")?;
        found.add(&listed, wanted, vmid);
        found.name(reach)?;
        return Ok(found);
    }
    let nodes = reach.rows_at("/nodes", &[], "node")?;
    let nodes: Vec<(String, bool)> = nodes
        .iter()
        .map(|row| (text(row, "node"), text(row, "status") == "online"))
        .collect();
    let is_there = |node: &&str| nodes.iter().any(|(name, _)| name == node);
    if let Some(node) = wanted.node.filter(|node| !is_there(node)) {
        let there: Vec<&str> = nodes.iter().map(|(name, _)| name.as_str()).collect();
        return Ok(nothing(no_such_node(node, &there)));
    }
    for (node, online) in &nodes {
        if wanted.node.is_none_or(|wanted| wanted == node) {
            of_node(reach, node, *online, wanted, vmid, &mut found)?;
        }
    }
    found.name(reach)?;
    Ok(found)
}

/// Reads a node's archive; one that does not answer is named.
fn of_node(
    reach: &Reach,
    node: &str,
    online: bool,
    wanted: &TaskFilter,
    vmid: Option<u32>,
    found: &mut ListedTasks,
) -> Result<(), Error> {
    let values = [node];
    let mut request = Request::new(Verb::Get, "/nodes/{node}/tasks", &values)?
        .with("source", "all")
        .with("limit", wanted.rows);
    let filters = [
        ("errors", wanted.failed.then(|| true.into())),
        ("since", wanted.since.map(Value::from)),
        ("vmid", vmid.map(Value::from)),
        ("typefilter", wanted.kind.map(Value::from)),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            request = request.with(name, value);
        }
    }
    let mut silent = |why: String| {
        let row = Row::from([
            ("node", printable(node, WORD_MAX_CHARS).into()),
            ("why", printable(&why, EXIT_MAX_CHARS).into()),
        ]);
        found.not_read.push(Value::Object(row.into_object()));
    };
    if !online {
        silent("it is offline".into());
        return Ok(());
    }
    // A node that hangs must not silence the others.
    let reply = match wait::remaining() {
        Some(left) => wait::within(left / 2, || reach.send(&request)),
        None => reach.send(&request),
    };
    let read = reply.and_then(|reply| {
        let total = reply.total.and_then(|total| usize::try_from(total).ok());
        let rows = reach.rows_in(&request, reply, "upid")?;
        Ok((rows, total))
    });
    let (rows, total) = match read {
        Ok(read) => read,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            silent(format!("{}: {error}", error.code.as_str()));
            return Ok(());
        }
    };
    found.more += total.unwrap_or_default().saturating_sub(rows.len());
    found.add(&rows, wanted, vmid);
    Ok(())
}

fn text(row: &Value, key: &str) -> String {
    let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
    text.to_string()
}

fn row(cluster: &str, task: &Task) -> Row {
    let short = |text: &str| Value::from(printable(text, WORD_MAX_CHARS));
    let upid = printable(&task.upid, UPID_MAX_CHARS);
    // That it went well the state says.
    let exit = if task.state == TaskStage::Ok {
        ""
    } else {
        &task.exit
    };
    let mut row = Row::new();
    row.insert("cluster", cluster.into());
    row.insert("task", format!("{cluster}!{upid}").into());
    row.insert("state", word(task.state).into());
    row.insert("type", short(&task.kind));
    row.insert("id", short(&task.id));
    row.insert("name", task.name.as_deref().map(short).into());
    row.insert("node", short(&task.node));
    row.insert("user", short(&task.user));
    row.insert("start", time::iso(task.start).into());
    row.insert("end", task.end.map(time::iso).into());
    row.insert("exit", printable(exit, EXIT_MAX_CHARS).into());
    row
}
