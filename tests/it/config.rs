//! Pairs to a configuration or to every problem: tables, a row a case.

use std::path::PathBuf;
use std::time::Duration;

use proxmox_mcp::fleet::config::{self, Config, Confirm, Report};
use proxmox_mcp::fleet::variables;
use proxmox_mcp::log::Level;
use proxmox_mcp::proxmox::secret::{Secret, SecretSource};
use proxmox_mcp::proxmox::settings::{Endpoint, Proxy, Trust};

const SECRET: &str = "11111111-2222-3333-4444-secretsecret";
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

fn read(environment: &str, file: &str) -> Result<Config, Report> {
    config::read(&pairs(environment), &pairs(file))
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
        assert!(!line.contains("secretsecret"), "{line}");
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
    assert_eq!(config.fanout, 8);
    assert_eq!(config.log, Level::Warn);
    assert_eq!(config.confirm, Confirm::Code);
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
    let endpoint = |host: &str, port| Endpoint {
        host: host.into(),
        port,
    };
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
fn names_of_clusters() {
    let of = |names: &str, problems: &[&str]| {
        check(
            &format!("PROXMOX_CLUSTERS={names}\n{}", cluster("a")),
            problems,
        );
    };
    of("a", &[]);
    of(",a,,", &[]);
    of(",", &["PROXMOX_CLUSTERS: names no cluster"]);
    of("a,a", &["PROXMOX_CLUSTERS: `a` is there twice"]);
    of(
        "a,all,auto,none",
        &[
            "PROXMOX_CLUSTERS: a cluster cannot be named `all`",
            "PROXMOX_CLUSTERS: a cluster cannot be named `auto`",
            "PROXMOX_CLUSTERS: a cluster cannot be named `none`",
        ],
    );
    of("a,b c", &["PROXMOX_CLUSTERS: `b c` has more than"]);
    of("a,b\u{7}", &["PROXMOX_CLUSTERS: `b\\u{7}` has more than"]);
    of("a,é", &["PROXMOX_CLUSTERS: `é` has more than"]);
    of("a,b.c", &["PROXMOX_CLUSTERS: `b.c` has more than"]);
    check(&clusters("A-1_b,a-1_b2"), &[]);
}

#[test]
fn values() {
    check_line(
        "PROXMOX_CLUSTER_PATTERNS=x",
        &["PROXMOX_CLUSTER_PATTERNS: item 1 is no `prefix:cluster`"],
    );
    check_line(
        "PROXMOX_CLUSTER_PATTERNS=x:a, :b",
        &["PROXMOX_CLUSTER_PATTERNS: item 2 has no prefix"],
    );
    check_line(
        "PROXMOX_CLUSTER_PATTERNS=x:c",
        &["PROXMOX_CLUSTER_PATTERNS: item 1: no cluster is named `c`"],
    );
    check_line(
        "PROXMOX_CLUSTER_PATTERNS=x:a:b",
        &["PROXMOX_CLUSTER_PATTERNS: item 1: no cluster is named `a:b`"],
    );
    check_line(
        "PROXMOX_CLUSTER_VALIDATION=maybe",
        &["PROXMOX_CLUSTER_VALIDATION: is none of"],
    );
    check_line("PROXMOX_CLUSTER_VALIDATION=", &[]);
    check_line(
        "PROXMOX_CLUSTER_CACHE_TTL=1.5",
        &["PROXMOX_CLUSTER_CACHE_TTL: is not a whole number from 0 on"],
    );
    check_line(
        "PROXMOX_CLUSTER_CACHE_TTL=-1",
        &["PROXMOX_CLUSTER_CACHE_TTL: is not"],
    );
    check_line(
        "PROXMOX_DEFAULT_CLUSTER=c",
        &["PROXMOX_DEFAULT_CLUSTER: no cluster is named `c`"],
    );
    check_line(
        "PROXMOX_FANOUT=0",
        &["PROXMOX_FANOUT: is not a whole number from 1 to 64"],
    );
    check_line(
        "PROXMOX_LOG=verbose",
        &["PROXMOX_LOG: is none of error, warn"],
    );
}

#[test]
fn values_of_a_cluster() {
    check_line(
        "PROXMOX_CLUSTER_a_API_URL=",
        &["PROXMOX_CLUSTER_a_API_URL: is empty"],
    );
    check_line(
        "PROXMOX_CLUSTER_a_API_URL=,",
        &["PROXMOX_CLUSTER_a_API_URL: holds no URL"],
    );
    for url in [
        "pve",
        "http://pve",
        "https:pve",
        "https://",
        "https://a b",
        "https://:8006",
        "https://[::1",
        "https://[pve]",
        "https://[::1]8006",
        "https://pve:0",
        "https://pve:65536",
        "https://pve:",
        "https://pve:x",
        "https://mcp:SECRET@pve",
        "https://ok,https://",
        "ö",
    ] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_API_URL={url}"),
            &["PROXMOX_CLUSTER_a_API_URL: "],
        );
    }
    for token in [
        "mcp",
        "mcp@pve",
        "mcp!t",
        "@pve!t",
        "mcp@!t",
        "mcp@pve!",
        "mcp@pve!t!u",
        "m cp@pve!t",
        "mcp@pve!t=SECRET",
        "m:p@pve!t",
        "mcp@pve!1",
    ] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_TOKEN_ID={token}"),
            &["PROXMOX_CLUSTER_a_TOKEN_ID: is no `user@realm!token`"],
        );
    }
    check_line(
        "PROXMOX_CLUSTER_a_TOKEN_ID=me@example.com@my-ad.1!a.b-c_1",
        &[],
    );
    check_line(
        "PROXMOX_CLUSTER_a_TOKEN_SECRET=",
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET: is empty"],
    );
    check_line(
        "PROXMOX_CLUSTER_a_TOKEN_SECRET=x SECRET",
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET: holds blanks"],
    );
    for word in ["1", "TRUE", "Yes", "y", "on", ""] {
        check_line(&format!("PROXMOX_CLUSTER_a_VERIFY={word}"), &[]);
    }
    for word in ["0", "False", "NO", "n", "off"] {
        check_line(&format!("PROXMOX_CLUSTER_a_VERIFY={word}"), &[]);
    }
    for word in ["t", "ture", "enabled", "2", "-"] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_VERIFY={word}"),
            &["PROXMOX_CLUSTER_a_VERIFY: is none of"],
        );
    }
}

#[test]
fn values_of_a_clusters_trust_and_way() {
    check_line(
        "PROXMOX_CLUSTER_a_CA_FILE=ca.pem",
        &["PROXMOX_CLUSTER_a_CA_FILE: is not an absolute path"],
    );
    for fingerprint in [
        "AA:BB",
        &FINGERPRINT[3..],
        &format!("{FINGERPRINT}:"),
        &format!("{FINGERPRINT}:00"),
        &FINGERPRINT.replace("FF", "FG"),
        ",",
    ] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_FINGERPRINT={fingerprint}"),
            &["PROXMOX_CLUSTER_a_FINGERPRINT: "],
        );
    }
    for proxy in [
        "proxy:1",
        "https://proxy:1",
        "http://proxy",
        "http://u:SECRET@proxy:1",
        "http://proxy:1/x",
    ] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_PROXY={proxy}"),
            &["PROXMOX_CLUSTER_a_PROXY: "],
        );
    }
    for seconds in ["0", "301", "30s", "-1", "99999999999"] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_TIMEOUT={seconds}"),
            &["PROXMOX_CLUSTER_a_TIMEOUT: is not a whole number from 1 to 300"],
        );
    }
}

#[test]
fn ways_to_trust_exclude_each_other() {
    let line = |more: &str| format!("PROXMOX_CLUSTER_a_FINGERPRINT={FINGERPRINT}\n{more}");
    check_line(&line("PROXMOX_CLUSTER_a_VERIFY=yes"), &[]);
    check_line(
        &line("PROXMOX_CLUSTER_a_VERIFY=no"),
        &["PROXMOX_CLUSTER_a_FINGERPRINT: is a check"],
    );
    check_line(
        &line("PROXMOX_CLUSTER_a_CA_FILE=/ca"),
        &["PROXMOX_CLUSTER_a_FINGERPRINT: replaces"],
    );
    let off = format!("{}PROXMOX_CLUSTER_a_VERIFY=off", clusters("a"));
    check_warnings("", &off, &[("PROXMOX_CLUSTER_a_VERIFY: is off", "")]);
    assert_eq!(good("", &off).clusters[0].settings.trust, Trust::Nothing);
    let of_system = good("SSL_CERT_FILE=/bundle", &clusters("a"));
    let bundle = Trust::System {
        cert_file: Some("/bundle".into()),
    };
    assert_eq!(of_system.clusters[0].settings.trust, bundle);
    // Only the real environment may say so.
    let of_file = good("", &format!("{}SSL_CERT_FILE=/bundle", clusters("a")));
    assert_eq!(
        of_file.clusters[0].settings.trust,
        Trust::System { cert_file: None }
    );
}

#[test]
fn one_source_of_the_secret() {
    let file = |more: &str| {
        format!(
            "PROXMOX_CLUSTERS=a\nPROXMOX_CLUSTER_a_API_URL=https://a\nPROXMOX_CLUSTER_a_TOKEN_ID=a@b!c\n{more}"
        )
    };
    let source = |environment: &str, more: &str| {
        good(environment, &file(more)).clusters[0]
            .settings
            .secret
            .clone()
    };
    let path = |path: &str| SecretSource::File(PathBuf::from(path));
    let credentials = "CREDENTIALS_DIRECTORY=/run/credentials/x";
    assert!(source("", "PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=/s") == path("/s"));
    assert!(source(credentials, "PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=/s") == path("/s"));
    assert!(
        source(credentials, "PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=s")
            == path("/run/credentials/x/s")
    );
    assert!(
        source(
            "",
            "PROXMOX_CLUSTER_a_TOKEN_SECRET=\nPROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=/s"
        ) == path("/s")
    );
    let command = source(
        "",
        "PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND=pass  show 'a b'\"c\" '' $X",
    );
    let words = ["pass", "show", "a bc", "", "$X"].map(String::from);
    assert!(command == SecretSource::Command(words.into()));

    check(&file(""), &["PROXMOX_CLUSTER_a_TOKEN_SECRET: is not set"]);
    check(
        &file("PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=s"),
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE: is a relative path"],
    );
    check(
        &file("PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND=pass 'x"),
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND: lacks a closing quote"],
    );
    check(
        &file("PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND=./pass x"),
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND: names its program by a relative path"],
    );
    check(
        &file("PROXMOX_CLUSTER_a_TOKEN_SECRET=SECRET\nPROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=/s"),
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET, PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE: only one"],
    );
    check(
        &file("PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND=x\nPROXMOX_CLUSTER_a_TOKEN_SECRET_FILE=/s"),
        &["PROXMOX_CLUSTER_a_TOKEN_SECRET_FILE, PROXMOX_CLUSTER_a_TOKEN_SECRET_COMMAND: only one"],
    );
}

#[test]
fn what_is_not_built_is_refused() {
    for name in [
        "ACCESS",
        "PROTECT",
        "BULK_LIMIT",
        "TOOLSETS",
        "TOOLS_ALLOW",
        "TOOLS_DENY",
        "AUDIT_LOG",
        "FILE_DIRS",
    ] {
        let problem = format!("PROXMOX_{name}: is not built yet");
        check_line(&format!("PROXMOX_{name}=x"), &[&problem]);
        check(&format!("{SINGLE}PROXMOX_{name}="), &[&problem]);
    }
    for field in [
        "ACCESS",
        "PROTECT",
        "INCOMING_TOKEN_ID",
        "INCOMING_TOKEN_SECRET",
        "INCOMING_TOKEN_SECRET_FILE",
    ] {
        let problem = format!("PROXMOX_CLUSTER_a_{field}: is not built yet");
        check_line(&format!("PROXMOX_CLUSTER_a_{field}=SECRET"), &[&problem]);
        check_both(
            &format!("PROXMOX_CLUSTER_a_{field}=SECRET"),
            &clusters("a"),
            &[&problem],
        );
    }
    check(
        &format!("{SINGLE}PROXMOX_INCOMING_TOKEN_ID=x"),
        &["PROXMOX_INCOMING_TOKEN_ID: is not built yet"],
    );
    for way in ["auto", "ask", "off:a"] {
        check_line(
            &format!("PROXMOX_CONFIRM={way}"),
            &["PROXMOX_CONFIRM: is not built yet; only `code` is"],
        );
    }
    check_line(
        "PROXMOX_CONFIRM=off",
        &["PROXMOX_CONFIRM: must name the clusters"],
    );
    check_line("PROXMOX_CONFIRM=never", &["PROXMOX_CONFIRM: is none of"]);
}

#[test]
fn a_shell_safe_spelling_serves_where_the_verbatim_one_is_not_set() {
    let safe = cluster("disaster-recovery")
        .replace("CLUSTER_disaster-recovery", "CLUSTER_DISASTER_RECOVERY");
    let file = format!("PROXMOX_CLUSTERS=disaster-recovery\n{safe}");
    assert_eq!(
        good(&file, "").clusters[0].settings.token_id,
        "mcp@pve!disaster-recovery"
    );
    let both = format!(
        "{file}PROXMOX_CLUSTER_DISASTER_RECOVERY_TIER=safe\nPROXMOX_CLUSTER_disaster-recovery_TIER=verbatim"
    );
    assert_eq!(
        good("", &both).clusters[0].tier.as_deref(),
        Some("verbatim")
    );
    check_warnings(
        "",
        &both,
        &[("PROXMOX_CLUSTER_DISASTER_RECOVERY_TIER: is not used", "")],
    );
    let emptied = format!("{both}\nPROXMOX_CLUSTER_disaster-recovery_TIER=");
    assert_eq!(good("", &emptied).clusters[0].tier, None);
    check(
        &format!("{file}PROXMOX_CLUSTER_DISASTER_RECOVERY_TIMEOUT=x"),
        &["PROXMOX_CLUSTER_DISASTER_RECOVERY_TIMEOUT: is not"],
    );
}

#[test]
fn a_variable_belongs_to_the_longest_name() {
    let config = good(
        "",
        &format!(
            "{}PROXMOX_CLUSTER_a_b_TIER=x\nPROXMOX_CLUSTER_a_TIER=y",
            clusters("a,a_b")
        ),
    );
    assert_eq!(config.clusters[0].tier.as_deref(), Some("y"));
    assert_eq!(config.clusters[1].tier.as_deref(), Some("x"));
    // Of `a` it would be INCOMING_TOKEN_ID.
    check(&clusters("a,a_INCOMING"), &[]);
    check(&clusters("a-b,a_b"), &[]);
    check(&clusters("prod,PROD"), &[]);
    let both = "PROXMOX_CLUSTER_A_B_TIER: fits several clusters: a-b, a_b";
    check(
        &format!("{}PROXMOX_CLUSTER_A_B_TIER=x", clusters("a-b,a_b")),
        &[both],
    );
    let both = "PROXMOX_CLUSTER_PROD_TIER: fits several clusters: prod, PROD";
    check(
        &format!("{}PROXMOX_CLUSTER_PROD_TIER=x", clusters("prod,PROD")),
        &[both],
    );
}

#[test]
fn an_unknown_name_in_the_file_is_a_warning_with_the_nearest() {
    let of = |line: &str, warnings: &[(&str, &str)]| {
        check_warnings("", &format!("{}{line}", clusters("a,dis-rec")), warnings);
    };
    of(
        "PROXMOX_FANOUTS=1",
        &[("PROXMOX_FANOUTS: is unknown", "is PROXMOX_FANOUT")],
    );
    of(
        "PROXMOX_CLUSTER_a_REGOIN=1",
        &[("PROXMOX_CLUSTER_a_REGOIN: ", "is PROXMOX_CLUSTER_a_REGION")],
    );
    of(
        "PROXMOX_CLUSTER_DIS_REC_REGOIN=1",
        &[(
            "PROXMOX_CLUSTER_DIS_REC_REGOIN: ",
            "is PROXMOX_CLUSTER_DIS_REC_REGION",
        )],
    );
    of(
        "PROXMOX_CLUSTER_a_TOKEN_SECRET:SECRET=",
        &[("PROXMOX_CLUSTER_a_TOKEN_SECRET...: ", "")],
    );
    of("OTHER=1\nACCESS=1\nproxmox_access=1", &[]);
    of(
        "PROXMOX_DEFAULT_LXC_PASSWORD=SECRET",
        &[("PROXMOX_DEFAULT_LXC_PASSWORD: is not used", "password")],
    );
    check_warnings(
        "PROXMOX_FANOUTS=1\nPROXMOX_VE_ENDPOINT=x",
        &clusters("a"),
        &[],
    );
    // A cluster that is described and not listed.
    of(
        &cluster("b"),
        &[
            ("PROXMOX_CLUSTER_b_API_URL: belongs to no", ""),
            ("PROXMOX_CLUSTER_b_TOKEN_ID: ", ""),
            ("PROXMOX_CLUSTER_b_TOKEN_SECRET: ", ""),
        ],
    );
    of(
        &format!("{}PROXMOX_CLUSTER_b_VERIFY=no", cluster("b")),
        &[
            ("", ""),
            ("", ""),
            ("", ""),
            ("PROXMOX_CLUSTER_b_VERIFY: belongs to no", ""),
        ],
    );
    let many: String = (0..25).map(|n| format!("PROXMOX_X{n}=1\n")).collect();
    let Ok(config) = read("", &format!("{}{many}", clusters("a"))) else {
        panic!("not read");
    };
    assert_eq!(config.warnings.len(), 21);
    assert!(config.warnings[20].starts_with("5 more variables"));
}

#[test]
fn a_slip_near_a_name_that_keeps_things_safe_is_a_problem() {
    for slip in [
        "ACESS",
        "ACCES",
        "ACCESSES",
        "CONFRIM",
        "PROTEC",
        "PROTECTED",
        "TOOL_DENY",
        "TOOLSDENY",
        "BULK_LIMITS",
        "AUDITLOG",
        "VERFIY",
        "verify",
    ] {
        let problem = format!("PROXMOX_{slip}: is unknown");
        check_line(&format!("PROXMOX_{slip}=x"), &[&problem]);
        check_both(&format!("PROXMOX_{slip}=x"), &clusters("a"), &[&problem]);
    }
    for slip in ["a_VERFIY", "a_PROTECTS", "a_ACCES", "c_VERIFY", "a-VERIFY"] {
        let problem = format!("PROXMOX_CLUSTER_{slip}: is unknown");
        check_line(&format!("PROXMOX_CLUSTER_{slip}=x"), &[&problem]);
    }
    check_both("PROXMOX_VERIFY_SSL=x", &clusters("a"), &[]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let file = format!(
        "{}PROXMOX_CLUSTER_a_API_URL=SECRET\nPROXMOX_CLUSTER_b_VERIFY=SECRET\nPROXMOX_CLUSTER_b_TOKEN_ID=SECRET\nPROXMOX_LOG=SECRET\nPROXMOX_ACCESS=SECRET\nPROXMOX_ACESS=SECRET\n",
        clusters("a,b")
    );
    let variables = [
        "PROXMOX_ACCESS: ",
        "PROXMOX_ACESS: ",
        "PROXMOX_CLUSTER_a_API_URL: ",
        "PROXMOX_CLUSTER_b_TOKEN_ID: ",
        "PROXMOX_CLUSTER_b_VERIFY: ",
        "PROXMOX_LOG: ",
    ];
    check(&file, &variables);
}

#[test]
fn edits_between_names() {
    for (one, other, edits) in [
        ("", "", 0),
        ("", "ab", 2),
        ("ab", "", 2),
        ("abc", "abc", 0),
        ("abc", "ABC", 0),
        ("abc", "abd", 1),
        ("abc", "ac", 1),
        ("ac", "abc", 1),
        ("ab", "ba", 2),
        ("kitten", "sitting", 3),
    ] {
        assert_eq!(variables::edits(one, other), edits, "{one} {other}");
    }
}
