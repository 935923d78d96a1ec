//! A cluster's own CA, and the certificates of its nodes.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::http;

/// A cluster's own CA.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params =
            CertificateParams::new(Vec::<String>::new()).expect("an empty list of names is fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{name} cluster CA"));
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params
            .self_signed(&key)
            .expect("the CA can be signed")
            .pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A node's certificate, for its name and 127.0.0.1, that holds for so many days; and its
    /// fingerprint.
    pub fn server(&self, node: &str, valid_days: Option<i64>) -> (Arc<ServerConfig>, String) {
        let names = vec![node.to_string(), "localhost".into(), "127.0.0.1".into()];
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.distinguished_name.push(DnType::CommonName, node);
        if let Some(days) = valid_days {
            let [year, month, day, ..] = http::civil(super::clock() + days * 86_400);
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(year as i32, month as u8, day as u8);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let leaf = params
            .signed_by(&key, &self.issuer)
            .expect("the certificate can be signed");
        let der = CertificateDer::from(leaf.der().to_vec());
        let fingerprint = fingerprint(&der);
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![der], key)
            })
            .expect("the certificate fits its key");
        (Arc::new(config), fingerprint)
    }
}

fn fingerprint(der: &[u8]) -> String {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash = suite
        .tls13()
        .expect("it is a TLS 1.3 suite")
        .common
        .hash_provider
        .hash(der);
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect::<Vec<_>>()
        .join(":")
}
