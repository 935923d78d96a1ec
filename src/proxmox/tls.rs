//! Whom a cluster's connections trust: from the settings to a rustls configuration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::broken;
use super::cert;
use super::digest::{provider, sha256};
use super::exchange::{self, Remedy};
use super::key;
use super::settings::Trust;
use crate::files;

/// A bundle of roots larger than this is something else.
const BUNDLE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// More roots than this are not read.
const ROOTS_MAX: usize = 4096;
/// TLS sessions kept for a faster second handshake: Proxmox asks for a new connection after nearly
/// every answer that came from a daemon behind the proxy.
const SESSIONS_MAX: usize = 8;
/// The root of the cluster that this very machine belongs to.
pub const OWN_ROOT: &str = "/etc/pve/pve-root-ca.pem";
/// Where Debian, Red Hat, SUSE, Alpine and the BSDs keep the system's roots.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// What a cluster's connections are made with.
pub struct ClusterTls {
    config: Arc<ClientConfig>,
    /// For an endpoint that is this very machine: it may trust its own cluster's root too. No
    /// other endpoint may, since every cluster has a root of its own.
    here: Arc<ClientConfig>,
}

impl ClusterTls {
    /// Reads what `trust` names. `own_root` is [`OWN_ROOT`], which need not exist.
    ///
    /// # Errors
    /// A sentence that says which file cannot be used.
    pub fn new(trust: &Trust, own_root: &Path) -> Result<ClusterTls, String> {
        let provider = Arc::new(provider());
        let both = |config: Arc<ClientConfig>| ClusterTls {
            here: Arc::clone(&config),
            config,
        };
        match trust {
            Trust::Nothing => configure(&provider, Check::Nothing).map(both),
            Trust::Fingerprints(pins) => configure(&provider, Check::Pins(pins.clone())).map(both),
            Trust::CaFile(path) => configure(&provider, chain(required(path)?, "")).map(both),
            Trust::System { cert_file } => {
                let (roots, note) = match cert_file {
                    Some(path) => (required(path)?, ""),
                    None => match first_bundle() {
                        Some(roots) => (roots, ""),
                        None => (
                            Arc::new(RootCertStore::empty()),
                            ", and this system has no bundle of roots",
                        ),
                    },
                };
                let mut trusted = both(configure(&provider, chain(Arc::clone(&roots), note))?);
                if let Ok(own) = read_roots(own_root) {
                    let mut roots = (*roots).clone();
                    roots.extend(own.roots.iter().cloned());
                    trusted.here = configure(&provider, chain(Arc::new(roots), ""))?;
                }
                Ok(trusted)
            }
        }
    }

    pub fn config(&self, is_here: bool) -> &Arc<ClientConfig> {
        if is_here { &self.here } else { &self.config }
    }
}

fn configure(provider: &Arc<CryptoProvider>, check: Check) -> Result<Arc<ClientConfig>, String> {
    let verifier = Verifier {
        check,
        provider: Arc::clone(provider),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| broken::text(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(Arc::new(config))
}

fn chain(roots: Arc<RootCertStore>, note: &'static str) -> Check {
    if roots.is_empty() {
        Check::NoRoots(note)
    } else {
        Check::Chain(roots)
    }
}

fn required(path: &Path) -> Result<Arc<RootCertStore>, String> {
    let roots = read_roots(path)?;
    if roots.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(roots)
}

fn first_bundle() -> Option<Arc<RootCertStore>> {
    BUNDLES
        .iter()
        .map(PathBuf::from)
        .filter_map(|path| read_roots(&path).ok())
        .find(|roots| !roots.is_empty())
}

/// The roots that `path` holds. Equal files are kept once: a hundred clusters that trust the
/// system's bundle share it.
fn read_roots(path: &Path) -> Result<Arc<RootCertStore>, String> {
    static SHARED: Mutex<Vec<([u8; 32], Weak<RootCertStore>)>> = Mutex::new(Vec::new());
    let pem = files::read_limited(path, BUNDLE_MAX_BYTES)?;
    let digest = sha256(&pem);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.retain(|(_, roots)| roots.strong_count() > 0);
    let known = shared.iter().find(|(known, _)| *known == digest);
    if let Some(roots) = known.and_then(|(_, roots)| roots.upgrade()) {
        return Ok(roots);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        CertificateDer::pem_slice_iter(&pem)
            .take(ROOTS_MAX)
            .flatten(),
    );
    let roots = Arc::new(roots);
    shared.push((digest, Arc::downgrade(&roots)));
    Ok(roots)
}

/// By what a server's certificate is judged.
#[derive(Debug)]
enum Check {
    Chain(Arc<RootCertStore>),
    /// No root at all: nothing can be trusted. Why, as the end of a sentence.
    NoRoots(&'static str),
    Pins(Vec<[u8; 32]>),
    Nothing,
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// What rustls's own verifier does, but for lists of revoked certificates: a cluster has none, and
    /// to read them takes a hundredth of the program.
    fn chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        roots: &RootCertStore,
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let known = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, known)?;
        verify_server_name(&certificate, server_name)
    }

    fn signed(
        &self,
        certificate: &[u8],
        has_signed: impl FnOnce() -> bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(self.check, Check::Nothing) || has_signed() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let why = "whoever showed it does not have its key".to_string();
        Err(refused(certificate, why, Remedy::Nothing))
    }
}

/// Notes why, since of an error only its kind reaches the exchange.
fn refused(certificate: &[u8], why: String, remedy: Remedy) -> Error {
    exchange::untrusted(certificate, why, remedy);
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.check {
            Check::Nothing => return Ok(ServerCertVerified::assertion()),
            Check::Pins(pins) => {
                if pins.contains(&sha256(end_entity)) {
                    Ok(())
                } else {
                    Err("its fingerprint is not one that is pinned".to_string())
                }
            }
            Check::NoRoots(note) => Err(format!("no root vouches for it{note}")),
            Check::Chain(roots) => self
                .chain(end_entity, intermediates, server_name, roots, now)
                .map_err(|e| reason(&e, end_entity, server_name)),
        };
        // What would fail whatever is trusted is said first.
        match (key::unusable(end_entity), verified) {
            (Some(why), _) => Err(refused(end_entity, why, Remedy::OtherKey)),
            (None, Err(why)) => Err(refused(end_entity, why, Remedy::Pin)),
            (None, Ok(())) => Ok(ServerCertVerified::assertion()),
        }
    }

    // Whoever is trusted must also hold the key, pinned or not: a fingerprint is no secret. The key is
    // taken out as it stands there, since what is pinned may break every rule for certificates.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        self.signed(cert, || key::has_signed_12(cert, message, dss, known))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        self.signed(cert, || key::has_signed_13(cert, message, dss, known))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Why a chain was refused, for people.
fn reason(error: &Error, certificate: &[u8], name: &ServerName<'_>) -> String {
    use CertificateError::{BadEncoding, NotValidForName, NotValidForNameContext};
    match error {
        // It is read as if it had a version, which those of the first do not name.
        Error::InvalidCertificate(BadEncoding) if cert::is_version_1(certificate) => {
            broken::VERSION_1.into()
        }
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            format!("it is not for the name `{}`", name.to_str())
        }
        error => broken::text(error),
    }
}
