//! Access levels: what a cluster's configuration allows at most.

use crate::api::mark::Effect;
use crate::config::Cluster;
use crate::error::Error;

/// Refuses what is above the cluster's level. `what` is the call or the request, in backticks.
///
/// # Errors
/// It is: with the level and the variable that sets it.
pub fn check(cluster: &Cluster, what: &str, effect: Effect) -> Result<(), Error> {
    if effect <= cluster.access {
        return Ok(());
    }
    let sentence = format!(
        "{what} needs the access level `{}`, and {} allows `{}` at most",
        effect.name(),
        cluster.access_variable,
        cluster.access.name()
    );
    Err(Error::not_allowed(&cluster.name, sentence))
}
