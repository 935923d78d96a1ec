//! What can go wrong between a client and a cluster, and when.

/// A fault. Limited by `on_node`, `on`, `times`, or sent to a cluster as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The port is closed.
    Refuse,
    /// The request is read and never answered; nothing is executed.
    HangBefore,
    /// The request is executed and never answered.
    HangAfter,
    /// The connection ends inside the answer's header.
    CutInHeader,
    /// The connection ends inside the answer's body.
    CutInBody,
    /// The request is read, the connection closed without an answer; nothing is executed.
    CutBeforeExecute,
    /// The request is executed, the connection closed without an answer.
    CutAfterExecute,
    /// The answer comes byte by byte, one every so many milliseconds.
    SlowBytes(u64),
    /// Status 200 and a web page.
    Html,
    /// Status 200 and half a JSON value.
    BadJson,
    /// Status 200 and no body.
    Empty,
    /// Status 301 to somewhere else.
    Redirect,
    /// A body of so many bytes.
    Huge(u64),
    /// Content-Length says more than comes.
    WrongLength,
    /// Content-Length says less than comes; the connection stays open.
    ShortLength,
    /// The answer in chunked encoding.
    Chunked,
    /// So many nested lists.
    DeepJson(usize),
    /// A byte in the body that is no UTF-8.
    BadUtf8,
    /// Objects where lists are expected, lists where objects or texts are.
    SwappedTypes,
    /// Each field is a list of what it should be.
    ListedFields,
    /// Numbers come as text.
    NumbersAsText,
    /// An empty 401, late as they are.
    Status401,
    /// What an entry node says that does not reach another (595, 596, 599); the request was executed
    /// or was not.
    Lost {
        status: u16,
        executed: bool,
    },
    /// What a reverse proxy or a firewall in front of the node says in its place; the request was
    /// executed or was not.
    Front {
        status: u16,
        with: FrontBody,
        executed: bool,
    },
    /// Another authority's certificate, as after a node was set up anew.
    OtherCertificate,
    /// The cluster's clock is so many seconds ahead, behind where negative.
    ClockOff(i64),
    /// Every connection of this number in a row is closed before a byte of it was read.
    DropEvery(u32),
    /// The guest of this VMID is on another node just before the request.
    MoveGuest(u32),
    /// The guest of this VMID is destroyed just before the request, and another stands there.
    ReuseVmid(u32),
    /// The guest of this VMID takes no device and gives none back, from now on.
    BusyGuest(u32),
    /// The guest of this VMID is locked as by a backup that died, from now on.
    LockedGuest(u32),
    /// The node is lost: its port is closed, others answer 595 for it, its guests become `unknown`.
    NodeOffline(String),
    NoQuorum,
    /// Errors as up to 8.3: no `message` in the body.
    OldErrors,
    /// Every answer is late by so many milliseconds.
    Latency(u64),
    /// The API description is not served.
    NoApiDoc,
    /// No fault: the API description comes without the sentences that people read.
    BriefApiDoc,
    /// Somebody else makes a guest of the VMID just before.
    Race,
    /// Every text of an answer that is no name or state of something ends with characters that hide;
    /// with `true` every text whatever.
    Hostile(bool),
    /// Status 500, with the request's own token in every text.
    Echo,
    /// Status 200 and these bytes.
    Body(Vec<u8>),
    /// Tokens lack these privileges, whatever the rules say.
    TokenLacks(Vec<String>),
}

/// What such an answer consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontBody {
    Nothing,
    Page,
    Text,
    /// A page, and a wish for a login by `Basic`.
    Login,
    /// A page, and where to log in.
    Redirect,
}

/// A fault with its limits.
#[derive(Clone, Debug)]
pub struct Limited {
    pub fault: Fault,
    /// The entry node.
    pub node: Option<String>,
    pub method: Option<String>,
    /// A prefix of the decoded path below `/api2/json`.
    pub path: Option<String>,
    /// Only for what is no GET.
    pub writes: bool,
    /// Not before a write was executed.
    pub after_write: bool,
    /// So many requests that it would hit are spared first.
    pub spared: u32,
    pub times: Option<u32>,
}

impl From<Fault> for Limited {
    fn from(fault: Fault) -> Limited {
        Limited {
            fault,
            node: None,
            method: None,
            path: None,
            writes: false,
            after_write: false,
            spared: 0,
            times: None,
        }
    }
}

impl Fault {
    pub fn on_node(self, node: &str) -> Limited {
        Limited::from(self).on_node(node)
    }

    pub fn on(self, method: &str, path: &str) -> Limited {
        Limited::from(self).on(method, path)
    }

    pub fn times(self, times: u32) -> Limited {
        Limited::from(self).times(times)
    }
}

impl Limited {
    /// Only for requests sent to this node.
    pub fn on_node(mut self, node: &str) -> Limited {
        self.node = Some(node.into());
        self
    }

    /// Only for this method (empty: any) and paths with this prefix.
    pub fn on(mut self, method: &str, path: &str) -> Limited {
        self.method = Some(method.into()).filter(|method: &String| !method.is_empty());
        self.path = Some(path.into());
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: u32) -> Limited {
        self.times = Some(times);
        self
    }

    /// Only for what is no GET.
    pub fn on_writes(mut self) -> Limited {
        self.writes = true;
        self
    }

    /// Not before a write was executed.
    pub fn after_write(mut self) -> Limited {
        self.after_write = true;
        self
    }

    /// Spares so many requests that it would hit.
    pub fn sparing(mut self, requests: u32) -> Limited {
        self.spared = requests;
        self
    }

    pub fn closes_port(&self, node: &str) -> bool {
        match &self.fault {
            Fault::Refuse => self.node.as_deref().is_none_or(|only| only == node),
            Fault::NodeOffline(lost) => lost == node,
            _ => false,
        }
    }

    /// Whether what runs on the node's connections ends with it.
    pub fn cuts_connections(&self, node: &str) -> bool {
        self.fault == Fault::OtherCertificate
            && self.node.as_deref().is_none_or(|only| only == node)
    }

    fn fits(&self, node: &str, method: &str, path: &str) -> bool {
        self.node.as_deref().is_none_or(|only| only == node)
            && self.method.as_deref().is_none_or(|only| only == method)
            && self
                .path
                .as_deref()
                .is_none_or(|prefix| path.starts_with(prefix))
            && !(self.writes && method == "GET")
            && !self.after_write
            && self.times != Some(0)
    }
}

/// The faults that hit a request, each counted down.
pub fn hits(active: &mut Vec<Limited>, node: &str, method: &str, path: &str) -> Vec<Fault> {
    let mut found = Vec::new();
    for limited in active
        .iter_mut()
        .filter(|limited| limited.fits(node, method, path))
    {
        if limited.spared > 0 {
            limited.spared -= 1;
            continue;
        }
        found.push(limited.fault.clone());
        if let Some(left) = &mut limited.times {
            *left -= 1;
        }
    }
    active.retain(|limited| limited.times != Some(0));
    found
}
