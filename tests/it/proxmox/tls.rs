//! Whom a connection trusts, and what is said about whom it does not.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::digest::{fingerprint_text, random_bytes, sha256};
use proxmox_mcp::proxmox::settings::Trust;
use proxmox_mcp::proxmox::tls::ClusterTls;

use crate::proxmox::authority::{
    Authority, Identity, authority, handshake, mismatched_config, server_config,
};
use crate::proxmox::node::{Node, get, ok};

fn start(identity: &Identity) -> Node {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Node::start_with(identity, address, |_| ok(r#"{"data":1}"#))
}

fn ask(node: &Node, trust: Trust) -> Result<(), Error> {
    let mut settings = node.settings();
    settings.trust = trust;
    ClusterClient::new(settings).send(&get("/x")).map(|_| ())
}

#[test]
fn hashes_and_random_bytes() {
    assert_eq!(
        fingerprint_text(&sha256(b"abc"))
            .replace(':', "")
            .to_lowercase(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_ne!(random_bytes::<8>().unwrap(), random_bytes::<8>().unwrap());
}

#[test]
fn a_ca_file_vouches_for_its_own() {
    let node = start(&authority().issue(&["127.0.0.1"]));
    ask(&node, Trust::CaFile(authority().ca_file())).unwrap();
    ask(
        &node,
        Trust::System {
            cert_file: Some(authority().ca_file()),
        },
    )
    .unwrap();
}

#[test]
fn an_untrusted_certificate_is_shown() {
    let identity = authority().issue(&["127.0.0.1", "pve1.example.net"]);
    let node = start(&identity);
    let pin = fingerprint_text(&sha256(&identity.der));
    let error = ask(&node, Trust::CaFile(Authority::new().ca_file())).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError");
    let text = error.to_string();
    for part in [
        "prod: not reached, nothing was sent: 127.0.0.1:",
        "the certificate is not trusted: no trusted root vouches for it",
        &pin,
        "subject `OU=PVE Cluster Node, CN=pve1.example.net`",
        "names 127.0.0.1 pve1.example.net",
        "valid from 2024-01-31 00:00 to 2060-12-01 00:00 UTC",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let hint = error.hint.clone().unwrap();
    assert!(
        hint.contains(&format!("`PROXMOX_CLUSTER_prod_FINGERPRINT={pin}`")),
        "{hint}"
    );
    assert!(
        hint.contains("in place of `PROXMOX_CLUSTER_prod_CA_FILE`"),
        "{hint}"
    );
    assert!(hint.contains("pvenode cert info"), "{hint}");
    assert_eq!(node.hits().len(), 0);

    let mut settings = node.settings();
    settings.cluster = "default".into();
    let stranger = Authority::new();
    settings.trust = Trust::System {
        cert_file: Some(stranger.ca_file()),
    };
    let hint = ClusterClient::new(settings)
        .send(&get("/x"))
        .unwrap_err()
        .hint
        .clone()
        .unwrap();
    assert!(
        hint.contains(&format!("`PROXMOX_FINGERPRINT={pin}`")),
        "{hint}"
    );
}

#[test]
fn a_certificate_for_another_name() {
    let node = start(&authority().issue(&["pve2.example.net"]));
    let error = ask(&node, Trust::CaFile(authority().ca_file())).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("it is not for the name `127.0.0.1`"),
        "{text}"
    );
    assert_eq!(node.hits().len(), 0);
}

#[test]
fn a_pinned_certificate_needs_no_chain_and_no_name() {
    let identity = Authority::new().issue(&["somewhere.example.net"]);
    let node = start(&identity);
    let pin = sha256(&identity.der);
    ask(&node, Trust::Fingerprints(vec![[1; 32], pin])).unwrap();
    let error = ask(&node, Trust::Fingerprints(vec![[1; 32]])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("not one that is pinned"), "{text}");
    assert!(
        error
            .hint
            .clone()
            .unwrap()
            .contains("in place of the one that is pinned")
    );
    assert_eq!(node.hits().len(), 1);
}

#[test]
fn whoever_shows_a_pinned_certificate_must_have_its_key() {
    let real = authority().issue(&["127.0.0.1"]);
    let thief = Identity {
        der: real.der.clone(),
        key: authority().issue(&["127.0.0.1"]).key,
    };
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let node = Node::start_mismatched(&thief, address, |_| ok(r#"{"data":1}"#));
    let error = ask(&node, Trust::Fingerprints(vec![sha256(&real.der)])).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError", "{error}");
    assert_eq!(node.hits().len(), 0);
    let pinned = Trust::Fingerprints(vec![sha256(&real.der)]);
    let trusted = ClusterTls::new(&pinned, Path::new("")).unwrap();
    for version in rustls::ALL_VERSIONS {
        let thief = mismatched_config(&thief, &[version]);
        assert!(
            !handshake(thief, Arc::clone(trusted.config(false))),
            "{version:?}"
        );
        let real = mismatched_config(&real, &[version]);
        assert!(
            handshake(real, Arc::clone(trusted.config(false))),
            "{version:?}"
        );
    }
    // What checks nothing takes even that.
    ask(&node, Trust::Nothing).unwrap();
}

#[test]
fn verification_can_be_turned_off() {
    let node = start(&Authority::new().issue(&["somewhere.example.net"]));
    ask(&node, Trust::Nothing).unwrap();
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let node = start(&authority().issue(&["127.0.0.1"]));
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing here").unwrap();
    let missing = PathBuf::from("/nonexistent/ca.pem");
    for path in [empty, missing] {
        for trust in [
            Trust::CaFile(path.clone()),
            Trust::System {
                cert_file: Some(path.clone()),
            },
        ] {
            let error = ask(&node, trust).unwrap_err();
            assert_eq!(error.code.as_str(), "ClusterConnectionError");
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
    assert_eq!(node.connections(), 0);
}

#[test]
fn only_this_very_machine_may_use_its_own_root() {
    // The system's roots vouch for another; the machine's own root is the node's.
    let other = Authority::new();
    let system = Trust::System {
        cert_file: Some(other.ca_file()),
    };
    let trusted = ClusterTls::new(&system, &authority().ca_file()).unwrap();
    assert!(!Arc::ptr_eq(trusted.config(true), trusted.config(false)));
    let identity = authority().issue(&["127.0.0.1"]);
    for (is_here, accepted) in [(true, true), (false, false)] {
        let config = Arc::clone(trusted.config(is_here));
        assert_eq!(
            handshake(server_config(&identity), config),
            accepted,
            "{is_here}"
        );
    }
    // A CA file of the cluster's is the only one that counts.
    let trusted = ClusterTls::new(&Trust::CaFile(other.ca_file()), &authority().ca_file());
    let config = Arc::clone(trusted.unwrap().config(true));
    assert!(!handshake(server_config(&identity), config));
}
