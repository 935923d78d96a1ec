//! What lists may miss, since the token of a cluster does not see it: an empty list may mean "not
//! allowed".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::cut;
use crate::error::Error;
use crate::fleet::resource::ResourceKind;
use crate::gate::reach::Reach;

/// What a list of the rows that `wanted` says may miss on this cluster; nothing where its token sees
/// all of them.
///
/// # Errors
/// The call was withdrawn.
pub fn unseen(reach: &Reach, wanted: impl Fn(ResourceKind) -> bool) -> Result<Vec<String>, Error> {
    match reach.visibility() {
        Ok(visibility) => Ok(visibility
            .gaps(wanted)
            .into_iter()
            .map(String::from)
            .collect()),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => Ok(vec![format!("what the token sees is not known: {error}")]),
    }
}

/// That no guest of the cluster bears a name, as far as its token sees.
///
/// # Errors
/// The call was withdrawn.
pub fn none_named(reach: &Reach, guest: &str) -> Result<String, Error> {
    let unseen = unseen(reach, ResourceKind::is_guest)?;
    let doubts = match unseen.as_slice() {
        [] => String::new(),
        gaps => format!(
            ", as far as the token sees; it may miss {}",
            gaps.join(", ")
        ),
    };
    Ok(format!("no guest is named `{guest}`{doubts}"))
}

/// The gaps of several clusters; those that miss the same stand together.
#[derive(Default)]
pub struct VisibilityGaps {
    clusters: BTreeMap<Vec<String>, Vec<String>>,
}

impl VisibilityGaps {
    pub fn add(&mut self, cluster: &str, unseen: Vec<String>) {
        if !unseen.is_empty() {
            self.clusters
                .entry(unseen)
                .or_default()
                .push(cluster.to_string());
        }
    }

    /// Names them in an answer, where there are any.
    pub fn name_in(self, answer: &mut Map<String, Value>) {
        let entries = self.clusters.into_iter();
        let entries: Vec<Value> = entries
            .map(|(unseen, clusters)| json!({"clusters": cut(clusters), "may_miss": unseen}))
            .collect();
        if !entries.is_empty() {
            answer.insert("incomplete".into(), entries.into());
        }
    }
}
