//! What a plan says of the other guests whose volumes a call touches.

use serde_json::{Map, Value, json};

use super::{WrittenGuest, others};
use crate::api::mark::{Effect, Mark};
use crate::api::methods::SharedVolume;
use crate::error::Error;
use crate::gate::confirm::Plan;
use crate::gate::protect;
use crate::gate::reach::{HeavierWrite, Reach};
use crate::text::printable;

/// The longest name of a guest or volume that is shown, in characters.
const NAME_MAX_CHARS: usize = 200;

/// A plan with those who use the volumes that the call takes away from its guest.
///
/// # Errors
/// One of them is protected; the call was withdrawn, or the cluster is not reached.
pub(in crate::gate) fn shown(
    reach: &Reach,
    tool: &str,
    mark: Mark,
    mut plan: Plan,
) -> Result<Plan, Error> {
    let volumes = std::mem::take(&mut plan.volumes);
    if mark.effect < Effect::Full || volumes.is_empty() {
        return Ok(plan);
    }
    let guest = reach.guest()?;
    let own = WrittenGuest {
        vmid: guest.vmid,
        node: &guest.node,
    };
    let shared = others(reach, own, &volumes, mark.destroys)?;
    if shared.is_empty() {
        return Ok(plan);
    }
    protect::shared(reach, tool, mark, &shared)?;
    add(reach, &mut plan, shared);
    Ok(plan)
}

/// Adds the other guests to what is shown, to what the confirmation is bound to, and to the number.
fn add(reach: &Reach, plan: &mut Plan, shared: Vec<SharedVolume>) {
    let mut vmids: Vec<u32> = shared
        .iter()
        .filter_map(|one| one.with.clone().ok())
        .collect();
    vmids.sort_unstable();
    vmids.dedup();
    plan.objects += vmids.len();
    let rows: Vec<Value> = shared.iter().map(|one| row(reach, one)).collect();
    if let Some(subject) = plan.subject.as_object_mut() {
        subject.insert("shared".into(), json!(rows));
    }
    plan.shown.insert("used_by_others".into(), rows.into());
    plan.shared = shared;
}

fn row(reach: &Reach, shared: &SharedVolume) -> Value {
    let mut row = Map::new();
    let volume = printable(&shared.volume, NAME_MAX_CHARS);
    row.insert("volume".into(), volume.into());
    match &shared.with {
        Ok(vmid) => {
            row.insert("vmid".into(), (*vmid).into());
            if let Some(name) = reach.name_of(*vmid) {
                row.insert("name".into(), printable(&name, NAME_MAX_CHARS).into());
            }
        }
        Err(why) => {
            let why = format!("cannot be told: {}", printable(why, NAME_MAX_CHARS));
            row.insert("whose".into(), why.into());
        }
    }
    Value::Object(row)
}

impl HeavierWrite {
    /// The plan of a call that only its first write showed to be as heavy as that: both guests, and what
    /// may become of the volume.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub(crate) fn plan(&self, reach: &Reach) -> Result<Plan, Error> {
        let own = reach.guest().ok();
        let config = own.map(|guest| {
            let vmid = guest.vmid.to_string();
            reach.config_of([&guest.node, guest.kind.name(), &vmid])
        });
        let config = config.transpose()?;
        let digest = config.as_ref().and_then(|config| config.get("digest"));
        let vmid = self.makes.or(own.map(|guest| guest.vmid));
        let mut shown = Map::new();
        shown.insert("cluster".into(), reach.cluster_name().into());
        if let Some(name) = own.and_then(|guest| guest.name.as_deref()) {
            shown.insert("name".into(), printable(name, NAME_MAX_CHARS).into());
        }
        shown.insert("vmid".into(), vmid.into());
        if self.makes.is_some() {
            shown.insert("new".into(), true.into());
        }
        shown.insert("request".into(), self.request.clone().into());
        let (lost, undo) = if self.mark.destroys {
            (
                "a volume that another guest uses too, with all data on it",
                "cannot be undone: only a backup of that guest brings the data back",
            )
        } else {
            (
                "the guarantee that one guest alone writes to the volume: two that write to it destroy \
                 what is on it, and whichever is deleted may take it along",
                "by taking it from one of the two again, before both have run",
            )
        };
        shown.insert("lost".into(), lost.into());
        shown.insert("undo".into(), undo.into());
        let subject = json!({
            "cluster": reach.cluster_name(),
            "vmid": vmid,
            "digest": digest,
            "request": self.request,
        });
        let mut plan = Plan {
            subject,
            shown,
            objects: 1,
            ..Plan::default()
        };
        add(reach, &mut plan, self.shared.clone());
        Ok(plan)
    }
}
