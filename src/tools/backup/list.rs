//! `backup_list`: the backups of one cluster or of all, with every place that did not answer.

use serde_json::{Map, Value, json};

use super::archives::{self, Archive};
use crate::error::Error;
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::{FleetReach, Reach};
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, LIMIT, Row, SINCE};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::disks;
use crate::tools::fleet::none_named;

const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const WORD_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;
const NOTES_MAX_CHARS: usize = 300;

const COLUMNS: &[&str] = &[
    "cluster",
    "volume",
    "vmid",
    "type",
    "time",
    "size_gib",
    "storage",
    "node",
    "protected",
    "encrypted",
    "verification",
    "untrusted_text",
];

pub(super) const LIST: Tool = Tool {
    name: "backup_list",
    title: "List backups",
    about: "Lists backups, newest first. `vmid` is the guest's on the cluster that made it.",
    actions: Actions::one(&[archives::READS]),
    subject: Subject::List,
    params: &[
        Param::new("guest", ParamKind::Guest, "VMID or name; its backups only").optional(),
        Param::new("storage", ParamKind::Word(Word::Storage), "this one only").optional(),
        Param::new("node", ParamKind::Word(Word::Node), "as seen from this one").optional(),
        SINCE,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

/// What to do where a storage takes longer than it may beside others.
const SLOW_NOTE: &str =
    "a storage lists slowly: `storage` asks it alone, with the whole time of the call";

/// What one cluster has.
#[derive(Default)]
struct ListedBackups {
    archives: Vec<Archive>,
    not_read: Vec<Value>,
    /// A storage had no more time.
    slow: bool,
    hidden: Option<String>,
    /// Why nothing of what was asked for can be there.
    nothing: Option<String>,
}

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    let answered = reach.ask(|reach| of_cluster(reach, args))?;
    let several = reach.clusters().count() > 1;
    let nothing: Vec<&str> = answered
        .iter()
        .filter_map(|(_, listed)| listed.nothing.as_deref())
        .collect();
    if !nothing.is_empty() && nothing.len() == answered.len() {
        let storage = args.text("storage").map(NamedSubject::Storage);
        let elsewhere = reach.elsewhere(storage.unwrap_or(NamedSubject::Nothing))?;
        return Err(Error::bad(nothing.join("; ") + &elsewhere));
    }
    let mut found: Vec<(u64, Row)> = Vec::new();
    let mut not_read = Vec::new();
    let mut hidden = Map::new();
    let mut slow = false;
    for (cluster, listed) in answered {
        slow |= listed.slow;
        for archive in listed.archives {
            let mut row = row(&archive);
            if several {
                row.insert("cluster", cluster.into());
            }
            found.push((archive.time, row));
        }
        for mut place in listed.not_read {
            if let Some(place) = place.as_object_mut().filter(|_| several) {
                place.insert("cluster".into(), cluster.into());
            }
            not_read.push(place);
        }
        if let Some(why) = listed.hidden {
            hidden.insert(cluster.to_string(), why.into());
        }
    }
    // The order within a time is the cluster's own.
    found.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let found = found.into_iter().map(|(_, row)| row).collect();
    let mut answer = rows::page(found, COLUMNS, COLUMNS, args)?;
    if !not_read.is_empty() {
        answer.insert("not_read".into(), not_read.into());
    }
    if slow {
        answer.insert("note".into(), SLOW_NOTE.into());
    }
    if !hidden.is_empty() {
        answer.insert("hidden".into(), Value::Object(hidden));
    }
    Ok(answer)
}

fn of_cluster(reach: &Reach, args: &Args) -> Result<ListedBackups, Error> {
    let nothing = |why: String| ListedBackups {
        nothing: Some(format!("{}: {why}", reach.cluster_name())),
        ..ListedBackups::default()
    };
    let vmid = match args.text("guest") {
        None => None,
        Some(guest) => match reach.vmid_of(guest)? {
            Some(vmid) => Some(vmid),
            None => return Ok(nothing(none_named(reach, guest)?)),
        },
    };
    let (storage, node) = (args.text("storage"), args.text("node"));
    let mut places = archives::places(reach, node)?;
    let there = archives::storages(&places);
    places.retain(|place| {
        storage.is_none_or(|storage| place.storage == storage)
            && node.is_none_or(|node| place.node == node)
    });
    if places.is_empty() {
        let on_node = node.map_or(String::new(), |node| format!(" on node `{node}`"));
        let named = storage.map_or("no storage".into(), |name| format!("no storage `{name}`"));
        return Ok(nothing(format!("{named}{on_node} takes backups; {there}")));
    }
    let mut found = archives::ask(reach, &places, vmid)?;
    if let Some(since) = args.moment("since") {
        found.archives.retain(|archive| archive.time >= since);
    }
    Ok(ListedBackups {
        hidden: archives::hidden(reach, &places, vmid)?,
        archives: found.archives,
        not_read: found.silent,
        slow: found.slow,
        nothing: None,
    })
}

fn row(archive: &Archive) -> Row {
    let mut row = Row::new();
    row.insert(
        "volume",
        printable(&archive.volume, VOLUME_MAX_CHARS).into(),
    );
    row.insert("vmid", archive.vmid.into());
    row.insert("type", archive.kind.map(|kind| kind.word()).into());
    row.insert("time", time::iso(archive.time).into());
    row.insert("size_gib", json!(disks::gib(archive.bytes)));
    row.insert(
        "storage",
        printable(&archive.storage, WORD_MAX_CHARS).into(),
    );
    if !archive.shared {
        row.insert("node", printable(&archive.node, WORD_MAX_CHARS).into());
    }
    row.insert("protected", archive.protected.into());
    row.insert("encrypted", archive.encrypted.into());
    let verification = archive.verification.as_deref().unwrap_or_default();
    row.insert(
        "verification",
        printable(verification, WORD_MAX_CHARS).into(),
    );
    let notes = printable(&archive.notes, NOTES_MAX_CHARS);
    if !notes.is_empty() {
        row.insert("untrusted_text", json!({ "notes": notes }));
    }
    row
}
