//! Which variable belongs to which cluster, and what was meant by a name that nobody knows.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::config::{NOT_BUILT_YET, Report};
use super::variables::{self, CLUSTER_PREFIX, PREFIX, Stage, VARIABLES};

/// As many edits away from a name that keeps things safe is a slip, not another name.
const SLIP_MAX_EDITS: usize = 2;
/// More warnings of one kind help nobody.
const UNKNOWN_MAX_ROWS: usize = 20;

/// The variables that are set, the real environment's before the file's.
pub(super) type Values<'a> = BTreeMap<&'a str, &'a str>;

/// A cluster's field as it is set: the variable's whole name and its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) variable: &'a str,
    pub(super) value: &'a str,
}

/// The few fields of each cluster that are set, by the cluster's place, each with the field's name.
pub(super) struct Owned<'a> {
    fields: Vec<Vec<(&'static str, Field<'a>)>>,
    /// Variables of a known cluster, whether they hold or not, in their order.
    known: Vec<&'a str>,
}

impl<'a> Owned<'a> {
    pub(super) fn get(&self, cluster: usize, field: &str) -> Option<Field<'a>> {
        let set = self.fields.get(cluster)?;
        let (_, value) = set.iter().find(|(name, _)| *name == field)?;
        Some(*value)
    }

    fn knows(&self, variable: &str) -> bool {
        self.known.binary_search(&variable).is_ok()
    }
}

/// The spelling that a POSIX shell, Docker and systemd can set.
pub(super) fn shell_safe(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// Gives each variable to the longest name that leaves a known field. What fits two clusters is a
/// problem; what is hidden by the verbatim spelling a warning.
pub(super) fn assign<'a>(names: &[String], values: &Values<'a>, report: &mut Report) -> Owned<'a> {
    let mut spellings: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, name) in (0..).zip(names) {
        for spelling in [name.clone(), shell_safe(name)] {
            let places = spellings.entry(spelling).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    let mut owned = Owned {
        fields: names.iter().map(|_| Vec::new()).collect(),
        known: Vec::new(),
    };
    for (variable, value) in values {
        let Some(rest) = variable.strip_prefix(CLUSTER_PREFIX) else {
            continue;
        };
        let longest = variables::fields()
            .filter_map(|field| {
                let spelling = rest.strip_suffix(field.name)?.strip_suffix('_')?;
                Some((spelling, field, spellings.get(spelling)?))
            })
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
            [] => report.warn(
                variable,
                "is not used: the spelling with the cluster's own name is set too",
            ),
            [_] if field.stage == Stage::NotBuiltYet => {
                report.problem(variable, NOT_BUILT_YET);
            }
            [place] => {
                if let Some(set) = owned.fields.get_mut(*place) {
                    set.push((field.name, Field { variable, value }));
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

/// Reports what is unknown: in the file a warning, near a name that keeps things safe a problem
/// wherever it stands.
pub(super) fn unknown(
    names: &[String],
    owned: &Owned,
    values: &Values,
    file: &[(String, String)],
    report: &mut Report,
) {
    // There are many, and mostly nobody asks.
    let known = LazyCell::new(|| all_names(names).collect::<Vec<(String, bool)>>());
    let in_file = LazyCell::new(|| {
        let names = file.iter().map(|(name, _)| name.as_str());
        names.collect::<HashSet<&str>>()
    });
    let mut unknown = 0;
    // Both are in order.
    let mut of_clusters = owned.known.iter().peekable();
    for variable in values.keys() {
        if of_clusters.next_if_eq(&variable).is_some()
            || variables::of_registry(variable).is_some()
            || variables::of_single_cluster(variable).is_some()
        {
            continue;
        }
        let slip = known.iter().find(|(name, guards)| {
            *guards
                && name.len().abs_diff(variable.len()) <= SLIP_MAX_EDITS
                && variables::edits(name, variable) <= SLIP_MAX_EDITS
        });
        let left_out = is_of_cluster_left_out(variable, values, owned);
        if let (Some((meant, _)), false) = (slip, left_out) {
            report.problem(
                &shown(variable),
                format!(
                    "is unknown; {meant}, which keeps things safe, is near: correct or remove it"
                ),
            );
        } else if in_file.contains(variable) {
            unknown += 1;
            if unknown > UNKNOWN_MAX_ROWS {
                continue;
            }
            let nearest = known
                .iter()
                .min_by_key(|(name, _)| variables::edits(name, variable))
                .map_or("", |(name, _)| name.as_str());
            let why = if left_out {
                "belongs to no cluster of PROXMOX_CLUSTERS"
            } else {
                "is unknown"
            };
            report.warn(
                &shown(variable),
                format!("{why} and not used; the nearest known name is {nearest}"),
            );
        }
    }
    if let Some(more @ 1..) = unknown.checked_sub(UNKNOWN_MAX_ROWS) {
        report.warnings.push(format!(
            "{more} more variables of the file are unknown and not used"
        ));
    }
}

/// Every name that would be known, and whether it keeps things safe.
fn all_names(names: &[String]) -> impl Iterator<Item = (String, bool)> {
    let whole = VARIABLES
        .iter()
        .filter(|variable| variable.stage != Stage::Ignored)
        .map(|variable| {
            let name = variable.name.strip_prefix(PREFIX).unwrap_or(variable.name);
            (format!("{PREFIX}{name}"), variable.guards)
        });
    let of_clusters = names.iter().flat_map(|name| {
        variables::fields().flat_map(move |field| {
            [name.clone(), shell_safe(name)].map(|name| {
                (
                    format!("{CLUSTER_PREFIX}{name}_{}", field.name),
                    field.guards,
                )
            })
        })
    });
    whole.chain(of_clusters)
}

/// Whether this is the field of a whole cluster that is described but not listed, as the Python package
/// lets it be: its URL is there too, so it is no slip of the pen.
fn is_of_cluster_left_out(variable: &str, values: &Values, owned: &Owned) -> bool {
    let Some(rest) = variable.strip_prefix(CLUSTER_PREFIX) else {
        return false;
    };
    variables::fields().any(|field| {
        let name = rest
            .strip_suffix(field.name)
            .and_then(|rest| rest.strip_suffix('_'));
        name.is_some_and(|name| {
            let url = format!("{CLUSTER_PREFIX}{name}_API_URL");
            values.contains_key(url.as_str()) && !owned.knows(&url)
        })
    })
}

/// A name for a message, cut where it is no name any more: a secret may stand behind a `:`.
fn shown(variable: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    match variable.find(|letter| !fits(letter)) {
        Some(end) => format!("{}...", variable.get(..end).unwrap_or(PREFIX)),
        None => variable.to_owned(),
    }
}
