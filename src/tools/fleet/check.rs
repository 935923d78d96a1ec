//! One cluster asked whether it serves: who answers, how fast, and what the token lacks.

use std::time::Instant;

use serde_json::Value;

use super::quorum::{self, Quorum};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::rows::Row;

const VERSION_MAX_CHARS: usize = 40;

/// What the tools here need, by the path on which they need it. `/cluster/status` is asked on `/`.
const NEEDED: &[(&str, &[&str])] = &[
    ("/", &["Sys.Audit"]),
    ("/nodes", &["Sys.Audit"]),
    (
        "/vms",
        &[
            "VM.Allocate",
            "VM.Audit",
            "VM.Backup",
            "VM.Clone",
            "VM.Config.CDROM",
            "VM.Config.CPU",
            "VM.Config.Cloudinit",
            "VM.Config.Disk",
            "VM.Config.HWType",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.Migrate",
            "VM.PowerMgmt",
            "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ],
    ),
    (
        "/storage",
        &[
            "Datastore.Allocate",
            "Datastore.AllocateSpace",
            "Datastore.Audit",
        ],
    ),
    ("/sdn", &["SDN.Use"]),
    ("/pool", &["Pool.Audit"]),
];

/// What a cluster that answers was found to be.
pub(super) struct Checked {
    version: String,
    latency_ms: u64,
    quorum: Quorum,
    missing: Vec<String>,
    not_read: Vec<String>,
}

/// The version twice, which no privilege guards, then the quorum and the rights.
///
/// # Errors
/// The cluster is not reached, not trusted, or does not accept the token.
pub(super) fn check(reach: &Reach) -> Result<Checked, Error> {
    // The first one may have to connect, and to validate the token.
    let mut version = reach.get("/version", &[])?;
    let asked = Instant::now();
    if let Ok(again) = reach.get("/version", &[]) {
        version = again;
    }
    let latency_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    let version = version.get("version").and_then(Value::as_str);
    let version = printable(version.unwrap_or_default(), VERSION_MAX_CHARS);
    let quorum = quorum::read(reach)?;
    let mut not_read = Vec::new();
    let missing = match reach.get("/access/permissions", &[]) {
        Ok(rights) => missing(&rights),
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => {
            not_read.push(format!("privileges: {error}"));
            Vec::new()
        }
    };
    if let Quorum::Unknown(why) = &quorum {
        not_read.push(format!("quorum: {why}"));
    }
    Ok(Checked {
        version,
        latency_ms,
        quorum,
        missing,
        not_read,
    })
}

impl Checked {
    pub(super) fn row(self) -> Row {
        let state = if self.quorum == Quorum::Lost {
            "ok, but without quorum"
        } else {
            "ok"
        };
        let entries: [(&str, Value); 6] = [
            ("state", state.into()),
            ("version", self.version.into()),
            ("quorum", self.quorum.name().into()),
            ("latency_ms", self.latency_ms.max(1).into()),
            ("missing_privileges", self.missing.into()),
            ("not_read", self.not_read.into()),
        ];
        let entries = entries.into_iter();
        entries
            .map(|(key, value)| (key.to_string(), value))
            .collect()
    }
}

/// A line for each path: `/vms: VM.Clone, VM.Migrate`; in a second one, what the token has on some
/// paths below only.
fn missing(rights: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, privileges) in NEEDED {
        let (mut none, mut some) = (Vec::new(), Vec::new());
        for privilege in *privileges {
            match held(rights, path, privilege) {
                Held::Everywhere => {}
                Held::Somewhere => some.push(*privilege),
                Held::Nowhere => none.push(*privilege),
            }
        }
        if !none.is_empty() {
            lines.push(format!("{path}: {}", none.join(", ")));
        }
        if !some.is_empty() {
            lines.push(format!("{path}, save some paths: {}", some.join(", ")));
        }
    }
    lines
}

enum Held {
    Everywhere,
    Somewhere,
    Nowhere,
}

/// 1 is a privilege that also holds below its path, 0 one on the path alone.
fn held(rights: &Value, path: &str, privilege: &str) -> Held {
    let on = |rights: &Value| rights.get(privilege).and_then(Value::as_i64);
    let here = rights.get(path).and_then(on);
    // What is asked on `/` itself need not reach further.
    if here == Some(1) || (path == "/" && here.is_some()) {
        return Held::Everywhere;
    }
    let below = format!("{path}/");
    let mut paths = rights.as_object().into_iter().flatten();
    let is_part = |at: &str| path != "/" && (at == path || at.starts_with(&below));
    if paths.any(|(at, rights)| is_part(at) && on(rights).is_some()) {
        Held::Somewhere
    } else {
        Held::Nowhere
    }
}
