//! The columns of the table: faults, when they begin, and what is expected under them.

use super::clusters::NODES;
use super::row::Row;
use crate::sim::{Fault, FrontBody, Limited};

/// So many seconds may a request take where the fault is that it hangs. Elsewhere a machine that is
/// busy must not look like a fault.
const SHORT_S: u64 = 2;
const LONG_S: u64 = 20;
/// Between two bytes of a slow answer, in milliseconds: a whole one takes longer than `SHORT_S`.
const BYTE_MS: u64 = 25;
const HUGE_BYTES: u64 = 100 << 20;
const NESTED: usize = 200;
const HOURS_S: i64 = 3 * 3600;
const DAYS_S: i64 = 40 * 86_400;

/// When a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With the first request of all.
    First,
    /// With the third.
    Middle,
    /// When the server knows the clusters and has connections, and a plan was made where one is.
    Warm,
    /// The same, between finding the guest and looking at it.
    Found,
    /// The same, for what writes only.
    Write,
    /// The same, after the first write was carried out.
    After,
}

/// What a fault is done to, which decides when it can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    Connections,
    Answers,
    Cluster,
    /// The guest that the call names.
    Guest,
}

/// What is expected of an answer under the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The answer is that of a healthy cluster.
    Same,
    /// An answer that is the healthy one, or names what is missing, or an error.
    Honest,
    /// The same, but what is true has changed.
    Changed,
}

pub struct Column {
    pub name: &'static str,
    /// The fault, given the VMID of the guest that the call names.
    pub fault: fn(u32) -> Limited,
    pub hits: Hits,
    pub expect: Expect,
    pub timeout_s: u64,
}

impl Column {
    /// When it begins, for this row.
    pub fn whens(&self, row: &Row) -> Vec<When> {
        // Where a write carries the digest of what was read, the API can tell; else nobody can.
        let digested = row.writes.keys().all(|write| write.contains("\"digest\""));
        match (self.hits, row.reads()) {
            (Hits::Connections | Hits::Cluster, _) => vec![When::First, When::Warm],
            (Hits::Answers, true) => vec![When::First, When::Middle],
            (Hits::Answers, false) => vec![When::First, When::Write, When::After],
            (Hits::Guest, _) if row.guest().is_none() => Vec::new(),
            (Hits::Guest, true) => vec![When::Warm, When::Found],
            (Hits::Guest, false) if digested => vec![When::Warm, When::Found, When::Write],
            (Hits::Guest, false) => vec![When::Warm, When::Found],
        }
    }
}

fn column(name: &'static str, hits: Hits, fault: fn(u32) -> Limited) -> Column {
    Column {
        name,
        fault,
        hits,
        expect: Expect::Honest,
        timeout_s: LONG_S,
    }
}

impl Column {
    fn same(self) -> Column {
        Column {
            expect: Expect::Same,
            ..self
        }
    }

    fn changed(self) -> Column {
        Column {
            expect: Expect::Changed,
            ..self
        }
    }

    fn hanging(self) -> Column {
        Column {
            timeout_s: SHORT_S,
            ..self
        }
    }
}

pub fn all() -> Vec<Column> {
    use Hits::{Answers, Cluster, Connections, Guest};
    vec![
        column("refuses", Connections, |_| Fault::Refuse.into()),
        column("refuses on one node", Connections, |_| {
            Fault::Refuse.on_node(NODES[0])
        })
        .same(),
        column("drops every 2nd connection", Connections, |_| {
            Fault::DropEvery(2).into()
        })
        .same(),
        column("drops every 3rd connection", Connections, |_| {
            Fault::DropEvery(3).into()
        })
        .same(),
        column("other certificate", Connections, |_| {
            Fault::OtherCertificate.into()
        }),
        column("hangs before the request", Answers, |_| {
            Fault::HangBefore.into()
        })
        .hanging(),
        column("hangs after the request", Answers, |_| {
            Fault::HangAfter.into()
        })
        .hanging(),
        column("byte by byte", Answers, |_| {
            Fault::SlowBytes(BYTE_MS).into()
        })
        .hanging(),
        column("cut before execution", Answers, |_| {
            Fault::CutBeforeExecute.into()
        }),
        column("cut after execution", Answers, |_| {
            Fault::CutAfterExecute.into()
        }),
        column("cut in the header", Answers, |_| Fault::CutInHeader.into()),
        column("cut in the body", Answers, |_| Fault::CutInBody.into()),
        column("100 MB", Answers, |_| Fault::Huge(HUGE_BYTES).into()),
        column("length too large", Answers, |_| Fault::WrongLength.into()),
        column("length too small", Answers, |_| Fault::ShortLength.into()),
        column("length too small once", Answers, |_| {
            Fault::ShortLength.times(1)
        }),
        column("chunked", Answers, |_| Fault::Chunked.into()).same(),
        column("HTML", Answers, |_| Fault::Html.into()),
        column("invalid JSON", Answers, |_| Fault::BadJson.into()),
        column("invalid UTF-8", Answers, |_| Fault::BadUtf8.into()),
        column("200 nested lists", Answers, |_| {
            Fault::DeepJson(NESTED).into()
        }),
        column("lists and objects swapped", Answers, |_| {
            Fault::SwappedTypes.into()
        }),
        column("lists as fields", Answers, |_| Fault::ListedFields.into()),
        column("numbers as text", Answers, |_| Fault::NumbersAsText.into()),
        column("empty", Answers, |_| Fault::Empty.into()),
        column("redirect", Answers, |_| Fault::Redirect.into()),
        column("401", Answers, |_| Fault::Status401.into()),
        column("595", Answers, |_| lost(595, false)),
        column("596 before execution", Answers, |_| lost(596, false)),
        column("596 after execution", Answers, |_| lost(596, true)),
        column("599 after execution", Answers, |_| lost(599, true)),
        column("front 502 before execution", Answers, |_| {
            front(502, FrontBody::Page, false)
        }),
        column("front 504 after execution", Answers, |_| {
            front(504, FrontBody::Page, true)
        }),
        column("front 403", Answers, |_| front(403, FrontBody::Page, false)),
        column("clock 3 h ahead", Cluster, |_| {
            Fault::ClockOff(HOURS_S).into()
        })
        .same(),
        column("clock 40 d behind", Cluster, |_| {
            Fault::ClockOff(-DAYS_S).into()
        })
        .same(),
        column("no quorum", Cluster, |_| Fault::NoQuorum.into()).changed(),
        column("the guest's node is lost", Cluster, |_| {
            Fault::NodeOffline(NODES[0].into()).into()
        })
        .changed(),
        column("another node is lost", Cluster, |_| {
            Fault::NodeOffline(NODES[1].into()).into()
        })
        .changed(),
        column("the guest takes no device", Guest, |vmid| {
            Fault::BusyGuest(vmid).into()
        })
        .changed(),
        column("the guest is locked", Guest, |vmid| {
            Fault::LockedGuest(vmid).times(1)
        })
        .changed(),
        column("the guest moves", Guest, |vmid| {
            Fault::MoveGuest(vmid).times(1)
        })
        .changed(),
        column("the VMID is reused", Guest, |vmid| {
            Fault::ReuseVmid(vmid).times(1)
        })
        .changed(),
    ]
}

fn lost(status: u16, executed: bool) -> Limited {
    Fault::Lost { status, executed }.into()
}

fn front(status: u16, with: FrontBody, executed: bool) -> Limited {
    let front = Fault::Front {
        status,
        with,
        executed,
    };
    front.into()
}
