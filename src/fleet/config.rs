//! Pairs to a configuration, or to every problem that they have. Pure: nothing is opened or asked.
//!
//! No message shows a value, save names of clusters: a secret may stand in the wrong place.

use std::path::PathBuf;
use std::time::Duration;

use super::cluster::{self, Common, Fields};
use super::effect::Effect;
use super::env_file::EnvFile;
use super::foreign;
use super::rule::Rule;
use super::safety::{self, Safety, Switches};
use super::spelling::{self, Field, Values};
use super::value;
use super::variables::{self, CLUSTER_PREFIX, PREFIX, Scope, Stage};
use crate::log::Level;
use crate::proxmox::settings::Settings;
use crate::text::repeated;

/// The name of the only cluster where `PROXMOX_CLUSTERS` is not set.
pub const SINGLE_CLUSTER: &str = "default";

const CACHE_TTL_DEFAULT_S: u64 = 3600;
const FANOUT_DEFAULT: u32 = 8;
const FANOUT_MAX: u32 = 64;
pub(super) const NOT_BUILT_YET: &str = "is not built yet";
const RESERVED_NAMES: [&str; 3] = ["all", "auto", "none"];

pub use super::report::Report;
pub use super::value::endpoint;

/// Everything that the server was told. It has no `Debug`, since it holds secrets.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// At least one, in the order of `PROXMOX_CLUSTERS`.
    pub clusters: Vec<Cluster>,
    /// Prefixes of guests' names, each with the place of its cluster in `clusters`.
    pub patterns: Vec<(String, usize)>,
    /// The place of the cluster of reads and new things that name none; nothing for `none`.
    pub default: Option<usize>,
    /// How many clusters a fleet-wide read asks at a time, at least 1.
    pub fanout: usize,
    pub log: Level,
    pub safety: Safety,
    /// What works but should be looked at, a line each.
    pub warnings: Vec<String>,
}

/// One cluster: how it is reached, and what fills a place that a call leaves open.
#[derive(Clone, PartialEq)]
pub struct Cluster {
    pub name: String,
    pub region: Option<String>,
    pub tier: Option<String>,
    pub default_node: Option<String>,
    pub default_storage: Option<String>,
    pub default_bridge: Option<String>,
    /// The most that may be done here: the stricter of the two settings.
    pub access: Effect,
    /// The variable that says so.
    pub access_variable: String,
    /// Guests that nothing destroys, stops, rolls back or overwrites: the rules of both settings.
    pub protect: Vec<Rule>,
    pub settings: Settings,
}

/// Reads the whole configuration. The real environment's variables hold before the file's, also where
/// they are empty.
///
/// # Errors
/// Every problem that there is.
pub fn read(environment: &[(String, String)], file: &EnvFile) -> Result<Config, Report> {
    let mut report = Report::default();
    let values = values(environment, &file.pairs);

    let listed = said(&values, "PROXMOX_CLUSTERS").map(|text| names(text, &mut report));
    let several = listed.is_some();
    let listed = listed.unwrap_or_default();
    let owned = spelling::assign(&listed, &values, &mut report);
    other_stages(several, &values, &mut report);
    let sources = (environment, file);
    spelling::unknown(&listed, &owned, &values, sources, &mut report);
    spelling::without_a_value(&listed, &values, file, &mut report);

    let names = if several {
        listed
    } else {
        vec![SINGLE_CLUSTER.to_owned()]
    };
    let safety = safety::read(&names, &values, &mut report);
    let common = common(environment, &values, &safety, &mut report);
    let clusters: Vec<Option<Cluster>> = if several {
        let read = |(place, name): (usize, &String)| {
            let fields = Fields {
                spell: &|field| format!("{CLUSTER_PREFIX}{name}_{field}"),
                get: &|field| owned.get(place, field),
            };
            cluster::read(name, &fields, &common, &mut report)
        };
        (0..).zip(&names).map(read).collect()
    } else {
        vec![single_cluster(&values, &common, &mut report)]
    };

    let patterns = patterns(&names, &values, &mut report);
    let default = default_cluster(&names, &values, &mut report);
    let fanout = parsed(&values, "PROXMOX_FANOUT", &mut report, |text| {
        value::whole(text, 1, FANOUT_MAX)
    });
    let log = parsed(&values, "PROXMOX_LOG", &mut report, value::level);
    others(
        environment,
        file,
        names.first().filter(|_| several),
        &mut report,
    );

    if !report.problems.is_empty() {
        return Err(report);
    }
    Ok(Config {
        clusters: clusters.into_iter().flatten().collect(),
        patterns,
        default,
        fanout: fanout.unwrap_or(FANOUT_DEFAULT) as usize,
        log: log.unwrap_or(Level::Warn),
        safety,
        warnings: report.warnings,
    })
}

/// Reports other programs' variables: where something of ours is missing as a part of the error, which
/// is on the line of what is not set at all.
fn others(
    environment: &[(String, String)],
    file: &EnvFile,
    cluster: Option<&String>,
    report: &mut Report,
) {
    let spell = |field: &str| match cluster {
        Some(name) => format!("{CLUSTER_PREFIX}{name}_{field}"),
        None => format!("{PREFIX}{field}"),
    };
    let pairs = environment.iter().chain(&file.pairs);
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    let Some(sentence) = foreign::sentence(pairs, &spell) else {
        return;
    };
    match report.problems.last_mut() {
        Some(last) if report.is_nothing => {
            last.push_str("; ");
            last.push_str(&sentence);
        }
        _ if report.is_incomplete => report.problems.push(sentence),
        _ => report.warnings.push(sentence),
    }
    report.is_nothing = false;
}

/// The clusters that are named and their sound token ids, however incomplete the rest is.
pub fn token_ids(
    environment: &[(String, String)],
    file: &[(String, String)],
) -> Vec<(String, Option<String>)> {
    let mut report = Report::default();
    let values = values(environment, file);
    let Some(listed) = said(&values, "PROXMOX_CLUSTERS") else {
        let variables = ["API_URL", "TOKEN_ID"].map(|field| format!("{PREFIX}{field}"));
        let [url, token] = variables.each_ref().map(|name| said(&values, name));
        let token = token.and_then(|text| value::token_id(text).ok());
        let is_there = url.is_some() || token.is_some();
        return Vec::from_iter(is_there.then(|| (SINGLE_CLUSTER.to_owned(), token)));
    };
    let listed = names(listed, &mut report);
    let owned = spelling::assign(&listed, &values, &mut report);
    let token = |place| {
        let field: Field = owned.get(place, "TOKEN_ID")?;
        value::token_id(field.value.trim()).ok()
    };
    let tokens: Vec<Option<String>> = (0..listed.len()).map(token).collect();
    listed.into_iter().zip(tokens).collect()
}

/// Which tools are switched on and off, however incomplete the rest is.
pub fn switches(environment: &[(String, String)], file: &[(String, String)]) -> Switches {
    let mut values = Values::new();
    for (name, value) in file.iter().chain(environment) {
        if safety::SWITCHES.contains(&name.as_str()) {
            values.insert(name, value);
        }
    }
    safety::switches(&values)
}

/// The variables of ours; the real environment's hold before the file's.
fn values<'a>(environment: &'a [(String, String)], file: &'a [(String, String)]) -> Values<'a> {
    file.iter()
        .chain(environment)
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The value of a variable that says something; one set to nothing says nothing.
fn said<'a>(values: &Values<'a>, name: &str) -> Option<&'a str> {
    let value = values.get(name)?.trim();
    (!value.is_empty()).then_some(value)
}

pub(super) fn parsed<T>(
    values: &Values,
    name: &str,
    report: &mut Report,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let value = said(values, name)?;
    report.parsed(name, value, parse)
}

/// The names of `PROXMOX_CLUSTERS`, those that are sound.
fn names(text: &str, report: &mut Report) -> Vec<String> {
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

/// Reports what is known but not built, or not used: as a variable that holds for all clusters, and as
/// the single-cluster spelling of a field.
fn other_stages(several: bool, values: &Values, report: &mut Report) {
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
        report.warn(
            &single_cluster.join(", "),
            "not used, since PROXMOX_CLUSTERS is set",
        );
    }
}

/// What holds for all clusters, with the two variables of others that the real environment may set.
fn common(
    environment: &[(String, String)],
    values: &Values,
    safety: &Safety,
    report: &mut Report,
) -> Common {
    let path = |name: &str| {
        let (_, value) = environment.iter().rfind(|(known, _)| known == name)?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    };
    let validate = parsed(values, "PROXMOX_CLUSTER_VALIDATION", report, value::boolean);
    let renew_after = parsed(values, "PROXMOX_CLUSTER_CACHE_TTL", report, |text| {
        value::seconds(text, 0, u32::MAX)
    });
    Common {
        validate: validate.unwrap_or(true),
        renew_after: renew_after.unwrap_or(Duration::from_secs(CACHE_TTL_DEFAULT_S)),
        access: safety.access,
        protect: safety.protect.clone(),
        cert_file: path("SSL_CERT_FILE"),
        credentials: path("CREDENTIALS_DIRECTORY"),
    }
}

/// The only cluster, from the variables without a cluster's name.
fn single_cluster(values: &Values, common: &Common, report: &mut Report) -> Option<Cluster> {
    let spell = |field: &str| format!("{PREFIX}{field}");
    let begun = [
        "API_URL",
        "TOKEN_ID",
        "TOKEN_SECRET",
        "TOKEN_SECRET_FILE",
        "TOKEN_SECRET_COMMAND",
    ];
    if !begun
        .iter()
        .any(|field| said(values, &spell(field)).is_some())
    {
        report.is_incomplete = true;
        report.is_nothing = true;
        report.problems.push(
            "PROXMOX_CLUSTERS, or PROXMOX_API_URL, PROXMOX_TOKEN_ID and PROXMOX_TOKEN_SECRET: \
             no cluster is configured; set the first for several clusters or the others for one, \
             as .env.example.multi shows"
                .into(),
        );
        return None;
    }
    let get = |field: &str| {
        let (variable, value) = values.get_key_value(spell(field).as_str())?;
        Some(Field { variable, value })
    };
    let fields = Fields {
        spell: &spell,
        get: &get,
    };
    cluster::read(SINGLE_CLUSTER, &fields, common, report)
}

fn patterns(names: &[String], values: &Values, report: &mut Report) -> Vec<(String, usize)> {
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

fn default_cluster(names: &[String], values: &Values, report: &mut Report) -> Option<usize> {
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
