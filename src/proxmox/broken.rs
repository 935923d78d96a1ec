//! Why TLS did not come about, in words: what the library says of it is meant for who wrote it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::exchange::Remedy;
use super::key;

const NO_TLS_1_2: &str = "it speaks neither TLS 1.2 nor 1.3";
const NOT_TLS: &str = "what came is no TLS";

/// What an input or output failed with.
pub fn io_text(error: &io::Error) -> String {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(inner) => text(inner),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        None => error.to_string(),
    }
}

/// What a handshake, or what came after it, failed with.
pub fn text(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => NO_TLS_1_2.into(),
        Error::PeerIncompatible(_) => nothing_in_common(),
        Error::InvalidCertificate(error) => certificate(error),
        Error::NoCertificatesPresented => "it showed no certificate".into(),
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => NOT_TLS.into(),
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => "it does not keep to the rules of TLS".into(),
        Error::DecryptError => "what came was changed on the way, or is no TLS".into(),
        _ => "TLS failed".into(),
    }
}

fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            nothing_in_common()
        }
        AlertDescription::ProtocolVersion => NO_TLS_1_2.into(),
        AlertDescription::UnrecognisedName => "it has no certificate for this name".into(),
        AlertDescription::CertificateRequired
        | AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::AccessDenied => {
            "it wants a certificate of its client, and this program has none".into()
        }
        AlertDescription::CloseNotify => "the connection was closed".into(),
        other => format!("it broke TLS off with alert {}", u8::from(other)),
    }
}

/// A server shows no certificate whose key the client does not claim to know.
fn nothing_in_common() -> String {
    format!(
        "it has no cipher, or no certificate with a key, that this program can use ({}; with P-521 there \
         is no way, whatever is trusted)",
        key::KINDS
    )
}

/// What mends it, where that is known.
pub fn remedy(error: &io::Error) -> Option<Remedy> {
    let common = nothing_in_common();
    (io_text(error) == common).then_some(Remedy::OtherKey)
}

/// Why a certificate, or the chain above it, was refused.
pub fn certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::UnknownIssuer => "no trusted root vouches for it",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is not for this name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet (is the clock of this machine right?)"
        }
        CertificateError::BadSignature => "the trusted root of its issuer's name did not sign it",
        CertificateError::BadEncoding => "it cannot be read",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not made for servers"
        }
        CertificateError::UnhandledCriticalExtension => CRITICAL,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it, or one above it, is signed in a way that this program cannot check"
        }
        CertificateError::Other(other) => {
            let name = other.to_string();
            let known = RULES.iter().find(|(rule, _)| name.starts_with(rule));
            known.map_or(RULE, |(_, text)| text)
        }
        _ => RULE,
    };
    text.into()
}

/// Of a certificate without the fields by which one is checked.
pub const VERSION_1: &str = "it, or one above it, is of X.509 v1, which no root can vouch for";
const RULE: &str = "it, or one above it, breaks a rule for certificates";
const CRITICAL: &str = "it, or one above it, has a critical extension that is not known";
/// Rules of the library that have a name only in its own words: how those begin, and ours.
const RULES: &[(&str, &str)] = &[
    ("UnsupportedCertVersion", VERSION_1),
    ("UnsupportedCriticalExtension", CRITICAL),
    (
        "CaUsedAsEndEntity",
        "it is one of an authority (`CA:TRUE`), and not one of a server",
    ),
    (
        "EndEntityUsedAsCa",
        "one above it is not one of an authority",
    ),
    (
        "PathLenConstraintViolated",
        "there are more above it than its authority allows",
    ),
    (
        "NameConstraintViolation",
        "its authority may not vouch for its names",
    ),
    (
        "UnsupportedNameConstraint",
        "its authority may vouch for some names only, in a way that is not known",
    ),
    (
        "MaximumPathBuildCallsExceeded",
        "what is above it is too long to be looked through",
    ),
    (
        "MaximumSignatureChecksExceeded",
        "what is above it is too long to be looked through",
    ),
    (
        "MaximumPathDepthExceeded",
        "what is above it is too long to be looked through",
    ),
];
