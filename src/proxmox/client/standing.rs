//! What a client knows of its cluster without asking.

use super::{Client, DOWN_KEPT_S, REFUSED_KEPT_S};

/// How things stand, as far as earlier requests told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The version that the cluster named when it last accepted the token.
    pub version: Option<String>,
    /// Whether the token was refused a moment ago.
    pub refused: bool,
    /// The endpoints that took no connection a moment ago.
    pub down: Vec<String>,
}

impl Client {
    /// Asks nobody.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        let session = state.session.as_ref();
        let endpoints = self.settings.endpoints.iter().zip(&state.down);
        let down = endpoints.filter(|(_, since)| {
            since.is_some_and(|since| since.elapsed().as_secs() < DOWN_KEPT_S)
        });
        Standing {
            version: session.and_then(|session| session.version()),
            refused: state
                .refused
                .as_ref()
                .is_some_and(|(since, _)| since.elapsed().as_secs() < REFUSED_KEPT_S),
            down: down.map(|(endpoint, _)| endpoint.to_string()).collect(),
        }
    }
}
