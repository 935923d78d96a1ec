//! Which variable belongs to which cluster, and what was meant by a name that nobody knows.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::env_file::EnvFile;
use super::variables::{
    self, API_URL, CLUSTER_PREFIX, CLUSTERS, Guards, PREFIX, Scope, Stage, VARIABLES,
};
use super::{ConfigReport, NOT_BUILT_YET};
use super::{foreign, slip};
use crate::meant::edits;

/// More warnings of one kind help nobody.
const UNKNOWN_MAX_ROWS: usize = 20;

/// The variables that are set, the real environment's before the file's.
pub(super) type SetVariables<'a> = BTreeMap<&'a str, &'a str>;

/// A cluster's field as it is set: the variable's whole name and its value.
#[derive(Clone, Copy)]
pub(super) struct SetField<'a> {
    pub(super) variable: &'a str,
    pub(super) value: &'a str,
}

/// The few fields of each cluster that are set, by the cluster's place, each with the field's name.
pub(super) struct FieldsByCluster<'a> {
    pub(super) fields: Vec<Vec<(&'static str, SetField<'a>)>>,
    /// Variables of a known cluster, whether they hold or not, in their order.
    known: Vec<&'a str>,
}

/// The fields of the only cluster that are set.
pub(super) fn of_single_cluster<'a>(
    values: &SetVariables<'a>,
) -> Vec<(&'static str, SetField<'a>)> {
    let set = variables::fields().filter_map(|row| {
        let name = format!("{PREFIX}{}", row.name);
        let (variable, value) = values.get_key_value(name.as_str())?;
        Some((row.name, SetField { variable, value }))
    });
    set.collect()
}

/// The spelling that a POSIX shell, Docker and systemd can set.
pub(super) fn shell_safe(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// Gives each variable to the longest name that leaves a known field. What fits two clusters is a
/// problem; what is hidden by the verbatim spelling a warning.
pub(super) fn assign<'a>(
    names: &[String],
    values: &SetVariables<'a>,
    report: &mut ConfigReport,
) -> FieldsByCluster<'a> {
    let mut spellings: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, name) in (0..).zip(names) {
        for spelling in [name.clone(), shell_safe(name)] {
            let places = spellings.entry(spelling).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    let mut owned = FieldsByCluster {
        fields: names.iter().map(|_| Vec::new()).collect(),
        known: Vec::new(),
    };
    for (variable, value) in values {
        let longest = variables::of_cluster(variable)
            .filter_map(|(spelling, field)| Some((spelling, field, spellings.get(spelling)?)))
            .max_by_key(|(spelling, ..)| spelling.len());
        let Some((spelling, field, places)) = longest else {
            continue;
        };
        owned.known.push(variable);
        let holds = |place: &usize| {
            let name = names.get(*place).map_or("", String::as_str);
            spelling == name || {
                let verbatim = format!("{CLUSTER_PREFIX}{name}_{}", field.name);
                !values.contains_key(verbatim.as_str())
            }
        };
        let holders: Vec<usize> = places.iter().copied().filter(holds).collect();
        match holders.as_slice() {
            [] if field.guards != Guards::No => report.problem(
                variable,
                "keeps nothing safe: the spelling with the cluster's own name is set too, and holds; \
                 remove one of them",
            ),
            [] => report.warn(
                variable,
                "is not used: the spelling with the cluster's own name is set too",
            ),
            [_] if field.stage == Stage::NotBuiltYet => {
                report.problem(variable, NOT_BUILT_YET);
            }
            [place] => {
                if let Some(set) = owned.fields.get_mut(*place) {
                    set.push((field.name, SetField { variable, value }));
                }
            }
            several => {
                let names: Vec<&str> = several
                    .iter()
                    .filter_map(|place| names.get(*place).map(String::as_str))
                    .collect();
                report.problem(
                    variable,
                    format!("fits several clusters: {}", names.join(", ")),
                );
            }
        }
    }
    owned
}

/// Reports what is unknown: in the file a warning; what means to keep things safe, or only looks like a
/// name of ours, is a problem wherever it stands.
pub(super) fn unknown(
    names: &[String],
    owned: &FieldsByCluster,
    values: &SetVariables,
    (environment, file): (&[(String, String)], &EnvFile),
    report: &mut ConfigReport,
) {
    // There are many, and mostly nobody asks.
    let known = LazyCell::new(|| all_names(names).collect::<Vec<(String, bool)>>());
    let of_file = || {
        let names = file.pairs.iter().map(|(name, _)| name.as_str());
        names.chain(file.bare.iter().map(String::as_str))
    };
    let in_file = LazyCell::new(|| of_file().collect::<HashSet<&str>>());
    let of_environment = environment.iter().map(|(name, _)| name.as_str());
    let others = of_environment.chain(of_file());
    let others = others.filter(|name| !values.contains_key(name));
    let others: BTreeSet<&str> = others.filter(|name| could_be_ours(name)).collect();
    // Both are in order.
    let mut of_clusters = owned.known.iter().peekable();
    let of_ours = values.keys().copied().filter(|variable| {
        of_clusters.next_if_eq(&variable).is_none() && !variables::is_known(variable)
    });
    let mut unknown = 0;
    let ours: Vec<&str> = of_ours.collect();
    for variable in ours.into_iter().chain(others) {
        if variables::is_known(variable) || foreign::is_foreign(variable) {
            continue;
        }
        // Without a `=` it is not set, but no other name.
        if !values.contains_key(variable) && known.iter().any(|(name, _)| name == variable) {
            continue;
        }
        let left_out = is_of_cluster_left_out(variable, values);
        if !variable.is_ascii() {
            report.problem(
                &shown(variable),
                "is not plain ASCII: a letter of it only looks like one of ours, or does not show; \
                 write it anew or remove it",
            );
        } else if let (Some(meant), false) = (slip::near(variable, &known), left_out) {
            report.problem(
                &shown(variable),
                format!(
                    "is unknown; {meant}, which keeps things safe, is near: correct or remove it"
                ),
            );
        } else if !left_out && slip::means_safety(variable, names) {
            report.problem(&shown(variable), sounds_safe());
        } else if in_file.contains(variable) && slip::begins_like_ours(variable) {
            unknown += 1;
            if unknown <= UNKNOWN_MAX_ROWS {
                report.warn(&shown(variable), not_used(variable, left_out, &known));
            }
        }
    }
    if let Some(more @ 1..) = unknown.checked_sub(UNKNOWN_MAX_ROWS) {
        report.warnings.push(format!(
            "{more} more variables of the file are unknown and not used"
        ));
    }
}

/// What is said of a name that means to keep things safe.
fn sounds_safe() -> String {
    let guards = VARIABLES
        .iter()
        .filter(|row| row.scope == Scope::Registry && row.guards != Guards::No);
    let guards: Vec<&str> = guards.map(|row| row.name).collect();
    format!(
        "is unknown and would keep nothing safe, as its name says; what does is {}: correct or remove it",
        guards.join(", ")
    )
}

/// Whether a name that does not begin as ours do is looked at all the same.
fn could_be_ours(name: &str) -> bool {
    match name.is_ascii() {
        true => slip::resembles(name),
        false => slip::begins_like_ours(name),
    }
}

fn not_used(variable: &str, left_out: bool, known: &[(String, bool)]) -> String {
    let nearest = known
        .iter()
        .min_by_key(|(name, _)| edits(name, variable))
        .map_or("", |(name, _)| name.as_str());
    let why = match left_out {
        true => format!("belongs to no cluster of {CLUSTERS}"),
        false => "is unknown".into(),
    };
    format!("{why} and not used; the nearest known name is {nearest}")
}

/// Reports what was to keep things safe and says nothing.
pub(super) fn without_a_value(
    names: &[String],
    values: &SetVariables,
    file: &EnvFile,
    report: &mut ConfigReport,
) {
    let is_blank = |text: &str| {
        text.trim_matches(|c: char| c == ',' || c.is_whitespace())
            .is_empty()
    };
    let empty = values.iter().filter(|(_, value)| is_blank(value));
    let empty = empty.map(|(name, _)| *name);
    let bare = file.bare.iter().map(String::as_str);
    let bare = bare.filter(|name| !values.contains_key(name));
    for name in empty
        .chain(bare)
        .filter(|name| slip::needs_a_value(name, names))
    {
        report.problem(
            name,
            "stands without a value, so that it would keep nothing safe: give it one or remove it",
        );
    }
}

/// Every name that would be known, and whether it keeps things safe.
fn all_names(names: &[String]) -> impl Iterator<Item = (String, bool)> {
    let whole = VARIABLES
        .iter()
        .filter(|variable| variable.stage != Stage::Ignored)
        .map(|variable| {
            let name = variable.name.strip_prefix(PREFIX).unwrap_or(variable.name);
            (format!("{PREFIX}{name}"), variable.guards != Guards::No)
        });
    let of_clusters = names.iter().flat_map(|name| {
        variables::fields().flat_map(move |field| {
            [name.clone(), shell_safe(name)].map(|name| {
                (
                    format!("{CLUSTER_PREFIX}{name}_{}", field.name),
                    field.guards != Guards::No,
                )
            })
        })
    });
    whole.chain(of_clusters)
}

/// Whether this, which is unknown, is the field of a whole cluster that is described but not listed, as
/// the Python package lets it be: its URL is there too, so it is no slip of the pen.
fn is_of_cluster_left_out(variable: &str, values: &SetVariables) -> bool {
    variables::of_cluster(variable).any(|(name, _)| {
        let url = format!("{CLUSTER_PREFIX}{name}_{API_URL}");
        values.contains_key(url.as_str())
    })
}

/// A name for a message, cut where it is no name any more: a secret may stand behind a `:`. What is
/// beyond ASCII is written out, since it may not show.
fn shown(variable: &str) -> String {
    let mut name = String::new();
    for letter in variable.chars() {
        match letter {
            '_' | '-' => name.push(letter),
            _ if letter.is_ascii_alphanumeric() => name.push(letter),
            _ if !letter.is_ascii() => name.extend(letter.escape_unicode()),
            _ => return format!("{name}..."),
        }
    }
    name
}
