//! Which variable belongs to which cluster, and what becomes of one that nobody knows.

use proxmox_mcp::fleet::variables;

use super::{SINGLE, check, check_both, check_line, check_warnings, cluster, clusters, good, read};

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
fn what_is_not_built_is_refused() {
    let problem = "PROXMOX_FILE_DIRS: is not built yet";
    check_line("PROXMOX_FILE_DIRS=x", &[problem]);
    check(&format!("{SINGLE}PROXMOX_FILE_DIRS="), &[problem]);
    for field in [
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
