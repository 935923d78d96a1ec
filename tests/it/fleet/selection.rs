//! Which cluster a call means: the rules as tables, one row a case.

use std::fmt::Write as _;

use proxmox_mcp::config::{self, Config};
use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::index::Names;
use proxmox_mcp::fleet::index::ResourceIndex;
use proxmox_mcp::fleet::registry::{
    self, ClusterQuestion, FirstDecision, IndexedCluster, NamedSubject,
};

/// Three clusters; two prefixes that overlap, and one cluster whose name has a hyphen.
fn three(more: &[(&str, &str)]) -> Config {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| pairs.push((name.into(), value.into()));
    set("PROXMOX_CLUSTERS", "production,staging,disaster-recovery");
    set(
        "PROXMOX_CLUSTER_PATTERNS",
        "prod-:production,stg-:staging,dr-:disaster-recovery,stg-x-:production",
    );
    for name in ["production", "staging", "disaster-recovery"] {
        set(
            &format!("PROXMOX_CLUSTER_{name}_API_URL"),
            "https://192.0.2.1",
        );
        set(&format!("PROXMOX_CLUSTER_{name}_TOKEN_ID"), "mcp@pve!mcp");
        set(&format!("PROXMOX_CLUSTER_{name}_TOKEN_SECRET"), "secret");
    }
    for (name, value) in more {
        pairs.push(((*name).into(), (*value).into()));
    }
    config::read(&[], &pairs.into()).unwrap_or_else(|report| panic!("{:?}", report.problems))
}

fn words(ask: &ClusterQuestion, config: &Config) -> String {
    match registry::by_words(config, ask) {
        Ok(FirstDecision::Decided(decision)) => {
            format!(
                "{} by {}",
                config.clusters[decision.cluster].name, decision.chosen_by
            )
        }
        Ok(FirstDecision::Look) => "look".into(),
        Err(error) => format!("{}: {error}", error.code.as_str()),
    }
}

#[test]
fn words_decide_before_anybody_is_asked() {
    let config = three(&[]);
    let check = |cluster: Option<&str>, named, reading, expected: &str| {
        let said = words(
            &ClusterQuestion {
                cluster,
                named,
                beside: None,
                reading,
            },
            &config,
        );
        assert!(said.starts_with(expected), "{cluster:?} {named:?}: {said}");
    };
    let (guest, new) = (NamedSubject::Guest, |name| NamedSubject::New(Some(name)));
    // The argument.
    check(
        Some("staging"),
        guest("prod-web"),
        false,
        "staging by cluster argument",
    );
    check(
        Some("Staging"),
        guest("prod-web"),
        false,
        "ClusterNotFoundError: no cluster is named `Staging`",
    );
    // Patterns are case-sensitive; several of one cluster agree, of several clusters do not.
    check(None, guest("stg-web-01"), false, "staging by pattern stg-");
    check(
        None,
        guest("dr-web"),
        false,
        "disaster-recovery by pattern dr-",
    );
    check(None, guest("STG-web"), false, "look");
    check(
        None,
        guest("stg-x-1"),
        false,
        "AmbiguousClusterSelectionError: `stg-x-1` means several clusters",
    );
    // The cluster's own name in front; a pattern goes first.
    check(
        None,
        guest("staging-web"),
        false,
        "staging by name prefix staging-",
    );
    check(
        None,
        guest("disaster-recovery-web"),
        true,
        "disaster-recovery by name prefix disaster-recovery-",
    );
    check(None, guest("staging"), false, "look");
    check(None, guest("stagingweb"), false, "look");
    // What exists is looked for.
    check(None, NamedSubject::Vmid(100), false, "look");
    check(None, NamedSubject::Node("pve1"), true, "look");
    check(None, NamedSubject::Storage("local"), true, "look");
    // New things and reads without a subject have a default; changes without one have none.
    check(None, new("web"), false, "production by default cluster");
    check(
        None,
        new("dr-new"),
        false,
        "disaster-recovery by pattern dr-",
    );
    check(
        None,
        NamedSubject::New(None),
        false,
        "production by default cluster",
    );
    check(
        None,
        NamedSubject::Nothing,
        true,
        "production by default cluster",
    );
    check(
        None,
        NamedSubject::Nothing,
        false,
        "AmbiguousClusterSelectionError",
    );
}

#[test]
fn the_default_can_be_named_or_none() {
    let check = |value, expected: &str| {
        let config = three(&[("PROXMOX_DEFAULT_CLUSTER", value)]);
        let said = words(
            &ClusterQuestion {
                cluster: None,
                named: NamedSubject::Nothing,
                beside: None,
                reading: true,
            },
            &config,
        );
        assert!(said.starts_with(expected), "{value}: {said}");
    };
    check("staging", "staging by default cluster");
    check("none", "AmbiguousClusterSelectionError: no cluster is said");
}

#[test]
fn a_single_cluster_is_always_the_one() {
    let pairs = [
        ("PROXMOX_API_URL", "https://192.0.2.1"),
        ("PROXMOX_TOKEN_ID", "mcp@pve!mcp"),
        ("PROXMOX_TOKEN_SECRET", "secret"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
    let config = config::read(&[], &pairs.to_vec().into())
        .unwrap_or_else(|report| panic!("{:?}", report.problems));
    let check = |cluster, named, reading, expected: &str| {
        let said = words(
            &ClusterQuestion {
                cluster,
                named,
                beside: None,
                reading,
            },
            &config,
        );
        assert!(said.starts_with(expected), "{named:?}: {said}");
    };
    check(
        None,
        NamedSubject::Vmid(100),
        false,
        "default by only cluster",
    );
    check(
        None,
        NamedSubject::Nothing,
        false,
        "default by only cluster",
    );
    check(
        Some("default"),
        NamedSubject::Vmid(100),
        false,
        "default by only cluster",
    );
    check(
        Some("other"),
        NamedSubject::Vmid(100),
        false,
        "ClusterNotFoundError",
    );
}

/// `vmid:name:node` rows, and `-` for a guest whose name is lost.
fn rows(guests: &str) -> ResourceIndex {
    let mut data = String::from(
        r#"{"type":"node","node":"n0"},{"type":"storage","storage":"local","node":"n0"}"#,
    );
    for guest in guests.split_whitespace() {
        let mut parts = guest.split(':');
        let mut part = || parts.next().expect("vmid:name:node");
        let (vmid, name, node) = (part(), part(), part());
        let name = if name == "-" {
            String::new()
        } else {
            format!(r#""name":"{name}","#)
        };
        let _ = write!(
            data,
            r#",{{"type":"qemu","vmid":{vmid},{name}"node":"{node}","template":0}}"#
        );
    }
    ResourceIndex::read(format!(r#"{{"data":[{data}]}}"#).as_bytes()).expect("rows")
}

#[test]
fn the_place_decides_only_where_it_is_sure() {
    let config = three(&[]);
    // One text a cluster: its guests, `silent`, or guests behind `partly` for a token that does not
    // see all.
    let check = |clusters: [&str; 3], named, reading, expected: &str| {
        let seen = clusters.map(|cluster| {
            let partly = cluster.strip_prefix("partly");
            (cluster != "silent").then(|| (rows(partly.unwrap_or(cluster)), partly.is_none()))
        });
        let names = Names::default();
        let indexed_clusters = seen.iter().map(|seen| {
            seen.as_ref().map(|(rows, sees_all)| IndexedCluster {
                rows,
                names: &names,
                sees_all: *sees_all,
            })
        });
        let ask = ClusterQuestion {
            cluster: None,
            named,
            beside: None,
            reading,
        };
        let said = match registry::by_place(&config, &ask, &indexed_clusters.collect()) {
            Ok(Some(decision)) => {
                let silent = decision.silent.join("+");
                format!(
                    "{} silent[{silent}] by {}",
                    config.clusters[decision.cluster].name, decision.chosen_by
                )
            }
            Ok(None) => "nowhere".into(),
            Err(error) => format!("{}: {error}", error.code.as_str()),
        };
        assert!(
            said.starts_with(expected),
            "{clusters:?} {named:?} reading {reading}: {said}"
        );
    };
    let (vmid, name) = (NamedSubject::Vmid(7), NamedSubject::Guest("web"));
    check(
        ["7:web:a", "8:x:b", "9:y:c"],
        vmid,
        false,
        "production silent[]",
    );
    check(
        ["7:web:a", "8:x:b", "9:y:c"],
        name,
        false,
        "production silent[]",
    );
    check(["6:z:a", "8:x:b", "9:y:c"], vmid, false, "nowhere");
    check(
        ["7:web:a", "7:other:b", ""],
        vmid,
        true,
        "AmbiguousClusterSelectionError: guest 7 is on several clusters: production/7/web, staging/7/other",
    );
    // A silent cluster might have it too: read, but not changed.
    check(
        ["7:web:a", "", "silent"],
        vmid,
        true,
        "production silent[disaster-recovery]",
    );
    check(
        ["7:web:a", "", "silent"],
        vmid,
        false,
        "AmbiguousClusterSelectionError: whether another cluster",
    );
    check(
        ["", "", "silent"],
        vmid,
        true,
        "AmbiguousClusterSelectionError: guest 7 is on no cluster that answered",
    );
    // So might one whose token does not see all.
    check(
        ["7:web:a", "partly 8:x:b", ""],
        vmid,
        false,
        "AmbiguousClusterSelectionError: whether another cluster",
    );
    check(
        ["7:web:a", "partly 8:x:b", ""],
        vmid,
        true,
        "production silent[staging]",
    );
    // A guest without a name may be the one of that name, but has its VMID.
    check(
        ["7:web:a", "8:-:b", ""],
        name,
        false,
        "AmbiguousClusterSelectionError: whether another cluster",
    );
    check(["7:web:a", "8:-:b", ""], vmid, false, "production silent[]");
    // Nodes and storages.
    check(
        ["7:web:a", "8:x:b", ""],
        NamedSubject::Node("b"),
        false,
        "staging silent[] by node found there",
    );
    check(
        ["7:web:a", "", ""],
        name,
        false,
        "production silent[] by guest found there",
    );
    check(
        ["", "", ""],
        NamedSubject::Storage("local"),
        true,
        "AmbiguousClusterSelectionError: storage `local` is on several",
    );
}

#[test]
fn a_second_name_must_not_contradict() {
    let config = three(&[]);
    let check = |name: &str, expected: Option<&str>| {
        let found = registry::by_name(&config, name).expect("one cluster");
        let found = found.map(|(cluster, _)| config.clusters[cluster].name.clone());
        assert_eq!(found.as_deref(), expected, "{name}");
    };
    check("stg-copy", Some("staging"));
    check("copy", None);
    check("production-copy", Some("production"));
}

#[test]
fn a_guest_costs_the_index_at_most_64_bytes() {
    const GUESTS: usize = 10_000;
    let mut guests = String::new();
    for number in 0..GUESTS {
        let _ = write!(
            guests,
            "{}:customer-web-frontend-{number:05}:node-{} ",
            100 + number,
            number % 20
        );
    }
    let rows = rows(&guests);
    assert!(rows.by_vmid(100, &Names::default()).is_some());
    let each = rows.guest_bytes() as f64 / GUESTS as f64;
    println!("{each:.1} bytes a guest");
    assert!(each <= 64.0, "{each} bytes a guest");
}

/// Every error code that users of the Python package know is a code here.
#[test]
fn the_codes_keep_their_names() {
    let silent = Error::ambiguous("x", vec![], vec!["b".into()]);
    assert_eq!(silent.code.as_str(), "AmbiguousClusterSelectionError");
    assert!(silent.to_string().contains("did not answer in full: b"));
}
