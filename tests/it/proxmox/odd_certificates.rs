//! Certificates that keep to no rule, and keys of every kind: what can be pinned, that whoever shows
//! it must have its key, and what is said of what cannot be used.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::cert;
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::digest::{fingerprint_text, sha256};
use proxmox_mcp::proxmox::settings::{Endpoint, Trust};
use proxmox_mcp::proxmox::tls::ClusterTls;
use rcgen::{CustomExtension, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cli::check_finds::{run, with};
use crate::proxmox::authority::{Authority, Identity, authority, handshake, mismatched_config};
use crate::proxmox::node::{self, Node, get, ok};
use crate::sim::{ClusterSpec, World};

/// Made for these tests alone, since none of RSA can be made here: it opens nothing.
const RSA: &str = include_str!("rsa_test_key.pem");
/// How the line begins that pins a certificate.
const PIN_LINE: &str = "FINGERPRINT=";
const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const BITS: u8 = 0x03;
const INTEGER: u8 = 0x02;
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut whole = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => whole.push(length),
        _ => {
            let length = u16::try_from(content.len()).expect("a short value");
            whole.push(0x82);
            whole.extend(length.to_be_bytes());
        }
    }
    whole.extend(content);
    whole
}

/// A certificate of version 1 for `key`, with a signature of nobody.
fn version_1(key: &[u8]) -> CertificateDer<'static> {
    let algorithm = der(SEQUENCE, &[&der(OID, &[&EC[..6], &[4, 3, 2]])]);
    let name = der(OID, &[&[0x55, 4, 3]]);
    let name = der(SEQUENCE, &[&name, &der(0x0c, &[b"old.example.net"])]);
    let name = der(SEQUENCE, &[&der(0x31, &[&name])]);
    let time = |text: &[u8]| der(0x17, &[text]);
    let validity = [time(b"240131000000Z"), time(b"340131000000Z")].concat();
    let validity = der(SEQUENCE, &[&validity]);
    let number = der(INTEGER, &[&[1]]);
    let signed = der(
        SEQUENCE,
        &[&number, &algorithm, &name, &validity, &name, key],
    );
    let signature = der(BITS, &[&[0], &[0x5a; 64]]);
    der(SEQUENCE, &[&signed, &algorithm, &signature]).into()
}

fn of_key(key: &KeyPair) -> Identity {
    Identity {
        der: version_1(&key.subject_public_key_info()),
        key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
    }
}

/// A key of each kind that can be checked.
fn keys() -> Vec<(&'static str, KeyPair)> {
    let made = |kind| KeyPair::generate_for(kind).expect("a key");
    vec![
        ("RSA", KeyPair::from_pem(RSA).expect("a key")),
        ("P-256", made(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("P-384", made(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("Ed25519", made(&rcgen::PKCS_ED25519)),
    ]
}

fn start(identity: &Identity) -> Node {
    let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    Node::start_mismatched(identity, address, |_| ok(r#"{"data":1}"#))
}

fn ask(endpoint: Endpoint, trust: Trust) -> Result<(), Error> {
    let mut settings = node::settings(vec![endpoint]);
    settings.trust = trust;
    ClusterClient::new(settings).send(&get("/x")).map(|_| ())
}

fn pin(identity: &Identity) -> Trust {
    Trust::Fingerprints(vec![sha256(&identity.der)])
}

/// Neither the library's names of things nor what it writes for who debugs it.
fn is_in_words(text: &str) {
    for word in [
        "Other",
        "Error(",
        "Unsupported",
        "HandshakeFailure",
        "peer",
        "CaUsed",
        "Invalid",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn what_is_pinned_needs_to_keep_to_no_rule_but_to_have_its_key() {
    let other = KeyPair::generate().expect("a key");
    for (kind, key) in keys() {
        let identity = of_key(&key);
        assert_eq!(
            cert::public_key(&identity.der),
            Some(key.subject_public_key_info().as_slice())
        );
        ask(start(&identity).endpoint(), pin(&identity)).expect(kind);
        let thief = Identity {
            der: identity.der.clone(),
            key: PrivateKeyDer::try_from(other.serialize_der()).expect("a key"),
        };
        // The same kind, where one can be made.
        let twin = KeyPair::generate_for(key.algorithm()).ok();
        let twin = twin.map(|twin| Identity {
            der: identity.der.clone(),
            key: PrivateKeyDer::try_from(twin.serialize_der()).expect("a key"),
        });
        let trusted = ClusterTls::new(&pin(&identity), Path::new("")).expect("a pin");
        for version in rustls::ALL_VERSIONS {
            let shakes = |identity: &Identity| {
                let server = mismatched_config(identity, &[version]);
                handshake(server, Arc::clone(trusted.config(false)))
            };
            assert!(shakes(&identity), "{kind} {version:?}");
            for thief in twin.iter().chain([&thief]) {
                assert!(!shakes(thief), "{kind} {version:?}");
            }
        }
        let error = ask(start(&thief).endpoint(), pin(&identity)).expect_err(kind);
        let text = error.to_string();
        assert!(
            text.contains("whoever showed it does not have its key"),
            "{text}"
        );
        assert_eq!(error.hint.clone(), None);
        is_in_words(&text);
        let said = check_of(&start(&thief).endpoint(), &identity);
        assert!(
            said.contains("something on the way shows a certificate") && !said.contains(PIN_LINE),
            "{said}"
        );
    }
}

#[test]
fn why_a_chain_does_not_hold_is_said_in_words_and_the_pin_that_is_advised_works() {
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    let of_version_1 = of_key(&KeyPair::generate().expect("a key"));
    let critical = authority().issue_with(&["127.0.0.1"], |params| {
        params.custom_extensions.push(unknown);
    });
    let of_an_authority = authority().issue_with(&["127.0.0.1"], |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let for_clients = authority().issue_with(&["127.0.0.1"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    for (identity, why) in [
        (
            of_version_1,
            "it, or one above it, is of X.509 v1, which no root can vouch for",
        ),
        (
            critical,
            "it, or one above it, has a critical extension that is not known",
        ),
        (
            of_an_authority,
            "it is one of an authority (`CA:TRUE`), and not one of a server",
        ),
        (for_clients, "it is not made for servers"),
    ] {
        let node = start(&identity);
        let error = ask(node.endpoint(), Trust::CaFile(authority().ca_file())).expect_err(why);
        let text = error.to_string();
        let says = format!("the certificate is not trusted: {why}; SHA-256");
        assert!(text.contains(&says), "{text}");
        is_in_words(&text);
        let fingerprint = fingerprint_text(&sha256(&identity.der));
        let hint = error.hint.clone().expect("a hint");
        assert!(
            hint.contains(&format!("FINGERPRINT={fingerprint}")),
            "{hint}"
        );
        ask(node.endpoint(), pin(&identity)).expect("the pin");
    }
}

/// Two keys with which nothing can be done here, shown by a server that does so all the same.
#[test]
fn a_key_that_cannot_be_used_is_named_with_what_to_do() {
    let p521 = der(SEQUENCE, &[&der(OID, &[EC]), &der(OID, &[P521])]);
    let p521 = der(SEQUENCE, &[&p521, &der(BITS, &[&[0, 4], &[7; 132]])]);
    let short = der(
        SEQUENCE,
        &[
            &der(INTEGER, &[&[0], &[0xa5; 128]]),
            &der(INTEGER, &[&[1, 0, 1]]),
        ],
    );
    let rsa = der(SEQUENCE, &[&der(OID, &[RSA_OID]), &[5, 0]]);
    let rsa = der(SEQUENCE, &[&rsa, &der(BITS, &[&[0], &short])]);
    let key = KeyPair::generate().expect("a key");
    for (shown, kind) in [
        (p521, "its key is of the kind P-521"),
        (rsa, "its key is of RSA with 1024 bits"),
        (vec![SEQUENCE, 0], "it has no public key that can be read"),
    ] {
        let identity = Identity {
            der: version_1(&shown),
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        };
        let node = start(&identity);
        for trust in [pin(&identity), Trust::CaFile(Authority::new().ca_file())] {
            let error = ask(node.endpoint(), trust).expect_err(kind);
            let text = error.to_string();
            assert!(text.contains(kind), "{text}");
            assert!(
                text.contains("RSA of 2048 to 8192 bits, ECDSA with P-256 or P-384"),
                "{text}"
            );
            let hint = error.hint.clone().expect("a hint");
            assert!(
                hint.contains("`pvenode cert delete`") && !hint.contains("FINGERPRINT"),
                "{hint}"
            );
            is_in_words(&text);
        }
        // It is shown, but no line that would not help.
        let said = trust_of(&node.endpoint());
        assert!(said.contains(kind) && !said.contains(PIN_LINE), "{said}");
        let said = check_of(&node.endpoint(), &identity);
        assert!(
            said.contains("`pvenode cert delete`") && !said.contains(PIN_LINE),
            "{said}"
        );
    }
}

/// What `check` says of one that is pinned.
fn check_of(endpoint: &Endpoint, pinned: &Identity) -> String {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 0)]);
    let env = with(&world.env(), "API_URL", &format!("https://{endpoint}"));
    let pin = fingerprint_text(&sha256(&pinned.der));
    let env = with(&with(&env, "CA_FILE", ""), "FINGERPRINT", &pin);
    let output = run(&["check"], &env);
    let said = format!("{}{}", output.stdout, output.stderr);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn trust_of(endpoint: &Endpoint) -> String {
    let mut command = std::process::Command::new(crate::cli::binary::PROGRAM);
    command
        .arg("trust")
        .arg(format!("https://{endpoint}"))
        .env_clear();
    let output = crate::leaks::output(command.stdin(std::process::Stdio::null()));
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

/// A server that answers the first bytes with these, and nothing more.
fn answering(bytes: Vec<u8>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    Endpoint::new("127.0.0.1", port)
}

/// A server with a key that a client does not claim to know shows no certificate.
#[test]
fn a_handshake_that_breaks_off_is_said_in_words() {
    let alert = |number: u8| vec![0x15, 3, 3, 0, 2, 2, number];
    for (bytes, part) in [
        (alert(40), "with P-521 there is no way, whatever is trusted"),
        (alert(70), "it speaks neither TLS 1.2 nor 1.3"),
        (alert(112), "it has no certificate for this name"),
        (alert(116), "it wants a certificate of its client"),
        (alert(80), "it broke TLS off with alert 80"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "what came is no TLS",
        ),
        (vec![0x16, 3, 3, 0, 4, 2, 0, 0, 0], "what came is no TLS"),
    ] {
        let endpoint = answering(bytes.clone());
        for trust in [Trust::Nothing, Trust::Fingerprints(vec![[1; 32]])] {
            let error = ask(endpoint.clone(), trust).expect_err(part);
            let text = error.to_string();
            assert!(text.contains(part), "{bytes:?}: {text}");
            let advises = error
                .hint
                .clone()
                .is_some_and(|hint| hint.contains("pvenode cert delete"));
            assert_eq!(advises, part.contains("P-521"), "{error:?}");
            is_in_words(&text);
        }
        let said = trust_of(&endpoint);
        assert!(said.contains(part), "{said}");
        is_in_words(&said);
    }
}

#[test]
fn check_says_what_mends_a_handshake_that_breaks_off() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 0)]);
    let endpoint = answering(vec![0x15, 3, 3, 0, 2, 2, 40]);
    let env = with(&world.env(), "API_URL", &format!("https://{endpoint}"));
    let output = run(&["check"], &env);
    let said = format!("{}{}", output.stdout, output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("P-521") && said.contains("`pvenode cert delete`"),
        "{said}"
    );
    assert!(!said.contains("something else than Proxmox"), "{said}");
    is_in_words(&said);
}
