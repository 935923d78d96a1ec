//! `cluster_log`: who did what on a cluster, by its own log. What Proxmox does at once, as settings, makes no
//! task and stands here alone.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::loose::{number, plain};
use crate::api::methods::permissions::{PrivilegeOn, SEES_LOGS};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::api::upid::Upid;
use crate::error::Error;
use crate::gate::reach::{FleetReach, Reach};
use crate::room;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, ROW_BYTES, Row, SINCE};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::fleet::{VisibilityGaps, none_named};

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const UPID_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const MESSAGE_MAX_CHARS: usize = 500;
const EXIT_MAX_CHARS: usize = 200;
const OK: &str = "OK";
const USER_MAX_CHARS: usize = 200;
/// The log is a ring of some thousand entries.
const ENTRIES_MAX: u64 = 10_000;
/// The syslog's number for a warning; what is worse has a smaller one.
const WARNING: u64 = 4;
/// Behind which words a log names a guest by its VMID.
const BEFORE_VMID: &[&str] = &["VM", "CT", "vm", "ct", "container", "guest"];

const COLUMNS: &[&str] = &[
    "cluster",
    "time",
    "user",
    "node",
    "type",
    "id",
    "state",
    "exit",
    "task",
    "severity",
    "untrusted_text",
];
/// What is shown of several clusters; of one all but the first.
const USUAL: &[&str] = &[
    "cluster",
    "time",
    "user",
    "node",
    "type",
    "id",
    "state",
    "exit",
    "severity",
    "untrusted_text",
];

pub(super) const LOG: Tool = Tool {
    name: "cluster_log",
    title: "Read a cluster's log",
    about: "Lists who did what on a cluster or `all`, newest first: tasks, and also what makes none, as settings, \
            network cards, logins. It reaches back some thousand entries; `task_list` reaches further.",
    actions: Actions::one(&[&[sending::get("/cluster/log")]]),
    subject: Subject::List,
    params: &[
        SINCE,
        Param::new(
            "user",
            ParamKind::Text(USER_MAX_CHARS),
            "`root@pam`, with its tokens; `ci@pve!deploy`",
        )
        .optional(),
        Param::new(
            "guest",
            ParamKind::Guest,
            "VMID or name; what names it only",
        )
        .optional(),
        Param::new("node", ParamKind::Word(Word::Node), "that logged it").optional(),
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

/// What is asked for.
struct LogFilter<'a> {
    since: Option<u64>,
    user: Option<&'a str>,
    guest: Option<&'a str>,
    node: Option<&'a str>,
}

/// What one cluster said.
#[derive(Default)]
struct LoggedEntries {
    rows: Vec<(u64, Row)>,
    /// When the oldest entry that was read was written, where the log may not reach back as far as asked.
    begins: Option<u64>,
    /// Why nothing of what was asked for can be there.
    nothing: Option<String>,
    unseen: Vec<String>,
}

fn list(reach: &FleetReach, args: &Args) -> HandlerResult {
    rows::check(args, COLUMNS)?;
    let filter = LogFilter {
        since: args.moment("since"),
        user: args.text("user"),
        guest: args.text("guest"),
        node: args.text("node"),
    };
    let answered = reach.ask(|reach| of_cluster(reach, &filter))?;
    let nothing = answered
        .iter()
        .filter_map(|(_, read)| read.nothing.as_deref());
    let nothing: Vec<&str> = nothing.collect();
    if !nothing.is_empty() && nothing.len() == answered.len() {
        return Err(Error::bad(nothing.join("; ")));
    }
    let (mut all, mut begins, mut gaps) = (Vec::new(), Vec::new(), VisibilityGaps::default());
    for (cluster, read) in answered {
        all.extend(read.rows);
        gaps.add(cluster, read.unseen);
        if let Some(at) = read.begins {
            begins.push(json!({"cluster": cluster, "begins": time::iso(at)}));
        }
    }
    all.sort_by_key(|(at, _)| Reverse(*at));
    let rows = all.into_iter().map(|(_, row)| row).collect();
    let is_several = reach.clusters().count() > 1;
    let usual = USUAL.get(usize::from(!is_several)..).unwrap_or_default();
    let mut answer = rows::page(rows, COLUMNS, usual, args)?;
    if !begins.is_empty() {
        answer.insert("begins_later".into(), begins.into());
    }
    gaps.name_in(&mut answer);
    Ok(answer)
}

fn of_cluster(reach: &Reach, filter: &LogFilter) -> Result<LoggedEntries, Error> {
    let vmid = match filter.guest {
        None => None,
        Some(guest) => match reach.vmid_of(guest)? {
            Some(vmid) => Some(vmid),
            None => {
                let why = none_named(reach, guest)?;
                return Ok(LoggedEntries {
                    nothing: Some(format!("{}: {why}", reach.cluster_name())),
                    ..LoggedEntries::default()
                });
            }
        },
    };
    let request = Request::new(Verb::Get, "/cluster/log", &[])?.with("max", ENTRIES_MAX);
    let entries = reach.rows(&request, "msg")?;
    let ended: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| match Message::read(&text(entry, "msg")) {
            Message::Task(upid, Some(_)) => Some(upid.as_str().to_owned()),
            _ => None,
        })
        .collect();
    room::note(ended.len() * rows::NAME_BYTES);
    let mut read = LoggedEntries {
        unseen: unseen(reach)?,
        ..LoggedEntries::default()
    };
    let oldest = entries.iter().map(|entry| number(entry.get("time"))).min();
    read.begins = oldest.filter(|oldest| filter.since.is_some_and(|since| since < *oldest));
    for entry in entries.iter() {
        let said = text(entry, "msg");
        let message = Message::read(&said);
        // That it began stands in the entry of its end as well.
        let is_told =
            matches!(&message, Message::Task(upid, None) if ended.contains(upid.as_str()));
        if !is_told && filter.fits(entry, &message, vmid) {
            room::note(ROW_BYTES);
            let row = row(reach.cluster_name(), entry, &message);
            read.rows.push((number(entry.get("time")), row));
        }
    }
    Ok(read)
}

/// Whose entries the token does not see.
fn unseen(reach: &Reach) -> Result<Vec<String>, Error> {
    let PrivilegeOn { path, privilege } = SEES_LOGS;
    Ok(if reach.permissions()?.holds(path, privilege) {
        Vec::new()
    } else {
        vec![format!("entries of others (`{privilege}` on `{path}`)")]
    })
}

impl LogFilter<'_> {
    fn fits(&self, entry: &Value, message: &Message, vmid: Option<u32>) -> bool {
        let is_by = |user: &str| {
            let by = text(entry, "user");
            by == user || by.split_once('!').is_some_and(|(of, _)| of == user)
        };
        self.since
            .is_none_or(|since| number(entry.get("time")) >= since)
            && self.node.is_none_or(|node| text(entry, "node") == node)
            && self.user.is_none_or(is_by)
            && vmid.is_none_or(|vmid| message.names(vmid))
    }
}

/// What an entry tells.
enum Message<'a> {
    /// A task began, or ended so.
    Task(Upid, Option<&'a str>),
    Other(&'a str),
}

impl<'a> Message<'a> {
    /// `starting task UPID:...:`, `end task UPID:...: OK`, or anything else.
    fn read(message: &'a str) -> Message<'a> {
        let ended = message.strip_prefix("end task ");
        let ended = ended.map(|rest| rest.split_once(' ').unwrap_or((rest, "")));
        let started = message.strip_prefix("starting task ");
        let task = match (ended, started) {
            (Some((upid, exit)), _) => Some((upid, Some(exit))),
            (None, Some(upid)) => Some((upid.trim_end(), None)),
            (None, None) => None,
        };
        match task.map(|(upid, exit)| (Upid::parse(upid), exit)) {
            Some((Ok(upid), exit)) => Message::Task(upid, exit),
            _ => Message::Other(message),
        }
    }

    /// Whether it is about this guest.
    fn names(&self, vmid: u32) -> bool {
        let vmid = vmid.to_string();
        match self {
            // A volume's task has `100@local`.
            Message::Task(upid, _) => upid.id.split('@').next() == Some(&vmid),
            Message::Other(message) => {
                let words = message.split([' ', ':']).filter(|word| !word.is_empty());
                let words: Vec<&str> = words.collect();
                let names =
                    |before: &&str, word: &&str| BEFORE_VMID.contains(before) && **word == vmid;
                words
                    .windows(2)
                    .any(|pair| matches!(pair, [before, word] if names(before, word)))
            }
        }
    }
}

fn text(entry: &Value, key: &str) -> String {
    entry.get(key).map(plain).unwrap_or_default()
}

fn row(cluster: &str, entry: &Value, message: &Message) -> Row {
    let name = |text: &str| Value::from(printable(text, NAME_MAX_CHARS));
    let severity = match number(entry.get("pri")) {
        WARNING => "warning",
        severity if (1..WARNING).contains(&severity) => "error",
        _ => "",
    };
    let mut row = Row::from([
        ("cluster", cluster.into()),
        ("time", time::iso(number(entry.get("time"))).into()),
        ("user", name(&text(entry, "user"))),
        ("node", name(&text(entry, "node"))),
        ("severity", severity.into()),
    ]);
    match message {
        Message::Task(upid, exit) => {
            let task = printable(upid.as_str(), UPID_MAX_CHARS);
            row.insert("task", format!("{cluster}!{task}").into());
            row.insert("type", name(&upid.kind));
            row.insert("id", name(&upid.id));
            row.insert("state", exit.map_or("started", state_of).into());
            let exit = exit.filter(|exit| *exit != OK).unwrap_or_default();
            row.insert("exit", printable(exit, EXIT_MAX_CHARS).into());
        }
        Message::Other(said) => {
            row.insert("untrusted_text", printable(said, MESSAGE_MAX_CHARS).into());
        }
    }
    row
}

/// Whether a task that ended so went well, in the words of `task_list`.
fn state_of(exit: &str) -> &'static str {
    match exit {
        OK => "ok",
        warned if warned.starts_with("WARNINGS: ") => "warnings",
        _ => "failed",
    }
}
