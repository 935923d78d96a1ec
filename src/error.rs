//! Why a tool call failed, by what the caller can do next, and what may have happened by then.
//!
//! An [`Error`] becomes a tool result with `isError`; a misuse of the protocol is not an `Error` but
//! an `mcp::rpc::RpcFailure`.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What kind of failure it is: each code has one next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The arguments are wrong; every problem is listed.
    BadArguments,
    /// No configured cluster has this name.
    ClusterNotFound,
    /// Which cluster is meant cannot be told.
    AmbiguousClusterSelection,
    /// Several guests of one cluster bear the name.
    AmbiguousGuest,
    /// The gate refuses: a rule, a stale or wrong code, or a request heavier than the tool declared.
    NotAllowed,
    /// A rule protects a guest from what the call would do, or whether it does could not be found out.
    Protected,
    /// No connection was made, or none was tried: safe to repeat.
    ClusterConnection,
    /// The connection broke after the request had begun to leave.
    Interrupted,
    /// The token may not do this, or was not accepted (401).
    Permission,
    /// Proxmox refused, in its own words.
    Proxmox,
    /// A task ended badly.
    Task,
    /// What came back is not an answer of the Proxmox API.
    Reply,
    /// This program is at fault: something does not hold that always should.
    Internal,
    /// The client withdrew the call, or went away: no reply is sent.
    Cancelled,
}

impl Code {
    /// The name that stands before the sentence in an error answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadArguments => "BadArgumentsError",
            Code::ClusterNotFound => "ClusterNotFoundError",
            Code::AmbiguousClusterSelection => "AmbiguousClusterSelectionError",
            Code::AmbiguousGuest => "AmbiguousGuestError",
            Code::NotAllowed => "NotAllowedError",
            Code::Protected => "ProtectedError",
            Code::ClusterConnection => "ClusterConnectionError",
            Code::Interrupted => "InterruptedError",
            Code::Permission => "PermissionError",
            Code::Proxmox => "ProxmoxError",
            Code::Task => "TaskError",
            Code::Reply => "ReplyError",
            Code::Internal => "InternalError",
            Code::Cancelled => "CancelledError",
        }
    }
}

/// What may have happened on the cluster before the call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Nothing was sent, save reads: the call changed nothing.
    Nothing,
    /// A write was sent, and whether it took effect is not known: look before repeating it.
    Unknown,
    /// What was sent has been answered, or was only a read: the error says what came of it.
    Done,
}

/// A failed tool call. `Display` gives the sentence: the cluster first, the cause last, and what has
/// happened.
///
/// Its fields, [`ErrorFields`], stand in a box, so that a `Result` stays small.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<ErrorFields>);

/// What an [`Error`] says. A text or list that it does not have is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorFields {
    pub code: Code,
    pub happened: Happened,
    /// The cluster that stands before the sentence.
    pub cluster: String,
    /// What failed, without what has happened and without the cause.
    pub sentence: String,
    /// Why, as it was told: the text of a refusal is Proxmox's own, that of a task how it ended.
    pub cause: String,
    /// The next step, where it is certain.
    pub hint: Option<String>,
    /// The HTTP status of a refusal.
    pub status: Option<u16>,
    /// The task that failed, as `cluster!UPID`.
    pub task: Option<String>,
    /// The VMID that the call would have taken, and that another guest has.
    pub taken: Option<u32>,
    /// All that is wrong with the arguments, which is the sentence then.
    pub problems: Vec<String>,
    /// Proxmox's messages by parameter.
    pub by_parameter: Vec<(String, String)>,
    /// What may be meant: clusters, `cluster/vmid/name`, or VMIDs.
    pub candidates: Vec<String>,
    /// The clusters that did not answer, and so might hold the subject too.
    pub silent: Vec<String>,
    /// The last lines of the task's log.
    pub log_tail: Vec<String>,
    /// What was found of a write of which it was not known whether it took effect.
    pub seen: Option<String>,
    /// The requests that change something and were accepted before, as in `POST /nodes/pve1/qemu`.
    pub accepted: Vec<String>,
}

impl Deref for Error {
    type Target = ErrorFields;

    fn deref(&self) -> &ErrorFields {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut ErrorFields {
        &mut self.0
    }
}

impl Error {
    /// An error of which nothing more is known than that; `cluster` is empty where it is not about one.
    pub fn new(
        code: Code,
        happened: Happened,
        cluster: impl Into<String>,
        sentence: impl Into<String>,
    ) -> Error {
        Error(Box::new(ErrorFields {
            code,
            happened,
            cluster: cluster.into(),
            sentence: sentence.into(),
            cause: String::new(),
            hint: None,
            status: None,
            task: None,
            taken: None,
            problems: Vec::new(),
            by_parameter: Vec::new(),
            candidates: Vec::new(),
            silent: Vec::new(),
            log_tail: Vec::new(),
            seen: None,
            accepted: Vec::new(),
        }))
    }

    /// One problem with the arguments.
    pub fn bad(problem: impl Into<String>) -> Error {
        Error::bad_arguments(vec![problem.into()])
    }

    /// All that is wrong with the arguments.
    pub fn bad_arguments(problems: Vec<String>) -> Error {
        let mut error = Error::new(Code::BadArguments, Happened::Nothing, "", "");
        error.problems = problems;
        error
    }

    /// A fault of this program; `what` does not hold.
    pub fn internal(what: impl fmt::Display) -> Error {
        let sentence = format!("proxmox-mcp itself is at fault: {what}");
        Error::new(Code::Internal, Happened::Nothing, "", sentence)
            .hint("report it with the call that led to it: other arguments do not help")
    }

    pub fn cancelled() -> Error {
        let sentence = "the call was cancelled";
        Error::new(Code::Cancelled, Happened::Unknown, "", sentence)
    }

    /// Which cluster is meant cannot be told.
    pub fn ambiguous(
        sentence: impl Into<String>,
        candidates: Vec<String>,
        silent: Vec<String>,
    ) -> Error {
        let code = Code::AmbiguousClusterSelection;
        let mut error = Error::new(code, Happened::Nothing, "", sentence)
            .hint("repeat the call with `cluster` set to the one that is meant");
        error.candidates = candidates;
        error.silent = silent;
        error
    }

    pub fn not_allowed(cluster: impl Into<String>, sentence: impl Into<String>) -> Error {
        Error::new(Code::NotAllowed, Happened::Nothing, cluster, sentence)
    }

    pub fn protected(cluster: impl Into<String>, sentence: impl Into<String>) -> Error {
        Error::new(Code::Protected, Happened::Nothing, cluster, sentence)
    }

    /// Reads `prod: not reached, nothing was sent: pve1:8006: connection refused`.
    pub fn unreachable(cluster: impl Into<String>, cause: impl Into<String>) -> Error {
        let code = Code::ClusterConnection;
        Error::new(code, Happened::Nothing, cluster, "not reached").because(cause)
    }

    /// The answer to a write did not come. `request` is the method and path.
    pub fn interrupted(
        cluster: impl Into<String>,
        request: &str,
        cause: impl Into<String>,
    ) -> Error {
        let sentence = format!("`{request}` was cut off");
        Error::new(Code::Interrupted, Happened::Unknown, cluster, sentence)
            .because(cause)
            .unknown()
    }

    /// The cluster refused the token; of one that would be refused nothing was sent.
    pub fn denied(cluster: impl Into<String>, message: impl Into<String>) -> Error {
        let sentence = "the token was refused";
        Error::new(Code::Permission, Happened::Done, cluster, sentence).because(message)
    }

    /// Proxmox refused with an HTTP status and its own words.
    pub fn refused(cluster: impl Into<String>, status: u16, message: impl Into<String>) -> Error {
        let sentence = format!("Proxmox refused ({status})");
        let error = Error::new(Code::Proxmox, Happened::Done, cluster, sentence);
        let mut error = error.because(message);
        error.status = Some(status);
        error
    }

    /// `task` is `cluster!UPID`.
    pub fn task_failed(task: String, exit: String, log_tail: Vec<String>) -> Error {
        let sentence = format!("task `{task}` failed");
        let mut error = Error::new(Code::Task, Happened::Done, "", sentence).because(exit);
        error.task = Some(task);
        error.log_tail = log_tail;
        error
    }

    /// What came back to a read is no answer of the API; of a write it is [`Error::unknown`] too.
    /// `request` is the method and path.
    pub fn no_answer(cluster: impl Into<String>, request: &str, cause: impl Into<String>) -> Error {
        let sentence = format!("`{request}` got no answer of the Proxmox API");
        Error::new(Code::Reply, Happened::Done, cluster, sentence).because(cause)
    }

    /// With its cause, which stands behind the sentence.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Error {
        self.cause = cause.into();
        self
    }

    /// With the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// That the write may have taken effect.
    #[must_use]
    pub fn unknown(mut self) -> Error {
        self.happened = Happened::Unknown;
        self.hint(
            "it may have taken effect: look at the object and at the list of tasks before repeating it",
        )
    }

    /// That these requests, which change something, were accepted before it.
    #[must_use]
    pub fn after(mut self, accepted: Vec<String>) -> Error {
        // Nothing more was sent, but something had been done.
        if self.happened == Happened::Nothing {
            self.happened = Happened::Done;
        }
        if self.code == Code::ClusterConnection {
            self.code = Code::Interrupted;
        }
        self.accepted = accepted;
        self
    }

    pub fn is_cancelled(&self) -> bool {
        self.code == Code::Cancelled
    }

    /// Whether a node says that it does not have the guest: it may be on another by now.
    pub fn is_of_no_guest(&self) -> bool {
        self.code == Code::Proxmox
            && self.status == Some(500)
            && self.cause.starts_with("Configuration file 'nodes/")
            && self.cause.contains("does not exist")
    }

    /// Whether a rule of this program refused the call, before it was let pass.
    pub fn is_refusal(&self) -> bool {
        let by_rule = matches!(
            self.code,
            Code::BadArguments
                | Code::ClusterNotFound
                | Code::AmbiguousClusterSelection
                | Code::AmbiguousGuest
                | Code::NotAllowed
                | Code::Protected
        );
        by_rule && self.happened == Happened::Nothing
    }

    /// Makes each of its texts what `by` gives for it.
    #[must_use]
    pub fn with_texts(mut self, by: impl Fn(&str) -> String) -> Error {
        let it = &mut *self.0;
        let texts = [&mut it.sentence, &mut it.cause].into_iter();
        let texts = texts.chain(&mut it.hint).chain(&mut it.task);
        let texts = texts.chain(&mut it.problems).chain(&mut it.candidates);
        let texts = texts.chain(&mut it.log_tail).chain(&mut it.seen);
        let by_parameter = it.by_parameter.iter_mut();
        let texts = texts.chain(by_parameter.flat_map(|(name, text)| [name, text]));
        for text in texts.chain(&mut it.accepted) {
            *text = by(text);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cluster.is_empty() {
            write!(f, "{}: ", self.cluster)?;
        }
        write!(f, "{}{}", self.sentence, self.problems.join("; "))?;
        if !self.candidates.is_empty() {
            write!(f, ": {}", self.candidates.join(", "))?;
        }
        if !self.silent.is_empty() {
            write!(f, "; did not answer in full: {}", self.silent.join(", "))?;
        }
        match (self.happened, self.code) {
            (Happened::Nothing, Code::ClusterConnection) => f.write_str(", nothing was sent")?,
            (Happened::Nothing, _) => f.write_str("; nothing was sent")?,
            // Of what is not known the hint says what to look at.
            (Happened::Unknown | Happened::Done, _) => {}
        }
        if !self.cause.is_empty() {
            write!(f, ": {}", self.cause)?;
        }
        for (name, text) in &self.by_parameter {
            write!(f, "; `{name}`: {text}")?;
        }
        if let (Some(task), true) = (&self.task, self.code != Code::Task) {
            write!(f, "; its task is `{task}`")?;
        }
        if !self.log_tail.is_empty() {
            write!(f, "; the end of its log: {}", self.log_tail.join(" | "))?;
        }
        if let Some(seen) = &self.seen {
            write!(f, "; looked for afterwards: {seen}")?;
        }
        if !self.accepted.is_empty() {
            let accepted = self.accepted.join("`, `");
            write!(
                f,
                "; before that `{accepted}` was accepted and takes effect"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
