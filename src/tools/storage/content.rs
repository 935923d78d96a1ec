//! `storage_content`: the volumes on a storage.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::NAME_MAX_CHARS;
use super::places::Places;
use crate::api::loose::{flag, number};
use crate::api::methods::permissions::SEES_STORAGES;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::charged::Charged;
use crate::error::{Code, Error};
use crate::fleet::registry::NamedSubject;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::order::{SORT, SortOrder};
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{self, CURSOR, FIELDS, LIMIT, Row, SINCE, gib};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::fleet::cut;

const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const NOTES_MAX_CHARS: usize = 500;
/// What every token that sees the storage sees of it.
const OPEN_CONTENT: &[&str] = &["iso", "vztmpl", "import"];

const COLUMNS: &[&str] = &[
    "volume",
    "node",
    "content",
    "format",
    "size_gib",
    "used_gib",
    "vmid",
    "ctime",
    "protected",
    "verification",
    "encrypted",
    "parent",
    "untrusted_text",
];
const USUAL: &[&str] = &[
    "volume",
    "node",
    "content",
    "format",
    "size_gib",
    "vmid",
    "ctime",
    "protected",
    "verification",
    "untrusted_text",
];

pub(super) const CONTENT: Tool = Tool {
    name: "storage_content",
    title: "List volumes",
    about: "Lists the volumes on a storage: disks, images, templates, backups.",
    actions: Actions::one(&[&[
        sending::get("/cluster/resources").seeing(&[SEES_STORAGES]),
        sending::get("/nodes/{node}/storage/{storage}/content"),
    ]]),
    subject: Subject::Storage("storage"),
    params: &[
        Param::new("storage", ParamKind::Word(Word::Storage), "its id"),
        Param::new(
            "node",
            ParamKind::Word(Word::Node),
            "whose local storage it is",
        )
        .optional(),
        Param::new(
            "content",
            ParamKind::OneOf(&[
                "images", "rootdir", "iso", "vztmpl", "backup", "snippets", "import",
            ]),
            "",
        )
        .optional(),
        Param::new(
            "vmid",
            ParamKind::Int(100, 999_999_999),
            "of this guest only",
        )
        .optional(),
        SINCE,
        SORT,
        FIELDS,
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(content),
};

fn content(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let storage = args.need("storage")?;
    rows::check(args, COLUMNS)?;
    let places = Places::look(reach, storage)?;
    let nodes = places.to_read(reach, storage, args.text("node"))?;
    let mut found: Vec<Row> = Vec::new();
    let mut not_read = Map::new();
    for node in &nodes {
        match volumes(reach, args, node) {
            Ok(volumes) => {
                let local = !places.shared;
                found.extend(
                    volumes
                        .iter()
                        .map(|volume| row(volume, local.then_some(node))),
                );
            }
            Err(error) if error.code == Code::Proxmox && nodes.len() > 1 => {
                not_read.insert(node.clone(), error.to_string().into());
            }
            Err(error) => return Err(seen(error, reach, storage, &places)?),
        }
    }
    let untimed = match args.moment("since") {
        Some(since) => retain_since(&mut found, since),
        None => 0,
    };
    if args.text("node").is_none() && !places.shared {
        for node in &places.down {
            not_read.insert(node.clone(), "not available there now".into());
        }
    }
    match SortOrder::of(args) {
        Some(order) => found.sort_by_cached_key(|row| order.rank(row)),
        None => found.sort_by_key(place),
    }
    let mut answer = Map::new();
    answer.insert("storage".into(), storage.into());
    answer.insert("nodes".into(), nodes.into());
    answer.extend(rows::page(found, COLUMNS, USUAL, args)?);
    if !not_read.is_empty() {
        answer.insert("not_read".into(), Value::Object(not_read));
    }
    if untimed > 0 {
        let untimed = format!("{untimed} whose time the storage does not tell are left out");
        answer.insert("untimed".into(), untimed.into());
    }
    if let Some(sentence) = filtered(reach, storage, args.text("content"))? {
        answer.insert("incomplete".into(), sentence.into());
    }
    Ok(answer)
}

/// Leaves out what is older, and what has no time; how many those are.
fn retain_since(found: &mut Vec<Row>, since: u64) -> usize {
    // Times of one form are in the order of their texts.
    let since = time::iso(since);
    let untimed = found.iter().filter(|row| row.text("ctime").is_empty());
    let untimed = untimed.count();
    found.retain(|row| row.text("ctime") >= since.as_str());
    untimed
}

/// A refusal of a storage that is not among those that the token sees, with those, and where it is.
fn seen(mut error: Error, reach: &Reach, storage: &str, places: &Places) -> Result<Error, Error> {
    let is_seen = !places.up.is_empty() || !places.down.is_empty();
    if error.code == Code::Proxmox && error.hint.is_none() && !is_seen && !places.others.is_empty()
    {
        let others = cut(places.others.clone()).join(", ");
        let elsewhere = reach.elsewhere(NamedSubject::Storage(storage))?;
        error.hint = Some(format!("the token sees the storages {others}{elsewhere}"));
    }
    Ok(error)
}

fn volumes(reach: &Reach, args: &Args, node: &str) -> Result<Charged<Vec<Value>>, Error> {
    let storage = args.need("storage")?;
    let path = "/nodes/{node}/storage/{storage}/content";
    let mut request = Request::new(Verb::Get, path, &[node, storage])?;
    for name in ["content", "vmid"] {
        if let Some(value) = args.get(name) {
            request = request.with(name, value.clone());
        }
    }
    reach.rows(&request, "volid")
}

fn row(volume: &Value, node: Option<&String>) -> Row {
    let text = |key: &str, max| {
        let text = volume.get(key).and_then(Value::as_str).unwrap_or_default();
        Value::from(printable(text, max))
    };
    let bytes = |key: &str| number(volume.get(key));
    let made = bytes("ctime");
    let verified = volume.pointer("/verification/state");
    let verified = verified.and_then(Value::as_str).unwrap_or_default();
    Row::from([
        ("volume", text("volid", VOLUME_MAX_CHARS)),
        ("node", node.cloned().into()),
        ("content", text("content", NAME_MAX_CHARS)),
        ("format", text("format", NAME_MAX_CHARS)),
        ("size_gib", size(bytes("size"))),
        ("used_gib", size(bytes("used"))),
        ("vmid", Some(bytes("vmid")).filter(|vmid| *vmid > 0).into()),
        ("ctime", (made > 0).then(|| time::iso(made)).into()),
        ("protected", flag(volume.get("protected")).into()),
        ("verification", printable(verified, NAME_MAX_CHARS).into()),
        ("encrypted", text("encrypted", NAME_MAX_CHARS)),
        ("parent", text("parent", VOLUME_MAX_CHARS)),
        ("untrusted_text", text("notes", NOTES_MAX_CHARS)),
    ])
}

/// GiB; of what is smaller than one, three digits, so that an ISO image of a few MiB is not nothing.
#[allow(clippy::cast_precision_loss)] // Three digits are all that is kept.
fn size(bytes: u64) -> Value {
    let exact = bytes as f64 / f64::from(1 << 30);
    if exact < 1.0 {
        json!((exact * 1000.0).ceil() / 1000.0)
    } else {
        json!(gib(bytes))
    }
}

/// By what it is, then by owner, the newest first.
fn place(row: &Row) -> (String, u64, Reverse<String>, String) {
    let text = |column: &str| {
        let text = row.get(column).and_then(Value::as_str);
        text.unwrap_or_default().to_string()
    };
    let owner = number(row.get("vmid"));
    (
        text("content"),
        owner,
        Reverse(text("ctime")),
        text("volume"),
    )
}

/// Whether volumes may have been left out: disks and backups are shown to those only who have privileges
/// on their guests, unless they may manage the storage.
fn filtered(reach: &Reach, storage: &str, content: Option<&str>) -> Result<Option<String>, Error> {
    let needed: &[&str] = match content {
        Some(content) if OPEN_CONTENT.contains(&content) => return Ok(None),
        Some("backup") => &["VM.Backup"],
        Some("images" | "rootdir") => &["VM.Config.Disk"],
        _ => &["VM.Config.Disk", "VM.Backup"],
    };
    let path = format!("/storage/{storage}");
    let permissions = match reach.permissions() {
        Ok(permissions) => permissions,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => return Ok(Some(format!("what the token sees is not known: {error}"))),
    };
    let lacks = |privilege: &&&str| !permissions.on_all_guests(privilege);
    let lacking: Vec<&str> = needed.iter().filter(lacks).copied().collect();
    if lacking.is_empty() || permissions.holds(&path, "Datastore.Allocate") {
        return Ok(None);
    }
    Ok(Some(format!(
        "disks and backups of guests may be left out: the token lacks `{}` on some of `/vms`, and \
         `Datastore.Allocate` on `{path}`",
        lacking.join("` and `")
    )))
}
