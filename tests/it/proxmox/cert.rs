//! What is read from a certificate, and that nothing in one can do harm.

use proxmox_mcp::proxmox::cert::{self, Certificate};

use crate::proxmox::authority;

#[test]
fn reads_subject_names_and_validity() {
    let identity = authority::authority().issue(&["pve1.example.net", "127.0.0.1", "::1"]);
    let certificate = cert::read(&identity.der);
    let issuer = "CN=Proxmox Virtual Environment, OU=";
    assert!(certificate.issuer.starts_with(issuer), "{certificate:?}");
    assert_eq!(
        certificate,
        Certificate {
            subject: "OU=PVE Cluster Node, CN=pve1.example.net".into(),
            // The roots of the tests are numbered.
            issuer: certificate.issuer.clone(),
            names: vec!["pve1.example.net".into(), "127.0.0.1".into(), "::1".into()],
            not_before: "2024-01-31 00:00".into(),
            // After 2049 the other form of a date is used.
            not_after: "2060-12-01 00:00".into(),
        }
    );
}

#[test]
fn what_is_broken_is_read_as_far_as_it_makes_sense() {
    let identity = authority::authority().issue(&["pve1.example.net"]);
    let der = identity.der.as_ref();
    for length in 0..der.len() {
        cert::read(&der[..length]);
    }
    for at in 0..der.len() {
        for value in [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xa3, 0xff] {
            let mut broken = der.to_vec();
            broken[at] = value;
            cert::read(&broken);
        }
    }
    assert_eq!(cert::read(b""), Certificate::default());
    assert_eq!(
        cert::read(&[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]),
        Certificate::default()
    );
}
