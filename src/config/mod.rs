//! Pairs to a configuration, or to every problem that they have. Pure: nothing is opened or asked.
//!
//! No message shows a value, save names of clusters: a secret may stand in the wrong place.

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

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::effect::Effect;
use crate::log::Level;
use crate::proxmox::settings::Settings;
use cluster::{Common, Fields};
use env_file::EnvFile;
use rule::Rule;
use safety::{Safety, Switches};
use spelling::{Field, Values};
use variables::{CLUSTER_PREFIX, PREFIX, Scope, Stage};

/// The name of the only cluster where `PROXMOX_CLUSTERS` is not set.
pub const SINGLE_CLUSTER: &str = "default";

const CACHE_TTL_DEFAULT_S: u64 = 3600;
/// The most clusters that a fleet-wide read asks at a time, which is also what holds unless set.
const FANOUT_MAX: u32 = 128;
pub(super) const NOT_BUILT_YET: &str = "is not built yet";

pub use report::Report;
pub use value::endpoint;

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
    /// The file's variables whose value holds a `${NAME}`.
    pub expanded: Vec<String>,
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
    pub origin: Origin,
    /// Whether it came while the program ran: then it is read by its name in `cluster`, and in no other
    /// way, until a restart.
    pub joined: bool,
    pub settings: Settings,
}

/// What of a cluster stands in the file as it is: neither in the environment nor as a `${NAME}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `TOKEN_ID` and `TOKEN_SECRET` do.
    pub token: bool,
    /// All that is set of it does.
    pub all: bool,
}

impl Config {
    /// The places of the clusters that take part in everything: those that were there at the start.
    pub fn settled(&self) -> impl Iterator<Item = usize> {
        let places = self.clusters.iter().enumerate();
        places
            .filter(|(_, one)| !one.joined)
            .map(|(place, _)| place)
    }
}

/// Reads the whole configuration. The real environment's variables hold before the file's, also where
/// they are empty.
///
/// # Errors
/// Every problem that there is.
pub fn read(environment: &[(String, String)], file: &EnvFile) -> Result<Config, Report> {
    let mut report = Report::default();
    let values = values(environment, &file.pairs);

    let listed =
        said(&values, "PROXMOX_CLUSTERS").map(|text| cluster_names::listed(text, &mut report));
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
    let of_environment: HashSet<&str> = environment
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with(PREFIX))
        .collect();
    let is_literal = |name: &str| {
        !of_environment.contains(name) && file.expanded.iter().all(|expanded| expanded != name)
    };
    let common = Common {
        is_literal: &is_literal,
        all_literal: of_environment.is_empty() && file.expanded.is_empty(),
        ..common(environment, &values, &safety, &mut report)
    };
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

    let patterns = cluster_names::patterns(&names, &values, &mut report);
    let default = cluster_names::default_cluster(&names, &values, &mut report);
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
        fanout: fanout.unwrap_or(FANOUT_MAX) as usize,
        log: log.unwrap_or(Level::Warn),
        safety,
        expanded: file.expanded.clone(),
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
    let listed = cluster_names::listed(listed, &mut report);
    let owned = spelling::assign(&listed, &values, &mut report);
    let token = |place| {
        let field: Field = owned.get(place, "TOKEN_ID")?;
        value::token_id(field.value.trim()).ok()
    };
    let tokens: Vec<Option<String>> = (0..listed.len()).map(token).collect();
    listed.into_iter().zip(tokens).collect()
}

/// Whether a message about this file's problems may show what a `${NAME}` in it stands for: names are
/// repeated.
pub fn tells_expanded(file: &EnvFile) -> bool {
    const REPEATED: [&str; 4] = [
        "PROXMOX_CLUSTERS",
        "PROXMOX_CLUSTER_PATTERNS",
        "PROXMOX_DEFAULT_CLUSTER",
        "PROXMOX_CONFIRM",
    ];
    let mut expanded = file.expanded.iter().map(String::as_str);
    expanded.any(|name| REPEATED.contains(&name) || safety::SWITCHES.contains(&name))
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
pub(super) fn said<'a>(values: &Values<'a>, name: &str) -> Option<&'a str> {
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
) -> Common<'static> {
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
        is_literal: &|_| true,
        all_literal: true,
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
