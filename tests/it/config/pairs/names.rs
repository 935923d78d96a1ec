//! Which variable belongs to which cluster, and what becomes of one that nobody knows.

use std::collections::HashMap;

use proxmox_mcp::config::{self, env_file};

use super::{
    SECRET, SINGLE, check, check_both, check_line, check_warnings, cluster, clusters, good, pairs,
    read,
};

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
    check_line(
        "PROXMOX_EXEC_ALLOW=[]",
        &["PROXMOX_EXEC_ALLOW: is not built yet"],
    );
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
    of("OTHER=1\nACCESS=1\nREAD_ONLY=1", &[]);
    of(
        "proxmox_fanout=1",
        &[("proxmox_fanout: is unknown", "is PROXMOX_FANOUT")],
    );
    of(
        "PROXMOX_DEFAULT_LXC_PASSWORD=SECRET",
        &[(
            "PROXMOX_DEFAULT_LXC_PASSWORD: is ignored",
            "the Python package gave it a published one",
        )],
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
        "TOOL_DENY",
        "TOOLSDENY",
        "BULK_LIMITS",
        "AUDITLOG",
        "VERFIY",
        "verify",
        "PROTECTED",
    ] {
        let problem = format!("PROXMOX_{slip}: is unknown");
        check_line(&format!("PROXMOX_{slip}=x"), &[&problem]);
        check_both(&format!("PROXMOX_{slip}=x"), &clusters("a"), &[&problem]);
    }
    for slip in ["a_VERFIY", "a_PROTECTS", "a_ACCES", "c_VERIFY", "a-VERIFY"] {
        let problem = format!("PROXMOX_CLUSTER_{slip}: is unknown");
        check_line(&format!("PROXMOX_CLUSTER_{slip}=x"), &[&problem]);
    }
    // Other spellings, and slips in what every name begins with.
    for name in [
        "proxmox_access",
        "PROXMOX-ACCESS",
        "Proxmox_Confirm",
        "PROXMOX.PROTECT",
        "PROXMOX_ACCESS ",
        "PROXMOX__ACCESS",
        "PROMOX_ACCESS",
        "ROXMOX_AUDIT_LOG",
        "PROXMOXACCESS",
        "PROXMOX_CLUSTER_a_access",
        "proxmox_cluster_a_protect",
        "PROXMOX-CLUSTER-a-ACCESS",
    ] {
        let problem = format!("{}: is unknown", name.trim().replace(".PROTECT", "..."));
        let problem = match name.ends_with(' ') {
            true => "PROXMOX_ACCESS...: is unknown",
            false => problem.as_str(),
        };
        check_line(&format!("{name}=x"), &[problem]);
        check_both(&format!("{name}=x"), &clusters("a"), &[problem]);
    }
}

/// What a name says in its words is not left to a warning.
#[test]
fn a_name_that_sounds_safe_is_a_problem_wherever_it_stands() {
    for name in [
        "PROXMOX_PROTECTION",
        "PROXMOX_ACCESS_LEVEL",
        "PROXMOX_CONFIRMATION",
        "PROXMOX_READ_ONLY",
        "PROXMOX_READONLY",
        "PROXMOX_AUDIT_FILE",
        "PROXMOX_ACCESS_production",
        "PROXMOX_SAFE_MODE",
        "PROXMOX_DENY_TOOLS",
        "PROXMOX_GUESTS_PROTECTED",
        "PROXMOX_READ_TIMEOUTS",
        "proxmox_read_only",
        "PROXMOX-READ-ONLY",
        "PROXMOX_CLUSTER_a_READ_ONLY",
        "PROXMOX_CLUSTER_elsewhere_ACCESS",
        "PROXMOX_CLUSTER_elsewhere_VERFIY",
    ] {
        let problem = format!("{name}: is unknown and would keep nothing safe");
        check_line(&format!("{name}=x"), &[&problem]);
        check_line(&format!("{name}="), &[&problem]);
        check_both(&format!("{name}=x"), &clusters("a"), &[&problem]);
    }
    // And it is said which names do keep things safe.
    check_line(
        "PROXMOX_READ_ONLY=x",
        &[
            "PROXMOX_READ_ONLY: is unknown and would keep nothing safe, as its name says; what does is \
           PROXMOX_ACCESS, PROXMOX_CONFIRM, PROXMOX_PROTECT, PROXMOX_BULK_LIMIT, PROXMOX_TOOLS_DENY, \
           PROXMOX_AUDIT_LOG: correct or remove it",
        ],
    );
    for name in [
        "PROXMOX_CONFIG",
        "PROXMOX_PROJECT",
        "PROXMOX_READ_TIMEOUT",
        "PROXMOX_CONFIG_FILE",
        "PROXMOX_CLUSTER_a_CONFIG",
        "PROXMOX_ADDRESS",
        "PROXMOX_THREADS",
        "PROXY_ACCESS",
        "POSTGRES_ACCESS",
    ] {
        check_line(&format!("{name}=x"), &[]);
        check_both(&format!("{name}=x"), &clusters("a"), &[]);
    }
    // The cluster's own name is no word of the field's.
    check_warnings(
        "",
        &format!(
            "{}PROXMOX_CLUSTER_read-only_REGOIN=x",
            clusters("read-only")
        ),
        &[("PROXMOX_CLUSTER_read-only_REGOIN: is unknown", "")],
    );
}

#[test]
fn a_name_that_only_looks_like_ours_is_a_problem() {
    for (name, shown) in [
        ("PROXMOX_ACCESS\u{200b}", "PROXMOX_ACCESS\\u{200b}"),
        ("PROXMOX_\u{410}CCESS", "PROXMOX_\\u{410}CCESS"),
        ("PROXMOX_FANOUT\u{301}", "PROXMOX_FANOUT\\u{301}"),
        ("\u{420}ROXMOX_ACCESS", "\\u{420}ROXMOX_ACCESS"),
        ("PR\u{41e}XM\u{41e}X_ACCESS", "PR\\u{41e}XM\\u{41e}X_ACCESS"),
        ("\u{200b}PROXMOX_ACCESS", "\\u{200b}PROXMOX_ACCESS"),
        ("PROX\u{2060}MOX_LOG", "PROX\\u{2060}MOX_LOG"),
        ("\u{ff30}\u{ff32}OXMOX_LOG", "\\u{ff30}\\u{ff32}OXMOX_LOG"),
        (
            "\u{ff30}\u{ff32}\u{ff2f}\u{ff38}\u{ff2d}\u{ff2f}\u{ff38}\u{ff3f}LOG",
            "\\u{ff30}\\u{ff32}\\u{ff2f}\\u{ff38}\\u{ff2d}\\u{ff2f}\\u{ff38}\\u{ff3f}LOG",
        ),
        ("PROXMOX\u{2010}ACCESS", "PROXMOX\\u{2010}ACCESS"),
        ("proxmox_\u{430}ccess", "proxmox_\\u{430}ccess"),
        (
            "PROXMOX_CLUSTER_a_\u{410}CCESS",
            "PROXMOX_CLUSTER_a_\\u{410}CCESS",
        ),
    ] {
        let problem = format!("{shown}: is not plain ASCII");
        check_line(&format!("{name}=read"), &[&problem]);
        check_both(&format!("{name}=read"), &clusters("a"), &[&problem]);
    }
    for name in [
        "\u{43f}\u{440}\u{43e}\u{43a}\u{441}\u{43c}\u{43e}\u{43a}\u{441}_X",
        "\u{e9}",
        "CAF\u{c9}_ACCESS",
        // What keeps other programs safe is none of ours.
        "READ_ONLY",
        "BACKUP_PROTECTION",
        "OTHER_ACCESS_LEVEL",
    ] {
        check_line(&format!("{name}=x"), &[]);
        check_both(&format!("{name}=x"), &clusters("a"), &[]);
    }
}

/// Nothing that keeps things safe is there and says nothing.
#[test]
fn a_safety_variable_without_a_value_is_a_problem() {
    for name in [
        "PROXMOX_ACCESS",
        "PROXMOX_CONFIRM",
        "PROXMOX_PROTECT",
        "PROXMOX_BULK_LIMIT",
        "PROXMOX_TOOLS_DENY",
        "PROXMOX_AUDIT_LOG",
        "PROXMOX_CLUSTER_a_ACCESS",
        "PROXMOX_CLUSTER_A_PROTECT",
    ] {
        let problem = format!("{name}: stands without a value");
        for value in ["", " ", "\t"] {
            check_line(&format!("{name}={value}"), &[&problem]);
            check_both(&format!("{name}={value}"), &clusters("a"), &[&problem]);
        }
        // The file's holds no more than the environment's says.
        let file = format!("{}{name}=1\n", clusters("a"));
        check_both(&format!("{name}="), &file, &[&problem]);
    }
    check_line("PROXMOX_PROTECT=,", &["PROXMOX_PROTECT: stands without"]);
    check_line(
        "PROXMOX_TOOLS_DENY=, ,",
        &["PROXMOX_TOOLS_DENY: stands without"],
    );
    check_line("PROXMOX_CLUSTER_a_VERIFY=", &[]);
    check(&format!("{SINGLE}PROXMOX_VERIFY="), &[]);
    check(
        &format!("{SINGLE}PROXMOX_ACCESS="),
        &["PROXMOX_ACCESS: stands without a value"],
    );
    // Nor does one that another spelling hides.
    check(
        &format!(
            "{}PROXMOX_CLUSTER_a_ACCESS=full\nPROXMOX_CLUSTER_A_ACCESS=read",
            clusters("a")
        ),
        &["PROXMOX_CLUSTER_A_ACCESS: keeps nothing safe: the spelling"],
    );
}

/// A `.env` line without a `=` sets nothing.
#[test]
fn a_bare_name_that_keeps_things_safe_is_a_problem() {
    for (line, problem) in [
        ("PROXMOX_ACCESS", "PROXMOX_ACCESS: stands without a value"),
        ("export PROXMOX_PROTECT", "PROXMOX_PROTECT: stands without"),
        (
            "PROXMOX_CLUSTER_a_ACCESS",
            "PROXMOX_CLUSTER_a_ACCESS: stands without",
        ),
        ("PROXMOX_READ_ONLY", "PROXMOX_READ_ONLY: is unknown"),
        ("PROXMOX_VERIFY", ""),
        ("PROXMOX_LOG", ""),
    ] {
        let text = format!("{}{line}\n", clusters("a")).replace("SECRET\n", "x\n");
        let file = env_file::read(text.as_bytes(), &HashMap::new());
        let problems = config::read(&[], &file).err().unwrap_or_default().problems;
        match problem {
            "" => assert_eq!(problems, [""; 0], "{line}"),
            told => {
                assert_eq!(problems.len(), 1, "{line} {problems:?}");
                assert!(problems[0].starts_with(told), "{line} {problems:?}");
            }
        }
    }
}

/// What users of other servers and tools have set is met with the lines that do it here.
#[test]
fn other_programs_variables_are_told_what_to_write_instead() {
    let proxmoxer = "PROXMOX_HOST=pve.example.com\nPROXMOX_PORT=8006\nPROXMOX_USER=mcp@pve\n\
                     PROXMOX_TOKEN_NAME=main\nPROXMOX_TOKEN_VALUE=SECRET\nPROXMOX_VERIFY_SSL=false";
    let instead = "PROXMOX_HOST, PROXMOX_PORT, PROXMOX_TOKEN_NAME, PROXMOX_TOKEN_VALUE, PROXMOX_USER, \
                   PROXMOX_VERIFY_SSL: not read here, as other programs' names; write into the `.env` file \
                   `PROXMOX_API_URL=https://${PROXMOX_HOST}:${PROXMOX_PORT}` \
                   `PROXMOX_TOKEN_ID=${PROXMOX_USER}!${PROXMOX_TOKEN_NAME}` \
                   `PROXMOX_TOKEN_SECRET=${PROXMOX_TOKEN_VALUE}` `PROXMOX_VERIFY=${PROXMOX_VERIFY_SSL}`";
    let found = |environment: &str, file: &str| {
        let report = read(environment, file).err().unwrap_or_default();
        report.problems
    };
    for (environment, file) in [(proxmoxer, ""), ("", proxmoxer)] {
        let [problem] = found(environment, file).try_into().unwrap();
        assert!(
            problem.starts_with("PROXMOX_CLUSTERS, or PROXMOX_API_URL")
                && problem.ends_with(instead)
                && !problem.contains("5ec2e75ec2e7"),
            "{problem}"
        );
        // What they are told works.
        let lines = instead
            .split('`')
            .filter(|part| part.starts_with("PROXMOX_"));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let held = pairs(proxmoxer);
        let held = held
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let done = env_file::read(text.as_bytes(), &held.collect());
        let config = config::read(&[], &done).unwrap_or_else(|report| panic!("{report:?}"));
        let settings = &config.clusters[0].settings;
        assert_eq!(settings.endpoints[0].to_string(), "pve.example.com:8006");
        assert_eq!(settings.token_id, "mcp@pve!main");
        // Where it is all said in our words, it is only told.
        check_warnings(environment, &format!("{SINGLE}{file}"), &[(instead, "")]);
    }
    // With something of ours, and something missing, it is a problem of its own.
    check(
        "PROXMOX_API_URL=https://pve\nPROXMOX_TOKEN_SECRET=SECRET\nPROXMOX_USER=mcp@pve\nPROXMOX_TOKEN_NAME=main",
        &[
            "PROXMOX_TOKEN_ID: is not set",
            "PROXMOX_TOKEN_NAME, PROXMOX_USER: not read here",
        ],
    );
    for (theirs, lines) in [
        (
            "PM_API_URL=https://pve/api2/json\nPM_API_TOKEN_ID=a@pve!b\nPM_API_TOKEN_SECRET=SECRET\nPM_TLS_INSECURE=true",
            "`PROXMOX_API_URL=${PM_API_URL}` `PROXMOX_TOKEN_ID=${PM_API_TOKEN_ID}` \
             `PROXMOX_TOKEN_SECRET=${PM_API_TOKEN_SECRET}` `PROXMOX_VERIFY=false`",
        ),
        (
            "PVE_HOST=https://pve\nPVE_USER=root@pam\nPVE_PASSWORD=SECRET",
            "`PROXMOX_API_URL=${PVE_HOST}` `PROXMOX_TOKEN_ID=USER@REALM!TOKEN` \
             `PROXMOX_TOKEN_SECRET=SECRET`; a password is not taken: `proxmox-mcp token` prints how a token is made",
        ),
    ] {
        let [problem] = found(theirs, "").try_into().unwrap();
        assert!(problem.ends_with(lines), "{problem}");
    }
    // With several clusters, in the words of the first.
    check_warnings(
        "PVE_HOST=pve",
        &clusters("a,b"),
        &[(
            "PVE_HOST: not read here",
            "`PROXMOX_CLUSTER_a_API_URL=https://${PVE_HOST}`",
        )],
    );
    check_both("PVE_OTHER=x\nPM_HOME=x", &clusters("a"), &[]);
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
        assert_eq!(
            proxmox_mcp::meant::edits(one, other),
            edits,
            "{one} {other}"
        );
    }
}

/// Without a `=` a name is not set, and the right one all the same.
#[test]
fn a_name_without_a_value_is_known_by_its_spelling() {
    for (line, warned) in [
        ("PROXMOX_CLUSTER_a_REGION", false),
        ("PROXMOX_FANOUT", false),
        ("PROXMOX_CLUSTER_a_REGOIN", true),
    ] {
        let text = format!("{}{line}\n", clusters("a"))
            .replace("SECRET=SECRET", &format!("SECRET={SECRET}"));
        let file = env_file::read(text.as_bytes(), &HashMap::new());
        let found = match config::read(&[], &file) {
            Ok(config) => config.warnings,
            Err(report) => panic!("{line}: {:?}", report.problems),
        };
        let unknown = format!("{line}: ");
        let told = found.iter().any(|warning| warning.starts_with(&unknown));
        assert_eq!(told, warned, "{line}: {found:?}");
    }
}
