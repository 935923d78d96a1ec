//! `backup_create`: one backup of one guest, which prunes nothing.

use serde_json::{Map, Value};

use super::stores;
use super::stores::NodeStorages;
use crate::api::loose::flag;
use crate::api::mark::Mark;
use crate::api::methods::sending::{self, Sending};
use crate::api::request::{Request, Verb};
use crate::api::upid;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::write::{Write, WriteResult};
use crate::tool::{Action, Actions, RunFn, Subject, Tool};
use crate::tools::current;
use crate::tools::current::GuestStatus;
use crate::tools::fleet::quorum;
use crate::tools::guest::{GUEST, answer_for};
use crate::tools::state::{self, GuestLocation};

/// The longest notes that Proxmox takes for a backup.
const NOTES_MAX_CHARS: usize = 1024;
const VOLUME_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;
/// What Proxmox's own dialogue proposes: who it is a backup of.
const NOTES_DEFAULT: &str = "{{guestname}}";
/// So many lines of the log are searched for the archive's name, which comes early.
const LOG_LINES: u64 = 300;
const MODES: &[&str] = &["snapshot", "suspend", "stop"];

/// What a backup sends of its own, as heavy as its mode makes it.
const fn backing_up(mark: Mark) -> [Sending; 4] {
    [
        sending::get("/nodes/{node}/{kind}/{vmid}/feature"),
        sending::get("/nodes/{node}/{kind}/{vmid}/config"),
        sending::get("/nodes/{node}/tasks/{upid}/log"),
        sending::post("/nodes/{node}/vzdump").weighing(mark),
    ]
}

pub(super) const CREATE: Tool = Tool {
    name: "backup_create",
    title: "Back up a guest",
    about: "Backs up a guest now, pruning nothing. Modes `suspend` and `stop` interrupt it.",
    actions: Actions::ByArguments(
        &[
            Action::new(
                "snapshot",
                &[
                    stores::READS,
                    current::READS,
                    quorum::READS,
                    &backing_up(Mark::OPERATE),
                ],
            ),
            Action::new(
                "suspend",
                &[
                    stores::READS,
                    current::READS,
                    quorum::READS,
                    &backing_up(Mark::OPERATE.interrupts()),
                ],
            ),
        ],
        way,
    ),
    subject: Subject::Guest,
    params: &[
        GUEST,
        Param::new(
            "storage",
            ParamKind::Word(Word::Storage),
            "else the only one for backups, or the default",
        )
        .optional(),
        Param::new(
            "mode",
            ParamKind::OneOf(MODES),
            "else snapshot, which does not interrupt",
        )
        .optional(),
        Param::new(
            "compress",
            ParamKind::OneOf(&["zstd", "gzip", "lzo", "0"]),
            "else zstd; 0: none",
        )
        .optional(),
        Param::new(
            "notes",
            ParamKind::Text(NOTES_MAX_CHARS),
            "kept with the backup",
        )
        .optional()
        .cleared_by("leave it out for notes with the guest's name, or write one"),
        Param::new("protected", ParamKind::Bool, "from pruning and deletion").optional(),
    ],
    answer: &[
        ("vmid", "integer"),
        ("storage", "string"),
        ("state", "string"),
    ],
    task: true,
    plan: None,
    run: RunFn::Write(create),
};

fn way(args: &Args) -> &'static str {
    match args.text("mode") {
        None | Some("snapshot") => "snapshot",
        Some(_) => "suspend",
    }
}

fn create(reach: &Reach, args: &Args) -> WriteResult {
    let guest = reach.guest()?;
    let mode = args.text("mode").unwrap_or("snapshot");
    possible(reach, mode)?;
    let stores = NodeStorages::read(reach, &guest.node, "backup")?;
    let (storage, chosen_by) = stores.for_backup(reach, args.text("storage"))?;
    let mut request = Request::new(Verb::Post, "/nodes/{node}/vzdump", &[&guest.node])?
        .with("vmid", guest.vmid.to_string())
        .with("storage", storage.as_str())
        .with("mode", mode)
        // Without it Proxmox prunes what the storage's retention says.
        .with("remove", false)
        .with("notes-template", notes(args.text("notes")));
    // A backup server compresses by itself.
    if let Some(compress) = args.text("compress") {
        request = request.with("compress", compress);
    } else if stores.kind_of(&storage) != "pbs" {
        request = request.with("compress", "zstd");
    }
    if args.yes("protected") {
        request = request.with("protected", true);
    }
    let mut answer = answer_for(reach)?;
    answer.insert("storage".into(), storage.clone().into());
    answer.insert("storage_chosen_by".into(), chosen_by.into());
    answer.insert("mode".into(), mode.into());
    let is_interrupted = mode != "snapshot";
    Ok(
        Write::new(request, answer).then(move |reach, _, mut answer| {
            if let Some(volume) = volume(reach, &answer, &storage)? {
                answer.insert("volume".into(), volume.into());
            }
            if is_interrupted {
                // It was interrupted for it, and runs on.
                let status = state::now(reach, &GuestLocation::of(reach.guest()?))?;
                answer.insert("status".into(), status.into());
            }
            Ok(answer.into())
        }),
    )
}

/// Refuses what the task would refuse, or do otherwise than it was told.
fn possible(reach: &Reach, mode: &str) -> Result<(), Error> {
    let guest = reach.guest()?;
    let current = GuestStatus::read(reach)?;
    current.unlocked(reach)?;
    // Without quorum its task waits and fails, and a guest that was stopped for it is not started.
    quorum::held(reach, "a backup")?;
    if guest.kind != GuestKind::Lxc || mode != "snapshot" || current.is_stopped() {
        return Ok(());
    }
    let request = reach.on_guest(Verb::Get, "/feature", &[])?;
    let feature = reach.send(&request.with("feature", "snapshot"))?.data;
    if flag(feature.get("hasFeature")) {
        return Ok(());
    }
    // Proxmox would quietly suspend it instead.
    Err(Error::bad(format!(
        "{}: container {} runs on a storage without snapshots, so that a backup has to interrupt \
         it: say `mode` `suspend` (shortly) or `stop`",
        reach.cluster_name(),
        guest.vmid
    )))
}

/// Notes are a template of one line, in which backslashes and line ends are escaped.
fn notes(given: Option<&str>) -> String {
    match given {
        None => NOTES_DEFAULT.to_string(),
        Some(notes) => notes.replace('\\', "\\\\").replace('\n', "\\n"),
    }
}

/// The archive that a task has made, out of its log; nothing while it runs, or where it does not say.
fn volume(
    reach: &Reach,
    answer: &Map<String, Value>,
    storage: &str,
) -> Result<Option<String>, Error> {
    let state = answer.get("state").and_then(Value::as_str);
    let task = answer.get("task").and_then(Value::as_str);
    let (Some("ok" | "warnings"), Some(task)) = (state, task) else {
        return Ok(None);
    };
    let Ok((_, upid)) = upid::parse_qualified(task) else {
        return Ok(None);
    };
    let values = [upid.node.as_str(), upid.as_str()];
    let request = Request::new(Verb::Get, "/nodes/{node}/tasks/{upid}/log", &values)?;
    match reach.send(&request.with("start", 0).with("limit", LOG_LINES)) {
        Ok(reply) => {
            let rows = reply.data.as_array().into_iter().flatten();
            let mut lines = rows.filter_map(|row| row.get("t")?.as_str());
            Ok(lines.find_map(|line| archive_in(line, storage)))
        }
        Err(error) if error.is_cancelled() => Err(error),
        // The backup is made, whatever its log.
        Err(_) => Ok(None),
    }
}

/// The volume of the archive that a line of a backup's log names.
pub fn archive_in(line: &str, storage: &str) -> Option<String> {
    let (_, rest) = line.split_once("creating ")?;
    let (what, rest) = rest.split_once(" archive '")?;
    let (path, _) = rest.split_once('\'')?;
    let name = match what {
        "vzdump" => path.rsplit('/').next()?,
        "Proxmox Backup Server" => path,
        _ => return None,
    };
    let volume = format!("{storage}:backup/{name}");
    (!name.is_empty()).then(|| printable(&volume, VOLUME_MAX_CHARS))
}
