//! `guest_get`: one guest, with what `include` asks for.

use serde_json::{Map, Value, json};

use super::change;
use super::{GUEST, addresses, answer_for, encoded};
use crate::api::loose::{flag, fraction, number};
use crate::api::methods::sending;
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{gib, mib, says_something};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::backup::archives;
use crate::tools::backup::archives::Archive;
use crate::tools::backup::of_guest::Backups;
use crate::tools::snapshot::tree::{self, Snapshots};
use crate::tools::state;
use crate::tools::{disks, plan};

/// The longest value of an option that is shown, in characters.
const VALUE_MAX_CHARS: usize = 500;
/// The longest line of a value that has several.
const LINE_MAX_CHARS: usize = 8192;
/// The longest notes that are shown, in characters.
const NOTES_MAX_CHARS: usize = 4000;
/// So many of each are shown; of more, the number and the tool that lists them.
const SNAPSHOTS_SHOWN_MAX: usize = 20;
const BACKUPS_SHOWN_MAX: usize = 10;
/// Where a guest's state is read.
const CURRENT: &str = "/status/current";
/// The parts that show all disks.
const DISKS_IN: &[&str] = &["config", "disks"];
/// The option that holds the notes, a stranger's text.
const NOTES: &str = "description";

pub(super) const GET: Tool = Tool {
    name: "guest_get",
    title: "Show a guest",
    about: "Shows a guest: state, configuration and disks with their sum, or what `include` names.",
    actions: Actions::one(&[
        change::READS,
        tree::READS,
        archives::READS,
        state::READS,
        &[
            sending::get("/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces"),
            sending::get("/nodes/{node}/lxc/{vmid}/interfaces"),
        ],
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new(
            "include",
            ParamKind::SomeOf(&[
                "status",
                "config",
                "disks",
                "addresses",
                "snapshots",
                "backups",
                "pending",
            ]),
            "status and config (with disks) at first; `backups` may take 5 s",
        )
        .optional(),
    ],
    answer: &[("vmid", "integer"), ("type", "string"), ("node", "string")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(get),
};

fn get(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let mut include = args.texts("include");
    if include.is_empty() {
        include = vec!["status", "config"];
    }
    let mut read = Read::default();
    let mut answer = answer_for(reach)?;
    let has_disks = include.iter().any(|part| DISKS_IN.contains(part));
    for part in include {
        match part {
            "status" => {
                let kind = reach.guest()?.kind;
                let current = read.current(reach)?;
                answer.extend(status(current, first_disk(kind).filter(|_| !has_disks)));
            }
            "config" => {
                let whole = read.config(reach)?;
                answer.extend(disks(reach.guest()?.kind, whole));
                config(whole, &mut answer);
                marked(reach, &mut answer)?;
            }
            "disks" => answer.extend(disks(reach.guest()?.kind, read.config(reach)?)),
            "addresses" => {
                read.config(reach)?;
                let Read { config, current } = &mut read;
                let config = config.as_deref().unwrap_or(&Value::Null);
                let status = || Ok(state(once(current, reach, CURRENT)?));
                addresses::told(reach, config, status, &mut answer)?;
            }
            "snapshots" => answer.extend(snapshots(&Snapshots::read(reach)?)),
            "backups" => answer.extend(backups(reach)?),
            "pending" => {
                let pending = pending(&reach.rows_of_guest("/pending", "key")?);
                answer.insert("pending".into(), pending);
            }
            _ => {}
        }
    }
    Ok(answer)
}

/// What was read of the guest, once for all parts that need it.
#[derive(Default)]
struct Read {
    config: Option<Charged<Value>>,
    current: Option<Charged<Value>>,
}

impl Read {
    fn config(&mut self, reach: &Reach) -> Result<&Value, Error> {
        once(&mut self.config, reach, "/config")
    }

    fn current(&mut self, reach: &Reach) -> Result<&Value, Error> {
        once(&mut self.current, reach, CURRENT)
    }
}

fn once<'s>(
    kept: &'s mut Option<Charged<Value>>,
    reach: &Reach,
    path: &str,
) -> Result<&'s Value, Error> {
    if kept.is_none() {
        *kept = Some(reach.get_of_guest(path)?);
    }
    Ok(kept.as_deref().unwrap_or(&Value::Null))
}

/// A paused VM is `running` for the one word and `paused` for the other.
fn state(current: &Value) -> String {
    let text = |key: &str| current.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = match text("qmpstatus") {
        "" => text("status"),
        exact => exact,
    };
    printable(state, VALUE_MAX_CHARS)
}

/// The only disk of which the status knows the size.
fn first_disk(kind: GuestKind) -> Option<&'static str> {
    Some(match kind {
        GuestKind::Qemu => "boot_disk_gib",
        GuestKind::Lxc => "rootfs_gib",
    })
}

/// `first_disk` is what the size of the first disk is called, where it is to be shown.
fn status(current: &Value, first_disk: Option<&'static str>) -> Map<String, Value> {
    let text = |key: &str| current.get(key).and_then(Value::as_str).unwrap_or_default();
    let amount = |key: &str| number(current.get(key));
    let ha = current.get("ha");
    let ha_state = ha.filter(|ha| flag(ha.get("managed"))).map(|ha| {
        let state = ha.get("state").and_then(Value::as_str);
        printable(state.unwrap_or("managed"), VALUE_MAX_CHARS)
    });
    let cpu = fraction(current.get("cpu"));
    let mut status = Map::new();
    status.insert("status".into(), state(current).into());
    let mut facts = vec![
        ("lock", printable(text("lock"), VALUE_MAX_CHARS).into()),
        ("ha", ha_state.into()),
        ("uptime_s", amount("uptime").into()),
        ("cpus", amount("cpus").into()),
        ("cpu_percent", json!((cpu * 1000.0).round() / 10.0)),
        ("memory_mib", mib(amount("maxmem")).into()),
        ("memory_used_mib", mib(amount("mem")).into()),
    ];
    facts.extend(first_disk.map(|name| (name, gib(amount("maxdisk")).into())));
    let facts = facts.into_iter().filter(|(_, value)| says_something(value));
    status.extend(facts.map(|(key, value)| (key.to_string(), value)));
    status
}

/// Every disk with its size, and the sum of them (`disk_gib`); what has no size is named beside it.
fn disks(kind: GuestKind, config: &Value) -> Map<String, Value> {
    let mut rows: Vec<Value> = Vec::new();
    let mut without: Vec<Value> = Vec::new();
    let mut sum = 0.0;
    for disk in disks::every(config, kind) {
        match disk.size_gib {
            Some(size_gib) => sum += size_gib,
            None => without.push(disk.key.clone().into()),
        }
        rows.push(plan::disk_row(&disk));
    }
    let mut shown = Map::new();
    shown.insert("disk_gib".into(), json!(disks::thousandths(sum)));
    shown.insert("disks".into(), rows.into());
    if !without.is_empty() {
        shown.insert("disk_gib_without".into(), without.into());
    }
    shown
}

/// The newest with their times; those that were never finished bear `unfinished`.
fn snapshots(found: &Snapshots) -> Map<String, Value> {
    let newest = found.all.iter().take(SNAPSHOTS_SHOWN_MAX);
    let rows = newest.map(|one| {
        let mut row = tree::row(one);
        row.insert("current", (one.name == found.current).into());
        Value::Object(row.into_object())
    });
    let mut shown = Map::new();
    shown.insert("snapshots".into(), rows.collect());
    if found.all.len() > SNAPSHOTS_SHOWN_MAX {
        let all = format!("{} in all: snapshot_list", found.all.len());
        shown.insert("snapshots_more".into(), all.into());
    }
    shown
}

/// The newest backups. There are none only where every storage said so, and nothing is hidden.
fn backups(reach: &Reach) -> Result<Map<String, Value>, Error> {
    let looked = Backups::look(reach, |found| {
        let hidden = found.hidden(reach)?;
        Ok((found, hidden))
    });
    let mut shown = Map::new();
    let (found, hidden) = match looked {
        Ok(looked) => looked,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            let why = printable(&error.to_string(), VALUE_MAX_CHARS);
            shown.insert("backups_unknown".into(), why.into());
            return Ok(shown);
        }
    };
    let is_whole = found.silent.is_empty() && hidden.is_none();
    if is_whole || !found.archives.is_empty() {
        let newest = found.archives.iter().take(BACKUPS_SHOWN_MAX);
        let rows: Vec<Value> = newest.map(backup).collect();
        shown.insert("backups".into(), rows.into());
    }
    if found.archives.len() > BACKUPS_SHOWN_MAX {
        let all = format!("{} in all: backup_list", found.archives.len());
        shown.insert("backups_more".into(), all.into());
    }
    let silent = match found.silent.len() {
        0 => None,
        1 => Some("a storage did not answer".to_string()),
        count => Some(format!("{count} storages did not answer")),
    };
    let why: Vec<String> = silent.into_iter().chain(hidden).collect();
    if !why.is_empty() {
        shown.insert("backups_unknown".into(), why.join("; ").into());
    }
    if !found.silent.is_empty() {
        shown.insert("backups_not_read".into(), found.silent.into());
    }
    Ok(shown)
}

fn backup(archive: &Archive) -> Value {
    let mut row = plan::archive_row(archive);
    if let Some(row) = row.as_object_mut() {
        row.insert("size_gib".into(), json!(disks::gib(archive.bytes)));
        if archive.protected {
            row.insert("protected".into(), true.into());
        }
    }
    row
}

/// The options as Proxmox has them; the notes are a stranger's text and stand apart.
fn config(config: &Value, answer: &mut Map<String, Value>) {
    let mut options: Vec<(String, Value)> = Vec::new();
    for (key, value) in config.as_object().into_iter().flatten() {
        let shown = match encoded::decode(key, value).as_ref().unwrap_or(value) {
            Value::Array(lines) => lines.iter().map(line).collect(),
            Value::String(text) if key == NOTES => {
                let notes = printable(text, NOTES_MAX_CHARS);
                answer.insert("untrusted_text".into(), json!({ "notes": notes }));
                continue;
            }
            Value::String(text) => printable(text, VALUE_MAX_CHARS).into(),
            other => other.clone(),
        };
        options.push((printable(key, VALUE_MAX_CHARS), shown));
    }
    options.sort_by(|one, other| one.0.cmp(&other.0));
    answer.insert(
        "config".into(),
        Value::Object(options.into_iter().collect()),
    );
}

/// What of the configuration waits for a restart: it is read as it will be after one.
fn marked(reach: &Reach, answer: &mut Map<String, Value>) -> Result<(), Error> {
    if answer.contains_key("pending") {
        return Ok(());
    }
    match reach
        .rows_of_guest("/pending", "key")
        .map(|rows| pending(&rows))
    {
        Ok(pending) if says_something(&pending) => {
            answer.insert("pending".into(), pending);
        }
        Ok(_) => {}
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            answer.insert("pending_unknown".into(), error.to_string().into());
        }
    }
    Ok(())
}

/// What a restart, or a plugged change, would still have to bring.
fn pending(list: &[Value]) -> Value {
    let waiting = list
        .iter()
        .filter(|row| row.get("pending").is_some() || row.get("delete").is_some());
    let shown = |value: &Value| match value {
        Value::String(text) => Value::from(printable(text, VALUE_MAX_CHARS)),
        Value::Array(lines) => lines.iter().map(line).collect(),
        other => other.clone(),
    };
    waiting
        .map(|row| {
            let option = row.get("key").and_then(Value::as_str).unwrap_or_default();
            if option == NOTES {
                return json!({"key": NOTES, "pending": "(changed)"});
            }
            let entries = row.as_object().into_iter().flatten();
            Value::Object(
                entries
                    .map(|(name, value)| {
                        let meant = match name.as_str() {
                            "value" | "pending" => encoded::decode(option, value),
                            _ => None,
                        };
                        (name.clone(), shown(meant.as_ref().unwrap_or(value)))
                    })
                    .collect(),
            )
        })
        .collect()
}

/// A line of a value that has several, such as a key, which is longer than others.
fn line(line: &Value) -> Value {
    printable(line.as_str().unwrap_or_default(), LINE_MAX_CHARS).into()
}
