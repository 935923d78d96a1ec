//! The search grammar against rows of a cluster, and the terms that it does not understand.

use proxmox_mcp::fleet::query::grammar::{self, GRAMMAR};
use proxmox_mcp::fleet::resource::{self, ResourceKind};
use proxmox_mcp::text::pattern::Pattern;
use serde_json::json;

/// What the rows of one cluster are called here.
fn body() -> Vec<u8> {
    let gib = 1_u64 << 30;
    json!({"total": 9, "data": [
        {"type": "qemu", "id": "qemu/100", "vmid": 100, "name": "web-01", "node": "pve1", "status": "running",
         "tags": "prod;web", "pool": "shop", "cpu": 0.9, "maxcpu": 4, "mem": 7 * gib, "maxmem": 8 * gib,
         "disk": 0, "maxdisk": 32 * gib, "uptime": 1800, "template": 0},
        {"type": "qemu", "id": "qemu/101", "vmid": "101", "name": "db-01", "node": "pve2", "status": "stopped",
         "cpu": 0, "maxcpu": 8, "mem": 0, "maxmem": 32 * gib, "maxdisk": 500 * gib, "uptime": 0, "lock": "backup"},
        {"type": "lxc", "vmid": 210, "name": "cache", "node": "pve1", "status": "running", "tags": "web",
         "cpu": 0.02, "maxcpu": 0.5, "mem": gib, "maxmem": 2 * gib, "disk": 9 * gib, "maxdisk": 10 * gib, "uptime": 90000},
        {"type": "qemu", "vmid": 9000, "name": "VM 9000", "node": "pve1", "status": "stopped", "template": 1},
        {"type": "qemu", "vmid": 300, "node": "pve3", "status": "unknown", "id": "qemu/300"},
        {"type": "node", "node": "pve1", "status": "online", "cpu": 0.5, "maxcpu": 16, "mem": 60 * gib, "maxmem": 64 * gib, "uptime": 4000, "level": ""},
        {"type": "node", "node": "pve3", "status": "offline", "cgroup-mode": 1},
        {"type": "storage", "storage": "nas", "node": "pve1", "status": "available", "shared": 1, "disk": 95, "maxdisk": 100, "content": "iso"},
        {"type": "pool", "pool": "shop", "id": "/pool/shop"},
        {"type": "network", "network": "localnetwork", "node": "pve1", "status": "ok"},
    ]})
    .to_string()
    .into_bytes()
}

/// What a search finds, as VMIDs and names.
fn found(query: &str) -> String {
    let query = grammar::parse(query).expect("the grammar");
    let mut names = Vec::new();
    resource::each(&body(), &mut |row| {
        if row.kind() != ResourceKind::Other && query.finds("production", row) {
            assert!(query.may_be(row.kind()) && query.may_be_on("production"));
            let vmid = row.vmid().map(|vmid| vmid.to_string());
            let name = vmid.unwrap_or_else(|| format!("{}={}", row.kind().name(), row.name()));
            names.push(name);
        }
    })
    .expect("a list");
    names.join(" ")
}

fn check(query: &str, expected: &str) {
    assert_eq!(found(query), expected, "{query}");
}

#[test]
fn terms_find_what_they_say() {
    let everything = "100 101 210 9000 300 node=pve1 node=pve3 storage=nas pool=shop";
    let rows = [
        ("", everything),
        ("   ", everything),
        ("web", "100 210"),
        ("WEB-01", "100"),
        ("web-0*", "100"),
        ("eb-0*", ""),
        ("100", "100"),
        ("10", ""),
        ("pve3", "300 node=pve3"),
        ("shop", "pool=shop"),
        ("\"vm 9000\"", "9000"),
        ("name:\"VM 9000\"", "9000"),
        ("-type:guest", "node=pve1 node=pve3 storage=nas pool=shop"),
        ("type:guest", "100 101 210 9000 300"),
        ("type:vm", "100 101 9000 300"),
        ("type:container,storage", "210 storage=nas"),
        ("name:web", ""),
        ("name:web*", "100"),
        ("name:*-01", "100 101"),
        ("name:web-01,cache", "100 210"),
        ("id:100", "100"),
        ("id:100-199", "100 101"),
        ("id:1*", "100 101"),
        ("id:100,300-400", "100 300"),
        ("status:running", "100 210"),
        ("status:RUN*", "100 210"),
        ("status:unknown", "300"),
        ("status:offline", "node=pve3"),
        ("cluster:prod* type:pool", "pool=shop"),
        ("-cluster:production", ""),
        ("node:pve1 type:vm", "100 9000"),
        ("tag:web", "100 210"),
        ("tag:web -tag:prod", "210"),
        ("tag:*", "100 210"),
        ("type:guest -tag:*", "101 9000 300"),
        ("pool:shop", "100 pool=shop"),
        ("template:yes", "9000"),
        ("type:vm template:no -status:unknown", "100 101"),
        ("cpu>80%", "100"),
        ("cpu>80", "100"),
        ("cpu<5%", "210"),
        ("cpus>=8", "101 node=pve1"),
        ("cpus=0.5", "210"),
        ("mem>90%", "node=pve1"),
        ("memory>80%", "100 node=pve1"),
        ("memory>=8G type:guest", "100 101"),
        ("memory>=8192M type:guest", "100 101"),
        ("memory<4GiB", "210"),
        ("disk>85%", "210 storage=nas"),
        ("disk>=100G", "101"),
        ("uptime<1h", "100"),
        ("uptime>1d", "210"),
        ("uptime<=30m", "100"),
        ("-cpu>80% status:running", "210"),
    ];
    for (query, expected) in rows {
        check(query, expected);
    }
}

#[test]
fn what_nobody_can_make_anything_of_shows_the_grammar() {
    let rows = [
        ("colour:red", "there is no `colour:`"),
        ("naïve:ü", "there is no `naïve:`"),
        ("web=1", "`web` is no number"),
        ("=5", "`` is no number"),
    ];
    for (query, expected) in rows {
        let problems = grammar::parse(query).expect_err(query);
        assert!(problems[0].contains(expected), "{query}: {problems:?}");
        assert_eq!(problems[1..], [GRAMMAR.to_string()], "{query}");
    }
    assert!(GRAMMAR.len() < 420, "{} bytes", GRAMMAR.len());
}

#[test]
fn what_is_wrong_with_a_term_is_said_without_the_grammar() {
    let rows = [
        // The word stands for another one.
        ("kind:vm", "`type:` is meant by it here"),
        ("host:pve1", "`node:` is meant by it here"),
        ("state:running", "`status:` is meant by it here"),
        ("ram>8G", "`memory` is compared with a percentage or a size"),
        ("cores>=4", "`cpus` is compared with a number, as `cpus>=4`"),
        ("statsu:running", "`status:` is meant by it here"),
        (
            "cpu:80",
            "`cpu` is compared with a percentage, as `cpu>80%`",
        ),
        ("name=web", "`name:` is meant by it here"),
        // Another tool tells it.
        (
            "ip:10.0.0.1",
            "there is no `ip:`; a guest's addresses are told by guest_get",
        ),
        (
            "mac:bc:24",
            "there is no `mac:`; a guest's network cards are told by guest_get",
        ),
        (
            "backup>2d",
            "`backup` is no number; backups are listed by backup_list",
        ),
        // The value or its unit is wrong.
        (
            "mem>=8X",
            "`8X` is none: `mem` is compared with a percentage or a size (K, M, G, T)",
        ),
        (
            "uptime<2y",
            "`2y` is none: `uptime` is compared with a time (s, m, h, d, w)",
        ),
        ("type:host", "the types are"),
        ("id:abc", "a VMID is written"),
        ("id:200-100", "the range ends before it begins"),
        ("id:", "a value is missing"),
        ("tag:a,,b", "a value is missing"),
        ("template:maybe", "template:yes"),
        ("cpu>8G", "`cpu` is compared with a percentage"),
        ("mem>8", "`memory>=8G`"),
        ("uptime<1G", "`uptime` is compared with a time"),
        ("cpu>", "`cpu` is compared with a percentage"),
        ("cpu>1.2.3%", "`cpu` is compared with a percentage"),
        ("disk>5 apples", "`disk` is compared with"),
        ("disk>5apples", "`5apples` is none"),
        ("\"web", "a quotation mark is not closed"),
        ("-", "it is empty"),
        ("\"\"", "it is empty"),
        ("web OR db", "terms cannot be joined"),
        ("(web)", "terms cannot be joined"),
    ];
    for (query, expected) in rows {
        let problems = grammar::parse(query).expect_err(query);
        assert!(problems[0].contains(expected), "{query}: {problems:?}");
        assert_eq!(problems.len(), 1, "{query}: {problems:?}");
        assert!(problems[0].len() < 200, "{query}: {problems:?}");
    }
    let all_at_once = grammar::parse("colour:1 web type:x").expect_err("two problems");
    assert_eq!(all_at_once.len(), 3);
    assert!(grammar::parse(&"a ".repeat(41)).is_err());
    assert!(grammar::parse(&"a ".repeat(40)).is_ok());
}

#[test]
fn a_search_knows_where_it_need_not_look() {
    let on = |query: &str, cluster: &str| grammar::parse(query).expect(query).may_be_on(cluster);
    assert!(on("cluster:staging", "staging"));
    assert!(!on("cluster:staging", "production"));
    assert!(!on("-cluster:staging", "staging"));
    assert!(on("web", "staging"));
}

#[test]
fn odd_rows_spoil_nothing() {
    let odd = br#"{"data":[
        {"type":"qemu","vmid":"100","name":100,"cpu":"0.5","maxcpu":null,"tags":null,"template":"1","new":{"a":[1]}},
        {"type":"lxc","vmid":-5},
        {"type":"storage","storage":"a\u0062c","shared":true}
    ],"changes":"x"}"#;
    let mut rows = Vec::new();
    resource::each(odd, &mut |row| {
        rows.push((
            row.vmid(),
            row.name().to_string(),
            row.is_template(),
            row.is_shared(),
        ));
    })
    .expect("a list");
    let expected = [
        (Some(100), "100".to_string(), true, false),
        (None, String::new(), false, false),
        (None, "abc".to_string(), false, true),
    ];
    assert_eq!(rows, expected);
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":null}"#,
        r#"{"data":[]} x"#,
        r#"{"data":[1]}"#,
    ] {
        assert!(
            resource::each(bad.as_bytes(), &mut |_| {}).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_pattern_is_the_whole_or_a_part() {
    for (pattern, text, is, is_in) in [
        ("web", "web", true, true),
        ("web", "stg-WEB-01", false, true),
        ("web*", "stg-web-01", false, false),
        ("stg*01", "stg-web-01", true, true),
        ("*ab*b", "xab", false, false),
        ("*ab*b", "xabb", true, true),
        ("a*bc*d", "aabcbcxd", true, true),
        ("", "", true, true),
        ("*", "", true, true),
    ] {
        let known = Pattern::new(pattern);
        assert_eq!(known.is(text), is, "{pattern} {text}");
        assert_eq!(known.is_in(text), is_in, "{pattern} {text}");
        assert_eq!(known.is_plain(), !pattern.contains('*'), "{pattern}");
    }
}
