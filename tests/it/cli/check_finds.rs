//! `check` through the real binary: each thing that can be wrong is found and named with its cure,
//! and where the cure is a line or a command, it is applied and helps.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::binary::PROGRAM;
use crate::leaks;
use crate::proxmox::node::closed_port;
use crate::sim::rights::Rule;
use crate::sim::spec::ClusterSpec;
use crate::sim::{Fault, State, World};

/// What the program said.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with this configuration and nothing else of an environment.
pub(crate) fn run(arguments: &[&str], env: &str) -> Said {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env_file = folder.path().join("test.env");
    crate::demo::write_private(&env_file, env).expect("the configuration is written");
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--env-file").arg(&env_file);
    command.env_clear().current_dir(folder.path());
    let output = leaks::output(command.stdin(Stdio::null()));
    let said = Said {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    };
    for text in [&said.stdout, &said.stderr] {
        assert!(!text.contains('\x1b'), "not on a terminal: {text}");
    }
    said
}

/// One cluster of two nodes, `lab`.
fn lab() -> World {
    World::start(vec![ClusterSpec::sized("lab", 2, 1)])
}

/// The world's configuration with this field of `lab` set, or taken away where it is empty.
pub(crate) fn with(env: &str, field: &str, value: &str) -> String {
    let start = format!("PROXMOX_CLUSTER_lab_{field}=");
    let mut lines: Vec<String> = env
        .lines()
        .filter(|line| !line.starts_with(&start))
        .map(str::to_string)
        .collect();
    if !value.is_empty() {
        lines.push(format!("{start}{value}"));
    }
    lines.join("\n") + "\n"
}

/// The findings about a step; the exit status must be 1, and people are told the same.
#[track_caller]
fn found(env: &str, step: &str) -> Vec<Value> {
    let said = run(&["check", "--json"], env);
    assert_eq!(said.status, Some(1), "{} {}", said.stdout, said.stderr);
    let answer: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(answer["ok"], false);
    let of_step = |cluster: &Value| {
        let findings = cluster["findings"].as_array().cloned().unwrap_or_default();
        findings.into_iter().filter(|one| one["step"] == step)
    };
    let clusters = answer["clusters"].as_array().expect("clusters");
    let findings: Vec<Value> = clusters.iter().flat_map(of_step).collect();
    assert!(!findings.is_empty(), "nothing about {step}: {answer}");
    let text = run(&["check"], env);
    assert_eq!(text.status, Some(1));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(&text.stdout);
    for finding in &findings {
        for part in ["what", "cure"] {
            let part = words(finding[part].as_str().expect("a text"));
            assert!(text.contains(&part), "no `{part}` in {text}");
        }
    }
    findings
}

/// The one finding about a step, holding these words in what it says and in its cure.
#[track_caller]
fn finds(env: &str, step: &str, what: &[&str], cure: &[&str]) -> Value {
    let findings = found(env, step);
    let [finding] = findings.as_slice() else {
        panic!("one finding, not {findings:?}")
    };
    for (part, words) in [("what", what), ("cure", cure)] {
        let text = finding[part].as_str().expect("a text");
        for word in words {
            assert!(text.contains(word), "{part}: no `{word}` in: {text}");
        }
    }
    finding.clone()
}

#[track_caller]
fn is_good(env: &str) {
    let said = run(&["check"], env);
    assert_eq!(said.status, Some(0), "{}{}", said.stdout, said.stderr);
    assert!(
        said.stdout.ends_with("everything is as it should be\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_wrong_port() {
    let world = lab();
    let closed = closed_port();
    let env = with(&world.env(), "API_URL", &format!("https://{closed}"));
    let port = format!("the port {}", closed.port);
    finds(
        &env,
        "connection",
        &["not connected", "refused"],
        &[&port, "8006", "PROXMOX_CLUSTER_lab_API_URL", "pveproxy"],
    );
}

#[test]
fn a_port_where_no_tls_is_spoken() {
    let world = lab();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4).flatten() {
            use std::io::Write;
            let _ = (&stream).write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    let env = with(
        &world.env(),
        "API_URL",
        &format!("https://127.0.0.1:{port}"),
    );
    finds(&env, "certificate", &["no TLS"], &["the port", "8006"]);
}

#[test]
fn a_name_that_does_not_resolve() {
    let world = lab();
    let env = with(&world.env(), "API_URL", "https://node.invalid");
    finds(
        &env,
        "name",
        &["`node.invalid` was not found"],
        &["getent hosts node.invalid", "PROXMOX_CLUSTER_lab_API_URL"],
    );
}

/// The certificate that the findings show, set as their cure says, is then trusted.
#[test]
fn an_untrusted_certificate() {
    let world = lab();
    let env = with(&world.env(), "CA_FILE", "");
    let findings = found(&env, "certificate");
    assert_eq!(findings.len(), 2, "each node has its own: {findings:?}");
    let mut pins = Vec::new();
    for finding in &findings {
        let cure = finding["cure"].as_str().expect("a text");
        assert!(cure.contains("pvenode cert info"), "{cure}");
        assert!(cure.contains("/etc/pve/pve-root-ca.pem"), "{cure}");
        let (_, rest) = cure
            .split_once("`PROXMOX_CLUSTER_lab_FINGERPRINT=")
            .expect("the line to set");
        pins.push(rest.split('`').next().expect("its end").to_string());
    }
    for node in ["lab-n1", "lab-n2"] {
        let shown = world.cluster("lab").fingerprint(node);
        assert!(pins.iter().any(|pin| pin == shown), "{node}: {pins:?}");
    }
    is_good(&with(&env, "FINGERPRINT", &pins.join(",")));
    // What nobody trusts is sent nothing.
    world.seen();
    found(&env, "certificate");
    assert!(world.seen().is_empty());
}

#[test]
fn an_unchecked_certificate() {
    let world = lab();
    let env = with(&with(&world.env(), "CA_FILE", ""), "VERIFY", "false");
    let findings = found(&env, "certificate");
    let cure = findings[0]["cure"].as_str().expect("a text");
    let pin = world.cluster("lab").fingerprint("lab-n1");
    assert!(cure.contains(pin), "{cure}");
    assert!(
        cure.contains("in place of `PROXMOX_CLUSTER_lab_VERIFY`"),
        "{cure}"
    );
}

fn lab_valid_for(days: i64) -> World {
    World::start(vec![ClusterSpec {
        valid_days: Some(days),
        ..ClusterSpec::sized("lab", 1, 0)
    }])
}

#[test]
fn an_expired_certificate() {
    let world = lab_valid_for(-1);
    finds(
        &world.env(),
        "certificate",
        &["not trusted", "it has expired", "valid until"],
        &[
            "pvecm updatecerts --force",
            "pvenode acme cert renew",
            "clock",
        ],
    );
    // A fingerprint replaces that check, too, but not in silence.
    let pin = world.cluster("lab").fingerprint("lab-n1").to_string();
    let env = with(&with(&world.env(), "CA_FILE", ""), "FINGERPRINT", &pin);
    finds(
        &env,
        "certificate",
        &["has expired on"],
        &["pvecm updatecerts"],
    );
}

#[test]
fn a_certificate_that_expires_soon() {
    let world = lab_valid_for(29);
    let finding = finds(
        &world.env(),
        "certificate",
        &["expires in 28 days"],
        &["pvecm updatecerts --force"],
    );
    assert_eq!(finding["severity"], "warning");
    finds(
        &lab_valid_for(1).env(),
        "certificate",
        &["expires in 0 days"],
        &["pvecm updatecerts --force"],
    );
    // For 30 days, and what is left of the last one.
    let world = lab_valid_for(31);
    is_good(&world.env());
}

#[test]
fn a_wrong_fingerprint() {
    let world = lab();
    let wrong = vec!["AB"; 32].join(":");
    let env = with(&with(&world.env(), "CA_FILE", ""), "FINGERPRINT", &wrong);
    let findings = found(&env, "certificate");
    assert_eq!(findings.len(), 2);
    let text = findings[0].to_string();
    assert!(
        text.contains("its fingerprint is not one that is pinned"),
        "{text}"
    );
    assert!(
        text.contains("in place of the one that is pinned"),
        "{text}"
    );
    assert!(
        text.contains(world.cluster("lab").fingerprint("lab-n1")),
        "{text}"
    );
}

#[test]
fn a_root_that_cannot_be_read() {
    let world = lab();
    let env = with(&world.env(), "CA_FILE", "/nonexistent/ca.pem");
    finds(
        &env,
        "certificate",
        &[
            "what is to be trusted cannot be read",
            "/nonexistent/ca.pem",
        ],
        &["/etc/pve/pve-root-ca.pem", "PROXMOX_CLUSTER_lab_CA_FILE"],
    );
}

#[test]
fn a_wrong_secret() {
    let world = lab();
    let env = with(&world.env(), "TOKEN_SECRET", "wrong");
    let finding = finds(
        &env,
        "token",
        &["the token was refused"],
        &["`mcp@pve!mcp`", "pveum user token list 'mcp@pve'"],
    );
    // Both nodes say it, and it is said once.
    assert_eq!(finding["endpoints"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_secret_that_cannot_be_read() {
    let world = lab();
    let env = with(&world.env(), "TOKEN_SECRET", "");
    let env = with(&env, "TOKEN_SECRET_FILE", "/nonexistent/secret");
    finds(
        &env,
        "token",
        &["the token's secret cannot be read", "/nonexistent/secret"],
        &["PROXMOX_CLUSTER_lab_TOKEN_SECRET_FILE"],
    );
}

/// Carries out `pveum role add` and `pveum acl modify` as a node would.
fn carry_out(state: &mut State, commands: &[Value]) {
    for command in commands {
        let command = command.as_str().expect("a text");
        let words: Vec<&str> = command
            .split(' ')
            .map(|word| word.trim_matches('\''))
            .collect();
        match words.as_slice() {
            ["#", ..] => {}
            ["pveum", "role", "add", role, "--privs", privileges] => {
                let privileges = privileges.split(',').map(str::to_string).collect();
                state.access.roles.insert((*role).into(), privileges);
            }
            ["pveum", "acl", "modify", path, to, ugid, "--roles", role] => {
                state.access.acl.push(Rule {
                    path: (*path).into(),
                    propagate: true,
                    role: (*role).into(),
                    ugid: (*ugid).into(),
                    kind: to.trim_matches(['-', 's']).into(),
                });
            }
            _ => panic!("no such command: {command}"),
        }
    }
}

#[track_caller]
fn helps(world: &World, finding: &Value, env: &str) {
    let commands = finding["commands"].as_array().expect("commands");
    assert!(!commands.is_empty(), "{finding}");
    let lab = world.cluster("lab");
    lab.edit(|state| carry_out(state, commands));
    is_good(env);
}

#[test]
fn a_token_without_privileges() {
    let world = lab();
    let env = with(&world.env(), "TOKEN_ID", "mcp@pve!bare");
    let env = with(&env, "TOKEN_SECRET", "bare-secret-of-lab");
    let finding = finds(
        &env,
        "privileges",
        &["`mcp@pve!bare` has no privilege at all"],
        &["privilege separation", "as root on a node"],
    );
    let text = finding["commands"].to_string();
    assert!(text.contains("pveum role add mcp-bare --privs '"), "{text}");
    assert!(text.contains("--tokens 'mcp@pve!bare'"), "{text}");
    helps(&world, &finding, &env);
}

/// What is granted on a path replaces what comes from above: nothing may be lost by it.
#[test]
fn a_token_that_sees_only_half() {
    let world = lab();
    let env = with(&world.env(), "TOKEN_ID", "aud@pve!ro");
    let env = with(&env, "TOKEN_SECRET", "aud-secret-of-lab");
    // An auditor reads everything: what it lacks may be meant.
    let said = run(&["check", "--json"], &env);
    assert_eq!(said.status, Some(0), "{}", said.stdout);
    let answer: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let note = &answer["clusters"][0]["findings"][0];
    assert_eq!(
        (&note["severity"], &note["step"]),
        (&"note".into(), &"privileges".into())
    );
    let toolsets = answer["clusters"][0]["toolsets"].as_array().expect("sets");
    let guest = toolsets.iter().find(|set| set["toolset"] == "guest");
    assert_eq!(guest.expect("a set")["may"], serde_json::json!(["read"]));
    // Without the guests and the nodes it is half blind.
    let lab = world.cluster("lab");
    lab.edit(|state| {
        let few = ["Datastore.Audit", "Pool.Audit", "VM.PowerMgmt"];
        let few = few.iter().map(|name| (*name).to_string()).collect();
        state.access.roles.insert("Few".into(), few);
        for rule in &mut state.access.acl {
            if rule.ugid == "aud@pve" {
                rule.role = "Few".into();
            }
        }
    });
    let finding = finds(
        &env,
        "privileges",
        &[
            "cannot see everything",
            "/nodes: Sys.Audit",
            "/vms: ",
            "VM.Audit",
        ],
        &["as root on a node"],
    );
    // That it may not ask for quorum is said by that alone.
    let said = run(&["check"], &env).stdout;
    assert!(!said.contains("quorum"), "{said}");
    let text = finding["commands"].to_string();
    // The token has what its user has, which the simulator lets it know.
    assert!(
        text.contains("pveum acl modify /vms --users 'aud@pve'"),
        "{text}"
    );
    assert!(!text.contains("--tokens"), "{text}");
    helps(&world, &finding, &env);
}

#[test]
fn a_token_that_sees_some_guests_only() {
    let world = lab();
    let env = with(&world.env(), "TOKEN_ID", "aud@pve!ro");
    let env = with(&env, "TOKEN_SECRET", "aud-secret-of-lab");
    world.cluster("lab").edit(|state| {
        let few = ["Datastore.Audit", "Pool.Audit", "Sys.Audit", "VM.PowerMgmt"];
        let few = few.iter().map(|name| (*name).to_string()).collect();
        state.access.roles.insert("Few".into(), few);
        for rule in &mut state.access.acl {
            if rule.ugid == "aud@pve" {
                rule.role = "Few".into();
            }
        }
        let one = Rule {
            path: "/vms/100".into(),
            propagate: true,
            role: "PVEAuditor".into(),
            ugid: "aud@pve".into(),
            kind: "user".into(),
        };
        state.access.acl.push(one);
    });
    finds(
        &env,
        "privileges",
        &["cannot see everything", "/vms, save some paths: VM.Audit"],
        &["as root on a node"],
    );
}

#[test]
fn one_node_down() {
    let world = lab();
    let lab = world.cluster("lab");
    lab.fault(Fault::NodeOffline("lab-n2".into()));
    // The others notice it a moment later.
    lab.edit(|state| state.stale = false);
    finds(
        &world.env(),
        "nodes",
        &["node `lab-n2` is offline"],
        &["`lab-n2`", "corosync", "pvecm delnode"],
    );
    finds(
        &world.env(),
        "connection",
        &["not connected"],
        &["is the node up"],
    );
    let said = run(&["check"], &world.env()).stdout;
    assert!(said.contains(" 1/2 "), "{said}");
}

#[test]
fn a_cluster_that_does_not_say_how_it_is() {
    let world = lab();
    let lost = Fault::Lost {
        status: 500,
        executed: false,
    };
    world
        .cluster("lab")
        .fault(lost.on("GET", "/cluster/status"));
    let finding = finds(
        &world.env(),
        "quorum",
        &["quorum and nodes cannot be told"],
        &[],
    );
    assert_eq!(finding["severity"], "warning");
}

#[test]
fn no_quorum() {
    let world = lab();
    world.cluster("lab").fault(Fault::NoQuorum);
    finds(
        &world.env(),
        "quorum",
        &["quorum is lost", "nothing can be changed"],
        &["pvecm status", "corosync"],
    );
}

#[test]
fn a_clock_an_hour_off() {
    // It is asked twice, and told in whole minutes: not at the edge of one.
    for (clock_s, what) in [
        (3630, "its clock is 60min ahead of the one here"),
        (-3630, "its clock is 60min behind the one here"),
    ] {
        let world = lab();
        world.cluster("lab").edit(|state| state.clock_s = clock_s);
        finds(&world.env(), "clock", &[what], &["timedatectl", "chronyc"]);
    }
    let world = lab();
    world.cluster("lab").edit(|state| state.clock_s = 30);
    is_good(&world.env());
}

/// What takes a privilege that few tokens are given is named: only who has that too may everything.
#[test]
fn a_token_that_may_nearly_everything() {
    let everything = "the token may do everything that the tools can";
    let cases = [
        (
            "Sys.Modify",
            "a start order, and containers with more rights than `unprivileged` (`Sys.Modify` on `/`); \
             the options of a cluster as a whole (`Sys.Modify` on `/`); \
             changing the network of nodes (`Sys.Modify` on `/nodes`); \
             changing the firewall of the cluster (`Sys.Modify` on `/`); \
             changing the firewalls of nodes (`Sys.Modify` on `/nodes`); \
             stopping tasks of others (`Sys.Modify` on `/nodes`)",
        ),
        (
            "VM.GuestAgent.Audit,VM.GuestAgent.Unrestricted",
            "the addresses of running machines (`VM.GuestAgent.Audit` on `/vms`)",
        ),
        (
            "VM.GuestAgent.FileSystemMgmt,VM.GuestAgent.Unrestricted",
            "trimming and freezing file systems by guest agents (`VM.GuestAgent.FileSystemMgmt` on `/vms`)",
        ),
        (
            "Sys.Syslog",
            "what others did, in a cluster's log (`Sys.Syslog` on `/`)",
        ),
        (
            "Mapping.Use",
            "mapped devices (`Mapping.Use` on `/mapping`)",
        ),
    ];
    for (lacked, without) in cases {
        let world = lab();
        let text = run(&["check"], &world.env()).stdout;
        assert!(text.contains(everything), "{text}");
        let lacked = lacked.split(',').map(str::to_string).collect();
        world.cluster("lab").fault(Fault::TokenLacks(lacked));
        let said = run(&["check"], &world.env());
        assert_eq!(said.status, Some(0), "it may be meant: {}", said.stdout);
        assert!(!said.stdout.contains(everything), "{}", said.stdout);
        let words: Vec<&str> = said.stdout.split_whitespace().collect();
        let note =
            format!("the token `mcp@pve!mcp` may not do everything: it is without {without}");
        assert!(words.join(" ").contains(&note), "{}", said.stdout);
    }
    // What it is called depends on the version.
    let world = lab();
    world.cluster("lab").edit(|state| {
        let nodes = state.nodes.values_mut();
        nodes.for_each(|node| node.version = "8.4.1".into());
    });
    let said = run(&["check"], &world.env()).stdout;
    let words: Vec<&str> = said.split_whitespace().collect();
    let note = "it is without the addresses of running machines (`VM.Monitor` on `/vms`)";
    assert!(words.join(" ").contains(note), "{said}");
}

/// Proxmox says the time first, and then lets a refused token wait.
#[test]
fn a_late_answer_is_no_wrong_clock() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 1)]);
    world
        .cluster("lab")
        .edit(|state| state.pace.refuse_ms = 2100);
    let wrong = "11111111-2222-3333-4444-555555555555";
    let env = with(&world.env(), "TOKEN_SECRET", wrong);
    let said = run(&["check", "--json"], &env);
    let answer: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let endpoint = &answer["clusters"][0]["endpoints"][0];
    assert_eq!(endpoint["token_accepted"], false, "{endpoint}");
    assert_eq!(endpoint["clock_ahead_s"], 0, "{endpoint}");
}

#[test]
fn what_is_no_proxmox() {
    let world = lab();
    world.cluster("lab").fault(Fault::Html);
    finds(
        &world.env(),
        "version",
        &["no answer of the Proxmox API"],
        &["systemctl status pveproxy"],
    );
}

#[test]
fn everything_healthy() {
    let world = World::three();
    is_good(&world.env());
}
