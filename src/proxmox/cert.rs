//! Subject, names and validity of a certificate, for the message that says why it is not trusted.
//!
//! rustls hands certificates over as bytes only, so this walks the DER itself: nothing is kept that
//! was not understood. The bytes come from a stranger.

use super::der::{
    BOOLEAN, DNS_NAME, Der, EXTENSIONS, GENERALIZED_TIME, IP_ADDRESS, OCTETS, OID, SEQUENCE, SET,
    UTC_TIME, VERSION,
};

/// More names than this are not shown.
const NAMES_MAX: usize = 20;
const NAME_MAX_CHARS: usize = 100;

/// 2.5.29.17, subjectAltName.
const SAN_OID: [u8; 3] = [0x55, 0x1d, 0x11];

/// What a certificate says of itself. Empty where it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// `CN=pve1.example.net, OU=PVE Cluster Node`, in the certificate's order.
    pub subject: String,
    /// Who signed it, in the same form.
    pub issuer: String,
    /// DNS names and addresses.
    pub names: Vec<String>,
    /// `2024-01-31 12:00`, UTC.
    pub not_before: String,
    pub not_after: String,
}

/// Reads `der` as far as it makes sense.
pub fn read(der: &[u8]) -> Certificate {
    let mut certificate = Certificate::default();
    // What was read before something made no sense is kept.
    let _ = walk(der, &mut certificate);
    certificate
}

/// The public key of `der`, as it stands there (a `SubjectPublicKeyInfo`), whatever the rest says.
pub fn public_key(der: &[u8]) -> Option<&[u8]> {
    let mut body = body(der)?;
    body.next()?; // issuer
    body.next()?; // validity
    body.next()?; // subject
    body.whole()
}

/// Whether `der` is a certificate of X.509 v1, which names no version.
pub fn is_version_1(der: &[u8]) -> bool {
    let signed = Der(der).expect_tag(SEQUENCE);
    let body = signed.and_then(|signed| Der(signed).expect_tag(SEQUENCE));
    body.is_some_and(|body| Der(body).peek() != Some(VERSION)) && public_key(der).is_some()
}

/// What is signed, from the issuer on.
fn body(der: &[u8]) -> Option<Der<'_>> {
    let mut whole = Der(Der(der).expect_tag(SEQUENCE)?);
    let mut body = Der(whole.expect_tag(SEQUENCE)?);
    if body.peek() == Some(VERSION) {
        body.next()?;
    }
    body.next()?; // serial number
    body.next()?; // signature algorithm
    Some(body)
}

fn walk(der: &[u8], certificate: &mut Certificate) -> Option<()> {
    let mut body = body(der)?;
    certificate.issuer = subject(body.expect_tag(SEQUENCE)?);
    let mut validity = Der(body.expect_tag(SEQUENCE)?);
    let (tag, text) = validity.next()?;
    certificate.not_before = time(tag, text)?;
    let (tag, text) = validity.next()?;
    certificate.not_after = time(tag, text)?;
    certificate.subject = subject(body.expect_tag(SEQUENCE)?);
    body.next()?; // public key
    while let Some((tag, content)) = body.next() {
        if tag == EXTENSIONS {
            certificate.names = names(content).unwrap_or_default();
        }
    }
    Some(())
}

/// The parts of a name: a sequence of sets of pairs of an identifier and a text.
fn subject(content: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Der(content);
    while let Some((SET, set)) = sets.next() {
        let mut pairs = Der(set);
        while let Some((SEQUENCE, pair)) = pairs.next() {
            let mut pair = Der(pair);
            let (Some((OID, oid)), Some((_, text))) = (pair.next(), pair.next()) else {
                continue;
            };
            if parts.len() < NAMES_MAX {
                parts.push(format!("{}={}", attribute(oid), shown(text)));
            }
        }
    }
    parts.join(", ")
}

/// The usual short names of what a subject consists of.
fn attribute(oid: &[u8]) -> &'static str {
    match oid {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        _ => "?",
    }
}

fn names(content: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(Der(content).expect_tag(SEQUENCE)?);
    while let Some((SEQUENCE, extension)) = extensions.next() {
        let mut extension = Der(extension);
        if extension.expect_tag(OID)? != SAN_OID {
            continue;
        }
        if extension.peek() == Some(BOOLEAN) {
            extension.next()?;
        }
        let mut list = Der(Der(extension.expect_tag(OCTETS)?).expect_tag(SEQUENCE)?);
        let mut names = Vec::new();
        while let Some((tag, content)) = list.next() {
            let name = match tag {
                DNS_NAME => Some(shown(content)),
                IP_ADDRESS => address(content),
                _ => None,
            };
            if names.len() < NAMES_MAX {
                names.extend(name);
            }
        }
        return Some(names);
    }
    None
}

fn address(content: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Some(std::net::Ipv4Addr::from(octets).to_string());
    }
    let octets = <[u8; 16]>::try_from(content).ok()?;
    Some(std::net::Ipv6Addr::from(octets).to_string())
}

/// `YYMMDDhhmm..` or `YYYYMMDDhhmm..` as a date that people read.
fn time(tag: u8, content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    let (century, rest) = match tag {
        UTC_TIME => {
            // 50 and later are of the last century (RFC 5280).
            let year: u8 = text.get(..2)?.parse().ok()?;
            (if year >= 50 { "19" } else { "20" }, text)
        }
        GENERALIZED_TIME => (text.get(..2)?, text.get(2..)?),
        _ => return None,
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(century) || !is_digits(rest.get(..10)?) {
        return None;
    }
    let part = |from: usize| rest.get(from..from.checked_add(2)?);
    Some(format!(
        "{century}{}-{}-{} {}:{}",
        part(0)?,
        part(2)?,
        part(4)?,
        part(6)?,
        part(8)?
    ))
}

fn shown(content: &[u8]) -> String {
    crate::text::printable(&String::from_utf8_lossy(content), NAME_MAX_CHARS)
}
