//! What keeps clusters safe: levels, confirmation, protected guests, limits, switches.

use proxmox_mcp::api::mark::Effect;
use proxmox_mcp::config::rule::RuleTarget;
use proxmox_mcp::config::safety::{ConfirmMode, ConfirmSettings};

use super::{SINGLE, check, check_line, check_warnings, clusters, good};

#[test]
fn the_stricter_level_holds() {
    for (of_all, own, expected, variable) in [
        ("", "", Effect::Full, "PROXMOX_ACCESS"),
        ("read", "", Effect::Read, "PROXMOX_ACCESS"),
        ("", "operate", Effect::Operate, "PROXMOX_CLUSTER_a_ACCESS"),
        (
            "change",
            "operate",
            Effect::Operate,
            "PROXMOX_CLUSTER_a_ACCESS",
        ),
        ("operate", "change", Effect::Operate, "PROXMOX_ACCESS"),
        ("operate", "full", Effect::Operate, "PROXMOX_ACCESS"),
    ] {
        let line = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("{name}={value}\n"),
        };
        let file = format!(
            "{}{}{}",
            clusters("a,b"),
            line("PROXMOX_ACCESS", of_all),
            line("PROXMOX_CLUSTER_a_ACCESS", own)
        );
        let config = good("", &file);
        assert_eq!(config.clusters[0].access, expected, "{of_all} {own}");
        assert_eq!(config.clusters[0].access_variable, variable);
        let other = Effect::named(of_all).unwrap_or(Effect::Full);
        assert_eq!(config.clusters[1].access, other, "{of_all} {own}");
    }
    let single = good("", &format!("{SINGLE}PROXMOX_ACCESS=read\n"));
    assert_eq!(single.clusters[0].access, Effect::Read);
    let rule = "is none of read, operate, change, full";
    check_line(
        "PROXMOX_ACCESS=write",
        &[&format!("PROXMOX_ACCESS: {rule}")],
    );
    check_line("PROXMOX_ACCESS=Read", &[&format!("PROXMOX_ACCESS: {rule}")]);
    check_line(
        "PROXMOX_CLUSTER_a_ACCESS=none",
        &[&format!("PROXMOX_CLUSTER_a_ACCESS: {rule}")],
    );
    super::check(
        &format!("{SINGLE}PROXMOX_ACCESS=x\n"),
        &[&format!("PROXMOX_ACCESS: {rule}")],
    );
}

#[test]
fn ways_to_confirm() {
    let read = |text: &str| {
        let file = format!("{}PROXMOX_CONFIRM={text}\n", clusters("a,b"));
        good("", &file).safety.confirm
    };
    let way = |way| ConfirmSettings {
        way,
        off: Vec::new(),
    };
    assert_eq!(read("auto"), way(ConfirmMode::Auto));
    assert_eq!(read("ask"), way(ConfirmMode::Ask));
    assert_eq!(read("code"), way(ConfirmMode::Code));
    let off = |off: &[usize]| ConfirmSettings {
        way: ConfirmMode::Auto,
        off: off.to_vec(),
    };
    assert_eq!(read("off:b"), off(&[1]));
    assert_eq!(read("off: b , a"), off(&[1, 0]));
    check_warnings(
        "",
        &format!("{}PROXMOX_CONFIRM=off:b\n", clusters("a,b")),
        &[("PROXMOX_CONFIRM", "nothing is confirmed on b")],
    );
    for (text, problem) in [
        ("off", "must name the clusters"),
        ("off:", "must name the clusters"),
        ("off:c", "no cluster is named `c`"),
        ("never", "is none of"),
        ("CODE", "is none of"),
    ] {
        check_line(
            &format!("PROXMOX_CONFIRM={text}"),
            &[&format!("PROXMOX_CONFIRM: {problem}")],
        );
    }
}

#[test]
fn protected_guests() {
    let file = format!(
        "{}PROXMOX_PROTECT=100, 200-299,name:db-*,tag:prod,pool:core\nPROXMOX_CLUSTER_b_PROTECT=7\n",
        clusters("a,b")
    );
    let config = good("", &file);
    let [a, b] = config.clusters.as_slice() else {
        panic!("two clusters")
    };
    let texts: Vec<&str> = a.protect.iter().map(|rule| rule.text.as_str()).collect();
    assert_eq!(
        texts,
        ["100", "200-299", "name:db-*", "tag:prod", "pool:core"]
    );
    assert_eq!(a.protect[1].what, RuleTarget::Vmids(200, 299));
    assert_eq!(b.protect.len(), 6);
    assert_eq!(b.protect[5].what, RuleTarget::Vmids(7, 7));
    let single = good("", &format!("{SINGLE}PROXMOX_PROTECT=100\n"));
    assert_eq!(single.clusters[0].protect.len(), 1);
    for text in [
        "db-*",
        "name:",
        "name:a b",
        "pool:co*",
        "100-",
        "9-1",
        "-5",
        "vm:1",
        "1000000000",
    ] {
        check_line(
            &format!("PROXMOX_PROTECT={text}"),
            &["PROXMOX_PROTECT: item 1 is none of"],
        );
    }
    check_line(
        "PROXMOX_CLUSTER_a_PROTECT=100,5ec2e75ec2e7",
        &["PROXMOX_CLUSTER_a_PROTECT: item 2 is none of"],
    );
}

#[test]
fn limits_switches_and_the_audit_file() {
    let file = format!(
        "{}PROXMOX_BULK_LIMIT=3\nPROXMOX_TOOLSETS=fleet, guest\nPROXMOX_TOOLS_ALLOW=x\n\
         PROXMOX_TOOLS_DENY=y,z\nPROXMOX_AUDIT_LOG=/var/log/audit.jsonl\n",
        clusters("a")
    );
    let safety = good("", &file).safety;
    assert_eq!(safety.bulk_limit, 3);
    assert_eq!(safety.switches.sets, ["fleet", "guest"]);
    assert_eq!(safety.switches.allow, ["x"]);
    assert_eq!(safety.switches.deny, ["y", "z"]);
    assert!(safety.audit_log.is_some_and(|path| path.is_absolute()));
    let usual = good("", &clusters("a")).safety;
    assert_eq!(usual.switches.sets, ["default"]);
    assert_eq!(usual.audit_log, None);
    check_line("PROXMOX_BULK_LIMIT=0", &["PROXMOX_BULK_LIMIT: is not a"]);
    check_line(
        "PROXMOX_AUDIT_LOG=audit.jsonl",
        &["PROXMOX_AUDIT_LOG: is not an absolute path"],
    );
}

#[test]
fn a_thousand_rules_and_no_more() {
    let rules = |count: u32| {
        let rules: Vec<String> = (0..count).map(|vmid| (100 + vmid).to_string()).collect();
        format!("{}PROXMOX_PROTECT={}", clusters("a"), rules.join(","))
    };
    check(&rules(1000), &[]);
    check(&rules(1001), &["PROXMOX_PROTECT: has more than 1000 items"]);
}
