//! `trust` through the real binary: what it shows, and that it says nothing to the server.

use std::process::{Command, Output, Stdio};

use crate::cli::binary::PROGRAM;
use crate::cli::check_finds::{run, with};
use crate::leaks;
use crate::proxmox::node::closed_port;
use crate::sim::{ClusterSpec, World};

/// Without any configuration.
fn trust(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(PROGRAM);
    command.arg("trust").args(arguments).env_clear();
    command.env("HOME", folder.path()).stdin(Stdio::null());
    leaks::output(command.current_dir(folder.path()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_certificate_and_the_lines_are_shown_and_no_request_is_sent() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 0)]);
    let lab = world.cluster("lab");
    let output = trust(&lab.urls().iter().map(String::as_str).collect::<Vec<_>>());
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let pin = lab.fingerprint("lab-n1");
    for part in [
        "subject  CN=lab-n1",
        "issuer   CN=lab cluster CA",
        "names    lab-n1 localhost 127.0.0.1",
        "valid    1975-01-01 00:00 to 4096-01-01 00:00 UTC",
        &format!("SHA-256  {pin}"),
        "pvenode cert info",
        &format!("\nPROXMOX_CLUSTER_NAME_FINGERPRINT={pin}\n"),
        &format!("\nPROXMOX_FINGERPRINT={pin}\n"),
        "/etc/pve/pve-root-ca.pem",
        "PROXMOX_CLUSTER_NAME_CA_FILE=",
        "PROXMOX_CA_FILE=",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
    assert!(!said.contains("vouch for it"), "{said}");
    assert!(world.seen().is_empty());
    assert!(!said.contains('\x1b') && output.stderr.is_empty());
    for line in said.lines().filter(|line| !line.contains(pin)) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // The line is good.
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("PROXMOX_CLUSTER_NAME_FINGERPRINT="));
    let env = with(&world.env(), "CA_FILE", "");
    let env = with(&env, "FINGERPRINT", line.expect("the line"));
    assert_eq!(run(&["check"], &env).status, Some(0));
}

#[test]
fn what_the_roots_of_the_system_vouch_for_is_said() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 0)]);
    let url = &world.cluster("lab").urls()[0];
    let mut command = Command::new(PROGRAM);
    command.args(["trust", url]).env_clear();
    let output = leaks::output(command.env("SSL_CERT_FILE", world.ca_file("lab")));
    let said = text(&output.stdout);
    assert!(
        said.contains("vouch for it: nothing needs to be set"),
        "{said}"
    );
}

#[test]
fn a_host_alone_will_do() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 0)]);
    let port = world.cluster("lab").port("lab-n1");
    let output = trust(&[&format!("localhost:{port}")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn what_does_not_answer_is_said() {
    for (url, parts) in [
        (format!("https://{}", closed_port()), ["refused", "8006"]),
        (
            "https://node.invalid".into(),
            ["`node.invalid` was not found", "8006"],
        ),
    ] {
        let output = trust(&[&url]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        for part in parts {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[test]
fn wrong_arguments_are_said() {
    for arguments in [
        vec![],
        vec!["https://a", "https://b"],
        vec!["http://pve.example.com:8006"],
        vec!["https://user:password@pve.example.com"],
        vec!["https://pve.example.com:99999"],
    ] {
        let output = trust(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        assert!(said.contains("trust --help"), "{said}");
    }
}
