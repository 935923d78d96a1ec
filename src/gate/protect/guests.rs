//! Which guests a write may touch, as far as it can be told.

use serde_json::Value;

use super::PendingAction;
use crate::api::methods::Touch;
use crate::api::pool;
use crate::api::request::{Request, Verb};
use crate::api::upid::Upid;
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::Reach;
use crate::gate::volumes::vmid_of;
use crate::text::repeated;

/// The guests that a touch means.
pub(super) enum TouchedGuests {
    Known(Vec<TouchedGuest>),
    /// They cannot be told, and why.
    Untold(String),
}

/// A guest that a write touches.
pub(super) struct TouchedGuest {
    pub(super) vmid: u32,
    at: Option<ConfigLocation>,
}

/// Where a guest's configuration is.
pub(super) struct ConfigLocation {
    pub(super) node: String,
    pub(super) kind: GuestKind,
}

impl TouchedGuest {
    pub(super) fn at(vmid: u32, node: &str, kind: GuestKind) -> TouchedGuest {
        let node = node.to_string();
        TouchedGuest {
            vmid,
            at: Some(ConfigLocation { node, kind }),
        }
    }

    /// One whose place is looked up when it is needed.
    pub(super) fn somewhere(vmid: u32) -> TouchedGuest {
        TouchedGuest { vmid, at: None }
    }
}

/// The guests that `touch` means in a request.
///
/// # Errors
/// The call was withdrawn, or the cluster is not reached.
pub(super) fn of(
    action: &PendingAction,
    touch: &Touch,
    request: &Request,
) -> Result<TouchedGuests, Error> {
    let found = match touch {
        Touch::Guest(vmid) => vec![addressed(*vmid, request)],
        Touch::Task(upid) => return Ok(of_task(upid)),
        Touch::SomeGuests | Touch::Unlisted => {
            return Ok(TouchedGuests::Untold(
                "the request does not say which guests".into(),
            ));
        }
        touch => match all_listed(action.reach, touch) {
            Ok(found) => found,
            Err(error) => return untold(error),
        },
    };
    Ok(TouchedGuests::Known(found))
}

/// What begins the type of a task that is about no guest where its id names none: of a node's services
/// and packages, of files on a storage, of certificates and logins.
const OF_NO_GUEST: [&str; 9] = [
    "acme",
    "apt",
    "auth-realm-sync",
    "download",
    "imgcopy",
    "imgdel",
    "prunebackups",
    "srv",
    "vncshell",
];

/// The guests that a task is about: those that its id names, as `100`, `100@local` or
/// `100-scsi1>101-scsi1`. One that names none, as a backup of several, may be about any.
fn of_task(upid: &str) -> TouchedGuests {
    let Ok(upid) = Upid::parse(upid) else {
        return TouchedGuests::Untold("it is no task's id".into());
    };
    let first = |text: &str| {
        let digits = text.split(['@', '-']).next().unwrap_or_default();
        digits.parse::<u32>().ok()
    };
    let named: Option<Vec<u32>> = upid.id.split('>').map(first).collect();
    match named {
        Some(vmids) => {
            TouchedGuests::Known(vmids.into_iter().map(TouchedGuest::somewhere).collect())
        }
        None if OF_NO_GUEST.iter().any(|of| upid.kind.starts_with(of)) => {
            TouchedGuests::Known(Vec::new())
        }
        None => TouchedGuests::Untold("the task does not say which guests it is about".into()),
    }
}

fn untold(error: Error) -> Result<TouchedGuests, Error> {
    match error.code {
        Code::Cancelled | Code::ClusterConnection => Err(error),
        _ => Ok(TouchedGuests::Untold(error.to_string())),
    }
}

/// The VMIDs that a touch of many guests means, as far as the token sees them.
///
/// # Errors
/// The cluster does not say what it has.
pub(in crate::gate) fn many(reach: &Reach, touch: &Touch) -> Result<Vec<u32>, Error> {
    let found = listed(reach, touch)?;
    Ok(found.iter().map(|guest| guest.vmid).collect())
}

/// The guests that a touch of many means, where the token sees every guest.
fn all_listed(reach: &Reach, touch: &Touch) -> Result<Vec<TouchedGuest>, Error> {
    if touch.is_many() {
        see_all(reach)?;
    }
    listed(reach, touch)
}

/// Those of a node, a pool or the cluster, as far as the token sees them; a touch of anything else
/// means no guests.
fn listed(reach: &Reach, touch: &Touch) -> Result<Vec<TouchedGuest>, Error> {
    match touch {
        Touch::GuestsIn(pool) => {
            let members = members(reach, pool)?.unwrap_or_default();
            Ok(members.into_iter().map(TouchedGuest::somewhere).collect())
        }
        Touch::GuestsOn(node) => {
            is_there(reach, node)?;
            seen(reach, &|of, _| of == node)
        }
        Touch::ContainersOn(node) => {
            is_there(reach, node)?;
            seen(reach, &|of, kind| of == node && kind == GuestKind::Lxc)
        }
        Touch::AllGuests => seen(reach, &|_, _| true),
        _ => Ok(Vec::new()),
    }
}

/// A node may go by a name that no list knows, as `localhost`: then whose guests it has is not told.
fn is_there(reach: &Reach, node: &str) -> Result<(), Error> {
    let mut is_there = false;
    // Whatever is on it shows it.
    reach.look_over(&mut |row| is_there |= &*row.node == node)?;
    if is_there {
        return Ok(());
    }
    let sentence = format!("no node is called `{}`", repeated(node));
    Err(Error::not_allowed(reach.cluster_name(), sentence))
}

/// The guests of the cluster that are `wanted`, by node and kind.
fn seen(
    reach: &Reach,
    wanted: &dyn Fn(&str, GuestKind) -> bool,
) -> Result<Vec<TouchedGuest>, Error> {
    let mut found = Vec::new();
    reach.look_over(&mut |row| {
        let kind = match row.kind() {
            ResourceKind::Vm => GuestKind::Qemu,
            ResourceKind::Container => GuestKind::Lxc,
            _ => return,
        };
        if let Some(vmid) = row.vmid().filter(|_| wanted(&row.node, kind)) {
            found.push(TouchedGuest::at(vmid, &row.node, kind));
        }
    })?;
    Ok(found)
}

fn see_all(reach: &Reach) -> Result<(), Error> {
    if reach.permissions()?.visibility().guests {
        return Ok(());
    }
    let message = "it lacks `VM.Audit` on all of `/vms`, and is not shown every guest";
    Err(Error::denied(reach.cluster_name(), message))
}

/// Where the guest is; nothing where there is none of its VMID.
///
/// # Errors
/// It cannot be found out.
pub(super) fn place(reach: &Reach, guest: &TouchedGuest) -> Result<Option<ConfigLocation>, Error> {
    if let Some(ConfigLocation { node, kind }) = &guest.at {
        let (node, kind) = (node.clone(), *kind);
        return Ok(Some(ConfigLocation { node, kind }));
    }
    let mut found = None;
    reach.look_over(&mut |row| {
        let kind = match row.kind() {
            ResourceKind::Vm => GuestKind::Qemu,
            ResourceKind::Container => GuestKind::Lxc,
            _ => return,
        };
        if row.vmid() == Some(guest.vmid) {
            let node = row.node.to_string();
            found = Some(ConfigLocation { node, kind });
        }
    })?;
    if found.is_none() {
        see_all(reach)?;
    }
    Ok(found)
}

/// The guest whose own path the request has, with its place; else one that is somewhere.
fn addressed(vmid: u32, request: &Request) -> TouchedGuest {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["nodes", node, kind, own, ..] if own.parse() == Ok(vmid) => match *kind {
            "qemu" => TouchedGuest::at(vmid, node, GuestKind::Qemu),
            "lxc" => TouchedGuest::at(vmid, node, GuestKind::Lxc),
            _ => TouchedGuest::somewhere(vmid),
        },
        _ => TouchedGuest::somewhere(vmid),
    }
}

/// The guests in a pool and in those within it, as far as the token may see them; nothing where there
/// is no such pool.
///
/// # Errors
/// A pool cannot be read.
pub(super) fn members_within(reach: &Reach, pool: &str) -> Result<Option<Vec<u32>>, Error> {
    let Some(mut vmids) = members(reach, pool)? else {
        return Ok(None);
    };
    let within = format!("{pool}/");
    let pools = Request::new(Verb::Get, "/pools", &[])?;
    for row in reach.look_through(&pools, "poolid")? {
        let name = row.get("poolid").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| name.starts_with(&within)) {
            vmids.extend(members(reach, name)?.unwrap_or_default());
        }
    }
    Ok(Some(vmids))
}

/// The guests in a pool itself.
fn members(reach: &Reach, pool: &str) -> Result<Option<Vec<u32>>, Error> {
    let request = pool::request(Verb::Get, pool)?;
    let data = match reach.look(&request) {
        Ok(reply) => reply.data,
        // Whoever may not read the pool is told that, whether it exists or not.
        Err(error) if error.code == Code::Proxmox && error.cause.contains("does not exist") => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let pool = data.get(0).unwrap_or(&data);
    let listed = pool.get("members").and_then(Value::as_array);
    let listed = listed
        .ok_or_else(|| Error::no_answer(reach.cluster_name(), &request.line(), "it is no pool"))?;
    Ok(Some(listed.iter().filter_map(vmid_of).collect()))
}
