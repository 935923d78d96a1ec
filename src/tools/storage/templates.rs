//! `template_list` and `template_download`: the container templates that Proxmox offers.

use serde_json::Value;

use super::NAME_MAX_CHARS;
use super::download::{self, NODE, READS, STORAGE};
use super::places::Places;
use crate::api::loose::plain;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::{printable, repeated};
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, LIMIT, ROW_BYTES, Row};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

const TEMPLATE_MAX_CHARS: usize = 255;
const ABOUT_MAX_CHARS: usize = 200;
const NAMES_MAX: usize = 20;
const PATH: &str = "/nodes/{node}/aplinfo";
const COLUMNS: &[&str] = &["template", "os", "version", "section", "untrusted_text"];

pub(super) const LIST: Tool = Tool {
    name: "template_list",
    title: "List container templates on offer",
    about: "Lists the container templates that a node can download from Proxmox; those that are on a storage already are in `storage_content`.",
    actions: Actions::one(&[&[sending::get("/nodes"), sending::get(PATH)]]),
    subject: Subject::Cluster,
    params: &[
        Param::new(
            "search",
            ParamKind::Text(TEMPLATE_MAX_CHARS),
            "in name, system or headline, as `debian`",
        )
        .optional(),
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(list),
};

pub(super) const DOWNLOAD: Tool = Tool {
    name: "template_download",
    title: "Download a container template",
    about: "Has a node download a container template of `template_list` onto a storage, checked by Proxmox's own checksum.",
    actions: Actions::one(&[READS, &[sending::get(PATH), sending::post(PATH)]]),
    subject: Subject::Storage("storage"),
    params: &[
        STORAGE,
        Param::new(
            "template",
            ParamKind::Text(TEMPLATE_MAX_CHARS),
            "of template_list; its beginning will do: the newest",
        ),
        NODE,
    ],
    answer: &[("volume", "string")],
    task: true,
    plan: None,
    run: RunFn::Write(fetch),
};

/// What is on offer on a node.
fn offered(reach: &Reach, node: &str) -> Result<Vec<Row>, Error> {
    let request = Request::new(Verb::Get, PATH, &[node])?;
    let listed = reach.rows(&request, "template")?;
    room::note(ROW_BYTES * listed.len());
    let mut rows: Vec<Row> = listed.iter().map(row).collect();
    rows.sort_by_cached_key(|row| versions(row.text("template")));
    Ok(rows)
}

/// A name as its words and numbers, so that 12.10 comes behind 12.9.
fn versions(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut was_digit = false;
    for c in name.chars() {
        let digit = c.to_digit(10);
        if digit.is_none() && was_digit {
            parts.push((String::new(), 0));
        }
        if let Some((word, number)) = parts.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => word.push(c),
            }
        }
        was_digit = digit.is_some();
    }
    parts
}

fn row(template: &Value) -> Row {
    let text = |key: &str, most: usize| {
        let text = template.get(key).map(plain).unwrap_or_default();
        Value::from(printable(&text, most))
    };
    Row::from([
        ("template", text("template", TEMPLATE_MAX_CHARS)),
        ("os", text("os", NAME_MAX_CHARS)),
        ("version", text("version", NAME_MAX_CHARS)),
        ("section", text("section", NAME_MAX_CHARS)),
        ("untrusted_text", text("headline", ABOUT_MAX_CHARS)),
    ])
}

fn list(reach: &Reach, args: &Args) -> HandlerResult {
    rows::check(args, COLUMNS)?;
    let nodes = reach.rows_at("/nodes", &[], "node")?;
    let is_online = |node: &&Value| node.get("status").and_then(Value::as_str) == Some("online");
    let node = nodes
        .iter()
        .find(is_online)
        .and_then(|node| node.get("node")?.as_str());
    let Some(node) = node else {
        return Err(Error::bad(format!(
            "{}: no node is online, as far as the token sees",
            reach.cluster_name()
        )));
    };
    let mut rows = offered(reach, node)?;
    let wanted = args.text("search").map(str::to_lowercase);
    if let Some(wanted) = wanted {
        let says = |row: &Row| {
            ["template", "os", "untrusted_text"]
                .iter()
                .any(|column| row.text(column).to_lowercase().contains(&wanted))
        };
        rows.retain(says);
    }
    let is_empty = rows.is_empty() && args.text("search").is_none();
    let mut answer = rows::page(rows, COLUMNS, COLUMNS, args)?;
    if is_empty {
        answer.insert("note".into(), "the node has no list of templates: it fetches one from Proxmox's servers once a day, or by `pveam update`".into());
    }
    Ok(answer)
}

fn fetch(reach: &Reach, args: &Args) -> WriteResult {
    let (storage, wanted) = (args.need("storage")?, args.need("template")?);
    let node = Places::look(reach, storage)?.to_change(reach, storage, args.text("node"))?;
    let rows = offered(reach, &node)?;
    let names: Vec<&str> = rows.iter().map(|row| row.text("template")).collect();
    let Some(template) = meant(&names, wanted) else {
        let alike: Vec<&str> = names
            .iter()
            .filter(|name| alike(name, wanted))
            .take(NAMES_MAX)
            .copied()
            .collect();
        let there = match alike.as_slice() {
            [] => "`template_list` shows those on offer".to_string(),
            alike => format!("there are: {}", alike.join(", ")),
        };
        return Err(Error::bad(format!(
            "{}: no template is called `{}`, or begins so; {there}",
            reach.cluster_name(),
            repeated(wanted)
        )));
    };
    let volume = format!("{storage}:vztmpl/{template}");
    if download::is_there(reach, &node, storage, "vztmpl", &volume)? {
        let mut answer = download::answer(&node, &volume);
        answer.insert("unchanged".into(), "it is there already".into());
        return Ok(Write::nothing(answer));
    }
    let request = Request::new(Verb::Post, PATH, &[&node])?
        .with("storage", storage)
        .with("template", template);
    Ok(Write::new(request, download::answer(&node, &volume)))
}

/// The template of this name, else the last of those that begin so, which is the newest.
fn meant<'n>(names: &[&'n str], wanted: &str) -> Option<&'n str> {
    let exact = names.iter().find(|name| **name == wanted);
    let begins = || names.iter().rev().find(|name| name.starts_with(wanted));
    exact.or_else(begins).copied()
}

/// Whether a name has the first word of another.
fn alike(name: &str, wanted: &str) -> bool {
    let word = wanted.split(['-', '_', ' ']).next().unwrap_or_default();
    !word.is_empty() && name.contains(&word.to_lowercase())
}
