//! What a client knows of its cluster without asking.

use std::time::SystemTime;

use super::{ClusterClient, REFUSED_KEPT_S};
use crate::api::upid::Upid;
use crate::time;

/// How things stand, as far as earlier requests told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStatus {
    /// Whether the cluster answered, and accepted the token.
    pub accepted: bool,
    /// The version that the cluster named, where it was asked for it.
    pub version: Option<String>,
    /// Whether the token was refused a moment ago.
    pub refused: bool,
    /// The endpoints that failed when they were last tried, and are asked last.
    pub down: Vec<String>,
    /// Where no endpoint was of use: how often and how long ago, when the next try is, and why.
    pub outage: Option<String>,
}

impl ClusterClient {
    /// Asks nobody.
    pub fn status(&self) -> ClientStatus {
        let state = self.state();
        let session = state.session.as_ref();
        let endpoints = self.settings.endpoints.iter().enumerate();
        let down = endpoints.filter(|(index, _)| state.health.is_last(*index));
        let outage = state.health.outage();
        ClientStatus {
            accepted: session.is_some_and(|session| session.is_accepted()),
            version: session.and_then(|session| session.version()),
            refused: state
                .refused
                .as_ref()
                .is_some_and(|(since, _)| since.elapsed().as_secs() < REFUSED_KEPT_S),
            down: down.map(|(_, endpoint)| endpoint.to_string()).collect(),
            outage: outage.map(|outage| outage.sentence(true)),
        }
    }

    /// Whether no endpoint was of use when they were last tried.
    pub fn is_down(&self) -> bool {
        self.state().health.outage().is_some()
    }

    /// Has the next request try, even if the cluster was down a moment ago.
    pub fn try_again(&self) {
        self.state().health.try_again();
    }

    /// What the cluster's clock says now, in Unix seconds; `None` before it said anything.
    pub fn their_time(&self) -> Option<u64> {
        let (said, ours) = self.state().clock.clone()?;
        let theirs = time::parse_http(&said)?;
        let since = SystemTime::now().duration_since(ours).unwrap_or_default();
        Some(theirs.saturating_add(since.as_secs()))
    }

    /// Whether a reply told the UPID of this task.
    pub fn knows_task(&self, upid: &Upid) -> bool {
        let state = self.state();
        state.tasks.iter().any(|known| known == upid.as_str())
    }
}
