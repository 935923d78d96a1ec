//! Pairs to a configuration or to every problem: tables, a row a case.

mod names;
mod safety;
mod values;

use std::time::Duration;

use proxmox_mcp::api::mark::Effect;
use proxmox_mcp::config::safety::ConfirmMode;
use proxmox_mcp::config::{self, Config, ConfigReport};
use proxmox_mcp::log::Level;
use proxmox_mcp::proxmox::secret::{Secret, SecretSource};
use proxmox_mcp::proxmox::settings::{Endpoint, Proxy, Trust};

const SECRET: &str = "11111111-2222-3333-4444-5ec2e75ec2e7";
const FINGERPRINT: &str = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";

/// Lines `NAME=value`, separated by line ends, blanks before them left out.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.into(), value.replace("SECRET", SECRET)))
        .collect()
}

/// The three variables that a cluster needs.
fn cluster(name: &str) -> String {
    format!(
        "PROXMOX_CLUSTER_{name}_API_URL=https://{name}.example.com\n\
         PROXMOX_CLUSTER_{name}_TOKEN_ID=mcp@pve!{name}\n\
         PROXMOX_CLUSTER_{name}_TOKEN_SECRET=SECRET\n"
    )
}

fn clusters(names: &str) -> String {
    let clusters: String = names.split(',').map(cluster).collect();
    format!("PROXMOX_CLUSTERS={names}\n{clusters}")
}

const SINGLE: &str = "PROXMOX_API_URL=https://pve.example.com\n\
    PROXMOX_TOKEN_ID=mcp@pve!main\n\
    PROXMOX_TOKEN_SECRET=SECRET\n";

fn read(environment: &str, file: &str) -> Result<Config, ConfigReport> {
    config::read(&pairs(environment), &pairs(file).into())
}

fn good(environment: &str, file: &str) -> Config {
    match read(environment, file) {
        Ok(config) => config,
        Err(report) => panic!("{environment}\n{file}\n{}", report.problems.join("\n")),
    }
}

/// The problems are these, each told by what it begins with; none shows the secret.
#[track_caller]
fn check(file: &str, problems: &[&str]) {
    check_both("", file, problems);
}

#[track_caller]
fn check_both(environment: &str, file: &str, problems: &[&str]) {
    let found = read(environment, file).err().unwrap_or_default();
    let fits = |(found, told): (&String, &&str)| found.starts_with(*told);
    assert!(
        found.problems.len() == problems.len() && found.problems.iter().zip(problems).all(fits),
        "{file}\nfound {:#?}\nnot {problems:#?}",
        found.problems
    );
    for line in found.problems.iter().chain(&found.warnings) {
        assert!(!line.contains("5ec2e75ec2e7"), "{line}");
    }
}

/// The warnings are these, each told by what it begins with and what it holds.
#[track_caller]
fn check_warnings(environment: &str, file: &str, warnings: &[(&str, &str)]) {
    let found = match read(environment, file) {
        Ok(config) => config.warnings,
        Err(report) => panic!("{file}\n{}", report.problems.join("\n")),
    };
    let fits = |(line, (begin, part)): (&String, &(&str, &str))| {
        line.starts_with(begin) && line.contains(part)
    };
    assert!(
        found.len() == warnings.len() && found.iter().zip(warnings).all(fits),
        "{file}\nfound {found:#?}\nnot {warnings:#?}"
    );
}

/// One more line for cluster `a`, or for all, and the problems that it brings.
#[track_caller]
fn check_line(line: &str, problems: &[&str]) {
    check(&format!("{}{line}\n", clusters("a,b")), problems);
}

#[test]
fn several_clusters_are_read_in_their_order() {
    let config = good("", &clusters("production,staging,disaster-recovery"));
    let names: Vec<&str> = config.clusters.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["production", "staging", "disaster-recovery"]);
    assert_eq!(config.default, Some(0));
    assert_eq!(config.fanout, 128);
    assert_eq!(config.log, Level::Warn);
    assert_eq!(config.safety.confirm.way, ConfirmMode::Auto);
    assert_eq!(config.every.access, Effect::Full);
    assert_eq!(config.safety.bulk_limit, 10);
    let settings = &config.clusters[2].settings;
    assert_eq!(settings.cluster, "disaster-recovery");
    assert_eq!(settings.token_id, "mcp@pve!disaster-recovery");
    assert!(settings.secret == SecretSource::Value(Secret::new(SECRET.into())));
    assert_eq!(settings.trust, Trust::System { cert_file: None });
    assert_eq!(settings.timeout, Duration::from_secs(30));
    assert_eq!(settings.renew_after, Duration::from_secs(3600));
    assert!(settings.validate);
    assert_eq!(settings.proxy, None);
}

#[test]
fn every_variable_arrives() {
    let file = format!(
        "{}\
         PROXMOX_CLUSTERS= b , ,a,\n\
         PROXMOX_CLUSTER_PATTERNS= x-:a , y:b ,\n\
         PROXMOX_CLUSTER_VALIDATION=No\n\
         PROXMOX_CLUSTER_CACHE_TTL=0\n\
         PROXMOX_DEFAULT_CLUSTER=a\n\
         PROXMOX_FANOUT=1\n\
         PROXMOX_LOG=debug\n\
         PROXMOX_CONFIRM=code\n\
         PROXMOX_CLUSTER_a_API_URL=HTTPS://One:1/api2/json?x#y, https://[2001:DB8::1] ,https://[::1]:8007/\n\
         PROXMOX_CLUSTER_a_FINGERPRINT={FINGERPRINT},{}\n\
         PROXMOX_CLUSTER_a_PROXY=http://proxy:3128/\n\
         PROXMOX_CLUSTER_a_TIMEOUT=300\n\
         PROXMOX_CLUSTER_a_REGION= New York \n\
         PROXMOX_CLUSTER_a_TIER=gold\n\
         PROXMOX_CLUSTER_a_DEFAULT_NODE=n\n\
         PROXMOX_CLUSTER_a_DEFAULT_STORAGE=s\n\
         PROXMOX_CLUSTER_a_DEFAULT_BRIDGE=\n\
         PROXMOX_CLUSTER_b_CA_FILE=/ca.pem\n",
        clusters("b,a"),
        FINGERPRINT.replace(':', "")
    );
    let config = good("", &file);
    assert_eq!(config.patterns, [("x-".into(), 1), ("y".into(), 0)]);
    assert_eq!(config.default, Some(1));
    assert_eq!(config.fanout, 1);
    assert_eq!(config.log, Level::Debug);
    let a = &config.clusters[1];
    let endpoint = |host: &str, port| Endpoint::new(host, port);
    assert_eq!(
        a.settings.endpoints,
        [
            endpoint("One", 1),
            endpoint("2001:db8::1", 8006),
            endpoint("::1", 8007)
        ]
    );
    let bytes: Vec<u8> = (0..32u8).map(|n| n % 16 * 0x11).collect();
    let bytes: [u8; 32] = bytes.try_into().unwrap();
    assert_eq!(a.settings.trust, Trust::Fingerprints(vec![bytes, bytes]));
    let proxy = Proxy {
        host: "proxy".into(),
        port: 3128,
    };
    assert_eq!(a.settings.proxy, Some(proxy));
    assert_eq!(a.settings.timeout, Duration::from_secs(300));
    assert_eq!(a.settings.renew_after, Duration::ZERO);
    assert!(!a.settings.validate);
    assert_eq!(a.region.as_deref(), Some("New York"));
    assert_eq!(a.tier.as_deref(), Some("gold"));
    assert_eq!(a.default_node.as_deref(), Some("n"));
    assert_eq!(a.default_storage.as_deref(), Some("s"));
    assert_eq!(a.default_bridge, None);
    assert_eq!(
        config.clusters[0].settings.trust,
        Trust::CaFile("/ca.pem".into())
    );
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(
        good(
            "",
            &format!("{}PROXMOX_DEFAULT_CLUSTER=none", clusters("a"))
        )
        .default,
        None
    );
}

#[test]
fn single_cluster_variables_are_read_where_no_cluster_is_named() {
    let more =
        "PROXMOX_DEFAULT_NODE=pve\nPROXMOX_CA_FILE=/ca.pem\nPROXMOX_REGION=r\nPROXMOX_CLUSTERS= \n";
    let config = good("", &format!("{SINGLE}{more}"));
    assert_eq!(config.clusters.len(), 1);
    let only = &config.clusters[0];
    assert_eq!(
        (only.name.as_str(), only.settings.cluster.as_str()),
        ("default", "default")
    );
    assert_eq!(only.default_node.as_deref(), Some("pve"));
    assert_eq!(only.region.as_deref(), Some("r"));
    assert_eq!(only.settings.trust, Trust::CaFile("/ca.pem".into()));
    assert_eq!(config.default, Some(0));
    check(
        &format!("{SINGLE}PROXMOX_VERIFY=ture"),
        &["PROXMOX_VERIFY: is none of"],
    );
    check(
        "PROXMOX_TOKEN_SECRET=SECRET",
        &[
            "PROXMOX_API_URL: is not set",
            "PROXMOX_TOKEN_ID: is not set",
        ],
    );
    check("", &["PROXMOX_CLUSTERS, or PROXMOX_API_URL"]);
    check(
        "PROXMOX_VERIFY=true\nPROXMOX_CLUSTERS=\nPROXMOX_API_URL= \n",
        &["PROXMOX_CLUSTERS, or PROXMOX_API_URL"],
    );
}

#[test]
fn both_modes_at_once_are_said_once() {
    let file = format!("{}{SINGLE}PROXMOX_VERIFY=off", clusters("a"));
    let names = "PROXMOX_API_URL, PROXMOX_TOKEN_ID, PROXMOX_TOKEN_SECRET, PROXMOX_VERIFY: not used";
    check_warnings("", &file, &[(names, "PROXMOX_CLUSTERS is set")]);
}

#[test]
fn the_environment_holds_before_the_file_also_where_it_is_empty() {
    let file = format!(
        "{}PROXMOX_CLUSTER_a_REGION=file\nPROXMOX_LOG=error\n",
        clusters("a,b")
    );
    assert_eq!(good("", &file).clusters[0].region.as_deref(), Some("file"));
    let region = |environment: &str| good(environment, &file).clusters[0].region.clone();
    assert_eq!(
        region("PROXMOX_CLUSTER_a_REGION=real").as_deref(),
        Some("real")
    );
    assert_eq!(region("PROXMOX_CLUSTER_a_REGION="), None);
    assert_eq!(
        region("PROXMOX_CLUSTER_A_REGION=real").as_deref(),
        Some("file")
    );
    assert_eq!(good("PROXMOX_CLUSTERS=b", &file).clusters.len(), 1);
    let single = good(&format!("PROXMOX_CLUSTERS=\n{SINGLE}"), &file);
    assert_eq!(single.clusters[0].name, "default");
    check_both(
        "PROXMOX_CLUSTER_a_TOKEN_ID=",
        &file,
        &["PROXMOX_CLUSTER_a_TOKEN_ID: is empty"],
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let file = format!(
        "{}PROXMOX_CLUSTER_a_API_URL=SECRET\nPROXMOX_CLUSTER_b_VERIFY=SECRET\nPROXMOX_CLUSTER_b_TOKEN_ID=SECRET\nPROXMOX_LOG=SECRET\nPROXMOX_ACCESS=SECRET\nPROXMOX_ACESS=SECRET\n",
        clusters("a,b")
    );
    let variables = [
        "PROXMOX_ACESS: ",
        "PROXMOX_ACCESS: ",
        "PROXMOX_CLUSTER_a_API_URL: ",
        "PROXMOX_CLUSTER_b_TOKEN_ID: ",
        "PROXMOX_CLUSTER_b_VERIFY: ",
        "PROXMOX_LOG: ",
    ];
    check(&file, &variables);
}
