//! The public key of a server's certificate: taken out of it whatever else the certificate holds, and
//! what it has signed.
//!
//! A certificate that is pinned needs to keep to no rule, since its fingerprint is the rule; whoever
//! shows it must have its key all the same.

use rustls::DigitallySignedStruct;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::SubjectPublicKeyInfoDer;

use super::cert;
use super::der::{BITS, Der, INTEGER, OID, SEQUENCE};

/// What keys this program can check, which are those of `ring`.
pub const KINDS: &str = "RSA of 2048 to 8192 bits, ECDSA with P-256 or P-384, Ed25519";

/// What to do about another.
pub const OTHER: &str = "give the node a certificate with a key that is one of them (`pvenode cert set`), or the \
                         cluster's own again (`pvenode cert delete`)";

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_MIN_BITS: usize = 2048;
const RSA_MAX_BITS: usize = 8192;
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// Kinds of keys by identifier, those of curves by the curve's: (identifier, name, whether it can be
/// checked).
const NAMES: &[(&[u8], &str, bool)] = &[
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        "P-256",
        true,
    ),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384", true),
    (&[0x2b, 0x65, 0x70], "Ed25519", true),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521", false),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "P-224", false),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1", false),
    (&[0x2b, 0x65, 0x71], "Ed448", false),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
        "RSASSA-PSS",
        false,
    ),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA", false),
];

/// Why the key of the certificate `der` is of no use to this program; `None` where it is.
pub fn unusable(der: &[u8]) -> Option<String> {
    let kind = match cert::public_key(der).and_then(kind) {
        None => "it has no public key that can be read".to_string(),
        Some(KeyKind::Rsa(RSA_MIN_BITS..=RSA_MAX_BITS)) => return None,
        Some(KeyKind::Rsa(bits)) => format!("its key is of RSA with {bits} bits"),
        Some(KeyKind::Named(_, true)) => return None,
        Some(KeyKind::Named(name, false)) => format!("its key is of the kind {name}"),
        Some(KeyKind::Unknown) => "its key is of a kind that is not known".to_string(),
    };
    Some(format!(
        "{kind}, with which this program cannot speak, whatever is trusted (it can with {KINDS})"
    ))
}

enum KeyKind {
    /// With so many bits.
    Rsa(usize),
    Named(&'static str, bool),
    Unknown,
}

fn kind(key: &[u8]) -> Option<KeyKind> {
    let (algorithm, bits) = parts(key)?;
    let mut algorithm = Der(algorithm);
    let mut identifier = algorithm.expect_tag(OID)?;
    if identifier == RSA {
        let mut numbers = Der(Der(bits).expect_tag(SEQUENCE)?);
        let modulus = numbers.expect_tag(INTEGER)?;
        let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
        let unused = usize::try_from(unused).unwrap_or_default();
        return Some(KeyKind::Rsa((modulus.len() * 8).saturating_sub(unused)));
    }
    if identifier == EC {
        // A curve that is written out has no name.
        identifier = algorithm.expect_tag(OID).unwrap_or_default();
    }
    let named = NAMES.iter().find(|(known, ..)| *known == identifier);
    Some(named.map_or(KeyKind::Unknown, |(_, name, can)| {
        KeyKind::Named(name, *can)
    }))
}

/// The content of the algorithm, and the key itself.
fn parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut key = Der(Der(key).expect_tag(SEQUENCE)?);
    let algorithm = key.expect_tag(SEQUENCE)?;
    // The first byte says how many bits of the last one are not used.
    let bits = key.expect_tag(BITS)?.strip_prefix(&[0])?;
    Some((algorithm, bits))
}

/// Whether the key of the certificate `der` signed `message` in a handshake of TLS 1.2, where a scheme
/// does not say the curve.
pub fn has_signed_12(
    der: &[u8],
    message: &[u8],
    signed: &DigitallySignedStruct,
    known: &WebPkiSupportedAlgorithms,
) -> bool {
    let Some((algorithm, bits)) = cert::public_key(der).and_then(parts) else {
        return false;
    };
    let of_scheme = known
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme);
    let candidates = of_scheme
        .map(|(_, candidates)| *candidates)
        .unwrap_or_default();
    let mut fitting = candidates
        .iter()
        .filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm);
    fitting.any(|one| {
        one.verify_signature(bits, message, signed.signature())
            .is_ok()
    })
}

/// Whether it did so in a handshake of TLS 1.3.
pub fn has_signed_13(
    der: &[u8],
    message: &[u8],
    signed: &DigitallySignedStruct,
    known: &WebPkiSupportedAlgorithms,
) -> bool {
    cert::public_key(der).is_some_and(|key| {
        let key = SubjectPublicKeyInfoDer::from(key);
        verify_tls13_signature_with_raw_key(message, &key, signed, known).is_ok()
    })
}
