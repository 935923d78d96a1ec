//! Why a tool call failed, by what the caller can do next.
//!
//! One variant is one next step. An `Error` becomes a tool result with `isError`; a misuse of the
//! protocol is not an `Error` but a `mcp::rpc::Failure`.

mod said;
mod texts;

/// A failed tool call. `Display` gives the sentence, [`Error::code`] the name that callers match on.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The arguments are wrong; every problem is listed. Nothing was sent.
    BadArguments(Vec<String>),
    /// No configured cluster has this name. Nothing was sent.
    ClusterNotFound { given: String, known: Vec<String> },
    /// Which cluster is meant cannot be told. `candidates` are `cluster/vmid/name` or cluster names;
    /// `silent` the clusters that did not answer and so might hold the subject too. Nothing was sent.
    AmbiguousCluster {
        sentence: String,
        candidates: Vec<String>,
        silent: Vec<String>,
    },
    /// Several guests of one cluster bear the name. Nothing was sent.
    AmbiguousGuest {
        cluster: String,
        name: String,
        vmids: Vec<u32>,
    },
    /// The gate refuses: a rule, a stale or wrong code, or a request heavier than the tool declared.
    NotAllowed {
        sentence: String,
        hint: Option<String>,
    },
    /// A rule protects a guest from what the call would do, or whether it does could not be found out.
    /// Nothing was sent, save reads.
    Protected {
        sentence: String,
        hint: Option<String>,
    },
    /// No connection was made, or none was tried: nothing was sent, safe to repeat.
    Unreachable {
        cluster: String,
        cause: String,
        hint: Option<String>,
    },
    /// The connection broke after the request had begun to leave: it may have taken effect.
    /// `request` is the method and path, as in `POST /nodes/pve1/qemu`.
    Interrupted {
        cluster: String,
        request: String,
        cause: String,
    },
    /// The token may not do this, or was not accepted (401). `sent` is false where that was known
    /// before the call: nothing was sent.
    Denied {
        cluster: String,
        message: String,
        sent: bool,
        hint: Option<String>,
    },
    /// Proxmox refused, in its own words; `errors` are its messages by parameter.
    Refused {
        cluster: String,
        status: u16,
        message: String,
        errors: Vec<(String, String)>,
        hint: Option<String>,
    },
    /// A task ended badly. `task` is `cluster!UPID`, `log_tail` the last lines of its log.
    TaskFailed {
        task: String,
        exit: String,
        log_tail: Vec<String>,
        hint: Option<String>,
    },
    /// What came back is not an answer of the Proxmox API. `request` as in [`Error::Interrupted`];
    /// `wrote` is true where the request was a write, which may have taken effect.
    NotAnAnswer {
        cluster: String,
        request: String,
        wrote: bool,
        cause: String,
    },
    /// It failed after a request that changes something was accepted. `accepted` are those requests,
    /// as in `POST /nodes/pve1/qemu`; `then` is what failed.
    Midway {
        accepted: Vec<String>,
        then: Box<Error>,
    },
    /// A write of which it was not known whether it took effect, looked for afterwards. `of` is how it
    /// failed, `seen` what was found, `hint` what to do where that is certain.
    Searched {
        of: Box<Error>,
        seen: String,
        hint: Option<String>,
    },
    /// The client withdrew the call, or went away: no reply is sent.
    Cancelled,
}

impl Error {
    /// One problem with the arguments.
    pub fn bad(problem: impl Into<String>) -> Error {
        Error::BadArguments(vec![problem.into()])
    }

    /// The same where it is not met but remembered, for so many seconds.
    #[must_use]
    pub fn told_before(mut self, kept_s: u64) -> Error {
        if let Error::Denied { message, .. } = &mut self {
            message.push_str(&format!(
                " (remembered for {kept_s} s, in which it is not asked again)"
            ));
        }
        self
    }

    /// The name that stands before the sentence in an error answer.
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadArguments(_) => "BadArgumentsError",
            Error::ClusterNotFound { .. } => "ClusterNotFoundError",
            Error::AmbiguousCluster { .. } => "AmbiguousClusterSelectionError",
            Error::AmbiguousGuest { .. } => "AmbiguousGuestError",
            Error::NotAllowed { .. } => "NotAllowedError",
            Error::Protected { .. } => "ProtectedError",
            Error::Unreachable { .. } => "ClusterConnectionError",
            Error::Interrupted { .. } => "InterruptedError",
            Error::Denied { .. } => "PermissionError",
            Error::Refused { .. } => "ProxmoxError",
            Error::TaskFailed { .. } => "TaskError",
            Error::NotAnAnswer { .. } => "ReplyError",
            // Nothing more was sent, but something had been done.
            Error::Midway { then, .. } => match then.as_ref() {
                Error::Unreachable { .. } => "InterruptedError",
                then => then.code(),
            },
            Error::Searched { of, .. } => of.code(),
            Error::Cancelled => "CancelledError",
        }
    }

    /// Whether a node says that it does not have the guest: it may be on another by now.
    pub fn is_of_no_guest(&self) -> bool {
        matches!(self, Error::Refused { status: 500, message, .. }
            if message.starts_with("Configuration file 'nodes/") && message.contains("does not exist"))
    }

    /// The task that failed, as `cluster!UPID`, where one did.
    pub fn task(&self) -> Option<&str> {
        match self {
            Error::TaskFailed { task, .. } => Some(task),
            Error::Searched { of, .. } => of.task(),
            _ => None,
        }
    }

    /// Whether a rule of this program refused the call, before it was let pass.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Error::BadArguments(_)
                | Error::ClusterNotFound { .. }
                | Error::AmbiguousCluster { .. }
                | Error::AmbiguousGuest { .. }
                | Error::NotAllowed { .. }
                | Error::Protected { .. }
        )
    }

    /// The next step, where it is certain.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::ClusterNotFound { known, .. } => {
                Some(format!("name one of: {}", known.join(", ")))
            }
            Error::AmbiguousCluster { .. } => {
                Some("repeat the call with `cluster` set to the one that is meant".into())
            }
            Error::AmbiguousGuest { .. } => Some("repeat the call with the VMID as `guest`".into()),
            Error::Interrupted { .. } => Some(
                "it may have taken effect: look at the object and at the list of tasks before repeating it"
                    .into(),
            ),
            Error::NotAnAnswer { wrote: true, .. } => Some(
                "it may have taken effect: look at the object and at the list of tasks before repeating it"
                    .into(),
            ),
            Error::NotAllowed { hint, .. }
            | Error::Protected { hint, .. }
            | Error::Unreachable { hint, .. }
            | Error::Denied { hint, .. }
            | Error::Refused { hint, .. }
            | Error::TaskFailed { hint, .. } => hint.clone(),
            Error::Midway { then, .. } => then.hint(),
            Error::Searched { of, hint, .. } => hint.clone().or_else(|| of.hint()),
            Error::BadArguments(_) | Error::NotAnAnswer { .. } | Error::Cancelled => None,
        }
    }
}

impl std::error::Error for Error {}
