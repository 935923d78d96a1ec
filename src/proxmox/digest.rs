//! SHA-256 and random bytes, from the cryptography that TLS already brings.

use std::sync::Arc;

use rustls::crypto::hash::Hash;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{Error, SupportedCipherSuite};

/// Length of a SHA-256 in bytes.
pub const SHA256_BYTES: usize = 32;

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_BYTES] {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash: &dyn Hash = match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
    };
    let output = hash.hash(bytes);
    let mut digest = [0; SHA256_BYTES];
    for (to, from) in digest.iter_mut().zip(output.as_ref()) {
        *to = *from;
    }
    digest
}

/// The block of SHA-256 in bytes.
const BLOCK_BYTES: usize = 64;

/// The HMAC-SHA-256 of `bytes` by `key` (RFC 2104).
pub fn hmac_sha256(key: &[u8; SHA256_BYTES], bytes: &[u8]) -> [u8; SHA256_BYTES] {
    let padded = |by: u8| {
        let key = key.iter().copied().chain(std::iter::repeat(0));
        key.take(BLOCK_BYTES).map(move |byte| byte ^ by)
    };
    let inner: Vec<u8> = padded(0x36).chain(bytes.iter().copied()).collect();
    let outer: Vec<u8> = padded(0x5c).chain(sha256(&inner)).collect();
    sha256(&outer)
}

/// Bytes as small hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `N` bytes that nobody can guess; `None` where the system gives none.
pub fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    provider().secure_random.fill(&mut bytes).ok()?;
    Some(bytes)
}

/// What TLS computes with. No client shows a certificate here, so that nothing signs: that would be
/// a fiftieth of the program.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        key_provider: &NoKeys,
        ..ring::default_provider()
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("no private key is ever used".into()))
    }
}

/// A fingerprint as Proxmox writes it: `AA:BB:...`.
pub fn fingerprint_text(digest: &[u8]) -> String {
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
