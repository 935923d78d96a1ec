//! How an exchange failed: from what ureq says and how far it had got to what may have happened.

use std::fmt::Write as _;
use std::time::Duration;

use super::answer;
use super::broken;
use super::cert;
use super::digest::{fingerprint_text, sha256};
use super::exchange::{Exchange, ExchangeStop, Remedy, UntrustedCertificate};
use super::session::ExchangeLimits;
use super::settings::{Endpoint, Settings};
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::log;
use crate::room::{NoRoom, SHARE_MAX_BYTES};
use crate::text::printable;

const CAUSE_MAX_CHARS: usize = 300;
const CLOSED: &str = "the connection was closed";

/// How an exchange failed.
#[derive(Debug)]
pub enum ExchangeFailure {
    /// Nothing was sent, another node may be tried.
    /// With what mends a certificate that was not trusted, and its fingerprint.
    NotConnected {
        cause: String,
        untrusted: Option<(Remedy, String)>,
    },
    /// No connection stood yet when enough other clusters had answered: it tells little of the node.
    Left(String),
    /// The connection came from the pool and had died: nothing of an answer to a read came, or
    /// nothing of a write was sent.
    Stale,
    /// Nothing was sent, and it is not to be tried again.
    NotBegun(String),
    /// The request had begun to leave, or had left, and the answer is not whole; whether any of it
    /// came, and whether none came in time.
    Cut {
        cause: String,
        begun: bool,
        late: bool,
    },
    /// Something in front of the node answered, and whether the node was asked is not known.
    Gateway(String),
    /// Something came that is no answer.
    NotAnAnswer(String),
    Cancelled,
}

impl ExchangeFailure {
    /// Whether the answer did not come, or not whole, or is another's.
    pub fn is_cut(&self) -> bool {
        matches!(
            self,
            ExchangeFailure::Stale | ExchangeFailure::Cut { .. } | ExchangeFailure::Gateway(_)
        )
    }

    /// The failure as the caller sees it.
    pub fn explain(self, settings: &Settings, endpoint: &Endpoint, request: &Request) -> Error {
        let cluster = &settings.cluster;
        let write = request.verb != Verb::Get;
        match self {
            ExchangeFailure::Cancelled => Error::cancelled(),
            ExchangeFailure::NotConnected { cause, .. }
            | ExchangeFailure::Left(cause)
            | ExchangeFailure::NotBegun(cause) => {
                Error::unreachable(cluster, format!("{endpoint}: {cause}"))
            }
            // Of a write that counts as stale no byte has left.
            ExchangeFailure::Stale if write => {
                Error::unreachable(cluster, format!("{endpoint}: {CLOSED}"))
            }
            ExchangeFailure::Stale => cut(settings, request, CLOSED, false),
            ExchangeFailure::Cut { cause, .. } | ExchangeFailure::Gateway(cause) if write => {
                Error::interrupted(cluster, &answer::line_of(request), cause)
            }
            ExchangeFailure::Cut { cause, begun, .. } => cut(settings, request, &cause, begun),
            ExchangeFailure::Gateway(cause) | ExchangeFailure::NotAnAnswer(cause) => {
                answer::not_an_answer(settings, request, cause)
            }
        }
    }
}

fn cut(settings: &Settings, request: &Request, cause: &str, begun: bool) -> Error {
    let what = if begun {
        "it was cut off"
    } else {
        "there was none"
    };
    let cause = format!("{what} ({cause}); a read changes nothing and can be repeated");
    answer::not_an_answer(settings, request, cause)
}

/// What an error of ureq means, given how far the exchange had got.
pub fn of(
    error: &ureq::Error,
    after: &Exchange,
    connect: Duration,
    timing: ExchangeLimits,
) -> ExchangeFailure {
    let cause = match after.stop {
        Some(ExchangeStop::Cancelled) => {
            if timing.write && after.sent > 0 {
                log::warn("a write was cancelled under way: it may have taken effect");
            }
            return ExchangeFailure::Cancelled;
        }
        Some(ExchangeStop::TooLate) => {
            return ExchangeFailure::NotBegun(
                "connecting left too little time to begin a write".into(),
            );
        }
        Some(ExchangeStop::Closed) => "given up, as standard input ended".to_string(),
        Some(ExchangeStop::Left(time)) => {
            let others = ", when the others had answered";
            return ExchangeFailure::Left(no_connection(time, after.looking_up) + others);
        }
        Some(ExchangeStop::OutOfTime) if !after.connected => {
            no_connection(connect, after.looking_up)
        }
        Some(ExchangeStop::OutOfTime) => "no answer in time".to_string(),
        Some(ExchangeStop::NoRoom(why, length)) => {
            return ExchangeFailure::NotAnAnswer(no_room(why, length));
        }
        None => error_text(error),
    };
    if let Some(untrusted) = &after.untrusted {
        return not_trusted(untrusted);
    }
    match (after.connected, after.sent, after.received) {
        (_, 0, _) if after.stop == Some(ExchangeStop::Closed) => ExchangeFailure::NotBegun(cause),
        (false, _, _) => ExchangeFailure::NotConnected {
            cause,
            untrusted: match error {
                ureq::Error::Io(e) => broken::remedy(e).map(|remedy| (remedy, String::new())),
                _ => None,
            },
        },
        (true, 0, _) if after.reused && after.stop.is_none() => ExchangeFailure::Stale,
        (true, 0, _) => ExchangeFailure::NotBegun(cause),
        (true, _, 0) if after.reused && after.stop.is_none() && !timing.write => {
            ExchangeFailure::Stale
        }
        (true, _, 0) => ExchangeFailure::Cut {
            cause,
            begun: false,
            late: after.stop == Some(ExchangeStop::OutOfTime),
        },
        (true, _, _) => match error {
            ureq::Error::Io(_) => ExchangeFailure::Cut {
                cause,
                begun: true,
                late: false,
            },
            _ => ExchangeFailure::NotAnAnswer(cause),
        },
    }
}

fn no_connection(time: Duration, looking_up: bool) -> String {
    let name = match looking_up {
        true => " (its name is still being looked up)",
        false => "",
    };
    format!("no connection within {:.1} s{name}", time.as_secs_f64())
}

fn no_room(why: NoRoom, length: Option<u64>) -> String {
    match (why, length) {
        (NoRoom::TooLarge, Some(length)) => {
            format!("it has {length} bytes, and is larger than {SHARE_MAX_BYTES}")
        }
        (NoRoom::TooLarge, None) => format!("it is larger than {SHARE_MAX_BYTES} bytes"),
        (why, Some(length)) => format!("it has {length} bytes, and {why}"),
        (why, None) => why.to_string(),
    }
}

pub fn error_text(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Io(e) => broken::io_text(e),
        ureq::Error::Rustls(e) => broken::text(e),
        ureq::Error::BodyExceedsLimit(bytes) => format!("it is larger than {bytes} bytes"),
        ureq::Error::LargeResponseHeader(_, _) => "its header is too large".to_string(),
        other => other.to_string(),
    };
    printable(&text, CAUSE_MAX_CHARS)
}

fn not_trusted(untrusted: &UntrustedCertificate) -> ExchangeFailure {
    let certificate = cert::read(&untrusted.der);
    let fingerprint = fingerprint_text(&sha256(&untrusted.der));
    let why = &untrusted.why;
    let mut cause = format!(
        "the certificate is not trusted: {why}; SHA-256 fingerprint {fingerprint}, subject `{}`",
        certificate.subject
    );
    // Writing to a `String` cannot fail.
    let _ = write!(
        cause,
        ", names {}, valid from {} to {} UTC",
        if certificate.names.is_empty() {
            "none".to_string()
        } else {
            certificate.names.join(" ")
        },
        certificate.not_before,
        certificate.not_after
    );
    ExchangeFailure::NotConnected {
        cause,
        untrusted: Some((untrusted.remedy, fingerprint)),
    }
}
