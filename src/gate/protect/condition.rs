//! Whether what a protected guest is let only where something is so, is so of it now.

use serde_json::Value;

use super::facts::GuestFacts;
use crate::api::loose::flag;
use crate::api::methods::Condition;
use crate::api::methods::drive::Drive;
use crate::api::request::{Request, Verb};
use crate::charged::Charged;
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;

/// What a VM has where its configuration does not say, and the memory of a container, in MiB.
const CORES_DEFAULT: u64 = 1;
const MEMORY_DEFAULT_MIB: u64 = 512;

/// What stands against it; nothing where all of it is so.
///
/// # Errors
/// The guest cannot be read.
pub(super) fn unmet(
    reach: &Reach,
    vmid: u32,
    facts: &GuestFacts,
    conditions: &[Condition],
) -> Result<Option<String>, Error> {
    for condition in conditions {
        if let Some(would) = unmet_one(reach, vmid, facts, condition)? {
            return Ok(Some(would));
        }
    }
    Ok(None)
}

fn unmet_one(
    reach: &Reach,
    vmid: u32,
    facts: &GuestFacts,
    condition: &Condition,
) -> Result<Option<String>, Error> {
    let kind = facts.at.kind;
    Ok(match condition {
        Condition::Moves if kind == GuestKind::Qemu => None,
        Condition::Stopped | Condition::Moves => {
            let stopped = is_stopped(reach, vmid, facts)?;
            let would = match kind {
                GuestKind::Qemu => "would move it other than while it runs",
                GuestKind::Lxc => "would stop it to move it",
            };
            (!stopped).then(|| would.to_string())
        }
        Condition::RunsOn => {
            let runs_on = kind == GuestKind::Qemu
                || is_stopped(reach, vmid, facts)?
                || can_snapshot(reach, vmid, facts)?;
            let would = "would suspend it, since its storage has no snapshots";
            (!runs_on).then(|| would.to_string())
        }
        Condition::Unset(key) => {
            let is_set = !facts.under(key).is_empty();
            is_set.then(|| format!("would change its `{key}`"))
        }
        Condition::Cd(key) => {
            let is_cd = |held: &String| Drive::parse(held).is_some_and(|drive| drive.is_cd());
            let other = !facts.under(key).iter().all(is_cd);
            other.then(|| format!("would take what it has under `{key}`"))
        }
        Condition::AtMost(key, most) => {
            let fewer = now(facts, key, kind).is_none_or(|now| now > *most);
            fewer.then(|| format!("would leave it with less than its `{key}`"))
        }
    })
}

/// The most that is under a key, now or after a restart; nothing where that is no number.
fn now(facts: &GuestFacts, key: &str, kind: GuestKind) -> Option<u64> {
    let held = facts.under(key);
    if held.is_empty() {
        return match (key, kind) {
            ("memory", _) => Some(MEMORY_DEFAULT_MIB),
            ("cores", GuestKind::Qemu) => Some(CORES_DEFAULT),
            // A container without a number has all of its node's.
            _ => None,
        };
    }
    let number = |text: &String| {
        let text = text.strip_prefix("current=").unwrap_or(text);
        text.parse::<u64>().ok()
    };
    let numbers = held.iter().map(number).collect::<Option<Vec<_>>>()?;
    numbers.into_iter().max()
}

fn is_stopped(reach: &Reach, vmid: u32, facts: &GuestFacts) -> Result<bool, Error> {
    let current = read(reach, vmid, facts, "/status/current", None)?;
    Ok(current.get("status").and_then(Value::as_str) == Some("stopped"))
}

fn can_snapshot(reach: &Reach, vmid: u32, facts: &GuestFacts) -> Result<bool, Error> {
    let feature = read(
        reach,
        vmid,
        facts,
        "/feature",
        Some(("feature", "snapshot")),
    )?;
    Ok(flag(feature.get("hasFeature")))
}

fn read(
    reach: &Reach,
    vmid: u32,
    facts: &GuestFacts,
    rest: &str,
    param: Option<(&str, &str)>,
) -> Result<Charged<Value>, Error> {
    let vmid = vmid.to_string();
    let values = [facts.at.node.as_str(), facts.at.kind.name(), &vmid];
    let path = format!("/nodes/{{node}}/{{kind}}/{{vmid}}{rest}");
    let mut request = Request::new(Verb::Get, &path, &values)?;
    if let Some((name, value)) = param {
        request = request.with(name, value);
    }
    Ok(reach.look(&request)?.data)
}
