//! Which cluster a call means, and why. Pure: what is where comes in as [`IndexedClusters`].
//!
//! The order is fixed: the only cluster, the `cluster` argument, the name's pattern, the cluster's
//! own name in front of the guest's, the place where the thing is, the default. Nothing that exists
//! is ever changed by default.

use super::index::Names;
use super::index::{Guest, ResourceIndex};
use crate::config::Config;
use crate::error::{Code, Error, Happened};

/// What the call addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedSubject<'a> {
    /// An existing guest by its VMID.
    Vmid(u32),
    /// An existing guest by its name.
    Guest(&'a str),
    Node(&'a str),
    Storage(&'a str),
    Pool(&'a str),
    /// A new thing by the name that it will have; none where it has no name.
    New(Option<&'a str>),
    Nothing,
}

/// What is asked: which cluster a call means.
#[derive(Clone, Copy, Debug)]
pub struct ClusterQuestion<'a> {
    /// The `cluster` argument.
    pub cluster: Option<&'a str>,
    pub named: NamedSubject<'a>,
    /// What the call names beside an existing subject: something new that it makes of it, or the node that
    /// narrows it. It decides only where the subject is on several clusters.
    pub beside: Option<NamedSubject<'a>>,
    /// Whether the call only reads.
    pub reading: bool,
}

/// The answer: which cluster, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its place in the configuration.
    pub cluster: usize,
    /// As it stands in every answer: `pattern stg-`.
    pub chosen_by: String,
    /// Names of the clusters that did not answer in full and might hold the subject too.
    pub silent: Vec<String>,
}

/// What one cluster answered when it was asked what is where.
pub struct IndexedCluster<'a> {
    pub rows: &'a ResourceIndex,
    pub names: &'a Names,
    /// Whether the token sees all guests there.
    pub sees_all: bool,
}

/// By cluster, in the order of the configuration; `None` where it did not answer.
pub type IndexedClusters<'a> = Vec<Option<IndexedCluster<'a>>>;

/// What can be said before anybody is asked what is where.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstDecision {
    Decided(Decision),
    /// All clusters must be asked where the subject is.
    Look,
}

/// Decides by words alone, as far as that goes.
///
/// # Errors
/// An unknown cluster; a name that means several clusters; no default where one is needed.
pub fn by_words(config: &Config, ask: &ClusterQuestion) -> Result<FirstDecision, Error> {
    let decided = |cluster, chosen_by: String| {
        Ok(FirstDecision::Decided(Decision {
            cluster,
            chosen_by,
            silent: Vec::new(),
        }))
    };
    if let Some(given) = ask.cluster {
        let mut all = config.clusters.iter();
        return match all.position(|one| one.name == given) {
            Some(_) if config.clusters.len() == 1 => decided(0, "only cluster".into()),
            Some(cluster) => decided(cluster, "cluster argument".into()),
            None => {
                let sentence = format!("no cluster is named `{given}`");
                let hint = format!("name one of: {}", names(config).join(", "));
                Err(Error::new(Code::ClusterNotFound, Happened::Nothing, "", sentence).hint(hint))
            }
        };
    }
    let mut settled = config.settled();
    if let (Some(only), None) = (settled.next(), settled.next()) {
        return decided(only, "only cluster".into());
    }
    let name = match ask.named {
        NamedSubject::Guest(name) => Some(name),
        NamedSubject::New(name) => name,
        _ => None,
    };
    if let Some((cluster, chosen_by)) = name.map_or(Ok(None), |name| by_name(config, name))? {
        return decided(cluster, chosen_by);
    }
    match ask.named {
        NamedSubject::New(_) => by_default(config).map(FirstDecision::Decided),
        NamedSubject::Nothing if ask.reading => by_default(config).map(FirstDecision::Decided),
        NamedSubject::Nothing => Err(Error::ambiguous(
            "which cluster is to be changed is not said",
            names(config),
            Vec::new(),
        )),
        _ => Ok(FirstDecision::Look),
    }
}

/// The cluster that a name means by pattern, or by a cluster's own name in front of it.
///
/// # Errors
/// Several clusters.
pub fn by_name(config: &Config, name: &str) -> Result<Option<(usize, String)>, Error> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (prefix, cluster) in &config.patterns {
        if name.starts_with(prefix) {
            found.push((*cluster, format!("pattern {prefix}")));
        }
    }
    if found.is_empty() {
        let settled = config.clusters.iter().enumerate();
        for (place, cluster) in settled.filter(|(_, cluster)| !cluster.joined) {
            let rest = name.strip_prefix(&cluster.name);
            if rest.is_some_and(|rest| rest.starts_with('-')) {
                found.push((place, format!("name prefix {}-", cluster.name)));
            }
        }
    }
    // Of several prefixes of one cluster the longest explains best.
    found.sort_by_key(|(_, chosen_by)| std::cmp::Reverse(chosen_by.len()));
    let Some((first, _)) = found.first() else {
        return Ok(None);
    };
    if found.iter().all(|(cluster, _)| cluster == first) {
        return Ok(found.into_iter().next());
    }
    found.sort();
    let candidates = found
        .iter()
        .map(|(cluster, chosen_by)| format!("{} ({chosen_by})", config.name(*cluster)));
    Err(Error::ambiguous(
        format!("`{name}` means several clusters"),
        candidates.collect(),
        Vec::new(),
    ))
}

/// The cluster for reads without a subject and for new things.
///
/// # Errors
/// `PROXMOX_DEFAULT_CLUSTER` is `none`.
pub fn by_default(config: &Config) -> Result<Decision, Error> {
    match config.default {
        Some(cluster) => Ok(Decision {
            cluster,
            chosen_by: "default cluster".into(),
            silent: Vec::new(),
        }),
        None => Err(Error::ambiguous(
            "no cluster is said, and `PROXMOX_DEFAULT_CLUSTER` is `none`",
            names(config),
            Vec::new(),
        )),
    }
}

/// Decides by where the subject is. `Ok(None)`: it was not found on any cluster that answered.
///
/// # Errors
/// Several clusters have it; or the call changes something and a cluster that might have it too is
/// silent.
pub fn by_place(
    config: &Config,
    ask: &ClusterQuestion,
    indexed_clusters: &IndexedClusters,
) -> Result<Option<Decision>, Error> {
    let mut holders = Vec::new();
    let mut candidates = Vec::new();
    let mut silent = Vec::new();
    let settled = config.clusters.iter().enumerate();
    for (place, cluster) in settled.filter(|(_, cluster)| !cluster.joined) {
        let Some(indexed) = indexed_clusters.get(place).and_then(Option::as_ref) else {
            silent.push(cluster.name.clone());
            continue;
        };
        if !is_complete(ask.named, indexed) {
            silent.push(cluster.name.clone());
        }
        let found = found_in(ask.named, indexed, &cluster.name);
        if !found.is_empty() {
            holders.push(place);
            candidates.extend(found);
        }
    }
    let subject = subject_text(ask.named);
    let mut found_kind = subject_kind(ask.named);
    if holders.len() > 1
        && let Some(only) = by_node(ask, &holders, indexed_clusters)
    {
        holders = vec![only];
        found_kind = "node";
    }
    match holders.as_slice() {
        [_, _, ..] => by_second_name(config, ask, &holders).map_or_else(
            || {
                let sentence = format!("{subject} is on several clusters");
                Err(Error::ambiguous(sentence, candidates, silent))
            },
            |decision| Ok(Some(decision)),
        ),
        _ if !ask.reading && !silent.is_empty() => {
            let sentence = format!("whether another cluster has {subject} too cannot be told");
            Err(Error::ambiguous(sentence, candidates, silent))
        }
        [cluster] => {
            // One that holds the subject itself leaves nothing open about itself.
            let holder = config.clusters.get(*cluster).map(|one| one.name.clone());
            silent.retain(|name| Some(name) != holder.as_ref());
            Ok(Some(Decision {
                cluster: *cluster,
                chosen_by: format!("{found_kind} found there"),
                silent,
            }))
        }
        [] if silent.is_empty() => Ok(None),
        [] => {
            let sentence = format!("{subject} is on no cluster that answered");
            Err(Error::ambiguous(sentence, candidates, silent))
        }
    }
}

/// Of several clusters that have the subject, the one that the name of what is made beside it means.
fn by_second_name(config: &Config, ask: &ClusterQuestion, holders: &[usize]) -> Option<Decision> {
    let Some(NamedSubject::New(Some(name))) = ask.beside else {
        return None;
    };
    let (cluster, chosen_by) = by_name(config, name).ok()??;
    holders.contains(&cluster).then(|| Decision {
        cluster,
        chosen_by: format!("{chosen_by} of the new name"),
        silent: Vec::new(),
    })
}

/// Of several clusters that have the subject, the only one that has the node beside it too.
fn by_node(
    ask: &ClusterQuestion,
    holders: &[usize],
    indexed_clusters: &IndexedClusters,
) -> Option<usize> {
    let Some(NamedSubject::Node(node)) = ask.beside else {
        return None;
    };
    let has = |place: usize| {
        let indexed = indexed_clusters.get(place).and_then(Option::as_ref);
        indexed.is_some_and(|indexed| indexed.rows.has_node(node))
    };
    let mut there = holders.iter().copied().filter(|place| has(*place));
    there.next().filter(|_| there.next().is_none())
}

/// That the name of something new means another cluster than the one where it is made: a purpose, or a
/// slip.
pub fn contradiction(config: &Config, cluster: usize, name: &str) -> Option<String> {
    let here = config.clusters.get(cluster)?;
    let there = match by_name(config, name) {
        Ok(None) => return None,
        Ok(Some((other, _))) if other == cluster => return None,
        Ok(Some((other, chosen_by))) => {
            format!("{} ({chosen_by})", config.clusters.get(other)?.name)
        }
        Err(_) => "several clusters".into(),
    };
    Some(format!(
        "`{name}` means {there}, but it is made on {}: a call that names it needs `cluster`",
        here.name
    ))
}

/// Whether what this cluster answered rules out that it has the subject.
fn is_complete(named: NamedSubject, indexed: &IndexedCluster) -> bool {
    match named {
        NamedSubject::Vmid(_) => indexed.sees_all,
        NamedSubject::Guest(_) => {
            indexed.sees_all && indexed.rows.nameless(indexed.names).is_empty()
        }
        _ => true,
    }
}

fn found_in(named: NamedSubject, indexed: &IndexedCluster, cluster: &str) -> Vec<String> {
    let IndexedCluster { rows, names, .. } = indexed;
    let line = |guest: Guest| {
        let name = guest.name.unwrap_or_default();
        format!("{cluster}/{}/{name}", guest.vmid)
    };
    let name_where = |there: bool| Vec::from_iter(there.then(|| cluster.to_string()));
    match named {
        NamedSubject::Vmid(vmid) => rows.by_vmid(vmid, names).into_iter().map(line).collect(),
        NamedSubject::Guest(name) => rows.by_name(name, names).into_iter().map(line).collect(),
        NamedSubject::Node(node) => name_where(rows.has_node(node)),
        NamedSubject::Storage(storage) => name_where(rows.has_storage(storage)),
        NamedSubject::Pool(pool) => name_where(rows.has_pool(pool)),
        NamedSubject::New(_) | NamedSubject::Nothing => Vec::new(),
    }
}

/// The subject in a sentence: "guest `web-01`".
pub fn subject_text(named: NamedSubject) -> String {
    match named {
        NamedSubject::Vmid(vmid) => format!("guest {vmid}"),
        NamedSubject::Guest(name) => format!("guest `{name}`"),
        NamedSubject::Node(node) => format!("node `{node}`"),
        NamedSubject::Storage(storage) => format!("storage `{storage}`"),
        NamedSubject::Pool(pool) => format!("pool `{pool}`"),
        NamedSubject::New(name) => format!("new `{}`", name.unwrap_or_default()),
        NamedSubject::Nothing => "nothing".into(),
    }
}

fn subject_kind(named: NamedSubject) -> &'static str {
    match named {
        NamedSubject::Vmid(_) | NamedSubject::Guest(_) => "guest",
        NamedSubject::Node(_) => "node",
        NamedSubject::Storage(_) => "storage",
        NamedSubject::Pool(_) => "pool",
        NamedSubject::New(_) | NamedSubject::Nothing => "nothing",
    }
}

/// The clusters' names in the order of the configuration.
pub fn names(config: &Config) -> Vec<String> {
    config.clusters.iter().map(|one| one.name.clone()).collect()
}
