//! A cluster that a changed file adds: whether it may come in while the program runs, or waits.
//!
//! It may be an existing one under another name, or a way to have a secret sent elsewhere: coding hosts
//! give the model a file editor.

use std::net::IpAddr;

use super::Cluster;
use super::reload::ReloadContext;
use crate::proxmox::secret::SecretSource;
use crate::proxmox::settings::{Endpoint, Trust};

/// Why `added` waits, beside the clusters that are `held`; nothing where it may come in.
pub(super) fn objection(
    held: &[Cluster],
    added: &Cluster,
    around: &ReloadContext,
) -> Option<String> {
    let settings = &added.settings;
    let SecretSource::Value(secret) = &settings.secret else {
        return Some("its secret does not stand in the file itself".into());
    };
    if !added.origin.all {
        return Some(
            "not all of it stands in the file as it is: some comes from the environment or a `${NAME}`"
                .into(),
        );
    }
    if settings.trust == Trust::Nothing {
        return Some("its certificate would not be checked".into());
    }
    if settings.proxy.is_some() {
        return Some("a proxy may lead anywhere".into());
    }
    let same_token = |one: &&Cluster| {
        one.settings
            .token_id
            .eq_ignore_ascii_case(&settings.token_id)
    };
    if let Some(other) = held.iter().find(same_token) {
        return Some(format!("its token is that of {}", other.name));
    }
    if around.is_held(&settings.secret, held, None) || (around.has_secret)(secret, None) {
        return Some("its secret is that of another cluster".into());
    }
    let own = match places(added, around) {
        Ok(places) => places,
        Err(host) => return Some(unresolved(&host)),
    };
    for other in held {
        let theirs = match places(other, around) {
            Ok(places) => places,
            Err(host) => return Some(unresolved(&host)),
        };
        let meets = |place: &ResolvedEndpoint| theirs.iter().any(|other| other.is(place));
        if own.iter().any(meets) {
            return Some(format!("it is where {} is", other.name));
        }
    }
    None
}

fn unresolved(host: &str) -> String {
    format!("the name `{host}` does not resolve at once, so that it cannot be told from another's")
}

/// An endpoint with what its name stands for.
struct ResolvedEndpoint {
    host: String,
    port: u16,
    /// Each with whether it is one of this very machine.
    addresses: Vec<(IpAddr, bool)>,
}

impl ResolvedEndpoint {
    /// Whether both may be one. On this machine a port tells two apart, as tunnels to several clusters
    /// do; elsewhere it may only be another way to the same.
    fn is(&self, other: &ResolvedEndpoint) -> bool {
        let meet = |(one, one_is_own): &(IpAddr, bool)| {
            other
                .addresses
                .iter()
                .any(|(two, two_is_own)| match one_is_own {
                    true => *two_is_own && self.port == other.port,
                    false => one == two,
                })
        };
        let is_here = self.addresses.iter().all(|(_, is_own)| *is_own);
        (self.host == other.host && !is_here) || self.addresses.iter().any(meet)
    }
}

/// Where a cluster's endpoints are; else the name that does not resolve.
fn places(cluster: &Cluster, around: &ReloadContext) -> Result<Vec<ResolvedEndpoint>, String> {
    let place = |endpoint: &Endpoint| {
        let addresses = (around.addresses)(&endpoint.host);
        let addresses = addresses.filter(|found| !found.is_empty());
        let addresses = addresses.ok_or_else(|| endpoint.host.clone())?;
        let own = |address: IpAddr| (address, (around.is_own)(address));
        Ok(ResolvedEndpoint {
            host: endpoint.host.trim_end_matches('.').to_ascii_lowercase(),
            port: endpoint.port,
            addresses: addresses.into_iter().map(own).collect(),
        })
    };
    cluster.settings.endpoints.iter().map(place).collect()
}
