//! The protocol's revisions, and what a client of each may be shown.
//!
//! The first four begin with a handshake ("legacy"); 2026-07-28 carries everything in each request
//! ("modern"). Both are served at once, so the era is decided for each request.

use serde_json::{Map, Value};

use super::rpc::RpcFailure;

/// In the `_meta` of a modern request: the revision it is written in. Required.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// In the `_meta` of a modern request: what the client can do. Required.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// In the `_meta` of a modern request: who calls.
pub const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
/// In the `_meta` of a modern result: who answers.
pub const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";

/// A revision of the protocol, from old to new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// 2024-11-05
    First,
    /// 2025-03-26: annotations, batches (and only here).
    Annotations,
    /// 2025-06-18: titles, output schemas, structured answers, elicitation.
    Structured,
    /// 2025-11-25: icons, modes of elicitation.
    Icons,
    /// 2026-07-28: no handshake.
    Stateless,
}

/// Every revision, newest first: what an unsupported one is answered with.
pub const ALL: [Revision; 5] = [
    Revision::Stateless,
    Revision::Icons,
    Revision::Structured,
    Revision::Annotations,
    Revision::First,
];

/// Spoken before `initialize`, and offered to a client that asks for something else.
pub const OFFERED: Revision = Revision::Icons;

impl Revision {
    pub fn date(self) -> &'static str {
        match self {
            Revision::First => "2024-11-05",
            Revision::Annotations => "2025-03-26",
            Revision::Structured => "2025-06-18",
            Revision::Icons => "2025-11-25",
            Revision::Stateless => "2026-07-28",
        }
    }

    pub fn is_modern(self) -> bool {
        self == Revision::Stateless
    }

    /// Tool annotations.
    pub fn has_annotations(self) -> bool {
        self >= Revision::Annotations
    }

    /// `title`, `outputSchema`, `structuredContent`.
    pub fn is_structured(self) -> bool {
        self >= Revision::Structured
    }

    /// A client may be asked a question for its user.
    pub fn has_elicitation(self) -> bool {
        self >= Revision::Structured
    }

    /// A question says in its `mode` that it is a form.
    pub fn has_modes(self) -> bool {
        self >= Revision::Icons
    }

    pub fn has_icons(self) -> bool {
        self >= Revision::Icons
    }

    pub fn takes_batches(self) -> bool {
        self == Revision::Annotations
    }

    /// What `initialize` settles on: the client's wish among the legacy ones, else [`OFFERED`]. A
    /// wish for 2026-07-28 is never echoed: who believes in it does not send `initialize`.
    pub fn negotiate(wish: Option<&str>) -> Revision {
        ALL.into_iter()
            .find(|known| !known.is_modern() && Some(known.date()) == wish)
            .unwrap_or(OFFERED)
    }

    /// The revision of a modern request, which says it.
    ///
    /// # Errors
    /// It does not say it as it should, or it is another one.
    pub fn of_modern(params: &Map<String, Value>) -> Result<Revision, RpcFailure> {
        let Some(Value::Object(meta)) = params.get("_meta") else {
            return Err(RpcFailure::bad_params("`params._meta` must be an object"));
        };
        let Some(Value::String(wish)) = meta.get(META_VERSION) else {
            return Err(RpcFailure::bad_params(format!(
                "`params._meta` must have `{META_VERSION}`, a string"
            )));
        };
        if wish != Revision::Stateless.date() {
            return Err(RpcFailure::unsupported_version(wish));
        }
        if !matches!(meta.get(META_CAPABILITIES), Some(Value::Object(_))) {
            return Err(RpcFailure::bad_params(format!(
                "`params._meta` must have `{META_CAPABILITIES}`, an object"
            )));
        }
        Ok(Revision::Stateless)
    }
}
