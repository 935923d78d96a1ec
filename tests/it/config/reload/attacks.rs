//! What a changed file must not do: lead a token elsewhere, reach a cluster by another name, loosen. Each
//! attack is a row, and what waits is not contacted either.

use std::collections::HashMap;
use std::fs;

use proxmox_mcp::config::env_file;
use proxmox_mcp::config::{self, Config};
use proxmox_mcp::fleet::registry::{self, ClusterQuestion, FirstDecision, NamedSubject};
use serde_json::json;

use super::{Served, clusters, merge, read, reload};

/// The file of `a` and `b` with a cluster `c` whose lines are these, read with this environment.
fn with_c(lines: &str, environment: &[(&str, &str)]) -> Config {
    let mut fields = HashMap::from([
        ("API_URL", "https://c.example.com"),
        ("TOKEN_ID", "mcp@pve!c"),
        ("TOKEN_SECRET", "secret-of-c"),
    ]);
    for line in lines.lines() {
        let (field, value) = line.split_once('=').unwrap();
        fields.insert(field, value);
    }
    let text: String = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| format!("PROXMOX_CLUSTER_c_{field}={value}\n"))
        .collect();
    let text = format!("{}{text}", clusters(&["a", "b"], "PROXMOX_CLUSTERS=a,b,c"));
    let held: HashMap<&str, &str> = environment.iter().copied().collect();
    let file = env_file::read(text.as_bytes(), &held);
    let environment: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    match config::read(&environment, &file) {
        Ok(config) => config,
        Err(report) => panic!("{lines}: {:?}", report.problems),
    }
}

/// That a new cluster of these lines waits, and why.
#[track_caller]
fn waits(lines: &str, environment: &[(&str, &str)], why: &str) {
    let old = read(&clusters(&["a", "b"], ""));
    let found = reload(&old, with_c(lines, environment));
    assert!(found.config.clusters == old.clusters, "{lines}");
    assert_eq!(found.taken, [""; 0], "{lines}");
    let told = format!("cluster c: {why}");
    assert!(
        found.waiting.len() == 1 && found.waiting[0].starts_with(&told),
        "{lines}: {:?}",
        found.waiting
    );
}

#[test]
fn a_new_cluster_is_no_way_to_an_old_one() {
    for url in [
        "https://a.example.com",
        "https://A.Example.COM",
        "https://a.example.com.",
        "https://a.example.com:443",
        "https://a.example.com/pve",
        "https://alias.example.com",
        "https://192.0.2.1",
        "https://[::ffff:192.0.2.1]",
        "https://[::ffff:c000:201]:8006",
        "https://two.example.com",
        "https://c.example.com,https://b.example.com",
    ] {
        let of = match url.contains("two") || url.contains("//b.") {
            true => "it is where b is",
            false => "it is where a is",
        };
        waits(&format!("API_URL={url}"), &[], of);
    }
    for url in [
        "https://slow.example.com",
        "https://c.example.com,https://slow",
    ] {
        waits(&format!("API_URL={url}"), &[], "the name `slow");
    }
    waits("PROXY=http://p:1", &[], "a proxy may lead anywhere");
    // One whose own name does not resolve could be anywhere.
    let old = read(&clusters(
        &["a", "b"],
        "PROXMOX_CLUSTER_b_API_URL=https://slow",
    ));
    let found = reload(&old, with_c("", &[]));
    let told = "cluster c: the name `slow` does not resolve";
    assert!(
        found.waiting.iter().any(|line| line.starts_with(told)),
        "{:?}",
        found.waiting
    );
    assert_eq!(found.config.clusters.len(), 2);
    // On this machine a port tells tunnels apart, and an address does not.
    let tunnel = |port: u16| {
        let url = format!("PROXMOX_CLUSTER_b_API_URL=https://127.0.0.1:{port}");
        read(&clusters(&["a", "b"], &url))
    };
    for (url, comes) in [
        ("https://127.0.0.1:9001", false),
        ("https://localhost:9001", false),
        ("https://127.0.0.2:9001", false),
        ("https://[::1]:9001", false),
        ("https://[::ffff:127.0.0.1]:9001", false),
        ("https://127.0.0.1:9002", true),
    ] {
        let found = reload(&tunnel(9001), with_c(&format!("API_URL={url}"), &[]));
        assert_eq!(found.config.clusters.len() == 3, comes, "{url}");
    }
}

#[test]
fn a_new_cluster_takes_nobodys_secret_with_it() {
    let secret = "its secret";
    let not_all = "not all of it stands in the file as it is";
    let of_a = "PROXMOX_CLUSTER_a_TOKEN_SECRET";
    for (lines, why) in [
        ("TOKEN_ID=mcp@pve!a", "its token is that of a"),
        ("TOKEN_ID=MCP@pve!A", "its token is that of a"),
        ("TOKEN_SECRET=secret-of-a", "its secret is that of another"),
        ("TOKEN_SECRET=${PROXMOX_CLUSTER_a_TOKEN_SECRET}", not_all),
        ("TOKEN_SECRET=${HELD}", not_all),
        ("TOKEN_SECRET=${NONE:-x}", not_all),
        ("TOKEN_SECRET=x${HELD}y", not_all),
        ("TOKEN_ID=mcp@pve!${HELD}", not_all),
        ("API_URL=https://${HELD}.example.com", not_all),
        ("REGION=${HELD}", not_all),
        ("DEFAULT_NODE=${PROXMOX_CLUSTER_b_TOKEN_SECRET}", not_all),
        (
            "TOKEN_SECRET=\nTOKEN_SECRET_FILE=/root/.ssh/one_line",
            secret,
        ),
        ("TOKEN_SECRET=\nTOKEN_SECRET_COMMAND=/bin/id", secret),
        ("VERIFY=false", "its certificate would not be checked"),
    ] {
        waits(lines, &[("HELD", "held")], why);
    }
    // What the environment says of a cluster that was not listed before.
    for name in [
        "PROXMOX_CLUSTER_c_TOKEN_SECRET",
        "PROXMOX_CLUSTER_c_TOKEN_ID",
    ] {
        let value = "held@pve!held";
        waits("", &[(name, value)], not_all);
    }
    // By a detour.
    let text = format!(
        "{}DETOUR=${{{of_a}}}\n{}",
        clusters(&["a", "b"], ""),
        clusters(
            &["c"],
            "PROXMOX_CLUSTERS=a,b,c\nPROXMOX_CLUSTER_c_TOKEN_SECRET=${DETOUR}"
        )
    );
    let old = read(&clusters(&["a", "b"], ""));
    let found = reload(&old, read(&text));
    assert!(found.config.clusters == old.clusters, "{:?}", found.taken);
    // Of two new ones, one may not be the other.
    let twice = clusters(
        &["a", "b", "c", "d"],
        "PROXMOX_CLUSTER_d_API_URL=https://c.example.com",
    );
    let found = reload(&old, read(&twice));
    assert!(
        found
            .waiting
            .contains(&"cluster d: it is where c is".to_owned())
    );
    assert_eq!(found.config.clusters.len(), 3);
}

/// A name that is made of a secret is told by nobody.
#[test]
fn what_an_expansion_stands_for_is_not_told() {
    let held = HashMap::from([("HELD", "held-secret")]);
    let of = |more: &str| {
        let text = clusters(&["a", "b"], more);
        let file = env_file::read(text.as_bytes(), &held);
        config::read(&[], &file).map_err(|report| report.problems)
    };
    let old = of("").unwrap_or_else(|problems| panic!("{problems:?}"));
    for more in [
        "PROXMOX_PROTECT=name:${HELD}",
        "PROXMOX_CLUSTER_a_PROTECT=100,tag:${HELD}",
        "PROXMOX_AUDIT_LOG=/${HELD}",
        "PROXMOX_CLUSTERS=a,b,${HELD}\nPROXMOX_CLUSTER_held-secret_API_URL=https://c.example.com\n\
         PROXMOX_CLUSTER_held-secret_TOKEN_ID=x@pve!y\nPROXMOX_CLUSTER_held-secret_TOKEN_SECRET=z",
        "PROXMOX_CLUSTER_a_REGION=${HELD}",
        "PROXMOX_CLUSTER_PATTERNS=${HELD}:a",
    ] {
        let new = of(more).unwrap_or_else(|problems| panic!("{problems:?}"));
        let found = reload(&old, new);
        assert!(found.config.clusters == old.clusters, "{more}");
        assert!(found.config.safety == old.safety, "{more}");
        assert!(found.config.every == old.every, "{more}");
        assert!(!found.waiting.is_empty(), "{more}");
        let told = format!("{:?}{:?}", found.taken, found.waiting);
        assert!(!told.contains("held-secret"), "{told}");
    }
}

#[test]
fn a_changed_token_stands_in_the_file_and_is_nobody_elses() {
    let told = "the token of b, which has to stand literally in the file and be no other's";
    for more in [
        "PROXMOX_CLUSTER_b_TOKEN_ID=mcp@pve!a",
        "PROXMOX_CLUSTER_b_TOKEN_SECRET=secret-of-a",
        "PROXMOX_CLUSTER_b_TOKEN_SECRET=${PROXMOX_CLUSTER_a_TOKEN_SECRET}",
        "PROXMOX_CLUSTER_b_TOKEN_ID=mcp@pve!${PROXMOX_CLUSTER_a_REGION:-x}",
        "PROXMOX_CLUSTER_b_TOKEN_SECRET=\nPROXMOX_CLUSTER_b_TOKEN_SECRET_FILE=/etc/machine-id",
        "PROXMOX_CLUSTER_b_TOKEN_SECRET=\nPROXMOX_CLUSTER_b_TOKEN_SECRET_COMMAND=/bin/id",
    ] {
        let found = merge("", more);
        assert_eq!(found.waiting, [told], "{more}");
        assert_eq!(found.tokens, [0; 0], "{more}");
        assert!(
            found.config.clusters == merge("", "").config.clusters,
            "{more}"
        );
    }
    // A secret that was renewed, of a token that is named as another's.
    let shared = "PROXMOX_CLUSTER_b_TOKEN_ID=mcp@pve!a\n";
    let found = merge(
        shared,
        &format!("{shared}PROXMOX_CLUSTER_b_TOKEN_SECRET=fresh"),
    );
    assert_eq!(found.taken, ["the token of b"]);
    let found = merge(
        "",
        "PROXMOX_CLUSTER_b_TOKEN_ID=mcp@pve!new\nPROXMOX_CLUSTER_b_TOKEN_SECRET=fresh",
    );
    assert_eq!(found.taken, ["the token of b"]);
    assert_eq!(found.tokens, [1]);
    // A token's own secret from a file that was named before, with another id, would go out anew.
    let of_file = "PROXMOX_CLUSTER_b_TOKEN_SECRET=\nPROXMOX_CLUSTER_b_TOKEN_SECRET_FILE=/s\n";
    let found = merge(
        of_file,
        &format!("{of_file}PROXMOX_CLUSTER_b_TOKEN_ID=x@pve!y"),
    );
    assert_eq!(found.waiting, [told]);
}

#[test]
fn nothing_of_an_old_cluster_is_led_elsewhere() {
    let pinned = "AA:".repeat(31) + "AA";
    for line in [
        "API_URL=https://evil.example.com",
        "API_URL=https://a.example.com:1",
        "API_URL=https://a.example.com/evil",
        "API_URL=https://a.example.com,https://evil.example.com",
        "VERIFY=false",
        "CA_FILE=/tmp/evil.pem",
        &format!("FINGERPRINT={pinned}"),
        "PROXY=http://evil:1",
        "TIMEOUT=300",
        "DEFAULT_STORAGE=evil",
    ] {
        let found = merge("", &format!("PROXMOX_CLUSTER_a_{line}"));
        assert_eq!(found.waiting, ["what else was changed of a"], "{line}");
        assert_eq!(found.taken, [""; 0], "{line}");
        assert!(
            found.config.clusters == merge("", "").config.clusters,
            "{line}"
        );
    }
}

/// Nothing but its name in `cluster` leads to a cluster that came in, until a restart.
#[test]
fn a_cluster_that_came_in_is_reached_by_its_name_alone() {
    let old = read(&clusters(&["a", "b"], ""));
    let more = "PROXMOX_CLUSTER_PATTERNS=x-:c\nPROXMOX_DEFAULT_CLUSTER=c";
    let found = reload(&old, read(&clusters(&["c", "a", "b"], more)));
    for waits in ["PROXMOX_CLUSTER_PATTERNS", "PROXMOX_DEFAULT_CLUSTER"] {
        assert!(found.waiting.contains(&waits.to_owned()), "{waits}");
    }
    let config = found.config;
    let ask = |cluster, named| {
        let decided = registry::by_words(
            &config,
            &ClusterQuestion {
                cluster,
                named,
                beside: None,
                reading: true,
            },
        );
        match decided {
            Ok(FirstDecision::Decided(decision)) => config.clusters[decision.cluster].name.clone(),
            Ok(FirstDecision::Look) => "look".into(),
            Err(error) => error.code.as_str().into(),
        }
    };
    assert_eq!(ask(Some("c"), NamedSubject::Guest("x-1")), "c");
    assert_eq!(ask(None, NamedSubject::Guest("x-1")), "look");
    assert_eq!(ask(None, NamedSubject::Guest("c-1")), "look");
    assert_eq!(ask(None, NamedSubject::Nothing), "a");
    assert_eq!(ask(None, NamedSubject::New(Some("c-1"))), "a");
    assert_eq!(config.settled().collect::<Vec<_>>(), [0, 1]);
    // Beside a single one it changes nothing about which is meant.
    let one = read(&clusters(&["a"], ""));
    let found = reload(&one, read(&clusters(&["a", "c"], "")));
    let decided = registry::by_words(
        &found.config,
        &ClusterQuestion {
            cluster: None,
            named: NamedSubject::Vmid(100),
            beside: None,
            reading: false,
        },
    );
    let Ok(FirstDecision::Decided(decision)) = decided else {
        panic!("not decided")
    };
    assert_eq!(
        (decision.cluster, decision.chosen_by.as_str()),
        (0, "only cluster")
    );
    // Nor does a second change of the file.
    let again = reload(
        &config,
        read(&clusters(&["c", "a", "b"], "PROXMOX_BULK_LIMIT=3")),
    );
    assert!(again.config.clusters[2].joined);
    assert!(again.waiting.contains(&"everything else of c".to_owned()));
}

/// The file without disaster-recovery, and the lines that add it.
fn without_the_third(served: &Served) -> (String, String) {
    let env = served.world.env();
    let of_third = |line: &&str| line.contains("_disaster-recovery_");
    // All three have a token of one name, which is nobody's business; the third's auditor has another.
    let third: String = env
        .lines()
        .filter(of_third)
        .map(|line| format!("{line}\n"))
        .collect();
    let rest: String = env
        .lines()
        .filter(|line| !of_third(line))
        .map(|line| {
            format!(
                "{}\n",
                line.replace(",disaster-recovery", "")
                    .replace(",dr-:disaster-recovery", "")
            )
        })
        .collect();
    let third = third
        .replace("_TOKEN_ID=mcp@pve!mcp", "_TOKEN_ID=aud@pve!ro")
        .replace("_TOKEN_SECRET=", "_TOKEN_SECRET=aud-");
    (rest, third)
}

fn served() -> (Served, String, String) {
    let served = Served::start_with(|world| {
        let env = world.env();
        let kept = env
            .lines()
            .filter(|line| !line.contains("_disaster-recovery_"));
        kept.map(|line| {
            let line = line.replace(",disaster-recovery", "");
            format!("{}\n", line.replace(",dr-:disaster-recovery", ""))
        })
        .collect()
    });
    let (rest, third) = without_the_third(&served);
    (served, rest, third)
}

#[test]
fn a_new_cluster_of_a_running_server_is_read_by_its_name() {
    let (mut served, rest, third) = served();
    let names = "PROXMOX_CLUSTERS=production,staging,disaster-recovery\n";
    fs::write(&served.file, format!("{rest}{third}{names}")).unwrap();
    served.world.seen();
    let searched = served
        .call("fleet_search", &json!({"query": "type:guest"}))
        .unwrap();
    assert_eq!(
        searched["configuration"],
        json!({
            "taken_over": ["cluster disaster-recovery, for reads that name it in `cluster`"],
            "waits_for_restart": ["everything else of disaster-recovery"],
        })
    );
    assert_eq!(searched["clusters_asked"], json!(2));
    for arguments in [json!({"cluster": "all"}), json!({})] {
        served.call("guest_list", &arguments).unwrap();
    }
    served
        .call("guest_get", &json!({"guest": "dr-web-01"}))
        .expect_err("nobody has it");
    let seen = served.world.seen();
    assert!(seen.iter().all(|one| one.cluster != "disaster-recovery"));
    let third = json!({"guest": "dr-web-01", "cluster": "disaster-recovery"});
    let got = served.call("guest_get", &third).unwrap();
    assert_eq!(got["cluster"], json!("disaster-recovery"));
    let mut start = third.clone();
    start["action"] = json!("start");
    let refused = served.call("guest_power", &start).expect_err("only reads");
    assert!(
        refused.contains(
            "a cluster that came while this server ran allows `read` at most; nothing was sent"
        ),
        "{refused}"
    );
    assert_eq!(served.writes(), 0);
}

/// The attacks that were seen: none contacts anybody.
#[test]
fn an_attack_by_the_file_contacts_nobody() {
    let (mut served, rest, third) = served();
    let of = |field: &str| {
        let line = third.lines().find(|line| line.contains(field)).unwrap();
        line.split_once('=').unwrap().1.to_owned()
    };
    let url = of("_API_URL");
    let production = served.world.cluster("production").urls().join(",");
    let evil = |lines: &str| {
        let lines: String = lines
            .lines()
            .map(|line| format!("PROXMOX_CLUSTER_evil_{line}\n"))
            .collect();
        format!("{rest}PROXMOX_CLUSTERS=production,staging,evil\n{lines}")
    };
    let ca = of("_CA_FILE");
    for lines in [
        format!(
            "API_URL={production}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET=e\nACCESS=full\nCA_FILE={ca}"
        ),
        format!(
            "API_URL={url}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET=${{PROXMOX_CLUSTER_production_TOKEN_SECRET}}\nCA_FILE={ca}"
        ),
        format!("API_URL={url}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET=${{PATH}}\nCA_FILE={ca}"),
        format!("API_URL={url}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET_FILE=/etc/hostname\nCA_FILE={ca}"),
        format!("API_URL={url}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET=e\nVERIFY=false"),
        format!("API_URL={url}\nTOKEN_ID=e@pve!e\nTOKEN_SECRET=e\nPROXY=http://127.0.0.1:1"),
    ] {
        fs::write(&served.file, evil(&lines)).unwrap();
        served.world.seen();
        let refused = served
            .call("guest_list", &json!({"cluster": "evil"}))
            .expect_err("not there");
        assert!(
            refused.starts_with("ClusterNotFoundError") || refused.contains("evil"),
            "{lines}: {refused}"
        );
        assert_eq!(served.world.seen().len(), 0, "{lines}");
        let told = served.call("cluster_list", &json!({})).unwrap();
        let told = told["configuration"].to_string();
        assert!(
            told.contains("cluster evil: ") || told.contains("not_taken_over"),
            "{lines}: {told}"
        );
    }
    // A name that is made of a secret, in a file with a problem.
    let text =
        format!("{rest}PROXMOX_CLUSTERS=production,${{PROXMOX_CLUSTER_production_TOKEN_SECRET}}\n");
    fs::write(&served.file, text).unwrap();
    let told = served.call("cluster_list", &json!({})).unwrap();
    assert_eq!(
        told["configuration"]["not_taken_over"],
        json!(["they stand on standard error: a `${NAME}` of the file could be told by them"])
    );
}
