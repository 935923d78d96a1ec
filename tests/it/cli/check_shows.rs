//! How `check` looks: its table, its arguments, what it asks.

use std::collections::BTreeSet;

use proxmox_mcp::tools::TOOLSETS;
use proxmox_mcp::tools::needs::{self, EXTRAS};
use serde_json::{Value, json};

use crate::cli::check_finds::{run, with};
use crate::sim::{ClusterSpec, Fault, World, roles};

const WIDTH: usize = 80;

/// The lines of the table and of all that is no command, fingerprint or name.
#[track_caller]
fn fits(text: &str) {
    for line in text.lines() {
        let is_one_word = line.split_whitespace().count() == 1;
        let is_command = line.trim_start().starts_with("pveum ") || line.contains("# only if");
        let width = line.chars().count();
        assert!(
            width <= WIDTH || is_one_word || is_command,
            "{width}: {line}"
        );
    }
}

#[test]
fn each_endpoint_has_a_row_within_80_columns() {
    let world = World::three();
    let said = run(&["check"], &world.env());
    fits(&said.stdout);
    assert_eq!(said.stderr, "", "no progress where there is no terminal");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("ENDPOINT"), "{}", said.stdout);
    for cluster in &world.clusters {
        assert!(lines.contains(&cluster.spec.name.as_str()));
        for node in &cluster.spec.nodes {
            let endpoint = format!("127.0.0.1:{}", cluster.port(&node.name));
            let row = lines.iter().find(|line| line.contains(&endpoint));
            let words: Vec<&str> = row.expect("a row").split_whitespace().collect();
            let all = cluster.spec.nodes.len();
            let nodes = format!("{all}/{all}");
            let quorum = if all == 1 { "single" } else { "ok" };
            assert_eq!(&words[..3], [endpoint.as_str(), "CA", "file"]);
            assert_eq!(&words[5..9], ["ok", "9.2.11", quorum, nodes.as_str()]);
        }
    }
}

#[test]
fn long_names_and_many_troubles_stay_within_80_columns() {
    let world = World::start(vec![ClusterSpec::sized("lab", 2, 1)]);
    let lab = world.cluster("lab");
    lab.fault(Fault::NoQuorum);
    lab.fault(Fault::TokenLacks(vec![
        "VM.Audit".into(),
        "VM.Clone".into(),
    ]));
    lab.edit(|state| state.clock_s = 100_000_000);
    let long = "a-node-with-a-very-long-name.in-a-deep-domain.of-an-institution.invalid";
    let urls = format!("https://{long},{}", lab.urls().join(","));
    let said = run(&["check"], &with(&world.env(), "API_URL", &urls));
    assert_eq!(said.status, Some(1));
    fits(&said.stdout);
    assert!(said.stdout.contains("  no address\n"), "{}", said.stdout);
    assert!(said.stdout.contains("  +1157d "), "{}", said.stdout);
}

#[test]
fn only_the_clusters_that_are_named_are_asked() {
    let world = World::three();
    let said = run(&["check", "staging", "--json"], &world.env());
    assert_eq!(said.status, Some(0), "{}", said.stderr);
    let asked: BTreeSet<String> = world.seen().into_iter().map(|seen| seen.cluster).collect();
    assert_eq!(asked, BTreeSet::from(["staging".to_string()]));
    let answer: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let cluster = &answer["clusters"][0];
    assert_eq!(answer["clusters"].as_array().map(Vec::len), Some(1));
    assert_eq!(cluster["cluster"], "staging");
    assert_eq!(cluster["token"], "mcp@pve!mcp");
    assert_eq!(cluster["missing_privileges"], json!([]));
    let staging = world.cluster("staging");
    let names: Vec<&str> = staging
        .spec
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    for (endpoint, node) in cluster["endpoints"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(names)
    {
        let expected = json!({
            "endpoint": format!("127.0.0.1:{}", staging.port(node)),
            "ok": true,
            "addresses": ["127.0.0.1"],
            "connected": true,
            "trusted": true,
            "trusted_by": "CA file",
            "certificate": {
                "subject": format!("CN={node}"),
                "issuer": "CN=staging cluster CA",
                "names": [node, "localhost", "127.0.0.1"],
                "not_before": "1975-01-01 00:00",
                "not_after": "4096-01-01 00:00",
                "days_left": endpoint["certificate"]["days_left"],
                "fingerprint": staging.fingerprint(node),
            },
            "clock_ahead_s": endpoint["clock_ahead_s"],
            "token_accepted": true,
            "version": "9.2.11",
            "quorum": "ok",
            "nodes_online": 2,
            "nodes": 2,
            "latency_ms": endpoint["latency_ms"],
        });
        assert_eq!(*endpoint, expected);
        assert!(
            endpoint["clock_ahead_s"]
                .as_i64()
                .is_some_and(|s| s.abs() <= 1)
        );
        assert!(endpoint["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0));
        assert!(
            endpoint["certificate"]["days_left"]
                .as_i64()
                .is_some_and(|days| days > 700_000)
        );
    }
}

/// Each endpoint is asked by itself, even where the first is down, and only read.
#[test]
fn every_endpoint_is_asked_and_nothing_is_written() {
    let world = World::three();
    let production = world.cluster("production");
    let first = production.spec.nodes[0].name.clone();
    production.fault(Fault::Refuse.on_node(&first));
    run(&["check", "production"], &world.env());
    let seen = production.seen();
    let nodes: BTreeSet<&str> = seen.iter().map(|seen| seen.node.as_str()).collect();
    assert_eq!(nodes.len(), production.spec.nodes.len() - 1, "{nodes:?}");
    assert!(seen.iter().all(|seen| seen.method == "GET"), "{seen:?}");
}

#[test]
fn an_unknown_cluster_is_said_before_anything_is_asked() {
    let world = World::three();
    let said = run(&["check", "stagin"], &world.env());
    assert_eq!(said.status, Some(2));
    assert_eq!(said.stdout, "");
    for part in [
        "`stagin`",
        "production, staging, disaster-recovery",
        "check --help",
    ] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    assert!(world.seen().is_empty());
    assert_eq!(run(&["check", "--jsn"], &world.env()).status, Some(2));
}

/// A secret's program may be slow and may ask a person: it is run once a cluster.
#[test]
fn the_program_of_a_secret_is_run_once() {
    let world = World::start(vec![ClusterSpec::sized("lab", 2, 0)]);
    let folder = tempfile::tempdir().expect("a folder");
    let count = folder.path().join("count");
    let script = folder.path().join("secret");
    let text = format!(
        "#!/bin/sh\necho run >> {}\necho secret-of-lab\n",
        count.display()
    );
    std::fs::write(&script, text).expect("a script");
    let command = format!("/bin/sh {}", script.display());
    let env = with(&world.env(), "TOKEN_SECRET", "");
    let said = run(&["check"], &with(&env, "TOKEN_SECRET_COMMAND", &command));
    assert_eq!(said.status, Some(0), "{}{}", said.stdout, said.stderr);
    let runs = std::fs::read_to_string(&count).expect("it was run");
    assert_eq!(runs.lines().count(), 1);
}

/// A set of tools that needs nothing would be one that nobody wrote down.
#[test]
fn the_needs_are_those_of_the_sets_of_tools() {
    let sets: BTreeSet<&str> = TOOLSETS.iter().map(|set| set.name).collect();
    let needs = needs::needs();
    let of_needs = needs.iter().map(|need| need.set);
    let of_extras = EXTRAS.iter().flat_map(|extra| extra.sets.iter().copied());
    let of_either: BTreeSet<&str> = of_needs.chain(of_extras).collect();
    assert_eq!(of_either, sets);
    let needed = needs.iter().map(|need| &need.privilege);
    let more = EXTRAS.iter().flat_map(|extra| extra.privileges);
    for privilege in needed.chain(more) {
        assert!(
            roles::PRIVILEGES.contains(privilege),
            "{privilege} does not exist"
        );
    }
    let of_extras = EXTRAS.iter().flat_map(|extra| extra.sets);
    assert!(of_extras.into_iter().all(|set| sets.contains(set)));
}
