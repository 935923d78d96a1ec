//! `volume_delete`: a volume that nobody uses is deleted. Proxmox deletes one that a guest uses without a word,
//! so who has it is looked for first: in configurations, in what waits for a restart, in snapshots.

use serde_json::{Map, Value, json};

use super::download::READS;
use super::places::Places;
use crate::api::loose::{flag, number, plain};
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::api::volume;
use crate::error::Error;
use crate::fleet::index::Guest;
use crate::gate::confirm::Plan;
use crate::gate::reach::Reach;
use crate::gate::volumes::in_config;
use crate::text::{printable, repeated};
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::Row;
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Actions, RunFn, Subject, Tool};
use crate::tools::disks;

const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
const PATH: &str = "/nodes/{node}/storage/{storage}/content/{volume}";
const CONTENT: &str = "/nodes/{node}/storage/{storage}/content";
const SNAPSHOTS: &str = "/nodes/{node}/{kind}/{vmid}/snapshot";
const SNAPSHOT: &str = "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config";

/// What nobody here can tell of a storage that others may have too.
const ELSEWHERE: &str = "guests of other clusters, which may have this shared storage too";

/// What is read to know who has a volume.
const USERS: &[Sending] = &[
    sending::get("/nodes/{node}/{kind}/{vmid}/pending"),
    sending::get(SNAPSHOTS),
    sending::get(SNAPSHOT),
];

pub(super) const DELETE: Tool = Tool {
    name: "volume_delete",
    title: "Delete a volume",
    about: "Deletes a volume that no guest uses: an image, a template, a disk that was left behind. One in a guest's \
            configuration or snapshot is refused. Asks first; for backups there is `backup_delete`.",
    actions: Actions::one(&[
        READS,
        USERS,
        &[sending::delete(PATH).weighing(Mark::FULL.destroys())],
    ]),
    subject: Subject::Storage("volume"),
    params: &[
        Param::new(
            "volume",
            ParamKind::Word(Word::Volume),
            "of storage_content",
        ),
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
    let (cluster, wanted) = (reach.cluster_name(), args.need("volume")?);
    let Some(storage) = disks::storage_of(wanted) else {
        return Err(Error::bad(format!(
            "`{}` is no volume: `STORAGE:PATH`",
            repeated(wanted)
        )));
    };
    if volume::backed_up(wanted).is_some() {
        return Err(Error::bad(
            "this is a backup: `backup_delete` deletes it, and says which ones are left",
        ));
    }
    let FoundVolume { node, row, shared } = find(reach, storage, wanted, args.text("node"))?;
    if flag(row.get("protected")) {
        return Err(Error::bad(format!(
            "{cluster}: `{}` is protected, and Proxmox keeps it: take its protection away first, if it really is to go",
            repeated(wanted)
        )));
    }
    unused(reach, &node, wanted)?;
    reach.foresee(&request(&node, wanted)?)?;
    let text = |key: &str| {
        printable(
            &row.get(key).map(plain).unwrap_or_default(),
            VOLUME_MAX_CHARS,
        )
    };
    let (bytes, made) = (number(row.get("size")), number(row.get("ctime")));
    let owner = number(row.get("vmid"));
    let facts = Row::from([
        ("cluster", cluster.into()),
        ("name", text("volid").into()),
        ("node", node.clone().into()),
        ("content", text("content").into()),
        ("format", text("format").into()),
        ("size_gib", json!(disks::gib(bytes))),
        ("ctime", (made > 0).then(|| time::iso(made)).into()),
        ("untrusted_text", text("notes").into()),
        ("named_after_guest", owner.into()),
        (
            "used_by",
            "no guest: in no configuration, and in no snapshot of the guest that it is named after"
                .into(),
        ),
        ("not_looked_at", shared.then_some(ELSEWHERE).into()),
        ("lost", "all that is in it".into()),
        ("undo", "cannot be undone".into()),
    ]);
    Ok(Plan {
        subject: json!({"cluster": cluster, "node": node, "volume": wanted, "bytes": bytes, "time": made}),
        shown: facts.into_object(),
        objects: 1,
        ..Plan::default()
    })
}

/// A volume as its storage lists it.
struct FoundVolume {
    node: String,
    row: Value,
    /// Whether its storage is on several nodes at once, and so maybe of other clusters.
    shared: bool,
}

fn find(
    reach: &Reach,
    storage: &str,
    wanted: &str,
    node: Option<&str>,
) -> Result<FoundVolume, Error> {
    let places = Places::look(reach, storage)?;
    let mut found = Vec::new();
    for node in places.to_read(reach, storage, node)? {
        let request = Request::new(Verb::Get, CONTENT, &[&node, storage])?;
        let rows = reach.rows(&request, "volid")?;
        let is_it = |row: &&Value| row.get("volid").map(plain).as_deref() == Some(wanted);
        found.extend(rows.iter().find(is_it).map(|row| FoundVolume {
            node,
            row: row.clone(),
            shared: places.shared,
        }));
    }
    let cluster = reach.cluster_name();
    match found.len() {
        0 => Err(Error::bad(format!(
            "{cluster}: there is no volume `{}`, as far as the token sees: `storage_content` lists them",
            repeated(wanted)
        ))),
        1 => Ok(found.remove(0)),
        _ => {
            let nodes: Vec<&str> = found.iter().map(|one| one.node.as_str()).collect();
            Err(Error::bad(format!(
                "{cluster}: `{}` is another one on each of {}: name one in `node`",
                repeated(wanted),
                nodes.join(", ")
            )))
        }
    }
}

/// Refuses a volume that a guest has, or may have.
fn unused(reach: &Reach, node: &str, wanted: &str) -> Result<(), Error> {
    let cluster = reach.cluster_name();
    let (users, unknown) = reach.configured_in(node, wanted)?;
    if !users.is_empty() {
        let users: Vec<String> = users.iter().map(u32::to_string).collect();
        return Err(Error::bad(format!(
            "{cluster}: `{}` is used by guest {}: `guest_disk` detaches or removes it there",
            repeated(wanted),
            users.join(", ")
        )));
    }
    if let Some(why) = unknown {
        return Err(Error::bad(format!(
            "{cluster}: whether a guest uses `{}` cannot be told: {why}",
            repeated(wanted)
        )));
    }
    for vmid in volume::vmids_in(wanted) {
        if let Some(owner) = reach.bearer(vmid, false)?
            && let Some(snapshot) = in_snapshot(reach, &owner, wanted)?
        {
            return Err(Error::bad(format!(
                "{cluster}: `{}` is in the snapshot `{}` of guest {vmid}: `snapshot_delete` takes it away with that",
                repeated(wanted),
                repeated(&snapshot)
            )));
        }
    }
    Ok(())
}

/// The snapshot of a guest that has a volume.
fn in_snapshot(reach: &Reach, guest: &Guest, wanted: &str) -> Result<Option<String>, Error> {
    let vmid = guest.vmid.to_string();
    let at = [guest.node.as_str(), guest.kind.name(), vmid.as_str()];
    let snapshots = Request::new(Verb::Get, SNAPSHOTS, &at)?;
    for snapshot in reach.rows(&snapshots, "name")?.iter() {
        let name = snapshot.get("name").map(plain).unwrap_or_default();
        if name == "current" {
            continue;
        }
        let [node, kind, vmid] = at;
        let config = reach.get(SNAPSHOT, &[node, kind, vmid, &name])?;
        if in_config(&config).iter().any(|volume| volume == wanted) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn request(node: &str, volume: &str) -> Result<Request, Error> {
    let storage = disks::storage_of(volume).unwrap_or_default();
    Request::new(Verb::Delete, PATH, &[node, storage, volume])
}

fn delete(reach: &Reach, args: &Args) -> WriteResult {
    let bound = reach.planned();
    let node = bound.and_then(|bound| bound.get("node")?.as_str());
    let volume = args.need("volume")?;
    let request = request(node.unwrap_or_default(), volume)?;
    let answer = Map::from_iter([(
        "volume".to_string(),
        printable(volume, VOLUME_MAX_CHARS).into(),
    )]);
    Ok(Write::new(request, answer))
}
