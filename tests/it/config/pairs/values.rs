//! What each variable may say, and what it comes to.

use std::path::PathBuf;

use proxmox_mcp::proxmox::secret::SecretSource;
use proxmox_mcp::proxmox::settings::Trust;

use super::{FINGERPRINT, check, check_line, check_warnings, clusters, good};

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
        &["PROXMOX_FANOUT: is not a whole number from 1 to 128"],
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
        "https://pve/../x",
        "https://pve//x",
        "https://pve/a b",
        "https://pve/a%2fb",
        "https://pve/a;b",
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
fn quotes_that_were_kept_are_told() {
    let quoted = "stands in quotes, which belong to the value where Docker's `--env-file`";
    for line in [
        "PROXMOX_CLUSTER_a_API_URL=\"https://pve:8006\"",
        "PROXMOX_CLUSTER_a_API_URL='https://pve:8006'",
        "PROXMOX_CLUSTER_a_TOKEN_ID='mcp@pve!a'",
        "PROXMOX_CLUSTER_a_VERIFY=\"true\"",
        "PROXMOX_CLUSTER_a_ACCESS=\"read\"",
        "PROXMOX_CLUSTER_a_PROTECT='100'",
        "PROXMOX_CLUSTER_a_CA_FILE=\"/ca\"",
        "PROXMOX_CLUSTER_PATTERNS='a-:a'",
        "PROXMOX_DEFAULT_CLUSTER='a'",
        "PROXMOX_CLUSTERS='a,b'",
        "PROXMOX_CONFIRM='ask'",
        "PROXMOX_LOG='info'",
    ] {
        let name = line.split('=').next().unwrap_or_default();
        let problem = format!("{name}: {quoted}");
        super::check_both(line, &clusters("a,b"), &[&problem]);
    }
    for field in ["REGION", "DEFAULT_NODE"] {
        let line = format!("PROXMOX_CLUSTER_a_{field}=\"x y\"");
        let name = format!("PROXMOX_CLUSTER_a_{field}: {quoted}");
        check_warnings(&line, &clusters("a"), &[(&name, "")]);
    }
}

/// A secret of another shape may be one, but hardly is.
#[test]
fn a_secret_that_looks_like_none_is_warned_of() {
    let uuid = "as `12345678-1234-1234-1234-123456789abc`";
    for (secret, told) in [
        ("changeme", "is no UUID"),
        ("PVEAPIToken=mcp@pve!a=SECRET", "begins with `PVEAPIToken=`"),
        ("\"SECRET\"", "stands in quotes"),
        ("'SECRET'", "stands in quotes"),
        ("SECRET1", "is no UUID"),
        ("1111111122223333444455ec2e75ec2e7", "is no UUID"),
        ("g1111111-2222-3333-4444-5ec2e75ec2e7", "is no UUID"),
    ] {
        let line = format!("PROXMOX_CLUSTER_a_TOKEN_SECRET={secret}");
        let found = super::read(&line, &clusters("a"));
        let warnings = found.map(|config| config.warnings).unwrap_or_default();
        let [warning] = warnings.as_slice() else {
            panic!("{secret}: {warnings:?}")
        };
        let begin = format!("PROXMOX_CLUSTER_a_TOKEN_SECRET: {told}");
        assert!(warning.starts_with(&begin), "{warning}");
        assert!(warning.contains(&uuid[3..]), "{warning}");
        assert!(!warning.contains("5ec2e75ec2e7"), "{warning}");
    }
    check_warnings("", &clusters("a"), &[]);
    let upper = clusters("a").replace("SECRET\n", "11111111-2222-3333-4444-ABCDEFABCDEF\n");
    check_warnings("", &upper, &[]);
}

#[test]
fn a_path_is_a_reverse_proxys_prefix() {
    for (url, authority, prefix) in [
        ("https://pve", "pve:8006", ""),
        ("https://pve/", "pve:8006", ""),
        ("https://pve/api2/json", "pve:8006", ""),
        ("https://pve/api2/json/", "pve:8006", ""),
        ("https://pve:8006/#v1:0:18:4:::::::", "pve:8006", ""),
        ("https://pve/pve", "pve:8006", "/pve"),
        ("https://pve:443/pve//", "pve:443", "/pve"),
        (
            "https://pve/a-1/b_2.~/api2/json/#x",
            "pve:8006",
            "/a-1/b_2.~",
        ),
        ("https://[::1]:443/pve?x", "[::1]:443", "/pve"),
        // Below something else it is the proxy's own.
        ("https://pve/api2", "pve:8006", "/api2"),
        ("https://pve/xapi2/json", "pve:8006", "/xapi2/json"),
    ] {
        let line = format!("{}PROXMOX_CLUSTER_a_API_URL={url}", clusters("a"));
        let config = good("", &line);
        let [endpoint] = config.clusters[0].settings.endpoints.as_slice() else {
            panic!("one endpoint")
        };
        assert_eq!(
            (endpoint.authority().as_str(), endpoint.prefix.as_str()),
            (authority, prefix),
            "{url}"
        );
        assert_eq!(endpoint.to_string(), format!("{authority}{prefix}"));
    }
}

#[test]
fn a_bare_ipv6_address_is_shown_its_brackets() {
    for (url, brackets) in [
        ("https://2001:db8::1", "https://[2001:db8::1]`"),
        ("https://2001:db8::1/pve", "https://[2001:db8::1]`"),
        ("https://2001:db8::1:8006", "https://[2001:db8::1]:8006`"),
        (
            "https://2001:db8:0:0:0:0:0:1:443",
            "https://[2001:db8::1]:443`",
        ),
        ("https://::1", "https://[::1]`"),
        ("2001:db8::1", "https://[2001:db8::1]`"),
        ("https://ok,https://fe80::1/", "https://[fe80::1]`"),
    ] {
        check_line(
            &format!("PROXMOX_CLUSTER_a_API_URL={url}"),
            &[&format!(
                "PROXMOX_CLUSTER_a_API_URL: holds an IPv6 address without its brackets: write `{brackets}"
            )],
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
