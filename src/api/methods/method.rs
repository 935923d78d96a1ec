//! One row of the table: a method of the API, what it risks, where what it touches is named, what it asks
//! of a token, and by what it is found again where its answer was lost.

use serde_json::{Map, Value};

use super::lets::{self, Lets};
use super::permissions::{Grants, Permissions};
use super::{ChangedVolumes, Changes, Touch, Volumes};
use crate::api::loose::{boolean, items, plain};
use crate::api::mark::Mark;
use crate::api::request::{Request, Verb};

/// A method of the API.
pub struct Method {
    pub verb: Verb,
    /// `{kind}` stands for `qemu` and `lxc`.
    pub path: &'static str,
    pub(super) changes: Changes,
    /// What the cluster asks of a token, in the words of its description: where that is a plain check,
    /// and alike in Proxmox VE 8 and 9.
    pub permissions: Option<&'static str>,
    /// What a token is granted for it, where it takes anything that is granted by itself.
    pub grants: Grants,
    /// The parameter that names what it makes, which can be read at its path with that name behind.
    pub makes: Option<&'static str>,
    /// What the type of its task has in it; empty where that is not known, or there is none.
    pub task: &'static str,
    /// Why nobody is given its answer: it is a ticket, or no answer of the API at all.
    withheld: Option<&'static str>,
    /// The parameter with which that is so; always where there is none.
    withheld_by: Option<&'static str>,
    mark: Marked,
    touches: &'static [Named],
    lets: fn(&Sent) -> Lets,
    volumes: fn(&Sent) -> Volumes,
}

pub(super) enum Marked {
    As(Mark),
    By(fn(&Sent) -> Mark),
}

/// Where a row's request names what it touches: in a slot of its path, else in a parameter.
#[derive(Clone, Copy)]
pub(super) enum Named {
    /// The `{vmid}` of the path.
    Path,
    /// An existing guest, or several.
    Guests(&'static str),
    /// The new guest, which is an existing one where `force` is set.
    New(&'static str),
    /// A guest as the high-availability manager names it: `vm:100`.
    Sid,
    Task,
    Node,
    Storage,
    Volume,
    Pool,
    Job,
    Access(&'static str),
    Cluster,
    By(fn(&Sent) -> Vec<Touch>),
}

pub(super) const OPERATE: Marked = Marked::As(Mark::OPERATE);
/// `O?`
pub(super) const OPERATE_ASKED: Marked = Marked::As(Mark::OPERATE.asks());
/// `O!`
pub(super) const CUTS_OFF: Marked = Marked::As(Mark::OPERATE.interrupts());
/// `O!?`
pub(super) const STOPS: Marked = Marked::As(Mark::OPERATE.interrupts().asks());
pub(super) const CHANGE: Marked = Marked::As(Mark::CHANGE);
/// `C!`
pub(super) const CHANGE_CUTS: Marked = Marked::As(Mark::CHANGE.interrupts());
/// `C!?`
pub(super) const CHANGE_STOPS: Marked = Marked::As(Mark::CHANGE.interrupts().asks());
/// `F?`
pub(super) const FULL: Marked = Marked::As(Mark::FULL);
/// `F!?`
pub(super) const FULL_STOPS: Marked = Marked::As(Mark::FULL.interrupts());
/// `F?` of what takes a guest or its disks away.
pub(super) const DESTROYS: Marked = Marked::As(Mark::FULL.destroys());
/// `F!?` of what overwrites a guest that may run.
pub(super) const OVERWRITES: Marked = Marked::As(Mark::FULL.interrupts().destroys());

/// Why a websocket is not given.
pub(super) const WEBSOCKET: &str =
    "it is a websocket, for a console that a person opens in the web interface";

/// Why what answers with a ticket is not sent.
pub(super) const TICKET: &str =
    "it answers with a ticket, for a login or console that a person opens";
/// Why what answers with a secret is not sent.
pub(super) const SECRET: &str = "it answers with a secret, which belongs into no conversation: `pveum` in a shell of a node does it";
/// Why what takes a file is not sent.
pub(super) const FILE: &str = "it takes a file, which no parameter holds";

pub(super) const PATH: &[Named] = &[Named::Path];
pub(super) const NODE: &[Named] = &[Named::Node];
pub(super) const STORAGE: &[Named] = &[Named::Storage];
pub(super) const CLUSTER: &[Named] = &[Named::Cluster];

pub(super) const fn get(path: &'static str) -> Method {
    Method::new(Verb::Get, path, Marked::As(Mark::READ), &[])
}

/// A GET that is more than a look.
pub(super) const fn get_as(path: &'static str, mark: Marked) -> Method {
    Method::new(Verb::Get, path, mark, &[])
}

pub(super) const fn post(path: &'static str, mark: Marked, touches: &'static [Named]) -> Method {
    Method::new(Verb::Post, path, mark, touches)
}

pub(super) const fn put(path: &'static str, mark: Marked, touches: &'static [Named]) -> Method {
    Method::new(Verb::Put, path, mark, touches)
}

pub(super) const fn delete(path: &'static str, mark: Marked, touches: &'static [Named]) -> Method {
    Method::new(Verb::Delete, path, mark, touches)
}

impl Method {
    const fn new(
        verb: Verb,
        path: &'static str,
        mark: Marked,
        touches: &'static [Named],
    ) -> Method {
        Method {
            verb,
            path,
            changes: Changes::Nothing,
            permissions: None,
            grants: &[],
            makes: None,
            task: "",
            withheld: None,
            withheld_by: None,
            mark,
            touches,
            lets: lets::nothing,
            volumes: |_| Volumes::default(),
        }
    }

    pub(super) const fn changing(self, changes: Changes) -> Method {
        Method { changes, ..self }
    }

    pub(super) const fn permitted(mut self, permissions: Permissions) -> Method {
        self.permissions = Some(permissions.check);
        self.grants = permissions.grants;
        self
    }

    /// What is granted for it where the description has no plain check, or says it in prose.
    pub(super) const fn taking(mut self, grants: Grants) -> Method {
        self.grants = grants;
        self
    }

    pub(super) const fn making(mut self, param: &'static str) -> Method {
        self.makes = Some(param);
        self
    }

    pub(super) const fn running(mut self, task: &'static str) -> Method {
        self.task = task;
        self
    }

    pub(super) const fn withheld(mut self, why: &'static str) -> Method {
        self.withheld = Some(why);
        self
    }

    /// Kept only where this parameter is set.
    pub(super) const fn withheld_where(mut self, param: &'static str, why: &'static str) -> Method {
        self.withheld = Some(why);
        self.withheld_by = Some(param);
        self
    }

    /// Why nobody is given the answer to a request of this row.
    pub(super) fn withholds(&self, sent: &Sent) -> Option<&'static str> {
        let holds = self.withheld_by.is_none_or(|param| sent.is_set(param));
        self.withheld.filter(|_| holds)
    }

    /// What of it a protected guest is let; of others nothing.
    pub(super) const fn letting(self, lets: fn(&Sent) -> Lets) -> Method {
        Method { lets, ..self }
    }

    pub(super) fn lets(&self, sent: &Sent) -> Lets {
        (self.lets)(sent)
    }

    /// Which volumes of its guest it changes; of others none.
    pub(super) const fn about(self, volumes: fn(&Sent) -> Volumes) -> Method {
        Method { volumes, ..self }
    }

    pub(super) fn volumes(&self, sent: &Sent) -> Volumes {
        (self.volumes)(sent)
    }

    pub(super) fn mark(&self, sent: &Sent) -> Mark {
        match self.mark {
            Marked::As(mark) => mark,
            Marked::By(of) => of(sent),
        }
    }

    /// What it weighs, where that is the same for all parameters.
    pub(super) const fn fixed(&self) -> Option<Mark> {
        match self.mark {
            Marked::As(mark) => Some(mark),
            Marked::By(_) => None,
        }
    }

    pub(super) fn touches(&self, sent: &Sent) -> Vec<Touch> {
        self.touches
            .iter()
            .flat_map(|named| named.of(sent))
            .collect()
    }

    /// The request as the row reads it, where it is of this row.
    pub(super) fn takes<'r>(&self, request: &'r Request) -> Option<Sent<'r>> {
        if self.verb != request.verb {
            return None;
        }
        let slots = request.slots(self.path)?;
        let params = &request.params;
        Some(Sent { params, slots })
    }
}

/// A request as its row reads it.
pub(super) struct Sent<'r> {
    params: &'r Map<String, Value>,
    slots: Vec<(&'static str, &'r str)>,
}

impl Sent<'_> {
    /// A slot of the path; empty where the path has none of this name.
    pub(super) fn slot(&self, name: &str) -> &str {
        let found = self.slots.iter().find(|(slot, _)| *slot == name);
        found.map(|(_, value)| *value).unwrap_or_default()
    }

    /// The parameters beside the slots of the path.
    pub(super) fn params(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.params.iter()
    }

    pub(super) fn has(&self, param: &str) -> bool {
        self.params.contains_key(param)
    }

    /// Whether a boolean parameter is on, however it is written. What is no boolean counts as on.
    pub(super) fn is_set(&self, param: &str) -> bool {
        let value = self.params.get(param);
        value.is_some_and(|value| boolean(value) != Some(false))
    }

    pub(super) fn text(&self, param: &str) -> Option<String> {
        self.params.get(param).map(plain)
    }

    /// The items of a parameter that is a list.
    pub(super) fn items(&self, param: &str) -> Vec<String> {
        self.params.get(param).map(items).unwrap_or_default()
    }

    /// What a slot of the path, else a parameter, says.
    pub(super) fn value(&self, name: &str) -> String {
        match self.slot(name) {
            "" => self.text(name).unwrap_or_default(),
            slot => slot.to_string(),
        }
    }
}

impl Named {
    fn of(self, sent: &Sent) -> Vec<Touch> {
        let one = |touch| vec![touch];
        match self {
            Named::Path => one(guest(sent.slot("vmid"))),
            Named::Guests(name) => sent.items(name).iter().map(|vmid| guest(vmid)).collect(),
            Named::New(name) => match guest(&sent.value(name)) {
                Touch::Guest(vmid) if !sent.is_set("force") => one(Touch::NewGuest(vmid)),
                touch => one(touch),
            },
            Named::Sid => {
                let sid = sent.value("sid");
                let vmid = sid.split_once(':').map_or(sid.as_str(), |(_, vmid)| vmid);
                one(guest(vmid))
            }
            Named::Task => one(Touch::Task(sent.slot("upid").into())),
            Named::Node => one(Touch::Node(sent.value("node"))),
            Named::Storage => one(Touch::Storage(sent.value("storage"))),
            Named::Volume => one(Touch::Volume(volume(
                sent.slot("storage"),
                sent.slot("volume"),
            ))),
            Named::Pool => one(Touch::Pool(sent.value("poolid"))),
            Named::Job => one(Touch::Job(sent.value("id"))),
            Named::Access(name) => one(Touch::Access(sent.value(name))),
            Named::Cluster => one(Touch::Cluster),
            Named::By(of) => of(sent),
        }
    }
}

/// What cannot be read as a VMID is nothing that a call was allowed to touch.
pub(super) fn guest(vmid: &str) -> Touch {
    vmid.trim().parse().map_or(Touch::Unlisted, Touch::Guest)
}

/// A path gives a volume with its storage, or without.
fn volume(storage: &str, volume: &str) -> String {
    if volume.contains(':') {
        volume.to_string()
    } else {
        format!("{storage}:{volume}")
    }
}

/// Changes every volume of its guest.
pub(super) fn changes_all(_: &Sent) -> Volumes {
    Volumes {
        held: ChangedVolumes::All,
        ..Volumes::default()
    }
}

/// Changes every volume of its guest so that nobody else can go on with it.
pub(super) fn loses_all(_: &Sent) -> Volumes {
    Volumes {
        held: ChangedVolumes::All,
        lost: true,
        ..Volumes::default()
    }
}

/// Takes the volumes of its guest that lie on storages of one node to another one.
pub(super) fn takes_along(_: &Sent) -> Volumes {
    Volumes {
        held: ChangedVolumes::OfNode,
        lost: true,
        ..Volumes::default()
    }
}
