//! One cluster asked whether it serves: who answers, how fast, and what the token lacks.

use std::time::Instant;

use serde_json::Value;

use super::quorum::{self, Quorum};
use crate::error::Error;
use crate::fleet::permissions::TokenPermissions;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::rows::Row;
use crate::tools::needs::{self, UnmetNeed};

const VERSION_MAX_CHARS: usize = 40;

/// What a cluster that answers was found to be.
pub(super) struct ClusterHealth {
    version: String,
    latency_ms: u64,
    quorum: Quorum,
    missing: Vec<String>,
    not_read: Vec<String>,
}

/// The version twice, which no privilege guards, then the quorum and the permissions.
///
/// # Errors
/// The cluster is not reached, not trusted, or does not accept the token.
pub(super) fn check(reach: &Reach) -> Result<ClusterHealth, Error> {
    reach.try_again()?;
    // The first one may have to connect, and to validate the token.
    let mut version = reach.get("/version", &[])?;
    let asked = Instant::now();
    if let Ok(again) = reach.get("/version", &[]) {
        version = again;
    }
    let latency_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    let version = match version.get("version").and_then(Value::as_str) {
        Some(version) => printable(version, VERSION_MAX_CHARS),
        None => "unknown".to_string(),
    };
    let quorum = quorum::read(reach)?;
    let mut not_read = Vec::new();
    let missing = match reach.permissions() {
        Ok(permissions) => missing(&permissions),
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            not_read.push(format!("privileges: {error}"));
            Vec::new()
        }
    };
    if let Quorum::Unknown(why) = &quorum {
        not_read.push(format!("quorum: {why}"));
    }
    Ok(ClusterHealth {
        version,
        latency_ms,
        quorum,
        missing,
        not_read,
    })
}

impl ClusterHealth {
    pub(super) fn row(self) -> Row {
        let state = if self.quorum == Quorum::Lost {
            "ok, but without quorum"
        } else {
            "ok"
        };
        Row::from([
            ("state", state.into()),
            ("version", self.version.into()),
            ("quorum", self.quorum.name().into()),
            ("latency_ms", self.latency_ms.max(1).into()),
            ("missing_privileges", self.missing.into()),
            ("not_read", self.not_read.into()),
        ])
    }
}

/// A line for each path: `/vms: VM.Clone, VM.Migrate`; in a second one, what the token has on some
/// paths below only.
fn missing(permissions: &TokenPermissions) -> Vec<String> {
    let lacks = needs::lacks(permissions, &needs::needs(), |_| true);
    lacks.iter().flat_map(UnmetNeed::lines).collect()
}
