//! `backup_delete`: one backup, with what is left of its guest's when it has gone.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::archives::{self, Archive};
use super::restore::{ARCHIVE, named};
use super::source::FoundArchive;
use crate::api::mark::Mark;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::{disks, plan};
use crate::wait;

const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const PATH: &str = "/nodes/{node}/storage/{storage}/content/{volume}";
/// How long the guest's other backups are looked for, in seconds, all storages together.
const OTHERS_LIMIT_S: u64 = 5;

pub(super) const DELETE: Tool = Tool {
    name: "backup_delete",
    title: "Delete a backup",
    about: "Deletes one backup, and says first which ones of its guest are left. Asks first.",
    actions: Actions::one(&[
        archives::READS,
        &[sending::delete(PATH).weighing(Mark::FULL)],
    ]),
    subject: Subject::Storage("archive"),
    params: &[
        ARCHIVE,
        Param::new(
            "node",
            ParamKind::Word(Word::Node),
            "where several have one of that name",
        )
        .optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(planned),
    run: RunFn::Write(delete),
};

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let (named, node) = (named(args)?, args.text("node"));
    let found = FoundArchive::find(reach, args.need("archive")?, named, node, node)?;
    let archive = &found.archive;
    if archive.protected {
        return Err(Error::bad(format!(
            "{}: `{}` is protected, and Proxmox keeps it: take its protection away first, if it really \
             is to go",
            reach.cluster_name(),
            printable(&archive.volume, VOLUME_MAX_CHARS)
        )));
    }
    reach.foresee(&request(&archive.node, &archive.volume)?)?;
    let mut shown = Map::new();
    shown.insert("cluster".into(), reach.cluster_name().into());
    shown.insert("vmid".into(), archive.vmid.into());
    shown.insert("type".into(), named.kind.word().into());
    let mut row = plan::archive_row(archive);
    if let Some(row) = row.as_object_mut() {
        row.insert("size_gib".into(), json!(disks::gib(archive.bytes)));
        if !archive.shared {
            row.insert("node".into(), archive.node.clone().into());
        }
    }
    shown.insert("archive".into(), row);
    if reach.shows_plan() {
        shown.extend(left(reach, &found)?);
    }
    shown.insert("undo".into(), "cannot be undone".into());
    Ok(Plan {
        subject: json!({
            "cluster": reach.cluster_name(), "volume": archive.volume, "node": archive.node,
            "time": archive.time, "bytes": archive.bytes, "notes": archive.notes,
        }),
        shown,
        objects: 1,
        ..Plan::default()
    })
}

/// What is left of the guest's backups when this one has gone, on all storages.
fn left(reach: &Reach, found: &FoundArchive) -> Result<Map<String, Value>, Error> {
    let vmid = Some(found.archive.vmid);
    let limit = Duration::from_secs(OTHERS_LIMIT_S);
    let other = wait::within(limit, || archives::ask(reach, &found.elsewhere, vmid))?;
    let silent: Vec<Value> = found.silent.iter().cloned().chain(other.silent).collect();
    let mut others: Vec<&Archive> = found.beside.iter().chain(&other.archives).collect();
    // On a storage that several clusters share, the VMID may be a guest's of another kind.
    others.retain(|one| one.kind.is_none_or(|kind| Some(kind) == found.archive.kind));
    let newest = others.iter().max_by_key(|one| one.time);
    let hidden = archives::hidden(reach, &found.elsewhere, vmid)?;
    let left = match newest {
        Some(newest) => json!({"backups": others.len(), "newest": plan::archive_row(newest)}),
        None if !silent.is_empty() => "unknown".into(),
        None => match hidden {
            Some(why) => format!("unknown: {why}").into(),
            None => "none: it is the guest's only backup".into(),
        },
    };
    let mut shown = Map::from_iter([("left".to_string(), left)]);
    if !silent.is_empty() {
        shown.insert("backups_not_read".into(), silent.into());
    }
    Ok(shown)
}

fn request(node: &str, volume: &str) -> Result<Request, Error> {
    let storage = disks::storage_of(volume).unwrap_or_default();
    Request::new(Verb::Delete, PATH, &[node, storage, volume])
}

fn delete(reach: &Reach, args: &Args) -> WriteResult {
    let bound = reach.planned();
    let said = |key: &str| bound.and_then(|bound| bound.get(key)?.as_str());
    let volume = args.need("archive")?;
    let request = request(said("node").unwrap_or_default(), volume)?;
    let answer = json!({"vmid": named(args)?.vmid, "volume": volume});
    let answer = answer.as_object().cloned().unwrap_or_default();
    Ok(Write::new(request, answer))
}
