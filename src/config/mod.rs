//! How it is set up: finding, reading, checking, watching and taking over a configuration.
//!
//! [`variables`] says what can be configured, a row a variable. [`find`] finds the file, [`env_file`] reads
//! its lines, [`read`] makes them and the environment a [`Config`] or every problem that they have, which is
//! pure: nothing is opened or asked. [`watch`] notices a changed file, and [`reload`] says what of it is taken
//! over. No message shows a value, save names of clusters: a secret may stand in the wrong place.

pub mod env_file;
pub mod find;
pub mod reload;
pub mod rule;
pub mod safety;
pub mod slip;
pub mod variables;
pub mod watch;

mod cluster;
mod cluster_names;
mod foreign;
mod newcomer;
mod report;
mod spelling;
mod value;

use std::path::PathBuf;

use cluster::{ClusterFields, Sources};
use env_file::EnvFile;
use report::SetVariable;
use spelling::SetVariables;
use variables::{CLUSTER_PREFIX, CLUSTERS, PREFIX, Scope, Stage, VARIABLES, VariableTarget};

pub use report::ConfigReport;
pub use value::endpoint;
pub use variables::{Cluster, Config, Safety, SetInFile};

/// The name of the only cluster where `PROXMOX_CLUSTERS` is not set.
pub const SINGLE_CLUSTER: &str = "default";

const NOT_BUILT_YET: &str = "is not built yet";
const NOTHING: &str = "PROXMOX_CLUSTERS, or PROXMOX_API_URL, PROXMOX_TOKEN_ID and \
    PROXMOX_TOKEN_SECRET: no cluster is configured; set the first for several clusters or the others for \
    one, as .env.example.multi shows";

/// Reads the whole configuration. The real environment's variables hold before the file's, also where
/// they are empty.
///
/// # Errors
/// Every problem that there is.
pub fn read(environment: &[(String, String)], file: &EnvFile) -> Result<Config, ConfigReport> {
    let (config, report) = draft(environment, file);
    report.of(config)
}

/// What can be read of it, which is sound where no problem is reported.
fn draft(environment: &[(String, String)], file: &EnvFile) -> (Config, ConfigReport) {
    let mut report = ConfigReport::default();
    let values = values(environment, &file.pairs);
    let sources = Sources::new(environment, file);
    let listed = said(&values, CLUSTERS).map(|text| {
        cluster_names::listed(SetVariable {
            variable: CLUSTERS,
            text,
            is_default: false,
            credentials: None,
            report: &mut report,
        })
    });
    let several = listed.is_some();
    let listed = listed.unwrap_or_default();
    let owned = spelling::assign(&listed, &values, &mut report);
    other_stages(several, &values, &mut report);
    spelling::unknown(&listed, &owned, &values, (environment, file), &mut report);
    spelling::without_a_value(&listed, &values, file, &mut report);

    let mut every = Cluster::new(sources.cert_file.map(PathBuf::from));
    for_all(&values, &mut report, |sets, said| {
        if let VariableTarget::Each(set) = sets {
            set(&mut every, said);
        }
    });
    let clusters = if several {
        let clusters = listed.iter().zip(owned.fields);
        let clusters = clusters.map(|(name, set)| {
            let fields = ClusterFields {
                prefix: format!("{CLUSTER_PREFIX}{name}_"),
                set,
                sources: &sources,
            };
            cluster::read(name, &every, &fields, &mut report)
        });
        clusters.collect()
    } else {
        let fields = ClusterFields {
            prefix: PREFIX.to_owned(),
            set: spelling::of_single_cluster(&values),
            sources: &sources,
        };
        report.is_nothing = !fields.is_begun();
        // Of one of which nothing is set not everything is said to be missing.
        let mut unsaid = ConfigReport::default();
        let report = match report.is_nothing {
            true => &mut unsaid,
            false => &mut report,
        };
        vec![cluster::read(SINGLE_CLUSTER, &every, &fields, report)]
    };
    let mut config = Config::new(every, clusters);
    for_all(&values, &mut report, |sets, said| {
        if let VariableTarget::All(set) = sets {
            set(&mut config, said);
        }
    });
    config.expanded.clone_from(&file.expanded);
    if report.is_nothing {
        config.clusters.clear();
    }
    others(environment, file, listed.first(), &mut report);
    (config, report)
}

/// Hands out each variable for all clusters that says something, or has a default.
fn for_all(
    values: &SetVariables,
    report: &mut ConfigReport,
    mut set: impl FnMut(&VariableTarget, &mut SetVariable),
) {
    let of_all = VARIABLES.iter().filter(|row| row.scope == Scope::Registry);
    for row in of_all {
        let text = said(values, row.name);
        let is_default = text.is_none();
        let text = text.unwrap_or(row.default);
        if !text.is_empty() {
            let said = &mut SetVariable {
                variable: row.name,
                text,
                is_default,
                credentials: None,
                report,
            };
            set(&row.sets, said);
        }
    }
}

/// Reports that nothing is configured, and other programs' variables: as a part of the error where
/// something of ours is missing.
fn others(
    environment: &[(String, String)],
    file: &EnvFile,
    cluster: Option<&String>,
    report: &mut ConfigReport,
) {
    let spell = |field: &str| match cluster {
        Some(name) => format!("{CLUSTER_PREFIX}{name}_{field}"),
        None => format!("{PREFIX}{field}"),
    };
    let pairs = environment.iter().chain(&file.pairs);
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    let sentence = foreign::sentence(pairs, &spell);
    let lines = match report.is_nothing || report.is_incomplete {
        true => &mut report.problems,
        false => &mut report.warnings,
    };
    if report.is_nothing {
        let more = sentence.map_or(String::new(), |sentence| format!("; {sentence}"));
        lines.push(format!("{NOTHING}{more}"));
        report.is_nothing = more.is_empty();
    } else {
        lines.extend(sentence);
    }
}

/// The clusters that are named and their sound token ids, however incomplete the rest is.
pub fn token_ids(
    environment: &[(String, String)],
    file: &EnvFile,
) -> Vec<(String, Option<String>)> {
    let (config, _) = draft(environment, file);
    let clusters = config.clusters.into_iter();
    let token = |token: String| (!token.is_empty()).then_some(token);
    clusters
        .map(|one| (one.name, token(one.settings.token_id)))
        .collect()
}

/// Whether a message about this file's problems may show what a `${NAME}` in it stands for: names are
/// repeated.
pub fn tells_expanded(file: &EnvFile) -> bool {
    let mut repeated = VARIABLES.iter().filter(|row| row.repeated);
    repeated.any(|row| file.is_expanded(row.name))
}

/// The variables of ours; the real environment's hold before the file's.
fn values<'a>(
    environment: &'a [(String, String)],
    file: &'a [(String, String)],
) -> SetVariables<'a> {
    file.iter()
        .chain(environment)
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The value of a variable that says something; one set to nothing says nothing.
fn said<'a>(values: &SetVariables<'a>, name: &str) -> Option<&'a str> {
    let value = values.get(name)?.trim();
    (!value.is_empty()).then_some(value)
}

/// Reports what is known but not built, or not used: as a variable that holds for all clusters, and as
/// the single-cluster spelling of a field.
fn other_stages(several: bool, values: &SetVariables, report: &mut ConfigReport) {
    let mut single_cluster = Vec::new();
    for name in values.keys() {
        let registry = variables::of_registry(name);
        let Some(variable) = registry.or_else(|| variables::of_single_cluster(name)) else {
            continue;
        };
        match variable.stage {
            Stage::NotBuiltYet => report.problem(name, NOT_BUILT_YET),
            Stage::Ignored => report.warn(name, format!("is ignored: {}", variable.about)),
            Stage::Built if variable.scope == Scope::Cluster => single_cluster.push(*name),
            Stage::Built => {}
        }
    }
    if several && !single_cluster.is_empty() {
        let names = single_cluster.join(", ");
        report.warn(&names, format!("not used, since {CLUSTERS} is set"));
    }
}
