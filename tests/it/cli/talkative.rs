//! The program at its most talkative, through all tools and all ways to fail: no secret stands on
//! either stream, in the audit file, in the list of processes, or with a child.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::cli::binary::PROGRAM;
use crate::demo::client::{Client, Way};
use crate::proxmox::hostile::calls;
use crate::sim::clean::listed;
use crate::sim::spec::holds_a_secret;
use crate::sim::{Fault, World};

/// A program of a secret, which keeps what the list of processes says of it and of who started it.
const SCRIPT: &str = "#!/bin/sh
cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline > \"$0.seen\"
cat \"$0.secret\"
";

fn private(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("it is written");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is private");
}

/// The world's configuration, with each secret in another place: production's in the environment,
/// staging's in one of systemd's credentials, disaster-recovery's from a program.
fn scattered(world: &World, folder: &Path) -> (String, [String; 2]) {
    let secret = |name: &str| &world.cluster(name).spec.token_secret;
    private(&folder.join("staging"), secret("staging"), 0o600);
    let program = folder.join("program");
    private(&program, SCRIPT, 0o700);
    private(
        &folder.join("program.secret"),
        secret("disaster-recovery"),
        0o600,
    );
    let is_secret = |line: &&str| line.contains("_TOKEN_SECRET=");
    let env = world.env();
    let mut lines: Vec<String> = env
        .lines()
        .filter(|line| !is_secret(line))
        .map(str::to_string)
        .collect();
    lines.extend([
        "PROXMOX_CLUSTER_staging_TOKEN_SECRET_FILE=staging".to_string(),
        format!(
            "PROXMOX_CLUSTER_disaster-recovery_TOKEN_SECRET_COMMAND={}",
            program.display()
        ),
        "PROXMOX_LOG=debug".to_string(),
        "PROXMOX_TOOLSETS=all".to_string(),
    ]);
    let environment = [
        format!("CREDENTIALS_DIRECTORY={}", folder.display()),
        format!(
            "PROXMOX_CLUSTER_production_TOKEN_SECRET={}",
            secret("production")
        ),
    ];
    (lines.join("\n") + "\n", environment)
}

#[test]
fn no_secret_is_told_whatever_happens() {
    let world = World::three();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (env, environment) = scattered(&world, folder.path());
    let audit = world.audit_file();
    let env = format!("{env}PROXMOX_AUDIT_LOG={}\n", audit.display());
    let env_file = folder.path().join("test.env");
    crate::demo::write_private(&env_file, &env).expect("the configuration is written");
    let start = |env_file: &Path| {
        let mut command = Command::new("/usr/bin/env");
        command.args(&environment).arg(PROGRAM);
        let mut client = Client::start_as(command, env_file, Way::Pipe).expect("it starts");
        client.initialize("2025-11-25").expect("it answers");
        client
    };
    // `Client` looks at every line of both streams, the audit file and the list of processes.
    let mut client = start(&env_file);
    let faults = [
        None,
        Some(Fault::Echo),
        Some(Fault::Status401),
        Some(Fault::Refuse),
    ];
    for fault in faults {
        for cluster in &world.clusters {
            cluster.heal();
            if let Some(fault) = &fault {
                cluster.fault(fault.clone());
            }
        }
        let (mut all, mut failed, mut hidden) = (0, 0, 0);
        for (tool, arguments) in calls() {
            let result = client.call(&tool, &arguments).expect("it answers");
            all += 1;
            failed += usize::from(result["isError"] == json!(true));
            hidden += usize::from(result.to_string().contains("(hidden)"));
        }
        assert_eq!(
            fault.is_some(),
            failed * 4 > all * 3,
            "{fault:?}: {failed} of {all}"
        );
        let is_told = fault == Some(Fault::Echo);
        assert!(!is_told || hidden > 30, "{fault:?}: {hidden}");
        let listed = listed(client.id());
        assert!(listed.contains("--env-file") && !holds_a_secret(&listed));
    }
    let (_, _, stderr) = client.end().expect("it ends");
    let audited = fs::read_to_string(&audit).expect("it is written");
    assert!(audited.contains("(hidden)") && audited.lines().count() > 100);
    assert!(stderr.contains("proxmox-mcp: debug: "), "{stderr}");

    // A certificate that is not trusted.
    world.clusters.iter().for_each(|cluster| cluster.heal());
    let production = world.ca_file("production").display().to_string();
    let mixed = env.replace(&world.ca_file("staging").display().to_string(), &production);
    let mixed_file = folder.path().join("mixed.env");
    crate::demo::write_private(&mixed_file, &mixed).expect("the configuration is written");
    let mut client = start(&mixed_file);
    let result = client
        .call("node_list", &json!({"cluster": "staging"}))
        .expect("it answers");
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("certificate"), "{text}");
    client.end().expect("it ends");

    let seen = fs::read(folder.path().join("program.seen")).expect("the program was run");
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("CREDENTIALS_DIRECTORY"), "{seen}");
    assert!(!holds_a_secret(&seen), "{seen}");
}
