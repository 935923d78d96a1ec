//! Names of clusters, and what refers to them: the list, the patterns of guests' names, the default.

use super::spelling::Values;
use super::value;
use super::{Report, said};
use crate::text::repeated;

const RESERVED_NAMES: [&str; 3] = ["all", "auto", "none"];

/// The names of `PROXMOX_CLUSTERS`, those that are sound.
pub(super) fn listed(text: &str, report: &mut Report) -> Vec<String> {
    const VARIABLE: &str = "PROXMOX_CLUSTERS";
    let mut names: Vec<String> = Vec::new();
    if report.is_quoted(VARIABLE, text) {
        return names;
    }
    for name in value::items(text) {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if RESERVED_NAMES.contains(&name) {
            report.problem(VARIABLE, format!("a cluster cannot be named `{name}`"));
        } else if !name.chars().all(fits) {
            let name = repeated(name);
            report.problem(
                VARIABLE,
                format!("`{name}` has more than letters, digits, `-` and `_`"),
            );
        } else if names.iter().any(|known| known == name) {
            report.problem(VARIABLE, format!("`{name}` is there twice"));
        } else {
            names.push(name.to_owned());
        }
    }
    if value::items(text).next().is_none() {
        report.problem(VARIABLE, "names no cluster");
    }
    names
}

/// The items of `PROXMOX_CLUSTER_PATTERNS`: a prefix, and the place of its cluster among `names`.
pub(super) fn patterns(
    names: &[String],
    values: &Values,
    report: &mut Report,
) -> Vec<(String, usize)> {
    const VARIABLE: &str = "PROXMOX_CLUSTER_PATTERNS";
    let mut patterns: Vec<(String, usize)> = Vec::new();
    let text = said(values, VARIABLE).unwrap_or_default();
    if report.is_quoted(VARIABLE, text) {
        return patterns;
    }
    for (item, number) in value::items(text).zip(1..) {
        let Some((prefix, cluster)) = item.split_once(':') else {
            report.problem(VARIABLE, format!("item {number} is no `prefix:cluster`"));
            continue;
        };
        let (prefix, cluster) = (prefix.trim(), cluster.trim());
        if prefix.is_empty() {
            report.problem(VARIABLE, format!("item {number} has no prefix"));
        }
        match names.iter().position(|name| name == cluster) {
            Some(place) => patterns.push((prefix.to_owned(), place)),
            None => {
                let cluster = repeated(cluster);
                report.problem(
                    VARIABLE,
                    format!("item {number}: no cluster is named `{cluster}`"),
                );
            }
        }
    }
    patterns
}

/// The place of `PROXMOX_DEFAULT_CLUSTER`; nothing for `none`.
pub(super) fn default_cluster(
    names: &[String],
    values: &Values,
    report: &mut Report,
) -> Option<usize> {
    const VARIABLE: &str = "PROXMOX_DEFAULT_CLUSTER";
    match said(values, VARIABLE) {
        None => Some(0),
        Some("none") => None,
        Some(name) if report.is_quoted(VARIABLE, name) => None,
        Some(name) => {
            let place = names.iter().position(|known| known == name);
            if place.is_none() {
                let name = repeated(name);
                report.problem(VARIABLE, format!("no cluster is named `{name}`"));
            }
            place
        }
    }
}
