//! `.env.example.multi` is read without a problem, also with every comment that sets something taken
//! for a line, and shows every variable that is built and none that is not.

use std::collections::{BTreeSet, HashMap};

use proxmox_mcp::config::variables::{self, CLUSTER_PREFIX, Scope, Stage, VARIABLES};
use proxmox_mcp::config::{self, env_file};

const EXAMPLE: &str = include_str!("../../../.env.example.multi");

fn pairs(text: &str) -> Vec<(String, String)> {
    let read = env_file::read(text.as_bytes(), &HashMap::new());
    assert!(read.broken.is_empty(), "{text}");
    read.pairs
}

/// The lines `# NAME=value`.
fn commented() -> impl Iterator<Item = &'static str> {
    EXAMPLE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with("PROXMOX_") && line.contains('='))
}

#[test]
fn it_is_three_clusters_without_a_problem_or_a_warning() {
    let Ok(config) = config::read(&[], &pairs(EXAMPLE).into()) else {
        panic!("not read");
    };
    let names: Vec<&str> = config.clusters.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["production", "staging", "disaster-recovery"]);
    assert_eq!(
        config.patterns,
        [("prod-".into(), 0), ("stg-".into(), 1), ("dr-".into(), 2)]
    );
    assert_eq!(config.default, Some(0));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn each_cluster_has_the_published_variables_in_their_order() {
    for cluster in ["production", "staging", "disaster-recovery"] {
        let prefix = format!("{CLUSTER_PREFIX}{cluster}_");
        let pairs = pairs(EXAMPLE);
        let fields: Vec<&str> = pairs
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(&prefix))
            .collect();
        let published = "API_URL TOKEN_ID TOKEN_SECRET VERIFY DEFAULT_NODE DEFAULT_STORAGE DEFAULT_BRIDGE REGION TIER";
        assert_eq!(fields.join(" "), published);
    }
}

#[test]
fn each_comment_could_be_a_line() {
    for line in commented() {
        let several =
            line.starts_with("PROXMOX_CLUSTER") || variables::of_registry(name(line)).is_some();
        let mut given = match several {
            true => pairs(EXAMPLE),
            false => pairs(
                &commented()
                    .filter(|line| variables::of_single_cluster(name(line)).is_some())
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
        };
        if name(line).contains("TOKEN_SECRET_") {
            given.retain(|(name, _)| name != "PROXMOX_CLUSTER_production_TOKEN_SECRET");
        }
        given.extend(pairs(line));
        match config::read(&[], &given.into()) {
            Ok(config) => assert_eq!(config.warnings, [""; 0], "{line}"),
            Err(report) => panic!("{line}\n{}", report.problems.join("\n")),
        }
    }
}

#[test]
fn it_shows_what_is_built_and_nothing_else() {
    let shown: BTreeSet<&str> = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter(|line| line.starts_with("PROXMOX_"))
        .map(|line| field(name(line)))
        .collect();
    let built: BTreeSet<&str> = VARIABLES
        .iter()
        .filter(|variable| variable.stage == Stage::Built)
        .map(|variable| variable.name)
        .collect();
    assert_eq!(shown, built);
}

fn name(line: &str) -> &str {
    line.split_once('=').map_or(line, |(name, _)| name)
}

/// The name in the table of a whole name.
fn field(name: &str) -> &str {
    if variables::of_registry(name).is_some() {
        return name;
    }
    VARIABLES
        .iter()
        .filter(|v| v.scope == Scope::Cluster && name.ends_with(&format!("_{}", v.name)))
        .map(|variable| variable.name)
        .max_by_key(|field| field.len())
        .unwrap_or(name)
}
