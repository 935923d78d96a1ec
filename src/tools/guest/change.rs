//! A change of a guest's configuration: read, changed under its digest, and what of it waits for a
//! restart.

use serde_json::{Map, Value};

use super::encoded;
use super::half;
use crate::api::mark::Mark;
use crate::api::methods::Sending;
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::HandlerResult;
use crate::tool::args::Args;
use crate::tool::step::{self, StepResult};
use crate::tools::current::GuestStatus;

/// What is read around a change of a configuration.
pub const READS: &[Sending] = &[
    sending::get("/nodes/{node}/{kind}/{vmid}/config"),
    sending::get("/nodes/{node}/{kind}/{vmid}/pending"),
];

/// The writes of a configuration, as heavy at most.
pub const fn at_once(mark: Mark) -> [Sending; 2] {
    [
        sending::put("/nodes/{node}/qemu/{vmid}/config").weighing(mark),
        sending::put("/nodes/{node}/lxc/{vmid}/config").weighing(mark),
    ]
}

/// [`at_once`], where it takes longer, of a VM by a task.
pub const fn slowly(mark: Mark) -> [Sending; 2] {
    [
        sending::post("/nodes/{node}/qemu/{vmid}/config").weighing(mark),
        sending::put("/nodes/{node}/lxc/{vmid}/config").weighing(mark),
    ]
}

/// The longest value of an option that is shown, in characters.
const VALUE_MAX_CHARS: usize = 200;
/// Stands for the value of an option that is taken away.
const REMOVED: &str = "(removed)";
/// Stands for notes, which are a stranger's.
const CHANGED: &str = "(changed)";

/// The configuration as it will be after a restart.
///
/// # Errors
/// The guest cannot be read.
pub(super) fn config(reach: &Reach) -> Result<Map<String, Value>, Error> {
    match reach.get_of_guest("/config")?.let_go() {
        Value::Object(config) => Ok(config),
        _ => Err(Error::no_answer(
            reach.cluster_name(),
            "GET config",
            "it is no configuration",
        )),
    }
}

/// The configuration of a guest that no task holds: most changes of a locked one fail, some only in a
/// task.
///
/// # Errors
/// As [`config`]; or the guest is locked.
pub(super) fn unlocked(reach: &Reach) -> Result<Map<String, Value>, Error> {
    let config = Value::Object(config(reach)?);
    GuestStatus::of(&config).unlocked(reach)?;
    match config {
        Value::Object(config) => Ok(config),
        _ => Ok(Map::new()),
    }
}

/// For changes that make or free a volume: a VM knows a task for them, a container only the answer
/// that waits.
pub(super) fn slow_verb(kind: GuestKind) -> Verb {
    match kind {
        GuestKind::Qemu => Verb::Post,
        GuestKind::Lxc => Verb::Put,
    }
}

/// A request that changes `config` by `params`, which fails where somebody else has changed it
/// meanwhile.
///
/// # Errors
/// As [`Request::new`].
pub(super) fn request(
    reach: &Reach,
    verb: Verb,
    config: &Map<String, Value>,
    params: Map<String, Value>,
) -> Result<Request, Error> {
    let mut request = reach.on_guest(verb, "/config", &[])?;
    request.params = params;
    Ok(with_digest(request, config))
}

/// Makes a request good only for the configuration as it was read; a digest that the caller gave stands.
pub(super) fn with_digest(request: Request, config: &Map<String, Value>) -> Request {
    match config.get("digest") {
        Some(digest) if !request.params.contains_key("digest") => {
            request.with("digest", digest.clone())
        }
        _ => request,
    }
}

/// Sends a change of `config` and goes on with how it went; what waits for a restart stands under
/// `pending`.
///
/// # Errors
/// What Proxmox has against it; where the guest did not take it, with what is left of it.
pub(super) fn send(
    reach: &Reach,
    args: &Args,
    request: Request,
    config: Map<String, Value>,
    then: impl FnOnce(&Reach, &Args, Map<String, Value>) -> StepResult + 'static,
) -> StepResult {
    let sent = reach.send(&request);
    let after = move |reach: &Reach, args: &Args, changed: HandlerResult| {
        let mut answer = changed.map_err(|error| match half::is_plug(&error) {
            true => half::told(reach, error, &request, &config),
            false => error,
        })?;
        if step::has_ended(&answer) {
            tell_pending(reach, &mut answer)?;
        }
        then(reach, args, answer)
    };
    match sent {
        Ok(reply) => step::follow(reach, args, &reply, after),
        Err(error) => after(reach, args, Err(error)),
    }
}

/// Says what a restart would still bring. The change is made: that this cannot be read must not look as if
/// it were not.
fn tell_pending(reach: &Reach, answer: &mut Map<String, Value>) -> Result<(), Error> {
    match pending(reach) {
        Ok(pending) if pending.is_empty() => {}
        Ok(pending) => {
            answer.insert("pending".into(), Value::Object(pending));
        }
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            answer.insert("pending_unknown".into(), error.to_string().into());
        }
    }
    Ok(())
}

/// What a restart would still bring.
fn pending(reach: &Reach) -> Result<Map<String, Value>, Error> {
    let rows = reach.rows_of_guest("/pending", "key")?;
    let waiting = rows.iter().filter_map(|row| {
        let key = row.get("key").and_then(Value::as_str)?;
        let value = match (row.get("pending"), row.get("delete")) {
            (Some(_), _) if key == "description" => CHANGED.into(),
            (Some(value), _) => printable(&encoded::readable(key, value), VALUE_MAX_CHARS),
            (None, Some(_)) => REMOVED.into(),
            (None, None) => return None,
        };
        Some((printable(key, VALUE_MAX_CHARS), Value::from(value)))
    });
    Ok(waiting.collect())
}
