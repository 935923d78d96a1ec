//! Which cluster a name means: every rule and its opposite, one row a name.

use std::fmt::Write as _;

use proxmox_mcp::config::{self, Config};
use proxmox_mcp::fleet::index::ResourceIndex;
use proxmox_mcp::fleet::index::{GuestName, Names};
use proxmox_mcp::fleet::registry::{
    self, ClusterQuestion, FirstDecision, IndexedCluster, NamedSubject,
};

/// Cluster names of which one begins with another, and prefixes that overlap: of one cluster, of two,
/// without a hyphen, a digit, a capital, and one that begins like a cluster's name.
const CLUSTERS: &str = "alpha,beta,alpha-2,a";
const PATTERNS: &str =
    "web-:alpha,web-db-:alpha,web-x-:beta,db:beta,1:beta,X-:alpha,beta-old-:alpha,q:alpha-2";

fn configured(more: &[(&str, &str)]) -> Config {
    let mut pairs = vec![
        ("PROXMOX_CLUSTERS".to_string(), CLUSTERS.to_string()),
        ("PROXMOX_CLUSTER_PATTERNS".into(), PATTERNS.into()),
    ];
    for (number, name) in (1..).zip(CLUSTERS.split(',')) {
        let mut set = |field: &str, value: &str| {
            pairs.push((format!("PROXMOX_CLUSTER_{name}_{field}"), value.into()));
        };
        set("API_URL", &format!("https://192.0.2.{number}"));
        set("TOKEN_ID", "mcp@pve!mcp");
        set("TOKEN_SECRET", "secret");
    }
    let more = more.iter();
    pairs.extend(more.map(|(name, value)| ((*name).to_string(), (*value).to_string())));
    config::read(&[], &pairs.into()).unwrap_or_else(|report| panic!("{:?}", report.problems))
}

fn words(config: &Config, cluster: Option<&str>, named: NamedSubject, reading: bool) -> String {
    let ask = ClusterQuestion {
        cluster,
        named,
        beside: None,
        reading,
    };
    match registry::by_words(config, &ask) {
        Ok(FirstDecision::Decided(decision)) => {
            assert!(decision.silent.is_empty(), "nobody was asked");
            let name = &config.clusters[decision.cluster].name;
            format!("{name} by {}", decision.chosen_by)
        }
        Ok(FirstDecision::Look) => "look".into(),
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            format!("{}: {error} {hint}", error.code.as_str())
        }
    }
}

/// The names that a pattern or a cluster's name decides, and those beside them that none does.
const NAMES: &[(&str, &str)] = &[
    // A prefix, and nothing but a prefix.
    ("web-01", "alpha by pattern web-"),
    ("web-", "alpha by pattern web-"),
    ("web", "look"),
    ("we", "look"),
    ("w", "look"),
    ("webs-01", "look"),
    ("my-web-01", "look"),
    ("myweb-01", "look"),
    ("01-web-", "look"),
    ("-web-01", "look"),
    (" web-01", "look"),
    // In this case of letters only.
    ("WEB-01", "look"),
    ("Web-01", "look"),
    ("X-01", "alpha by pattern X-"),
    ("x-01", "look"),
    // Two of one cluster: the longer explains it. Two of several: nobody guesses.
    ("web-db-01", "alpha by pattern web-db-"),
    ("web-db", "alpha by pattern web-"),
    (
        "web-x-01",
        "AmbiguousClusterSelectionError: `web-x-01` means several clusters: alpha (pattern web-), \
         beta (pattern web-x-); nothing was ",
    ),
    ("web-x", "alpha by pattern web-"),
    // Without a hyphen, and a single letter.
    ("db01", "beta by pattern db"),
    ("db", "beta by pattern db"),
    ("d", "look"),
    ("dB01", "look"),
    ("a-db01", "a by name prefix a-"),
    ("q", "alpha-2 by pattern q"),
    ("queue", "alpha-2 by pattern q"),
    ("uq", "look"),
    // A digit.
    ("1", "beta by pattern 1"),
    ("1st", "beta by pattern 1"),
    ("21", "look"),
    // A cluster's own name in front, with its hyphen.
    ("beta-web-01", "beta by name prefix beta-"),
    ("beta-", "beta by name prefix beta-"),
    ("beta", "look"),
    ("betaweb", "look"),
    ("Beta-web", "look"),
    ("beta_web", "look"),
    ("bet-a", "look"),
    ("old-beta-01", "look"),
    ("a-01", "a by name prefix a-"),
    ("a", "look"),
    ("ab-01", "look"),
    ("alpha-01", "alpha by name prefix alpha-"),
    // The text before the first hyphen is one cluster's name, the text before the second another's.
    (
        "alpha-2-web",
        "AmbiguousClusterSelectionError: `alpha-2-web` means several clusters: \
         alpha (name prefix alpha-), alpha-2 (name prefix alpha-2-); nothing was ",
    ),
    ("alpha-2", "alpha by name prefix alpha-"),
    ("alpha-20-web", "alpha by name prefix alpha-"),
    // A pattern goes before a cluster's name.
    ("beta-old-01", "alpha by pattern beta-old-"),
    ("beta-old", "beta by name prefix beta-"),
    ("", "look"),
];

#[test]
fn a_name_means_what_it_begins_with() {
    let config = configured(&[]);
    for (name, expected) in NAMES {
        for reading in [true, false] {
            let said = words(&config, None, NamedSubject::Guest(name), reading);
            assert!(is_it(&said, expected), "{name}: {said}");
        }
        // The same for something new, for which there is a default.
        let expected = expected.replace("look", "alpha by default cluster");
        let said = words(&config, None, NamedSubject::New(Some(name)), false);
        assert!(is_it(&said, &expected), "new {name}: {said}");
    }
}

/// An answer as a whole; of a sentence its beginning.
fn is_it(said: &str, expected: &str) -> bool {
    said == expected || (expected.contains("Error: ") && said.starts_with(expected))
}

#[test]
fn the_longest_name_means_what_it_begins_with() {
    let config = configured(&[]);
    let tail = "x".repeat(251);
    let said = |name: &str| words(&config, None, NamedSubject::Guest(name), false);
    assert_eq!(said(&format!("web-{tail}")), "alpha by pattern web-");
    assert_eq!(said(&format!("{tail}web-")), "look");
    assert_eq!(said(&format!("beta-{tail}")), "beta by name prefix beta-");
    assert_eq!(said(&format!("{tail}-beta-")), "look");
}

#[test]
fn the_argument_is_a_whole_name_and_goes_before_every_other() {
    let config = configured(&[]);
    let subjects = [
        NamedSubject::Guest("web-01"),
        NamedSubject::Guest("web-x-01"),
        NamedSubject::Vmid(100),
        NamedSubject::Node("pve1"),
        NamedSubject::Storage("local"),
        NamedSubject::Pool("core"),
        NamedSubject::New(Some("web-01")),
        NamedSubject::New(None),
        NamedSubject::Nothing,
    ];
    for named in subjects {
        for reading in [true, false] {
            let said = words(&config, Some("beta"), named, reading);
            assert_eq!(said, "beta by cluster argument", "{named:?}");
            for wrong in [
                "Beta", "bet", "beta-", "beta ", " beta", "gamma", "all", "", "beta,a",
            ] {
                let said = words(&config, Some(wrong), named, reading);
                let expected = format!("ClusterNotFoundError: no cluster is named `{wrong}`");
                assert!(said.starts_with(&expected), "{wrong}: {said}");
                assert!(said.contains("alpha, beta, alpha-2, a"), "{said}");
            }
        }
    }
}

/// What has no name that could route is looked for, or goes to the default, or is refused.
#[test]
fn what_has_no_name_is_looked_for_or_goes_to_the_default() {
    for (default, expected) in [
        (None, "alpha by default cluster"),
        (Some("a"), "a by default cluster"),
        (
            Some("none"),
            "AmbiguousClusterSelectionError: no cluster is said",
        ),
    ] {
        let more = default.map(|name| ("PROXMOX_DEFAULT_CLUSTER", name));
        let config = configured(more.as_slice());
        // A number is a VMID, whatever pattern it would begin with; nodes and storages have no pattern.
        for named in [
            NamedSubject::Vmid(100),
            NamedSubject::Node("web-01"),
            NamedSubject::Storage("web-01"),
            NamedSubject::Pool("web-01"),
        ] {
            for reading in [true, false] {
                assert_eq!(words(&config, None, named, reading), "look", "{named:?}");
            }
        }
        for named in [NamedSubject::New(None), NamedSubject::New(Some("other"))] {
            let said = words(&config, None, named, false);
            assert!(said.starts_with(expected), "{default:?} {named:?}: {said}");
        }
        let said = words(&config, None, NamedSubject::Nothing, true);
        assert!(said.starts_with(expected), "{default:?}: {said}");
        let said = words(&config, None, NamedSubject::Nothing, false);
        let refused = "AmbiguousClusterSelectionError: which cluster is to be changed is not said";
        assert!(said.starts_with(refused), "{said}");
    }
}

/// `vmid:name` rows, each on its own node `nVMID` that is there, or behind `!` on one that is lost; `-`
/// for a guest without a name.
fn rows(guests: &str) -> ResourceIndex {
    let mut data = String::from(r#"{"type":"storage","storage":"local","node":"n0"}"#);
    for guest in guests.split_whitespace() {
        let (is_lost, guest) = match guest.strip_prefix('!') {
            Some(guest) => (true, guest),
            None => (false, guest),
        };
        let (vmid, name) = guest.split_once(':').expect("vmid:name");
        let status = if is_lost { "offline" } else { "online" };
        let name = match name {
            "-" => String::new(),
            name => format!(r#""name":"{name}","#),
        };
        let _ = write!(
            data,
            r#",{{"type":"qemu","vmid":{vmid},{name}"node":"n{vmid}"}},{{"type":"node","node":"n{vmid}","status":"{status}"}}"#
        );
        let _ = write!(data, r#",{{"type":"pool","pool":"p{vmid}"}}"#);
    }
    ResourceIndex::read(format!(r#"{{"data":[{data}]}}"#).as_bytes()).expect("rows")
}

/// What is known beside the list: `vmid=name`, `vmid=?` where the name may have changed.
fn known(names: &str) -> Names {
    let mut known = Names::default();
    for name in names.split_whitespace() {
        let (vmid, name) = name.split_once('=').expect("vmid=name");
        let name = match name {
            "?" => GuestName::Doubtful,
            name => GuestName::Is(name.into()),
        };
        known.learn(vmid.parse().expect("a VMID"), name);
    }
    known
}

/// Where the subject is: by cluster what it lists (`silent`; behind `partly` what a token sees that does
/// not see all; behind ` / ` what is known beside), and what follows for reading and for writing.
fn place(lists: [&str; 4], named: NamedSubject, reading: bool) -> String {
    place_beside(lists, named, None, reading)
}

/// As [`place`], with what the call names beside the subject.
fn place_beside(
    lists: [&str; 4],
    named: NamedSubject,
    beside: Option<NamedSubject>,
    reading: bool,
) -> String {
    let config = configured(&[]);
    let seen = lists.map(|list| {
        let (list, names) = list.split_once(" / ").unwrap_or((list, ""));
        let partly = list.strip_prefix("partly");
        let is_silent = list == "silent";
        (!is_silent).then(|| (rows(partly.unwrap_or(list)), known(names), partly.is_none()))
    });
    let indexed_clusters = seen.iter().map(|seen| {
        seen.as_ref().map(|(rows, names, sees_all)| IndexedCluster {
            rows,
            names,
            sees_all: *sees_all,
        })
    });
    let ask = ClusterQuestion {
        cluster: None,
        named,
        beside,
        reading,
    };
    match registry::by_place(&config, &ask, &indexed_clusters.collect()) {
        Ok(Some(decision)) => {
            let name = &config.clusters[decision.cluster].name;
            let silent = decision.silent.join("+");
            format!("{name} by {} [{silent}]", decision.chosen_by)
        }
        Ok(None) => "nowhere".into(),
        Err(error) => format!("{}: {error}", error.code.as_str()),
    }
}

const TOO: &str = "AmbiguousClusterSelectionError: whether another cluster has ";
const ON_SEVERAL: &str = "is on several clusters: ";

/// By cluster what it lists; the subject; what follows for reading; for writing.
type Row = (
    [&'static str; 4],
    NamedSubject<'static>,
    &'static str,
    &'static str,
);

const WEB: NamedSubject = NamedSubject::Guest("web");
const PLACES: &[Row] = &[
    // A whole name in this case of letters, a whole number.
    (
        ["7:web", "8:db", "", ""],
        WEB,
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["8:db", "", "", "7:web"],
        WEB,
        "a by guest found there []",
        "a by guest found there []",
    ),
    (
        ["7:web-01", "8:my-web", "9:Web", "6:we"],
        WEB,
        "nowhere",
        "nowhere",
    ),
    (
        ["70:x", "17:y", "", ""],
        NamedSubject::Vmid(7),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "", "", "70:y"],
        NamedSubject::Vmid(7),
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    // A guest whose name is a number is no guest of that number.
    (
        ["7:100", "100:x", "", ""],
        NamedSubject::Vmid(100),
        "beta by guest found there []",
        "beta by guest found there []",
    ),
    // On several.
    (["7:web", "8:web", "", ""], WEB, ON_SEVERAL, ON_SEVERAL),
    (
        ["7:x", "", "", "7:y"],
        NamedSubject::Vmid(7),
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    // Two of a name on one cluster are of that cluster.
    (
        ["7:web 9:web", "", "", ""],
        WEB,
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    // One that is silent, first, last or the only one that could have it.
    (
        ["silent", "7:web", "", ""],
        WEB,
        "beta by guest found there [alpha]",
        TOO,
    ),
    (
        ["7:web", "", "", "silent"],
        NamedSubject::Vmid(7),
        "alpha by guest found there [a]",
        TOO,
    ),
    (
        ["7:web", "", "silent", "silent"],
        WEB,
        "alpha by guest found there [alpha-2+a]",
        TOO,
    ),
    (
        ["", "", "", "silent"],
        WEB,
        "guest `web` is on no cluster that answered",
        TOO,
    ),
    (
        ["silent", "silent", "silent", "silent"],
        WEB,
        "on no cluster that answered",
        TOO,
    ),
    (
        ["7:web", "8:web", "silent", ""],
        WEB,
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    // One whose token does not see all guests.
    (
        ["7:web", "partly 8:db", "", ""],
        WEB,
        "alpha by guest found there [beta]",
        TOO,
    ),
    (
        ["7:web", "partly", "", ""],
        NamedSubject::Vmid(7),
        "alpha by guest found there [beta]",
        TOO,
    ),
    (
        ["partly 7:web", "", "", ""],
        WEB,
        "alpha by guest found there []",
        TOO,
    ),
    (
        ["partly", "", "", ""],
        WEB,
        "on no cluster that answered",
        TOO,
    ),
    // A guest without a name may bear it; its number is told.
    (
        ["7:web", "!8:-", "", ""],
        WEB,
        "alpha by guest found there [beta]",
        TOO,
    ),
    (
        ["7:web", "!8:-", "", ""],
        NamedSubject::Vmid(7),
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["7:web", "!8:-", "", ""],
        NamedSubject::Vmid(8),
        "beta by guest found there []",
        "beta by guest found there []",
    ),
    (
        ["7:web", "8:-", "", ""],
        WEB,
        "alpha by guest found there [beta]",
        TOO,
    ),
    (
        ["", "!8:-", "", ""],
        WEB,
        "on no cluster that answered",
        TOO,
    ),
    // What is known goes before what is listed, and says how the nameless are called.
    (
        ["7:web", "8:- / 8=db", "", ""],
        WEB,
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["7:web", "8:- / 8=web", "", ""],
        WEB,
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    (["7:web / 7=old", "", "", ""], WEB, "nowhere", "nowhere"),
    (
        ["7:old / 7=web", "", "", ""],
        WEB,
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["7:web / 7=web", "", "", ""],
        WEB,
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["7:web / 7=?", "", "", ""],
        WEB,
        "on no cluster that answered",
        TOO,
    ),
    (
        ["7:web / 7=?", "8:web", "", ""],
        WEB,
        "beta by guest found there [alpha]",
        TOO,
    ),
    (
        ["7:web / 7=?", "", "", ""],
        NamedSubject::Vmid(7),
        "alpha by guest found there []",
        "alpha by guest found there []",
    ),
    (
        ["7:x / 7=web-01", "", "", "8:y / 8=Web"],
        WEB,
        "nowhere",
        "nowhere",
    ),
    // Of a guest that is not listed nothing is known.
    (["7:x / 9=web", "", "", ""], WEB, "nowhere", "nowhere"),
    (
        ["7:x / 9=?", "8:web", "", ""],
        WEB,
        "beta by guest found there []",
        "beta by guest found there []",
    ),
    // Nodes and storages; tokens see all of them.
    (
        ["7:x", "partly 8:y", "", ""],
        NamedSubject::Node("n7"),
        "alpha by node found there []",
        "alpha by node found there []",
    ),
    (
        ["7:x", "7:y", "", ""],
        NamedSubject::Node("n7"),
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    (
        ["7:x", "8:y", "", ""],
        NamedSubject::Node("N7"),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "8:y", "", ""],
        NamedSubject::Node("n"),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "silent", "", ""],
        NamedSubject::Node("n7"),
        "alpha by node found there [beta]",
        TOO,
    ),
    (
        ["7:x", "silent", "", ""],
        NamedSubject::Node("n9"),
        "node `n9` is on no cluster that answered",
        TOO,
    ),
    (
        ["", "silent", "silent", "silent"],
        NamedSubject::Storage("local"),
        "alpha by storage found there [beta+alpha-2+a]",
        TOO,
    ),
    (
        ["", "", "", ""],
        NamedSubject::Storage("local"),
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    (
        ["", "", "", ""],
        NamedSubject::Storage("local2"),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "8:y", "", ""],
        NamedSubject::Pool("p7"),
        "alpha by pool found there []",
        "alpha by pool found there []",
    ),
    (
        ["7:x", "7:y", "", ""],
        NamedSubject::Pool("p7"),
        ON_SEVERAL,
        ON_SEVERAL,
    ),
    (
        ["7:x", "8:y", "70:z", ""],
        NamedSubject::Pool("p"),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "8:y", "", ""],
        NamedSubject::Pool("P7"),
        "nowhere",
        "nowhere",
    ),
    (
        ["7:x", "silent", "", ""],
        NamedSubject::Pool("p7"),
        "alpha by pool found there [beta]",
        TOO,
    ),
    (
        ["7:x", "silent", "", ""],
        NamedSubject::Pool("p9"),
        "pool `p9` is on no cluster that answered",
        TOO,
    ),
];

#[test]
fn the_place_decides_what_no_name_does() {
    for (lists, named, reading, writing) in PLACES {
        for (is_read, expected) in [(true, reading), (false, writing)] {
            let said = place(*lists, *named, is_read);
            let is_sentence =
                [TOO, ON_SEVERAL].contains(expected) || expected.contains("on no cluster");
            let fits = if is_sentence {
                said.starts_with("AmbiguousClusterSelectionError: ") && said.contains(expected)
            } else {
                said == *expected
            };
            assert!(fits, "{lists:?} {named:?} reading {is_read}: {said}");
        }
    }
}

/// Each candidate with its cluster, VMID and name as far as it is known, and each that is silent.
#[test]
fn a_refusal_names_the_candidates_and_the_silent() {
    let said = place(["7:web", "8:- / 8=web", "partly", "silent"], WEB, false);
    for part in [
        "alpha/7/web",
        "beta/8/web",
        "did not answer in full: alpha-2, a",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = place(
        ["7:web / 7=?", "", "", "7:db / 7=cache"],
        NamedSubject::Vmid(7),
        false,
    );
    for part in ["alpha/7/,", "a/7/cache"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// A node decides between the holders that the others are not, and only where one of them alone has it.
#[test]
fn a_node_decides_between_holders() {
    let check = |lists: [&str; 4], node, reading, expected: &str| {
        let beside = Some(NamedSubject::Node(node));
        let said = place_beside(lists, NamedSubject::Storage("local"), beside, reading);
        assert!(
            said.contains(expected),
            "{lists:?} {node} reading {reading}: {said}"
        );
    };
    for reading in [true, false] {
        check(
            ["7:x", "8:y", "", ""],
            "n7",
            reading,
            "alpha by node found there",
        );
        check(
            ["7:x", "8:y", "", ""],
            "n8",
            reading,
            "beta by node found there",
        );
        check(["7:x", "8:y", "", ""], "n", reading, ON_SEVERAL);
        check(["7:x", "8:y", "", ""], "N8", reading, ON_SEVERAL);
        check(["7:x", "7:y", "", ""], "n7", reading, ON_SEVERAL);
    }
    // Where one alone has the subject, that decides.
    let alone = ["7:x", "silent", "silent", "silent"];
    check(alone, "n7", true, "alpha by storage found there");
    // Whoever is silent may have it too.
    check(
        ["7:x", "8:y", "", "silent"],
        "n7",
        true,
        "alpha by node found there [a]",
    );
    check(
        ["7:x", "8:y", "", "silent"],
        "n7",
        false,
        "whether another cluster has storage `local` too",
    );
}

/// The name of what is made beside the subject decides only between clusters that have the subject.
#[test]
fn a_new_name_decides_only_between_holders() {
    let config = configured(&[]);
    let rows =
        ["7:web", "8:web", "9:other", "silent"].map(|list| (list != "silent").then(|| rows(list)));
    let names = Names::default();
    let check = |named, beside: Option<&'static str>, reading, expected: &str| {
        let indexed_clusters = rows.iter().map(|rows| {
            rows.as_ref().map(|rows| IndexedCluster {
                rows,
                names: &names,
                sees_all: true,
            })
        });
        let ask = ClusterQuestion {
            cluster: None,
            named,
            beside: beside.map(|name| NamedSubject::New(Some(name))),
            reading,
        };
        let said = match registry::by_place(&config, &ask, &indexed_clusters.collect()) {
            Ok(Some(decision)) => {
                let name = &config.clusters[decision.cluster].name;
                format!("{name} by {}", decision.chosen_by)
            }
            Ok(None) => "nowhere".into(),
            Err(error) => error.to_string(),
        };
        assert!(
            said.contains(expected),
            "{named:?} {beside:?} reading {reading}: {said}"
        );
    };
    for reading in [true, false] {
        let web = |beside, expected| check(WEB, Some(beside), reading, expected);
        web("db01", "beta by pattern db of the new name");
        web("alpha-01", "alpha by name prefix alpha- of the new name");
        // No pattern; one of a cluster that has no such guest, or is silent; several.
        web("other", ON_SEVERAL);
        web("my-db01", ON_SEVERAL);
        web("queue", ON_SEVERAL);
        web("a-01", ON_SEVERAL);
        web("web-x-01", ON_SEVERAL);
        check(WEB, None, reading, ON_SEVERAL);
        check(
            NamedSubject::Storage("local"),
            Some("db01"),
            reading,
            "beta by pattern db of the new name",
        );
    }
    // Where one alone has it, the new name decides nothing.
    check(
        NamedSubject::Vmid(9),
        Some("db01"),
        true,
        "alpha-2 by guest found there",
    );
    check(
        NamedSubject::Vmid(9),
        Some("db01"),
        false,
        "whether another cluster has guest 9 too",
    );
}

/// Something new that is made elsewhere than its name says: told, and no error.
#[test]
fn a_new_name_that_means_another_cluster_is_told() {
    let config = configured(&[]);
    let said = |name: &str| registry::contradiction(&config, 0, name).unwrap_or_default();
    for name in ["web-01", "alpha-01", "other", "my-db01", ""] {
        assert_eq!(said(name), "", "{name}");
    }
    assert!(said("db01").starts_with("`db01` means beta (pattern db), but it is made on alpha"));
    assert!(said("beta-1").starts_with("`beta-1` means beta (name prefix beta-), "));
    assert!(said("web-x-1").starts_with("`web-x-1` means several clusters, "));
}
