//! `backup_prune`: what a rule would remove from a storage, as Proxmox itself reckons it, and its removal.

use serde_json::{Map, Value, json};

use super::archives::{self, BackupStorage};
use super::retention;
use crate::api::loose::{number, plain};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::ROW_BYTES;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::guest::GUEST;

const PATH: &str = "/nodes/{node}/storage/{storage}/prunebackups";
const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
/// So many are named; of more, the number.
const SHOWN_MAX: usize = 50;

pub(super) const PRUNE: Tool = Tool {
    name: "backup_prune",
    title: "Prune backups",
    about: "Removes from a storage the backups that a rule does not keep, of one guest or of all; \
            protected ones stay. Shows which first, and asks.",
    actions: Actions::one(&[
        archives::READS,
        &[sending::get(PATH), sending::delete(PATH)],
    ]),
    subject: Subject::Storage("storage"),
    params: &[
        Param::new(
            "storage",
            ParamKind::Word(Word::Storage),
            "with the backups",
        ),
        GUEST.optional().about("of this one only"),
        retention::KEEPS,
        Param::new(
            "node",
            ParamKind::Word(Word::Node),
            "where each has a storage of that name",
        )
        .optional(),
    ],
    answer: &[],
    task: true,
    plan: Some(planned),
    run: RunFn::Write(prune),
};

/// The one place that is meant.
fn place(reach: &Reach, args: &Args) -> Result<BackupStorage, Error> {
    let (cluster, storage) = (reach.cluster_name(), args.need("storage")?);
    let node = args.text("node");
    let mut places = archives::places(reach, node)?;
    let there = archives::storages(&places);
    places.retain(|place| {
        let here = node.is_none_or(|node| place.shared || place.node == node);
        place.storage == storage && here
    });
    match (places.pop(), places.as_slice()) {
        (Some(place), []) => Ok(place),
        (Some(last), others) => {
            let nodes = others
                .iter()
                .chain([&last])
                .map(|place| place.node.as_str());
            let nodes: Vec<&str> = nodes.collect();
            Err(Error::bad(format!(
                "{cluster}: each node has a storage `{storage}` of its own: say `node`: {}",
                nodes.join(", ")
            )))
        }
        (None, _) => {
            let on_node = node.map_or(String::new(), |node| format!(" on node `{node}`"));
            Err(Error::bad(format!(
                "{cluster}: no storage `{storage}`{on_node} takes backups; {there}"
            )))
        }
    }
}

/// What the rule is asked about.
fn params(reach: &Reach, args: &Args) -> Result<Map<String, Value>, Error> {
    let mut params = Map::new();
    if let Some(keeps) = args.text("keeps") {
        params.insert(retention::KEY.into(), retention::sent(keeps)?.into());
    }
    if let Some(guest) = args.text("guest") {
        let Some(vmid) = reach.vmid_of(guest)? else {
            let cluster = reach.cluster_name();
            return Err(Error::bad(format!(
                "{cluster}: there is no guest `{guest}`: name one that is gone by its VMID"
            )));
        };
        params.insert("vmid".into(), vmid.into());
    }
    Ok(params)
}

fn planned(reach: &Reach, args: &Args) -> Result<Plan, Error> {
    let params = params(reach, args)?;
    let place = place(reach, args)?;
    let mut request = Request::new(Verb::Get, PATH, &[&place.node, &place.storage])?;
    request.params.extend(params.clone());
    let listed = reach.rows(&request, "volid")?;
    let marked = |mark: &'static str| {
        let is_it = move |row: &&Value| row.get("mark").and_then(Value::as_str) == Some(mark);
        listed.iter().filter(is_it)
    };
    let mut removed: Vec<(u64, String, u64)> = marked("remove")
        .map(|row| {
            room::note(ROW_BYTES);
            let volume = row.get("volid").map(plain).unwrap_or_default();
            (number(row.get("ctime")), volume, number(row.get("vmid")))
        })
        .collect();
    removed.sort();
    let (kept, protected) = (marked("keep").count(), marked("protected").count());
    let cluster = reach.cluster_name();
    if removed.is_empty() {
        return Err(Error::bad(format!(
            "{cluster}: there is nothing to prune on `{}`: {kept} are kept, {protected} are protected",
            place.storage
        )));
    }
    reach.foresee(&pruning(&place.node, &place.storage, params.clone())?)?;
    let rows = removed.iter().take(SHOWN_MAX).map(|(at, volume, vmid)| {
        json!({
            "volume": printable(volume, VOLUME_MAX_CHARS), "vmid": vmid, "time": time::iso(*at),
        })
    });
    let keeps = params.get(retention::KEY).map(retention::shown);
    let mut shown = Map::new();
    shown.insert("cluster".into(), cluster.into());
    shown.insert("name".into(), place.storage.clone().into());
    if !place.shared {
        shown.insert("node".into(), place.node.clone().into());
    }
    shown.insert(
        "keeps".into(),
        keeps.unwrap_or_else(|| "as the storage says".into()).into(),
    );
    shown.insert("removes".into(), rows.collect());
    shown.insert("removes_total".into(), removed.len().into());
    shown.insert("kept".into(), kept.into());
    shown.insert("protected".into(), protected.into());
    shown.insert("undo".into(), "cannot be undone".into());
    let volumes: Vec<&String> = removed.iter().map(|(_, volume, _)| volume).collect();
    Ok(Plan {
        subject: json!({
            "cluster": cluster, "node": place.node, "params": params, "volumes": volumes,
        }),
        shown,
        objects: removed.len(),
        ..Plan::default()
    })
}

fn pruning(node: &str, storage: &str, params: Map<String, Value>) -> Result<Request, Error> {
    let mut request = Request::new(Verb::Delete, PATH, &[node, storage])?;
    request.params.extend(params);
    Ok(request)
}

fn prune(reach: &Reach, args: &Args) -> WriteResult {
    let storage = args.need("storage")?;
    let planned = reach.planned();
    let said = |key: &str| planned.and_then(|planned| planned.get(key));
    let node = said("node").and_then(Value::as_str).unwrap_or_default();
    let params = said("params").and_then(Value::as_object).cloned();
    let request = pruning(node, storage, params.unwrap_or_default())?;
    let count = said("volumes").and_then(Value::as_array).map(Vec::len);
    let answer = [
        ("storage", Value::from(storage)),
        ("node", node.into()),
        ("removes", count.into()),
    ];
    let answer = answer.map(|(key, value)| (key.to_string(), value));
    Ok(Write::new(request, answer.into_iter().collect()))
}
