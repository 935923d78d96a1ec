//! Names of clusters, and what refers to them: the list, the patterns of guests' names, the default.

use super::report::SetVariable;
use super::{Config, value};
use crate::text::repeated;

const RESERVED_NAMES: [&str; 3] = ["all", "auto", "none"];

/// The names of `PROXMOX_CLUSTERS`, those that are sound.
pub(super) fn listed(mut said: SetVariable) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if value::items(said.text).next().is_none() {
        said.problem("names no cluster");
    }
    for name in said.names() {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if RESERVED_NAMES.contains(&name) {
            said.problem(format!("a cluster cannot be named `{name}`"));
        } else if !name.chars().all(fits) {
            let name = repeated(name);
            said.problem(format!(
                "`{name}` has more than letters, digits, `-` and `_`"
            ));
        } else if names.iter().any(|known| known == name) {
            said.problem(format!("`{name}` is there twice"));
        } else {
            names.push(name.to_owned());
        }
    }
    names
}

/// The items of `PROXMOX_CLUSTER_PATTERNS`: a prefix, and the place of its cluster.
pub(super) fn patterns(config: &mut Config, said: &mut SetVariable) {
    for (item, number) in said.names().into_iter().zip(1..) {
        let Some((prefix, cluster)) = item.split_once(':') else {
            said.problem(format!("item {number} is no `prefix:cluster`"));
            continue;
        };
        let (prefix, cluster) = (prefix.trim(), cluster.trim());
        if prefix.is_empty() {
            said.problem(format!("item {number} has no prefix"));
        }
        match config.place(cluster) {
            Some(place) => config.patterns.push((prefix.to_owned(), place)),
            None => said.problem(format!("item {number}: {}", unknown(cluster))),
        }
    }
}

/// The place of `PROXMOX_DEFAULT_CLUSTER`; nothing for `none`.
pub(super) fn default_cluster(config: &mut Config, said: &mut SetVariable) {
    config.default = match said.text {
        "none" => None,
        name => said.parsed(|_| config.place(name).ok_or_else(|| unknown(name))),
    };
}

/// That no cluster has this name, as the end of a sentence.
pub(super) fn unknown(name: &str) -> String {
    format!("no cluster is named `{}`", repeated(name))
}
