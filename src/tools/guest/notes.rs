//! `guest_notes`: the notes of a guest, read, written, added to, cleared.

use serde_json::{Map, json};

use super::{GUEST, answer_for, change};
use crate::api::loose::plain;
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::current;

/// The longest notes that Proxmox takes.
const NOTES_MAX_CHARS: usize = 8192;
const KEY: &str = "description";

pub(super) const NOTES: Tool = Tool {
    name: "guest_notes",
    title: "Read and write a guest's notes",
    about: "Reads a guest's notes, writes others, adds a line, or clears them; of notes that it replaces it returns \
            the former ones.",
    actions: Actions::ByWord(&[
        Action::new(
            "get",
            &[&[sending::get("/nodes/{node}/{kind}/{vmid}/config")]],
        ),
        Action::new("set", WRITES),
        Action::new("append", WRITES),
        Action::new("clear", WRITES),
    ]),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::ACTION,
        Param::new(
            "text",
            ParamKind::Text(NOTES_MAX_CHARS),
            "for set and append",
        )
        .optional()
        .cleared_by("action `clear` does that"),
    ],
    answer: &[("vmid", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(notes),
};

const WRITES: sending::Sends = &[
    &[sending::get("/nodes/{node}/{kind}/{vmid}/config")],
    current::READS,
    &change::at_once(Mark::CHANGE),
];

fn notes(reach: &Reach, args: &Args) -> HandlerResult {
    let action = args.need("action")?;
    let mut answer = answer_for(reach)?;
    let shown = |notes: &str| json!({"notes": printable(notes, NOTES_MAX_CHARS)});
    if action == "get" {
        if args.has("text") {
            return Err(Error::bad("`text` is for the actions set and append"));
        }
        let config = change::config(reach)?;
        let notes = config.get(KEY).map(plain).unwrap_or_default();
        if !notes.is_empty() {
            answer.insert("untrusted_text".into(), shown(&notes));
        }
        return Ok(answer);
    }
    let text = match (action, args.text("text")) {
        ("clear", Some(_)) => return Err(Error::bad("`text` is for the actions set and append")),
        ("clear", None) => None,
        (_, None) => return Err(Error::bad(format!("action `{action}` needs `text`"))),
        (_, text) => text,
    };
    let config = change::unlocked(reach)?;
    let before = config.get(KEY).map(plain).unwrap_or_default();
    let after = match (action, text) {
        ("append", Some(text)) if !before.is_empty() => {
            format!("{}\n{text}", before.trim_end_matches('\n'))
        }
        (_, text) => text.unwrap_or_default().to_owned(),
    };
    let (cluster, vmid) = (reach.cluster_name(), reach.guest()?.vmid);
    if after.trim_end_matches('\n') == before.trim_end_matches('\n') {
        return Err(Error::bad(format!(
            "{cluster}: the notes of guest {vmid} are so already"
        )));
    }
    let count = after.chars().count();
    if count > NOTES_MAX_CHARS {
        return Err(Error::bad(format!(
            "{cluster}: the notes of guest {vmid} would have {count} characters, and Proxmox takes {NOTES_MAX_CHARS}"
        )));
    }
    let param = match after.as_str() {
        "" => ("delete".to_string(), KEY.into()),
        notes => (KEY.to_string(), notes.into()),
    };
    let request = change::request(reach, Verb::Put, &config, Map::from_iter([param]))?;
    reach.send(&request)?;
    if !after.is_empty() {
        answer.insert("untrusted_text".into(), shown(&after));
    }
    if !before.is_empty() {
        answer.insert("former".into(), json!({"untrusted_text": shown(&before)}));
    }
    Ok(answer)
}
