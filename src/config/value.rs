//! The texts of variables to values. An error says what is wrong and never shows the text: it might be
//! a secret that stands in the wrong place.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::log::Level;
use crate::proxmox::settings::{Endpoint, Proxy};

const API_PORT: u16 = 8006;

/// `1 true yes y on` and `0 false no n off`, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("is none of 1 true yes y on, 0 false no n off".into()),
    }
}

/// A whole number of seconds.
pub(super) fn seconds(text: &str, least: u32, most: u32) -> Result<Duration, String> {
    let seconds = whole(text, least, most)?;
    Ok(Duration::from_secs(seconds.into()))
}

/// A whole number within limits.
fn whole(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse::<u32>().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| match most {
            u32::MAX => format!("is not a whole number from {least} on"),
            _ => format!("is not a whole number from {least} to {most}"),
        })
}

/// A whole number from 1 on.
pub(super) fn count(text: &str, most: u32) -> Result<usize, String> {
    whole(text, 1, most).map(|number| number as usize)
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(Level::Error),
        "warn" => Ok(Level::Warn),
        "info" => Ok(Level::Info),
        "debug" => Ok(Level::Debug),
        _ => Err("is none of error, warn, info, debug".into()),
    }
}

/// Items separated by `,`, stripped, the empty ones dropped.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// The URLs of a cluster's nodes.
pub(super) fn endpoints(text: &str) -> Result<Vec<Endpoint>, String> {
    let endpoints: Vec<Endpoint> = items(text).map(endpoint).collect::<Result<_, _>>()?;
    if endpoints.is_empty() {
        return Err("holds no URL".into());
    }
    Ok(endpoints)
}

/// The endpoint of one `https://host[:port][/prefix]`, port 8006 where none is given.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn endpoint(url: &str) -> Result<Endpoint, String> {
    const SHAPE: &str = "is no `https://host[:port][/prefix]`";
    let rest = after_scheme(url, "https://");
    let whole = rest.unwrap_or(url);
    let end = whole.find(['/', '?', '#']).unwrap_or(whole.len());
    let (authority, path) = whole.split_at_checked(end).unwrap_or((whole, ""));
    if let Some(bracketed) = bracketed(authority) {
        return Err(format!(
            "holds an IPv6 address without its brackets: write `https://{bracketed}`"
        ));
    }
    rest.ok_or(SHAPE)?;
    let (host, port) = host_and_port(authority)?;
    Ok(Endpoint {
        host,
        port: port.unwrap_or(API_PORT),
        prefix: prefix(path)?,
    })
}

/// A bare IPv6 address with its brackets, and with the port where the last group is meant as one.
fn bracketed(authority: &str) -> Option<String> {
    let with_port = || {
        let (address, port) = authority.rsplit_once(':')?;
        let address: Ipv6Addr = address.parse().ok()?;
        Some((address, port.parse::<u16>().ok()?))
    };
    let whole: Option<Ipv6Addr> = authority.parse().ok();
    match (whole, with_port()) {
        // `2001:db8::1:8006` is an address too, but hardly meant as one.
        (_, Some((address, API_PORT))) => Some(format!("[{address}]:{API_PORT}")),
        (Some(address), _) => Some(format!("[{address}]")),
        (None, Some((address, port))) => Some(format!("[{address}]:{port}")),
        (None, None) => None,
    }
}

/// What stands before `/api2/json` in the path of a URL; what follows it is dropped with the query and
/// the fragment.
fn prefix(path: &str) -> Result<String, String> {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let path = path.get(..end).unwrap_or(path).trim_end_matches('/');
    let path = path.strip_suffix("/api2/json").unwrap_or(path);
    let path = path.trim_end_matches('/');
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
    let mut parts = path.split('/').skip(1);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(fits);
    if !parts.all(is_part) {
        return Err(
            "has a path that no reverse proxy's prefix is made of: words of letters, digits \
                    and `-._~` between single `/`"
                .into(),
        );
    }
    Ok(path.to_owned())
}

/// `http://host:port`.
pub(super) fn proxy(text: &str) -> Result<Proxy, String> {
    let rest = after_scheme(text, "http://").ok_or("is no `http://host:port`")?;
    let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest))?;
    let port = port.ok_or("has no port")?;
    Ok(Proxy { host, port })
}

fn after_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// What Docker's `--env-file` makes of a value in quotes: it keeps them.
pub(super) const QUOTED: &str = "stands in quotes, which belong to the value where Docker's `--env-file` or the environment sets \
     it: take them off";

/// Whether a text stands in quotes, or begins with one that has no end.
pub(super) fn is_quoted(text: &str) -> bool {
    text.starts_with(['"', '\''])
}

/// The authority of a URL; an IPv6 address loses its brackets.
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    if authority.contains('@') {
        return Err("holds a user or a password, which does not belong there".into());
    }
    let (host, rest) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (address, rest) = inner.split_once(']').ok_or("lacks a `]`")?;
            let address: Ipv6Addr = address
                .parse()
                .map_err(|_| "holds brackets without an IPv6 address")?;
            (address.to_string(), rest)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, rest) = authority.split_at_checked(end).unwrap_or((authority, ""));
            (host.to_owned(), rest)
        }
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    if host.is_empty() || !host.chars().all(fits) {
        return Err("has no valid host".into());
    }
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return Err("has no valid host".into()),
        Some(digits) => {
            let port = whole(digits, 1, u16::MAX.into()).ok();
            let port = port.and_then(|port| u16::try_from(port).ok());
            Some(port.ok_or("has no valid port")?)
        }
    };
    Ok((host, port))
}

/// `user@realm!token`, by Proxmox's own rules for the three parts.
pub(super) fn token_id(text: &str) -> Result<String, String> {
    const SHAPE: &str = "is no `user@realm!token`";
    if text.contains('=') {
        return Err(format!("{SHAPE}: the secret has a variable of its own"));
    }
    let (user, token) = text.split_once('!').ok_or(SHAPE)?;
    let (name, realm) = user.rsplit_once('@').ok_or(SHAPE)?;
    let name_fits = |letter: char| {
        !letter.is_whitespace() && !letter.is_control() && letter != ':' && letter != '/'
    };
    if name.is_empty() || !name.chars().all(name_fits) || !word(realm) || !word(token) {
        return Err(SHAPE.into());
    }
    Ok(text.to_owned())
}

/// A letter, then letters, digits, `.`, `-`, `_`.
fn word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter))
}

/// A secret that fits into a header.
pub(super) fn secret(text: &str) -> Result<String, String> {
    if text.chars().all(|letter| letter.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("holds blanks, line ends or characters beyond ASCII".into())
    }
}

/// SHA-256 fingerprints: 32 bytes in hexadecimal, with or without colons.
pub(super) fn fingerprints(text: &str) -> Result<Vec<[u8; 32]>, String> {
    let fingerprints: Vec<[u8; 32]> = items(text)
        .map(|item| fingerprint(item).ok_or("is no SHA-256 fingerprint (32 bytes as `AA:BB:...`)"))
        .collect::<Result<_, _>>()?;
    if fingerprints.is_empty() {
        return Err("holds no fingerprint".into());
    }
    Ok(fingerprints)
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let mut bytes = Vec::new();
    let mut digits = text.chars().peekable();
    while let Some(high) = digits.next() {
        let byte = high.to_digit(16)? * 16 + digits.next()?.to_digit(16)?;
        bytes.push(u8::try_from(byte).ok()?);
        if digits.next_if_eq(&':').is_some() {
            digits.peek()?;
        }
    }
    bytes.try_into().ok()
}

/// A path that means the same wherever the server was started.
pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("is not an absolute path: clients start the server in whatever folder is open".into())
    }
}

/// A program and its arguments: words between blanks, which quotes of both kinds hold together.
/// Nothing else is special, since no shell reads it.
pub(super) fn command(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("lacks a closing quote".into());
    }
    words.extend(word);
    match words.first() {
        None => Err("names no program".into()),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            Err("names its program by a relative path: clients start the server in whatever folder is open".into())
        }
        Some(_) => Ok(words),
    }
}
